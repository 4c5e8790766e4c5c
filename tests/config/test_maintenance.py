"""[[projects.maintenance]]: when windows open, and which are refused."""

from datetime import UTC, datetime, timedelta

import pytest

from hcl.config.settings import Window
from tests.config import PROJECT, read, refusal

WINDOW = "[[projects.maintenance]]\nname = 'Sunday updates'\n"
WEEKLY = "schedule = '0 4 * * 0'\nlength = '2h'\n"
PLACE = "projects[0].maintenance[0]"


def windows(text: str) -> tuple[Window, ...]:
    return read(PROJECT + text).projects[0].maintenance


def test_there_are_none_at_first() -> None:
    assert windows("") == ()


def test_a_window_opens_by_a_schedule() -> None:
    [window] = windows(WINDOW + WEEKLY + "tags = ['nas', 'db']\ntz = 'Europe/Riga'\n")

    assert window == Window(
        "Sunday updates",
        frozenset({"nas", "db"}),
        schedule="0 4 * * 0",
        tz="Europe/Riga",
        length=timedelta(hours=2),
    )


@pytest.mark.parametrize(
    ("start", "end", "moments"),
    [
        (
            "2026-12-01T22:00",
            "2026-12-02T03:00",
            ("2026-12-01T20:00", "2026-12-02T01:00"),
        ),
        (
            "2026-12-01 22:00:30",
            "2026-12-02T03:00",
            ("2026-12-01T20:00:30", "2026-12-02T01:00"),
        ),
        # What lies in the past is no mistake: it is over.
        (
            "2020-12-01T22:00",
            "2020-12-02T03:00",
            ("2020-12-01T20:00", "2020-12-02T01:00"),
        ),
        # An hour that comes twice is in it whole, and so is one that is left out.
        (
            "2026-10-25T03:30",
            "2026-10-25T03:45",
            ("2026-10-25T00:30", "2026-10-25T01:45"),
        ),
        (
            "2026-03-29T03:30",
            "2026-03-29T03:45",
            ("2026-03-29T00:30", "2026-03-29T01:45"),
        ),
    ],
)
def test_a_window_opens_once(start: str, end: str, moments: tuple[str, str]) -> None:
    keys = f"from = '{start}'\nto = '{end}'\ntz = 'Europe/Riga'\n"

    [window] = windows(WINDOW + keys)

    found = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in moments]
    assert [window.start, window.end] == found
    assert (window.schedule, window.length) == ("", timedelta(0))


def test_moments_may_be_those_of_toml() -> None:
    keys = "from = 2026-12-01T22:00:00\nto = 2026-12-02 03:00:00\n"

    [window] = windows(WINDOW + keys)

    assert window.start == datetime(2026, 12, 1, 22, tzinfo=UTC)


@pytest.mark.parametrize("schedule", ["Sun 04:00", "*-*-01 04:00\nSat *-*-* 05:00"])
def test_oncalendar_opens_windows_too(schedule: str) -> None:
    [window] = windows(WINDOW + f"schedule = '''{schedule}'''\nlength = '1h'\n")

    assert window.schedule == schedule


@pytest.mark.parametrize(
    ("keys", "key", "problem"),
    [
        ("", "schedule", "is missing; use schedule and length, or from and to"),
        ("schedule = '0 4 * * 0'\n", "length", "is missing; say how long it is open"),
        ("length = '2h'\n", "schedule", "is missing; use schedule and length, or"),
        ("from = '2026-12-01T22:00'\n", "to", "is missing"),
        ("to = '2026-12-01T22:00'\n", "from", "is missing"),
        (
            WEEKLY + "from = '2026-12-01T22:00'\n",
            "schedule",
            "stands beside from and to",
        ),
        (
            "schedule = '0 4 * *'\nlength = '2h'\n",
            "schedule",
            '"0 4 * *" is no cron or',
        ),
        ("schedule = '0 4 31 2 *'\nlength = '2h'\n", "schedule", "is no cron"),
        ("schedule = '2020-01-01 00:00'\nlength = '2h'\n", "schedule", "never opens"),
        (
            "schedule = '0 4 * * *'\nlength = '30s'\n",
            "length",
            '"30s" is too short; use',
        ),
        (
            "schedule = '0 4 * * *'\nlength = '32d'\n",
            "length",
            '"32d" is too long; use',
        ),
        (
            "schedule = '0 4 * * *'\nlength = '24h'\n",
            "length",
            "is so long that it opens",
        ),
        (
            "schedule = '* * * * *'\nlength = '1m'\n",
            "length",
            "is so long that it opens",
        ),
        (
            "schedule = '0 4 * * 0'\nlength = '8d'\n",
            "length",
            "is so long that it opens",
        ),
        (
            "from = '2026-12-02T22:00'\nto = '2026-12-01T22:00'\n",
            "to",
            "is not after from",
        ),
        (
            "from = '2026-12-01T22:00'\nto = '2026-12-01T22:00'\n",
            "to",
            "is not after from",
        ),
        (
            "from = '2026-12-01T22:00'\nto = '9026-12-01T22:00'\n",
            "to",
            "days after from",
        ),
        (
            "from = '1 Dec'\nto = '2026-12-01T22:00'\n",
            "from",
            '"1 Dec" is not a moment',
        ),
        (
            "from = '2026-12-01T25:00'\nto = '2026-12-01T22:00'\n",
            "from",
            "is not a moment",
        ),
        ("from = '2026-12-01'\nto = '2026-12-03'\n", "from", "is not a moment"),
        (WEEKLY + "tz = 'Riga'\n", "tz", '"Riga" is not a time zone'),
        (WEEKLY + "tags = ['a b']\n", "tags[0]", '"a b" is not one tag'),
        (WEEKLY + "tags = ['']\n", "tags[0]", '"" is not one tag'),
        (WEEKLY + "every = 'week'\n", "every", "unknown key"),
    ],
)
def test_windows_that_are_refused(keys: str, key: str, problem: str) -> None:
    told = refusal(PROJECT + WINDOW + keys)

    assert f"{PLACE}.{key}: " in told
    assert problem in told


def test_a_name_stands_there_once() -> None:
    told = refusal(PROJECT + WINDOW + WEEKLY + WINDOW + WEEKLY)

    assert 'maintenance[1].name: "Sunday updates" is there already' in told
