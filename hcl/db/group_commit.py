"""The group commit: what waits is written in one transaction, and then answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar, cast

from hcl.db.errors import UnusableError
from hcl.repeats import Repeats

logger = logging.getLogger(__name__)
logger.addFilter(Repeats())

Item = TypeVar("Item")
Result = TypeVar("Result")

# Is called with the result after the commit, or with why there was none.
Done = Callable[[Result | None, Exception | None], None]

# The most items that one transaction takes, so that none waits long for the others.
BATCH_LIMIT = 1000

# How often the loop looks for more between two batches of a group.
_ROUNDS = 3


class GroupCommit(Generic[Item, Result]):
    """Write all items that wait in one transaction, and answer each after its commit.

    One sync of the disk then serves many. While a batch is written, the next one
    fills. If a batch fails for a reason of its items, or since the file is damaged in
    places, each of them is tried alone.
    """

    def __init__(
        self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]
    ) -> None:
        """Prepare to write by `write`, which commits before it returns."""
        self._write = write
        self._waiting: list[tuple[Item, Done[Result]]] = []
        self._writing: asyncio.Task[None] | None = None

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Return a future of what `write` makes of the item, once that is committed.

        It raises UnwritableError if the database cannot be written; nothing of the item
        is written then. Who cancels it takes nothing back.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        def done(result: Result | None, error: Exception | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(cast(Result, result))
            else:
                future.set_exception(error)

        self.submit_and_call(item, done)
        return future

    def submit_and_call(self, item: Item, done: Done[Result]) -> None:
        """Do as `submit`, and call `done` in place of a future, which takes longer."""
        self._waiting.append((item, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:BATCH_LIMIT]
                del self._waiting[:BATCH_LIMIT]
                await self._commit(batch)
                # Who was answered may ping again at once: larger batches, fewer syncs.
                for _ in range(_ROUNDS):
                    await asyncio.sleep(0)
        finally:
            self._writing = None

    async def _commit(self, batch: list[tuple[Item, Done[Result]]]) -> None:
        results: Sequence[Result | None]
        failure = None
        try:
            results = await self._write([item for item, _ in batch])
        except Exception as error:
            unusable = error if isinstance(error, UnusableError) else None
            if len(batch) > 1 and (unusable is None or unusable.is_damage):
                if unusable is None:
                    logger.exception(
                        "a batch of %d failed; trying one by one", len(batch)
                    )
                for entry in batch:
                    await self._commit([entry])
                return
            results, failure = [None] * len(batch), error
        for (_, done), result in zip(batch, results, strict=True):
            try:
                done(result, failure)
            except Exception:
                # The others are to be answered too.
                logger.exception("an answer failed")
