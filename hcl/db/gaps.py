"""What can be read of a database that is damaged in places."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiosqlite import Connection

from hcl.db.errors import SQLError, is_damage, tell

K = TypeVar("K")
T = TypeVar("T")


class Gaps:
    """Takes what can be read of what one can do without; `found`: it was not all.

    A damaged page is to hold up no more than it has to. Whatever else is wrong with a
    database is raised.
    """

    def __init__(self, logger: logging.Logger) -> None:
        """`logger` is told of what is damaged."""
        self.found = False
        self._logger = logger

    async def readable(self, reading: Awaitable[T], otherwise: T) -> T:
        """Await what one can do without; return something else if it is damaged."""
        try:
            return await reading
        except SQLError as error:
            self.note(error)
            return otherwise

    async def of_each(
        self,
        read: Callable[[Sequence[K]], Awaitable[Mapping[K, T]]],
        keys: Sequence[K],
        otherwise: T,
    ) -> dict[K, T]:
        """Read of many at once; where that meets damage, of one after the other."""
        try:
            return dict(await read(keys))
        except SQLError as error:
            self.note(error)
        found: dict[K, T] = {}
        for key in keys:
            found |= await self.readable(read([key]), {key: otherwise})
        return found

    async def rows(
        self, conn: Connection, sql: str, values: Mapping[str, object]
    ) -> tuple[list[Any], bool]:
        """Return the rows up to a damaged page; tell whether these are all."""
        rows: list[Any] = []
        try:
            async with conn.execute(sql, values) as cursor:
                while (row := await cursor.fetchone()) is not None:
                    rows.append(row)
        except SQLError as error:
            self.note(error)
            return rows, False
        return rows, True

    def note(self, error: SQLError) -> None:
        """Note damage, and tell the log of it once; raise what is none."""
        if not is_damage(error):
            raise error
        if not self.found:
            tell(self._logger, "done without what cannot be read", error)
        self.found = True


async def readable(reading: Awaitable[T], otherwise: T, logger: logging.Logger) -> T:
    """Await what one can do without; return something else if it is damaged."""
    return await Gaps(logger).readable(reading, otherwise)
