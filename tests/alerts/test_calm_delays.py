"""What becomes of messages of outages that may be too short to tell."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hcl.alerts.calm import Plan
from tests.alerts.planned import (
    LATE,
    MINUTE,
    NOON,
    NOON_ENDS,
    SECOND,
    channel,
    ids,
    of_kind,
    planned,
    row,
    sent,
)
from tests.build import DAY, HOUR, MICROSECOND, NOW


def test_outage_is_told_once_it_lasts_as_long_as_the_delay() -> None:
    down = row(1)

    for passed in (timedelta(0), 10 * MINUTE - MICROSECOND):
        assert planned(LATE, down, now=NOW + passed) == Plan(
            held=[(down.notification, NOW + 10 * MINUTE, "delay")]
        )
    assert ids(planned(LATE, down, now=NOW + 10 * MINUTE)) == sent([1])


@pytest.mark.parametrize("kind", ["email", "webhook", "shell"])
def test_short_outage_is_not_told_nor_its_end(kind: str) -> None:
    down = row(1, status="up", hold="delay", next_try=NOW + 10 * MINUTE)
    up = row(2, "up", NOW + 10 * MINUTE - MICROSECOND)

    for now in (up.flip.created, NOW + DAY):
        result = planned(of_kind(LATE, kind), down, up, now=now)

        assert ids(result) == ([1, 2], [], [])
        assert {why for _, why in result.dropped} == {
            "not sent: it was down for less than the delay"
        }


def test_outage_that_was_long_enough_is_told_late_with_its_end() -> None:
    # As after a time in which hcl was off.
    down = row(1, status="up")
    up = row(2, "up", NOW + 10 * MINUTE)

    assert ids(planned(LATE, down, up, now=NOW + DAY)) == sent([1, 2])
    assert ids(planned(of_kind(LATE, "webhook"), down, up, now=NOW + DAY)) == sent([1])


def test_outage_that_was_long_enough_is_told_though_the_clock_was_set_back() -> None:
    # What waits has moved along, and the flip by the clock of before has not.
    down = row(1, status="up", at=NOW + 2 * HOUR)
    down = down._replace(notification=replace(down.notification, created=NOW))
    up = row(2, "up", NOW + 40 * MINUTE)

    assert ids(planned(LATE, down, up, now=NOW + DAY)) == sent([1, 2])
    held = planned(LATE, down._replace(status="down"), now=NOW + MINUTE).held
    assert [until for _, until, _ in held] == [NOW + 10 * MINUTE]


@pytest.mark.parametrize("status", ["paused", "new", "up"])
def test_outage_that_a_pause_ended_is_not_told(status: str) -> None:
    down = row(1, status=status)

    for now in (NOW, NOW + DAY):
        result = planned(LATE, down, now=now)

        assert ids(result) == ([1], [], [])
        assert result.dropped[0][1] == "not sent: it is no longer down"


def test_outage_that_a_pause_ended_is_not_told_with_the_next_one() -> None:
    first = row(1)
    second = row(2, at=NOW + 5 * MINUTE)

    result = planned(LATE, first, second, now=NOW + 6 * MINUTE)

    assert ids(result) == ([1], [2], [])
    assert result.held[0][1] == NOW + 15 * MINUTE


def test_outage_that_a_pause_ended_does_not_take_the_end_of_the_next_one() -> None:
    # Paused after a minute, down again after two, up after eleven: neither lasted.
    first = row(1, status="up")
    second = row(2, at=NOW + 2 * MINUTE, status="up")
    up = row(3, "up", NOW + 11 * MINUTE)

    result = planned(LATE, first, second, up, now=NOW + 12 * MINUTE)

    assert ids(result) == ([1, 2, 3], [], [])


def test_second_outage_counts_from_its_own_begin() -> None:
    first = row(1)
    up = row(2, "up", NOW + MINUTE, status="down")
    second = row(3, at=NOW + 2 * MINUTE)

    result = planned(LATE, first, up, second, now=NOW + 11 * MINUTE)
    assert ids(result) == ([1, 2], [3], [])
    assert result.held[0][1] == NOW + 12 * MINUTE

    result = planned(LATE, first, up, second, now=NOW + 12 * MINUTE)
    assert ids(result) == ([1, 2], [], [[3]])


def test_second_short_outage_after_a_long_one_is_left_out() -> None:
    first = row(1, status="up")
    up = row(2, "up", NOW + 20 * MINUTE)
    second = row(3, at=NOW + 21 * MINUTE, status="up")
    end = row(4, "up", NOW + 22 * MINUTE)

    result = planned(LATE, first, up, second, end, now=NOW + HOUR)

    assert ids(result) == ([3, 4], [], [[1, 2]])


def test_end_of_an_outage_that_was_told_is_told_at_once() -> None:
    assert ids(planned(LATE, row(2, "up"))) == sent([2])


@pytest.mark.parametrize("what", [{"attempts": 1}, {"reminder": 1}, {"notice": "No."}])
def test_delay_is_for_first_tries_of_own_messages(what: dict[str, Any]) -> None:
    assert ids(planned(LATE, row(1, **what))) == sent([1])


def test_message_that_failed_is_told_however_short_the_outage() -> None:
    # The receiver may have heard of it.
    down = row(1, attempts=1, status="up", at=NOW - 10 * MINUTE)
    up = row(2, "up", NOW - MINUTE)

    assert ids(planned(LATE, down, up)) == sent([1, 2])


@pytest.mark.parametrize(
    ("ahead", "is_held"),
    [
        (timedelta(0), True),
        # It was written while this was planned.
        (SECOND, True),
        # The clock has been set back since.
        (HOUR, False),
        (365 * DAY, False),
    ],
)
def test_clock_that_was_ahead_holds_nothing_back(
    ahead: timedelta, is_held: bool
) -> None:
    down = row(1, at=NOW + ahead, next_try=NOW)

    plan = planned(LATE, down)

    assert (bool(plan.held), bool(plan.bundles)) == (is_held, not is_held)


def test_delayed_message_stays_when_that_of_another_channel_comes_over_its_own() -> (
    None
):
    own = row(1, hold="delay", next_try=NOW + 10 * MINUTE)
    foreign = row(2, flip_id=1, notice="The channel A could not deliver this.")

    result = planned(LATE, own, foreign)

    assert ids(result) == ([], [1], [[2]])


def test_delay_counts_before_quiet_hours() -> None:
    config = channel(delay=10 * MINUTE, quiet_hours=NOON)
    down = row(1)
    up = row(2, "up", NOW + MINUTE)

    assert [why for *_, why in planned(config, down).held] == ["delay"]
    later = planned(config, down, now=NOW + 10 * MINUTE)
    assert later.held == [(down.notification, NOON_ENDS, "quiet")]
    short = planned(config, row(1, status="up"), up, now=NOON_ENDS)
    assert ids(short) == ([1, 2], [], [])


def test_quiet_hours_that_were_longer_than_the_outage_tell_both() -> None:
    config = channel(delay=10 * MINUTE, quiet_hours=NOON)
    down = row(1, hold="quiet", next_try=NOON_ENDS, status="up")
    up = row(2, "up", NOW + 20 * MINUTE)

    result = planned(config, down, up, now=NOW + 20 * MINUTE)
    assert ids(result) == ([], [1, 2], [])

    held = [
        r._replace(notification=replace(r.notification, hold="quiet"))
        for r in (down, up)
    ]
    assert ids(planned(config, *held, now=NOON_ENDS)) == sent([1, 2])


def test_delay_counts_before_folding() -> None:
    config = channel(delay=10 * MINUTE, fold=MINUTE)
    down = row(1)

    assert [why for *_, why in planned(config, down).held] == ["delay"]
    later = planned(config, down, now=NOW + 10 * MINUTE)
    assert later.held == [(down.notification, NOW + 11 * MINUTE, "fold")]
