"""What becomes of messages that wait: the rules, without a database."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import zip_longest
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hcl.alerts.calm import LONGEST_SUMMARY, Plan, by_check, calm_of, plan, quiet_until
from hcl.config import (
    AppriseSettings,
    Calm,
    ChannelConfig,
    EmailSettings,
    GroupSettings,
    QuietHours,
    Settings,
    ShellSettings,
    TagConfig,
    WebhookSettings,
)
from hcl.model import Flip, Notification
from hcl.store.waiting import Waiting
from tests.alerts.outbox import Outbox
from tests.build import DAY, HOUR, MICROSECOND, NOW

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
MAIL = ChannelConfig(
    id="b6f0a1c2-0000-4000-8000-000000000001",
    name="Mail",
    kind="email",
    events=frozenset(("down", "up")),
    settings=EmailSettings(("ops@example.org",)),
)
SETTINGS: dict[str, Settings] = {
    "apprise": AppriseSettings("json://host"),
    "email": MAIL.settings,
    "group": GroupSettings(("1",)),
    "ntfy": AppriseSettings("ntfy://host/topic"),
    "shell": ShellSettings("", ""),
    "webhook": WebhookSettings(None, None),
}
NIGHT = QuietHours(time(22), time(7), "UTC")

# NOW is noon; these hours are around it.
NOON = QuietHours(time(11), time(13), "UTC")
NOON_ENDS = NOW + HOUR


def channel(kind: str = "email", fold: timedelta = timedelta(0), **calm: Any) -> Any:
    return of_kind(replace(MAIL, fold=fold, calm=Calm(**calm)), kind)


def of_kind(config: ChannelConfig, kind: str) -> ChannelConfig:
    return replace(config, kind=kind, settings=SETTINGS[kind])


def row(id_: int, new_status: Any = "down", at: datetime = NOW, **more: Any) -> Waiting:
    """Make a message of a flip of its own that is due when it was written.

    `status`, `tags`, `channels` and `next_try` are those of Waiting; the rest is of the
    notification. A check that is not said to be anything else is as after this flip.
    """
    values: dict[str, Any] = {"check_id": 1, "flip_id": id_, "attempts": 0} | more
    next_try = values.pop("next_try", at)
    status = values.pop("status", new_status)
    tags = values.pop("tags", ())
    channels = values.pop("channels", frozenset({1}))
    notification = Notification(id=id_, channel_id=1, created=at, **values)
    old_status: Any = {"up": "down", "down": "up"}[new_status]
    flip = Flip(at, old_status, new_status, "fail" if new_status == "down" else "")
    return Waiting(notification, next_try, flip, 1, status, tags, channels)


def planned(
    config: ChannelConfig, *waiting: Waiting, now: datetime = NOW, **more: Any
) -> Plan:
    return plan(config, (), waiting, now, **({"ways": frozenset({1})} | more))


def ids(result: Plan) -> tuple[list[int], list[int], list[list[int]]]:
    """Return the ids of what is dropped, held, and sent together."""
    return (
        [notification.id for notification, _ in result.dropped],
        [notification.id for notification, _, _ in result.held],
        [[r.notification.id for r in bundle] for bundle in result.bundles],
    )


def sent(*bundles: list[int]) -> tuple[list[int], list[int], list[list[int]]]:
    return [], [], list(bundles)


# What counts for a check


LOUD, CALM = Calm(urgent=True), Calm(delay=HOUR, remind_every=DAY)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", Calm(delay=MINUTE, quiet_hours=NIGHT)),
        ("other", Calm(delay=MINUTE, quiet_hours=NIGHT)),
        ("loud", Calm(delay=MINUTE, quiet_hours=NIGHT, urgent=True)),
        ("calm", Calm(delay=HOUR, remind_every=DAY, quiet_hours=NIGHT)),
        ("off", Calm(delay=timedelta(0), quiet_hours=NIGHT, urgent=False)),
        # The first in the file wins, whatever the order at the check.
        (
            "off calm",
            Calm(delay=HOUR, remind_every=DAY, quiet_hours=NIGHT, urgent=False),
        ),
        ("off loud", Calm(delay=timedelta(0), quiet_hours=NIGHT, urgent=True)),
    ],
)
def test_first_tag_that_says_something_wins_over_the_channel(
    tags: str, expected: Calm
) -> None:
    of_file = (
        TagConfig("loud", LOUD),
        TagConfig("calm", CALM),
        TagConfig("off", Calm(delay=timedelta(0), urgent=False)),
    )

    found = calm_of(channel(delay=MINUTE, quiet_hours=NIGHT), of_file, tags.split())

    assert found == expected


# Quiet hours


@pytest.mark.parametrize(
    ("start", "end", "now", "expected"),
    [
        ("22:00", "07:00", "21:59", None),
        ("22:00", "07:00", "22:00", "+1 07:00"),
        ("22:00", "07:00", "23:59", "+1 07:00"),
        ("22:00", "07:00", "00:00", "+0 07:00"),
        ("22:00", "07:00", "06:59", "+0 07:00"),
        ("22:00", "07:00", "07:00", None),
        ("12:00", "14:30", "11:59", None),
        ("12:00", "14:30", "12:00", "+0 14:30"),
        ("12:00", "14:30", "14:29", "+0 14:30"),
        ("12:00", "14:30", "14:30", None),
        ("00:00", "07:00", "23:59", None),
        ("00:00", "07:00", "00:00", "+0 07:00"),
        ("22:00", "00:00", "23:59", "+1 00:00"),
        ("22:00", "00:00", "00:00", None),
        # All day but for a minute.
        ("12:01", "12:00", "12:00", None),
        ("12:01", "12:00", "12:01", "+1 12:00"),
    ],
)
@pytest.mark.parametrize("tz", ["UTC", "Asia/Kathmandu", "America/New_York"])
def test_quiet_hours_last_until_their_end(
    tz: str, start: str, end: str, now: str, expected: str | None
) -> None:
    zone = ZoneInfo(tz)
    day = datetime(2026, 6, 15, tzinfo=zone).date()
    hours = QuietHours(time.fromisoformat(start), time.fromisoformat(end), tz)
    moment = datetime.combine(day, time.fromisoformat(now), zone)

    found = quiet_until(hours, moment.astimezone(UTC))

    if expected is None:
        assert found is None
    else:
        days, at = expected.split()
        local = datetime.combine(day + int(days) * DAY, time.fromisoformat(at), zone)
        assert found == local.astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "end", "now", "expected"),
    [
        # Riga goes from 03:00 to 04:00 (01:00 UTC) on 29 March 2026.
        ("22:00", "07:00", "2026-03-28T21:00", "2026-03-29T04:00"),
        ("22:00", "07:00", "2026-03-29T00:59", "2026-03-29T04:00"),
        ("22:00", "07:00", "2026-03-29T01:00", "2026-03-29T04:00"),
        ("01:00", "05:00", "2026-03-29T00:30", "2026-03-29T02:00"),
        # And from 04:00 back to 03:00 (01:00 UTC) on 25 October.
        ("22:00", "07:00", "2026-10-24T20:00", "2026-10-25T05:00"),
        ("22:00", "07:00", "2026-10-25T00:59", "2026-10-25T05:00"),
        ("22:00", "07:00", "2026-10-25T01:00", "2026-10-25T05:00"),
        # 03:30 comes twice: first at 00:30 UTC, then at 01:30.
        ("22:00", "03:30", "2026-10-25T00:29", "2026-10-25T00:30"),
        ("22:00", "03:30", "2026-10-25T00:30", None),
        ("22:00", "03:30", "2026-10-25T01:00", "2026-10-25T01:30"),
        ("22:00", "03:30", "2026-10-25T01:29", "2026-10-25T01:30"),
        ("22:00", "03:30", "2026-10-25T01:30", None),
        ("03:30", "07:00", "2026-10-25T00:30", "2026-10-25T05:00"),
        ("03:30", "07:00", "2026-10-25T01:30", "2026-10-25T05:00"),
    ],
)
def test_quiet_hours_follow_the_clock_through_its_changes(
    start: str, end: str, now: str, expected: str | None
) -> None:
    hours = QuietHours(
        time.fromisoformat(start), time.fromisoformat(end), "Europe/Riga"
    )

    found = quiet_until(hours, datetime.fromisoformat(f"{now}Z"))

    assert found == (expected and datetime.fromisoformat(f"{expected}Z"))


@pytest.mark.parametrize("now", ["2026-03-28T21:00", "2026-03-29T00:30"])
def test_quiet_hours_whose_end_is_left_out_end_when_the_clock_jumps(now: str) -> None:
    # There is no 03:30 in Riga on 29 March 2026: 03:00 is 04:00, at 01:00 UTC.
    hours = QuietHours(time(22), time(3, 30), "Europe/Riga")
    jump = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)

    found = quiet_until(hours, datetime.fromisoformat(f"{now}Z"))

    assert quiet_until(hours, jump) is None
    assert found == jump


TIMES = st.times(max_value=time(23, 59)).map(
    lambda t: t.replace(second=0, microsecond=0)
)


@given(
    start=TIMES,
    end=TIMES,
    now=st.datetimes(
        datetime(2026, 1, 1),  # noqa: DTZ001 - hypothesis wants bounds without a zone
        datetime(2027, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    tz=st.sampled_from(
        ["UTC", "Europe/Riga", "America/New_York", "Australia/Lord_Howe"]
    ),
)
def test_quiet_hours_end_within_a_day_at_a_moment_that_is_not_quiet(
    start: time, end: time, now: datetime, tz: str
) -> None:
    if start == end:
        return
    hours = QuietHours(start, end, tz)

    until = quiet_until(hours, now)

    if until is not None:
        assert now < until <= now + DAY + HOUR
        assert quiet_until(hours, until) is None or until.astimezone(
            ZoneInfo(tz)
        ).time() in (start, end)


@pytest.mark.parametrize(
    ("calm", "is_held"),
    [
        ({"quiet_hours": NOON}, True),
        ({"quiet_hours": NOON, "urgent": False}, True),
        ({"quiet_hours": NOON, "urgent": True}, False),
        ({"quiet_hours": NIGHT}, False),
        ({"urgent": True}, False),
    ],
)
@pytest.mark.parametrize("kind", ["email", "webhook"])
@pytest.mark.parametrize("new_status", ["down", "up"])
@pytest.mark.parametrize("attempts", [0, 3])
def test_messages_are_held_in_quiet_hours_unless_urgent(
    kind: str, new_status: str, attempts: int, calm: dict[str, Any], is_held: bool
) -> None:
    waiting = row(1, new_status, attempts=attempts)

    result = planned(channel(kind, **calm), waiting)

    if is_held:
        assert result == Plan(held=[(waiting.notification, NOON_ENDS, "quiet")])
    else:
        assert result == Plan(bundles=[(waiting,)])


def test_tag_decides_for_its_checks_only() -> None:
    config = channel(quiet_hours=NOON)
    tags = (TagConfig("prod", Calm(urgent=True)),)
    usual, urgent = row(1, tags=("x",)), row(2, check_id=2, tags=("x", "prod"))

    result = plan(config, tags, [usual, urgent], NOW, ways=frozenset({1}))

    assert ids(result) == ([], [1], [[2]])


def test_what_was_held_at_night_goes_out_as_one_summary() -> None:
    held = [
        row(n, check_id=n % 3, hold="quiet", next_try=NOW, at=NOW - HOUR)
        for n in range(9)
    ]

    result = planned(channel(quiet_hours=NIGHT), *held)

    assert ids(result) == sent([0, 3, 6, 1, 4, 7, 2, 5, 8])


def test_summary_takes_along_what_is_due_of_its_checks_and_no_others() -> None:
    held = row(1, hold="quiet", at=NOW - HOUR)
    newer = row(2, "up")
    other = row(3, check_id=2)

    result = planned(channel(quiet_hours=NIGHT), held, newer, other)

    assert ids(result) == sent([1, 2], [3])


def test_message_held_for_the_night_is_held_again_if_looked_at_too_early() -> None:
    held = row(1, hold="quiet", next_try=NOON_ENDS)
    newer = row(2, "up")

    result = planned(channel(quiet_hours=NOON), held, newer)

    assert [(n.id, until, why) for n, until, why in result.held] == [
        (1, NOON_ENDS, "quiet"),
        (2, NOON_ENDS, "quiet"),
    ]
    assert (result.dropped, result.bundles) == ([], [])


# The delay


LATE = channel(delay=10 * MINUTE)


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


# Reminders


def reminder(id_: int = 2, number: int = 1, **more: Any) -> Waiting:
    values: dict[str, Any] = {"flip_id": 1, "hold": "remind", "reminder": number} | more
    return row(id_, **values)


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


# Folding


FOLD = channel(fold=MINUTE)


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


# People and machines


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("email", [[1, 3, 4], [2]]),
        ("ntfy", [[1, 3, 4], [2]]),
        ("apprise", [[1, 3, 4], [2]]),
        ("group", [[1, 3, 4], [2]]),
        ("webhook", [[1], [2]]),
        ("shell", [[1], [2]]),
    ],
)
@pytest.mark.parametrize("attempts", [0, 1])
def test_people_hear_all_of_a_check_at_once_and_machines_flip_by_flip(
    kind: str, expected: list[list[int]], attempts: int
) -> None:
    waiting = [
        row(1, attempts=attempts),
        row(2, check_id=2),
        row(3, "up"),
        row(4),
    ]

    assert ids(planned(channel(kind), *waiting)) == sent(*expected)


# All together


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("ping"), st.integers(1, 2)),
        st.tuples(st.just("pause"), st.integers(1, 2)),
        st.tuples(st.just("wait"), st.sampled_from([1, 2, 4, 7, 20, 300])),
        st.tuples(st.just("send"), st.booleans()),
    ),
    min_size=4,
    max_size=40,
)
LENGTHS = st.sampled_from([timedelta(0), 5 * MINUTE, 30 * MINUTE])
WITHOUT_DELAY = st.builds(
    channel,
    kind=st.sampled_from(["email", "webhook"]),
    fold=st.sampled_from([timedelta(0), MINUTE]),
    remind_every=LENGTHS,
    quiet_hours=st.sampled_from([None, NIGHT, NOON]),
)


def run(config: ChannelConfig, events: Iterable[tuple[str, Any]]) -> Outbox:
    """Let all happen to a channel of three checks, and deliver what is left."""
    outbox = Outbox(config, NOW)
    for what, value in events:
        match what:
            case "ping":
                outbox.flip(value)
            case "pause":
                outbox.pause(value)
            case "wait":
                outbox.now += value * MINUTE
            case "send":
                outbox.send(works=value)
    # All pauses, delays and quiet hours end in this time.
    for _ in range(6):
        outbox.now += 5 * HOUR
        outbox.send(works=True)
    return outbox


@settings(max_examples=200, deadline=None)
@example(config=FOLD, events=[("ping", 1), ("send", False), ("ping", 1)])
@given(config=WITHOUT_DELAY, events=EVENTS)
def test_each_flip_is_told_once_in_order(
    config: ChannelConfig, events: list[tuple[str, Any]]
) -> None:
    outbox = run(config, events)

    assert outbox.told == outbox.flips
    assert [r for r in outbox.rows.values() if not r.notification.reminder] == []


@settings(max_examples=300, deadline=None)
@example(
    config=channel(delay=5 * MINUTE),
    events=[("ping", 1), ("pause", 1), ("ping", 1), ("wait", 7), ("ping", 1)],
)
@given(
    config=st.builds(
        channel,
        kind=st.sampled_from(["email", "webhook"]),
        fold=st.sampled_from([timedelta(0), MINUTE]),
        delay=st.sampled_from([5 * MINUTE, 30 * MINUTE]),
        remind_every=LENGTHS,
        quiet_hours=st.sampled_from([None, NIGHT, NOON]),
    ),
    events=EVENTS,
)
def test_outages_are_told_whole_and_only_if_they_lasted(
    config: ChannelConfig, events: list[tuple[str, Any]]
) -> None:
    outbox = run(config, events)

    delay = config.calm.delay or timedelta(0)
    for check_id, of_check in outbox.flips.items():
        told, pauses = outbox.told[check_id], outbox.pauses[check_id]
        assert told == [flip for flip in of_check if flip in told]
        ends = [flip.created for flip in of_check] + pauses
        for begin, after in zip_longest(of_check, of_check[1:]):
            if begin.new_status == "up":
                continue
            end = min((end for end in ends if end > begin.created), default=None)
            if end is not None and end < begin.created + delay:
                assert begin not in told
            elif end not in pauses:
                assert begin in told
            if after is not None and after.new_status == "up":
                assert (begin in told) == (after in told)
    assert [r for r in outbox.rows.values() if not r.notification.reminder] == []


@settings(max_examples=200, deadline=None)
@example(
    config=channel(remind_every=5 * MINUTE),
    events=[("ping", 1), ("send", True), ("ping", 1), ("send", True)],
)
@given(config=WITHOUT_DELAY, events=EVENTS)
def test_reminders_come_only_while_a_check_is_down(
    config: ChannelConfig, events: list[tuple[str, Any]]
) -> None:
    outbox = run(config, events)

    assert outbox.false_reminders == 0
    for check_id, numbers in outbox.reminders.items():
        assert numbers == list(range(1, len(numbers) + 1)), check_id
    every = config.calm.remind_every
    down = [c for c, status in outbox.status.items() if status == "down"]
    waiting = {r.notification.check_id for r in outbox.rows.values()}
    assert waiting == (set(down) if every else set())


def test_nothing_waits_where_nothing_is_planned() -> None:
    assert planned(MAIL) == Plan()


# Mutes

MUTED = NOW + HOUR


def of_muted(id_: int, new_status: Any = "down", **more: Any) -> Waiting:
    """Make a message of a check that is muted until MUTED, which holds it."""
    values: dict[str, Any] = {"hold": "mute", "next_try": MUTED} | more
    return row(id_, new_status, **values)._replace(muted_until=MUTED)


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize(
    "what", [{}, {"attempts": 2}, {"reminder": 1}, {"notice": "No."}, {"hold": "fold"}]
)
def test_nothing_of_a_muted_check_goes_out(kind: str, what: dict[str, Any]) -> None:
    config = channel(kind, urgent=True, fold=MINUTE if kind == "email" else MINUTE * 0)
    waiting = [of_muted(1, **what), of_muted(2, "up", **what)]

    result = planned(config, *waiting, now=MUTED - SECOND)

    # Of an outage that nobody heard of, and that is over, nothing is kept.
    over = waiting if what.keys() <= {"notice"} else []
    kept = [] if over else waiting
    assert [n for n, _ in result.dropped] == [r.notification for r in over]
    assert result.held == [(r.notification, MUTED, "mute") for r in kept]
    assert result.bundles == []


@pytest.mark.parametrize(
    ("waiting", "dropped", "told"),
    [
        ([of_muted(1)], [], [1]),
        ([of_muted(1, status="up")], [1], []),
        ([of_muted(1, status="paused")], [1], []),
        ([of_muted(1), of_muted(2, "up")], [1, 2], []),
        ([of_muted(2, "up")], [], [2]),
        ([of_muted(1, "up"), of_muted(2), of_muted(3, "up")], [2, 3], [1]),
        ([of_muted(1), of_muted(2, "up"), of_muted(3)], [1, 2], [3]),
        ([of_muted(1, attempts=1), of_muted(2, "up")], [], [1, 2]),
        ([of_muted(1)._replace(handed_on=True), of_muted(2, "up")], [], [1, 2]),
        ([of_muted(1), of_muted(2, "up", attempts=1)], [1], [2]),
        # The mute was over, but its message had not gone out.
        ([of_muted(1), of_muted(2, "up", at=MUTED + SECOND)], [], [1, 2]),
        ([of_muted(1), of_muted(2, "up", at=MUTED)], [1, 2], []),
        # So where the channel tells of no up.
        ([of_muted(1, status="up")._replace(ended=MUTED + SECOND)], [], [1]),
        ([of_muted(1, status="up")._replace(ended=MUTED)], [1], []),
        # Told before that it is down: only if it still is.
        ([of_muted(2, flip_id=1, reminder=1)], [], [2]),
        ([of_muted(2, flip_id=1, reminder=1, status="up")], [2], []),
        ([of_muted(2, flip_id=1, reminder=1), of_muted(3, "up")], [2], [3]),
    ],
)
def test_end_of_a_mute_tells_what_still_counts(
    waiting: list[Waiting], dropped: list[int], told: list[int]
) -> None:
    left_out, held, bundles = ids(planned(MAIL, *waiting, now=MUTED + MINUTE))

    assert (sorted(left_out), held) == (dropped, [])
    assert bundles == ([told] if told else [])


def test_other_checks_are_told_while_one_is_muted() -> None:
    result = planned(MAIL, of_muted(1), row(2, check_id=2))

    assert ids(result) == ([], [1], [[2]])
