"""How a check fared in a span: outages, flapping, silence, charts, run lengths."""

from datetime import datetime, timedelta

import pytest

from hcl.alerts.reports.faring import Faring, faring
from hcl.model import DECLARED, Flip, Ping, Status
from tests.build import HOUR, NOW, make_check, make_ping

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
START, END = NOW - DAY, NOW


def flips(*hours: float, first: Status = "down") -> list[Flip]:
    """Return flips by turns, so many hours after the start."""
    statuses: list[Status] = ["down", "up"] if first == "down" else ["up", "down"]
    return [
        Flip(START + hour * HOUR, statuses[(i + 1) % 2], statuses[i % 2], "")
        for i, hour in enumerate(hours)
    ]


def fared(
    known: list[Flip],
    status: Status = "up",
    *,
    origin: str = "",
    now: datetime = END,
    last_ping: datetime | None = END,
    signals: list[Ping] | None = None,
    parts: int = 4,
) -> Faring:
    check = make_check(status=status, last_ping=last_ping, origin=origin)
    return faring(check, known, signals or [], (START, END), now, parts)


@pytest.mark.parametrize(
    ("known", "status", "outages", "down", "is_down", "cells"),
    [
        ([], "up", 0, 0, False, (0, 0, 0, 0)),
        ([], "down", 1, 24, True, (100, 100, 100, 100)),
        ([], "paused", 0, 0, False, (-1, -1, -1, -1)),
        ([], "new", 0, 0, False, (-1, -1, -1, -1)),
        (flips(6, 9), "up", 1, 3, False, (0, 50, 0, 0)),
        (flips(6, 9, 21), "down", 2, 6, True, (0, 50, 0, 50)),
        # It was down when the span began.
        (flips(3, first="up"), "up", 1, 3, False, (50, 0, 0, 0)),
        # A minute is to be seen.
        (flips(6, 6.01), "up", 1, 0.01, False, (0, 1, 0, 0)),
    ],
)
def test_outages_are_those_of_the_span(
    known: list[Flip],
    status: Status,
    outages: int,
    down: float,
    is_down: bool,
    cells: tuple[int, ...],
) -> None:
    found = fared(known, status)

    assert (found.outages, found.down) == (outages, down * HOUR)
    assert (found.is_down, found.cells) == (is_down, cells)


def test_outage_that_has_ended_before_the_report_is_sent_is_none_still() -> None:
    known = [*flips(6), Flip(END + HOUR, "down", "up", "")]

    found = fared(known, "up", now=END + 2 * HOUR)

    assert (found.outages, found.down, found.is_down) == (1, 18 * HOUR, False)


def test_outage_before_the_span_is_no_time_that_it_went_down() -> None:
    known = flips(1, 2, 3, 4, 5, 6, 7, first="up")

    found = fared(known, "up")

    assert (found.outages, found.went) == (4, 3)


def test_outage_that_went_on_out_of_the_file_is_one() -> None:
    """A declared check that is down leaves hcl.toml, and is put back, twice."""
    away = [
        flip
        for at in (START + 7 * HOUR, START + 9 * HOUR)
        for flip in (Flip(at, "down", "paused", ""), Flip(at, "paused", "down", ""))
    ]
    known = [*flips(6), *away, Flip(START + 10 * HOUR, "down", "up", "")]

    found = fared(known, origin=DECLARED)

    assert (found.outages, found.went, found.down) == (1, 1, 4 * HOUR)
    assert not found.flaps


def test_what_came_after_the_span_is_not_in_it() -> None:
    late = [*flips(6, 9), Flip(END + HOUR, "up", "down", "fail")]

    found = fared(late, "down", now=END + 2 * HOUR)

    assert (found.outages, found.down, found.is_down) == (1, 3 * HOUR, False)


@pytest.mark.parametrize(
    ("hours", "flaps"),
    [((1, 2, 3, 4), False), ((1, 2, 3, 4, 5, 6), True), ((), False)],
)
def test_what_goes_down_three_times_within_a_day_flaps(
    hours: tuple[float, ...], flaps: bool
) -> None:
    assert fared(flips(*hours)).flaps is flaps


@pytest.mark.parametrize(
    ("known", "last_ping", "silent"),
    [
        ([], START - DAY, True),
        ([], START + HOUR, False),
        ([], None, False),
        (flips(1), START - DAY, False),
    ],
)
def test_what_was_down_all_the_time_and_was_not_pinged_is_silent(
    known: list[Flip], last_ping: datetime | None, silent: bool
) -> None:
    found = fared(known, "down", last_ping=last_ping)

    assert found.silent_since == (last_ping if silent else None)


def runs(*minutes: float, until: datetime = END - MINUTE) -> list[Ping]:
    """Return the signals of runs one after the other, the last of which ends then."""
    signals: list[Ping] = []
    for i, length in enumerate(minutes):
        ended = until - (len(minutes) - 1 - i) * HOUR
        started = ended - length * MINUTE
        signals += [
            make_ping(n=2 * i, action="start", created=started),
            make_ping(n=2 * i + 1, action="success", created=ended),
        ]
    return signals


def test_run_far_longer_than_usual_is_slow() -> None:
    found = fared([], signals=runs(*[10] * 12, 40, 10))

    [slow] = found.slow
    assert (slow.length, slow.usual) == (40 * MINUTE, 10 * MINUTE)
    assert slow.ended == END - MINUTE - HOUR
    assert found.longest == 40 * MINUTE
    assert found.change is None


def test_run_before_the_span_is_no_news() -> None:
    found = fared([], signals=runs(*[10] * 12, 40, until=START - MINUTE))

    assert (found.slow, found.longest, found.change) == ((), None, None)


def test_runs_that_take_longer_than_before_have_changed() -> None:
    found = fared([], signals=runs(*[10] * 24, *[20] * 23))

    assert found.change == (10 * MINUTE, 20 * MINUTE)


def test_few_runs_have_not_changed() -> None:
    few = runs(*[10] * 20, *[20] * 4, until=START + 4 * HOUR - MINUTE)

    assert fared([], signals=few).change is None
