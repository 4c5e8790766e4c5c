"""What pings do to a check that are told late, each with the time it is of."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from hcl.checks import rules, told_late
from hcl.checks.deadlines import Transition
from hcl.model import Check, Run
from tests.build import DAY, HOUR, NOW, make_check, make_ping

MINUTE = timedelta(minutes=1)
RID, OTHER = (
    "3b4c1f6e-9a2d-4f0b-8c5e-1d2e3f4a5b6a",
    "1a2b3c4d-0000-4000-8000-000000000000",
)
BACK = NOW + 5 * HOUR + 5 * MINUTE
HOURLY: dict[str, Any] = {"timeout": HOUR, "grace": 10 * MINUTE}


def up(**overrides: Any) -> Check:
    """Return a check that was heard at NOW, and its deadline."""
    values = {"status": "up", "last_ping": NOW, "n_pings": 1}
    return rules.on_edit(make_check(**(values | overrides)), NOW).check


def told(
    check: Check,
    at: datetime,
    received: datetime = BACK,
    **ping: Any,
) -> Transition:
    late = make_ping(created=at, **ping)
    return told_late.on_late_ping(check, late, received)[0]


def runs_of(hours: Iterable[float]) -> list[tuple[str, datetime]]:
    """Return starts and successes of runs of a minute that end at these hours."""
    ends = [NOW + hour * HOUR for hour in hours]
    return [
        told
        for end in ends
        for told in (("start", end - MINUTE), ("success", end))
    ]  # fmt: skip


def flips_of(check: Check, signals: Iterable[tuple[str, datetime]]) -> list[str]:
    """Tell signals late one by one; time calls down, as a checker that never sleeps."""
    flips: list[str] = []
    for action, at in signals:
        transition = told(check, at, action=action)
        later = rules.on_deadline(transition.check, BACK)
        check = later.check
        flips += [each.flip.new_status for each in (transition, later) if each.flip]
    assert check.status == "up"
    assert check.alert_after == NOW + 6 * HOUR + 10 * MINUTE
    return flips


FINER: list[dict[str, Any]] = [
    {},
    {"max_run": HOUR},
    {"down_after": 2},
    {"early": HOUR},
]


# --- runs that began later


@pytest.mark.parametrize("finer", [*FINER, {"min_run": HOUR}], ids=str)
@pytest.mark.parametrize("action", ["success", "fail"])
@pytest.mark.parametrize("rid", [None, RID])
def test_an_outcome_ends_no_run_that_began_later(
    finer: dict[str, Any], action: str, rid: str | None
) -> None:
    begun = BACK - MINUTE
    check = up(**finer)
    start = make_ping(action="start", rid=rid, created=begun)
    check = rules.on_ping(check, start)[0].check

    transition = told(check, BACK - 2 * MINUTE, action=action, rid=rid)

    after = transition.check
    assert (after.last_start, after.last_start_rid) == (begun, rid)
    assert after.last_duration is None
    assert after.last_ping == BACK - 2 * MINUTE
    is_down = action == "fail" and "down_after" not in finer
    assert after.status == ("down" if is_down else "up")
    assert after.open_runs == ((Run(begun, rid),) if after.is_finer else ())
    # Its own end tells how long it took.
    ended = rules.on_ping(after, make_ping(rid=rid, created=begun + 2 * HOUR))[0].check
    assert (ended.last_start, ended.last_duration) == (None, 2 * HOUR)


@pytest.mark.parametrize("finer", FINER[:2], ids=str)
@pytest.mark.parametrize(("rid", "other"), [(RID, OTHER), (None, OTHER)])
def test_an_outcome_that_others_have_followed_ends_its_run(
    finer: dict[str, Any], rid: str | None, other: str
) -> None:
    """Else it would be taken to run on, and to be too long."""
    check = up(**finer)
    for action, name, minutes in (("start", rid, 10), ("success", other, 30)):
        at = NOW + minutes * MINUTE
        check = rules.on_ping(check, make_ping(action=action, rid=name, created=at))[
            0
        ].check
    assert check.last_start == NOW + 10 * MINUTE

    transition = told(check, NOW + 20 * MINUTE, NOW + 40 * MINUTE, rid=rid)

    after = transition.check
    assert (transition.flip, after.last_start, after.open_runs) == (None, None, ())
    assert after.last_ping == NOW + 30 * MINUTE
    assert after.alert_after == NOW + 30 * MINUTE + DAY + HOUR
    # One of before that run ends nothing.
    assert told(check, NOW + 5 * MINUTE, rid=rid).check.last_start == check.last_start
