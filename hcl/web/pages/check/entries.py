"""The entries of a check's log: pings, flips and messages, each as a row; pure."""

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import groupby

from hcl.checks import runs, schedule
from hcl.checks.why.told import Told, told
from hcl.model import Action, Check, Flip, Ping
from hcl.store import tries
from hcl.store.excerpts import Excerpt
from hcl.web.pages.check.bodies import Body, body_of
from hcl.words import names
from hcl.words.lengths import duration, short, took
from hcl.words.moments import day_in_full

# What of a body stands in the log; the whole has a page of its own.
EXCERPT = 2000

# What happened, as a row of the log says it.
WORDS: dict[Action, str] = {
    action: word.capitalize() for action, word in names.ACTIONS.items()
} | {"fail": "Failed", "start": "Started"}

# The database keeps moments no more exactly than that.
_AT_ONCE = timedelta(milliseconds=1)

# Where an entry stands: the number of the last ping up to it, and the flip's id, 0 of a
# ping.
Place = tuple[int, int, Flip | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log: a ping, a flip, a message of a flip, or that there are more.

    `run` is how long the run took that the ping ended, "" if that is not known, and
    `started` when it began; of a flip, when the run began that was too long; None: none
    was. `is_open`: the ping started the run that goes on. `lasted` is how long the
    outage was that the flip ended; None: it is not known. `untold` counts the messages
    that are not shown.
    """

    created: datetime
    ping: Ping | None = None
    flip: Flip | None = None
    told: Told | None = None
    body: Body | None = None
    run: str = ""
    started: datetime | None = None
    is_open: bool = False
    lasted: timedelta | None = None
    untold: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of the log; `older` is where the next one begins, "" if there is none."""

    entries: tuple[Entry, ...]
    older: str = ""

    def days(self, now: datetime, zone: tzinfo) -> list[tuple[str, list[Entry]]]:
        """Return the entries by the days of a zone, each with its name.

        A day stands twice where the clock was set back over midnight.
        """
        today = now.astimezone(zone).date()
        return [
            (day_in_full(day, today), list(entries))
            for day, entries in groupby(
                self.entries, lambda entry: entry.created.astimezone(zone).date()
            )
        ]


class Page:
    """What the entries of a page are made of.

    `messages` are those of its flips, and of being late and slow runs. `folds`: the
    start of a run whose end is on the page has no entry of its own.
    """

    def __init__(
        self,
        check: Check,
        found: Mapping[int, Excerpt],
        signals: Sequence[Ping],
        messages: tries.Told,
        *,
        folds: bool,
    ) -> None:
        self._check = check
        self._found = found
        self._signals = signals
        self._records, self._counts, late = messages
        self._late = deque(late)
        self._lengths = runs.run_lengths(signals)
        self._starts = _starts(signals, self._lengths)
        ended = {start.n for n, start in self._starts.items() if n in found}
        self._hidden = ended if folds else set()

    def entries(self, places: Sequence[Place]) -> tuple[Entry, ...]:
        """Make the entries, newest first; a ping that is gone meanwhile has none."""
        entries: list[Entry] = []
        for n, flip_id, flip in reversed(places):
            entries += self._late_before(n)
            if flip is not None:
                entries.append(self._of_flip(n, flip, entries))
                if (more := self._untold(flip_id)) > 0:
                    entries.append(Entry(flip.created, untold=more))
                entries += self._told_of(flip_id)
            elif n in self._found and n not in self._hidden:
                entries.append(self._of_ping(*self._found[n]))
        entries += self._late_before(None)
        return tuple(reversed(_in_time(entries)))

    def _late_before(self, n: int | None) -> list[Entry]:
        """Take the messages of no flip that stand before a ping; None: all."""
        found = []
        while self._late and (n is None or self._late[0][0] < n):
            message = told(self._late.popleft()[1])
            found.append(Entry(message.at, told=message))
        return found

    def _told_of(self, flip_id: int) -> list[Entry]:
        # What is planned is not of a log.
        messages = [
            told(record)
            for record in reversed(self._records.get(flip_id, ()))
            if not (record.reminder and record.outcome == "waits")
        ]
        return [Entry(message.at, told=message) for message in messages]

    def _untold(self, flip_id: int) -> int:
        shown = self._records.get(flip_id, ())
        return self._counts.get(flip_id, 0) - len(shown)

    def _of_ping(self, ping: Ping, size: int, end: bytes) -> Entry:
        n, start = ping.n, self._starts.get(ping.n)
        return Entry(
            ping.created,
            ping=ping,
            body=body_of(ping, size, EXCERPT, end),
            run=took(self._lengths[n]) if n in self._lengths else "",
            started=start.created if start else None,
            is_open=ping.action == "start" and ping.created == self._check.last_start,
        )

    def _of_flip(self, n: int, flip: Flip, before: Sequence[Entry]) -> Entry:
        lasted = None
        if flip.old_status == "down":
            last = next((e.flip for e in reversed(before) if e.flip is not None), None)
            is_known = last is not None and last.created <= flip.created
            if last is not None and last.new_status == "down" and is_known:
                lasted = flip.created - last.created
        started = _too_long(self._check, self._signals, n, flip)
        return Entry(flip.created, flip=flip, started=started, lasted=lasted)


def _starts(
    signals: Sequence[Ping], lengths: Mapping[int, timedelta]
) -> dict[int, Ping]:
    """Return the start of each run that has a length, by the number of its end."""
    last: dict[str | None, Ping] = {}
    found = {}
    for ping in signals:
        if ping.action == "start":
            last[ping.rid] = ping
        elif ping.n in lengths and ping.rid in last:
            found[ping.n] = last[ping.rid]
    return found


def _in_time(entries: Sequence[Entry]) -> list[Entry]:
    """Put messages, which follow their flip, behind the pings that came before them.

    Nothing else is moved, and none over a ping that came by a clock set back: order is
    never taken from the clock. `entries` come oldest first.
    """
    placed: list[Entry] = []
    waiting: list[Entry] = []
    latest: datetime | None = None
    for entry in entries:
        if entry.told is not None:
            waiting.append(entry)
            continue
        goes_back = latest is not None and entry.created < latest
        while waiting and (
            entry.flip is not None or goes_back or waiting[0].created < entry.created
        ):
            placed.append(waiting.pop(0))
        placed.append(entry)
        latest = entry.created
    return placed + waiting


def _too_long(
    check: Check, signals: Sequence[Ping], n: int, flip: Flip
) -> datetime | None:
    """Return when the run began that took a check down after a ping; None: none did.

    A run that began when the ping was due already has what was left of its grace, and
    then a ping is missing.
    """
    before = signals[: bisect_right(signals, n, key=lambda ping: ping.n)]
    if flip.reason != "timeout" or not before or before[-1].action != "start":
        return None
    start = before[-1].created
    heard = next((p.created for p in reversed(before) if p.action != "start"), None)
    if flip.old_status != "up" or abs(start + check.grace - flip.created) < _AT_ONCE:
        return start
    try:
        expected = schedule.expected_after(check, heard)
    except schedule.ScheduleError:
        return start
    return None if expected is not None and expected < start else start


def flip_words(entry: Entry) -> tuple[str, str]:
    """Say what a flip was, and why or how it came to that."""
    flip = entry.flip
    if flip is None:
        raise ValueError("not an entry of a flip")
    if flip.new_status == "down":
        why = {
            "fail": "the job failed",
            "short": "its run ended too soon",
            "overran": "a run took too long",
            "missed": "no ping came in time",
            "timeout": "no ping came in time",
        }
        if flip.reason == "timeout" and entry.started is not None:
            if flip.created < entry.started:
                # The clock was set back since: how long it had nobody knows.
                return "Went down", "its run did not end in time"
            lasted = duration(flip.created - entry.started)
            return "Went down", f"its run did not end within {lasted}"
        return "Went down", why.get(flip.reason, "")
    if flip.new_status == "up":
        # With down_after a failure does that too, or a run that hangs.
        how = {"new": "pings are expected", "paused": "resumed by a ping"}
        after = f"after {short(entry.lasted)}" if entry.lasted is not None else ""
        return "Came up", how.get(flip.old_status, after)
    if flip.new_status == "paused":
        return "Paused", ""
    return "Resumed", "new until a ping comes"
