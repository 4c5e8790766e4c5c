"""The world of one story: its time, its machine, its people, and the process in it."""

import hashlib
import random
import secrets
import shutil
import traceback
import uuid
from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from unittest import mock

import hcl.alarm
from hcl.alerts import sender
from hcl.checks import checker
from hcl.checks.away import watch
from hcl.config import Config
from hcl.pings import pruner
from hcl.server import keeping
from tests.sim import faults, people
from tests.sim.clockwork import Act, Agenda, Machine
from tests.sim.guessed import Guessed
from tests.sim.inline import Crash, Raw, copy
from tests.sim.jobs import DAY, Job
from tests.sim.lates import Lates
from tests.sim.life import Life, is_of_the_disk, listening
from tests.sim.maintaining import Maintaining
from tests.sim.moments import NOTICED, PATIENCE
from tests.sim.network import Network
from tests.sim.oracle import Oracle
from tests.sim.plan import FAULTS, Event, Plan
from tests.sim.receivers import WINDOWS, Receiver, configs
from tests.sim.slows import Slows
from tests.sim.steps import Steps
from tests.sim.telling import Telling
from tests.sim.windows import Windows

# So long before and after something goes wrong hcl's loops look around as often as
# ever; else they may sleep longer, since nobody would see a difference.
_BEFORE, _AFTER = 150.0, 900.0
_LONGEST = 3600.0

# So seldom all is looked for what is too old: nobody sees that it is later.
_PRUNES_EVERY = timedelta(hours=8)


@dataclass(frozen=True)
class Fault:
    """What hcl did that it should not have."""

    at: float
    what: str
    more: str
    code: str
    # The job that it is about, or any.
    job: int


class World:
    """Tells one story, up to its end or to the first thing that hcl does wrong."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.days = int(plan.seconds / DAY) + 1
        self.machine = Machine()
        self.agenda = Agenda(self.machine)
        self.agenda.before_each = self._pace
        self.network = Network(self)
        self.windows = {
            number: Windows(plans) for number, plans in WINDOWS["first"].items()
        }
        self.maintaining = Maintaining(self)
        self.telling = Telling(self)
        self.lates = Lates(self)
        self.slows = Slows(self)
        self.steps = Steps(self)
        self.oracle = Oracle(self)
        self.life: Life | None = None
        self.lives = 0
        self.fault: Fault | None = None
        self.trace = hashlib.sha256()
        self.story: list[tuple[float, str, str]] = []
        self.pings = 0
        self.folder = folder
        self.path = folder / "0" / "hcl.sqlite"
        self.path.parent.mkdir()
        self.refusal: faults.Refusal | None = None
        # Since when the disk took nothing last, and until when there may be no sign of
        # life since.
        self.signless = -1e9, -1e9
        # When hcl was disturbed last, and when the wall was set last.
        self.troubled = self.set = self.reloaded_at = -1e9
        self.set_by = 0.0
        # When hcl has run for so long since that it has noticed it: a minute.
        self.notices_by = -1e9
        # For how long hcl was away, each with its end.
        self._aways: list[tuple[float, float]] = []
        # For how long at most the last sign of life was ago, at the start of each life.
        self.gone_for: dict[int, float] = {}
        # When the last start judged at the earliest, and at the latest.
        self.judges = -1e9, -1e9
        # By when it has judged the last time that it stood still.
        self.judges_stills_by = -1e9
        # Until when what people see is as of before, and nobody is called down.
        self.settles_at = 0.0
        # How the process that starts next was away; None: it never was there.
        self.next_away: tuple[tuple[float, float], float] | None = None
        self.starts_at = 0.0
        # Since when it stands still; None: it does not.
        self.still_since: float | None = None
        self.sends: str | None = None
        # When the wall of a machine that booted without the time is right again.
        self.blind_until = 0.0
        # When hcl had to guess the time; of what began before it knows no length.
        self.guessed_at = -1.0
        self.guessed = Guessed()
        # By how much each boot without the time is behind, and for how much longer hcl
        # may have things last, until the wall is right.
        self.boots: list[tuple[float, float]] = []
        # How wrong the wall was before a boot without the time that nobody has judged.
        self.booted: float | None = None
        # The life before the first such boot of those in a row.
        self.timeless = 0
        self.kept: object = None
        # By which boot, and how wrong a wall, a copy was made that has not started yet.
        self.copied: tuple[int, float] | None = None
        # When an old copy was put back last, and when that was made.
        self.believed_at = self.taken_at = -1e9
        self._receivers: dict[str, Receiver] = {}
        self.configs: dict[str, Config] = configs(folder, self.receiver)
        self.jobs = [Job(self, number, plan.seed) for number in plan.jobs]
        self._jitter = random.Random(f"{plan.seed} jitter")
        self._ids = random.Random(f"{plan.seed} ids")
        self._near_until = _AFTER
        self._times = [event.at for event in plan.events if event.kind in FAULTS]
        self._next = 0

    # The story.

    def run(self) -> Fault | None:
        """Tell the story; return what went wrong."""
        for event in self.plan.events:
            self.agenda.at(event.at, partial(self._happen, event))
        self.agenda.at(self.plan.seconds, self._finish)
        with self._seeded():
            while self.fault is None and self.machine.now < self.plan.seconds:
                self.agenda.pass_all(self.starts_at, lambda: self.fault is None)
                if self.fault is None and self.machine.now < self.plan.seconds:
                    self._live()
        return self.fault

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Have all that is random drawn by the seed; be quick where it is dull."""

        def drawn(length: int = 16) -> str:
            return f"{self._ids.getrandbits(8 * length):0{2 * length}x}"

        def new_uuid() -> uuid.UUID:
            return uuid.UUID(int=self._ids.getrandbits(128), version=4)

        with (
            listening(self),
            mock.patch.object(uuid, "uuid4", new_uuid),
            mock.patch.object(secrets, "token_hex", drawn),
            mock.patch.object(secrets, "token_urlsafe", drawn),
            mock.patch.object(hcl.alarm, "LONGEST_SLEEP", 60.0),
            mock.patch.object(checker, "LOOK_AGAIN", hcl.alarm.LOOK_AGAIN),
            mock.patch.object(sender, "LOOK_AGAIN", hcl.alarm.LOOK_AGAIN),
            mock.patch.object(keeping, "LOOK_AGAIN", hcl.alarm.LOOK_AGAIN),
            mock.patch.object(watch, "SIGN_EVERY", watch.SIGN_EVERY),
            mock.patch.object(pruner, "INTERVAL", _PRUNES_EVERY),
        ):
            yield

    def _pace(self) -> None:
        """Let hcl's loops sleep for longer while nothing is about to happen."""
        now, times = self.machine.now, self._times
        while self._next < len(times) and times[self._next] <= now:
            self._next += 1
        left = times[self._next] - now - _BEFORE if self._next < len(times) else 1e9
        seconds = 60.0 if now < self._near_until else max(60.0, min(left, _LONGEST))
        if seconds == hcl.alarm.LONGEST_SLEEP:
            return
        length = timedelta(seconds=seconds)
        hcl.alarm.LONGEST_SLEEP = watch.SIGN_EVERY = seconds
        for module in (checker, sender, keeping):
            # Where they import it from the name is another's.
            vars(module)["LOOK_AGAIN"] = length

    def later(self, seconds: float, act: Act) -> None:
        """Have something happen after so long that hcl is to be awake for."""
        at = self.machine.now + seconds
        insort(self._times, at, self._next)

        def happen() -> None:
            self.be_near()
            act()

        self.agenda.at(at, happen)

    def be_near(self, seconds: float = _AFTER) -> None:
        """Have hcl's loops look around as often as ever for a while."""
        self._near_until = max(self._near_until, self.machine.now + seconds)

    def _happen(self, event: Event) -> None:
        if event.kind in FAULTS:
            self.be_near()
        rng = random.Random(event.seed)
        act = faults.ACTS.get(event.kind) or getattr(people, event.kind)
        act(self, rng)

    def _finish(self) -> None:
        if self.life is not None and self.life.takes_requests and self.fault is None:
            self.oracle.recover(self.machine.now)
            self.life.stop()
        elif self.fault is None:
            self.blame("hcl does not run at the end", "")

    # The process.

    def _live(self) -> None:
        life = self.life = Life(self, self.path, self.configs[self.telling.config])
        self.lives += 1
        life.gate.refusal = self.refusal
        self.be_near()
        self._pace()
        life.run()
        self.network.trouble = ""
        self.still_since = None
        self.life = None
        if life.error is not None and not is_of_the_disk(life.error):
            lines = "".join(traceback.format_exception(life.error))
            self.blame("hcl ended by an error", lines)
        if life.error is not None:
            self.note(f"hcl cannot start: {life.error!r}")
        if not life.has_crashed:
            self._is_gone(5.0 if life.error is not None else 1.0)

    def _is_gone(self, length: float) -> None:
        """Note that the process ended, and when it starts again."""
        now = self.machine.now
        if self.next_away is None:
            since = now if self.still_since is None else self.still_since
            sign = 100.0 if now < self._near_until else _LONGEST + 100
            self.next_away = (since - sign, since), since
        if now < self.signless[1]:
            (earliest, latest), since = self.next_away
            self.next_away = (min(earliest, self.signless[0]), latest), since
        self.starts_at = max(self.starts_at, now + length)

    def crash(self, length: float, source: Path | None = None) -> None:
        """Kill the process; start it again after a while, on what lay on the disk.

        `source`: or on this copy of it.
        """
        life = self.life
        if life is None or life.has_ended:
            return
        if not life.is_alive:
            # It was about to end in order, and leaves no sign of life now.
            self.next_away = None
        self.next_path(source)
        life.crash()
        self._is_gone(length)
        self.note("hcl is killed")

    def next_path(self, source: Path | None = None) -> None:
        """Go on from a copy of the database, in a folder of its own."""
        target = self.folder / str(self.lives) / "hcl.sqlite"
        target.parent.mkdir(exist_ok=True)
        copy(source or self.path, target)
        if self.path.parent != target.parent:
            self._leave(self.path.parent)
        self.path = target

    def _leave(self, folder: Path) -> None:
        # Its files are open still, and may go.
        shutil.rmtree(folder, ignore_errors=True)

    def is_up(self) -> None:
        """Hear from the process that it takes requests from now on."""
        now = self.machine.now
        self.be_near()
        self.note("hcl starts")
        if self.next_away is None:
            people.make_checks(self)
            return
        went, since = self.next_away
        self.next_away = None
        self.gone_for[self.lives] = now - went[0]
        if self.notices_by > since:
            self.notices_by = now + NOTICED
        self.oracle.recover(since)
        self.was_away(now - since)
        self.troubled = now
        self.settles_at = max(self.settles_at, now + PATIENCE)
        with self.maintaining.as_it_was():
            faults.judge_start(self, went, since, now)
        people.make_checks(self)

    def judges_again(self, since: float, by: float) -> str:
        """Have the last start judge `by` then, if something kept it from that `since`.

        Return whether the next start may have to go on with it: see `Away.again`.
        """
        if since >= self.judges[1]:
            return ""
        self.judges = self.judges[0], max(self.judges[1], by)
        return "perhaps"

    def was_away(self, length: float) -> None:
        """Note that hcl was away for so long, up to now."""
        self._aways.append((self.machine.now, length))

    def away_since(self, moment: float) -> float:
        """Return for how long hcl has been away in all since a moment."""
        return sum(length for end, length in self._aways if end >= moment)

    @property
    def can_ask(self) -> bool:
        """Tell whether people who ask are answered."""
        life = self.life
        return life is not None and life.takes_requests and not self.network.trouble

    @property
    def is_calm(self) -> bool:
        """Tell whether hcl runs, and nothing is in its way."""
        return (
            self.life is not None
            and self.life.takes_requests
            and not self.network.trouble
            and self.refusal is None
            and self.machine.now > self.settles_at
        )

    def committed(self, at: float | None = None) -> None:
        """Hear that flips were committed, or that checks are late; None: just now."""
        self.oracle.poll()
        self.lates.poll(self.machine.now if at is None else at)
        self.slows.poll()

    def reloaded(self, config: Config | None) -> None:
        """Hear that the process has other settings; None: it could not take them."""
        for name, other in self.configs.items():
            if config is other:
                self.telling.reloaded(name)
                self.reloaded_at = self.machine.now
                for number, windows in self.windows.items():
                    use = partial(windows.use, WINDOWS[name][number])
                    self.oracle.change_windows(number, use)

    def sending(self, moment: str) -> None:
        """Hear that a message is about to go, or has gone: a crash may wait for it."""
        if self.sends == moment:
            self.sends = None
            self.crash(faults.short(self._jitter))
            raise Crash

    # What others ask.

    def raw(self) -> Raw:
        """Return the connection that writes, to look into the database by."""
        assert self.life is not None
        assert self.life.assembly is not None or self.life.database is not None
        database = self.life.database
        assert database is not None
        raw = database._writer._conn
        assert isinstance(raw, Raw)
        return raw

    def receiver(self, name: str) -> Receiver:
        """Return who listens at a channel."""
        if name not in self._receivers:
            self._receivers[name] = Receiver(self, name)
        return self._receivers[name]

    def jitter(self) -> float:
        """Draw what a pause is multiplied by."""
        return self._jitter.uniform(0.8, 1.2)

    def name_of(self, code: str) -> str:
        """Name the job of a check."""
        watched = self.oracle.by_code.get(code)
        return watched.job.name if watched else code

    def note(self, text: str, code: str = "") -> None:
        """Remember what happened: it is the story, and its trace."""
        self.story.append((self.machine.now, text, code))
        self.trace.update(f"{self.machine.now!r} {text}\n".encode())

    def blame(self, what: str, more: str, code: str = "") -> None:
        """Say what hcl did wrong; the story ends here."""
        if self.fault is None:
            watched = self.oracle.by_code.get(code)
            job = (watched.job if watched else self.jobs[0]).number
            self.fault = Fault(self.machine.now, what, more, code, job)
            self.note(f"WRONG: {what}: {more}", code)
            if self.life is not None:
                self.life.crash()
