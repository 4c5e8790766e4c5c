"""Connect to a server of several addresses, of which some may never answer."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Sequence
from typing import Any

# Seconds after which the next address is tried too. The first is often one of IPv6,
# for which some networks have no way out, and say nothing.
_HEAD_START = 0.3

_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)


def connect(
    address: tuple[str, int], timeout: float, _source: Any = None
) -> socket.socket:
    """Connect as socket.create_connection does, but in so many seconds in all.

    Raises OSError.
    """
    host, port = address
    return first_of(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM), timeout)


def first_of(found: Sequence[tuple[Any, ...]], timeout: float) -> socket.socket:
    """Return a connection to the first of these addresses that answers.

    They are as getaddrinfo tells them. Raises OSError.
    """
    until, waiting = time.monotonic() + timeout, list(reversed(found))
    trying: dict[int, socket.socket] = {}
    last = OSError("no address")
    try:
        while waiting or trying:
            if waiting:
                try:
                    sock = _begun(*waiting.pop())
                except OSError as error:
                    last = error
                    continue
                trying[sock.fileno()] = sock
            left = until - time.monotonic()
            for sock in _settled(trying, min(left, _HEAD_START) if waiting else left):
                why = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not why:
                    sock.settimeout(timeout)
                    del trying[sock.fileno()]
                    return sock
                last = OSError(why, os.strerror(why))
                trying.pop(sock.fileno()).close()
            if left <= 0:
                raise TimeoutError("timed out")
    finally:
        for sock in trying.values():
            sock.close()
    raise last


def _begun(
    family: int, kind: int, protocol: int, _name: str, address: tuple[Any, ...]
) -> socket.socket:
    """Begin to connect to an address. Raises OSError."""
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    why = sock.connect_ex(address)
    if why not in _UNDER_WAY:
        sock.close()
        raise OSError(why, os.strerror(why))
    return sock


def _settled(trying: dict[int, socket.socket], seconds: float) -> list[socket.socket]:
    """Wait so long at most for those that are connected, or cannot be."""
    poll = select.poll()
    for descriptor in trying:
        poll.register(descriptor, select.POLLOUT)
    found = poll.poll(max(0, int(seconds * 1000) + 1))
    return [trying[descriptor] for descriptor, _ in found]
