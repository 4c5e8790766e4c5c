"""What becomes of messages that wait: quiet hours, and whose word counts."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hcl.alerts.calm import Plan, calm_of, plan, quiet_until
from hcl.config import (
    Calm,
    QuietHours,
    TagConfig,
)
from tests.alerts.planned import (
    MINUTE,
    NIGHT,
    NOON,
    NOON_ENDS,
    channel,
    ids,
    planned,
    row,
    sent,
)
from tests.build import DAY, HOUR, NOW

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
