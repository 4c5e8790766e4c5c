"""What the API ought to say of a check: what is wrong with an answer, and why."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.sim.clockwork import BEGAN, Machine
from tests.sim.model import Model
from tests.sim.moments import NEVER

# What is wrong, and by how much.
Wrong = tuple[str, str]

# So many flips are looked at: older ones may have been deleted.
_FLIPS = 20

# Moments are told in whole seconds.
_ROUNDED = 2.0


def wrong_in_check(
    model: Model,
    told: Any,
    machine: Machine,
    *,
    is_calm: bool,
    can_settle: bool,
    was_set: float,
) -> Iterator[Wrong]:
    """Yield what is wrong in an answer about a check.

    `is_calm`: nothing keeps hcl from knowing better; `can_settle`: the disk takes what
    it has put off; `was_set` is when the wall was set last.
    """
    allowed = model.shown(machine.now)
    if is_calm and told["status"] not in allowed:
        yield "status", f"{told['status']}, not {sorted(allowed)}"
    if not can_settle:
        # What was put off just before the disk took nothing more is not shown.
        if told["n_pings"] > model.n:
            yield "n_pings", f"{told['n_pings']}, not up to {model.n}"
        return
    if told["n_pings"] != model.n:
        yield "n_pings", f"{told['n_pings']}, not {model.n}"
    if told["started"] != (model.last_start is not None):
        yield "started", f"{told['started']}"
    # A step of the clock is noticed within a minute.
    is_known = not machine.is_wrong and machine.now > was_set + 65
    if is_calm and is_known and not model.doubtful:
        yield from _wrong_in_next(model, told["next_ping"], machine.now)
    if is_calm and is_known:
        # Until an absence is judged all is shown as of when it began, windows too.
        yield from _wrong_in_maintenance(model, told, machine.now)
    if model.last_ping is not None and was_set < model.last_ping - 60:
        at = _true(told["last_ping"]) - machine.offset
        if abs(at - model.last_ping) > _ROUNDED:
            yield "last_ping", f"{at:.0f}, not {model.last_ping:.0f}"
    yield from _wrong_in_duration(model, told.get("last_duration"), was_set)


def _wrong_in_duration(
    model: Model, told: int | None, was_set: float
) -> Iterator[Wrong]:
    is_right = (told is None) == (model.duration is None)
    if told is not None and model.duration is not None and model.last_ping:
        # A step in the run may be found only after its end.
        is_sure = was_set < model.last_ping - model.duration - 65
        is_right = told >= 0
        is_right &= not is_sure or abs(told - model.duration) < _ROUNDED
    if not is_right:
        yield "last_duration", f"{told}, not {model.duration}"


def wrong_in_flips(expected: Sequence[str], told: Any) -> Iterator[Wrong]:
    """Yield what is wrong in an answer about a check's flips, given all statuses."""
    ups = [flip["up"] for flip in told["flips"]]
    newest = [int(status == "up") for status in reversed(expected)]
    if ups[:_FLIPS] != newest[: min(_FLIPS, len(ups))] or (expected and not ups):
        yield "order of flips", f"{ups[:_FLIPS]}, not {newest[:_FLIPS]}"


def _wrong_in_next(model: Model, told: str | None, now: float) -> Iterator[Wrong]:
    low, high = model.next_pings(now)
    if told is None:
        if high < NEVER:
            yield "next_ping", "none"
        return
    at = _true(told)
    if not low - _ROUNDED <= at <= high + _ROUNDED:
        yield "next_ping", f"{at:.0f}, not {low:.0f} to {high:.0f}"


def _wrong_in_maintenance(model: Model, told: Any, now: float) -> Iterator[Wrong]:
    until = told.get("maintenance_until")
    expected = {model.maintained_until(now + by) for by in (-2, 0, 2)}
    if not any(_is_about(until, moment) for moment in expected):
        yield "maintenance_until", f"{until}, not {sorted(map(str, expected))}"


def _is_about(told: str | None, moment: float | None) -> bool:
    if told is None or moment is None:
        return told is None and moment is None
    return abs(_true(told) - moment) < _ROUNDED


def _true(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() - BEGAN


def wrong_in_pings(told: Any) -> Iterator[Wrong]:
    """Yield what is wrong in an answer about the last pings of a check."""
    pings = told["pings"]
    if any(newer["n"] != older["n"] + 1 for newer, older in pairwise(pings)):
        yield "order of pings", f"{[ping['n'] for ping in pings]}"
    for ping in pings:
        if ping.get("duration", 0) < 0:
            yield "duration", f"{ping['duration']} of {ping['n']}"
