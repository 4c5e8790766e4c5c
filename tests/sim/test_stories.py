"""Stories of the simulator: fixed seeds, and mistakes that it finds."""

import os
import secrets
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from tests.sim.__main__ import shrunk, told
from tests.sim.jobs import DAY
from tests.sim.plan import FAULTS, PEACE, Plan, plan
from tests.sim.planted import PLANTED
from tests.sim.story import tell

# A month of all that goes wrong, and some days in which all arrives that is owed.
DAYS = 38


def fault_of(story: Plan) -> str:
    """Tell a story; return what hcl did wrong in it, and how to go on from there."""
    world = tell(story)
    if world.fault is None:
        assert world.pings * 365 / DAYS >= 20_000
        return ""
    return (
        f"{world.fault.what}: {world.fault.more}\n"
        f"python -m tests.sim --days {DAYS} --seed {story.seed}\n{told(world)}"
    )


@pytest.mark.works
@pytest.mark.parametrize("seed", ["1", "2"])
def test_nothing_goes_wrong_whatever_happens(seed: str) -> None:
    assert fault_of(plan(seed, DAYS)) == ""


@pytest.mark.works
def test_a_month_that_nobody_has_seen_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seed = secrets.token_hex(4)

    fault = fault_of(plan(seed, DAYS))

    with capsys.disabled():
        sys.stdout.write(f"\npython -m tests.sim --days {DAYS} --seed {seed}\n{fault}")
    if fault:
        # It is news to be looked at, and says nothing of what was changed last.
        pytest.xfail(fault.partition("\n")[0])


def test_a_year_has_its_share_of_all_that_goes_wrong() -> None:
    year = plan("any", 365)
    faults = [event for event in year.events if event.kind in FAULTS]

    assert len(year.jobs) >= 20
    assert len(faults) >= 100
    # A twelfth of it without the days at the end in which all arrives.
    month = (365 * DAY - PEACE) / 12
    for kind in FAULTS:
        months = {int(event.at / month) for event in faults if event.kind == kind}
        assert months == set(range(12)), kind


def test_a_dense_month_has_so_many_times_as_much() -> None:
    kinds = [Counter(e.kind for e in plan("any", DAYS, n).events) for n in (1, 4)]

    assert kinds[1]["crash"] == 4 * kinds[0]["crash"]
    # But as many jobs live, and as much of what was is remembered.
    assert kinds[1]["die"] == kinds[0]["die"]


@pytest.mark.works
def test_one_seed_is_one_story_in_any_process() -> None:
    first, second = tell(plan("one", 10)), tell(plan("two", 10))
    # Which has another order of what has none, such as sets; it need not start anew.
    again = subprocess.run(
        [sys.executable, "-m", "tests.sim", "--days", "10", "--seed", "one"],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert first.trace.hexdigest() != second.trace.hexdigest()
    assert first.trace.hexdigest()[:16] in again.stdout


# The jobs, and the kinds of events, of a month that it takes to find a mistake.
SHOWN: dict[str, tuple[str, tuple[int, ...], str]] = {
    "deadlines_stay_when_the_clock_is_set": ("1", (2,), "step"),
    "an_edit_forgets_an_excuse": ("4", (20, 21, 22), "edit restarts"),
    "a_crash_counts_pings_twice": ("1", (0,), "crash"),
    "a_crash_forgets_what_was_put_off": ("1", (0,), "crash"),
    "an_alert_is_ticked_off_before_it_is_sent": ("6", (10,), "crash_at_send receiver"),
    "a_filter_reads_the_wrong_part": ("1", (15, 16), ""),
    "any_end_ends_a_run": ("1", (11,), ""),
    "messages_go_newest_first": ("7", (10, 17), "receiver die"),
    "a_nearer_deadline_wakes_nobody": ("1", (17,), "die"),
    "a_schedule_is_read_in_utc": ("1", (5,), ""),
    "absences_excuse_for_ever": ("1", (21,), "die restarts"),
    "reminders_go_on": ("2", (10,), ""),
    "nobody_is_muted": ("3", (10,), "mute"),
    "a_window_forgives_for_ever": ("1", (17,), "die"),
    "a_log_is_a_bad_outcome": ("1", (27,), ""),
    "an_end_ends_all_runs": ("3", (28,), ""),
    "a_step_has_schedules_read_anew": ("3", (4,), "step"),
    "who_is_back_leaves_it_at_that": ("33", (25,), "slip"),
}


def part(mistake: str) -> Plan:
    """Return the part of a month that shows a mistake."""
    seed, jobs, kinds = SHOWN[mistake]
    story = plan(seed, DAYS)
    events = tuple(event for event in story.events if event.kind in kinds.split())
    return replace(story, jobs=jobs, events=events)


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_mistake_that_is_planted_is_found(mistake: str) -> None:
    story = part(mistake)

    with PLANTED[mistake]():
        world = tell(story)

    assert world.fault is not None
    assert tell(replace(story, seconds=world.fault.at + 1)).fault is None


def test_a_story_that_fails_is_cut_down_to_what_it_takes() -> None:
    with PLANTED["absences_excuse_for_ever"]():
        world = shrunk(tell(part("absences_excuse_for_ever")))
    story = told(world)

    assert world.fault is not None
    assert len(world.plan.events) <= 3
    assert story.endswith(f"WRONG: {world.fault.what}: {world.fault.more}")
