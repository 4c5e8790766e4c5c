"""Between jobs and hcl: requests that arrive, wait, are refused, and are sent again."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from hcl.model import Ping
from hcl.pings.arrival import Target
from tests.sim.jobs import Job, Signal

if TYPE_CHECKING:
    from tests.sim.world import World

PING_KEYS = ("homehomehomehomehome22", "otherotherotherother22")

# Requests that a process which stands still finds when it goes on.
_BACKLOG = 100


@dataclass
class Attempt:
    """One request of a client; `number` is in its user agent, and so in the log."""

    number: int
    job: Job
    signal: Signal
    # When it came to the process; until then, when it was sent.
    arrived: float
    tries: int
    code: str


class Network:
    """Brings requests to the process, if there is one that takes them."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._numbers = 0
        self._backlog: list[Attempt] = []
        # "": requests arrive; else why they do not: "queued" or "lost".
        self.trouble = ""
        # What happens once so many pings more are acknowledged.
        self.acked_then: tuple[int, Callable[[], object]] | None = None

    def send(self, job: Job, signal: Signal) -> None:
        """Have a client send a signal, and again if nobody takes it."""
        if job.code:
            self._world.oracle.sent(job, signal)
            self._try(job, signal, 0)

    def _try(self, job: Job, signal: Signal, tries: int) -> None:
        if not job.code:
            return
        self._numbers += 1
        now = self._world.machine.now
        attempt = Attempt(self._numbers, job, signal, now, tries, job.code)
        life = self._world.life
        if self.trouble == "queued" and len(self._backlog) < _BACKLOG:
            self._backlog.append(attempt)
        elif self.trouble or life is None or not life.takes_requests:
            self._again(attempt)
        else:
            self._deliver(attempt)

    def let_in(self) -> None:
        """Deliver what waited while the process stood still."""
        waiting, self._backlog = self._backlog, []
        for attempt in waiting:
            life = self._world.life
            if life is not None and life.takes_requests:
                self._deliver(attempt)
            else:
                self._again(attempt)

    def _deliver(self, attempt: Attempt) -> None:
        life, signal, job = self._world.life, attempt.signal, attempt.job
        assert life is not None
        # It may have waited while that stood still.
        attempt.arrived = self._world.machine.now
        ua, done = f"sim/{attempt.number}", partial(self._done, attempt)
        if signal.is_mail:
            assert life.assembly is not None
            now = life.assembly.clock.now()
            ping = Ping(
                0,
                now,
                "success",
                "email",
                "192.0.2.1",
                "",
                ua,
                None,
                None,
                signal.body or b"",
            )
            life.mail(Target(code=job.code), ping, done)
            return
        path = f"/ping/{job.code}"
        if job.kind.sends == "slug":
            path = f"/ping/{PING_KEYS[0]}/{job.slug}"
        path += f"/{signal.action}" if signal.action else ""
        query = f"rid={signal.rid}" if signal.rid else ""
        life.request(signal.method, path, done, query=query, ua=ua, body=signal.body)

    def _done(self, attempt: Attempt, status: int | None, _body: bytes) -> None:
        oracle = self._world.oracle
        if status == 200:
            oracle.acked(attempt)
            self._count_down()
        elif status is None:
            oracle.unsure(attempt)
            self._again(attempt)
        elif status == 503:
            oracle.refused(attempt)
            self._again(attempt)
        elif attempt.code == attempt.job.code:
            self._world.blame(
                "a ping is answered wrongly", f"{attempt.job.name}: {status}"
            )

    def _count_down(self) -> None:
        if self.acked_then is not None:
            left, act = self.acked_then
            self.acked_then = (left - 1, act) if left > 1 else None
            if left == 1:
                act()

    def _again(self, attempt: Attempt) -> None:
        retries = attempt.job.retries
        if attempt.tries < len(retries):
            self._world.agenda.after(
                retries[attempt.tries],
                lambda: self._try(attempt.job, attempt.signal, attempt.tries + 1),
            )
