"""The oracle of checks: it knows when jobs truly ran, and judges hcl by that."""

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.sim.answers import wrong_in_check, wrong_in_flips, wrong_in_pings
from tests.sim.away import Away
from tests.sim.clockwork import BEGAN
from tests.sim.falls import Falls
from tests.sim.guess import FINER
from tests.sim.guesses import Guesses
from tests.sim.jobs import Job, Signal, counts_as
from tests.sim.model import Flipped, Model, changed
from tests.sim.moments import NEVER
from tests.sim.network import Attempt
from tests.sim.watched import Watched
from tests.sim.written import Written

if TYPE_CHECKING:
    from tests.sim.world import World

# Why a check goes down of which nothing is heard, or not the end of its run.
_MISSED = ("timeout", "missed", "overran")


class Oracle(Written):
    """Hears of all that truly happens to checks."""

    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.by_code: dict[str, Watched] = {}
        self._falls = Falls(world)
        self._last_flip = 0
        self._by_id: dict[int, Watched] = {}

    # What the world tells.

    def made(self, job: Job, code: str, channels: Sequence[str]) -> None:
        """Watch a check that was just made."""
        ((id_,),) = self._rows("SELECT id FROM checks WHERE code = ?", code)
        watched = Watched(
            job,
            code,
            id_,
            set(channels),
            self._model(job),
            self._model(job, is_perfect=True),
        )
        self.by_code[code] = self._by_id[id_] = watched

    def _model(self, job: Job, *, is_perfect: bool = False) -> Model:
        settings, days = changed(job.settings, {}), self._world.days
        project = job.kind.project
        # It may be given some later.
        if not project and not job.settings.keys() & {"tags", "down_after", *FINER}:
            return Model(settings, days)
        windows = self._world.windows[project]
        return Guesses(settings, days, windows, is_perfect=is_perfect)

    def sent(self, job: Job, signal: Signal) -> None:
        """Hear that a job truly sent a signal, whether or not anybody hears it."""
        watched, now = self.by_code.get(job.code), self._world.machine.now
        if watched is None:
            return
        self._falls.settle(watched)
        perfect = watched.perfect
        action = counts_as(perfect.settings, perfect.status, signal)
        perfect.hear(perfect.judged(action, signal.rid, now), signal.rid, now)
        is_outcome = action in ("success", "fail")
        if is_outcome or isinstance(perfect, Guesses):
            watched.unheard.append(now)
        if is_outcome:
            watched.down_since = now if perfect.status == "down" else None
            watched.patience = 0.0

    def acked(self, attempt: Attempt) -> None:
        """Hear that hcl acknowledged a ping."""
        self._world.pings += 1
        watched = self.by_code.get(attempt.code)
        if watched is not None:
            self._heard(watched, attempt, self._world.machine.now)

    def _heard(self, watched: Watched, attempt: Attempt, at: float) -> None:
        model, signal = watched.model, attempt.signal
        action = counts_as(model.settings, model.status, signal)
        judged = model.judged(action, signal.rid, at)
        if judged == "short" and self._is_unknown(watched):
            judged = action
        seen = watched.seen[0][1] if watched.seen else None
        version = model.version
        flip = model.hear(judged, signal.rid, at, seen)
        if self._world.machine.is_wrong:
            model.doubt()
        if action == "start":
            self._world.steps.began(watched, version)
        action = "fail" if judged == "short" else action
        watched.log[model.n] = attempt.number, action, signal.rid
        if action == "success" or (action == "fail" and not isinstance(model, Guesses)):
            # Of a row of bad outcomes one that was not heard may have been none.
            watched.unheard.clear()
        self._world.note(f"{watched.job.name}: ping {model.n}: {action}", watched.code)
        self._world.lates.heard(watched, action)
        self._world.slows.heard(watched, action, signal.rid, at)
        self.expect(watched, flip)

    def _is_unknown(self, watched: Watched) -> bool:
        """Tell whether a run that was too short is one whose length hcl cannot know."""
        began = watched.model.last_start
        if began is None or began > self._world.guessed_at:
            return False
        return self._action_of(watched, watched.model.n + 1) == "success"

    def unsure(self, attempt: Attempt) -> None:
        """Hear that the process ended before it answered a ping."""
        watched = self.by_code.get(attempt.code)
        if watched is not None:
            watched.unsure[attempt.number] = attempt

    def refused(self, attempt: Attempt) -> None:
        """Hear that hcl could not keep a ping."""
        self._world.note(f"{attempt.job.name}: a ping is refused", attempt.job.code)

    def asks(
        self, watched: Watched, was_done: Callable[[Any], bool], act: Callable[[], None]
    ) -> Callable[..., None]:
        """Hear that somebody asks for a change; return what hears the answer.

        `was_done` tells by the check's row (None: it is gone) whether it was done.
        """
        watched.asked = was_done, act

        def answered(status: int | None, told: Any = None) -> None:
            if status is None or watched.code not in self.by_code:
                return
            watched.asked = None
            if status == 200:
                act()
                if told is not None and watched.code in self.by_code:
                    self.compare(watched, told)
            elif status != 503:
                self._world.blame("a change is refused", f"{watched.job.name} {status}")

        return answered

    def expect(self, watched: Watched, flip: Flipped | None) -> None:
        """Have what was just told make this flip, or none."""
        if flip is not None:
            if not watched.seen or watched.seen[0][1] != flip:
                seen = watched.seen[0][1] if watched.seen else None
                self._blame(watched, "a status is wrong", f"{seen} and not {flip}")
            if watched.seen:
                watched.seen.popleft()
        if watched.model.status != "up":
            self._world.lates.changed(watched)
        self._take_timeouts(watched)
        self._falls.await_down(watched)

    # What hcl writes.

    def poll(self) -> None:
        """Look for flips that were committed."""
        rows = self._rows(
            "SELECT id, check_id, created, old_status, new_status, reason FROM flips"
            " WHERE id > ? ORDER BY id",
            self._last_flip,
        )
        for id_, check_id, created, *flip in rows:
            self._last_flip = id_
            watched = self._by_id.get(check_id)
            if watched is None:
                continue
            old, new, reason = flip
            self._world.note(
                f"{watched.job.name} goes from {old} to {new} {reason}".strip()
                + f" (flip {id_})",
                watched.code,
            )
            watched.seen.append((id_, (old, new, reason)))
            watched.flipped_at = self._world.machine.now
            watched.flips.append(new)
            at = created - BEGAN - self._world.machine.offset
            self._world.telling.flipped(
                watched.code, id_, old, new, watched.channels, at
            )
            self._take_timeouts(watched)

    def _take_timeouts(self, watched: Watched) -> None:
        while watched.seen:
            _, (old, new, reason) = watched.seen[0]
            model, now = watched.model, self._world.machine.now
            if reason in _MISSED:
                watched.seen.popleft()
                self._falls.timed_out(watched, old, reason)
            elif isinstance(model, Guesses) and old == model.status != "down":
                if new != "up" or not model.may_step_up(now):
                    break
                watched.seen.popleft()
                model.step_up(now)
            else:
                break

    def settle_both(self, watched: Watched) -> None:
        """Have time have its effect before something else does."""
        self._falls.settle(watched)

    # What hcl is asked.

    def compare(self, watched: Watched, told: Any) -> None:
        """Compare what the API says of a check with what it ought to say."""
        world = self._world
        for what, more in wrong_in_check(
            watched.model,
            told,
            world.machine,
            is_calm=world.is_calm and not world.maintaining.is_in_doubt,
            can_settle=world.refusal is None,
            was_set=world.guessed.last_set(world.machine.now, world.steps.taken),
        ):
            self._blame(watched, f"the API tells a wrong {what}", more)

    def compare_pings(self, watched: Watched, told: Any) -> None:
        """Look at what the API says of the last pings of a check."""
        for what, more in wrong_in_pings(told):
            self._blame(watched, f"the API tells a wrong {what}", more)

    def compare_flips(self, watched: Watched, told: Any) -> None:
        """Look at what the API says of the flips of a check."""
        for what, more in wrong_in_flips(watched.flips, told):
            self._blame(watched, f"the API tells a wrong {what}", more)

    def verify(self, watched: Watched) -> None:
        """Compare the log with what was acknowledged since it was looked at last."""
        for row in self._new_rows(watched):
            n, action, rid, ua = row
            if n != watched.verified + 1:
                self._blame(watched, "numbers have a hole", f"{n}")
            watched.verified = n
            expected = watched.log.pop(n, None)
            if expected is None or (f"sim/{expected[0]}", *expected[1:]) != (
                ua,
                action,
                rid,
            ):
                self._blame(
                    watched, "the log is wrong", f"{n}: {row} and not {expected}"
                )
        if watched.verified < watched.model.n:
            self._blame(
                watched,
                "an acknowledged ping is lost",
                f"{watched.verified + 1} to {watched.model.n}",
            )
        if watched.seen:
            self._blame(watched, "a flip has no cause", f"{watched.seen[0]}")

    # After a start.

    def recover(self, ended: float) -> None:
        """Find out what was recorded, and done, of what a crash left unanswered.

        The process `ended` at that moment: what it committed last it wrote by then.
        """
        self._world.committed(ended)
        self._world.maintaining.recover()
        for watched in list(self.by_code.values()):
            if watched.asked is not None:
                self._resolve(watched)
        for watched in self.by_code.values():
            numbers = {f"sim/{n}": a for n, a in watched.unsure.items()}
            for n, _, _, ua in self._new_rows(watched):
                if n > watched.model.n and (attempt := numbers.get(ua)):
                    self._heard(watched, attempt, attempt.arrived)
            watched.unsure.clear()
            self.verify(watched)

    def _resolve(self, watched: Watched) -> None:
        assert watched.asked is not None
        was_done, act = watched.asked
        watched.asked = None
        rows = self._rows(
            "SELECT s.status, c.timeout, c.grace, c.schedule, c.tags FROM checks c"
            " JOIN check_states s ON s.check_id = c.id WHERE c.id = ?",
            watched.id,
        )
        if was_done(rows[0] if rows else None):
            act()

    def judge(self, away: Away, *, is_start: bool = False) -> None:
        """Hear that hcl was not there."""
        for watched in self.by_code.values():
            watched.model.judge_away(away, is_start=is_start)
            self._falls.await_down(watched)

    def doubt(self) -> None:
        """Hear that the wall may be wrong, or was set."""
        for watched in self.by_code.values():
            watched.model.shaken = self._world.machine.now
            watched.model.doubt()
            self._falls.await_down(watched)

    def misjudge(self, until: float, by: float) -> None:
        """Hear that what was heard by then is of a time that may stay so much later."""
        for watched in self.by_code.values():
            last = watched.model.last_ping
            if by and last is not None and last <= until:
                watched.model.misjudge((min(by, 0.0), max(by, 0.0)))
                self._falls.await_down(watched)

    def change_windows(
        self, project: int, act: Callable[[], None], latest: float | None = None
    ) -> None:
        """Have other windows of maintenance from now on.

        `latest`: only hcl has; it starts with them, and looks at them by then.
        """
        now = self._world.machine.now
        is_start = latest is not None
        concerned = [
            model
            for watched in self.by_code.values()
            for model in (watched.model, watched.perfect)[: 1 if is_start else 2]
            if watched.job.kind.project == project and isinstance(model, Guesses)
        ]
        for watched in () if is_start else self.by_code.values():
            self._falls.settle(watched)
        befores = [model.dues(now) for model in concerned]
        act()
        for model, before in zip(concerned, befores, strict=True):
            model.have_other_windows(before, now, latest)
        for watched in self.by_code.values():
            self._falls.await_down(watched)

    def edit(self, watched: Watched, values: dict[str, Any]) -> None:
        """Have other settings from now on."""
        self._falls.settle(watched)
        self._falls.be_patient(watched)
        channels = values.pop("channels", None)
        if channels is not None:
            # What stands in no config just now keeps its checks for when it does again.
            away = watched.channels - self._world.telling.plans().keys()
            before, chosen = watched.channels, set(filter(None, channels.split(",")))
            watched.channels = away | chosen
            self._world.telling.returns.assigned(watched.code, sorted(chosen - before))
        now = self._world.machine.now
        watched.perfect.edit(dict(values), now)
        self._falls.settle(watched, now)
        watched.model.edit(dict(values), now)
        self._world.lates.changed(watched)
        self.expect(watched, None)

    def forget(self, watched: Watched) -> None:
        """Hear that a check was deleted."""
        del self.by_code[watched.code], self._by_id[watched.id]
        self._world.telling.forget(watched.code)

    # A backup, and going back to it.

    def remember(self) -> Any:
        """Return all that a copy of the database says, to go back to."""
        kept = {}
        for code, watched in self.by_code.items():
            job, watched.job = watched.job, None  # type: ignore[assignment]
            asked, watched.asked = watched.asked, None
            kept[code] = copy.deepcopy(watched)
            watched.job, watched.asked = job, asked
            kept[code].job = job
        mutes = self._world.telling.mutes.remember()
        return kept, self._last_flip, mutes, self._world.maintaining.remember()

    def go_back(self, kept: Any) -> None:
        """Believe of hcl what was true when this was remembered; jobs go on."""
        before, self._last_flip, mutes, windows = kept
        self._world.maintaining.go_back(windows)
        self._world.telling.go_back(self._last_flip, mutes)
        for code, old in before.items():
            # What was deleted since is there again, and its job needs no other.
            new = self.by_code.get(code) or self.by_code.get(old.job.code)
            if new is not None:
                old.perfect = new.perfect.believing(old.model)
                if old.perfect is new.perfect:
                    old.down_since = new.down_since
                else:
                    # That it was paused since is undone just now.
                    old.down_since = None
                    self._falls.settle(old, self._world.machine.now)
            old.job.code = code
            # Whatever its jobs sent since is lost, however soon that was.
            old.unheard, old.examined_at = [old.model.last_ping or 0.0], NEVER
            self.by_code[code] = self._by_id[old.id] = old
            self._falls.await_down(old)
        for code in sorted(self.by_code.keys() - before.keys()):
            job = self.by_code[code].job
            if job.code == code:
                # It was made since, and has to be made again.
                job.code = ""
            self.forget(self.by_code[code])
        self._world.lates.go_back()
        self._world.slows.go_back()

    # What others ask.

    def status_of(self, code: str) -> str:
        """Return the stored status that a check ought to have."""
        watched = self.by_code.get(code)
        return "" if watched is None else watched.model.status

    def flipped_at(self, code: str) -> float:
        """Return when a check flipped last."""
        watched = self.by_code.get(code)
        return 0.0 if watched is None else watched.flipped_at

    def _blame(self, watched: Watched, what: str, more: str = "") -> None:
        self._world.blame(what, f"{watched.job.name} {more}".strip(), watched.code)
