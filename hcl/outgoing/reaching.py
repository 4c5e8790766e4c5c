"""Connections to hosts, and whom TLS trusts, each made in a thread of its own.

Whoever has the loop look names up waits for others whose lookup hangs, and so does all
that is done in the loop's threads, pages and the end of hcl among it. So it is with a
file of CAs on a share that is away.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread

from hcl.outgoing import trust
from hcl.outgoing.patience import Patience
from hcl.outgoing.request import AskingError

# Seconds that whom to trust may take to be read.
READ_WITHIN = 8.0

# What is being read, by the file: what hangs holds one thread, however many ask.
_reading: dict[str, Future[ssl.SSLContext]] = {}


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


async def trusted(ca_file: str) -> ssl.SSLContext:
    """Return what verifies servers, as `trust.context` does.

    To read a whole store of certificates takes longer than the loop may wait. Raises
    AskingError if it takes far longer, OSError if it cannot be read, and RuntimeError
    if no thread can be had.
    """
    reading = _reading.get(ca_file) or _read(ca_file)
    try:
        async with Patience(READ_WITHIN):
            return await asyncio.wrap_future(reading)
    except TimeoutError:
        pass
    what = "[tls] ca_file" if ca_file else "the system's store of CAs"
    raise AskingError(
        f"{what} is not read within {READ_WITHIN:g} s: is its disk there?"
    )


def _read(ca_file: str) -> Future[ssl.SSLContext]:
    reading = Future[ssl.SSLContext]()
    # Who leaves takes nothing from the others.
    reading.set_running_or_notify_cancel()

    def work() -> None:
        try:
            reading.set_result(trust.context(ca_file))
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            reading.set_exception(error)

    Thread(target=work, name="trust", daemon=True).start()
    _reading[ca_file] = reading
    reading.add_done_callback(lambda _: _reading.pop(ca_file, None))
    return reading


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
