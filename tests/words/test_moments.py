import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hcl.words import moments
from tests.alerts import NOW


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-60, "just now"),
        (0.4, "just now"),
        (59.9, "59 seconds ago"),
        (3601, "1 hour ago"),
        (90061, "1 day 1 hour ago"),
    ],
)
def test_age_is_rough(seconds: float, text: str) -> None:
    assert moments.ago(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("hours", "said", "day"),
    [
        (0, "today 06:05", "Today, Mon 5 Jan"),
        (-7, "yesterday 23:05", "Yesterday, Sun 4 Jan"),
        (18, "tomorrow 00:05", "Tomorrow, Tue 6 Jan"),
        (-31, "3 Jan 23:05", "Sat 3 Jan"),
        (-24 * 6, "30 Dec 2025 06:05", "Tue 30 Dec 2025"),
    ],
)
def test_moments_are_said_as_people_do(hours: int, said: str, day: str) -> None:
    riga, when = ZoneInfo("Europe/Riga"), NOW + timedelta(hours=hours)
    today = NOW.astimezone(riga).date()

    assert moments.said(when, NOW, "Europe/Riga") == said
    assert moments.day_in_full(when.astimezone(riga).date(), today) == day


def test_moment_of_no_zone_is_said_in_utc() -> None:
    assert moments.said(NOW, NOW, "America") == "today 04:05"


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (0.25, "from 04:05 to 04:20 UTC"),
        (0, "from 04:05 to 04:05 UTC"),
        (24, "from 2026-01-05 04:05 to 2026-01-06 04:05 UTC"),
        (-5, "from 2026-01-05 04:05 to 2026-01-04 23:05 UTC"),
    ],
)
def test_span_names_days_if_they_differ(hours: float, text: str) -> None:
    assert moments.span(NOW, NOW + timedelta(hours=hours)) == text


def test_span_over_a_change_of_the_clock_says_by_which_it_is() -> None:
    # At four it is three again.
    began = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)

    text = moments.span(began, began + timedelta(minutes=20), "Europe/Riga")

    assert text == "from 03:50 EEST to 03:10 EET Europe/Riga"


@pytest.mark.parametrize(
    ("hour", "tz", "text"),
    [
        (3, "UTC", "2026-01-05 03:00:00 UTC"),
        (3, "Europe/London", "2026-01-05 03:00:00 UTC"),
        (3, "Europe/Riga", "2026-01-05 03:00:00 UTC (05:00:00 Europe/Riga)"),
        (
            23,
            "Europe/Riga",
            "2026-01-05 23:00:00 UTC (2026-01-06 01:00:00 Europe/Riga)",
        ),
        (3, "America", "2026-01-05 03:00:00 UTC"),
        (3, "No/Where", "2026-01-05 03:00:00 UTC"),
        (3, "../etc", "2026-01-05 03:00:00 UTC"),
        (3, "", "2026-01-05 03:00:00 UTC"),
    ],
)
def test_moment_is_told_in_utc_and_local_time(hour: int, tz: str, text: str) -> None:
    assert moments.moment(datetime(2026, 1, 5, hour, tzinfo=UTC), tz) == text


@pytest.mark.parametrize(
    ("home", "tz", "text"),
    [
        ("Europe/Riga", "", "2026-01-05 05:00:00 Europe/Riga"),
        ("Europe/Riga", "Europe/Helsinki", "2026-01-05 05:00:00 Europe/Riga"),
        ("Europe/Riga", "UTC", "2026-01-05 05:00:00 Europe/Riga (03:00:00 UTC)"),
        (
            "Europe/Riga",
            "America/New_York",
            "2026-01-05 05:00:00 Europe/Riga (2026-01-04 22:00:00 America/New_York)",
        ),
        ("No/Where", "Europe/Riga", "2026-01-05 03:00:00 UTC (05:00:00 Europe/Riga)"),
    ],
)
def test_moment_is_told_at_home_and_by_the_clock_of_a_check(
    home: str, tz: str, text: str
) -> None:
    assert moments.moment(datetime(2026, 1, 5, 3, tzinfo=UTC), tz, home) == text


def test_moment_is_told_with_the_zone_of_the_day() -> None:
    winter, summer = (
        datetime(2026, 1, 5, 3, tzinfo=UTC),
        datetime(2026, 7, 5, 3, tzinfo=UTC),
    )

    assert moments.there(winter, "Europe/Riga") == "2026-01-05 05:00:00 EET"
    assert moments.there(summer, "Europe/Riga") == "2026-07-05 06:00:00 EEST"
    assert moments.there(summer, "") == "2026-07-05 03:00:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3 * 3600, "in 3 h"),
        (-5, "in 5 s"),
        (-4.9, "now"),
        (0, "now"),
        (4.9, "now"),
        (5, "5 s ago"),
        (720, "12 min ago"),
        (5400, "1 h 30 min ago"),
    ],
)
def test_moment_is_told_by_how_far_off_it_is(seconds: float, text: str) -> None:
    assert moments.relative(NOW - timedelta(seconds=seconds), NOW) == text


def test_moment_is_told_by_the_clock_of_its_own_zone() -> None:
    local = datetime(2026, 1, 5, 5, tzinfo=ZoneInfo("Europe/Riga"))

    assert moments.on_the_wall(local) == "Mon 2026-01-05 05:00:00"
    assert moments.iso(local) == "2026-01-05T03:00:00Z"
    assert moments.iso(local + timedelta(microseconds=999_999)) == moments.iso(local)


def test_moment_is_told_by_the_clock_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        told = moments.here(datetime(2026, 1, 5, 3, tzinfo=UTC))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert told == "2026-01-05 12:00:00"


@pytest.mark.parametrize("name", ["America", "No/Where", "../etc", "", "a\0b"])
def test_name_that_is_no_zone_has_none(name: str) -> None:
    assert moments.zone(name) is None


def test_zone_is_found_by_its_name() -> None:
    assert moments.zone("Europe/Riga") == ZoneInfo("Europe/Riga")
