"""Start what listens and the loops, hear signals, reload, and stop in order."""

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from hcl import __version__
from hcl.config import Config, ConfigError, HostPort
from hcl.db import Database, DatabaseError, SQLError, explain, held, open_database
from hcl.server.parts import Assembly, assemble
from hcl.server.sockets import describe, listening, name_of
from hcl.web.http.http import HttpServer
from hcl.web.parts import Parts

logger = logging.getLogger(__name__)

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
    with (
        # First: who starts a second server is to hear of the first one.
        held(config.database.path, config.path, new=new) as note_served,
        listening(config.server.listen, os.environ) as sockets,
        _listening_for_mail(config) as mail_sockets,
    ):
        database = await open_database(
            config.database.path, config.database.synchronous
        )
        try:
            note_served()
            async with assemble(config, database) as assembly:
                await _Server(assembly, sockets, mail_sockets).run(reread, greet)
            if database.loss:
                raise DatabaseError(database.loss)
            logger.info("stopped")
        except SQLError as error:
            raise DatabaseError(f"{config.database.path}: {explain(error)}") from error
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
        assembly: Assembly,
        sockets: list[socket.socket],
        mail_sockets: list[socket.socket],
    ) -> None:
        self._assembly = assembly
        self._sockets = sockets
        self._mail_sockets = mail_sockets
        self._http = HttpServer(assembly.app, assembly.ping.answer_soon)
        self._stop = asyncio.Event()
        self._hangups = asyncio.Event()

    async def run(
        self,
        reread: Callable[[], Config],
        greet: Callable[[Parts], Awaitable[None]],
    ) -> None:
        """Run the loops and what takes connections; if one dies, all do."""
        self._hear_signals()
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(loop)
                for loop in (
                    *self._assembly.loops(),
                    self._reload(reread),
                    self._stop_if_lost(self._assembly.database),
                )
            ]
            self._tell_where()
            await greet(self._assembly.parts)
            _tame_gc()
            doors = [group.create_task(self._http.serve(self._sockets))]
            if (mail := self._assembly.mail) is not None:
                doors += [group.create_task(mail.serve(self._mail_sockets))]
            await self._stop.wait()
            await self._finish(doors)
            for task in loops:
                task.cancel()

    async def _stop_if_lost(self, database: Database) -> None:
        """Stop in order once nothing can be written any more: who pings is told so."""
        await database.lost.wait()
        self._stop.set()

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hangups.set)

    async def _finish(self, doors: list[asyncio.Task[None]]) -> None:
        """Take no more connections, and see to what is under way."""
        self._http.stop()
        self._assembly.parts.changes.close()
        if self._assembly.mail is not None:
            self._assembly.mail.stop()
        await self._assembly.sender.finish(SEND_PATIENCE)
        for door in doors:
            await door

    def _tell_where(self) -> None:
        for bound in self._sockets:
            logger.info("hcl %s listens on %s", __version__, describe(bound))
        for bound in self._mail_sockets:
            logger.info("hcl %s listens for mail on %s", __version__, _place(bound))

    async def _reload(self, reread: Callable[[], Config]) -> None:
        """Repeat: 1. wait for SIGHUP, 2. read the file, 3. use it if it is right."""
        while True:
            await self._hangups.wait()
            self._hangups.clear()
            before = self._assembly.config
            try:
                # It may ask Apprise, which takes a second.
                config = await asyncio.to_thread(reread)
                await self._assembly.use(config, retry=True)
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
