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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a second"),
        (0.0004, "less than a second"),
        (0.34, "340 ms"),
        (1, "1.0 seconds"),
        (1.44, "1.4 seconds"),
        (9.94, "9.9 seconds"),
        (9.96, "9.9 seconds"),
        (0.9996, "999 ms"),
        (10.5, "10 seconds"),
        (123, "2 minutes 3 seconds"),
    ],
)
def test_length_of_a_run_is_exact(seconds: float, text: str) -> None:
    assert lengths.exact(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 ms"),
        (0.003, "3 ms"),
        (0.01, "0.01 s"),
        (0.34, "0.34 s"),
        (9.99, "9.99 s"),
        (10.4, "10 s"),
        (75, "75 s"),
    ],
)
def test_length_of_a_try_is_as_exact_as_it_matters(seconds: float, text: str) -> None:
    assert lengths.in_seconds(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "brief", "short"),
    [
        (-5, "0 s", "0 s"),
        (0.9, "0 s", "0 s"),
        (59, "59 s", "59 s"),
        (60, "1 min", "1 min"),
        (90, "1 min 30 s", "1 min 30 s"),
        (190, "3 min", "3 min 10 s"),
        (3605, "1 h", "1 h"),
        (5400, "1 h 30 min", "1 h 30 min"),
        (20460, "5 h", "5 h 41 min"),
        (86400, "1 d", "1 d"),
        (151_200, "1 d 18 h", "1 d 18 h"),
        (273_600, "3 d", "3 d 4 h"),
        (34_560_000, "400 d", "400 d"),
    ],
)
def test_length_is_brief(seconds: float, brief: str, short: str) -> None:
    assert lengths.brief(timedelta(seconds=seconds)) == brief
    assert lengths.short(timedelta(seconds=seconds)) == short
