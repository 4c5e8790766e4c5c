"""One way in which a check with finer rules may stand, as docs/checks.md has it.

All times are true ones. What nobody can tell apart makes guesses of two kinds: the ones
lean towards what comes soon, the others towards what comes late.
"""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import Any

from tests.sim.kept import kept
from tests.sim.model import Flipped
from tests.sim.moments import (
    NEVER,
    SLACK,
    longest_pause,
    occurrence_at,
    occurrences,
)
from tests.sim.windows import Windows

FINER = ("max_run", "min_run", "early")

# A check goes down after so many bad outcomes at most: no endless loop.
_MOST = 200


@dataclass(frozen=True)
class Run:
    """An open run; of one that is `told` people know that it hangs."""

    start: float
    rid: str | None
    is_told: bool = False


@dataclass(frozen=True)
class Guess:
    """A state of one check, exactly as it may be."""

    settings: dict[str, Any] = field(compare=False)
    windows: Windows = field(compare=False)
    leans_late: bool = False
    status: str = "new"
    last_ping: float | None = None
    last_start: float | None = None
    rid: str | None = None
    runs: tuple[Run, ...] = ()
    run_excused: bool = False
    # The return that it counts from, the moment that was missed last, bad outcomes.
    counted: float | None = None
    missed: float | None = None
    bad: int = 0
    excused: int = 0
    not_before: float = 0.0
    # Its schedule, or the windows, may be read by a wrong wall.
    is_loose: bool = False
    # It may be called down from then on, whatever the rules say.
    may_fall: float = NEVER
    # What was worked out of it.
    known: dict[str, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def but(self, **changes: Any) -> "Guess":
        """Return another with these changes; as `replace`, in less time."""
        other = object.__new__(Guess)
        vars(other).update(vars(self), known={}, **changes)
        return other

    @property
    def grace(self) -> float:
        return float(self.settings["grace"])

    @property
    def limit(self) -> float:
        """Return how long a run may take."""
        return float(self.settings.get("max_run", self.grace))

    @property
    def is_finer(self) -> bool:
        # Whose rules have gone counts on until what went wrong by them is over.
        is_set = any(self.settings.get(rule) for rule in FINER)
        return is_set or self.down_after > 1 or bool(self.bad)

    @property
    def down_after(self) -> int:
        return int(self.settings.get("down_after", 1))

    @property
    def since(self) -> float | None:
        """Return what the next ping counts from."""
        for moment in (self.missed, self.counted, self.last_ping):
            if moment is not None:
                return moment
        return None

    # What is expected.

    def moments(self) -> list[float]:
        return occurrences(self.settings["schedule"], self.settings["tz"], 600)

    def distance(self) -> float:
        """Return how far two expected pings are apart at most."""
        if "schedule" not in self.settings:
            return float(self.settings["timeout"])
        return longest_pause(self.settings["schedule"], self.settings["tz"], 600)

    @kept
    def expected(self) -> float:
        """Return when the next ping is expected."""
        since = self.since
        if self.status != "up" or since is None:
            return NEVER
        if "schedule" not in self.settings:
            return since + float(self.settings["timeout"])
        if self.is_loose:
            return since + (2 * self.distance() if self.leans_late else 0.0)
        moments = self.moments()
        lean = SLACK if self.leans_late else -SLACK
        if self.missed is not None:
            # It is one of them.
            lean = SLACK
        place = bisect_right(moments, since + lean)
        early = float(self.settings.get("early", 0))
        is_success = not self.bad or bool(self.excused and self.missed is None)
        if self.counted is not None and not self.leans_late:
            # Whether a return is a success that came early nobody has said.
            is_success = False
        if (
            early
            and is_success
            and occurrence_at(moments, place) - since <= early + lean
        ):
            place += 1
        return occurrence_at(moments, place)

    @kept
    def _ends(self) -> float:
        """Return when an open run has to end."""
        ends = []
        if self.is_finer:
            ends = [run.start + self.limit for run in self.runs if not run.is_told]
        elif self.last_start is not None and not self.run_excused:
            ends = [self.last_start + self.limit]
        is_unheard = self.last_start is not None and self.run_excused
        if is_unheard and self.status != "up" and self.counted is not None:
            ends.append(self.counted + 2 * self.limit)
        return min(ends, default=NEVER)

    def _is_answered(self) -> bool:
        """Tell whether an open run stands for the ping that is expected."""
        if "max_run" not in self.settings or self.since is None:
            return False
        return any(run.start >= self.since and not run.is_told for run in self.runs)

    def _wanted(self) -> float:
        """Return when a ping is expected that no open run stands for."""
        if not self._is_answered():
            return self.expected()
        tags = str(self.settings.get("tags", ""))
        is_known = not self.is_loose or self.leans_late or self.missed is None
        if is_known or not self.windows.concern(tags):
            return NEVER
        # What went wrong a window may have put off until after the run had begun.
        return max(self.expected(), *(run.start for run in self.runs))

    @kept
    def raw(self) -> float:
        """Return when the next thing goes wrong, if nothing comes and no window is."""
        if self.status == "down":
            return NEVER
        ends = self._ends()
        due = self._wanted() + self.grace
        return (
            NEVER if min(ends, due) == NEVER else max(min(ends, due), self.not_before)
        )

    @kept
    def due(self) -> float:
        """Return when the next thing goes wrong, as windows have moved it."""
        raw = self.raw()
        if raw == NEVER:
            return NEVER
        limit = self.limit if raw == self._ends() else self.grace
        risk = min(limit, self.grace)
        tags = str(self.settings.get("tags", ""))
        if self.is_loose and self.windows.concern(tags):
            return (
                self.windows.latest(raw, self.grace, tags) if self.leans_late else raw
            )
        # At the edge of a window nobody knows on which side it is.
        near = raw + (SLACK if self.leans_late else -SLACK)
        held = self.windows.held(near, risk, self.grace, tags)
        return raw if held == near else max(held, raw)

    # What time does.

    @kept
    def stepped(self) -> tuple["Guess", str]:
        """Count the next thing that goes wrong; return what it is to be called."""
        at, raw = self.due(), self.raw()
        is_put_off = at != raw or at == self.not_before
        late = [run for run in self.runs if self._is_over(run, at)]
        told = self.told(at).runs
        of_run = any(self._is_over(run, raw) for run in self.runs)
        if of_run or (late and self.status != "up"):
            bad = self.bad + (1 if is_put_off else len(late))
            heard = self.last_ping if self.status == "up" else None
            # What was heard since is what the next ping counts from.
            is_over = heard is not None and at < heard
            missed = self.missed if is_over else at
            after = self.but(status="up", bad=bad, missed=missed, runs=told)
            return after, "overran" if "max_run" in self.settings else "timeout"
        if self.status != "up" or not self.is_finer:
            after = self.but(status="up", bad=self.bad + 1, missed=at, counted=None)
            return after, "timeout"
        missed = at - self.grace if is_put_off else self.expected()
        return self.but(bad=self.bad + 1, missed=missed, runs=told), "missed"

    def told(self, at: float) -> "Guess":
        """Have people know of each run that is too long by then."""
        runs = tuple(
            replace(run, is_told=True) if run.start + self.limit <= at else run
            for run in self.runs
        )
        return self.but(runs=runs)

    def _is_over(self, run: Run, at: float) -> bool:
        return not run.is_told and run.start + self.limit <= at

    @kept
    def falls(self) -> tuple[float, str]:
        """Return when it goes down if nothing comes, and why."""
        guess = self
        for _ in range(_MOST):
            at = guess.due()
            if at == NEVER:
                break
            guess, why = guess.stepped()
            if guess.bad >= self.down_after:
                return min(at, self.may_fall), why
        return self.may_fall, ""

    def at(self, moment: float) -> "Guess":
        """Return it with what went wrong up to a moment, but not what takes it down."""
        guess = self
        while guess.due() <= moment:
            after, _ = guess.stepped()
            if after.bad >= self.down_after:
                break
            guess = after
        return guess

    def fallen(self, moment: float) -> "Guess":
        """Go down at a moment, since nothing was heard."""
        guess, bad = self.at(moment).told(moment + SLACK), 0
        if self.down_after > 1:
            bad = self.down_after
        return guess.but(status="down", bad=bad, missed=None, may_fall=NEVER)

    def shown(self, now: float) -> str:
        """Return what people are shown, by the rules."""
        guess = self.at(now)
        if guess.due() <= now:
            return "down"
        if guess.bad and guess.status in ("new", "up"):
            return "grace"
        # What is put off has its run too long all the same.
        late = min(guess.expected(), guess._ends(), guess.raw())
        if guess.status == "up" and late <= now:
            return "grace"
        return guess.status

    def next_pings(self, now: float) -> tuple[float, float]:
        """Return when grace begins, at the earliest and at the latest.

        At what is expected, which a deadline may put off, or when a run began.
        """
        guess = self.at(now)
        if guess.status == "down":
            return NEVER, NEVER
        start = guess.last_start
        if start is not None and guess.run_excused and guess.status != "up":
            # It may have ended unheard, and has its end by the return.
            end = NEVER if guess.is_finer else guess.raw() - guess.grace
            return end, end
        began = NEVER if start is None or guess.run_excused else start
        expected = guess.expected()
        by_deadline = max(expected, guess.not_before - guess.grace)
        return min(expected, began), min(by_deadline, began)

    # What is heard.

    def is_short(self, action: str, rid: str | None, at: float) -> bool:
        """Tell whether a success ends its run sooner than can be."""
        least = self.settings.get("min_run")
        if action != "success" or not least:
            return False
        starts = [run.start for run in self.runs if run.rid == rid]
        if self.last_start is not None and self.rid == rid:
            starts.append(self.last_start)
        return bool(starts) and at - starts[-1] < least

    def started(self, rid: str | None, at: float) -> "Guess":
        """Hear of the start of a run."""
        runs = (*(run for run in self.runs if run.rid != rid), Run(at, rid))[-100:]
        return self.but(
            last_start=at,
            rid=rid,
            run_excused=False,
            runs=runs if self.is_finer else (),
        )

    def heard(
        self, action: str, rid: str | None, at: float, *, in_window: bool
    ) -> tuple["Guess", Flipped | None]:
        """Hear of the end of a run: "success", "fail" or "short"."""
        is_bad = action != "success"
        bad = self.bad + 1 if is_bad else 0
        status = "up"
        if is_bad and (self.status == "down" or bad >= self.down_after):
            status = "down"
            bad = self.bad if self.status == "down" else bad * (self.down_after > 1)
        ended = self._ended(is_bad=is_bad, rid=rid)
        if is_bad and in_window and self.status != "down":
            since = self.counted
            if since is None and self.status == "up":
                since = self.last_ping
            after = ended.but(last_ping=at, counted=since)
            if self._is_answered() and after.raw() <= at:
                # What its run stood for is due when that had to end.
                after = after.but(not_before=max(self.not_before, self.raw()))
            return after, None
        runs = ended.runs
        if self.status == "down" and status == "up":
            # Nobody is told of it any more.
            runs = ended.told(at).runs
        # What is open still is put off, as it was.
        last = self.not_before if runs and at < self.not_before else 0.0
        after = ended.but(
            status=status,
            last_ping=at,
            bad=bad,
            runs=runs,
            counted=None,
            missed=None,
            excused=0,
            not_before=last,
            is_loose=False,
            may_fall=NEVER,
        )
        why = ("short" if action == "short" else "fail") if status == "down" else ""
        flip = (self.status, status, why) if status != self.status else None
        return after, flip

    def _ended(self, *, is_bad: bool, rid: str | None) -> "Guess":
        """End the run that an outcome ends."""
        gone = {rid}
        if rid is None and self.last_start is not None:
            gone.add(self.rid)
        runs = tuple(run for run in self.runs if run.rid not in gone)
        is_another = self.last_start is not None and self.rid != rid
        if is_another and not is_bad and rid is not None:
            return self.but(runs=runs)
        return self.but(runs=runs, last_start=None, rid=None, run_excused=False)

    def edited(self, settings: dict[str, Any], now: float) -> "Guess":
        """Have other settings, and with them other open runs."""
        after = replace(self, settings=settings)
        if not after.is_finer:
            return after.but(runs=())
        start, rid = self.last_start, self.rid
        if start is None or self.run_excused or rid in {run.rid for run in self.runs}:
            return after
        # Of what took it down people have heard.
        is_told = self.status == "down" and start + after.grace <= now
        return after.but(runs=(*self.runs, Run(start, rid, is_told)))

    def reset(self, status: str) -> "Guess":
        """Be paused, or be new again."""
        return Guess(
            self.settings,
            self.windows,
            self.leans_late,
            status,
            last_ping=None if status == "new" else self.last_ping,
        )

    def moved(self, by: float) -> "Guess":
        """Have all that it counts from be so much later."""
        return replace(
            self,
            last_ping=None if self.last_ping is None else self.last_ping + by,
            counted=None if self.counted is None else self.counted + by,
            missed=None if self.missed is None else self.missed + by,
        )
