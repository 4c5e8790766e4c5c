"""The connection that reads: it says in hcl's own words that it cannot."""

import sqlite3
from collections.abc import Callable
from typing import Any

from aiosqlite import Connection

from hcl.db.errors import UnreadableError


class Reader(Connection):
    """A connection whose statements raise UnreadableError.

    What writes has its errors told by `Database.turn`.
    """

    # All that aiosqlite's connections and cursors do goes through it: its minor version
    # is pinned.
    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        except sqlite3.OperationalError as error:
            raise UnreadableError(str(error)) from error
