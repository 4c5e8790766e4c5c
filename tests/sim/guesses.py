"""A check with finer rules, or in maintenance: all the ways in which it may stand."""

import copy
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

from tests.sim import unheard
from tests.sim.away import Away, may_have_pinged
from tests.sim.fewer import fewer, leaning
from tests.sim.guess import Guess
from tests.sim.model import Flipped, Model, changed
from tests.sim.moments import NEVER, PATIENCE, SLACK
from tests.sim.windows import Windows

# What hcl has seen to is no longer ago than this where nothing is in its way.
_LATE = 6.0


class Guesses(Model):
    """What `Model` is for others; `is_perfect`: nothing is unknown."""

    def __init__(
        self,
        settings: dict[str, Any],
        days: int,
        windows: Windows,
        *,
        is_perfect: bool = False,
    ) -> None:
        super().__init__(settings, days)
        self.windows = windows
        self._is_perfect = is_perfect
        soon = Guess(self.settings, windows)
        self.guesses = [soon] if is_perfect else [soon, replace(soon, leans_late=True)]
        # When grace begins at the earliest by one of those that were left out.
        self._left_out = NEVER
        self._judged_by = 0.0
        # What went wrong by the settings since is counted a moment later.
        self._edited = -NEVER
        self._before: tuple[list[Guess], tuple[float, float]] | None = None
        self._waiting: unheard.Waiting | None = None
        # How it stood when it was seen to step up, and when that was.
        self._stepped: tuple[list[Guess], float] = ([], -NEVER)

    @property
    def patience(self) -> float:
        """Return after how long without a sign of life a check is down at most."""
        return max(super().patience, self.guesses[0].limit)

    def work_out(self) -> None:
        """Work out between when and when it goes down."""
        self.version += 1
        if not self._is_perfect:
            found, others = fewer(self.guesses)
            self.guesses = leaning(found)
            nexts = (guess.next_pings(-NEVER)[0] for guess in others)
            self._left_out = min(self._left_out, *nexts, NEVER)
            if len({guess.expected() for guess in found}) == 1:
                # Those between them expect the same.
                self._left_out = NEVER
        falls = [guess.falls()[0] for guess in self.guesses]
        self.low, self.high = min(falls), max(falls)
        if self.high < self._judged_by:
            self.high = self._judged_by
        back = self.guesses[0].counted
        self.counted = None if back is None else (back, back)
        self.excused = (
            min(guess.excused for guess in self.guesses),
            max(guess.excused for guess in self.guesses),
        )
        self.doubtful = any(guess.is_loose for guess in self.guesses)

    def next_wrong(self) -> float:
        """Return when something goes wrong next at the earliest, whatever windows do.

        After that the deadline is worked out anew, by the wall of then.
        """
        none = Windows()
        return min(
            min(guess.but(windows=none).due(), guess.may_fall) for guess in self.guesses
        )

    # What is heard.

    def hear(
        self, action: str, rid: str | None, at: float, seen: Flipped | None = None
    ) -> Flipped | None:
        """Receive a ping; of what may be, that is so whose flip was seen."""
        self.n += 1
        if action in ("log", "ign"):
            return None
        if action == "start":
            self.last_start, self.rid = at, rid
            self.guesses = [guess.started(rid, at) for guess in self._at(at)]
            if self._before is not None:
                before, went = self._before
                self._before = [guess.started(rid, at) for guess in before], went
            if self._waiting is not None:
                self.guesses += self._waiting.began(rid, at)
                self._waiting = self._waiting.started(rid, at)
            self.work_out()
            return None
        self._end_run("fail" if action == "short" else action, rid, at)
        options = [
            guess.heard(action, rid, at, in_window=is_open)
            for guess in self._at(at)
            for is_open in self._may_be_open(at)
        ]
        options += self._stepped_by(action, rid, at)
        if self._waiting is not None and True in self._may_be_open(at):
            options += [(it, None) for it in self._waiting.failed(action, rid, at)]
        flip = options[0][1]
        if seen in [of for _, of in options]:
            flip = seen
        elif None in [of for _, of in options]:
            flip = None
        self.guesses = [guess for guess, of in options if of == flip]
        self.status = self.guesses[0].status
        self.last_ping, self.is_misjudged = at, False
        self.outcomes = [*self.outcomes[-5:], at]
        self._before, self._judged_by = None, 0.0
        self.work_out()
        return flip

    def _stepped_by(
        self, action: str, rid: str | None, at: float
    ) -> list[tuple[Guess, Flipped | None]]:
        """Return how it may stand if it was this ping that let it step up just now."""
        before, when = self._stepped
        if at > when + _LATE:
            return []
        options = [guess.heard(action, rid, at, in_window=False) for guess in before]
        return [(guess, None) for guess, of in options if of and of[1] == "up"]

    def judged(self, action: str, rid: str | None, at: float) -> str:
        """Return what a ping counts as by how long its run was."""
        return "short" if self.guesses[0].is_short(action, rid, at) else action

    def _at(self, at: float) -> list[Guess]:
        """Return how it may stand at a moment, of which hcl may have seen less."""
        if self._is_perfect:
            return [guess.at(at) for guess in self.guesses]
        found = [
            guess.at(moment) for guess in self.guesses for moment in (at - _LATE, at)
        ]
        # By another wall they may have been too long before.
        return found + [guess.told(at) for guess in found if guess.is_loose]

    def _may_be_open(self, at: float) -> set[bool]:
        """Tell whether a window may be open, and may not."""
        tags = str(self.settings.get("tags", ""))
        is_open = self.windows.until(at, tags) is not None
        if self._is_perfect:
            return {is_open}
        is_unsure = self.windows.is_near_edge(at, tags, SLACK)
        is_unsure |= any(guess.is_loose for guess in self.guesses)
        return {True, False} if is_unsure and self.windows.concern(tags) else {is_open}

    # What is not.

    def pass_to(self, now: float) -> None:
        """Let time have what effect it has before anybody is told."""
        self.guesses = [guess.at(now) for guess in self.guesses]
        if self.guesses[0].status != self.status:
            self.status = self.guesses[0].status
            self.work_out()

    def may_step_up(self, now: float) -> bool:
        """Tell whether what went wrong once has something expected from now on."""
        return any(guess.at(now + SLACK).status == "up" for guess in self.guesses)

    def step_up(self, now: float) -> None:
        """Be up, since something went wrong of one that was new or paused."""
        self._stepped = self.guesses, now
        found = [guess.at(now + SLACK) for guess in self.guesses]
        self.guesses = [guess for guess in found if guess.status == "up"]
        self.status = "up"
        self.work_out()

    def fall(self, now: float) -> None:
        """Go down now, since nothing was heard."""
        able = [guess for guess in self.guesses if guess.falls()[0] <= now + SLACK]
        self.guesses = [guess.fallen(now) for guess in able or self.guesses]
        self.status, self._before = "down", None
        self.work_out()

    def hangs(self, perfect: Model, now: float) -> bool:
        """Tell whether a run is too long, and truly is: who is always there sees it.

        It may have told of it before, or not at all while the check was down.
        """
        runs = {
            (run.start, run.rid)
            for guess in self.guesses
            for run in guess.at(now).runs
            if not run.is_told and run.start + guess.limit <= now + SLACK
        }
        return isinstance(perfect, Guesses) and any(
            run.rid == rid and run.start <= start + SLACK
            for run in perfect.guesses[0].runs
            for start, rid in runs
        )

    def reasons(self, now: float) -> set[str]:
        """Return why it may have gone down by now, or a little later."""
        found = {guess.falls() for guess in self.guesses}
        reasons = {why for at, why in found if at <= now + SLACK}
        for guess in self.guesses:
            # Two that are due at about one moment are one or the other.
            for other in (guess.at(now - 3), guess.at(now + 3)):
                reasons.add(other.stepped()[1] if other.due() < NEVER else "")
        return reasons

    def judge_away(self, away: Away, *, is_start: bool) -> None:
        """Judge it after an absence: at a start with the start before, if need be."""
        goes_on = is_start and self._before is not None and bool(away.again)
        before = (self.guesses, away.went)
        if goes_on and self._before is not None:
            then, went = before = self._before
            found = self._judged(then, replace(away, went=(went[0], away.went[1])))
            if away.again == "perhaps":
                found += self._judged(self.guesses, away)
        else:
            found = self._judged(self.guesses, away)
        if is_start:
            self._before, self._waiting = before, None
        else:
            self._before = self._before if away.again else None
            self._waiting = unheard.Waiting(self.guesses, away)
        self.guesses = found
        # Nobody is called down before all is judged.
        self._judged_by = away.returned[1] + PATIENCE
        self.work_out()

    def _judged(self, guesses: Iterable[Guess], away: Away) -> list[Guess]:
        guesses = list(guesses)
        may, must = may_have_pinged(self, away)
        found = []
        gone, last = set(away.went), away.went[1]
        if any(last < guess.due() <= last + SLACK for guess in guesses):
            # What was due in that very moment it may have counted still.
            gone.add(last + SLACK)
        corners = product(gone, set(away.returned))
        for (went, back), guess in product(list(corners), guesses):
            deafs = {went, away.went[1] + SLACK}
            pings = {may, must}
            if guess.excused and (guess.counted or NEVER) < (self.last_ping or 0.0):
                # It failed in a window since: hcl takes that for a clock set back.
                pings.add(True)
            choices = product(set(away.counts) | {1}, deafs, pings)
            for counts, deaf, pinged in choices:
                judge = partial(
                    unheard.judged,
                    guess,
                    went,
                    back,
                    deaf=deaf,
                    may=pinged,
                    counts=counts,
                )
                judged = judge(anew=away.all_anew)
                found.append(judged)
                if away.all_anew and guess.excused >= 3:
                    # A boot that went on knows how long it was; and by the table each
                    # is as if a success had come at the return.
                    found += guess, judged.but(counted=back, missed=None)
                if away.ahead:
                    falls = min(judged.may_fall, away.returned[0])
                    found += replace(judged, may_fall=falls), judge(ahead=away.ahead)
        return found if away.sure else [*guesses, *found]

    # What people and clocks do.

    def pause(self) -> Flipped | None:
        """Be paused."""
        if self.status == "paused":
            return None
        old = self._reset("paused")
        return (old, "paused", "")

    def resume(self) -> Flipped:
        """Be new again."""
        self.last_ping = None
        self._reset("new")
        return ("paused", "new", "")

    def _reset(self, status: str) -> str:
        old, self.status = self.status, status
        self.last_start = self.rid = None
        self.guesses = [guess.reset(status) for guess in self.guesses]
        self._before, self._judged_by = None, 0.0
        self.work_out()
        return old

    def edit(self, values: dict[str, Any], now: float = NEVER) -> None:
        """Have other settings."""
        tags = self.settings.get("tags")
        befores = self.dues(now) if now < NEVER else []
        self._edited = now if now < NEVER else -NEVER
        self.settings = changed(self.settings, values)
        self.guesses = [guess.edited(self.settings, now) for guess in self.guesses]
        self._before = None
        if self.settings.get("tags") != tags and now < NEVER:
            self.have_other_windows(befores, now)
        self.work_out()

    def doubt(self) -> None:
        """Have its schedule, and windows, counted by a wall that may be wrong."""
        has_windows = self.windows.concern(str(self.settings.get("tags", "")))
        if "schedule" in self.settings or has_windows:
            self.guesses = [
                replace(guess, is_loose=True, leans_late=late)
                for guess in self.guesses
                for late in (False, True)
            ]
            self.work_out()

    def misjudge(self, by: tuple[float, float]) -> None:
        """Have what was heard last be of another time, by so much at most."""
        self.is_misjudged = True
        self.guesses += [guess.moved(at) for guess in self.guesses for at in by]
        self.work_out()

    def dues(self, now: float) -> list[float]:
        """Count what went wrong by now; return when each guess has the next."""
        self.guesses = self._at(now)
        return [guess.due() for guess in self.guesses]

    def have_other_windows(
        self, before: Iterable[float], now: float, latest: float | None = None
    ) -> None:
        """Have what is put off no more, and would be over, have its grace from now.

        Or from `latest` at most: hcl looks at them only then.
        """
        found = []
        last = now if latest is None else latest
        for guess, due in zip(self.guesses, before, strict=True):
            is_over = now < due and guess.due() <= now
            again = [
                replace(guess, not_before=at + guess.grace)
                for at in dict.fromkeys((now, last))
            ]
            found += again if is_over else [guess]
            if not is_over and due > guess.due() and guess.due() <= last + SLACK:
                found += again
        self.guesses = found
        self.work_out()

    def late_between(self, now: float) -> tuple[float, float]:
        """Return between when and when people are told that it is late."""
        if self.status != "up" or self.last_start is not None:
            return NEVER, NEVER
        low, high = self.next_pings(now)
        if high == NEVER:
            return low, high
        if self.doubtful:
            return low, high + self.longest_maintenance()
        tags = str(self.settings.get("tags", ""))
        low = self.windows.until(low - SLACK, tags) or low
        return low, self.windows.until(high + SLACK, tags) or high

    def has_missed(self, now: float) -> bool:
        """Tell whether something went wrong that has not called it down."""
        return any(guess.bad for guess in self._at(now))

    def longest_maintenance(self) -> float:
        """Return for how long windows may put off that it is called down."""
        tags = str(self.settings.get("tags", ""))
        if not self.windows.concern(tags):
            return 0.0
        # Each absence that excuses may lead into another window.
        return 4 * (self.windows.latest(0.0, self.grace, tags) + self.grace)

    def maintained_until(self, now: float) -> float | None:
        """Return when the windows have closed that are open; None: none is."""
        return self.windows.until(now, str(self.settings.get("tags", "")))

    def believing(self, other: Model) -> Model:
        """Return what this one knows, with what people changed as the other has it."""
        if "paused" in (other.status, self.status) and other.status != self.status:
            return (
                other.copied(is_perfect=True) if isinstance(other, Guesses) else other
            )
        self.edit(dict(other.settings))
        return self

    def copied(self, *, is_perfect: bool | None = None) -> "Guesses":
        """Return one that is the same."""
        other = copy.copy(self)
        other.settings, other.outcomes = dict(self.settings), list(self.outcomes)
        other.guesses = [replace(g, settings=other.settings) for g in self.guesses]
        if is_perfect:
            other._is_perfect, other.guesses = True, other.guesses[:1]
        return other

    # What is shown.

    def shown(self, now: float) -> set[str]:
        """Return the statuses that people may be shown."""
        if self.status == "down":
            return {"down"}
        found = {
            guess.shown(moment)
            for guess in self.guesses
            for moment in (now - SLACK, now, now + SLACK)
        }
        if now < self._judged_by:
            found |= {self.status, "grace"}
        if {"up", "down"} <= found:
            # Between the guesses there may be others.
            found.add("grace")
        return found

    def next_pings(self, now: float) -> tuple[float, float]:
        """Return between when and when grace begins, as the API tells it."""
        moments = {now - _LATE, now}
        if now < self._edited + _LATE:
            moments.add(-NEVER)
        found = [
            at
            for guess in self.guesses
            for moment in moments
            for at in guess.next_pings(moment)
        ]
        if self._left_out == NEVER:
            return min(found), max(found)
        # What these have missed by now one between them may expect still, or missed
        # at another moment since.
        return min(*found, self._left_out), max(*found, now + self.distance)
