"""The process that runs Apprise: it starts when there is something to send, then ends.

All transports of a loop share one. A message that is not answered in time takes its
process with it, but only once the others in there are through.
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from typing import Any, NamedTuple

from hcl.alerts.transports import DeliveryError
from hcl.alerts.transports.apprise_check import WORKER, last_line
from hcl.alerts.transports.children import for_python
from hcl.outgoing.patience import Patience

# Seconds that the process is kept after the last message, for the next.
LINGER = 5.0

# By how much it stands back behind the server, see nice(1).
NICENESS = 5

# Bytes of a line that are read at most; answers are far shorter.
_LINE_LIMIT = 1_048_576

# Seconds that a process may take to end once it is killed, or has closed its pipe.
_END_TIME = 1.0


class Answer(NamedTuple):
    """What became of a message; `permanent` as in DeliveryError.

    `taken` are those of its targets, by digests, that took it now or before.
    """

    ok: bool
    words: str
    permanent: bool
    taken: tuple[str, ...] = ()


class _Worker:
    """One process. `retired`: it gets no more messages, and ends after the last."""

    def __init__(self, process: Process) -> None:
        self.retired = False
        self._process = process
        self._numbers = itertools.count()
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        self._watching = asyncio.create_task(self._watch())

    @property
    def idle(self) -> bool:
        return not self._pending

    @property
    def ended(self) -> bool:
        return self._watching.done()

    async def ask(self, request: Mapping[str, Any]) -> Answer:
        """Hand over a message and wait for what becomes of it."""
        number = next(self._numbers)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        try:
            await self._write({"id": number, **request})
            return await answer
        except asyncio.CancelledError:
            # Nobody knows what it is at, so it may not go on for long.
            self.retired = True
            raise
        finally:
            self._pending.pop(number, None)
            if self.retired and self.idle:
                self.kill()

    def kill(self) -> None:
        """End it at once."""
        self.retired = True
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """End it at once, and wait until it is gone, if the system can end it."""
        self.kill()
        # All alerts wait for a reload, and that for this.
        await asyncio.wait([self._watching], timeout=_END_TIME)

    async def _write(self, line: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        # Of a process that has ended `_watch` tells.
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(json.dumps(line).encode() + b"\n")
            await self._process.stdin.drain()

    async def _watch(self) -> None:
        """Pass answers on until the process ends, then say so to whoever waits."""
        words = "the process that runs Apprise was given up"
        try:
            try:
                await self._pass_on()
            except (ValueError, KeyError):
                self.kill()
            words = await self._last_words()
        finally:
            self.kill()
            for waiting in self._pending.values():
                if not waiting.done():
                    waiting.set_result(Answer(False, words, False))

    async def _pass_on(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        async for line in self._process.stdout:
            told = json.loads(line)
            waiting = self._pending.get(told["id"])
            if waiting is not None and not waiting.done():
                taken = () if told["ok"] else tuple(told["taken"])
                words = told["words"], told["permanent"]
                waiting.set_result(Answer(told["ok"], *words, taken))

    async def _last_words(self) -> str:
        """Wait for the end of the process; say how it ended."""
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_TIME):
                await self._process.wait()
        self.kill()
        status = await self._process.wait()
        who = "the process that runs Apprise"
        if status < 0:
            return f"{who} was killed by {signal.Signals(-status).name}"
        last = last_line(await self._process.stderr.read())
        return f"{who} ended with status {status}" + (f": {last}" if last else "")


class Courier:
    """Hands messages to a process, and sees to it that there is one."""

    def __init__(self, linger: float = LINGER) -> None:
        self.users: set[object] = set()
        self._linger = linger
        self._starting = asyncio.Lock()
        self._workers: list[_Worker] = []
        self._timer: asyncio.TimerHandle | None = None

    async def send(self, request: Mapping[str, Any], limit: float) -> Answer:
        """Send a message, within `limit` seconds.

        Raises TimeoutError, and DeliveryError if there is no process to be had.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        try:
            async with Patience(limit):
                worker = await self._worker()
                # An answer takes time, too: what would begin late is not to begin. The
                # clock is the same for all processes.
                until = time.monotonic() + 0.75 * (end - loop.time())
                return await worker.ask({**request, "until": until})
        finally:
            self._let_go()

    async def close(self) -> None:
        """End what is running."""
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*(worker.close() for worker in self._workers))

    async def _worker(self) -> _Worker:
        async with self._starting:
            self._workers = [w for w in self._workers if not w.ended]
            for worker in self._workers:
                if not worker.retired:
                    return worker
            worker = await _start()
            self._workers.append(worker)
            return worker

    def _let_go(self) -> None:
        """End the process after a while without messages."""
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._linger, self._end_idle)

    def _end_idle(self) -> None:
        for worker in self._workers:
            if worker.idle:
                worker.kill()


async def _start() -> _Worker:
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # Neither the working folder nor hcl/, with its names, is to be in the way.
            "-P",
            str(WORKER),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=for_python(),
            limit=_LINE_LIMIT,
        )
    except OSError as error:
        problem = f"cannot start Apprise: {error.strerror}"
        raise DeliveryError(problem) from error
    # On a small machine it works for seconds at its start: webhooks and mail go first.
    with contextlib.suppress(OSError):
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, process.pid, own + NICENESS)
    return _Worker(process)


_couriers: dict[asyncio.AbstractEventLoop, Courier] = {}


def courier_for(user: object) -> Courier:
    """Return the courier of the running loop; `dismiss` it after use."""
    for loop in [loop for loop in _couriers if loop.is_closed()]:
        del _couriers[loop]
    courier = _couriers.setdefault(asyncio.get_running_loop(), Courier())
    courier.users.add(user)
    return courier


async def dismiss(user: object) -> None:
    """Tell that a user of the running loop's courier is through; the last closes it."""
    loop = asyncio.get_running_loop()
    courier = _couriers.get(loop)
    if courier is not None and user in courier.users:
        courier.users.remove(user)
        if not courier.users:
            del _couriers[loop]
            await courier.close()
