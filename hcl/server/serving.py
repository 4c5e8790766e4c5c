"""Start what listens and the loops, hear signals, reload, and stop in order."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from hcl import __version__
from hcl.config import Config, HostPort
from hcl.db import Database, DatabaseError, SQLError, explain, held, open_database
from hcl.server import descriptors
from hcl.server.announcer import Announcer
from hcl.server.damage import Damage
from hcl.server.doors import Doors, listening
from hcl.server.parts import Assembly, assemble
from hcl.server.rereading import Rereader
from hcl.server.sockets import (
    HTTP,
    MAIL,
    Inherited,
    describe,
    name_of,
    take_no_more,
)
from hcl.server.standby.fence import Fence, refuse_fenced
from hcl.server.standby.guard import START_PATIENCE, Guard
from hcl.server.standby.replication import Replication
from hcl.server.systemd import Notifier
from hcl.web.http.connections import Connections
from hcl.web.http.http import HttpServer
from hcl.web.parts import Parts

logger = logging.getLogger(__name__)

# A loop that is at work for so many seconds at a stretch hangs.
HANGS = 120.0

# How long messages that are being sent may hold up the end.
SEND_PATIENCE = timedelta(seconds=4)


def run(
    config: Config,
    reread: Callable[[], Config],
    greet: Callable[[Parts], Awaitable[None]],
    *,
    new: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; on SIGHUP take the settings of `reread`.

    `greet` is called once connections are taken; with `new` a database is made if there
    is none, wherever that is. Raises BindError if the address
    cannot be listened on, db.DatabaseError if the database cannot be used, and what
    killed a loop: better dead than answering pings and never
    alerting.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(config, reread, greet, new=new))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def serve(
    config: Config,
    reread: Callable[[], Config],
    greet: Callable[[Parts], Awaitable[None]],
    *,
    new: bool = False,
) -> None:
    """Open what is needed, serve, and close it on every way out."""
    refuse_fenced(config.database.path)
    inherited = Inherited(os.environ, mail=config.smtpd.listen is not None)
    with (
        # First: who starts a second server is to hear of the first one.
        held(config.database.path, config.path, new=new) as note_served,
        _all_listening(config, inherited) as (doors, mail_doors),
    ):
        database = await open_database(
            config.database.path, config.database.synchronous
        )
        try:
            note_served()
            async with assemble(config, database) as assembly:
                server = _Server(assembly, reread, doors, mail_doors)
                await server.run(greet)
            if server.guard is not None and server.guard.fenced is not None:
                raise server.guard.fenced
            if database.loss:
                raise DatabaseError(database.loss)
            logger.info("stopped")
        except SQLError as error:
            raise DatabaseError(f"{config.database.path}: {explain(error)}") from error
        finally:
            await database.close()


@contextmanager
def _all_listening(
    config: Config, inherited: Inherited
) -> Iterator[tuple[Doors, Doors | None]]:
    """Bind to where HTTP and mail come to; None: no address is set for mail."""
    for_mail = inherited.take(MAIL)
    with listening(config.server.listen, inherited.take(HTTP)) as doors:
        if config.smtpd.listen is None:
            yield doors, None
            return
        with listening(config.smtpd.listen, for_mail) as mail_doors:
            yield doors, mail_doors


class _Server:
    def __init__(
        self,
        assembly: Assembly,
        reread: Callable[[], Config],
        doors: Doors,
        mail_doors: Doors | None,
    ) -> None:
        self._assembly = assembly
        self._doors = doors
        self._mail_doors = mail_doors
        limit = descriptors.for_http(descriptors.raise_limit())
        self._http = HttpServer(
            assembly.app,
            assembly.ping.answer_soon,
            # Which proxies are trusted a reload may change.
            connections=Connections(limit, lambda a: assembly.parts.proxies.knows(a)),
        )
        self._stop = asyncio.Event()
        self._systemd = Notifier()
        self._rereader = Rereader(assembly, reread, self._systemd, self._status)
        # They are closed while the last requests are answered.
        self._places = ", ".join(map(describe, doors.sockets))
        announcer = Announcer(
            assembly.database,
            assembly.clock,
            assembly.alarms["sender"],
            assembly.parts.changes,
        )
        self.guard = _guard(assembly, announcer)
        self._replication = _replication(assembly, announcer)
        self._damage = Damage(assembly.database, assembly.clock, announcer)

    async def run(self, greet: Callable[[Parts], Awaitable[None]]) -> None:
        """Run the loops and what takes connections; if one dies, all do."""
        self._hear_signals()
        if self.guard is not None:
            # Before anything is sent.
            await self.guard.look_once(time.monotonic(), START_PATIENCE)
            if self.guard.fenced is not None:
                return
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(loop)
                for loop in (
                    *self._assembly.loops(),
                    self._stop_if_lost(self._assembly.database),
                    self._systemd.run(self._stuck, self._status),
                    *(part.run() for part in self._standby()),
                    self._damage.run(),
                    self._doors.run(self._http.take),
                )
            ]
            self._tell_where()
            await greet(self._assembly.parts)
            _tame_gc()
            _hurry_threads()
            serving = [group.create_task(self._http.serve(self._doors.sockets))]
            mail, mail_doors = self._assembly.mail, self._mail_doors
            if mail is not None and mail_doors is not None:
                serving += [group.create_task(mail.serve(mail_doors.sockets))]
                loops += [group.create_task(mail_doors.run(mail.take))]
            self._systemd.ready(self._status())
            # Now: at its end systemd is told once more that hcl is ready.
            loops += [group.create_task(self._rereader.run())]
            await self._stop.wait()
            self._systemd.stopping(self._assembly.database.loss or "stops")
            await self._finish(serving)
            for task in loops:
                task.cancel()

    def _stuck(self) -> str:
        """Name a loop that hangs; "": none does."""
        alarms = self._assembly.alarms
        for name in ("checker", "sender"):
            if alarms[name].awake > HANGS:
                return f"the {name} hangs for {alarms[name].awake:.0f} s"
        return ""

    def _status(self) -> str:
        """Say how hcl fares, in a line."""
        if not self._assembly.database.is_writable:
            return "the database cannot be written"
        parts = (self._doors, self._mail_doors, *self._standby(), self._damage)
        troubles = "".join(f"; {p.trouble}" for p in parts if p and p.trouble)
        return f"listens on {self._places}{self._rereader.trouble}{troubles}"

    def _standby(self) -> list[Guard | Replication]:
        """Return what looks after a second machine, if there is one."""
        return [part for part in (self.guard, self._replication) if part is not None]

    async def _stop_if_lost(self, database: Database) -> None:
        """Stop in order once nothing can be written any more: who pings is told so."""
        await database.lost.wait()
        self._stop.set()

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._rereader.call)
        # The start held back what came until now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    async def _finish(self, serving: list[asyncio.Task[None]]) -> None:
        """Take no more connections, and see to what is under way."""
        mail_sockets = self._mail_doors.sockets if self._mail_doors else []
        await take_no_more([*self._doors.sockets, *mail_sockets])
        self._http.stop()
        self._assembly.parts.changes.close()
        if self._assembly.mail is not None:
            self._assembly.mail.stop()
        await self._assembly.sender.finish(SEND_PATIENCE)
        for task in serving:
            await task

    def _tell_where(self) -> None:
        for bound in self._doors.sockets:
            logger.info("hcl %s listens on %s", __version__, describe(bound))
        for bound in self._mail_doors.sockets if self._mail_doors else ():
            logger.info("hcl %s listens for mail on %s", __version__, _place(bound))


def _guard(assembly: Assembly, announcer: Announcer) -> Guard | None:
    config = assembly.config
    if not config.standby.has_fence:
        return None
    fence = Fence(config.standby)
    return Guard(fence, config.database.path, assembly.database, announcer)


def _replication(assembly: Assembly, announcer: Announcer) -> Replication | None:
    config = assembly.config
    if config.standby.socket is None:
        return None
    socket_path, path = config.standby.socket, config.database.path
    return Replication(
        socket_path,
        path,
        announcer,
        assembly.clock,
        # Which a reload may change.
        home=lambda: assembly.config.alerts.tz,
    )


def _tame_gc() -> None:
    """Have the garbage collector look less often, and not at what is there now.

    What is under way for some dozens of connections would call it all the time, to
    look at every check that is remembered; pings leave no garbage for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 100)


def _hurry_threads() -> None:
    """Have threads hand over to one another sooner than after 5 ms.

    A ping changes threads several times, and each time would wait so long for another
    that reads a mail, or imports what a page needs.
    """
    sys.setswitchinterval(0.001)


def _place(bound: socket.socket) -> str:
    """Name a socket for mail as the config does."""
    if bound.family == socket.AF_UNIX:
        return f"unix:{bound.getsockname()}"
    host, port = bound.getsockname()[:2]
    return name_of(HostPort(host, port))
