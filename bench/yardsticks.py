"""The servers that hcl is compared with, each under the same uvicorn as hcl's.

python -m bench.yardsticks NAME PORT: one of `starlette`, `asgi` and `aiosqlite`, the
last with the checks whose UUIDs are in ./codes, one a line.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiosqlite
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

CODES = "codes"

_SCHEMA = """
CREATE TABLE checks (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL, n_pings INTEGER NOT NULL, last_ping REAL, alert_after REAL);
CREATE INDEX checks_due ON checks (alert_after) WHERE alert_after IS NOT NULL;
CREATE TABLE pings (check_id INTEGER NOT NULL REFERENCES checks (id),
    n INTEGER NOT NULL, created REAL NOT NULL, action TEXT NOT NULL,
    scheme TEXT NOT NULL, remote_addr TEXT NOT NULL, method TEXT NOT NULL,
    ua TEXT NOT NULL, rid TEXT, exitstatus INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (check_id, n)) WITHOUT ROWID;
"""


async def _hello(_: Request) -> Response:
    return PlainTextResponse("OK")


def _starlette() -> ASGIApp:
    return Starlette(routes=[Route("/", _hello, methods=["GET", "POST"])])


async def _bare(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"OK"})


class _TransactionEach:
    """Records every ping in a transaction of its own, and answers after its commit."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        # Coroutines that share a connection share its transaction.
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        code = scope["path"].removeprefix("/ping/")
        if code != "/":
            async with self._lock:
                await self._record(code, scope["method"], body)
        await _bare(scope, receive, send)

    async def _record(self, code: str, method: str, body: bytes) -> None:
        connection, now = self._connection, time.time()
        await connection.execute("BEGIN IMMEDIATE")
        ((check_id, n),) = await connection.execute_fetchall(
            "SELECT id, n_pings + 1 FROM checks WHERE code = ?", (code,)
        )
        await connection.execute(
            "UPDATE checks SET status = 'up', n_pings = ?, last_ping = ?,"
            " alert_after = ? WHERE id = ?",
            (n, now, now + 90_000, check_id),
        )
        await connection.execute(
            "INSERT INTO pings VALUES (?, ?, ?, 'success', 'http', '127.0.0.1', ?, '',"
            " NULL, NULL, ?)",
            (check_id, n, now, method, body),
        )
        await connection.execute("COMMIT")


async def _serve_transactions(codes: list[str], port: int) -> None:
    # aiosqlite's thread outlives the loop unless it is closed.
    async with aiosqlite.connect("yardstick.sqlite", isolation_level=None) as conn:
        # The pragmas of hcl.db.
        await conn.execute("PRAGMA journal_mode = WAL")
        await conn.execute("PRAGMA synchronous = FULL")
        await conn.execute("PRAGMA foreign_keys = ON")
        await conn.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
        await conn.execute("BEGIN")
        await conn.executemany(
            "INSERT INTO checks (code, status, n_pings) VALUES (?, 'new', 0)",
            [(code,) for code in codes],
        )
        await conn.execute("COMMIT")
        await _serve(_TransactionEach(conn), port)


async def _serve(app: ASGIApp, port: int) -> None:
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        # What hcl sets: see hcl.web.http.http. The loop is made below.
        loop="none",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    await uvicorn.Server(config).serve()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def main(name: str, port: int) -> None:
    """Serve until SIGTERM."""
    served = {
        "starlette": lambda: _serve(_starlette(), port),
        "asgi": lambda: _serve(_bare, port),
        "aiosqlite": lambda: _serve_transactions(Path(CODES).read_text().split(), port),
    }
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(served[name]())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
