"""What an absence makes of a check, by the table of spec.md section 8."""

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.sim.moments import NEVER, PATIENCE, SLACK

if TYPE_CHECKING:
    from tests.sim.model import Model


@dataclass(frozen=True)
class Away:
    """That hcl was not there; `sure` False: it may not have noticed.

    When it `went`, and when it `returned`, at the earliest and at the latest. `counts`
    is how many absences it may be taken for.
    """

    went: tuple[float, float]
    returned: tuple[float, float]
    sure: bool = True
    counts: tuple[int, int] = (1, 1)
    # All count anew, since nobody knows how long it was.
    all_anew: bool = False
    # It goes on with an absence that the start before has not judged: "surely", or
    # "perhaps".
    again: str = ""
    # By its wall it was away for so much longer, so that all may fall into that.
    ahead: float = 0.0


def judge_start(model: "Model", away: Away) -> None:
    """Judge a check at a start: with the start before, if that had not yet judged."""
    if model.before is None or not away.again:
        before, went = copy.copy(model), away.went
        judge(model, away)
    else:
        before, went = model.before
        other, judged = copy.copy(before), copy.copy(model)
        judge(other, replace(away, went=(went[0], away.went[1])))
        judge(judged, away)
        vars(model).update(vars(other))
        if away.again == "perhaps":
            _widen(model, judged)
    before.before = None
    model.before = before, went


def _widen(model: "Model", other: "Model") -> None:
    """Have it be as it is, or as another is."""
    model.low, model.high = min(model.low, other.low), max(model.high, other.high)
    model.due = _widest(model.due, other.due)
    least, most = model.excused, other.excused
    model.excused = min(least[0], most[0]), max(least[1], most[1])
    if model.counted != other.counted:
        model.counted = _widest(
            model.counted or heard(model), other.counted or heard(other)
        )
    model.not_before = _widest(model.not_before, other.not_before)
    model.run_unsure |= other.run_unsure or model.run_excused != other.run_excused
    model.run_excused |= other.run_excused
    model.version += 1


def judge(model: "Model", away: Away) -> None:
    """Judge a check after an absence, by the table of spec.md §8."""
    model.deaf_until = away.went[1]
    if model.status == "down" and model.last_start is not None:
        if model.last_start <= away.went[1] + SLACK:
            sure = away.sure and model.last_start < away.went[0] - SLACK
            model.run_unsure = not sure and (model.run_unsure or not model.run_excused)
            model.run_excused = True
        return
    if model.status == "down" or model.low == NEVER:
        return
    back = away.returned
    if model.high >= away.went[0] - SLACK:
        _excuse(model, away, model.low, model.high)
    # Nobody is called down before all is judged.
    if model.high < back[1] + PATIENCE:
        model.version += 1
        model.high = back[1] + PATIENCE


def _excuse(model: "Model", away: Away, low: float, high: float) -> None:
    back, started = away.returned, model.last_start
    may_be_before = low < away.went[1] + SLACK
    may_be_after = high >= back[0] - SLACK
    is_within = not may_be_before and not may_be_after
    may, must = may_have_pinged(model, away)
    is_excused = away.sure and (is_within or (must and not may_be_before))
    if not is_within and not may and low >= back[1] + SLACK and started is None:
        return
    stays = (low, high)
    if started is not None and started <= away.went[1] + SLACK:
        model.run_unsure = not away.sure and (model.run_unsure or not model.run_excused)
        model.run_excused = True
    most = model.excused[1] + away.counts[1]
    least = model.excused[0] + (away.counts[0] if is_excused else 0)
    # What may go on with an absence not judged yet may be of the third still.
    is_another = away.counts[0] > 0
    was_capped = is_another and model.excused[0] >= 3, model.excused[1] >= 3
    model.excused = min(least, 3), min(most, 3)
    if was_capped[0] and not away.all_anew:
        # From the fourth on only what is being tried again still arrives.
        model.not_before = 0.0, back[1] + 60
        model.work_out()
        model.low = min(model.low, low, back[0] if away.ahead else low)
        return
    before, due = model.counted, model.due
    model.counted = back
    model.work_out()
    if not is_excused or was_capped[1]:
        model.low = min(model.low, stays[0])
        if away.ahead and was_capped[1]:
            model.low = min(model.low, back[0])
        model.high = max(model.high, stays[1], back[1] + 60)
        before = before or heard(model)
        # Who is not excused any more counts by the time before, which moves along once
        # the wall is set right.
        model.counted = _widest((before[0] - away.ahead, before[1]), back)
        model.due = _widest(due, model.due)


def heard(model: "Model") -> tuple[float, float]:
    """Return when it was heard last, as bounds."""
    last = model.last_ping if model.last_ping is not None else 0.0
    return last, last


def _widest(one: tuple[float, float], two: tuple[float, float]) -> tuple[float, float]:
    return min(one[0], two[0]), max(one[1], two[1])


def may_have_pinged(model: "Model", away: Away) -> tuple[bool, bool]:
    """Tell whether it may have pinged unheard, and whether that is certain to hcl."""
    if model.last_ping is None or model.status != "up":
        return False, False
    if away.all_anew:
        return True, True
    if away.ahead or (model.outcomes and model.shaken >= model.outcomes[0]):
        return True, False
    turn = model.last_ping + model.usual() / 2
    return turn < away.returned[1] + SLACK, turn < away.returned[0] - SLACK
