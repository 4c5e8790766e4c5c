"""The bar of 90 days that others see, drawn from flips."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from hcl.model import Status
from hcl.store.flips import Turn
from hcl.web.pages.others.days import days

NOW = datetime(2026, 11, 28, 7, 15, tzinfo=UTC)


def turn(day: int, hour: int, old: Status, new: Status) -> Turn:
    return datetime(2026, 11, day, hour, tzinfo=UTC).timestamp(), old, new


WEEK = [
    one
    for day in range(1, 8)
    for one in (turn(day, 1, "up", "down"), turn(day, 2, "down", "up"))
]
OUTAGE = [turn(17, 3, "up", "down"), turn(17, 5, "down", "up")]


@pytest.mark.parametrize(
    ("status", "turns", "words", "share"),
    [
        ("up", [], "never down", "100 %"),
        ("new", [], "nothing is known", ""),
        ("paused", [], "nothing is known", ""),
        ("up", OUTAGE, "Tue 17 Nov: down 2 h", "99.9 %"),
        # A part of a second is no outage, but never rounded away from the share.
        ("up", [(NOW.timestamp() - 0.5, "down", "up")], None, "0.0 %"),
        (
            "down",
            [turn(27, 22, "up", "down")],
            "Fri 27 Nov: down 2 h; today: down 7 h 15 min",
            "99.5 %",
        ),
        (
            "up",
            [turn(25, 0, "up", "down"), turn(26, 1, "down", "up")],
            "Wed 25 Nov: down all day; Thu 26 Nov: down 1 h",
            "98.8 %",
        ),
        (
            "up",
            WEEK,
            "down 7 h on 7 days",
            "99.6 %",
        ),
    ],
)
def test_bar_says_which_days_were_down_and_for_how_long(
    status: Status, turns: list[Turn], words: str | None, share: str
) -> None:
    bar, told = days(status, turns, NOW)

    [label] = re.findall(r'aria-label="90 days: ([^"]*)"', bar)
    assert words is None or label == words
    assert told == share


def test_outage_is_a_cap_on_its_day_and_most_of_a_day_is_higher() -> None:
    long: list[Turn] = [turn(18, 1, "up", "down"), turn(18, 20, "down", "up")]

    bar, _ = days("up", [*OUTAGE, *long], NOW)

    caps = re.findall(r'<rect x="(\d+)" width="5" height="(\d+)">', bar)
    assert caps == [(str(78 * 7), "9"), (str(79 * 7), "20")]


def test_time_before_the_first_ping_is_a_stub() -> None:
    bar, share = days("up", [turn(20, 0, "new", "up")], NOW)

    assert '<path d="M0 17h565"/><path class="u" d="M567 13h61"/>' in bar
    assert share == "100 %"


def test_clock_that_was_set_back_tells_no_time_twice() -> None:
    # Down at 5, and by a clock set back up at 3: what was written last is right.
    turns = [turn(17, 5, "up", "down"), turn(17, 3, "down", "up")]
    ahead: list[Turn] = [((NOW + timedelta(days=1)).timestamp(), "up", "down")]

    assert days("up", turns, NOW).share == "100 %"
    assert days("down", ahead, NOW).share == "100 %"
