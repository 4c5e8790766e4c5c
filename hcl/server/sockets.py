"""The sockets that hcl listens on: TCP, unix, or handed over by systemd."""

import asyncio
import os
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from hcl.config import HostPort, Listen

# What a socket that systemd hands over is for: the FileDescriptorName of its unit.
HTTP = "http"
MAIL = "mail"

# The first descriptor that systemd hands over, see sd_listen_fds(3).
_FIRST_INHERITED = 3
_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)

# The owner and the group may connect, since peers count as trusted proxies.
_UNIX_MODE = 0o660


# Connections that may wait to be accepted, as uvicorn asks for.
_BACKLOG = 2048


class BindError(Exception):
    """The address cannot be listened on; the text says which and why."""


class Inherited:
    """The sockets that systemd hands over, by what they are for.

    Raises BindError if they cannot be what hcl is to listen on; `mail` tells whether it
    is to listen for that at all.
    """

    def __init__(self, env: Mapping[str, str], *, mail: bool) -> None:
        self._fds: dict[str, list[int]] = {HTTP: [], MAIL: []}
        if not are_handed_over(env):
            return
        given = env.get("LISTEN_FDS", "")
        if not (given.isascii() and given.isdigit()):
            raise BindError(f"LISTEN_FDS is no number: {given!r}")
        names = env.get("LISTEN_FDNAMES", "").split(":")
        for number in range(int(given)):
            fd = _FIRST_INHERITED + number
            # Before the names: a number that is far too large ends here.
            _look_at(fd)
            name = names[number] if number < len(names) else ""
            self._fds[_use_of(fd, name)].append(fd)
        if self._fds[MAIL] and not mail:
            problem = "systemd handed over a socket for mail"
            raise BindError(
                f"{problem}, but smtpd.listen is not set: make the units anew"
                " (`hcl systemd`)"
            )

    def take(self, use: str) -> list[socket.socket]:
        """Return the sockets for a use, once; none if none was handed over."""
        fds, self._fds[use] = self._fds[use], []
        return [socket.socket(fileno=fd) for fd in fds]


def are_handed_over(env: Mapping[str, str]) -> bool:
    """Tell whether systemd hands over sockets to this process (sd_listen_fds(3))."""
    return env.get("LISTEN_PID") == str(os.getpid())


def _use_of(fd: int, name: str) -> str:
    """Tell what a socket is for by the FileDescriptorName of its unit.

    Without one systemd gives the unit's name, or "unknown": those are for HTTP.
    """
    if name in (HTTP, MAIL):
        return name
    if not name or name == "unknown" or name.endswith(".socket"):
        return HTTP
    raise BindError(
        f"systemd handed over descriptor {fd} as {name!r}: let FileDescriptorName be"
        f" {HTTP} or {MAIL}"
    )


def _look_at(fd: int) -> None:
    """Raise BindError unless it is a stream socket that listens."""
    try:
        os.set_inheritable(fd, False)
        with socket.socket(fileno=os.dup(fd)) as given:
            is_fit = given.type == socket.SOCK_STREAM and given.family in _FAMILIES
            if is_fit and given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return
            why = "it is no stream socket that listens"
    except OSError as error:
        why = error.strerror or str(error)
    raise BindError(f"cannot use descriptor {fd}, which systemd handed over: {why}")


def bind(address: Listen) -> socket.socket:
    """Make a socket that listens on an address. Raises OSError."""
    if isinstance(address, HostPort):
        bound = _bind_tcp(address)
    else:
        bound = _bind_unix(address.path)
    # Who connects from now on waits, rather than being refused.
    bound.listen(_BACKLOG)
    return bound


def _bind_tcp(address: HostPort) -> socket.socket:
    family, kind, proto, _, target = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, proto)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(target)
    except OSError:
        bound.close()
        raise
    return bound


def _bind_unix(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        bound.bind(str(path))
        path.chmod(_UNIX_MODE)
    except OSError:
        bound.close()
        raise
    return bound


def _remove_stale(path: Path) -> None:
    """Remove the socket of a server that is gone; leave that of one that answers."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # Where very many wait for one that is alive, nobody waits for that.
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return
        except OSError:
            path.unlink(missing_ok=True)


async def take_no_more(sockets: Iterable[socket.socket]) -> None:
    """Leave in the line who waits there, and let all enter who were taken out of it.

    To be called before a server is closed: asyncio drops, without a word, a connection
    that was taken in the same turn of the loop (Server._attach finds no server any
    more). uvloop takes and enters in one step, and passes this over.
    """
    loop = asyncio.get_running_loop()
    for listening in sockets:
        loop.remove_reader(listening.fileno())
    await asyncio.sleep(0)


def name_of(address: Listen) -> str:
    """Write an address as the config does."""
    if isinstance(address, HostPort):
        host = f"[{address.host}]" if ":" in address.host else address.host
        return f"{host}:{address.port}"
    return f"unix:{address.path}"


def describe(bound: socket.socket) -> str:
    """Name a socket for people."""
    if bound.family == socket.AF_UNIX:
        return f"unix:{bound.getsockname()}"
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
