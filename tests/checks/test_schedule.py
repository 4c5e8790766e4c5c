"""Which schedules are taken, of which kind they are, and what is none."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from hcl import occurrences
from hcl.checks import schedule
from hcl.checks.schedule import ScheduleError
from hcl.model import Kind
from tests.build import NOW


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("* * * * *", "cron"),
        ("  0  0  1\t1  *  ", "cron"),
        ("\n* * * * *\n", "cron"),
        ("a b c d e", "cron"),
        ("* * * *", "oncalendar"),
        ("* * * * * *", "oncalendar"),
        ("* * * *\n*", "oncalendar"),
        ("* * * * *\n* * * * *", "oncalendar"),
        ("Mon..Fri 09:00", "oncalendar"),
        ("Mon *-*-* 09:00 Europe/Riga", "oncalendar"),
        ("daily", "oncalendar"),
        ("", "oncalendar"),
        (" ", "oncalendar"),
    ],
)
def test_one_line_of_five_fields_is_cron_all_else_oncalendar(
    expression: str, kind: Kind
) -> None:
    assert schedule.kind_of(expression) == kind


@pytest.mark.parametrize(
    ("kind", "expression", "tz"),
    [
        pytest.param("cron", "garbage", "UTC", id="cron"),
        pytest.param("cron", "0 0 31 2 *", "UTC", id="no such date"),
        pytest.param("cron", "* * * * *", "America", id="zone is a directory"),
        pytest.param("cron", "* * * * *", "Europe/Nowhere", id="unknown zone"),
        pytest.param("cron", "* * * * *", "", id="empty zone"),
        pytest.param("cron", "* * * * *", "../etc/passwd", id="path for a zone"),
        pytest.param("cron", "* * * * *", "Europe/Riga\0", id="NUL in the zone"),
        pytest.param("cron", "* * * * *", "\ud800", id="surrogate in the zone"),
        pytest.param("oncalendar", "garbage", "UTC", id="oncalendar"),
        pytest.param("oncalendar", "", "UTC", id="empty"),
        pytest.param("oncalendar", "12:00", "America", id="oncalendar, directory"),
        pytest.param("oncalendar", "12:00 America", "UTC", id="own zone, directory"),
        pytest.param("oncalendar", "12:00\ngarbage", "UTC", id="second line"),
    ],
)
def test_what_cannot_be_read_raises_one_kind_of_error(
    kind: Kind, expression: str, tz: str
) -> None:
    with pytest.raises(ScheduleError, match=r"\w+: "):
        schedule.next_occurrence(kind, expression, tz, NOW)


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "*/15 0-6,22 1 JAN-jun MON",
        "0 0 29 2 *",
        "0 0 L * *",
        "0 0 LW * *",
        "0 0 * * 5L",
        "0 0 * * MON#5",
        "0 0 * * 7",
        "  0 0 * * *  ",
        "\n0 0 * * *\n",
        "0 0 31 2 MON",
        "daily",
        "HOURLY",
        "12:00",
        "Mon..Fri 09:00",
        "Mon,Wed *-*-* 12:00:30",
        "*-*~1",
        "*-02-29",
        "2019-01-01",
        "2000-01-01 00:00:01",
        "2000-01-01 America/New_York",
        "09:00 Europe/Riga",
        "09:00\n10:00 Asia/Kolkata\n2001-01-01",
        "1999-01-01\n2001-01-01",
    ],
)
def test_valid_schedule(expression: str) -> None:
    schedule.validate(expression)


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="space"),
        pytest.param("\n", id="newline"),
        pytest.param("    ", id="spaces"),
        pytest.param("* * * *", id="4 fields"),
        pytest.param("* * * * * *", id="6 fields"),
        pytest.param("0 * * * * *", id="seconds"),
        pytest.param("* * * * *\n* * * * *", id="two lines of cron"),
        pytest.param("0 0 31 2 *", id="31 February"),
        pytest.param("0 0 30 2 *", id="30 February"),
        pytest.param("0 0 31 4,6,9,11 *", id="31 of short months"),
        pytest.param("0 0 */5 2 MON#5", id="fifth Monday on 31 February"),
        pytest.param("61 * * * *", id="minute 61"),
        pytest.param("60 * * * *", id="minute 60"),
        pytest.param("* 24 * * *", id="hour 24"),
        pytest.param("* * 0 * *", id="day 0"),
        pytest.param("* * * 13 *", id="month 13"),
        pytest.param("* * * * 8", id="weekday 8"),
        pytest.param("*/0 * * * *", id="step 0"),
        pytest.param("5-1 * * * *", id="range backwards"),
        pytest.param("-1 * * * *", id="negative"),
        pytest.param("1, * * * *", id="trailing comma"),
        pytest.param("0 0 * * MON#6", id="sixth Monday"),
        pytest.param("0 0 * * LL", id="last of nothing"),
        # What hcl turns, where people paste it, is none for the API.
        pytest.param("@daily", id="at daily"),
        pytest.param("0 0 * * sat-sun", id="from Saturday on"),
        pytest.param("~ 3 * * *", id="cronie's random minute"),
        pytest.param("biannually", id="twice a year, OnCalendar"),
        pytest.param("\u0665 * * * *", id="arabic digit"),
        pytest.param("1_0 * * * *", id="underscore"),
        pytest.param("a b c d e", id="words"),
        pytest.param("surprise", id="word"),
        pytest.param("25:00", id="hour 25"),
        pytest.param("12:60", id="minute 60, OnCalendar"),
        pytest.param("*-02-30", id="30 February, OnCalendar"),
        pytest.param("*-13-01", id="month 13, OnCalendar"),
        pytest.param("1999-01-01", id="before 2000"),
        pytest.param("2000-01-01", id="at 2000 itself"),
        pytest.param("2000-01-01 Europe/Riga", id="before 2000 in its zone"),
        pytest.param("1998-01-01\n1999-01-01", id="two lines before 2000"),
        pytest.param("12:00\nsurprise", id="second line"),
        pytest.param("12:00\n\n13:00", id="empty line between"),
        pytest.param("12:00 America", id="directory for a zone"),
        pytest.param("12:00 Europe/Nowhere", id="unknown zone"),
        pytest.param("12:00 ../etc/passwd", id="path for a zone"),
        pytest.param("12:00 /etc/passwd", id="absolute path for a zone"),
        pytest.param("12:00\0", id="NUL"),
        pytest.param("0 0 * * *\0", id="NUL in cron"),
        pytest.param("12:00 Europe/Riga\0", id="NUL in the zone"),
        pytest.param("\0", id="only NUL"),
        pytest.param("\ud800", id="surrogate"),
        pytest.param("12:00 \ud800", id="surrogate for a zone"),
        pytest.param("✓ ✓ ✓ ✓ ✓", id="signs"),
        pytest.param("9" * 5000 + " * * * *", id="huge number"),
        pytest.param("x" * 100_000, id="very long"),
        pytest.param("1,," * 10_000 + " * * * *", id="very long list"),
        pytest.param("1/" * 10_000 + " * * * *", id="very many steps"),
        pytest.param("1-" * 10_000 + " * * * *", id="very many ranges"),
        pytest.param("12:00 " + "A" * 10_000, id="very long zone"),
    ],
)
def test_invalid_schedule(expression: str) -> None:
    with pytest.raises(ScheduleError):
        schedule.validate(expression)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines that are looked through."""
    lines: list[str] = []

    def counted(kind: Kind, line: str, after: datetime) -> Iterator[datetime]:
        lines.append(line)
        return found(kind, line, after)

    found = occurrences._occurrences
    monkeypatch.setattr(occurrences, "_occurrences", counted)
    return lines


def test_lines_that_never_fire_are_looked_through_once(asked: list[str]) -> None:
    expression = "2-30 06:07\nMon 09:00\n4-31 06:07\nMon 09:00\n2-30 06:07"

    first = schedule.next_occurrence("oncalendar", expression, "Europe/Riga", NOW)
    asked.clear()
    later = schedule.next_occurrence("oncalendar", expression, "Europe/Riga", NOW)

    assert asked == ["Mon 09:00"]
    alone = schedule.next_occurrence("oncalendar", "Mon 09:00", "Europe/Riga", NOW)
    assert first == later == alone


def test_that_one_never_fires_is_found_out_once(asked: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(schedule.ScheduleError, match="never fires"):
            schedule.validate("2-30 16:07")

    assert asked == ["2-30 16:07"]
