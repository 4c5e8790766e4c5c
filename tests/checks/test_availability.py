"""Availability by month, from flips."""

from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hcl.checks.availability import Month, by_month
from hcl.model import Flip
from tests.build import DAY, HOUR

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


def flip(created: datetime, old: Any, new: Any) -> Flip:
    return Flip(created, old, new, "")


def known(months: list[Month]) -> list[tuple[str, timedelta, timedelta, int]]:
    """Return what is known of the months that something is known of."""
    return [
        (f"{month.start:%Y-%m}", month.up, month.down, month.outages)
        for month in months
        if month.share is not None
    ]


def test_nothing_is_known_of_a_check_without_pings_or_flips() -> None:
    months = by_month([], "up", None, NOW)

    assert len(months) == 12
    assert [f"{m.start:%Y-%m}" for m in (months[0], months[-1])] == [
        "2026-06",
        "2025-07",
    ]
    assert known(months) == []
    assert months[0].percent == ""


def test_status_holds_since_the_oldest_ping() -> None:
    months = by_month([], "up", NOW - 20 * DAY, NOW)

    assert known(months) == [
        ("2026-06", 14 * DAY + 12 * HOUR, timedelta(0), 0),
        ("2026-05", 5 * DAY + 12 * HOUR, timedelta(0), 0),
    ]
    assert months[0].percent == "100 %"


def test_outage_over_the_end_of_a_month_counts_in_both() -> None:
    begin, end = (
        datetime(2026, 5, 31, 23, tzinfo=UTC),
        datetime(2026, 6, 1, 2, tzinfo=UTC),
    )
    flips = [
        flip(begin - DAY, "new", "up"),
        flip(begin, "up", "down"),
        flip(end, "down", "up"),
    ]

    months = by_month(flips, "up", None, end + HOUR)

    assert known(months) == [
        ("2026-06", HOUR, 2 * HOUR, 1),
        ("2026-05", DAY, HOUR, 1),
    ]
    assert months[0].percent == "33.33 %"
    assert months[1].percent == "96.00 %"


def test_new_and_paused_time_does_not_count() -> None:
    flips = [
        flip(NOW - 10 * HOUR, "new", "up"),
        flip(NOW - 8 * HOUR, "up", "paused"),
        flip(NOW - 3 * HOUR, "paused", "new"),
        flip(NOW - 1 * HOUR, "new", "down"),
    ]

    assert known(by_month(flips, "down", NOW - DAY, NOW)) == [
        ("2026-06", 2 * HOUR, HOUR, 1)
    ]


def test_log_younger_than_the_flips_hides_none_of_them() -> None:
    flips = [flip(NOW - 4 * HOUR, "up", "down"), flip(NOW - 3 * HOUR, "down", "up")]

    assert known(by_month(flips, "up", NOW - 2 * HOUR, NOW)) == [
        ("2026-06", 3 * HOUR, HOUR, 1)
    ]


def test_log_older_than_the_flips_tells_what_was_before() -> None:
    flips = [flip(NOW - HOUR, "up", "down")]

    assert known(by_month(flips, "down", NOW - 3 * HOUR, NOW)) == [
        ("2026-06", 2 * HOUR, HOUR, 1)
    ]


def test_clock_that_was_set_back_counts_no_time_twice() -> None:
    flips = [
        flip(NOW - 4 * HOUR, "new", "up"),
        flip(NOW - 1 * HOUR, "up", "down"),
        flip(NOW - 2 * HOUR, "down", "up"),
    ]

    assert known(by_month(flips, "up", None, NOW)) == [
        ("2026-06", 4 * HOUR, timedelta(0), 0)
    ]


@pytest.mark.parametrize(
    ("hours", "status", "up", "down"),
    [
        # Set back within an outage, and at its end.
        ([-4, -1, -2], "up", 4, 0),
        ([-4, -3, -5, -2], "down", 3, 2),
        # The clock was a year ahead when the check went down, or all the time.
        ([-4, 8760], "down", 4, 0),
        ([8760, 8761, -1], "up", 1, 0),
        ([8760, 8761, -2, -1], "down", 1, 1),
    ],
)
def test_no_time_is_negative_or_counts_twice_whatever_the_clock_said(
    hours: list[int], status: Any, up: int, down: int
) -> None:
    flips = [
        flip(NOW + at * HOUR, "down" if number % 2 == 0 else "up", new)
        for number, (at, new) in enumerate(zip(hours, cycle(("up", "down"))))
    ]

    [month] = [m for m in by_month(flips, status, None, NOW) if m.share is not None]

    assert (month.up, month.down) == (up * HOUR, down * HOUR)


def test_months_begin_by_the_clock_of_the_zone() -> None:
    riga = ZoneInfo("Europe/Riga")
    begin = datetime(2026, 5, 31, 20, tzinfo=UTC)

    months = by_month([], "up", begin, begin + 3 * HOUR, riga)

    assert known(months) == [
        ("2026-06", 2 * HOUR, timedelta(0), 0),
        ("2026-05", HOUR, timedelta(0), 0),
    ]


def test_what_is_older_than_the_months_is_left_out() -> None:
    months = by_month([], "down", NOW - 1000 * DAY, NOW, count=2)

    assert known(months) == [
        ("2026-06", timedelta(0), 14 * DAY + 12 * HOUR, 1),
        ("2026-05", timedelta(0), 31 * DAY, 1),
    ]
    assert months[0].percent == "0.00 %"


def test_share_is_never_rounded_up_to_all() -> None:
    month = Month(NOW, up=30 * DAY, down=timedelta(seconds=1))

    assert month.percent == "99.99 %"
