"""The log of a check: filters, pages, long bodies, mails."""

import re
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any

from hcl import store
from hcl.model import Flip, Ping
from hcl.web.pages.check.bodies import body_of
from tests.app import App
from tests.build import make_ping
from tests.store import put_pings
from tests.web.api.calls import create
from tests.web.pages.browsing import Visitor, text_of
from tests.web.pages.check.test_check import find

MAIL = (
    b"From: cron@example.org\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_vom_Job?=\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n"
    b"YWxsZXMgZ3V0IDxzY3JpcHQ+YWxlcnQoMSk8L3NjcmlwdD4=\r\n"
)


async def fill(app: App, *pings: Ping) -> tuple[str, Visitor]:
    """Make a check with these pings, numbered; return the path of its page."""
    check = await create(app, name="Job")
    found = await find(app, check["uuid"])
    await put_pings(
        app.database,
        *((found.id, ping._replace(n=n)) for n, ping in enumerate(pings, 1)),
    )
    async with app.database.transaction() as conn:
        await conn.execute("UPDATE check_states SET n_pings = ?", (len(pings),))
    return f"/checks/{check['uuid']}", await Visitor.enter(app)


def numbers(page: str) -> list[int]:
    """Return the numbers of the pings that a page lists."""
    return [int(n) for n in re.findall(r'aria-label="Ping (\d+)"', page)]


async def test_pages_of_the_log_follow_each_other(app: App) -> None:
    now = datetime.now(UTC)
    path, visitor = await fill(
        app, *(make_ping(created=now + timedelta(seconds=i)) for i in range(250))
    )
    seen: list[int] = []
    query = ""
    while True:
        page = await visitor.get(f"{path}/log{query}")
        seen += numbers(page)
        older = re.search(r'log(\?before=[\d-]+)">Older', page)
        if older is None:
            break
        query = older[1]

    assert seen == list(range(250, 0, -1))


async def test_kinds_are_filtered(app: App) -> None:
    path, visitor = await fill(
        app,
        make_ping(action="start"),
        make_ping(action="success"),
        make_ping(action="fail"),
        make_ping(action="log"),
        make_ping(action="ign"),
    )

    for query, found in {
        "kind=fail": [3],
        "kind=start&kind=ign": [5, 1],
        "kind=flip": [],
        # The start of a run that has ended stands in the row of its end.
        "kind=nonsense": [5, 4, 3, 2],
        "": [5, 4, 3, 2],
    }.items():
        assert numbers(await visitor.get(f"{path}/log?{query}")) == found


async def test_bodies_are_searched_for_text_of_either_case(app: App) -> None:
    path, visitor = await fill(
        app,
        make_ping(body=b"all fine"),
        make_ping(body=b"\0disk FULL 100%"),
        make_ping(body="übervoll".encode()),
    )

    for text, found in {
        "disk full": [2],
        "100%": [2],
        "_": [],
        "übervoll": [3],
        "FINE": [1],
        "' OR 1=1 --": [],
    }.items():
        page = await visitor.http.get(f"{path}/log", params={"q": text})
        assert numbers(page.text) == found


async def test_days_are_those_of_the_checks_zone(app: App) -> None:
    path, visitor = await fill(
        app,
        make_ping(created=datetime(2026, 6, 1, 20, 59, tzinfo=UTC)),
        make_ping(created=datetime(2026, 6, 1, 21, 1, tzinfo=UTC)),
        make_ping(created=datetime(2026, 6, 2, 21, 1, tzinfo=UTC)),
    )
    async with app.database.transaction() as conn:
        await conn.execute("UPDATE checks SET tz = 'Europe/Riga'")

    for query, found in {
        "from=2026-06-02&to=2026-06-02": [2],
        "to=2026-06-01": [1],
        "from=2026-06-02": [3, 2],
        "from=2026-06-02T21:01Z": [3],
    }.items():
        assert numbers(await visitor.get(f"{path}/log?{query}")) == found


async def test_wrong_filters_are_told_or_ignored(app: App) -> None:
    path, visitor = await fill(app, make_ping())

    for query in ("from=yesterday", "to=9999-12-31", "from=0001-01-01T00:00%2B14:00"):
        assert "Dates are written" in await visitor.get(f"{path}/log?{query}")
    for query in ("before=x", "before=-1", f"before={'9' * 99}", "q=%00", "q=%ff%fe"):
        await visitor.get(f"{path}/log?{query}")


async def test_long_bodies_are_cut_and_shown_whole_on_their_page(app: App) -> None:
    body = "äöü\n".encode() * 3000
    path, visitor = await fill(app, make_ping(body=body))

    page = await visitor.get(f"{path}/log")
    whole = await visitor.get(f"{path}/pings/1")

    assert "Show all of ping #1" in page
    assert page.count("äöü") < 600
    assert "\ufffd" not in page
    assert whole.count("äöü") == 3000
    assert "Show all" not in whole


async def test_what_a_job_told_a_terminal_is_not_shown(app: App) -> None:
    body = b"get 1 %\rget 9 %\r\n\x1b[1;31mdisk full\x1b[0m\r\n"
    path, visitor = await fill(app, make_ping(body=body))

    for page in (path, f"{path}/log", f"{path}/pings/1"):
        shown = await visitor.get(page)
        assert "get 1 %\nget 9 %\ndisk full" in shown
        assert "31m" not in shown


async def test_binary_bodies_are_listed_as_bytes(app: App) -> None:
    path, visitor = await fill(app, make_ping(body=bytes(range(256)) * 8))

    page = await visitor.get(f"{path}/log")

    assert "binary data" in page
    assert "0000  00 01 02" in page


async def test_mails_are_decoded(app: App) -> None:
    path, visitor = await fill(app, make_ping(scheme="email", method="", body=MAIL))

    page = await visitor.get(f"{path}/log")
    whole = await visitor.get(f"{path}/pings/1")

    assert "Grüße vom Job" in page
    for text in (page, whole):
        assert "alles gut &lt;script&gt;" in text
        assert "<script>alert" not in text
    assert "The mail as it came" in whole
    assert "YWxsZXMg" in whole


async def test_long_mail_is_cut_after_its_headers(app: App) -> None:
    text = b"".join(b"line %d\r\n" % n for n in range(5000))
    head = b"Received: " + b"r" * 9000 + b"\r\nSubject: Long\r\n\r\n"
    path, visitor = await fill(app, make_ping(scheme="email", body=head + text))

    page = await visitor.get(f"{path}/log")
    whole = await visitor.get(f"{path}/pings/1")

    assert "line 0\n" in page
    assert "line 4999" not in page
    assert "Only the beginning." in page
    assert "line 4999" in whole


async def test_beginning_of_a_mail_is_decoded_in_little_time(app: App) -> None:
    part = b"\n--b\nContent-Type: text/html\n\n" + b"<p>a&amp;b <b>x</b> " * 3
    mail = b"Content-Type: multipart/mixed; boundary=b\n" + part * 700
    sent = make_ping(scheme="email", body=mail)

    def seconds(limit: int | None) -> float:
        began = process_time()
        for n in range(20):
            body_of(sent._replace(body=mail + b"%d" % n), len(mail) + 2, limit)
        return process_time() - began

    # They were the same before the rest of a mail was left alone.
    assert seconds(2000) < seconds(None) / 2


async def test_flips_stand_above_their_pings_on_every_page(app: App) -> None:
    check = await create(app)
    for i in range(60):
        await app.http.get(f"/ping/{check['uuid']}" + "/fail" * (i % 2))
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}/log"

    first = await visitor.get(path)
    older = re.search(r'log(\?before=[\d-]+)">Older', first)
    assert older is not None
    second = await visitor.get(path + older[1])

    rows: list[Any] = []
    for page in (first, second):
        rows += re.findall(r'<li class="(flip|ping)', page)
    assert rows == ["flip", "ping"] * 60


async def test_ping_that_is_not_in_the_log_is_not_found(app: App) -> None:
    path, visitor = await fill(app, make_ping())

    for n in (0, 2, 999_999_999_999_999):
        await visitor.get(f"{path}/pings/{n}", 404)


async def test_pings_in_the_inbox_are_in_the_log(app: App) -> None:
    check = await create(app)
    await app.http.get(f"/ping/{check['uuid']}")
    visitor = await Visitor.enter(app)

    before = await visitor.get(f"/checks/{check['uuid']}/log")
    await app.filer.file_once()
    after = await visitor.get(f"/checks/{check['uuid']}/log")

    assert numbers(before) == numbers(after) == [1]


async def test_a_run_that_did_not_end_says_so(app: App) -> None:
    now = datetime.now(UTC)
    start = make_ping(action="start", created=now - timedelta(minutes=5))
    path, visitor = await fill(app, make_ping(created=now - timedelta(hours=1)), start)
    check = await find(app, path.removeprefix("/checks/"))
    ended = Flip(start.created + timedelta(minutes=1), "up", "down", "timeout")
    missed = Flip(now - timedelta(minutes=30), "up", "down", "timeout")
    async with app.database.transaction() as conn:
        for flip, n_pings in ((missed, 1), (ended, 2)):
            await store.flips.add(conn, [(check._replace(n_pings=n_pings), flip)])

    page = await visitor.get(f"{path}/log")

    # Each row by itself: after midnight the name of a day stands between the two.
    rows = re.findall(r'<li class="flip [^>]*>.*?</li>', page, re.DOTALL)
    last, first = map(text_of, rows)
    assert "Went down its run did not end within 1 minute" in last
    assert "Went down no ping came in time" in first
