"""What hcl has written: questions to its database."""

import sqlite3
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from hcl.model import Flip
from tests.sim.watched import Watched

if TYPE_CHECKING:
    from tests.sim.world import World

# A message is no longer on its way than this.
_ON_ITS_WAY = 60.0

# Moments that are no further apart are one: a message tells of whole microseconds.
_SAME = 0.001

_ROWS = (
    "SELECT n, action, rid, ua FROM pings WHERE check_id = ? AND n > ? UNION"
    " SELECT n, action, rid, ua FROM inbox WHERE check_id = ? AND n > ? ORDER BY n"
)


class Written:
    """Asks the connection that writes, as of the last statement."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def _rows(self, sql: str, *parameters: Any) -> list[Any]:
        raw = self._world.raw()
        return sqlite3.Connection.execute(raw, sql, parameters).fetchall()

    def _new_rows(self, watched: Watched) -> list[Any]:
        return self._rows(
            _ROWS, watched.id, watched.verified, watched.id, watched.verified
        )

    def _action_of(self, watched: Watched, n: int) -> str | None:
        """Return what a ping counted as; None: there is none."""
        rows = self._rows(_ROWS, watched.id, n - 1, watched.id, n - 1)
        return rows[0][1] if rows else None

    def windows_by_hand(self) -> list[Any]:
        """Return the id, the project's number and the end of each window by hand."""
        return self._rows(
            "SELECT w.id, (SELECT count(*) FROM projects p WHERE p.id < w.project_id),"
            ' w."end" FROM windows w ORDER BY w.id'
        )

    def latenesses_after(self, last: int) -> list[Any]:
        """Return the id, the check's code and the beginning of each after an id."""
        return self._rows(
            "SELECT l.id, c.code, l.began FROM latenesses l JOIN checks c"
            " ON c.id = l.check_id WHERE l.id > ? AND l.usual IS NULL ORDER BY l.id",
            last,
        )

    def slow_after(self, last: int) -> list[Any]:
        """Return the id, the check's code, the length and the end of slow runs."""
        return self._rows(
            "SELECT l.id, c.code, l.ended - l.began, l.ended FROM latenesses l"
            " JOIN checks c ON c.id = l.check_id"
            " WHERE l.id > ? AND l.usual IS NOT NULL ORDER BY l.id",
            last,
        )

    def slow_of(self, code: str, ended: float) -> int | None:
        """Return the id of the slow run of a check that ended at about a moment."""
        which = "latenesses", "r.usual IS NOT NULL"
        return self._nearest(which, "ended", ended, code)

    def last_lateness(self) -> int:
        """Return the id of the last one that is known to hcl."""
        ((last,),) = self._rows("SELECT coalesce(max(id), 0) FROM latenesses")
        return int(last)

    def lateness_of(self, code: str, began: float) -> int | None:
        """Return the id of the lateness of a check that began at about a moment."""
        return self._nearest(("latenesses", "r.usual IS NULL"), "began", began, code)

    def flip_of(self, code: str, flip: Flip) -> int | None:
        """Return the id of a flip that a message tells of."""
        return next(iter(self._flips_like(code, flip)), None)

    def _flips_like(self, code: str, flip: Flip) -> list[int]:
        """Return the ids of all that it may be, the newest first."""
        which = "flips", "r.new_status = ? AND r.old_status = ?"
        statuses = flip.new_status, flip.old_status
        created = flip.created.timestamp()
        return self._alike(which, "created", created, code, *statuses)

    def flips_of(
        self, code: str, flips: Iterable[Flip], untold: Collection[int]
    ) -> list[int | None]:
        """Return the ids of the flips that a message tells of, in its order.

        By a clock that was set two may bear one moment: it is the first that is untold,
        as far as hcl knows.
        """
        found: list[int | None] = []
        for flip in flips:
            last = next((id_ for id_ in reversed(found) if id_ is not None), 0)
            alike = self._flips_like(code, flip)
            following = [id_ for id_ in alike if id_ in untold and id_ > last]
            found.append(min(following, default=alike[0] if alike else None))
        return found

    def _nearest(
        self, which: tuple[str, str], column: str, told: float, *parameters: str
    ) -> int | None:
        """Return the id of the row of a check whose moment is nearest to what is told.

        `which`: the table, and a condition. Of several it is the newest.
        """
        return next(iter(self._alike(which, column, told, *parameters)), None)

    def _alike(
        self, which: tuple[str, str], column: str, told: float, *parameters: str
    ) -> list[int]:
        """Return the ids of all rows that are as near as the nearest, the newest first.

        `which`, and the rest, as in `_nearest`.
        """
        table, condition = which
        rows = self._rows(
            f"SELECT r.id, min(abs(r.{column} - ?), abs(r.{column} - ?)) AS distance"
            f" FROM {table} r JOIN checks c ON c.id = r.check_id"
            f" WHERE c.code = ? AND {condition} ORDER BY distance, r.id DESC LIMIT 9",
            *self._written(told),
            *parameters,
        )
        near = [id_ for id_, distance in rows if distance <= rows[0][1] + _SAME]
        return sorted(near, reverse=True)

    def _written(self, told: float) -> tuple[float, float]:
        """Return how a moment that a message tells may stand in the tables by now.

        A clock that was set while it was on its way has moved it there.
        """
        world = self._world
        was_set = world.machine.now < world.set + _ON_ITS_WAY
        return told, told + (world.set_by if was_set else 0.0)
