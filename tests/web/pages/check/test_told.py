"""Who was told, in words, and in the log of a check's page."""

import re
from datetime import timedelta
from typing import Any

import pytest

from hcl import store
from hcl.checks.why.told import heard_by, told
from hcl.model import Lateness
from hcl.store.tries import Record, Try
from hcl.words.handing import NOTHING_HANDED, undelivered
from tests.app import App
from tests.build import HOUR, NOW, make_ping
from tests.store import note, put_check, put_flip, put_pings
from tests.web.pages.browsing import Visitor, text_of

MINUTE = timedelta(minutes=1)


def record(tries: int = 0, **more: Any) -> Record:
    """Make a message over Mail with so many tries, a minute apart."""
    tried = tuple(
        Try(NOW + n * MINUTE, timedelta(seconds=0.8), False, "refused")
        for n in range(tries)
    )
    values: dict[str, Any] = {
        "id": 1,
        "project": "Home",
        "check": "a",
        "code": "",
        "unique_key": "",
        "channel": "Mail",
        "kind": "email",
        "created": NOW,
        "status": "down",
        "reminder": 0,
        "hold": "",
        "notice": "",
        "sent": None,
        "next_try": None,
        "answer": "refused" if tries else "",
        "tries": tried,
        "attempts": tries,
    }
    return Record(**(values | more))


@pytest.mark.parametrize(
    ("message", "mark", "what", "detail"),
    [
        (record(1, sent=NOW, attempts=0), "sent", "Told Mail", "in 0.80 s"),
        (record(1, sent=NOW, reminder=2), "sent", "Reminded Mail", "in 0.80 s"),
        (record(sent=NOW, status="late"), "sent", "Told Mail that it is late", ""),
        (record(sent=NOW, status="slow"), "sent", "Told Mail of a slow run", ""),
        (
            record(1, sent=NOW, attempts=0, notice=undelivered("Phone", "refused")),
            "sent",
            "Told Mail",
            "instead of Phone, in 0.80 s",
        ),
        (
            record(kind="group", sent=NOW, answer=f"{NOTHING_HANDED}: all have it"),
            "dropped",
            "Mail told nobody",
            "all have it",
        ),
        (record(next_try=NOW), "waits", "Mail waits", "next to be sent"),
        (
            record(next_try=NOW, is_blocked=True),
            "waits",
            "Mail waits",
            "this integration is failing",
        ),
        (
            record(next_try=NOW, hold="quiet"),
            "waits",
            "Mail waits",
            "held for quiet hours",
        ),
        (record(1, next_try=NOW), "failed", "Mail failed once", ""),
        (record(3, next_try=NOW), "failed", "Mail failed 3 times", ""),
        (record(7), "failed", "Mail failed 7 times, given up", ""),
        (
            record(answer="not sent: it is no longer down"),
            "dropped",
            "Mail was not told",
            "it is no longer down",
        ),
    ],
)
def test_message_is_put_into_words(
    message: Record, mark: str, what: str, detail: str
) -> None:
    said = told(message)

    assert (said.mark, said.what, said.detail) == (mark, what, detail)


@pytest.mark.parametrize(
    ("records", "lines"),
    [
        ([], []),
        ([record(1, sent=NOW, attempts=0)], [("sent", "Mail", ("got it", NOW))]),
        # Reminded since; that another is planned says nothing.
        (
            [
                record(id=3, reminder=2, next_try=NOW + 2 * HOUR, hold="remind"),
                record(1, id=2, sent=NOW + HOUR, reminder=1, attempts=0),
                record(1, sent=NOW, attempts=0),
            ],
            [("sent", "Mail", ("got it", NOW, "and was reminded", NOW + HOUR))],
        ),
        # Of 500 messages the first may not be known.
        (
            [record(1, id=9, sent=NOW, reminder=8, attempts=0)],
            [("sent", "Mail", ("was reminded", NOW))],
        ),
        # One line for each channel, who heard of it first; a group is its channels.
        (
            [
                record(id=4, channel="Anna", next_try=NOW + HOUR, hold="quiet"),
                record(7, id=3, channel="Phone"),
                record(1, id=2, sent=NOW, attempts=0),
                record(id=1, channel="All", kind="group", sent=NOW),
            ],
            [
                ("sent", "Mail", ("got it", NOW)),
                (
                    "failed",
                    "Phone",
                    ("failed 7 times until", NOW + 6 * MINUTE, "and was given up"),
                ),
                ("waits", "Anna", ("is told", NOW + HOUR, "(held for quiet hours)")),
            ],
        ),
        # What came in the place of another says so; what has to wait is not soon.
        (
            [
                record(id=2, channel="Phone", next_try=NOW, is_blocked=True),
                record(1, sent=NOW, attempts=0, notice=undelivered("Phone", "refused")),
            ],
            [
                ("sent", "Mail", ("got it", NOW, "instead of Phone")),
                (
                    "waits",
                    "Phone",
                    ("is not told yet: this integration is failing",),
                ),
            ],
        ),
        (
            [record(kind="group", sent=NOW, answer=f"{NOTHING_HANDED}: all have it")],
            [("dropped", "Mail", ("told nobody: all have it",))],
        ),
        ([record(next_try=NOW)], [("waits", "Mail", ("is told soon",))]),
        (
            [record(2, next_try=NOW + HOUR)],
            [("failed", "Mail", ("failed twice", "and is tried again", NOW + HOUR))],
        ),
        (
            [record(answer="not sent: it is no longer down")],
            [("dropped", "Mail", ("was not told: it is no longer down",))],
        ),
    ],
)
def test_each_channel_has_one_line(records: list[Record], lines: list[Any]) -> None:
    assert [(h.mark, h.name, h.said) for h in heard_by(records)] == lines


async def told_twice(app: App) -> str:
    """Have a flip told over one channel, and not over another; return its check."""
    check = await put_check(app.database, 1, 2, status="down")
    await put_flip(app.database, check)
    conn = app.database.committed
    [a] = await store.waiting.due(conn, 1, NOW, 9)
    [b] = await store.waiting.due(conn, 2, NOW, 9)
    await note(app.database, a.notification, answer="HTTP 200", sent=NOW)
    await note(app.database, b.notification, answer="<no>", next_try=NOW + HOUR)
    return check.code


async def test_log_shows_who_was_told_above_what_was_told(app: App) -> None:
    code = await told_twice(app)
    visitor = await Visitor.enter(app)

    for path in (f"/checks/{code}", f"/checks/{code}/log"):
        page = await visitor.get(path)
        log = page[page.index('<ol class="log">') :]
        words = text_of(log)
        places = [
            words.index(part)
            for part in ("Hook B failed once", "<no>", "Told Hook A", "Went down")
        ]
        assert places == sorted(places)
        assert "&lt;no&gt;" in log


async def test_readers_see_who_was_told_but_no_answers(app: App) -> None:
    code = await told_twice(app)
    check = await store.checks.by_code(app.database.committed, code)
    assert check is not None
    visitor = await Visitor.look(app)

    page = text_of(await visitor.get(f"/checks/{check.unique_key}"))

    assert "Hook B failed once" in page
    assert "<no>" not in page


async def test_500_messages_of_one_outage_are_counted(app: App) -> None:
    check = await put_check(app.database, 1, status="down")
    await put_flip(app.database, check)
    async with app.database.transaction() as conn:
        await conn.executemany(
            "INSERT INTO notifications (flip_id, check_id, channel_id, created, sent,"
            " reminder) VALUES (1, ?, 1, ?, ?, ?)",
            [
                (check.id, NOW.timestamp() + n, NOW.timestamp() + n, n)
                for n in range(1, 500)
            ],
        )
    visitor = await Visitor.enter(app)

    page = await visitor.get(f"/checks/{check.code}")

    log = text_of(page[page.index('<ol class="log">') :])
    assert log.count("Reminded Hook A") == 6
    assert "and 494 before these" in log
    # The first over the channel is kept beside the newest.
    assert "487 messages before these." in text_of(page)


async def test_log_shows_who_was_told_of_being_late_and_of_slow_runs(app: App) -> None:
    check = await put_check(app.database, 1, status="up", n_pings=3, late_since=NOW)
    moments = [NOW + n * HOUR for n in range(4)]
    pings = [(check.id, make_ping(n=n, created=moments[n])) for n in (1, 2, 3)]
    await put_pings(app.database, *pings)
    slow = Lateness(moments[1], moments[2], MINUTE)
    async with app.database.transaction() as conn:
        await conn.execute("UPDATE channels SET on_slow = 1, on_late = 1")
        await store.paces.add(conn, check.id, 2, slow, moments[2])
        await store.latenesses.add(conn, [(check, moments[3])], moments[3])
    for waiting in await store.waiting.due(app.database.committed, 1, moments[3], 9):
        at = waiting.notification.created + MINUTE
        await note(app.database, waiting.notification, sent=at, began=at)
    visitor = await Visitor.enter(app)

    for query, parts in {
        "": ("that it is late", "#3", "of a slow run", "#2", "#1"),
        "?kind=flip": ("that it is late", "of a slow run"),
        # What stands on the page before.
        "?before=3-0": ("of a slow run", "#2", "#1"),
        "?before=2-0": ("#1",),
    }.items():
        page = await visitor.get(f"/checks/{check.code}/log{query}")
        words = text_of(
            page[page.index('class="log"') :] if 'class="log"' in page else ""
        )
        found = re.findall(r"that it is late|of a slow run|#\d", words)
        assert tuple(found) == parts, query
