"""A check's page and what is hard to show: it stays short, right, and cheap."""

from datetime import timedelta

from hcl.model import Check
from tests.app import App
from tests.build import HOUR, make_ping
from tests.store import put_check, put_flip, put_pings
from tests.web.pages.browsing import Visitor, text_of

# For a check's page, whatever happened to it; the look at who visits is in it.
MOST_QUERIES = 20


async def down(app: App, pings: int = 1, body: bytes = b"", messages: int = 0) -> Check:
    """Make a check that has gone down, whose pings all bore this body."""
    now = app.clock.now()
    check = await put_check(app.database, 1, status="down", n_pings=pings)
    await put_pings(
        app.database,
        *(
            (
                check.id,
                make_ping(n=n, action="fail", created=now - n * HOUR, body=body),
            )
            for n in range(1, pings + 1)
        ),
    )
    await put_flip(app.database, check, now)
    async with app.database.transaction() as conn:
        await conn.execute("UPDATE flips SET reason = 'fail'")
        await conn.executemany(
            "INSERT INTO notifications (flip_id, check_id, channel_id, created, sent,"
            " reminder) SELECT max(id), ?, 1, ?, ?, ? FROM flips",
            [
                (check.id, now.timestamp() + n, now.timestamp() + n, n)
                for n in range(1, messages + 1)
            ],
        )
    return check


async def test_line_of_10_mb_is_shown_by_its_end(app: App) -> None:
    check = await down(app, body=b"x" * 10_000_000 + b"the end")
    visitor = await Visitor.enter(app)

    page = await visitor.get(f"/checks/{check.code}")
    log = await visitor.get(f"/checks/{check.code}/log")

    assert "the end</pre>" in page
    assert len(page) < 60_000
    assert len(log) < 20_000


async def test_many_tags_are_folded(app: App) -> None:
    tags = [f"tag-{n}" for n in range(60)]
    check = await put_check(app.database, name="漢" * 100, tags=" ".join(tags))
    visitor = await Visitor.enter(app)

    page = text_of(await visitor.get(f"/checks/{check.code}"))

    assert "tag-7 52 more tags tag-8 " in page
    assert "tag-59" in page


async def test_newest_row_is_what_was_written_last(app: App) -> None:
    now = app.clock.now()
    check = await put_check(app.database, n_pings=3)
    for n, off in enumerate((timedelta(0), 2 * HOUR, -30 * HOUR), 1):
        ping = make_ping(n=n, created=now + off, body=b"said %d" % n)
        await put_pings(app.database, (check.id, ping))
    visitor = await Visitor.enter(app)

    log = text_of(await visitor.get(f"/checks/{check.code}/log"))

    places = [log.index(f"said {n}") for n in (3, 2, 1)]
    assert places == sorted(places)


async def test_page_takes_as_many_queries_for_much_as_for_little(app: App) -> None:
    counts = []
    visitor = await Visitor.enter(app)
    queries: list[str] = []
    await app.database.committed.set_trace_callback(queries.append)
    for pings, messages in ((1, 0), (200, 500)):
        check = await down(app, pings, b"output", messages)
        await visitor.get(f"/checks/{check.code}")
        queries.clear()
        await visitor.get(f"/checks/{check.code}")
        counts.append(len(queries))

    assert counts[0] == counts[1] <= MOST_QUERIES
