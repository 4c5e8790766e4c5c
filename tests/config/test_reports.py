"""[[projects.reports]]: when they come, over what, and which are refused."""

from datetime import time

import pytest

from hcl.config import ReportConfig
from tests.config import HOOK, PROJECT, read, refusal

REPORT = "[[projects.reports]]\n"
MAIL = "[smtp]\nhost = 'mail.example.org'\n"
BOX = "[[projects.channels]]\nname = 'Mail'\nkind = 'email'\nto = ['a@example.org']\n"
OVER = "channels = ['Mail']\n"


def reports(text: str) -> tuple[ReportConfig, ...]:
    return read(MAIL + PROJECT + HOOK + BOX + text).projects[0].reports


def refused(text: str) -> str:
    return refusal(MAIL + PROJECT + HOOK + BOX + text)


@pytest.mark.parametrize(
    ("text", "every", "day", "at"),
    [
        ("", "week", 0, time(9)),
        ("every = 'day'\n", "day", 0, time(9)),
        ("every = 'month'\n", "month", 1, time(9)),
        ("every = 'day'\nat = '23:59'\n", "day", 0, time(23, 59)),
        ("every = 'week'\nat = 'Sun 00:00'\n", "week", 6, time(0)),
        ("every = 'month'\nat = '31 07:30'\n", "month", 31, time(7, 30)),
    ],
)
def test_report_comes_at_its_moment(text: str, every: str, day: int, at: time) -> None:
    [report] = reports(REPORT + OVER + text)

    assert (report.every, report.day, report.at) == (every, day, at)
    assert (report.tz, report.tags, report.quiet) == ("", frozenset(), False)


def test_report_names_tags_and_a_zone_and_may_be_quiet() -> None:
    more = "tags = ['nas', 'db']\ntz = 'Europe/Riga'\nquiet = true\n"

    [report] = reports(REPORT + OVER + more)

    assert report.tags == {"nas", "db"}
    assert report.tz == "Europe/Riga"
    assert report.quiet is True


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "channels: is missing"),
        ("channels = []\n", "channels: is empty"),
        ("channels = ['Mial']\n", 'named "Mial" (did you mean "Mail"?)'),
        (OVER + "every = 'year'\n", "every: "),
        (OVER + "at = '09:00'\n", 'is no moment of a week; use one like "Mon 09:00"'),
        (OVER + "every = 'day'\nat = '24:00'\n", "is no moment of a day"),
        (OVER + "every = 'month'\nat = '32 09:00'\n", "is no moment of a month"),
        (OVER + "every = 'month'\nat = '0 09:00'\n", "is no moment of a month"),
        (OVER + "tz = 'Riga'\n", 'tz: "Riga" is not a time zone'),
        (OVER + "tags = ['a b']\n", "tags"),
        (OVER + REPORT + OVER, "is the same report as one before it"),
    ],
)
def test_report_that_cannot_come_is_refused(text: str, problem: str) -> None:
    assert problem in refused(REPORT + text)


def test_channel_that_is_made_for_checks_is_refused() -> None:
    line = refused(REPORT + "channels = ['Mail', 'Hook']\n")

    assert '"Hook" does not tell of "server"; add that to its events' in line
