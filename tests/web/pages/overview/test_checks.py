"""The list of checks: what it shows, finds, sorts and counts, and what it weighs."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.model import Check, Flip
from hcl.web.pages import static_files
from hcl.web.pages.overview.query import Query
from tests.app import READ_KEY, App
from tests.build import DAY, HOUR
from tests.store import change, put_check, put_copies, traced
from tests.web.pages.browsing import project_path, sign_in, text_of

NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> &amp; {{ 7 * 7 }}"

MINUTE = timedelta(minutes=1)

STATIC = Path(static_files.__file__).parent / "static"


async def page(app: App, query: str = "") -> str:
    response = await app.http.get(project_path(app) + query)
    assert response.status_code == 200
    return response.text


async def names(app: App, query: str = "") -> list[str]:
    """Return the names in the list, in its order."""
    return re.findall(r'class="name" href="[^"]+">([^<]*)<', await page(app, query))


async def put_up(app: App, name: str, **fields: Any) -> Check:
    """Put a check that was pinged just now."""
    now = datetime.now(UTC)
    values = {"status": "up", "n_pings": 1, "last_ping": now, "alert_after": now + DAY}
    return await put_check(app.database, name=name, **(values | fields))


async def put_some(app: App) -> None:
    """Put checks of every status."""
    now = datetime.now(UTC)
    await put_up(app, "Fine", tags="prod db", slug="fine-job")
    await put_up(app, "Late", alert_after=now + HOUR / 2, tags="prod")
    await put_up(app, "Alarm", status="down", alert_after=None, last_ping=now - DAY)
    await put_check(app.database, name="Fresh")
    await put_check(app.database, name="Resting", status="paused")
    await put_up(app, "Busy", last_start=now - timedelta(minutes=3))


async def test_trouble_comes_first(app: App) -> None:
    await sign_in(app)
    await put_some(app)

    found = await names(app)

    assert found == ["Alarm", "Late", "Busy", "Fine", "Fresh", "Resting"]


async def test_status_is_told_in_words_and_counted(app: App) -> None:
    await sign_in(app)
    await put_some(app)

    text = await page(app)

    assert "<title>(1 down) Home – hcl</title>" in text
    assert "icon-down.svg" in text
    for word in ("down 1", "late 1", "up 2", "new 1", "paused 1", "running 1", "all 6"):
        assert word in text
    assert "running for 3 min" in text_of(text)


async def test_check_that_no_channel_serves_is_marked(app: App) -> None:
    await sign_in(app)
    await put_check(app.database, 1, name="Told")
    await put_check(app.database, name="Alone")
    await put_check(app.database, 2, name="Left")
    await change(app.database, "UPDATE channels SET enabled = 0 WHERE id = 2")

    rows = (await page(app)).split("<li id=")[1:]

    marked = {re.findall(r">([^<]*)</a>", row)[0]: "no channel" in row for row in rows}
    assert marked == {"Told": False, "Alone": True, "Left": True}


async def test_rows_do_not_repeat_that_there_are_no_channels(app: App) -> None:
    await sign_in(app)
    await put_check(app.database, name="Alone")
    await change(app.database, "UPDATE channels SET enabled = 0")

    text = await page(app)

    assert "has no integrations" in text
    assert "no channel" not in text


async def test_late_is_told_when_nothing_is_down(app: App) -> None:
    await sign_in(app)
    await put_up(app, "Late", alert_after=datetime.now(UTC) + HOUR / 2)

    text = await page(app)

    assert "<title>(1 late) Home" in text
    assert "icon-late.svg" in text


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("?q=fin", ["Fine"]),
        ("?q=FINE-JOB", ["Fine"]),
        ("?q=prod+late", ["Late"]),
        ("?tag=prod", ["Late", "Fine"]),
        ("?tag=prod&tag=db", ["Fine"]),
        ("?tag=pro", []),
        ("?status=down", ["Alarm"]),
        ("?status=started", ["Busy"]),
        ("?status=nonsense&sort=nonsense&q=fre", ["Fresh"]),
        ("?sort=name", ["Alarm", "Busy", "Fine", "Fresh", "Late", "Resting"]),
        ("?q=" + "%00%ff<>" * 100, []),
    ],
)
async def test_list_is_narrowed_and_sorted(
    app: App, query: str, wanted: list[str]
) -> None:
    await sign_in(app)
    await put_some(app)

    assert await names(app, query) == wanted


async def test_sorted_by_last_ping_the_newest_comes_first(app: App) -> None:
    await sign_in(app)
    now = datetime.now(UTC)
    for i, name in enumerate(("b", "c", "a")):
        await put_up(app, name, last_ping=now - i * HOUR)
    await put_check(app.database, name="never")

    assert await names(app, "?sort=last") == ["b", "c", "a", "never"]


async def test_code_is_found_by_who_may_know_it_only(app: App) -> None:
    check = await put_up(app, "Secret")
    await sign_in(app)
    known = await names(app, f"?q={check.code[:8]}")
    app.http.cookies.clear()

    await sign_in(app, READ_KEY)
    hidden = await names(app, f"?q={check.code[:8]}")
    text = await page(app)

    assert known == ["Secret"]
    assert hidden == []
    assert check.code not in text
    assert f"/checks/{check.unique_key}" in text


async def test_hostile_names_and_tags_are_text(app: App) -> None:
    await sign_in(app)
    await put_up(app, NASTY, tags=NASTY, slug="x")

    text = await page(app) + await page(app, "?tag=%3Cscript%3E&q=%22%3E%3Cimg")

    assert "<script>alert" not in text
    assert "<img" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "{{ 7 * 7 }}" in text


async def test_names_that_cannot_be_seen_or_turn_the_row_are_mended(app: App) -> None:
    await sign_in(app)
    for name in (" ", "\u200b", "a\u202eb\nc"):
        await put_up(app, name, tags="\u202ex \u202e")

    text = await page(app)

    assert text.count('<span class="muted">unnamed check</span></a>') == 2
    assert ">ab c</a>" in text
    assert "\u202e" not in text
    assert not re.search(r'class="tag"[^>]*></a>', text)


async def test_checks_of_other_projects_are_not_shown(app: App) -> None:
    await sign_in(app)
    await put_up(app, "Foreign", project_id=2)

    assert "Foreign" not in await page(app)


async def test_empty_list_says_how_to_begin(app: App) -> None:
    await sign_in(app)
    text = await page(app)
    app.http.cookies.clear()
    await sign_in(app, READ_KEY)
    read_only = await page(app)

    assert "No checks yet" in text
    assert "/ping/homehomehomehomehome22/my-first-job?create=1" in text
    assert "homehomehomehomehome22" not in read_only


async def test_list_without_matches_says_so(app: App) -> None:
    await sign_in(app)
    await put_up(app, "a")

    assert "No checks match" in await page(app, "?q=zzz")


async def test_last_ping_is_never_in_the_future(app: App) -> None:
    await sign_in(app)
    now = datetime.now(UTC)
    await put_up(app, "a", last_ping=now + 3 * DAY, alert_after=now + DAY + 2 * HOUR)

    text = await page(app)

    assert re.search(r"<time [^>]+>now</time><time [^>]+>in ", text)


async def test_down_says_since_when(app: App) -> None:
    await sign_in(app)
    check = await put_up(app, "a", status="down", alert_after=None)
    flip = Flip(datetime.now(UTC) - 5 * HOUR, "up", "down", "timeout")
    async with app.database.transaction() as conn:
        await store.flips.add(conn, [(check, flip)])

    text = await page(app)

    assert re.search(r"<b>down</b> <time [^>]+ data-elapsed [^>]+>5 h</time>", text)
    assert re.search(r"14 days: \w+ \d+ \w+: down \d", text)


def test_tag_in_a_url_can_be_taken_out_again() -> None:
    query = Query(text="a b", tags=("x", "&y"), status="up", sort="name")

    assert query.with_tag("x") == "?q=a+b&tag=%26y&status=up&sort=name"
    assert query.with_tag("z") == "?q=a+b&tag=x&tag=%26y&tag=z&status=up&sort=name"


async def test_favicon_tells_the_worst(app: App) -> None:
    await sign_in(app)
    fine = await app.http.get(project_path(app) + "favicon.svg")
    await put_some(app)
    bad = await app.http.get(project_path(app) + "favicon.svg")

    assert fine.content == (STATIC / "icon-up.svg").read_bytes()
    assert bad.content == (STATIC / "icon-down.svg").read_bytes()
    assert bad.headers["cache-control"] == "no-store"


async def test_list_of_fifty_checks_weighs_less_than_60_kb(app: App) -> None:
    await sign_in(app)
    now = datetime.now(UTC)
    for i in range(50):
        cron: dict[str, Any] = (
            {"kind": "cron", "schedule": "5 3 * * *"} if i % 3 else {}
        )
        check = await put_up(
            app, f"Nightly job number {i}", tags="prod backup", slug=f"job-{i}", **cron
        )
        if i % 5 == 0:
            # At noon: an outage over midnight shows on two days.
            at = (now - 3 * DAY).replace(hour=12)
            pair = [Flip(at, "up", "down", "fail"), Flip(at + HOUR, "down", "up", "")]
            async with app.database.transaction() as conn:
                await store.flips.add(conn, [(check, flip) for flip in pair])

    text = await page(app)
    assert len(await names(app)) == 50
    sources = re.findall(r'(?:href|src)="(/static/[^"]+)"', text)
    files = [await app.http.get(source) for source in sources]

    assert len(files) == 5
    assert sum(len(file.content) for file in files) + len(text.encode()) < 60_000


async def put_many(app: App, count: int) -> None:
    check = await put_up(app, "job ", tags="prod db", slug="job")
    await put_copies(app.database, check, count - 1)


async def test_a_long_list_has_pages_and_search_sees_all(app: App) -> None:
    await sign_in(app)
    await put_many(app, 250)
    await put_up(app, "Alarm", status="down", alert_after=None)

    pages = [await names(app, f"?sort=name&page={number}") for number in (1, 2, 3)]

    assert [len(found) for found in pages] == [100, 100, 51]
    assert len({name for found in pages for name in found}) == 251
    # Beyond the last one there is the last one.
    assert await names(app, "?sort=name&page=9") == pages[2]
    assert (await names(app))[0] == "Alarm"
    # In codes it may be found by chance.
    assert "job 249" in await names(app, "?q=job+249")
    text = await page(app, "?page=2&tag=prod")
    assert "Page 2 of 3, 250 checks" in text
    assert 'rel="next" href="?tag=prod&amp;page=3"' in text
    assert "all 251" in text


async def test_page_of_many_checks_weighs_little_and_asks_little(app: App) -> None:
    await sign_in(app)
    await put_many(app, 3000)
    async with traced(app.database.committed) as statements:
        text = await page(app)

    assert len(text.encode()) < 100_000
    # The lines of 100 checks each, and what the page itself needs.
    lines = sum("last_start IS NOT NULL" in sql for sql in statements)
    assert lines == 3000 // 100 + 1
    assert len(statements) - lines < 13


async def test_late_and_running_checks_are_found_among_many(app: App) -> None:
    await sign_in(app)
    await put_many(app, 1200)
    now = datetime.now(UTC)
    await put_up(app, "Late", alert_after=now + HOUR / 2)
    await put_up(app, "Overdue", alert_after=now - HOUR)
    await put_up(app, "Busy", last_start=now - timedelta(minutes=3))

    assert (await names(app))[:2] == ["Overdue", "Late"]
    assert await names(app, "?status=grace") == ["Late"]
    assert await names(app, "?status=started") == ["Busy"]
    assert await names(app, "?status=down") == ["Overdue"]


async def test_groups_tell_their_worst_and_are_folded_where_all_is_well(
    app: App,
) -> None:
    await sign_in(app)
    await put_up(app, "a", tags="web extra")
    await put_up(app, "b", tags="backup")
    await put_up(app, "c", tags="backup", status="down", alert_after=None)
    await put_up(app, "d")

    text = await page(app, "?group=tag")
    groups = re.findall(r'<details class="group (\w+)" id="g-(\w*)"( open)?>', text)

    assert groups == [("down", "backup", " open"), ("up", "web", ""), ("up", "", "")]
    assert "down: backup 1 of 2 up" in text_of(text)
    assert "up: no tag 1 of 1 up" in text_of(text)
    # Each check stands once, in its first tag's group, those in trouble first.
    assert await names(app, "?group=tag") == ["c", "b", "a", "d"]
    assert await names(app, "?group=tag&q=a&tag=extra") == ["a"]


async def test_groups_go_over_pages_and_count_what_other_pages_have(app: App) -> None:
    await sign_in(app)
    await put_many(app, 120)
    await put_up(app, "Other", tags="a-first")

    first = await page(app, "?group=tag&sort=name")
    second = await page(app, "?group=tag&sort=name&page=2")

    assert len(await names(app, "?group=tag")) == 100
    assert text_of(first).count("120 of 120 up") == 1
    assert text_of(second).count("120 of 120 up") == 1
    assert 'id="g-a-first"' in first
    assert 'id="g-a-first"' not in second


async def test_tag_chips_tell_the_worst_status(app: App) -> None:
    await sign_in(app)
    await put_some(app)
    await put_up(app, "Rare", tags="rare", status="down", alert_after=None)

    text = await page(app, "?tag=rare")
    chips = text[text.index('aria-label="Tags"') :].partition("</ul>")[0]

    assert text_of(chips).startswith('aria-label="Tags"> down: rare 1 late: prod 2')
    assert 'class="chip is-down" href="?" aria-current="true"' in chips
    assert 'class="chip is-grace" href="?tag=rare&amp;tag=prod"' in chips
    assert 'class="chip" href="?tag=rare&amp;tag=db"' in chips


async def test_list_without_matches_leads_out(app: App) -> None:
    await sign_in(app)
    await put_some(app)

    text = await page(app, "?q=zzz&tag=prod&status=up")

    assert "There are 6 checks in all." in text
    assert 'href="?tag=prod&amp;status=up">Without “zzz”' in text
    assert 'href="?q=zzz&amp;status=up">Without tag prod' in text
