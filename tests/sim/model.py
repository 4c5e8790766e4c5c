"""What a check ought to be, written anew from spec.md, in true time.

A step of a clock changes no length, so that here there are none. Where hcl cannot know
the truth (when exactly it went, what the wall of a schedule was) the moment at which a
check goes down lies between two bounds, `low` and `high`.
"""

import copy
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.sim.away import Away, heard, judge, judge_start
from tests.sim.moments import (
    NEVER,
    SLACK,
    longest_pause,
    occurrence_at,
    occurrences,
)


def changed(settings: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return the settings after an edit; a rule that is None is gone."""
    gone = {"timeout": "schedule", "schedule": "timeout"}
    left = settings.keys() - {gone[name] for name in values.keys() & gone.keys()}
    after = {name: settings[name] for name in settings if name in left} | values
    return {name: value for name, value in after.items() if value is not None}


# Old status, new status, reason.
Flipped = tuple[str, str, str]


@dataclass
class Model:
    """One check: what it was told to be, what was heard of it, when it goes down."""

    settings: dict[str, Any]
    days: int
    status: str = "new"
    n: int = 0
    last_ping: float | None = None
    last_start: float | None = None
    rid: str | None = None
    duration: float | None = None
    # When grace begins, and when it ends or the run is too long: at the earliest …
    due: tuple[float, float] = (NEVER, NEVER)
    low: float = NEVER
    high: float = NEVER
    # The return that an absence lets it count from, and how often that was.
    counted: tuple[float, float] | None = None
    excused: tuple[int, int] = (0, 0)
    run_excused: bool = False
    # Nobody knows whether it is.
    run_unsure: bool = False
    # Up to when a run that began may have ended unheard.
    deaf_until: float = -NEVER
    # It is not called down before.
    not_before: tuple[float, float] = (0.0, 0.0)
    # Its schedule may be read by a wrong wall.
    doubtful: bool = False
    # It was heard by a time that was guessed, and nobody has set that right.
    is_misjudged: bool = False
    # When it was heard last, and when it was not though it pinged.
    outcomes: list[float] = field(default_factory=list)
    # When the wall was set last: the log tells the intervals around it wrongly.
    shaken: float = -1.0
    version: int = 0
    # What it was before the last start judged it, and when hcl had gone then.
    before: "tuple[Model, tuple[float, float]] | None" = None

    @property
    def grace(self) -> float:
        return float(self.settings["grace"])

    @property
    def distance(self) -> float:
        """Return how far two expected pings are apart at most."""
        if "schedule" not in self.settings:
            return float(self.settings["timeout"])
        settings = self.settings
        return longest_pause(settings["schedule"], settings["tz"], self.days + 400)

    @property
    def patience(self) -> float:
        """Return after how long without a sign of life a check is down at most."""
        return self.distance + self.grace

    def _moments(self) -> list[float]:
        settings = self.settings
        return occurrences(settings["schedule"], settings["tz"], self.days + 400)

    def _expected(self, heard: tuple[float, float]) -> tuple[float, float]:
        """Return when the ping after the last is expected, between which bounds."""
        if "schedule" not in self.settings:
            timeout = float(self.settings["timeout"])
            return heard[0] + timeout, heard[1] + timeout
        if self.doubtful:
            return heard[0], heard[1] + 2 * self.distance
        moments = self._moments()
        first = occurrence_at(moments, bisect_right(moments, heard[0] - SLACK))
        return first, occurrence_at(moments, bisect_right(moments, heard[1] + SLACK))

    def work_out(self) -> None:
        """Work the deadline out anew."""
        self.version += 1
        self.due = self.low, self.high = NEVER, NEVER
        if self.status == "up" and self.last_ping is not None:
            heard = self.counted or (self.last_ping, self.last_ping)
            self.due = self._expected(heard)
            self.low, self.high = self.due[0] + self.grace, self.due[1] + self.grace
        if self.last_start is not None and self.status != "down":
            run = self._run_deadline()
            self.low, self.high = min(self.low, run[0]), min(self.high, run[1])
        if self.low < NEVER:
            self.low = max(self.low, self.not_before[0])
            self.high = max(self.high, self.not_before[1])

    def _run_deadline(self) -> tuple[float, float]:
        assert self.last_start is not None
        due = self.last_start + self.grace
        if not self.run_excused:
            return due, due
        if self.run_unsure:
            return due, NEVER
        if self.status != "up" and self.counted is not None:
            low, high = self.counted
            return low + 2 * self.grace, high + 2 * self.grace
        return NEVER, NEVER

    def hear(
        self, action: str, rid: str | None, at: float, _seen: Flipped | None = None
    ) -> Flipped | None:
        """Receive a ping that counts as this; return the flip that it makes."""
        self.n += 1
        if self.before is not None and action in ("log", "ign", "start"):
            # The next start may judge it anew as it was, but for this.
            self.before[0].hear(action, rid, at)
        if action in ("log", "ign"):
            return None
        if action == "start":
            self.last_start, self.rid = at, rid
            self.run_excused = self.run_unsure = at <= self.deaf_until + SLACK
            self.work_out()
            return None
        self._end_run(action, rid, at)
        self.last_ping, self.is_misjudged = at, False
        self.outcomes = [*self.outcomes[-5:], at]
        is_excused = self.run_excused and self.last_start is not None
        is_unsure = self.run_unsure and is_excused
        self._forget_absences()
        # Another run than the one that ended may have ended unheard, still.
        self.run_excused, self.run_unsure = is_excused, is_unsure
        new = "down" if action == "fail" else "up"
        old, self.status = self.status, new
        self.work_out()
        return (old, new, "fail" if new == "down" else "") if old != new else None

    def judged(self, action: str, _rid: str | None, _at: float) -> str:
        """Return what a ping counts as by how long its run was."""
        return action

    def _end_run(self, action: str, rid: str | None, at: float) -> None:
        self.duration = None
        if self.last_start is None:
            return
        if self.rid == rid:
            self.duration = at - self.last_start
        elif action == "success" and rid is not None:
            return
        self.last_start = self.rid = None

    def _forget_absences(self) -> None:
        self.before = None
        self.counted, self.excused = None, (0, 0)
        self.run_excused = self.run_unsure = False
        self.not_before, self.doubtful = (0.0, 0.0), False

    def pass_to(self, now: float) -> None:
        """Let time have what effect it has before anybody is told."""

    def fall(self, _now: float) -> None:
        """Go down, since nothing was heard."""
        self.before, self.status = None, "down"
        self.work_out()

    def reasons(self, _now: float) -> set[str]:
        """Return why it may have gone down by now, or a little later."""
        return {"timeout"}

    def judge_away(self, away: Away, *, is_start: bool) -> None:
        """Judge it after an absence: at a start with the start before, if need be."""
        if is_start:
            judge_start(self, away)
        else:
            if not away.again:
                self.before = None
            judge(self, away)

    def pause(self) -> Flipped | None:
        if self.status == "paused":
            return None
        old, self.status = self.status, "paused"
        self.last_start = self.rid = None
        self._forget_absences()
        self.work_out()
        return (old, "paused", "")

    def resume(self) -> Flipped:
        self.status, self.last_ping = "new", None
        self.last_start = self.rid = None
        self._forget_absences()
        self.work_out()
        return ("paused", "new", "")

    def edit(self, values: dict[str, Any], _now: float) -> None:
        self.settings = changed(self.settings, values)
        self.before = None
        self.work_out()

    def doubt(self) -> None:
        """Have a schedule counted by a wall that may be wrong."""
        if "schedule" in self.settings and self.status == "up":
            self.doubtful = True
            self.work_out()

    def misjudge(self, by: tuple[float, float]) -> None:
        """Have what was heard last be of another time, by so much at most."""
        self.is_misjudged = True
        low, high = self.counted or heard(self)
        self.counted = low + by[0], high + by[1]
        self.work_out()

    def believing(self, other: "Model") -> "Model":
        """Return what this one knows, with what people changed as the other has it."""
        if "paused" in (other.status, self.status) and other.status != self.status:
            return copy.deepcopy(other)
        self.settings = dict(other.settings)
        self.work_out()
        return self

    def shown(self, now: float) -> set[str]:
        """Return the statuses that people may be shown."""
        if self.status == "down":
            return {"down"}
        found = {"down"} if now > self.low - SLACK else set()
        if now < self.high + SLACK:
            if self.status == "up" and now > self.due[0] - SLACK:
                found.add("grace")
            if now < self.due[1] + SLACK:
                found.add(self.status)
        return found

    def late_between(self, _now: float) -> tuple[float, float]:
        """Return between when and when people are told that it is late."""
        # A run that is open is at work.
        if self.status != "up" or self.last_start is not None:
            return NEVER, NEVER
        return min(self.due[0], self.low - self.grace), self.high - self.grace

    def has_missed(self, _now: float) -> bool:
        """Tell whether something went wrong that has not called it down."""
        return False

    def longest_maintenance(self) -> float:
        """Return for how long windows may put off that it is called down."""
        return 0.0

    def maintained_until(self, _now: float) -> float | None:
        """Return when the windows have closed that are open; None: none is."""
        return None

    def next_pings(self, _now: float) -> tuple[float, float]:
        """Return between when and when grace begins, as the API tells it."""
        return self.low - self.grace, self.high - self.grace

    def usual(self) -> float:
        """Return how soon after a ping the next one mostly comes."""
        intervals = [b - a for a, b in pairwise(self.outcomes)][-5:]
        if len(intervals) >= 3:
            return sorted(intervals)[1]
        if "schedule" not in self.settings:
            return self.distance
        moments = self._moments()
        heard = self.counted[0] if self.counted else self.last_ping or 0.0
        following = bisect_right(moments, heard)
        return moments[following] - moments[following - 1]
