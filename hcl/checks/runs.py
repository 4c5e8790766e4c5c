"""Runs of a job: which are open, when each has to end, how long they took; pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from hcl.model import Action, Check, Ping, Run

# Longer runs have no duration in the log.
MAX_RUN = timedelta(hours=72)

# Open runs that are kept of a check; of more the oldest are forgotten.
MOST_OPEN = 100


def begun(check: Check, ping: Ping) -> tuple[Run, ...]:
    """Return the open runs after a start: it takes the place of one with its rid."""
    others = [run for run in check.open_runs if run.rid != ping.rid]
    return (*others, Run(ping.created, ping.rid))[-MOST_OPEN:]


def left(check: Check, ping: Ping) -> tuple[Run, ...]:
    """Return the open runs after an outcome: it ends the one with its rid.

    One without a rid ends the newest too, whatever that is called: some clients name a
    run only at its start. A fail ends no other run, though the API shows none then.
    """
    ended = {ping.rid}
    if ping.rid is None and check.last_start is not None:
        ended.add(check.last_start_rid)
    return tuple(run for run in check.open_runs if run.rid not in ended)


def starts_of(check: Check, rid: str | None) -> list[datetime]:
    """Return when the open run with a rid began; nothing: it is not open.

    By the open runs, which only finer rules keep; last by the newest, if it is that.
    """
    starts = [run.started for run in check.open_runs if run.rid == rid]
    if check.last_start is not None and check.last_start_rid == rid:
        starts.append(check.last_start)
    return starts


def is_short(
    check: Check, ping: Ping, action: Action, guessed_at: datetime | None = None
) -> bool:
    """Tell whether a success ends its run sooner than can be.

    `guessed_at`: hcl's time was guessed then, so that nobody knows how long a run took
    that began before; None: it was not.
    """
    if action != "success" or check.min_run is None:
        return False
    starts = starts_of(check, ping.rid)
    if not starts or (guessed_at is not None and starts[-1] < guessed_at):
        return False
    # A clock that was set back makes no run longer.
    return ping.created - starts[-1] < check.min_run


def are_impossible(check: Check) -> bool:
    """Tell whether each run is too long before it is long enough."""
    return check.min_run is not None and check.run_limit < check.min_run


def ended(
    check: Check, ping: Ping
) -> tuple[datetime | None, str | None, timedelta | None]:
    """Note an outcome: time the open run if it is the ping's own, and close it.

    Returns the start and rid of the run that is open then, and how long this took.
    """
    start, rid = check.last_start, check.last_start_rid
    if start is not None and rid == ping.rid:
        # A clock that was set back makes no run shorter than nothing.
        return None, None, max(ping.created - start, timedelta(0))
    if ping.action == "fail" or ping.rid is None:
        return None, None, None
    return start, rid, None


def end(check: Check, run: Run) -> datetime:
    """Return when an open run has to end."""
    return run.started + check.run_limit


def first_end(check: Check) -> datetime | None:
    """Return when the first open run has to end that is not told of; None: none has."""
    starts = [run.started for run in check.open_runs if not run.is_told]
    return min(starts) + check.run_limit if starts else None


def late(check: Check, at: datetime) -> list[Run]:
    """Return the open runs that are too long by then, and that nobody was told of."""
    return [run for run in check.open_runs if not run.is_told and end(check, run) <= at]


def told(check: Check, at: datetime) -> tuple[Run, ...]:
    """Return the open runs, with those that are too long by then as told of."""
    return tuple(
        run._replace(is_told=True) if end(check, run) <= at else run
        for run in check.open_runs
    )


def untold(check: Check, since: datetime) -> tuple[Run, ...]:
    """Return the open runs, with none as told of that was too long since a moment."""
    return tuple(
        run._replace(is_told=run.is_told and end(check, run) <= since)
        for run in check.open_runs
    )


def answers(check: Check) -> bool:
    """Tell whether a run that has time left began since what the next ping counts from.

    Then that run is what was expected, and its end is waited for: `max_run` says so.
    """
    if check.max_run is None or not check.open_runs:
        return False
    since = check.missed or check.counted_from or check.last_ping
    return since is not None and any(
        run.started >= since and not run.is_told for run in check.open_runs
    )


def adopted(check: Check, now: datetime) -> Check:
    """Let the open runs of a check be those that its fields, which changed, ask for."""
    if not check.is_finer:
        return check._replace(open_runs=()) if check.open_runs else check
    start, rid = check.last_start, check.last_start_rid
    if start is None or check.run_excused:
        return check
    if any(run.rid == rid for run in check.open_runs):
        return check
    # Of what took a check down people have heard.
    is_told = check.status == "down" and start + check.grace <= now
    return check._replace(open_runs=(*check.open_runs, Run(start, rid, is_told)))


class Runs:
    """How long runs took, told from pings that come oldest first, some at a time.

    A success or fail ends the latest start of its rid (none counts as one), unless
    another did or the start is MAX_RUN old. No length is negative, whatever the clock
    did. A start without a rid that is told late, when an end after it has come already,
    is that of no end after that one.
    `most`: of more open runs the first are forgotten; None: none is.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._starts: dict[str | None, datetime] = {}
        # When the last end without a rid was; and until when the start that is open
        # may have ended, None: it did not come late.
        self._ended: datetime | None = None
        self._ends_by: datetime | None = None

    def take(self, pings: Iterable[Ping]) -> dict[int, timedelta]:
        """Take the next pings; return lengths by the number of the ping that ended."""
        starts, lengths = self._starts, {}
        for ping in pings:
            if ping.action == "start":
                starts[ping.rid] = ping.created
                if ping.rid is None:
                    is_late = self._ended is not None and ping.created < self._ended
                    self._ends_by = self._ended if is_late else None
                if self._most is not None and len(starts) > self._most:
                    del starts[next(iter(starts))]
            elif ping.action in ("success", "fail"):
                start = starts.pop(ping.rid, None)
                if ping.rid is None:
                    self._ended = ping.created
                    if self._ends_by is not None and self._ends_by < ping.created:
                        start = None
                if start is not None and ping.created - start < MAX_RUN:
                    lengths[ping.n] = max(ping.created - start, timedelta(0))
        return lengths


def run_lengths(pings: Iterable[Ping]) -> dict[int, timedelta]:
    """Return how long runs took, as `Runs` does; all pings come at once."""
    return Runs().take(pings)
