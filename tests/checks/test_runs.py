"""How long the runs of a log took."""

import pytest

from hcl.checks import runs
from hcl.model import Action
from tests.build import HOUR, MICROSECOND, NOW, make_ping
from tests.checks.stored import OTHER_RID, RID

# Each ping as hours, action, rid; then the durations in hours by n.
LogRow = tuple[float, Action, str | None]
LOGS: dict[str, tuple[list[LogRow], dict[int, float]]] = {
    "no pings": ([], {}),
    "success without a start": ([(0, "success", None)], {}),
    "start and success": ([(0, "start", None), (1, "success", None)], {2: 1}),
    "start and fail": ([(0, "start", None), (1, "fail", None)], {2: 1}),
    "only a start": ([(0, "start", None)], {}),
    "same rid": ([(0, "start", RID), (1, "success", RID)], {2: 1}),
    "another rid": ([(0, "start", RID), (1, "success", OTHER_RID)], {}),
    "only the start has a rid": ([(0, "start", RID), (1, "success", None)], {}),
    "only the success has a rid": ([(0, "start", None), (1, "success", RID)], {}),
    "latest start counts": (
        [(0, "start", None), (1, "start", None), (3, "success", None)],
        {3: 2},
    ),
    "second success has no start": (
        [(0, "start", None), (1, "success", None), (2, "success", None)],
        {2: 1},
    ),
    "success after a fail has no start": (
        [(0, "start", RID), (1, "fail", RID), (2, "success", RID)],
        {2: 1},
    ),
    "overlapping runs": (
        [
            (0, "start", RID),
            (1, "start", OTHER_RID),
            (2, "start", None),
            (4, "success", RID),
            (8, "fail", OTHER_RID),
            (16, "success", None),
        ],
        {4: 4, 5: 7, 6: 14},
    ),
    # The check's own open run would be closed here; the log does not depend on it.
    "a fail of another rid lies between": (
        [(0, "start", RID), (1, "fail", OTHER_RID), (2, "success", RID)],
        {3: 2},
    ),
    "a success without rid lies between": (
        [(0, "start", RID), (1, "success", None), (2, "success", RID)],
        {3: 2},
    ),
    "log and ignored lie between": (
        [(0, "start", None), (1, "log", None), (2, "ign", None), (3, "fail", None)],
        {4: 3},
    ),
    "log and ignored end nothing": (
        [(0, "start", RID), (1, "log", RID), (2, "ign", RID)],
        {},
    ),
    "just under 72 hours": (
        [(0, "start", None), (71.5, "success", None)],
        {2: 71.5},
    ),
    "72 hours": ([(0, "start", None), (72, "success", None)], {}),
    "an old start ends all the same": (
        [(0, "start", None), (80, "success", None), (80.5, "success", None)],
        {},
    ),
    "at the same moment": ([(0, "start", None), (0, "success", None)], {2: 0}),
    "over a step back of the clock": (
        [
            (2, "start", None),
            (1, "success", None),
            (1, "start", None),
            (3, "fail", None),
        ],
        {2: 0, 4: 2},
    ),
    "a start is told after its end": (
        [
            (0, "start", None),
            (2, "success", None),
            (1, "start", None),
            (24, "success", None),
            (25, "start", None),
            (26, "success", None),
        ],
        {2: 2, 6: 1},
    ),
    "a run is told after the next one": (
        [
            (3, "start", None),
            (4, "success", None),
            (1, "start", None),
            (2, "success", None),
        ],
        {2: 1, 4: 1},
    ),
    "over a step back of a year": ([(8760, "start", RID), (0, "fail", RID)], {2: 0}),
}


@pytest.mark.parametrize(("log", "hours"), LOGS.values(), ids=LOGS)
def test_run_lengths(log: list[LogRow], hours: dict[int, float]) -> None:
    pings = [
        make_ping(n=n, created=NOW + offset * HOUR, action=action, rid=rid)
        for n, (offset, action, rid) in enumerate(log, start=1)
    ]

    lengths = runs.run_lengths(pings)

    assert lengths == {n: length * HOUR for n, length in hours.items()}


def test_run_of_72_hours_but_a_microsecond_has_a_length() -> None:
    length = 72 * HOUR - MICROSECOND
    start = make_ping(n=1, action="start")
    success = make_ping(n=2, created=NOW + length)

    assert runs.run_lengths([start, success]) == {2: length}
