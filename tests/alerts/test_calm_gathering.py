"""What becomes of reminders, and of messages that are folded."""

import pytest

from hcl.alerts.calm import LONGEST_SUMMARY, Plan, by_check
from tests.alerts.planned import (
    FOLD,
    MAIL,
    MINUTE,
    NOON,
    NOON_ENDS,
    SECOND,
    channel,
    ids,
    planned,
    reminder,
    row,
    sent,
)
from tests.build import HOUR, MICROSECOND, NOW


def test_reminder_goes_out_while_the_check_is_down() -> None:
    assert ids(planned(MAIL, reminder())) == sent([2])


@pytest.mark.parametrize("status", ["up", "paused", "new"])
@pytest.mark.parametrize("notice", ["", "The channel A could not deliver this."])
@pytest.mark.parametrize("attempts", [0, 2])
@pytest.mark.parametrize("hold", ["remind", "quiet", "fold", ""])
def test_reminder_is_dropped_once_the_check_is_not_down(
    status: str, notice: str, attempts: int, hold: str
) -> None:
    waiting = reminder(status=status, notice=notice, attempts=attempts, hold=hold)

    result = planned(MAIL, waiting)

    assert result == Plan(
        dropped=[(waiting.notification, "not sent: it is no longer down")]
    )


def test_reminder_is_dropped_when_a_newer_flip_waits() -> None:
    newer = row(3, at=NOW)

    assert ids(planned(MAIL, reminder(), newer)) == ([2], [], [[3]])


def test_reminder_that_waits_for_its_time_stays_where_it_is() -> None:
    other = row(3, check_id=2)
    waiting = reminder(next_try=NOW + MICROSECOND)

    assert ids(planned(MAIL, waiting, other)) == sent([3])
    # But not beside what makes it needless.
    up = row(4, "up", status="up")
    assert ids(planned(MAIL, waiting._replace(status="up"), up)) == ([2], [], [[4]])


@pytest.mark.parametrize(
    ("channels", "ways", "notice", "is_sent"),
    [
        ({1}, {1}, "", True),
        ({2}, {1}, "", False),
        (set(), {1}, "", False),
        ({2, 3}, {1, 3}, "", True),  # 3 is a group
        (set(), {1}, "The channel A could not deliver this.", True),
    ],
)
def test_reminder_needs_a_check_that_uses_the_channel(
    channels: set[int], ways: set[int], notice: str, is_sent: bool
) -> None:
    waiting = reminder(channels=frozenset(channels), notice=notice)

    result = planned(MAIL, waiting, ways=frozenset(ways))

    assert ids(result) == (sent([2]) if is_sent else ([2], [], []))


def test_first_message_goes_out_although_the_check_left_the_channel() -> None:
    assert ids(planned(MAIL, row(1, channels=frozenset()))) == sent([1])


def test_reminder_that_failed_goes_with_what_is_due_of_its_check() -> None:
    failed = reminder(attempts=1, next_try=NOW + HOUR)
    foreign = row(3, flip_id=1, notice="The channel A could not deliver this.")

    assert ids(planned(MAIL, failed, foreign)) == sent([2, 3])


def test_reminders_are_held_in_quiet_hours_and_folded() -> None:
    quiet = planned(channel(quiet_hours=NOON), reminder())
    folded = planned(channel(fold=MINUTE), reminder())

    assert [(until, why) for _, until, why in quiet.held] == [(NOON_ENDS, "quiet")]
    assert [(until, why) for _, until, why in folded.held] == [(NOW + MINUTE, "fold")]


def test_first_flip_opens_a_window() -> None:
    waiting = [row(n, check_id=n) for n in (1, 2, 3)]

    result = planned(FOLD, *waiting)

    assert result == Plan(
        held=[(r.notification, NOW + MINUTE, "fold") for r in waiting]
    )


def test_later_flips_join_the_window_that_is_open() -> None:
    result = planned(FOLD, row(2, check_id=2), window_ends=NOW + SECOND)

    assert [(n.id, until) for n, until, _ in result.held] == [(2, NOW + SECOND)]


def test_second_flip_of_a_check_joins_the_first() -> None:
    first = row(1, hold="fold", next_try=NOW + SECOND)
    second = row(2, "up")

    result = planned(FOLD, first, second, window_ends=NOW + SECOND)

    assert ids(result) == ([], [2], [])
    assert result.held[0][1] == NOW + SECOND


def test_window_goes_out_as_one_message_at_its_end() -> None:
    gathered = [row(n, check_id=n % 2, hold="fold", next_try=NOW) for n in range(4)]
    # What is just due opens the next one; but not of the same check.
    newcomer, of_one = row(5, check_id=7), row(6, "up", check_id=1)

    result = planned(FOLD, *gathered, newcomer, of_one)

    assert ids(result) == ([], [5], [[0, 2, 1, 3, 6]])
    assert result.held[0][1] == NOW + MINUTE


def test_message_that_failed_is_not_put_off_again() -> None:
    failed = row(1, hold="fold", attempts=1, next_try=NOW + HOUR)
    newer = row(2, "up")

    assert ids(planned(FOLD, failed, newer)) == sent([1, 2])


def test_quiet_hours_count_before_folding() -> None:
    config = channel(fold=MINUTE, quiet_hours=NOON)

    held = planned(config, row(1)).held
    gathered = [row(n, check_id=n, hold="quiet", next_try=NOON_ENDS) for n in (1, 2)]

    assert [(until, why) for _, until, why in held] == [(NOON_ENDS, "quiet")]
    assert ids(planned(config, *gathered, now=NOON_ENDS)) == sent([1, 2])


def test_window_that_ends_in_quiet_hours_is_held_until_they_are_over() -> None:
    gathered = [row(n, check_id=n, hold="fold", next_try=NOW) for n in (1, 2)]

    result = planned(channel(fold=MINUTE, quiet_hours=NOON), *gathered)

    assert [(n.id, until, why) for n, until, why in result.held] == [
        (1, NOON_ENDS, "quiet"),
        (2, NOON_ENDS, "quiet"),
    ]


@pytest.mark.parametrize("hold", ["fold", "quiet"])
@pytest.mark.parametrize("number", [1, LONGEST_SUMMARY, LONGEST_SUMMARY + 1, 250])
def test_summaries_tell_of_so_many_checks_at_most(hold: str, number: int) -> None:
    gathered = [row(n, check_id=n // 2, hold=hold) for n in range(2 * number)]

    bundles = planned(FOLD, *gathered).bundles

    sizes = [len(by_check(bundle)) for bundle in bundles]
    assert sizes == [
        min(LONGEST_SUMMARY, number - n) for n in range(0, number, LONGEST_SUMMARY)
    ]
    assert [r.notification.id for b in bundles for r in b] == list(range(2 * number))
