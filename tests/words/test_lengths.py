from datetime import timedelta

import pytest

from hcl.words import lengths


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
    assert lengths.duration(timedelta(seconds=seconds)) == text


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
    assert lengths.every(timedelta(seconds=seconds)) == text


def test_length_is_rough() -> None:
    assert lengths.rough(timedelta(milliseconds=3)) == "less than a second"
    assert lengths.rough(timedelta(seconds=90061)) == "1 day 1 hour"
