"""SIGHUP: read hcl.toml again, and have the parts use it once the database can."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from hcl.config import Config, ConfigError
from hcl.db import PATIENCE, SQLError, UnusableError, tell
from hcl.server.guard import apart
from hcl.server.parts import Assembly
from hcl.server.systemd import Notifier

logger = logging.getLogger(__name__)

# So many seconds a file may take to be read before that is told; Apprise has a minute
# of them to look at its URLs.
SLOW = 90.0

_WRONG = "; hcl.toml is wrong, the settings of before are used"
_WAITS = "; hcl.toml was read, and waits for a database that can be used"


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

    def call(self) -> None:
        """Have the file read again."""
        self._called.set()

    async def run(self) -> None:
        """Repeat: 1. wait to be called, 2. read the file, 3. use it if it is right.

        Where the database cannot be used the third is tried again: nobody calls twice.
        """
        while True:
            if await self._is_called():
                self._systemd.reloading()
                self._waits = await self._read() or self._waits
                await self._use()
                self._systemd.ready(self._status())
            else:
                await self._use()

    async def _is_called(self) -> bool:
        """Wait for a call; return False if what was read before is to be tried."""
        try:
            async with asyncio.timeout(self.patience if self._waits else None):
                await self._called.wait()
        except TimeoutError:
            return False
        self._called.clear()
        return True

    async def _read(self) -> Config | None:
        """Read the file; return None, and say why, if it cannot be used."""
        self.trouble = _WRONG
        try:
            # It may ask Apprise, which takes a second. In a thread that does not hold
            # up the end: the file, or a secret's, may lie on a share that hangs.
            reading = asyncio.wrap_future(apart(self._reread, "reload"))
            _, late = await asyncio.wait([reading], timeout=SLOW)
            if late:
                place = "hcl.toml, or a file that it names,"
                logger.error(
                    "%s is not read after %.0f s: is its disk there?", place, SLOW
                )
            config = await asyncio.shield(reading)
        except ConfigError as error:
            logger.error("not reloaded: %s", error)
        except Exception:
            # A mistake in reading is no reason to stop watching.
            logger.exception("not reloaded")
        else:
            self.trouble = ""
            return config
        return None

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
        else:
            self.trouble = "" if self.trouble == _WAITS else self.trouble
            logger.info("reloaded %s", config.path)
            _name_restarts(before, read)
        self._waits = None


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


def _name_restarts(used: Config, read: Config) -> None:
    """Say which changes wait for a restart, at each reload until there is one."""
    for name, old, new in (
        ("server.listen", used.server.listen, read.server.listen),
        ("database", used.database, read.database),
        ("smtpd.listen", used.smtpd.listen, read.smtpd.listen),
        ("standby", used.standby, read.standby),
    ):
        if old != new:
            logger.warning("%s has changed: restart hcl to use it", name)
