"""What tests write to a database, and being cancelled meanwhile."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

from hcl import store
from hcl.db import (
    Database,
)
from tests.patience import ENDS
from tests.store import rows


async def names(database: Database) -> list[str]:
    return await rows(database, "SELECT name FROM settings ORDER BY name")


async def put_two(database: Database) -> None:
    async with database.transaction() as conn:
        await store.settings.put(conn, "a", "1")
        await store.settings.put(conn, "b", "2")


async def put_and_run(database: Database, sql: str) -> None:
    async with database.transaction() as conn:
        await store.settings.put(conn, "a", "1")
        await conn.execute(sql)


async def put_and_raise(database: Database, error: type[BaseException]) -> None:
    async with database.transaction() as conn:
        await store.settings.put(conn, "a", "1")
        raise error


class CancelledAt:
    """Run a coroutine, and cancel the task when it waits for the nth time."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], *times: int) -> None:
        self.waits = 0
        self._coroutine = coroutine
        self._times = times

    def __await__(self) -> Generator[Any, Any, None]:
        error: BaseException | None = None
        try:
            while True:
                if error is None:
                    future = self._coroutine.send(None)
                else:
                    future = self._coroutine.throw(error)
                self.waits += 1
                if self.waits in self._times:
                    task = asyncio.current_task()
                    assert task is not None
                    task.cancel()
                try:
                    error = None
                    yield future
                except BaseException as caught:  # noqa: BLE001 - handed on
                    error = caught
        except StopIteration:
            return


async def run_cancelled(coroutine: Coroutine[Any, Any, None], *times: int) -> int:
    """Cancel a coroutine at its nth waits; return how often it waited."""
    steps = CancelledAt(coroutine, *times)

    async def run() -> None:
        await steps

    async with asyncio.timeout(ENDS):
        task = asyncio.create_task(run())
        await asyncio.wait([task])
    assert task.cancelled() == (steps.waits >= times[0])
    return steps.waits
