"""How much of the last months a check was up, as its page draws it."""

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest

from hcl.model import Flip
from hcl.web.pages.check.uptime import uptime
from tests.build import DAY, HOUR, NOW

ZONE = UTC


def test_days_that_were_not_well_have_a_name_of_their_own() -> None:
    flips = [
        Flip(NOW - 9 * DAY, "up", "down", "fail"),
        Flip(NOW - 9 * DAY + 3 * HOUR, "down", "up", ""),
        Flip(NOW - 14 * HOUR, "up", "down", "fail"),
    ]

    found = uptime(flips, "down", NOW - 40 * DAY, NOW, ZONE)

    assert [(s.kind, s.width, s.words) for s in found.stretches] == [
        ("n", 49 * 7, ""),
        ("u", 31 * 7, ""),
        ("p", 7, "Sat 6 Jun: down 3 h"),
        ("u", 7 * 7, ""),
        ("p", 7, "Sun 14 Jun: down 2 h"),
        ("d", 7, "today: down 12 h"),
    ]
    assert found.words == (
        "90 days: today: down 12 h; Sun 14 Jun: down 2 h; Sat 6 Jun: down 3 h"
    )
    assert [(row.label, row.known.outages) for row in found.rows] == [
        ("30 days", 2),
        ("", 2),
        ("", 0),
        ("12 months", 2),
    ]
    assert found.rows[0].known.down == timedelta(hours=17)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Riga", "America/New_York"])
def test_a_month_ends_with_its_last_day(zone: str) -> None:
    found = uptime([], "up", NOW - 80 * DAY, NOW, ZoneInfo(zone))

    assert [(row.since, row.until) for row in found.rows] == [
        ("2026-05-16", ""),
        ("2026-06-01", ""),
        ("2026-05-01", "2026-05-31"),
        ("2025-07-01", ""),
    ]


def test_many_bad_days_are_counted() -> None:
    flips = [Flip(NOW - 20 * DAY, "up", "down", "fail")]

    found = uptime(flips, "down", None, NOW, ZONE)

    assert found.words.endswith("; and 16 days more")


def test_who_was_paused_all_the_time_was_not_up_in_it() -> None:
    flips = [Flip(NOW - 120 * DAY, "up", "paused", "")]

    found = uptime(flips, "paused", NOW - 200 * DAY, NOW, ZONE)

    assert (found.is_known, found.words) == (True, "90 days: nothing is known")


def test_nothing_is_drawn_of_what_is_not_known() -> None:
    found = uptime([], "new", None, NOW, ZONE)

    assert not found.is_known
    assert [(s.kind, s.width) for s in found.stretches] == [("n", 630)]
