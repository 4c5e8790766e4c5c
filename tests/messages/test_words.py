from datetime import UTC, datetime, timedelta

import pytest

from hcl.messages import words
from tests.alerts import NOW


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (-5, "0 seconds"),
        (1, "1 second"),
        (60, "1 minute"),
        (5400, "1 hour 30 minutes"),
        (86400, "1 day"),
        (90061, "1 day 1 hour 1 minute 1 second"),
        (31536000, "365 days"),
        (86405, "1 day 5 seconds"),
    ],
)
def test_duration_in_words(seconds: int, text: str) -> None:
    assert words.duration(timedelta(seconds=seconds)) == text


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
    assert words.ago(NOW - timedelta(seconds=seconds), NOW) == text


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
    assert words.moment(datetime(2026, 1, 5, hour, tzinfo=UTC), tz) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (60, "every minute"),
        (86400, "every day"),
        (120, "every 2 minutes"),
        (5400, "every 1 hour 30 minutes"),
    ],
)
def test_period_in_words(seconds: int, text: str) -> None:
    assert words.every(timedelta(seconds=seconds)) == text


def test_length_is_rough() -> None:
    assert words.rough(timedelta(milliseconds=3)) == "less than a second"
    assert words.rough(timedelta(seconds=90061)) == "1 day 1 hour"


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_names_in_a_row(names: list[str], text: str) -> None:
    assert words.listed(names) == text
