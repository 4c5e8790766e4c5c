"""Deadlines of schedules, also where clocks change."""

from datetime import datetime, timedelta

import pytest

from hcl.checks import schedule
from hcl.model import Check
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_check, utc


@pytest.mark.parametrize("status", ["new", "up", "down", "paused"])
def test_no_ping_no_expected_ping(status: str) -> None:
    check = make_check(status=status, last_ping=None)

    assert schedule.expected_ping(check) is None


SIMPLE = make_check(status="up", timeout=DAY, grace=HOUR)
NOON = make_check(
    status="up", kind="cron", schedule="0 12 * * *", tz="Europe/Riga", grace=HOUR
)
NOON_ONCALENDAR = make_check(
    status="up", kind="oncalendar", schedule="12:00", tz="Europe/Riga", grace=HOUR
)


@pytest.mark.parametrize(
    ("check", "last_ping", "expected"),
    [
        pytest.param(
            SIMPLE, "2026-03-28 12:00", "2026-03-29 12:00", id="simple, forward"
        ),
        pytest.param(SIMPLE, "2026-10-24 12:00", "2026-10-25 12:00", id="simple, back"),
        pytest.param(
            SIMPLE,
            "2026-06-15 12:00:00.000001",
            "2026-06-16 12:00:00.000001",
            id="simple, microseconds kept",
        ),
        pytest.param(NOON, "2026-03-28 10:05", "2026-03-29 09:00", id="cron, forward"),
        pytest.param(NOON, "2026-10-24 09:05", "2026-10-25 10:00", id="cron, back"),
        pytest.param(NOON, "2026-03-29 09:00", "2026-03-30 09:00", id="cron, after"),
        pytest.param(
            NOON_ONCALENDAR,
            "2026-03-28 10:05",
            "2026-03-29 09:00",
            id="oncalendar, forward",
        ),
        pytest.param(
            NOON_ONCALENDAR,
            "2026-10-24 09:05",
            "2026-10-25 10:00",
            id="oncalendar, back",
        ),
    ],
)
def test_deadline_is_grace_after_the_expected_ping(
    check: Check, last_ping: str, expected: str
) -> None:
    check = check._replace(last_ping=utc(last_ping))

    assert schedule.expected_ping(check) == utc(expected)
    assert schedule.deadline(check) == utc(expected) + HOUR


@pytest.mark.parametrize("grace", [HOUR, 2 * HOUR, DAY], ids=str)
@pytest.mark.parametrize(
    ("last_ping", "expected"),
    [
        # Both graces run over the change of the clock, and take no notice of it.
        ("2026-03-28 12:00", "2026-03-29 00:30"),
        ("2026-10-24 12:00", "2026-10-24 23:30"),
    ],
    ids=["forward", "back"],
)
def test_grace_is_counted_in_real_time_over_a_change_of_the_clock(
    last_ping: str, expected: str, grace: timedelta
) -> None:
    check = make_check(
        status="up",
        kind="cron",
        schedule="30 2 * * *",
        tz="Europe/Riga",
        grace=grace,
        last_ping=utc(last_ping),
    )

    assert schedule.deadline(check) == utc(expected) + grace


LAST_PING = NOW - HOUR


@pytest.mark.parametrize(
    ("status", "start", "expected"),
    [
        ("new", None, None),
        ("new", NOW, NOW + HOUR),
        ("up", None, LAST_PING + DAY + HOUR),
        ("up", NOW, NOW + HOUR),
        ("up", LAST_PING + DAY - MICROSECOND, LAST_PING + DAY + HOUR - MICROSECOND),
        ("up", LAST_PING + DAY, LAST_PING + DAY + HOUR),
        ("up", LAST_PING + DAY + MICROSECOND, LAST_PING + DAY + HOUR),
        ("up", LAST_PING - DAY, LAST_PING - DAY + HOUR),
        ("down", None, None),
        ("down", NOW, None),
        ("paused", None, None),
        ("paused", NOW, NOW + HOUR),
    ],
    ids=str,
)
def test_deadline_by_status_and_open_run(
    status: str, start: datetime | None, expected: datetime | None
) -> None:
    last_ping = None if status == "new" else LAST_PING
    check = make_check(status=status, last_ping=last_ping, last_start=start)

    assert schedule.deadline(check) == expected
