"""Where hcl is listened to: opened, closed, and opened again if a file is removed."""

import asyncio
import errno
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, socket

from hcl.config import HostPort, Listen
from hcl.server.sockets import BindError, bind, name_of

logger = logging.getLogger(__name__)

# So often it is looked whether unix sockets can be found, in seconds.
EVERY = 10.0


class Doors:
    """The sockets of one address; `are_ours`: hcl has made them, else systemd has.

    `trouble` says that nobody can come in; "": they can.
    """

    def __init__(
        self, address: Listen, sockets: list[socket], *, are_ours: bool
    ) -> None:
        self.sockets = sockets
        self.trouble = ""
        self._address = address
        self._are_ours = are_ours
        # What was made where: whoever connects goes by the path.
        self._files = {
            path: _identity(path)
            for bound in sockets
            if bound.family == AF_UNIX
            and (path := os.fsdecode(bound.getsockname())).startswith("/")
        }

    def close(self) -> None:
        """Close them; a file that is another's by now stays."""
        for bound in self.sockets:
            bound.close()
        for path, made in self._files.items():
            if self._are_ours and made == _identity(path):
                Path(path).unlink(missing_ok=True)

    async def run(self, take: Callable[[socket], Awaitable[None]]) -> None:
        """Look again and again; `take` begins to serve a socket that is made anew."""
        while self._files:
            await asyncio.sleep(EVERY)
            await self.look_once(take)

    async def look_once(self, take: Callable[[socket], Awaitable[None]]) -> None:
        """Make unix sockets again whose files were removed, or tell of them."""
        told = [await self._look(path, take) for path in self._files]
        trouble = "; ".join(filter(None, told))
        if trouble and trouble != self.trouble:
            logger.error("%s", trouble)
        self.trouble = trouble

    async def _look(self, path: str, take: Callable[[socket], Awaitable[None]]) -> str:
        if _identity(path) == self._files[path]:
            return ""
        gone = f"unix:{path} was removed: nobody can connect to it"
        if not self._are_ours:
            return f"{gone}; restart the unit of its socket"
        try:
            bound = bind(self._address)
        except OSError as error:
            return f"{gone}, and it cannot be made again: {error.strerror}"
        self._files[path] = _identity(path)
        self.sockets.append(bound)
        await take(bound)
        logger.warning("unix:%s was removed, and is made again", path)
        return ""


def _identity(path: str) -> tuple[int, int] | None:
    """Tell what a path names; None: nothing that can be found."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def listening(address: Listen, handed_over: list[socket]) -> Iterator[Doors]:
    """Take the sockets that were handed over, or bind to `address`; close them.

    Raises BindError if the address cannot be bound to.
    """
    try:
        sockets = handed_over or [bind(address)]
    except OSError as error:
        problem = f"cannot listen on {name_of(address)}: {error.strerror}"
        raise BindError(problem + _cure(error, address)) from error
    doors = Doors(address, sockets, are_ours=not handed_over)
    try:
        yield doors
    finally:
        doors.close()


def _cure(error: OSError, address: Listen) -> str:
    """Say what to do about an address that cannot be had; "": nobody knows."""
    if error.errno == errno.EADDRINUSE:
        kind = "port" if isinstance(address, HostPort) else "path"
        return f"; stop what listens there, or have hcl.toml name another {kind}"
    if error.errno == errno.EADDRNOTAVAIL:
        return "; it is none of this machine's: 0.0.0.0 stands for all that it has"
    if error.errno == errno.EAFNOSUPPORT:
        return "; IPv6 is switched off here: 0.0.0.0 stands for all of IPv4"
    if error.errno == errno.EACCES and isinstance(address, HostPort):
        return "; a port below 1024 needs CAP_NET_BIND_SERVICE, or take one above"
    return ""
