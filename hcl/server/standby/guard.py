"""The guard: ends a server that another machine has taken over from."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from hcl import store
from hcl.db import Database, UnusableError, tell
from hcl.server.announcer import Announcer
from hcl.server.standby.fence import (
    PATIENCE,
    Fence,
    FencedError,
    FenceError,
    Stand,
    fence_off,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

# So often it is looked where the fence stands, in seconds: a file, or by a command.
EVERY = 5.0
BY_COMMAND_EVERY = 30.0

# How long the start waits for it: pings wait as long.
START_PATIENCE = 5.0

# People are told once it could not be read for so many seconds.
TOLD_AFTER = 240.0


class Guard:
    """Looks where the fence stands, and gives the database up once it is passed."""

    def __init__(
        self, fence: Fence, path: Path, database: Database, announcer: Announcer
    ) -> None:
        self.fenced: FencedError | None = None
        self.trouble = ""
        self._fence = fence
        self._every = BY_COMMAND_EVERY if fence.is_by_command else EVERY
        self._path = path
        self._database = database
        self._announcer = announcer
        self._reading: Future[Stand | None] | None = None
        self._read = time.monotonic()
        self._told = False

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(self._every)
            await self.look_once(time.monotonic())

    async def look_once(self, now: float, patience: float = PATIENCE) -> None:
        """Compare the epochs; where the fence cannot be read, say so and go on.

        `now` are seconds by the monotonic clock.
        """
        try:
            stand = await self._stand(patience)
            own = await store.epoch.get(self._database.committed)
        except FenceError as error:
            await self._cannot(f"the fence cannot be read: {error}", now)
            return
        except UnusableError as error:
            tell(logger, "cannot look at the fence", error)
            return
        seen = stand.epoch if stand else 0
        if stand is not None and seen > own:
            self.fenced = fence_off(self._path, stand)
            self._database.give_up(str(self.fenced))
        elif seen < own:
            what = f"the fence stands at {seen}, this database is of epoch {own}"
            # An empty folder may be one that waits for its share.
            where = "" if seen else "if it is not on a share that is away, "
            await self._cannot(f"{what}: {where}`hcl fence --raise` mends it", now)
        else:
            await self._can(now)

    async def _cannot(self, why: str, now: float) -> None:
        if why != self.trouble:
            logger.warning("%s; hcl goes on", why)
            self.trouble = why
        if now - self._read < TOLD_AFTER or self._told:
            return
        story = (
            f"{why[0].upper()}{why[1:]}.",
            "This machine goes on: should another take over now, both would send.",
        )
        with contextlib.suppress(UnusableError):
            await self._announcer.tell("replication", "the fence is down", story)
            self._told = True

    async def _can(self, now: float) -> None:
        if self.trouble:
            logger.warning("the fence can be read again")
            self.trouble = ""
        self._read = now
        if self._told:
            with contextlib.suppress(UnusableError):
                subject, story = "the fence is up again", ["It can be read again."]
                await self._announcer.tell("replication", subject, story)
                self._told = False

    async def _stand(self, patience: float) -> Stand | None:
        # A share that hangs holds its thread for as long as it likes: no second one.
        try:
            if self._reading is None:
                self._reading = apart(self._fence.read, "fence")
            async with asyncio.timeout(patience):
                stand = await asyncio.shield(asyncio.wrap_future(self._reading))
        except TimeoutError as error:
            raise FenceError(f"it takes over {patience:.0f} s") from error
        except RuntimeError as error:
            # Too many processes and threads run here.
            raise FenceError(str(error)) from error
        except FenceError:
            self._reading = None
            raise
        self._reading = None
        return stand


def apart(work: Callable[[], T], name: str) -> Future[T]:
    """Do what may hang in a thread that does not hold up the end of the process."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
