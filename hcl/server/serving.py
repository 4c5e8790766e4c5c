"""The composition root: opens, starts, watches and stops all parts of the server."""

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from hcl import __version__
from hcl.alarm import Alarm
from hcl.alerts.sender import Sender
from hcl.changes import Changes
from hcl.checks.checker import Checker
from hcl.checks.managing import Managing
from hcl.config import Config, ConfigError, HostPort
from hcl.counters import Counters
from hcl.db import Database, DatabaseError, SQLError, open_database
from hcl.pings.filer import Filer
from hcl.pings.pinging import Pinging
from hcl.pings.pruner import Pruner
from hcl.server.sockets import describe, listening, name_of
from hcl.server.syncing import sync
from hcl.web.app import create_app
from hcl.web.http.http import HttpServer
from hcl.web.parts import Parts
from hcl.web.ping import PingEndpoint

if TYPE_CHECKING:
    from hcl.smtpd.server import MailServer

logger = logging.getLogger(__name__)

# How long messages that are being sent may hold up the end.
SEND_PATIENCE = timedelta(seconds=4)


def run(
    config: Config, reread: Callable[[], Config], greet: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT; on SIGHUP take the settings of `reread`.

    `greet` is called once connections are taken. Raises BindError if the address
    cannot be listened on, db.DatabaseError if the database cannot be used, and what
    killed a loop: better dead than answering pings and never
    alerting.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(config, reread, greet))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def serve(
    config: Config, reread: Callable[[], Config], greet: Callable[[], None]
) -> None:
    """Open what is needed, serve, and close it on every way out."""
    with (
        listening(config.server.listen, os.environ) as sockets,
        _listening_for_mail(config) as mail_sockets,
    ):
        database = await open_database(
            config.database.path, config.database.synchronous
        )
        try:
            server = _Server(config, database, sockets, mail_sockets)
            await server.run(reread, greet)
        except SQLError as error:
            raise DatabaseError(f"{config.database.path}: {error}") from error
        finally:
            await database.close()


@contextmanager
def _listening_for_mail(config: Config) -> Iterator[list[socket.socket]]:
    """Bind to the address that mail comes to; none, if none is set."""
    if config.smtpd.listen is None:
        yield []
        return
    # What systemd hands over is for HTTP.
    with listening(config.smtpd.listen, {}) as sockets:
        yield sockets


class _Server:
    def __init__(
        self,
        config: Config,
        database: Database,
        sockets: list[socket.socket],
        mail_sockets: list[socket.socket],
    ) -> None:
        checker, sender, filer, pruner = Alarm(), Alarm(), Alarm(), Alarm()
        self._config = config
        self._database = database
        self._sockets = sockets
        self._mail_sockets = mail_sockets
        counters, changes = Counters(), Changes()
        self._checker = Checker(database, alarm=checker, sender=sender, changes=changes)
        self._sender = Sender(database, alarm=sender, counters=counters)
        limit = config.pings.log_limit
        self._filer = Filer(database, alarm=filer, pruner=pruner, log_limit=limit)
        self._pruner = Pruner(database, alarm=pruner, log_limit=limit)
        self._pinging = Pinging(
            database,
            checker=checker,
            sender=sender,
            received=self._filer.note,
            counters=counters,
            changes=changes,
        )
        managing = Managing(database, checker=checker, changes=changes)
        self._parts = Parts(database, self._pinging, managing, counters, changes)
        ping = PingEndpoint(self._parts)
        self._http = HttpServer(create_app(self._parts, ping), ping.answer_soon)
        self._mail = _mail_server(config, self._pinging)
        self._stop = asyncio.Event()
        self._hangups = asyncio.Event()

    async def run(
        self, reread: Callable[[], Config], greet: Callable[[], None]
    ) -> None:
        """Run the loops and the HTTP server; if one dies, all do."""
        await self._pinging.recover()
        await self._use(self._config)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hangups.set)
        try:
            async with asyncio.TaskGroup() as group:
                loops = [
                    group.create_task(self._checker.run()),
                    group.create_task(self._sender.run()),
                    group.create_task(self._filer.run()),
                    group.create_task(self._pruner.run()),
                    group.create_task(self._reload(reread)),
                ]
                self._tell_where()
                greet()
                _tame_gc()
                doors = [group.create_task(self._http.serve(self._sockets))]
                if self._mail is not None:
                    doors += [group.create_task(self._mail.serve(self._mail_sockets))]
                await self._stop.wait()
                self._http.stop()
                self._parts.changes.close()
                if self._mail is not None:
                    self._mail.stop()
                await self._sender.finish(SEND_PATIENCE)
                for door in doors:
                    await door
                for task in loops:
                    task.cancel()
        finally:
            await self._sender.close()
        logger.info("stopped")

    def _tell_where(self) -> None:
        for bound in self._sockets:
            logger.info("hcl %s listens on %s", __version__, describe(bound))
        for bound in self._mail_sockets:
            logger.info("hcl %s listens for mail on %s", __version__, _place(bound))

    async def _use(self, config: Config, *, retry: bool = False) -> None:
        """Bring the settings to the parts that can change while they run."""
        if self._mail is not None and config.smtpd.listen is not None:
            self._mail.use(config.smtpd)
        synced = await sync(self._database, config)
        self._config = config
        self._parts.use(config, synced.projects, synced.secret)
        self._filer.log_limit = self._pruner.log_limit = config.pings.log_limit
        await self._sender.use(config, synced.channels, retry=retry)

    async def _reload(self, reread: Callable[[], Config]) -> None:
        """Repeat: 1. wait for SIGHUP, 2. read the file, 3. use it if it is right."""
        while True:
            await self._hangups.wait()
            self._hangups.clear()
            before = self._config
            try:
                # It may ask Apprise, which takes a second.
                config = await asyncio.to_thread(reread)
                await self._use(config, retry=True)
            except ConfigError as error:
                logger.error("not reloaded: %s", error)
            except SQLError as error:
                logger.error("not reloaded, the database cannot be used: %s", error)
            else:
                logger.info("reloaded %s", config.path)
                _name_restarts(before, config)


def _tame_gc() -> None:
    """Have the garbage collector look less often, and not at what is there now.

    What is under way for some dozens of connections would call it all the time, to
    look at every check that is remembered; pings leave no garbage for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 100)


def _mail_server(config: Config, pinging: Pinging) -> "MailServer | None":
    if config.smtpd.listen is None:
        return None
    # Imported here: aiosmtpd takes memory, and few want mail.
    from hcl.smtpd.server import MailServer

    return MailServer(pinging, config.smtpd)


def _place(bound: socket.socket) -> str:
    """Name a socket for mail as the config does."""
    if bound.family == socket.AF_UNIX:
        return f"unix:{bound.getsockname()}"
    host, port = bound.getsockname()[:2]
    return name_of(HostPort(host, port))


def _name_restarts(before: Config, after: Config) -> None:
    """Say which changes wait for a restart."""
    for name, old, new in (
        ("server.listen", before.server.listen, after.server.listen),
        ("database", before.database, after.database),
        ("smtpd.listen", before.smtpd.listen, after.smtpd.listen),
    ):
        if old != new:
            logger.warning("%s has changed: restart hcl to use it", name)
