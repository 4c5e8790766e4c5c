"""The last days of a check: the bar, what each day says, and the share of 30 days."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hcl.store.flips import Turn
from hcl.web.pages.overview import bars
from tests.build import DAY, NOW
from tests.web.pages.browsing import text_of


def turns(*changes: tuple[float, Any, Any]) -> list[Turn]:
    """Make flips so many days before NOW, which is Monday 15 June at 12:00."""
    return [((NOW - days * DAY).timestamp(), old, new) for days, old, new in changes]


def letters_of(days: bars.Days) -> str:
    """Return the day's classes, in their order, "-" for nothing known."""
    if days.bar.startswith("<i"):
        return ("u" if "all-up" in days.bar else "-") * 14
    letters = ["-"] * 14
    pattern = r'<path(?: class="(\w)")? d="M(\d+) [\d.]+h(\d+)"'
    for kind, x, width in re.findall(pattern, days.bar):
        for day in range(int(x) // 7, (int(x) + int(width)) // 7):
            letters[day] = kind or "-"
    return "".join(letters)


@pytest.mark.parametrize(
    ("status", "changes", "letters", "words", "share"),
    [
        ("up", [], "u" * 14, "never down", "100 %"),
        ("down", [], "d" * 14, "down all the time", "0 %"),
        ("new", [], "-" * 14, "nothing is known", "–"),
        ("paused", [], "-" * 14, "paused all the time", "–"),
        ("up", [(2.5, "new", "up")], "-" * 11 + "uuu", "never down", "100 %"),
        (
            "down",
            [(1.75, "up", "down")],
            "u" * 11 + "pdd",
            "Sat 13 Jun: down 6 h; Sun 14 Jun: down all day; Mon 15 Jun: down 12 h",
            "94.0 %",
        ),
        (
            "up",
            [(3.5, "up", "down"), (3.25, "down", "up")],
            "u" * 10 + "p" + "u" * 3,
            "Fri 12 Jun: down 6 h",
            "99.1 %",
        ),
        # Most of the day.
        (
            "up",
            [(3.5, "up", "down"), (2.75, "down", "up")],
            "u" * 10 + "d" + "u" * 3,
            "Fri 12 Jun: down 18 h",
            "97.4 %",
        ),
        # A second in a month is no hundred per cent.
        (
            "up",
            [(3.5, "up", "down"), (3.49999, "down", "up")],
            "u" * 10 + "p" + "u" * 3,
            "Fri 12 Jun: down 0 s",
            "99.9 %",
        ),
        # Before the bar, but within the share.
        (
            "up",
            [(21.5, "up", "down"), (20.5, "down", "up")],
            "u" * 14,
            "never down",
            "96.6 %",
        ),
        # A clock that was set back: within an outage, and by a year.
        (
            "up",
            [(3.5, "up", "down"), (3.75, "down", "up")],
            "u" * 14,
            "never down",
            "100 %",
        ),
        (
            "down",
            [
                (-365, "new", "up"),
                (-366, "up", "down"),
                (1.75, "down", "up"),
                (0.5, "up", "down"),
            ],
            "-" * 11 + "uud",
            "Mon 15 Jun: down 12 h",
            "71.4 %",
        ),
        ("paused", [(20, "up", "paused")], "-" * 14, "nothing is known", "100 %"),
        ("paused", [(1, "up", "paused")], "u" * 13 + "-", "never down", "100 %"),
        (
            "up",
            [(n + off, *kind) for n in (9, 7, 5, 3) for off, kind in (
                (0.25, ("up", "down")), (0.0, ("down", "up")))],
            "uuuupupupupuuu",
            "down 1 d on 4 days",
            "96.6 %",
        ),
    ],
)  # fmt: skip
def test_days_are_drawn_and_told(
    status: Any,
    changes: list[tuple[float, Any, Any]],
    letters: str,
    words: str,
    share: str,
) -> None:
    days = bars.days(status, turns(*changes), NOW, UTC)

    assert letters_of(days) == letters
    assert f"14 days: {words}" in str(days.bar)
    assert text_of(days.share) == share
    assert days.is_well is ("p" not in letters and "d" not in letters)


def test_each_day_that_was_not_up_says_what_it_was() -> None:
    days = bars.days("up", turns((3.5, "up", "down"), (1.5, "down", "up")), NOW, UTC)

    titles = re.findall(r"<path[^>]*><title>([^<]*)", days.bar)
    assert titles == ["Fri 12 Jun: down all day", "Sat 13 Jun: down all day"]


def test_days_are_those_of_the_checks_zone() -> None:
    # 23:00 to 23:30 in UTC is the next day in Riga.
    change = [(2 + 13 / 24, "up", "down"), (2 + 12.5 / 24, "down", "up")]

    told = [
        str(bars.days("up", turns(*change), NOW, zone).bar)
        for zone in (UTC, ZoneInfo("Europe/Riga"))
    ]

    assert "Fri 12 Jun: down 30 min" in told[0]
    assert "Sat 13 Jun: down 30 min" in told[1]


def test_a_day_of_25_hours_can_be_down_all_day() -> None:
    zone = ZoneInfo("Europe/Riga")
    now = datetime(2026, 10, 27, 12, tzinfo=UTC)
    began = datetime(2026, 10, 25, tzinfo=zone).timestamp()
    flips: list[Turn] = [
        (began, "up", "down"),
        (began + timedelta(hours=25).total_seconds(), "down", "up"),
    ]

    bar = str(bars.days("up", flips, now, zone).bar)

    assert "14 days: Sun 25 Oct: down all day<" in bar


def test_bar_of_flips_out_of_order_is_drawn_all_the_same() -> None:
    flips = turns((-1, "up", "down"), (40, "down", "up"))

    assert bars.days("up", flips, NOW, UTC).bar.startswith("<")
