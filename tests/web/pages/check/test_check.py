"""A check's page: what it tells, to whom, and that it tells it safely."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.model import Check
from hcl.store.life import Absence
from hcl.web.pages.check.check import MOST_FLIPS
from tests.app import OTHER_WRITE_KEY, PING_KEY, App, running_app
from tests.build import make_ping
from tests.clocks import a_clock
from tests.store import put_check, put_flip, put_pings
from tests.web.api.calls import create
from tests.web.pages.browsing import Visitor, text_of

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e&amp;{{7*7}}"


async def show(app: App, **fields: Any) -> tuple[str, str]:
    """Make a check; return its page and its code."""
    check = await create(app, **fields)
    visitor = await Visitor.enter(app)
    return await visitor.get(f"/checks/{check['uuid']}"), check["uuid"]


def times(page: str) -> list[str]:
    """Return the next times of a schedule, without their days."""
    [shown] = re.findall(r'<dd class="times">(.*?)</dd>', page)
    return re.findall(r"\d\d:\d\d", text_of(shown))


def said(when: datetime) -> str:
    """Return a moment of today as pages say it."""
    return f"today {when:%H:%M}"


async def test_new_check_tells_how_to_ping_it(app: App) -> None:
    page, code = await show(app, name="Backup", slug="backup", timeout=3600)

    assert "Waits for its first ping" in page
    assert "every hour" in page
    assert f"http://hcl.example/ping/{code}" in page
    assert f"http://hcl.example/ping/{PING_KEY}/backup" in page
    assert "curl -fsS -m 10 --retry 5" in page
    assert "ExecStopPost" in page
    assert page.index("How to ping") < page.index("When it is due")


async def test_nothing_that_has_happened_is_in_the_future(app: App) -> None:
    visitor, now = await Visitor.enter(app), datetime.now(UTC)
    ahead = now + timedelta(days=700)
    check = await put_check(app.database, status="down", n_pings=1, last_ping=ahead)
    await put_flip(app.database, check, ahead)
    await put_pings(app.database, (check.id, make_ping(n=1, created=ahead)))

    page = await visitor.get(f"/checks/{check.code}")

    above, _, log = page.partition('id="log"')
    assert re.search(rf"<dt>Last ping</dt><dd><time [^>]+>{said(now)}</time>", above)
    assert f"{ahead:%Y-%m-%d}" not in above
    # The log tells what the clock said.
    assert f"{ahead:%Y-%m-%d}" in log


async def test_shared_slug_is_not_shown_as_an_address(app: App) -> None:
    await create(app, slug="twice")
    page, _ = await show(app, slug="twice")

    assert "URL by slug" not in page


async def test_cron_check_shows_words_expression_and_five_times(app: App) -> None:
    page, _ = await show(app, schedule="0 3 * * *", tz="Europe/Riga")

    assert "every day at 03:00" in page
    assert '<code class="expression">0 3 * * *</code>' in page
    assert times(page) == ["03:00"] * 5


@pytest.mark.parametrize(
    ("down_after", "label"), [(1, "Alerts"), (3, "Bad outcome 1 of 3")]
)
async def test_deadline_is_told_by_what_it_means(
    app: App, down_after: int, label: str
) -> None:
    check = await create(app, timeout=3600, down_after=down_after)
    await app.http.post(f"/ping/{check['uuid']}")
    visitor = await Visitor.enter(app)

    page = text_of(await visitor.get(f"/checks/{check['uuid']}"))

    assert re.search(rf"{label} to\w+ \d\d:\d\d , unless a ping comes", page)


async def test_oncalendar_check_shows_its_times(app: App) -> None:
    page, _ = await show(app, schedule="Mon *-*-* 08:00", tz="UTC")

    assert times(page) == ["08:00"] * 5


async def test_schedule_that_cannot_be_worked_out_is_told(app: App) -> None:
    check = await create(app, schedule="0 3 * * *")
    async with app.database.transaction() as conn:
        await conn.execute("UPDATE checks SET tz = 'America'")
    visitor = await Visitor.enter(app)

    page = await visitor.get(f"/checks/{check['uuid']}")

    assert "cannot be worked out" in page


async def test_paused_check_says_what_ends_the_pause(app: App) -> None:
    check = await create(app, manual_resume=True)
    await app.api("POST", f"checks/{check['uuid']}/pause")
    visitor = await Visitor.enter(app)

    page = await visitor.get(f"/checks/{check['uuid']}")

    assert "Pings are ignored until somebody resumes it." in page
    assert ">Resume<" in page
    assert ">Pause<" not in page


async def test_running_job_shows_its_elapsed_time(app: App) -> None:
    check = await create(app)
    await app.http.get(f"/ping/{check['uuid']}/start")
    visitor = await Visitor.enter(app)

    page = await visitor.get(f"/checks/{check['uuid']}")

    assert "data-elapsed" in page
    assert "unless the run ends" in page


async def test_pings_and_flips_stand_together_newest_first(app: App) -> None:
    check = await create(app)
    for signal in ("", "/fail", ""):
        await app.http.post(f"/ping/{check['uuid']}{signal}", content=b"said " * 3)
    visitor = await Visitor.enter(app)

    page = await visitor.get(f"/checks/{check['uuid']}")

    log = page[page.index('<ol class="log">') :]
    found = re.findall(r"Came up|Went down|#\d", text_of(log))
    assert found == ["Came up", "#3", "Went down", "#2", "Came up", "#1"]
    assert "Came up after 0 s" in text_of(log)
    assert "Went down the job failed" in text_of(log)


async def test_runs_are_charted_with_median_and_slowest(app: App) -> None:
    check = await create(app)
    visitor = await Visitor.enter(app)
    found = await find(app, check["uuid"])
    begin = datetime.now(UTC) - timedelta(hours=5)
    sent = []
    for run, minutes in enumerate((1, 2, 9)):
        start = begin + timedelta(hours=run)
        sent += [
            (found.id, make_ping(n=run * 2 + 1, action="start", created=start)),
            (
                found.id,
                make_ping(n=run * 2 + 2, created=start + timedelta(minutes=minutes)),
            ),
        ]
    await put_pings(app.database, *sent)

    page = await visitor.get(f"/checks/{check['uuid']}")

    words = "Usually 2 min ; the last took 9 min, the slowest 9 min."
    assert words in text_of(page)
    assert page[: page.index('id="availability"')].count("<rect ") == 3
    # A run is one row.
    assert page.count(", took ") == 3
    assert "Started" not in page


async def test_last_run_is_marked_if_it_took_far_longer_than_usual(app: App) -> None:
    check = await create(app)
    visitor = await Visitor.enter(app)
    found = await find(app, check["uuid"])
    begin, pings = datetime.now(UTC) - timedelta(hours=12), []
    for run, minutes in enumerate((*[2] * 10, 9)):
        start = begin + timedelta(hours=run)
        end = start + timedelta(minutes=minutes)
        pings += [
            make_ping(n=run * 2 + 1, action="start", created=start),
            make_ping(n=run * 2 + 2, created=end),
        ]
    await put_pings(app.database, *((found.id, ping) for ping in pings[:-2]))
    before = await visitor.get(f"/checks/{check['uuid']}")
    await put_pings(app.database, *((found.id, ping) for ping in pings[-2:]))

    page = await visitor.get(f"/checks/{check['uuid']}")

    assert "longer than usual" not in before
    assert "took <b>9 minutes</b>, far longer than usual (2 minutes)." in page.replace(
        "\N{NO-BREAK SPACE}", " "
    )

    # Nothing is known of how long it took if hcl was away meanwhile.
    away = Absence(start + timedelta(minutes=1), end - timedelta(minutes=1), "starved")
    async with app.database.transaction() as conn:
        await store.life.add_absence(conn, away)
    assert "longer than usual" not in await visitor.get(f"/checks/{check['uuid']}")


async def test_hostile_values_are_shown_as_text(app: App) -> None:
    check = await create(app, name=EVIL[:100], tags=EVIL, desc=EVIL)
    url = f"/ping/{check['uuid']}"
    await app.http.post(url, content=EVIL.encode(), headers={"User-Agent": EVIL[:40]})
    await app.http.post(url, content=b"\x00\xff<script>")
    visitor = await Visitor.enter(app)

    for path in ("", "/log", "/pings/1", "/pings/2", "/edit", "/delete"):
        page = await visitor.get(f"/checks/{check['uuid']}{path}")

        assert "<script>alert" not in page
        assert "<img" not in page
        if path != "/edit":
            assert "\u202e" not in page
        bare = re.sub(r'"[^"]*"', '""', page)
        assert not re.search(r"<[^>]* (?:on\w+|style)=", bare)


async def test_read_only_viewer_sees_no_secrets_and_no_buttons(app: App) -> None:
    check = await create(app, name="Backup", slug="backup")
    await app.http.post(f"/ping/{check['uuid']}", content=b"a secret")
    found = await find(app, check["uuid"])
    visitor = await Visitor.look(app)

    for path in ("", "/log", "/log?q=secret"):
        page = await visitor.get(f"/checks/{found.unique_key}{path}")

        assert "a secret" not in page
        assert check["uuid"] not in page
        assert PING_KEY not in page
        assert "192.0.2.1" not in page
        assert "Ping now" not in page
        assert "#1" in page
    await visitor.get(f"/checks/{found.unique_key}/pings/1", 403)


@pytest.mark.parametrize("name", ["", " ", "\u202e"])
async def test_read_only_viewer_sees_no_code_where_a_name_is_missing(
    app: App, name: str
) -> None:
    check = await create(app, name=name)
    await app.http.get(f"/ping/{check['uuid']}/fail")
    found = await find(app, check["uuid"])
    visitor = await Visitor.look(app)

    for path in ("", "/log"):
        page = await visitor.get(f"/checks/{found.unique_key}{path}")

        assert check["uuid"] not in page
        assert "unnamed check" in page
    visitor = await Visitor.enter(app)
    assert f"<h1>{found.code}</h1>" in await visitor.get(f"/checks/{found.code}")


async def test_nobody_sees_checks_of_other_projects(app: App) -> None:
    check = await create(app)
    await app.http.post(f"/ping/{check['uuid']}", content=b"mine")
    visitor = await Visitor.enter(app, OTHER_WRITE_KEY)

    for path in ("", "/log", "/pings/1", "/edit", "/delete"):
        await visitor.get(f"/checks/{check['uuid']}{path}", 404)


async def test_without_a_session_one_is_asked_to_sign_in(app: App) -> None:
    check = await create(app)

    for path in ("", "/log", "/pings/1", "/edit", "/delete"):
        response = await app.http.get(f"/checks/{check['uuid']}{path}")

        assert response.status_code == 303
        assert response.headers["Location"].startswith("/sign-in")


async def test_pages_are_private(app: App) -> None:
    check = await create(app)
    await Visitor.enter(app)

    response = await app.http.get(f"/checks/{check['uuid']}")

    assert response.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_availability_counts_the_outage(tmp_path: Path) -> None:
    clock, source = a_clock()
    async with running_app(tmp_path, clock=clock) as app:
        check = await create(app)
        for signal in ("", "/fail"):
            await app.http.get(f"/ping/{check['uuid']}{signal}")
            source.run(90)
        visitor = await Visitor.enter(app)

        page = await visitor.get(f"/checks/{check['uuid']}")

    text = text_of(page[page.index('id="availability"') :])
    assert re.search(r"30 days \d\d\.\d\d % 1 1 min 30 s", text)
    assert "90 days: today: down 1 min 30 s" in page
    assert "log?kind=flip&amp;from=" in page


async def test_months_can_be_worded_in_the_viewers_language(app: App) -> None:
    check = await create(app)
    await app.http.get(f"/ping/{check['uuid']}")
    visitor = await Visitor.enter(app)

    page = await visitor.get(f"/checks/{check['uuid']}")

    now = datetime.now(UTC)
    month = f'<span data-month="{now:%Y-%m}">{now:%b %Y}</span>'
    assert f'<th scope="row">{month}</th>' in page
    # Two of them also stand above the months.
    assert page.count("data-month=") == 5


async def test_availability_counts_the_newest_flips_only(app: App) -> None:
    check = await create(app)
    await app.http.get(f"/ping/{check['uuid']}")
    found = await find(app, check["uuid"])
    now = datetime.now(UTC)
    old = [
        (found.id, (now - timedelta(minutes=n)).timestamp(), "down", "up", "", 0)
        for n in range(MOST_FLIPS, 0, -1)
    ]
    async with app.database.transaction() as conn:
        await conn.execute("DELETE FROM flips")
        await conn.executemany(
            "INSERT INTO flips"
            " (check_id, created, old_status, new_status, reason, n_pings)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            old,
        )
    visitor = await Visitor.enter(app)

    exactly = await visitor.get(f"/checks/{found.code}")
    await put_flip(app.database, found)
    one_more = await visitor.get(f"/checks/{found.code}")

    words = "Only the newest 5,000 changes of status count"
    assert words not in exactly
    assert words in one_more


async def find(app: App, code: str) -> Check:
    """Return a check as it is kept."""
    found = await store.checks.by_code(app.database.committed, code)
    assert found is not None
    return found
