"""Connections to hosts, made in threads of their own.

Whoever has the loop look names up waits for others whose lookup hangs, and so does all
that is done in the loop's threads, pages and the end of hcl among it.
"""

import asyncio
import socket
from collections.abc import Callable
from threading import Thread


def _as_it_is(sock: socket.socket) -> socket.socket:
    return sock


def reach(
    host: str,
    port: int,
    patience: float,
    hold: Callable[[socket.socket], socket.socket] = _as_it_is,
) -> socket.socket:
    """Connect to the first address of a host that can be reached.

    `patience` is how long all addresses may take, and what is done by the connection
    then, in seconds. `hold` is given each socket before it is used. Raises OSError.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    last = OSError("no address")
    for family, kind, protocol, _, address in found:
        sock = hold(socket.socket(family, kind, protocol))
        try:
            # None takes the time of the others.
            sock.settimeout(patience / len(found))
            sock.connect(address)
            sock.settimeout(patience)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            last = error
    raise last


async def reached(host: str, port: int, patience: float) -> socket.socket:
    """Connect as `reach` does, in a thread; return a socket for the loop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[socket.socket] = loop.create_future()

    def work() -> None:
        told: socket.socket | Exception
        try:
            told = reach(host, port, patience)
            told.setblocking(False)
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            told = error
        try:
            loop.call_soon_threadsafe(_tell, future, told)
        except RuntimeError:
            # The loop has ended: nobody waits.
            _close(told)

    Thread(target=work, name="reaching", daemon=True).start()
    try:
        return await future
    except asyncio.CancelledError:
        if future.done() and not future.cancelled():
            _close(future.exception() or future.result())
        raise


def _tell(
    future: asyncio.Future[socket.socket], told: socket.socket | Exception
) -> None:
    if future.done():
        _close(told)
    elif isinstance(told, Exception):
        future.set_exception(told)
    else:
        future.set_result(told)


def _close(told: socket.socket | BaseException) -> None:
    if isinstance(told, socket.socket):
        told.close()
