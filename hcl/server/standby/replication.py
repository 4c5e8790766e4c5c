"""Whether Litestream replicates: asked each minute, and told when it stands still."""

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from hcl.clock import Clock
from hcl.db import UnusableError, tell
from hcl.server.announcer import Announcer
from hcl.words.moments import moment

logger = logging.getLogger(__name__)

EVERY = 60.0

# How long Litestream may take to answer, in seconds.
PATIENCE = 10.0

# Replication has to have gone on within so many seconds. With the time between two
# looks people are told within five minutes.
STANDS_AFTER = 180.0

_MOST_BYTES = 1_000_000


class Replication:
    """Looks whether the replica gets what is written here.

    `home` returns the zone of moments in messages.
    """

    def __init__(
        self,
        socket: Path,
        database: Path,
        announcer: Announcer,
        clock: Clock,
        home: Callable[[], str] = lambda: "UTC",
    ) -> None:
        self._socket = socket
        self._path = database
        self._names = {str(database), os.path.realpath(database)}
        self._announcer = announcer
        self._clock = clock
        self.stamp: object = None
        self._well = time.monotonic()
        # Since when it stands still, if people were told so.
        self._told = False
        self.trouble = ""
        self.patience = PATIENCE
        self._home = home

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(EVERY)
            await self.look_once(time.monotonic())

    async def look_once(self, now: float) -> None:
        """Ask Litestream; tell people if replication stands still, or goes on.

        `now` are seconds by the monotonic clock.
        """
        try:
            stamp, why = await self._ask()
        except (OSError, TimeoutError, ValueError, LookupError, TypeError) as error:
            stamp, why = None, self._said(error)
        if stamp is not None and stamp != self.stamp:
            self.stamp, self._well = stamp, now
        stands = now - self._well >= STANDS_AFTER
        self.trouble = f"replication stands still: {why}" if stands else ""
        if stands == self._told:
            return
        try:
            await self._tell(stands, now - self._well, why)
        except UnusableError as error:
            tell(logger, "cannot tell how replication fares", error)
        else:
            self._told = stands

    async def _tell(self, stands: bool, seconds: float, why: str) -> None:
        if not stands:
            logger.warning("replication goes on")
            subject = "replication goes on"
            story = ["Litestream brings what is written here to the replica again."]
        else:
            began = self._clock.at(self._clock.boot() - seconds)
            since = moment(began, home=self._home())
            logger.error("replication stands still since %s: %s", since, why)
            subject = f"replication stands still since {since}"
            story = [
                f"What was written since is on no other machine: {why}.",
                "See what Litestream says: journalctl -u hcl-litestream",
            ]
        await self._announcer.tell("replication", subject, story)

    async def _ask(self) -> tuple[object, str]:
        """Return when Litestream brought something to the replica, as it says.

        None if it never did; and why nothing may have been brought since.
        """
        async with asyncio.timeout(self.patience):
            reader, writer = await asyncio.open_unix_connection(self._socket)
            try:
                writer.write(b"GET /list HTTP/1.0\r\nHost: litestream\r\n\r\n")
                answer = await reader.read(_MOST_BYTES)
                while more := await reader.read(_MOST_BYTES):
                    answer += more
                    if len(answer) > _MOST_BYTES:
                        raise ValueError("it answers without end")
            finally:
                writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise ValueError("its answer is none that Litestream gives")
        for known in json.loads(body)["databases"]:
            if known["path"] in self._names:
                status = known.get("status")
                why = "" if status == "replicating" else f" ({status})"
                return known.get("last_sync_at"), f"Litestream brings nothing{why}"
        return None, f"Litestream's config does not name {self._path}"

    def _said(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"Litestream does not answer within {self.patience:.0f} s"
        if isinstance(error, OSError):
            return f"Litestream cannot be asked: {error.strerror or error}"
        if type(error) is ValueError:
            return f"Litestream's answer cannot be read: {error}"
        return "Litestream's answer cannot be read"
