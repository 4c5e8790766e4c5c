"""How copies of the database fare, by the folder that they go to."""

import json
import secrets
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiosqlite import Connection

from hcl.db.copies import IDENTITY
from hcl.store import settings

_PREFIX = "backup:"

# After a failure it is tried again after a quarter of the time between two copies, and
# an hour at most.
_LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Kept:
    """How copies in a folder fare.

    `since` is when they were first wanted. The last good one is `name`, made at `made`
    (None: there is none yet), with its size in bytes, the seconds that it took, and the
    pings that it holds. `problem` is why the last try failed, at `tried`; "": it did
    not. `told` is when people were told of that.
    """

    since: datetime
    name: str = ""
    made: datetime | None = None
    size: int = 0
    seconds: float = 0.0
    pings: int = 0
    problem: str = ""
    tried: datetime | None = None
    told: datetime | None = None

    def due(self, every: timedelta, now: datetime) -> datetime:
        """Return when the next copy is due. A clock that was ahead puts none off."""
        if self.problem and self.tried is not None and self.tried <= now:
            return self.tried + min(every / 4, _LONGEST_PAUSE)
        if self.made is None or self.made > now:
            return now
        return self.made + every

    def is_overdue(self, every: timedelta, now: datetime) -> bool:
        """Tell whether one copy at least is missing."""
        return now - (self.made or self.since) > 2 * every


async def of(conn: Connection, folder: Path) -> Kept | None:
    """Return how copies in a folder fare; None: none was wanted there yet."""
    value = await settings.get(conn, f"{_PREFIX}{folder}")
    if value is None:
        return None
    written: dict[str, Any] = json.loads(value)
    # A newer hcl may have written more.
    read = {f.name: written[f.name] for f in fields(Kept) if f.name in written}
    for name in _MOMENTS:
        if read.get(name) is not None:
            read[name] = datetime.fromtimestamp(read[name], UTC)
    return Kept(**read)


async def is_identified(conn: Connection) -> bool:
    """Tell whether copies of the database are told from those of others."""
    return await settings.get(conn, IDENTITY) is not None


async def identify(conn: Connection) -> None:
    """Have copies that are made from now on be told from those of others."""
    # Copies to two folders begin at the same time.
    if not await is_identified(conn):
        await settings.put(conn, IDENTITY, secrets.token_hex(16))


async def put(conn: Connection, folder: Path, kept: Kept) -> None:
    """Write down how copies in a folder fare."""
    written = {
        key: value.timestamp() if isinstance(value, datetime) else value
        for key, value in asdict(kept).items()
    }
    await settings.put(conn, f"{_PREFIX}{folder}", json.dumps(written))


_MOMENTS = ("since", "made", "tried", "told")
