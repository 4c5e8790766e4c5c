"""Checks as they are stored, and what signals make of them."""

from datetime import datetime, timedelta
from typing import Any

from hcl.model import Action, Check, Reason, Status
from tests.build import DAY, HOUR, NOW, make_check

MINUTE = timedelta(minutes=1)
BEFORE = NOW - 30 * MINUTE  # the last ping of a check that had one
RUN = NOW - 10 * MINUTE  # the start of a run that is open
OLD_DURATION = timedelta(seconds=5)
RID = "0f343c7b-91fa-4b32-8a3f-0f0f6a0c1a11"
OTHER_RID = "7c5c4f0e-2f2d-4b8a-9a52-6d8f9d1f2b22"

SIGNALS: tuple[Action, ...] = ("success", "fail", "start", "log")
STATUSES: tuple[Status, ...] = ("new", "up", "down", "paused")

# Signal and stored status: the status afterwards; the flip's reason, None: no flip.
STATUS_AFTER: dict[tuple[Action, Status], tuple[Status, Reason | None]] = {
    ("success", "new"): ("up", ""),
    ("success", "up"): ("up", None),
    ("success", "down"): ("up", ""),
    ("success", "paused"): ("up", ""),
    ("fail", "new"): ("down", "fail"),
    ("fail", "up"): ("down", "fail"),
    ("fail", "down"): ("down", None),
    ("fail", "paused"): ("down", "fail"),
    ("start", "new"): ("new", None),
    ("start", "up"): ("up", None),
    ("start", "down"): ("down", None),
    ("start", "paused"): ("paused", None),
    ("log", "new"): ("new", None),
    ("log", "up"): ("up", None),
    ("log", "down"): ("down", None),
    ("log", "paused"): ("paused", None),
}

# The start of the open run, its rid, and the rid of the ping.
RUN_CASES: dict[str, tuple[datetime | None, str | None, str | None]] = {
    "no run, no rid": (None, None, None),
    "no run, rid": (None, None, RID),
    "run and ping without rid": (RUN, None, None),
    "same rid": (RUN, RID, RID),
    "another rid": (RUN, RID, OTHER_RID),
    "only the run has a rid": (RUN, RID, None),
    "only the ping has a rid": (RUN, None, RID),
}

# Signal and run case: last_start, last_start_rid and last_duration afterwards.
RUN_AFTER: dict[
    tuple[Action, str], tuple[datetime | None, str | None, timedelta | None]
] = {
    ("success", "no run, no rid"): (None, None, None),
    ("success", "no run, rid"): (None, None, None),
    ("success", "run and ping without rid"): (None, None, 10 * MINUTE),
    ("success", "same rid"): (None, None, 10 * MINUTE),
    ("success", "another rid"): (RUN, RID, None),
    ("success", "only the run has a rid"): (None, None, None),
    ("success", "only the ping has a rid"): (RUN, None, None),
    ("fail", "no run, no rid"): (None, None, None),
    ("fail", "no run, rid"): (None, None, None),
    ("fail", "run and ping without rid"): (None, None, 10 * MINUTE),
    ("fail", "same rid"): (None, None, 10 * MINUTE),
    ("fail", "another rid"): (None, None, None),
    ("fail", "only the run has a rid"): (None, None, None),
    ("fail", "only the ping has a rid"): (None, None, None),
    ("start", "no run, no rid"): (NOW, None, OLD_DURATION),
    ("start", "no run, rid"): (NOW, RID, OLD_DURATION),
    ("start", "run and ping without rid"): (NOW, None, OLD_DURATION),
    ("start", "same rid"): (NOW, RID, OLD_DURATION),
    ("start", "another rid"): (NOW, OTHER_RID, OLD_DURATION),
    ("start", "only the run has a rid"): (NOW, None, OLD_DURATION),
    ("start", "only the ping has a rid"): (NOW, RID, OLD_DURATION),
    ("log", "no run, no rid"): (None, None, OLD_DURATION),
    ("log", "no run, rid"): (None, None, OLD_DURATION),
    ("log", "run and ping without rid"): (RUN, None, OLD_DURATION),
    ("log", "same rid"): (RUN, RID, OLD_DURATION),
    ("log", "another rid"): (RUN, RID, OLD_DURATION),
    ("log", "only the run has a rid"): (RUN, RID, OLD_DURATION),
    ("log", "only the ping has a rid"): (RUN, None, OLD_DURATION),
}

# Status, last_ping and last_start: alert_after, with a day of timeout and an hour of
# grace.
ALERT_AFTER: dict[tuple[Status, datetime | None, datetime | None], datetime | None] = {
    ("new", None, None): None,
    ("new", None, RUN): RUN + HOUR,
    ("new", None, NOW): NOW + HOUR,
    ("up", BEFORE, None): BEFORE + DAY + HOUR,
    ("up", BEFORE, RUN): RUN + HOUR,
    ("up", BEFORE, NOW): NOW + HOUR,
    ("up", NOW, None): NOW + DAY + HOUR,
    ("up", NOW, RUN): RUN + HOUR,
    ("down", BEFORE, None): None,
    ("down", BEFORE, RUN): None,
    ("down", BEFORE, NOW): None,
    ("down", NOW, None): None,
    ("paused", BEFORE, None): None,
    ("paused", BEFORE, RUN): RUN + HOUR,
    ("paused", BEFORE, NOW): NOW + HOUR,
}


def stored(status: Status, **overrides: Any) -> Check:
    """Make a check in this status with the last ping and the deadline it then has."""
    check = make_check(
        status=status,
        last_ping=None if status == "new" else BEFORE,
        last_duration=OLD_DURATION,
        n_pings=7,
        **overrides,
    )
    if "alert_after" in overrides:
        return check
    due = ALERT_AFTER[status, check.last_ping, check.last_start]
    return check._replace(alert_after=due)
