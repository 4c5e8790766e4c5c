"""The sign of life: when hcl was there last, by which clocks; and when it was away."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from aiosqlite import Connection

from hcl.store import settings
from hcl.store.times import moment, seconds, stamp

Away = Literal[
    "stopped", "suspended", "starved", "unwritable", "clock", "restored", "moved"
]


# Absences that are kept.
MOST_KEPT = 1000

_GUESS = "guess"


@dataclass(frozen=True, slots=True)
class Sign:
    """That hcl was there.

    `boot_id` and `boot` (seconds) are those of the boot clock, `moment` is hcl's time.
    `ran` is how many seconds hcl has run since the database was made. The wall
    `was_synchronised` once, then or before.
    """

    boot_id: str
    boot: float
    moment: datetime
    ran: float = 0.0
    was_synchronised: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """That hcl's time is guessed: in a boot, and since when by the clock of that.

    It `leapt` from what was known then; `flip` is the id of the last one before.
    """

    boot_id: str
    boot: float
    leapt: timedelta
    flip: int


@dataclass(frozen=True, slots=True)
class Absence:
    """That hcl was not there, from `went` to `returned` in its time."""

    went: datetime
    returned: datetime
    reason: Away

    @property
    def length(self) -> timedelta:
        """Return for how long."""
        return self.returned - self.went


async def last(conn: Connection, within: float = math.inf) -> Sign | None:
    """Return the last sign; None: there never was one.

    A ping that has come in since is one too, `within` so many seconds: one that came
    later says nothing of the time between, in which nothing could be written.
    """
    rows = await conn.execute_fetchall(
        "SELECT boot_id, boot, moment, ran, was_synchronised,"
        " (SELECT created FROM inbox ORDER BY id DESC LIMIT 1) FROM life"
    )
    for boot_id, boot, at, ran, was_synchronised, pinged in rows:
        later = max(0.0, (pinged or at) - at)
        later = later if later <= within else 0.0
        return Sign(
            boot_id=boot_id,
            boot=boot + later,
            moment=datetime.fromtimestamp(at + later, UTC),
            ran=ran + later,
            was_synchronised=bool(was_synchronised),
        )
    return None


async def last_or_heard(conn: Connection, within: float) -> Sign | None:
    """Return the last sign; one is made up for a database that has none, but pings.

    `within` as in `last`.
    """
    sign = await last(conn, within)
    heard = None if sign else await _last_heard(conn)
    return Sign("", 0.0, heard) if heard else sign


async def _last_heard(conn: Connection) -> datetime | None:
    rows = await conn.execute_fetchall(
        "SELECT max(heard) FROM (SELECT last_ping AS heard FROM check_states"
        " UNION ALL SELECT last_start FROM check_states)"
    )
    return moment(next(iter(rows))[0])


async def leave(conn: Connection, sign: Sign) -> None:
    """Write down that hcl is there."""
    await conn.execute(
        "INSERT OR REPLACE INTO life"
        " (id, boot_id, boot, moment, ran, was_synchronised) VALUES (1, ?, ?, ?, ?, ?)",
        (
            sign.boot_id,
            sign.boot,
            stamp(sign.moment),
            sign.ran,
            sign.was_synchronised,
        ),
    )


async def guess(conn: Connection) -> Guess | None:
    """Return the guess of an earlier start; None: its time was right at last."""
    kept = await settings.get(conn, _GUESS)
    if kept is None:
        return None
    boot_id, boot, leapt, flip = json.loads(kept)
    return Guess(boot_id, boot, timedelta(seconds=leapt), flip)


async def keep_guess(conn: Connection, new: Guess) -> None:
    """Keep a guess for the next start."""
    kept = new.boot_id, new.boot, seconds(new.leapt), new.flip
    await settings.put(conn, _GUESS, json.dumps(kept))


async def forget_guess(conn: Connection) -> None:
    """Note that no time is guessed any more."""
    await settings.delete(conn, _GUESS)


async def add_absence(conn: Connection, absence: Absence) -> int:
    """Write down that hcl was away, before any check is judged; return the row's id."""
    rows = await conn.execute_fetchall(
        "INSERT INTO absences (went, returned, reason) VALUES (?, ?, ?) RETURNING id",
        (stamp(absence.went), stamp(absence.returned), absence.reason),
    )
    # A process that is starved, or fails at its start, again and again fills no disk
    # with them. Of those that are not judged the first stays, which `unjudged` returns.
    await conn.execute(
        "DELETE FROM absences WHERE id <= (SELECT max(id) FROM absences) - ?"
        " AND id IS NOT"
        " (SELECT id FROM absences WHERE NOT judged ORDER BY went LIMIT 1)",
        (MOST_KEPT,),
    )
    return int(next(iter(rows))[0])


async def judged(conn: Connection) -> None:
    """Note that every check has been judged after all absences so far."""
    await conn.execute("UPDATE absences SET judged = 1 WHERE NOT judged")


async def unjudged(conn: Connection) -> Absence | None:
    """Return the first absence that a crash kept from being judged; None: none did."""
    rows = await conn.execute_fetchall(
        f"{_ABSENCES} WHERE NOT judged ORDER BY went LIMIT 1"
    )
    return next(map(_absence, rows), None)


async def absences(conn: Connection, since: datetime) -> list[Absence]:
    """Return the absences that ended since a moment, the newest first."""
    rows = await conn.execute_fetchall(
        f"{_ABSENCES} WHERE returned >= ? ORDER BY id DESC", (stamp(since),)
    )
    return [_absence(row) for row in rows]


_ABSENCES = "SELECT went, returned, reason FROM absences"


def _absence(row: Sequence[Any]) -> Absence:
    went, returned = (datetime.fromtimestamp(at, UTC) for at in row[:2])
    return Absence(went, returned, row[2])


class Marked(NamedTuple):
    """The last ids that a day ended with; 0: there was none, or it is not known."""

    flip: int = 0
    notification: int = 0
    announcement: int = 0


async def mark(conn: Connection, day: int) -> None:
    """Remember which ids a day that hcl ran ended with; once for each day.

    `day` counts whole days that hcl had run.
    """
    given = (
        "(SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '{}')".format
    )
    await conn.execute(
        "INSERT OR IGNORE INTO marks (day, flip_id, notification_id, announcement_id)"
        f" VALUES (?, {given('flips')}, {given('notifications')},"
        f" {given('announcements')})",
        (day,),
    )


async def marked(conn: Connection, day: int) -> Marked:
    """Return the last ids up to a day; all 0: no mark is so old."""
    rows = await conn.execute_fetchall(
        "SELECT flip_id, notification_id, announcement_id FROM marks WHERE day <= ?"
        " ORDER BY day DESC LIMIT 1",
        (day,),
    )
    return next((Marked(*row) for row in rows), Marked())


async def has_outlived(conn: Connection, day: int) -> bool:
    """Tell whether there are marks up to a day but the last of them."""
    rows = await conn.execute_fetchall(
        "SELECT count(*) > 1 FROM marks WHERE day <= ?", (day,)
    )
    return bool(next(iter(rows))[0])


async def forget(conn: Connection, day: int) -> None:
    """Delete the marks before a day, but the last of them."""
    await conn.execute(
        "DELETE FROM marks WHERE day < (SELECT max(day) FROM marks WHERE day <= ?)",
        (day,),
    )
