"""The rows of a log: runs in one row, messages in their place, days as heads."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hcl.model import Flip, Ping
from hcl.store.excerpts import Excerpt
from hcl.store.tries import Record, Told
from hcl.web.pages.check.entries import Entry, Page, Place, Timeline, flip_words
from tests.build import DAY, HOUR, NOW, make_check, make_ping
from tests.web.pages.check.test_told import record

MINUTE = timedelta(minutes=1)
RID = "00000000-0000-4000-8000-000000000001"


def rows(
    places: Sequence[Ping | Flip],
    told: Sequence[Record] = (),
    *,
    folds: bool = True,
    **check: Any,
) -> list[str]:
    """Return the rows of a page, newest first; `places` come oldest first.

    `told` are the messages of the first flip, newest first.
    """
    pings = [place for place in places if isinstance(place, Ping)]
    n = flips = 0
    where: list[Place] = []
    for place in places:
        if isinstance(place, Ping):
            n = place.n
            where.append((n, 0, None))
        else:
            flips += 1
            where.append((n, flips, place))
    found = {ping.n: Excerpt(ping, 0) for ping in pings}
    messages = Told({1: list(told)}, {1: len(told)}, [])
    page = Page(make_check(**check), found, pings, messages, folds=folds)
    return [_name(entry) for entry in page.entries(where[::-1])]


def _name(entry: Entry) -> str:
    if entry.ping is not None:
        return f"#{entry.ping.n} {entry.run}".strip()
    if entry.told is not None:
        return entry.told.what
    return " ".join(flip_words(entry)).strip() if entry.flip else "more"


def ping(n: int, after: timedelta, action: Any = "success", **more: Any) -> Ping:
    return make_ping(n=n, created=NOW + after, action=action, **more)


DOWN = Flip(NOW, "up", "down", "fail")


def sent(after: timedelta, channel: str = "Mail", **more: Any) -> Record:
    return record(channel=channel, kind="email", sent=NOW + after, **more)


@pytest.mark.parametrize(
    ("pings", "expected"),
    [
        ([ping(1, -HOUR, "start"), ping(2, HOUR * 0)], ["#2 1 h"]),
        # Overlapping runs, told apart by their ids.
        (
            [
                ping(1, -HOUR, "start"),
                ping(2, -HOUR / 2, "start", rid=RID),
                ping(3, HOUR * 0),
                ping(4, HOUR, rid=RID),
            ],
            ["#4 1 h 30 min", "#3 1 h"],
        ),
        # No end came, or it is on another page.
        ([ping(1, -HOUR, "start"), ping(2, HOUR, "start")], ["#2", "#1"]),
        # A clock that was set back makes no length negative.
        ([ping(1, HOUR, "start"), ping(2, -HOUR)], ["#2 under 1 ms"]),
    ],
)
def test_a_run_is_one_row(pings: list[Ping], expected: list[str]) -> None:
    assert rows(pings) == expected


def test_starts_that_are_asked_for_are_shown() -> None:
    pings = [ping(1, -HOUR, "start"), ping(2, HOUR * 0)]

    assert rows(pings, folds=False) == ["#2 1 h", "#1"]


@pytest.mark.parametrize(
    ("start", "down", "old_status", "why"),
    [
        # The next ping is due at NOW, and grace is an hour.
        (-2 * HOUR, -HOUR, "up", "its run did not end within 1 hour"),
        (HOUR * 0, HOUR, "up", "its run did not end within 1 hour"),
        (HOUR - MINUTE, HOUR, "up", "no ping came in time"),
        # It counted from hcl's return then, maybe.
        (2 * HOUR, 3 * HOUR, "up", "its run did not end within 1 hour"),
        # Maintenance had given it more.
        (-HOUR, 3 * HOUR, "up", "its run did not end within 4 hours"),
        (2 * HOUR, 5 * HOUR, "paused", "its run did not end within 3 hours"),
        # The clock was set back since.
        (HOUR * 0, -HOUR, "up", "its run did not end in time"),
    ],
)
def test_run_that_began_in_grace_is_not_what_took_it_down(
    start: timedelta, down: timedelta, old_status: Any, why: str
) -> None:
    pings = [ping(1, -DAY), ping(2, start, "start")]
    flip = Flip(NOW + down, old_status, "down", "timeout")

    assert rows([*pings, flip])[0] == f"Went down {why}"


def test_no_length_is_told_of_an_outage_that_ends_before_it_began() -> None:
    flips = [Flip(NOW, "up", "down", "fail"), Flip(NOW - HOUR, "down", "up", "")]

    assert rows(flips)[0] == "Came up"


def test_first_bad_outcome_of_several_is_no_success() -> None:
    up = Flip(NOW, "new", "up", "")

    assert rows([ping(1, HOUR * 0, "fail"), up], down_after=3) == [
        "Came up pings are expected",
        "#1",
    ]


def test_messages_stand_between_pings_and_flips() -> None:
    places: list[Ping | Flip] = [ping(1, -HOUR), ping(2, HOUR * 0, "fail"), DOWN]
    later = [ping(3, HOUR, "fail"), ping(4, 5 * HOUR, "fail")]
    told = [sent(4 * HOUR, reminder=1), sent(MINUTE, "Phone"), sent(MINUTE)]

    found = rows([*places, *later], told)

    assert found == [
        "#4",
        "Reminded Mail",
        "#3",
        "Told Phone",
        "Told Mail",
        "Went down the job failed",
        "#2",
        "#1",
    ]


def test_no_message_is_moved_over_a_ping_of_a_clock_set_back() -> None:
    places: list[Ping | Flip] = [
        ping(1, HOUR * 0, "fail"),
        DOWN,
        ping(2, -3 * HOUR),
        ping(3, -2 * HOUR),
    ]

    found = rows(places, [sent(HOUR)])

    assert found == ["#3", "#2", "Told Mail", "Went down the job failed", "#1"]


def test_messages_stay_below_the_next_flip() -> None:
    up = Flip(NOW + HOUR, "down", "up", "")
    places: list[Ping | Flip] = [DOWN, ping(1, HOUR), up]

    found = rows(places, [sent(2 * HOUR)])

    assert found == [
        "Came up after 1 h",
        "Told Mail",
        "#1",
        "Went down the job failed",
    ]


def test_planned_reminder_is_not_of_the_log() -> None:
    planned = record(reminder=1, next_try=NOW + HOUR, hold="remind")

    assert rows([DOWN], [planned]) == ["Went down the job failed"]


def test_days_are_those_of_a_zone_and_follow_the_order_of_the_rows() -> None:
    stamps = [datetime(2026, 6, 14, 21, 5, tzinfo=UTC), NOW, NOW - 2 * 24 * HOUR, NOW]
    entries = tuple(Entry(at) for at in stamps[::-1])

    days = Timeline(entries).days(NOW, ZoneInfo("Europe/Riga"))

    assert [(name, len(found)) for name, found in days] == [
        ("Today, Mon 15 Jun", 1),
        ("Sat 13 Jun", 1),
        ("Today, Mon 15 Jun", 2),
    ]
