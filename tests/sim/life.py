"""One process of hcl, from its start to its end, and what asks it for something."""

import asyncio
import json
import logging
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hcl.clock import Clock
from hcl.config import Config
from hcl.db import Database, DatabaseError, UnusableError, held
from hcl.model import Ping
from hcl.pings.arrival import Receipt, Target
from hcl.server.parts import Assembly, assemble
from hcl.server.serving import SEND_PATIENCE
from hcl.web.http.answer import Answer
from tests.sim.clockwork import VirtualLoop
from tests.sim.inline import Crash, Gate, open_inline

if TYPE_CHECKING:
    from tests.sim.world import World

# Called with the status of an answer and its body; None: there was none.
Done = Callable[[int | None, bytes], None]

# The keys of the projects, in their order.
_KEYS = (b"hcw_" + b"w" * 28, b"hcw_" + b"o" * 28)


class Life:
    """What `hcl serve` is between a start and an end, in the world's time."""

    def __init__(self, world: "World", path: Path, config: Config) -> None:
        self.path = path
        self.config = config
        self.gate = Gate(world.committed)
        self.assembly: Assembly | None = None
        self.database: Database | None = None
        # It ends: by itself, or by a crash.
        self.is_alive = True
        self.has_crashed = self.has_ended = False
        self.error: BaseException | None = None
        self._world = world
        self._loop = VirtualLoop(world.agenda)
        self._stop: asyncio.Event | None = None
        self._in_flight: dict[int, Done] = {}
        self._number = 0

    def run(self) -> None:
        """Live until the process has stopped, crashed, or ended by an error."""
        loop = self._loop
        loop.set_exception_handler(self._complain)
        asyncio.set_event_loop(loop)
        task = loop.create_task(self._serve())
        task.add_done_callback(lambda _: loop.stop())
        try:
            loop.run_forever()
        finally:
            self._end(task)

    def _end(self, task: asyncio.Task[None]) -> None:
        self.is_alive = False
        self.has_ended = self.gate.is_dead = True
        for _ in range(100):
            tasks = asyncio.all_tasks(self._loop)
            if not tasks:
                break
            for left in tasks:
                left.cancel()
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()
        if task.done() and not task.cancelled() and not self.has_crashed:
            self.error = task.exception()
        elif task.done() and not task.cancelled():
            task.exception()
        asyncio.set_event_loop(None)
        self._loop.close()
        for done in list(self._in_flight.values()):
            done(None, b"")
        self._in_flight.clear()

    def _complain(self, _loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not self.has_crashed and not isinstance(error, Crash):
            self._world.blame("an error that nobody awaits", f"{context}")

    async def _serve(self) -> None:
        """Do as `hcl.server.serving.serve`, but for sockets and signals."""
        with held(self.path, self.config.path, new=True) as note_served:
            database = self.database = await open_inline(self.path, self.gate)
            try:
                note_served()
                async with assemble(
                    self.config,
                    database,
                    clock=Clock(self._world.machine),
                    jitter=self._world.jitter,
                ) as assembly:
                    await self._run(assembly)
                if database.loss:
                    raise DatabaseError(database.loss)
            finally:
                await database.close()

    async def _run(self, assembly: Assembly) -> None:
        stop = self._stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(loop) for loop in assembly.loops()]
            self.assembly = assembly
            self._world.is_up()
            await stop.wait()
            self.is_alive = False
            assembly.parts.changes.close()
            await assembly.sender.finish(SEND_PATIENCE)
            for task in loops:
                task.cancel()

    @property
    def takes_requests(self) -> bool:
        """Tell whether somebody listens."""
        return self.is_alive and self.assembly is not None

    def crash(self) -> None:
        """Be killed: nothing of what is under way has any effect from now on."""
        self.has_crashed = self.has_ended = True
        self.is_alive = False
        self.gate.is_dead = True
        self._loop.stop()

    def stop(self) -> None:
        """Be told to end in order."""
        if self._stop is not None:
            self._stop.set()

    def reload(self, config: Config) -> None:
        """Take other settings, as on SIGHUP."""
        if self.assembly is not None:
            self._loop.create_task(self._reload(self.assembly, config))

    async def _reload(self, assembly: Assembly, config: Config) -> None:
        try:
            await assembly.use(config, retry=True)
        except UnusableError:
            self._world.reloaded(None)
        else:
            self.config = config
            self._world.reloaded(config)

    def request(
        self,
        method: str,
        path: str,
        done: Done,
        *,
        query: str = "",
        ua: str = "",
        body: bytes | None = None,
        project: int = 0,
    ) -> None:
        """Ask over HTTP; `done` is called with the answer, or once the process died."""
        assert self.assembly is not None
        headers = [(b"host", b"hcl"), (b"user-agent", ua.encode())]
        if body is not None:
            headers.append((b"content-length", b"%d" % len(body)))
        if path.startswith("/api"):
            headers.append((b"x-api-key", _KEYS[project]))
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "server": ("hcl", 80),
            "client": ("192.0.2.1", 1234),
            "headers": headers,
        }
        end = self._begin(done)

        def respond(answer: Answer) -> None:
            end(answer.status, answer.body)

        is_short = body is None and path.startswith("/ping/")
        if is_short and self.assembly.ping.answer_soon(scope, respond):
            return
        self._loop.create_task(self._ask(scope, body or b"", end))

    async def _ask(self, scope: dict[str, Any], body: bytes, end: Done) -> None:
        assert self.assembly is not None
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.assembly.app(scope, receive, send)
        parts = [m.get("body", b"") for m in sent if m["type"] == "http.response.body"]
        end(sent[0]["status"], b"".join(parts))

    def mail(self, target: Target, ping: Ping, done: Done) -> None:
        """Hand over a mail, as the listener does once it has it."""
        assert self.assembly is not None
        end = self._begin(done)

        def received(receipt: Receipt | None, error: Exception | None) -> None:
            end(200 if error is None else 503, str(receipt).encode())

        self.assembly.parts.pinging.receive_and_call(target, ping, received)

    def _begin(self, done: Done) -> Done:
        self._number += 1
        number = self._number
        self._in_flight[number] = done

        def end(status: int | None, body: bytes) -> None:
            # What a process answers that is dead reaches nobody.
            if not self.has_crashed and self._in_flight.pop(number, None) is not None:
                done(status, body)

        return end


def api(
    life: Life,
    method: str,
    path: str,
    done: Callable[[int | None, Any], None],
    values: Any = None,
    *,
    project: int = 0,
) -> None:
    """Call the Management API; `done` is called with the status and what it says."""

    def parsed(status: int | None, body: bytes) -> None:
        done(status, json.loads(body) if status in (200, 201) else None)

    body = None if values is None else json.dumps(values).encode()
    life.request(method, f"/api/v3/{path}", parsed, body=body, project=project)


def is_of_the_disk(error: BaseException | None) -> bool:
    """Tell whether a process ended since its disk could not be written."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_of_the_disk(part) for part in error.exceptions)
    return isinstance(error, DatabaseError | UnusableError | sqlite3.OperationalError)


class _Ears(logging.Handler):
    """Hears of exceptions that hcl logs, and lives on after."""

    def __init__(self, world: "World") -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        life = self._world.life
        if record.exc_info and life is not None and not life.has_crashed:
            text = "".join(traceback.format_exception(record.exc_info[1]))
            self._world.blame("hcl logs an exception", f"{record.getMessage()} {text}")


@contextmanager
def listening(world: "World") -> Iterator[None]:
    """Take hcl's log for as long as a story lasts; it is that of no real time."""
    logger = logging.getLogger("hcl")
    before = logger.level, logger.propagate
    ears = _Ears(world)
    logger.addHandler(ears)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(ears)
        logger.setLevel(before[0])
        logger.propagate = before[1]
