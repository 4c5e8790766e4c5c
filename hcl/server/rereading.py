"""SIGHUP: read hcl.toml again, and have the parts use it once the database can."""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import replace

from hcl.config import Config, ConfigError
from hcl.db import PATIENCE, SQLError, UnusableError, tell
from hcl.outgoing.reasons import lacks_descriptors
from hcl.server.parts import Assembly
from hcl.server.sockets import are_handed_over
from hcl.server.standby.guard import apart
from hcl.server.systemd import Notifier

logger = logging.getLogger(__name__)

# So many seconds a file may take to be read before that is told; Apprise has a minute
# of them to look at its URLs.
SLOW = 90.0

_WRONG = "; hcl.toml is wrong, the settings of before are used"
_CANNOT = "; hcl.toml cannot be read just now, the settings of before are used"
_WAITS = "; hcl.toml was read, and waits for a database that can be used"


class _ScarceError(Exception):
    """No thread can be had to read it in."""


class Rereader:
    """Takes another hcl.toml while hcl runs: as a whole, or not at all.

    `trouble` is what is amiss with that, as systemd's status line has it. `status`
    returns that line.
    """

    def __init__(
        self,
        assembly: Assembly,
        reread: Callable[[], Config],
        systemd: Notifier,
        status: Callable[[], str],
    ) -> None:
        self.trouble = ""
        self.patience = PATIENCE.total_seconds()
        self._assembly = assembly
        self._reread = reread
        self._systemd = systemd
        self._status = status
        self._called = asyncio.Event()
        # What was read, and is not used yet.
        self._waits: Config | None = None
        # Whether it could not be read only for want of a descriptor or a thread.
        self._reads_again = False
        # What waits for a restart, a line each.
        self._restarts: list[str] = []

    def call(self) -> None:
        """Have the file read again."""
        self._called.set()

    async def run(self) -> None:
        """Repeat: 1. wait to be called, 2. read the file, 3. use it if it is right.

        What could not be done just then is tried again: nobody calls twice.
        """
        while True:
            is_called = await self._is_called()
            if is_called:
                self._systemd.reloading()
            if is_called or self._reads_again:
                self._waits = await self._read(is_first=is_called) or self._waits
            await self._use()
            self._show()
            if is_called:
                self._systemd.ready(self._status())

    async def _is_called(self) -> bool:
        """Wait for a call; return False if what was not done is to be tried again."""
        is_owed = self._reads_again or self._waits is not None
        try:
            async with asyncio.timeout(self.patience if is_owed else None):
                await self._called.wait()
        except TimeoutError:
            return False
        self._called.clear()
        return True

    async def _read(self, *, is_first: bool) -> Config | None:
        """Read the file; return None, and say why, if it cannot be used."""
        self.trouble, self._reads_again = _WRONG, False
        try:
            config = await self._read_apart()
        except (ConfigError, _ScarceError) as error:
            # Descriptors and threads come and go.
            self._reads_again = lacks_descriptors(error) or type(error) is _ScarceError
            if is_first or not self._reads_again:
                logger.error("not reloaded: %s", error)
        except Exception:
            # A mistake in reading is no reason to stop watching.
            logger.exception("not reloaded")
        else:
            self.trouble = ""
            return config
        if self._reads_again:
            self.trouble = _CANNOT
        return None

    async def _read_apart(self) -> Config:
        """Read it in a thread that does not hold up the end.

        It may ask Apprise, which takes a second; and it, or a secret's file, may lie on
        a share that hangs.
        """
        try:
            reading = asyncio.wrap_future(apart(self._reread, "reload"))
        except RuntimeError as error:
            raise _ScarceError(str(error)) from error
        _, late = await asyncio.wait([reading], timeout=SLOW)
        if late:
            what = "hcl.toml, or a file that it names,"
            logger.error("%s is not read after %.0f s: is its disk there?", what, SLOW)
        return await asyncio.shield(reading)

    async def _use(self) -> None:
        """Use what was read, if there is anything."""
        if self._waits is None:
            return
        before, read = self._assembly.config, self._waits
        config = _until_restart(before, read)
        try:
            await self._assembly.use(config, retry=True)
        except UnusableError as error:
            # Part of it may be in use already: it is not left at that.
            tell(logger, "not reloaded yet", error)
            self.trouble = self.trouble or _WAITS
            return
        except (ConfigError, SQLError) as error:
            logger.error("not reloaded: %s", error)
            self.trouble = self.trouble or _WRONG
        except Exception:
            if self._assembly.config is not before:
                raise
            # Nothing of it is in use: a mistake in that is no reason to stop watching.
            logger.exception("not reloaded")
            self.trouble = self.trouble or _WRONG
        else:
            self.trouble = "" if self.trouble == _WAITS else self.trouble
            logger.info("reloaded %s", config.path)
            self._restarts = _restarts(before, read)
            for line in self._restarts:
                logger.warning("%s", line)
        self._waits = None

    def _show(self) -> None:
        """Have the server's page tell what of the file is not used.

        What is wrong with it may be another project's than that of who looks.
        """
        trouble = self.trouble.removeprefix("; ")
        if self.trouble == _WRONG:
            trouble += ": hcl check-config says what is wrong with it"
        lines = [trouble, *self._restarts]
        self._assembly.parts.unused = list(filter(None, lines))


def _until_restart(used: Config, read: Config) -> Config:
    """Leave what only a restart can change as it is used now."""
    mail = read.smtpd
    is_same = (used.smtpd.listen is None) == (mail.listen is None)
    return replace(
        read,
        server=replace(read.server, listen=used.server.listen),
        database=used.database,
        standby=used.standby,
        smtpd=replace(mail, listen=used.smtpd.listen) if is_same else used.smtpd,
    )


def _restarts(used: Config, read: Config) -> list[str]:
    """Say which changes wait for a restart, at each reload until there is one."""
    lines = []
    # What systemd hands over stays as its units have it.
    is_handed_over = are_handed_over(os.environ)
    for name, old, new in (
        ("server.listen", used.server.listen, read.server.listen),
        ("database", used.database, read.database),
        ("smtpd.listen", used.smtpd.listen, read.smtpd.listen),
        ("standby", used.standby, read.standby),
    ):
        if old != new:
            is_unit = is_handed_over and name.endswith(".listen")
            how = "make the units anew, and restart hcl," if is_unit else "restart hcl"
            lines.append(f"{name} has changed: {how} to use it")
    return lines
