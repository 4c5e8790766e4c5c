from datetime import UTC, datetime, timedelta

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
