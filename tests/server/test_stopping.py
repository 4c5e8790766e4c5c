"""A connection that comes at the end is served, or waits for the next server."""

import asyncio
import importlib.util
import socket
from typing import Any

import pytest

from hcl.server.sockets import take_no_more
from hcl.web.http.http import HttpServer
from tests.server.process import until
from tests.web.http.wire import Recorder, not_soon

LOOPS = [("asyncio", {"use_uvloop": False})]
if importlib.util.find_spec("uvloop"):
    LOOPS += [("asyncio", {"use_uvloop": True})]


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("anyio_backend", LOOPS)
async def test_a_connection_of_the_last_moment_is_not_lost(turns: int) -> None:
    app = Recorder()
    server = HttpServer(app, not_soon)

    # systemd holds the socket, too: what waits in its line stays there.
    with socket.create_server(("127.0.0.1", 0)) as line, line.dup() as listening:
        task = asyncio.create_task(server.serve([listening]))
        await until(lambda: server.started)
        # Made behind the loop's back: it is found when the loop looks the next time.
        with socket.create_connection(line.getsockname()) as client:
            client.sendall(b"GET /last HTTP/1.1\r\nHost: x\r\n\r\n")
            for _ in range(turns):
                await asyncio.sleep(0)
            await take_no_more([listening])
            server.stop()
            await task
            line.setblocking(False)
            if app.requests:
                assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
                return
            with line.accept()[0] as waiting:
                assert waiting.recv(100).startswith(b"GET /last")


@pytest.mark.parametrize("turns", range(4))
async def test_asyncio_drops_nobody_who_was_taken(turns: int) -> None:
    loop = asyncio.get_running_loop()
    made: list[Any] = []

    class Greeting(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            made.append(transport)

    # As mail is taken: nobody else looks after the socket.
    with socket.create_server(("127.0.0.1", 0)) as line, line.dup() as listening:
        server = await loop.create_server(Greeting, sock=listening)
        with socket.create_connection(line.getsockname()):
            for _ in range(turns):
                await asyncio.sleep(0)
            await take_no_more([listening])
            server.close()
            await asyncio.sleep(0.01)
            line.setblocking(False)
            if not made:
                line.accept()[0].close()
            for transport in made:
                transport.abort()
