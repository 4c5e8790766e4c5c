"""The oracle of checks: it knows when jobs truly ran, and judges hcl by that."""

import copy
import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hcl.model import Flip
from tests.sim.answers import wrong_in_check, wrong_in_flips, wrong_in_pings
from tests.sim.clockwork import BEGAN
from tests.sim.guess import FINER
from tests.sim.guesses import Guesses
from tests.sim.jobs import Job, Signal, counts_as
from tests.sim.model import NEVER, SLACK, Away, Flipped, Model
from tests.sim.network import Attempt
from tests.sim.watched import Watched

if TYPE_CHECKING:
    from tests.sim.world import World

# The checker is not later than this where nothing is in its way.
_LATE = 6.0

# A message is no longer on its way than this.
_ON_ITS_WAY = 60.0

# Why a check goes down of which nothing is heard, or not the end of its run.
_MISSED = ("timeout", "missed", "overran")

_ROWS = (
    "SELECT n, action, rid, ua FROM pings WHERE check_id = ? AND n > ? UNION"
    " SELECT n, action, rid, ua FROM inbox WHERE check_id = ? AND n > ? ORDER BY n"
)


class Oracle:
    """Hears of all that truly happens to checks."""

    def __init__(self, world: "World") -> None:
        self.by_code: dict[str, Watched] = {}
        self._world = world
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
        settings, days = dict(job.settings), self._world.days
        project = job.kind.project
        if not project and not settings.keys() & {"tags", "down_after", *FINER}:
            return Model(settings, days)
        windows = self._world.windows[project]
        return Guesses(settings, days, windows, is_perfect=is_perfect)

    def sent(self, job: Job, signal: Signal) -> None:
        """Hear that a job truly sent a signal, whether or not anybody hears it."""
        watched, now = self.by_code.get(job.code), self._world.machine.now
        if watched is None:
            return
        self._settle(watched)
        perfect = watched.perfect
        action = counts_as(perfect.settings, perfect.status, signal)
        perfect.hear(perfect.judged(action, signal.rid, now), signal.rid, now)
        is_outcome = action in ("success", "fail")
        if is_outcome or isinstance(perfect, Guesses):
            watched.unheard.append(now)
        if is_outcome:
            watched.down_since = now if perfect.status == "down" else None

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
        seen = watched.seen[0][1] if watched.seen else None
        flip = model.hear(judged, signal.rid, at, seen)
        action = "fail" if judged == "short" else action
        if self._world.machine.is_wrong:
            model.doubt()
        watched.log[model.n] = attempt.number, action, signal.rid
        if action == "success" or (action == "fail" and not isinstance(model, Guesses)):
            # Of a row of bad outcomes one that was not heard may have been none.
            watched.unheard.clear()
        self._world.note(f"{watched.job.name}: ping {model.n}: {action}", watched.code)
        self._world.lates.heard(watched, action)
        self._world.slows.heard(watched, action, signal.rid)
        self.expect(watched, flip)

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
        self._await_down(watched)

    # What hcl writes.

    def _rows(self, sql: str, *parameters: Any) -> list[Any]:
        raw = self._world.raw()
        return sqlite3.Connection.execute(raw, sql, parameters).fetchall()

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
                self._timed_out(watched, old, reason)
            elif isinstance(model, Guesses) and old == model.status != "down":
                if new != "up" or not model.may_step_up(now):
                    break
                watched.seen.popleft()
                model.step_up(now)
            else:
                break

    def _timed_out(self, watched: Watched, old: str, reason: str) -> None:
        model, now = watched.model, self._world.machine.now
        if model.status != old or model.low == NEVER:
            self._blame(watched, "it is called down, and nothing was due")
        elif now < model.low - SLACK:
            self._blame(
                watched, "it is called down too early", f"by {model.low - now:.0f} s"
            )
        self._settle(watched)
        perfect = watched.perfect
        if perfect.status != "down" and not self._is_explained(watched):
            self._blame(watched, "a false alarm: the job ran in time")
        if watched.down_since is not None:
            since = watched.down_since
            if old != "up" and model.last_start is not None:
                # Before it heard of the run nothing was expected.
                since = max(since, model.last_start + model.grace)
            self._look_at_bound(watched, since)
        if reason not in model.reasons(now):
            self._blame(watched, "a flip has a wrong reason", reason)
        model.fall(now)
        self._world.lates.changed(watched)

    def settle_both(self, watched: Watched) -> None:
        """Have time have its effect before something else does."""
        self._settle(watched)

    def _settle(self, watched: Watched) -> None:
        """Let one who is always there call it down, if that is due."""
        perfect, now = watched.perfect, self._world.machine.now
        perfect.pass_to(now)
        if perfect.low <= now + SLACK:
            watched.down_since = perfect.low
            perfect.fall(perfect.low)

    def _is_explained(self, watched: Watched) -> bool:
        """Tell whether spec.md lets a job be called down that ran in time."""
        model = watched.model
        if model.excused[1] >= 3 or model.doubtful:
            return True
        if isinstance(model, Guesses):
            # Any that was not heard may have been what keeps it up.
            return bool(watched.unheard)
        # What comes long before it mostly does is not looked for.
        turn = (model.last_ping or 0.0) + model.usual() / 2
        return any(at < turn + SLACK for at in watched.unheard)

    def _look_at_bound(self, watched: Watched, since: float) -> None:
        model, world = watched.model, self._world
        length = world.away_since(since) + 3 * model.patience + 60
        length += model.longest_maintenance()
        if world.machine.now > since + length + _LATE:
            self._blame(watched, "a dead job is told later than its bound")

    def _await_down(self, watched: Watched) -> None:
        self._world.lates.watch(watched)
        when = watched.model.high + _LATE
        if when < watched.examined_at:
            watched.examined_at = when
            self._world.agenda.at(when, lambda: self._examine(watched, when))

    def _examine(self, watched: Watched, when: float) -> None:
        """See whether a check that nothing was heard of is down by now."""
        if watched.examined_at != when or self.by_code.get(watched.code) is not watched:
            return
        watched.examined_at = NEVER
        model, world = watched.model, self._world
        if model.high + _LATE > world.machine.now or model.high == NEVER:
            self._await_down(watched)
        elif not world.is_calm:
            again = watched.examined_at = world.machine.now + 30
            world.agenda.at(again, lambda: self._examine(watched, again))
        else:
            self._blame(watched, "a dead job is not told")

    # What hcl is asked.

    def compare(self, watched: Watched, told: Any) -> None:
        """Compare what the API says of a check with what it ought to say."""
        world = self._world
        for what, more in wrong_in_check(
            watched.model,
            told,
            world.machine,
            is_calm=world.is_calm,
            can_settle=world.refusal is None,
            was_set=world.set,
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

    def _new_rows(self, watched: Watched) -> list[Any]:
        return self._rows(
            _ROWS, watched.id, watched.verified, watched.id, watched.verified
        )

    # After a start.

    def recover(self) -> None:
        """Find out what was recorded, and done, of what a crash left unanswered."""
        self._world.committed()
        self._world.maintaining.recover()
        for watched in list(self.by_code.values()):
            if watched.asked is not None:
                self._resolve(watched)
        for watched in self.by_code.values():
            numbers = {f"sim/{n}": a for n, a in watched.unsure.items()}
            for n, _, _, ua in self._new_rows(watched):
                if n > watched.model.n and (attempt := numbers.get(ua)):
                    self._heard(watched, attempt, attempt.sent)
            watched.unsure.clear()
            self.verify(watched)

    def _resolve(self, watched: Watched) -> None:
        assert watched.asked is not None
        was_done, act = watched.asked
        watched.asked = None
        rows = self._rows(
            "SELECT s.status, c.timeout, c.grace, c.schedule FROM checks c"
            " JOIN check_states s ON s.check_id = c.id WHERE c.id = ?",
            watched.id,
        )
        if was_done(rows[0] if rows else None):
            act()

    def judge(self, away: Away, *, is_start: bool = False) -> None:
        """Hear that hcl was not there."""
        for watched in self.by_code.values():
            watched.model.judge_away(away, is_start=is_start)
            self._await_down(watched)

    def doubt(self) -> None:
        """Hear that the wall may be wrong, or was set."""
        for watched in self.by_code.values():
            watched.model.shaken = self._world.machine.now
            watched.model.doubt()
            self._await_down(watched)

    def change_windows(self, project: int, act: Callable[[], None]) -> None:
        """Have other windows of maintenance from now on."""
        now = self._world.machine.now
        concerned = [
            model
            for watched in self.by_code.values()
            for model in (watched.model, watched.perfect)
            if watched.job.kind.project == project and isinstance(model, Guesses)
        ]
        for watched in self.by_code.values():
            self._settle(watched)
        befores = [model.dues() for model in concerned]
        act()
        for model, before in zip(concerned, befores, strict=True):
            model.have_other_windows(before, now)
        for watched in self.by_code.values():
            self._await_down(watched)

    def edit(self, watched: Watched, values: dict[str, Any]) -> None:
        """Have other settings from now on."""
        self._settle(watched)
        channels = values.pop("channels", None)
        if channels is not None:
            # What stands in no config just now keeps its checks for when it does again.
            away = watched.channels - self._world.telling.plans().keys()
            watched.channels = away | set(filter(None, channels.split(",")))
        now = self._world.machine.now
        watched.perfect.edit(dict(values), now)
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
        return kept, self._last_flip, self._world.maintaining.remember()

    def go_back(self, kept: Any) -> None:
        """Believe of hcl what was true when this was remembered; jobs go on."""
        before, self._last_flip, windows = kept
        self._world.maintaining.go_back(windows)
        self._world.lates.go_back()
        self._world.slows.go_back()
        self._world.telling.go_back(self._last_flip)
        for code, old in before.items():
            new = self.by_code.get(code)
            if new is None:
                continue
            if not any(job.code == code for job in self._world.jobs):
                continue
            # Whatever its jobs sent since is lost, however soon that was.
            old.unheard = [old.model.last_ping or 0.0]
            old.perfect = new.perfect.believing(old.model)
            old.down_since, old.examined_at = new.down_since, NEVER
            self.by_code[code] = self._by_id[old.id] = old
            self._await_down(old)
        for code in sorted(self.by_code.keys() - before.keys()):
            # It was made since, and has to be made again.
            self.by_code[code].job.code = ""
            self.forget(self.by_code[code])

    # What others ask.

    def windows_by_hand(self) -> list[Any]:
        """Return the id, the project's number and the end of each window by hand."""
        return self._rows(
            "SELECT w.id, (SELECT count(*) FROM projects p WHERE p.id < w.project_id),"
            ' w."end" FROM windows w ORDER BY w.id'
        )

    def latenesses_after(self, last: int) -> list[Any]:
        """Return the id, the check's code and the beginning of each after an id."""
        return self._rows(
            "SELECT l.id, c.code, l.began FROM latenesses l JOIN checks c"
            " ON c.id = l.check_id WHERE l.id > ? AND l.usual IS NULL ORDER BY l.id",
            last,
        )

    def slow_after(self, last: int) -> list[Any]:
        """Return the id, the check's code, the length and the end of slow runs."""
        return self._rows(
            "SELECT l.id, c.code, l.ended - l.began, l.ended FROM latenesses l"
            " JOIN checks c ON c.id = l.check_id"
            " WHERE l.id > ? AND l.usual IS NOT NULL ORDER BY l.id",
            last,
        )

    def slow_of(self, code: str, ended: float) -> int | None:
        """Return the id of the slow run of a check that ended at about a moment."""
        rows = self._rows(
            "SELECT l.id FROM latenesses l JOIN checks c ON c.id = l.check_id"
            " WHERE c.code = ? AND l.usual IS NOT NULL"
            " ORDER BY min(abs(l.ended - ?), abs(l.ended - ?)), l.id DESC LIMIT 1",
            code,
            *self._written(ended),
        )
        return rows[0][0] if rows else None

    def last_lateness(self) -> int:
        """Return the id of the last one that is known to hcl."""
        ((last,),) = self._rows("SELECT coalesce(max(id), 0) FROM latenesses")
        return int(last)

    def lateness_of(self, code: str, began: float) -> int | None:
        """Return the id of the lateness of a check that began at about a moment."""
        rows = self._rows(
            "SELECT l.id FROM latenesses l JOIN checks c ON c.id = l.check_id"
            " WHERE c.code = ? AND l.usual IS NULL"
            " ORDER BY min(abs(l.began - ?), abs(l.began - ?)), l.id DESC LIMIT 1",
            code,
            *self._written(began),
        )
        return rows[0][0] if rows else None

    def status_of(self, code: str) -> str:
        """Return the stored status that a check ought to have."""
        watched = self.by_code.get(code)
        return "" if watched is None else watched.model.status

    def flipped_at(self, code: str) -> float:
        """Return when a check flipped last."""
        watched = self.by_code.get(code)
        return 0.0 if watched is None else watched.flipped_at

    def flip_of(self, code: str, flip: Flip) -> int | None:
        """Return the id of a flip that a message tells of."""
        rows = self._rows(
            "SELECT f.id FROM flips f JOIN checks c ON c.id = f.check_id"
            " WHERE c.code = ? AND f.new_status = ? AND f.old_status = ?"
            " ORDER BY min(abs(f.created - ?), abs(f.created - ?)), f.id DESC LIMIT 1",
            code,
            flip.new_status,
            flip.old_status,
            *self._written(flip.created.timestamp()),
        )
        return rows[0][0] if rows else None

    def _written(self, told: float) -> tuple[float, float]:
        """Return how a moment that a message tells may stand in the tables by now.

        A clock that was set while it was on its way has moved it there.
        """
        world = self._world
        was_set = world.machine.now < world.set + _ON_ITS_WAY
        return told, told + (world.set_by if was_set else 0.0)

    def _blame(self, watched: Watched, what: str, more: str = "") -> None:
        self._world.blame(what, f"{watched.job.name} {more}".strip(), watched.code)
