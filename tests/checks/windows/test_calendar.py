"""When windows are open, where they overlap, and by how much deadlines move."""

from datetime import UTC, datetime, timedelta

import pytest

from hcl.checks.windows.calendar import Calendar
from hcl.config.settings import Window
from tests.build import make_check, utc

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def at(text: str) -> datetime:
    """Read a moment of June 2026, a month that begins on a Monday: "7 04:30"."""
    day, time = text.split()
    return datetime.fromisoformat(f"2026-06-{int(day):02} {time}").replace(tzinfo=UTC)


def weekly(length: timedelta = 2 * HOUR, **keys: object) -> Window:
    """Make a window that opens on Sundays at four."""
    return Window("Sunday", schedule="0 4 * * 0", length=length, **keys)  # type: ignore[arg-type]  # of a test


def once(start: str, end: str, *tags: str) -> Window:
    return Window("Once", frozenset(tags), start=at(start), end=at(end))


SUNDAY = [weekly()]


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("7 03:59:59", None),
        ("7 04:00", "7 06:00"),
        ("7 05:59:59", "7 06:00"),
        ("7 06:00", None),
        ("10 05:00", None),
        ("14 05:00", "14 06:00"),
    ],
)
def test_a_window_is_open_from_its_start_until_before_its_end(
    moment: str, until: str | None
) -> None:
    found = Calendar(SUNDAY).until(at(moment), "")

    assert found == (at(until) if until else None)


def test_what_is_remembered_of_openings_answers_in_any_order() -> None:
    calendar, days = Calendar(SUNDAY), [28, 7, 21, 14, 7, 28]

    found = [calendar.until(at(f"{day} 05:00"), "") for day in days]

    assert found == [at(f"{day} 06:00") for day in days]
    assert calendar.until(at("27 05:00"), "") is None


@pytest.mark.parametrize(
    ("windows", "until"),
    [
        # Another that begins within it, or at its end, goes on with it.
        ([weekly(), once("7 05:30", "7 08:00")], "7 08:00"),
        ([weekly(), once("7 06:00", "7 07:00")], "7 07:00"),
        ([once("7 06:00", "7 07:00"), weekly()], "7 07:00"),
        ([weekly(), once("7 04:30", "7 05:00")], "7 06:00"),
        # What begins after the end is another.
        ([weekly(), once("7 06:01", "7 07:00")], "7 06:00"),
        # One leads to the next.
        (
            [weekly(), once("7 05:59", "7 07:00"), once("7 06:59", "7 09:00")],
            "7 09:00",
        ),
    ],
)
def test_windows_that_overlap_are_one(windows: list[Window], until: str) -> None:
    assert Calendar(windows).until(at("7 04:45"), "") == at(until)


@pytest.mark.parametrize(
    ("schedule", "length", "until"),
    [
        # A schedule that opens anew before it closes is one window for as long.
        ("0 4-6 7 * *", 90 * MINUTE, "7 07:30"),
        ("*-*-07 04:00", HOUR, "7 05:00"),
        ("*-*-07 04:00\n*-*-07 04:30", HOUR, "7 05:30"),
        # It was understood once, and is not any more.
        ("0 4 31 2 *", HOUR, None),
        ("nonsense", HOUR, None),
    ],
)
def test_schedules_of_windows(
    schedule: str, length: timedelta, until: str | None
) -> None:
    calendar = Calendar([Window("It", schedule=schedule, length=length)])

    assert calendar.until(at("7 04:45"), "") == (at(until) if until else None)


def test_a_schedule_that_never_closes_comes_to_an_end_of_what_is_looked_at() -> None:
    calendar = Calendar([Window("It", schedule="0 * * * *", length=2 * HOUR)])

    until = calendar.until(at("7 04:45"), "")

    assert until is not None
    assert until > at("8 00:00")


@pytest.mark.parametrize(
    ("tags", "of_check", "is_open"),
    [
        ("", "", True),
        ("", "nas db", True),
        ("nas", "", False),
        ("nas", "nas", True),
        ("nas", "db nas", True),
        ("nas", "nas2", False),
        ("nas db", "db", True),
    ],
)
def test_tags_tell_which_checks_a_window_concerns(
    tags: str, of_check: str, is_open: bool
) -> None:
    calendar = Calendar([once("7 04:00", "7 06:00", *tags.split())])

    for _ in range(2):
        assert (calendar.until(at("7 05:00"), of_check) is not None) == is_open


@pytest.mark.parametrize(
    ("windows", "deadline", "grace", "moved"),
    [
        # Neither the grace nor its end touches a window.
        (SUNDAY, "7 03:59", HOUR, "7 03:59"),
        (SUNDAY, "7 07:00", HOUR, "7 07:00"),
        # The deadline falls into it: from its first moment to its last.
        (SUNDAY, "7 04:00", HOUR, "7 07:00"),
        (SUNDAY, "7 05:00", HOUR, "7 07:00"),
        (SUNDAY, "7 06:00", HOUR, "7 07:00"),
        # What was due in it has its grace from its end, though that would last longer.
        (SUNDAY, "7 06:30", HOUR, "7 07:00"),
        # So has what was due before, and could not come in between.
        (SUNDAY, "7 06:30", 3 * HOUR, "7 09:00"),
        # At the end of the grace another is open: then at the end of that.
        ([weekly(), once("7 06:30", "7 08:00")], "7 05:00", HOUR, "7 08:00"),
        # … and no grace comes anew, or a dead job would never be told.
        ([Window("d", schedule="0 4 * * *", length=HOUR)], "7 04:30", DAY, "8 05:00"),
        (
            [Window("d", schedule="0 4 * * *", length=HOUR)],
            "7 04:30",
            DAY - 30 * MINUTE,
            "8 05:00",
        ),
        # A year's grace, and a window each day in it.
        (
            [Window("d", schedule="0 4 * * *", length=HOUR)],
            "7 12:00",
            2 * DAY,
            "9 05:00",
        ),
        # What was, or comes, does not matter.
        ([once("5 00:00", "6 00:00")], "7 05:00", HOUR, "7 05:00"),
        ([once("8 00:00", "9 00:00")], "7 05:00", HOUR, "7 05:00"),
        ([once("5 00:00", "20 00:00")], "7 05:00", HOUR, "20 01:00"),
        ([], "7 05:00", HOUR, "7 05:00"),
    ],
)
def test_a_deadline_moves_to_a_grace_after_the_window(
    windows: list[Window], deadline: str, grace: timedelta, moved: str
) -> None:
    check = make_check(grace=grace)

    spared = Calendar(windows).spared(check, at(deadline))

    assert at(deadline) + spared == at(moved)


RIGA = "Europe/Riga"


@pytest.mark.parametrize(
    ("schedule", "moment", "until"),
    [
        # In spring the clock goes from 03:00 to 04:00, at 01:00 UTC; in autumn it goes
        # from 04:00 to 03:00, at the same. A window is as long as its length.
        ("0 2 * * 0", "2026-03-29T01:30", "2026-03-29T02:00"),
        ("0 2 * * 0", "2026-10-25T00:30", "2026-10-25T01:00"),
        # It opens at half past three, which is left out: at once.
        ("30 3 * * 0", "2026-03-29T01:30", "2026-03-29T03:00"),
        # … and which comes twice: at the first.
        ("30 3 * * 0", "2026-10-25T00:45", "2026-10-25T02:30"),
        ("30 3 * * 0", "2026-10-25T02:15", "2026-10-25T02:30"),
    ],
)
def test_a_window_that_changes_over_daylight_saving(
    schedule: str, moment: str, until: str
) -> None:
    window = Window("It", schedule=schedule, tz=RIGA, length=2 * HOUR)

    found = Calendar([window]).until(utc(moment), "")

    assert found == utc(until)


def test_what_comes_next_is_told_in_order() -> None:
    calendar = Calendar(
        [weekly(), once("8 00:00", "9 00:00"), once("1 00:00", "2 00:00")]
    )

    found = calendar.upcoming(at("7 05:00"), 3)

    assert [opening.start for opening in found] == [
        at("8 00:00"),
        at("14 04:00"),
        at("21 04:00"),
    ]
    found = calendar.upcoming(at("7 05:00"), 3, of_each=1)
    assert [opening.start for opening in found] == [at("8 00:00"), at("14 04:00")]
