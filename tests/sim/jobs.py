"""The jobs of a story: what each pings, when, and how it misbehaves."""

import random
import uuid
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.sim.moments import occurrences

if TYPE_CHECKING:
    from tests.sim.world import World

HOUR, DAY = 3600.0, 86_400.0

# How a client goes on after a refusal, in seconds.
RETRIES: tuple[tuple[float, ...], ...] = ((), (), (1, 2, 4, 8, 16, 32), (60, 60))


@dataclass(frozen=True)
class Signal:
    """What a client sends: an action of the URL, or an exit status."""

    action: str = ""
    rid: str | None = None
    method: str = "GET"
    body: bytes | None = None
    is_mail: bool = False


@dataclass(frozen=True)
class JobKind:
    """A job: the settings of its check, and how it behaves.

    `every` is its period, 0: that of the schedule. `length` is how long a run takes, 0:
    it does not tell of its start. `spread` is the share of the period, or of the grace
    of a schedule, by which it comes late at random. `mishap` is how likely a run fails,
    hangs or comes too late.
    """

    name: str
    settings: dict[str, Any]
    every: float = 0.0
    length: float = 0.0
    spread: float = 0.001
    drift: float = 0.0
    mishap: float = 0.0
    sends: str = "code"
    rids: bool = False
    project: int = 0
    # How long before the occurrences of its schedule it runs.
    ahead: float = 0.0
    # How likely a run takes four times as long as others.
    slow: float = 0.0


def _simple(timeout: float, grace: float, **more: Any) -> dict[str, Any]:
    return {"timeout": int(timeout), "grace": int(grace), **more}


def _cron(schedule: str, tz: str, grace: float, **more: Any) -> dict[str, Any]:
    return {"schedule": schedule, "tz": tz, "grace": int(grace), **more}


KINDS: tuple[JobKind, ...] = (
    JobKind(
        "three-hourly",
        _simple(3 * HOUR, 1800),
        3 * HOUR,
        length=300,
        rids=True,
        slow=0.03,
    ),
    JobKind("regular", _simple(4 * HOUR, 600), 4 * HOUR, sends="slug"),
    JobKind("drifting", _simple(4 * HOUR, HOUR), 4 * HOUR, drift=0.02),
    JobKind(
        "late", _simple(6 * HOUR, HOUR, tags="nas"), 6 * HOUR, spread=0.1, mishap=0.05
    ),
    JobKind("cron", _cron("7 */3 * * *", "Europe/Riga", 900), spread=0.3),
    JobKind(
        "nightly", _cron("5 3 * * *", "Europe/Riga", HOUR, tags="nas"), length=4500
    ),
    JobKind("gap", _cron("30 2 * * *", "America/New_York", HOUR), mishap=0.02),
    JobKind("calendar", _cron("*-*-* 04:15:00", "Europe/London", HOUR), spread=0.2),
    JobKind("weekly", _cron("0 6 * * 1", "Europe/Riga", 6 * HOUR), length=HOUR),
    JobKind("workdays", _cron("Mon..Fri 08:00", "Australia/Sydney", 2 * HOUR)),
    JobKind("failing", _simple(12 * HOUR, HOUR), 12 * HOUR, mishap=0.6),
    JobKind(
        "overlapping", _simple(5 * HOUR, 7 * HOUR), 5 * HOUR, length=21600, rids=True
    ),
    JobKind("irregular", _simple(10 * HOUR, 2 * HOUR), 8 * HOUR, spread=0.3),
    JobKind(
        "filtered",
        _simple(
            DAY,
            HOUR,
            filter_http_body=True,
            failure_kw="error, FATAL",
            success_kw="done",
            start_kw="begins",
        ),
        DAY,
        length=900,
        mishap=0.05,
        sends="body",
    ),
    JobKind("posting", _simple(DAY, HOUR, methods="POST"), 12 * HOUR, sends="post"),
    JobKind(
        "mailing",
        _simple(
            DAY, 2 * HOUR, filter_subject=True, failure_kw="failed", success_kw="ok"
        ),
        DAY,
        mishap=0.05,
        sends="mail",
    ),
    JobKind(
        "mail body",
        _simple(
            DAY,
            2 * HOUR,
            filter_body=True,
            failure_kw="failed",
            filter_default_fail=True,
            success_kw="all well",
        ),
        DAY,
        mishap=0.05,
        sends="mail",
    ),
    JobKind(
        "hanging",
        _simple(8 * HOUR, HOUR, tags="lab"),
        8 * HOUR,
        length=600,
        mishap=0.1,
    ),
    JobKind("manual", _simple(DAY, HOUR, manual_resume=True), DAY),
    JobKind("logging", _simple(DAY, HOUR), DAY, sends="log"),
    JobKind("daily", _simple(DAY, HOUR), DAY, length=1500),
    JobKind("slow", _simple(5 * DAY, DAY), 5 * DAY, mishap=0.05),
    JobKind("unsteady", _simple(2 * DAY, 6 * HOUR), DAY, spread=0.5),
    JobKind("elsewhere", _simple(8 * HOUR, HOUR), 8 * HOUR, mishap=0.02, project=1),
    # What spec.md §9 has: limits of runs, bad outcomes in a row, clocks that are ahead.
    JobKind(
        "limited",
        _simple(6 * HOUR, 900, max_run=2 * 3600, min_run=60),
        6 * HOUR,
        length=4500,
        mishap=0.1,
    ),
    JobKind("short", _simple(DAY, HOUR, min_run=600), DAY, length=900),
    JobKind("ahead", _cron("0 */6 * * *", "Europe/Riga", 900, early=600), ahead=300.0),
    JobKind(
        "patient",
        _simple(8 * HOUR, HOUR, down_after=3, tags="nas"),
        8 * HOUR,
        mishap=0.8,
    ),
    JobKind(
        "apart",
        _simple(6 * HOUR, HOUR, max_run=8 * 3600, tags="lab"),
        6 * HOUR,
        length=5 * HOUR,
        spread=0.1,
        mishap=0.2,
        rids=True,
    ),
    JobKind(
        "all of it",
        _cron(
            "0 */8 * * *",
            "Europe/Riga",
            1200,
            down_after=2,
            max_run=5 * 3600,
            min_run=120,
            early=900,
            tags="nas lab",
        ),
        length=2 * HOUR,
        mishap=0.3,
        rids=True,
        ahead=240.0,
    ),
    # It has none of these at first, and is given some.
    JobKind(
        "becoming",
        _simple(6 * HOUR, HOUR, down_after=1, early=0, max_run=None, min_run=None),
        6 * HOUR,
        length=2700,
        mishap=0.2,
    ),
)

# What people write in place of the schedules of some: the same in other words, or less
# often than the job runs.
SCHEDULES = {
    "cron": ("7 */3 * * *", "7 */6 * * *", "*-*-* 00/3:07:00"),
    "nightly": ("5 3 * * *", "*-*-* 03:05:00", "*-*-* 03:05:00\nSun 03:05"),
    "calendar": ("*-*-* 04:15:00", "15 4 * * *"),
    "workdays": ("Mon..Fri 08:00", "0 8 * * mon-fri", "Fri 08:00"),
}


class Job:
    """One job at work; its check has the code `code` once it is made."""

    def __init__(self, world: "World", number: int, seed: str) -> None:
        self.number = number
        self.kind = KINDS[number]
        self.name = self.kind.name
        self.rng = random.Random(f"{seed} job {number}")
        self.settings = dict(self.kind.settings)
        self.retries = self.rng.choice(RETRIES)
        self.code = ""
        self.slug = self.name.replace(" ", "-")
        # While it is dead it sends nothing.
        self.dead_until = 0.0
        self.has_begun = False
        # How many checks it has had.
        self.made = 0
        self._world = world

    def begin(self) -> None:
        """Run for the first time soon."""
        self.has_begun = True
        self._world.agenda.after(self.rng.uniform(60, 7200), self._run)

    def _run(self) -> None:
        world, rng, kind = self._world, self.rng, self.kind
        if world.machine.now >= self.dead_until:
            self._send_run()
        wait = kind.every * (1 + kind.drift * rng.uniform(-1, 1))
        if kind.every:
            wait += rng.random() * kind.spread * kind.every
        else:
            wait = self._next_occurrence(kind.ahead) - world.machine.now
            wait += rng.random() * kind.spread * kind.settings["grace"]
        if rng.random() < kind.mishap / 3:
            # Far too late.
            wait += kind.settings["grace"] * 1.5
        world.agenda.after(wait, self._run)

    def _next_occurrence(self, ahead: float) -> float:
        settings, now = self.kind.settings, self._world.machine.now + ahead
        moments = occurrences(
            settings["schedule"], settings["tz"], self._world.days + 400
        )
        return moments[bisect_right(moments, now)] + self.rng.uniform(0, 2) - ahead

    def _send_run(self) -> None:
        """Send what one run sends: its start, its end, and what else it says."""
        kind, rng, agenda = self.kind, self.rng, self._world.agenda
        fails = rng.random() < kind.mishap / 3
        if "down_after" in kind.settings and rng.random() < 0.3:
            self._send(Signal("log"))
        rid = str(uuid.UUID(int=rng.getrandbits(128))) if kind.rids else None
        if not kind.length:
            self._send(self._outcome(fails, rid))
            return
        self._send(self._start(rid))
        if rng.random() < kind.mishap / 3:
            # It hangs, and never ends.
            return
        length = kind.length * rng.uniform(0.5, 1.2)
        if kind.slow and rng.random() < kind.slow:
            length *= 4
        agenda.after(length, lambda: self._send(self._outcome(fails, rid)))

    def _start(self, rid: str | None) -> Signal:
        if self.kind.sends == "body":
            return Signal("", rid, "POST", b"it begins")
        return Signal("start", rid)

    def _outcome(self, fails: bool, rid: str | None) -> Signal:
        match self.kind.sends:
            case "body":
                text = b"an error, then done" if fails else b"all done \xff"
                return Signal(
                    "fail" if self.rng.random() < 0.3 else "", rid, "PUT", text
                )
            case "post":
                return Signal("", rid, self.rng.choice(("POST", "POST", "GET")))
            case "mail":
                said = [b"failed", b"ok, all well"]
                # Where nobody is to look the opposite stands.
                if fails != bool(self.kind.settings.get("filter_subject")):
                    said.reverse()
                mail = b"Subject: backup %s\r\n\r\nIt is %s.\r\n" % tuple(said)
                return Signal("", None, "", mail, is_mail=True)
            case "log":
                return Signal(self.rng.choice(("log", "log", "start", "")), rid)
        status = self.rng.choice(("fail", "1", "255")) if fails else ""
        return Signal(status or self.rng.choice(("", "", "", "0")), rid)

    def _send(self, signal: Signal) -> None:
        self._world.network.send(self, signal)


def counts_as(settings: dict[str, Any], status: str, signal: Signal) -> str:
    """Tell what a signal counts as, as spec.md §1 has it."""
    only = "" if signal.is_mail else settings.get("methods")
    if only and signal.method != only:
        return "ign"
    if status == "paused" and settings.get("manual_resume"):
        return "ign"
    text = (signal.body or b"").decode("utf-8", "replace")
    if signal.is_mail:
        subject, _, body = text.partition("\r\n\r\n")
        parts = [subject] if settings.get("filter_subject") else []
        parts += [body] if settings.get("filter_body") else []
        if not parts:
            return "success"
        return _searched(settings, "\n".join(parts))
    if settings.get("filter_http_body"):
        return _searched(settings, text)
    if signal.action.isdigit():
        return "fail" if int(signal.action) else "success"
    return signal.action or "success"


def _searched(settings: dict[str, Any], text: str) -> str:
    for key, action in (
        ("failure_kw", "fail"),
        ("success_kw", "success"),
        ("start_kw", "start"),
    ):
        words = settings.get(key, "").split(",")
        if any(word.strip() and word.strip() in text for word in words):
            return action
    return "fail" if settings.get("filter_default_fail") else "ign"
