"""What becomes of messages of checks that are muted."""

from typing import Any

import pytest

from hcl.store.waiting import Waiting
from tests.alerts.planned import (
    MAIL,
    MINUTE,
    SECOND,
    SETTINGS,
    channel,
    ids,
    planned,
    row,
)
from tests.build import HOUR, NOW

MUTED = NOW + HOUR


def of_muted(id_: int, new_status: Any = "down", **more: Any) -> Waiting:
    """Make a message of a check that is muted until MUTED, which holds it."""
    values: dict[str, Any] = {"hold": "mute", "next_try": MUTED} | more
    return row(id_, new_status, **values)._replace(muted_until=MUTED)


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize(
    "what", [{}, {"attempts": 2}, {"reminder": 1}, {"notice": "No."}, {"hold": "fold"}]
)
def test_nothing_of_a_muted_check_goes_out(kind: str, what: dict[str, Any]) -> None:
    config = channel(kind, urgent=True, fold=MINUTE if kind == "email" else MINUTE * 0)
    waiting = [of_muted(1, **what), of_muted(2, "up", **what)]

    result = planned(config, *waiting, now=MUTED - SECOND)

    # Of an outage that nobody heard of, and that is over, nothing is kept.
    over = waiting if what.keys() <= {"notice"} else []
    kept = [] if over else waiting
    assert [n for n, _ in result.dropped] == [r.notification for r in over]
    assert result.held == [(r.notification, MUTED, "mute") for r in kept]
    assert result.bundles == []


@pytest.mark.parametrize(
    ("waiting", "dropped", "told"),
    [
        ([of_muted(1)], [], [1]),
        ([of_muted(1, status="up")], [1], []),
        ([of_muted(1, status="paused")], [1], []),
        ([of_muted(1), of_muted(2, "up")], [1, 2], []),
        ([of_muted(2, "up")], [], [2]),
        ([of_muted(1, "up"), of_muted(2), of_muted(3, "up")], [2, 3], [1]),
        ([of_muted(1), of_muted(2, "up"), of_muted(3)], [1, 2], [3]),
        ([of_muted(1, attempts=1), of_muted(2, "up")], [], [1, 2]),
        ([of_muted(1)._replace(handed_on=True), of_muted(2, "up")], [], [1, 2]),
        ([of_muted(1), of_muted(2, "up", attempts=1)], [1], [2]),
        # The mute was over, but its message had not gone out.
        ([of_muted(1), of_muted(2, "up", at=MUTED + SECOND)], [], [1, 2]),
        ([of_muted(1), of_muted(2, "up", at=MUTED)], [1, 2], []),
        # So where the channel tells of no up.
        ([of_muted(1, status="up")._replace(ended=MUTED + SECOND)], [], [1]),
        ([of_muted(1, status="up")._replace(ended=MUTED)], [1], []),
        # Told before that it is down: only if it still is.
        ([of_muted(2, flip_id=1, reminder=1)], [], [2]),
        ([of_muted(2, flip_id=1, reminder=1, status="up")], [2], []),
        ([of_muted(2, flip_id=1, reminder=1), of_muted(3, "up")], [2], [3]),
    ],
)
def test_end_of_a_mute_tells_what_still_counts(
    waiting: list[Waiting], dropped: list[int], told: list[int]
) -> None:
    left_out, held, bundles = ids(planned(MAIL, *waiting, now=MUTED + MINUTE))

    assert (sorted(left_out), held) == (dropped, [])
    assert bundles == ([told] if told else [])


def test_other_checks_are_told_while_one_is_muted() -> None:
    result = planned(MAIL, of_muted(1), row(2, check_id=2))

    assert ids(result) == ([], [1], [[2]])
