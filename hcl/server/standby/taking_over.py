"""Take over from another machine: its replica becomes this machine's database.

Nothing is put into place before all is known to be right. In this order: 1. bring the
replica into a copy and look at it, 2. prepare the copy, 3. raise the fence, so that the
other machine ends, 4. set aside what was here, 5. put the copy into its place. Whatever
ends it between two steps, it can be done again.
"""

import asyncio
import os
import socket
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hcl import store
from hcl.config import Config
from hcl.config.rights import leave_to_owner_of
from hcl.db import (
    DatabaseError,
    SQLError,
    aside_of,
    held,
    mark_as_copy,
    move_aside,
    moving_back,
    open_database,
    open_to_read,
    owned_like,
    rehearse,
    sync_folder,
)
from hcl.server.standby import litestream
from hcl.server.standby.fence import Fence, FenceError, Stand, fenced_mark
from hcl.server.standby.following import ReplicaError, copy_of, look, remove

# How long Litestream may take to bring all of a replica, in seconds.
_PATIENCE = 3600.0


class TakeOverError(Exception):
    """It was not taken over, and all is as it was; the text says why."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken over.

    `seen` is when the other server was there last, None if that is not known; `unsent`
    counts the messages that waited; `aside` is where the database is that was here.
    """

    seen: datetime | None
    unsent: int
    epoch: int
    aside: Path | None


async def take_over(
    config: Config, now: datetime, *, from_copy: bool = False, unfenced: bool = False
) -> Taken:
    """Make the other machine's database this one's.

    `from_copy`: the one that was followed, since the replica cannot be read;
    `unfenced`: although the other machine cannot be told to end. Raises TakeOverError,
    db.DatabaseError.
    """
    database = _real(config.database.path)
    copy = database.with_name(f"{database.name}.taking-over")
    with held(config.database.path, config.path, restores=True) as note_served:
        try:
            remove(copy)
            _bring(config, copy, from_copy)
            _leave_to_its_owner(copy, database)
            seen, epoch = await look(copy, config)
            stand = _next(config, epoch, await _own(config), now, unfenced)
            unsent = await _prepare(copy, stand.epoch if stand else epoch, now)
            if stand is not None and config.standby.has_fence and not unfenced:
                Fence(config.standby).write(stand)
            aside = _put(copy, database, now)
            note_served()
        except (ReplicaError, litestream.LitestreamError) as error:
            raise TakeOverError(f"the replica: {error}") from error
        except FenceError as error:
            hint = "--unfenced does without it"
            raise TakeOverError(f"the fence: {error}: {hint}") from error
        except OSError as error:
            # What fails to write an open file does not name it.
            where = error.filename or database.parent
            raise TakeOverError(f"{where}: {error.strerror}") from error
        finally:
            remove(copy)
    return Taken(seen, unsent, stand.epoch if stand else epoch, aside)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _bring(config: Config, into: Path, from_copy: bool) -> None:
    if from_copy:
        source = copy_of(config.database.path)
        if not source.exists():
            raise ReplicaError(f"there is no copy {source}: `hcl standby` makes it")
        _private_copy(source, into)
        # What was killed while it followed, or follows still, may have it half written.
        rehearse(into, shown=source)
        return
    command = litestream.restore(
        config.standby.follow,
        config.database.path,
        into,
        "-integrity-check",
        "quick",
    )
    hint = "--from-copy takes what was followed"
    try:
        done = subprocess.run(  # noqa: S603 - its parts are from hcl.toml
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            umask=0o077,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        # Without the command, in which a password may stand.
        why = f"it is not here after {_PATIENCE:.0f} s"
        raise ReplicaError(f"it cannot be read ({why}): {hint}") from None
    if done.returncode or not into.exists():
        why = litestream.reason(done.stdout)
        raise ReplicaError(f"it cannot be read ({why}): {hint}")


def _private_copy(source: Path, into: Path) -> None:
    """Copy a database that nobody writes to."""
    fd = os.open(into, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with source.open("rb") as given, os.fdopen(fd, "wb") as taken:
        while block := given.read(1 << 20):
            taken.write(block)
        os.fsync(taken.fileno())


def _leave_to_its_owner(copy: Path, database: Path) -> None:
    """Have root, who may have brought a copy, leave it to whom the database is."""
    fd = os.open(copy, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        leave_to_owner_of(owned_like(database), fd)
    finally:
        os.close(fd)


async def _own(config: Config) -> int:
    """Return the epoch of the database that is here, 0 if it has none to tell."""
    try:
        async with open_to_read(config.database.path, older=True) as conn:
            return await store.epoch.get(conn)
    except (DatabaseError, SQLError):
        return 0


def _next(
    config: Config, epoch: int, own: int, now: datetime, unfenced: bool
) -> Stand | None:
    """Return where the fence is to stand; None: there is none.

    `epoch` is that of the replica, `own` that of the database here.
    Raises ReplicaError if others have taken over from the server of the replica.
    """
    if not config.standby.has_fence:
        return None
    host = socket.gethostname()
    try:
        stand = Fence(config.standby).read()
    except FenceError:
        if not unfenced:
            raise
        stand = None
    reached = stand.epoch if stand else 0
    # What this machine raised, and did not come to the end, it may do again.
    was_ours = stand is not None and stand.host == host
    is_ours = was_ours and reached == epoch + 1
    newer = f"the fence stands at {stand}" if reached > epoch and not is_ours else ""
    if own > epoch:
        newer = f"the database here is of epoch {own}"
    if newer:
        raise ReplicaError(
            f"it is of epoch {epoch}, but {newer}: it is not of the server that took"
            " over last"
        )
    return Stand(epoch + 1, host, f"{now:%Y-%m-%dT%H:%M:%SZ}")


async def _prepare(copy: Path, epoch: int, now: datetime) -> int:
    """Migrate a copy; have what waits given up. Return how many messages that is.

    All of it is in one file then. Raises TakeOverError if it cannot be.
    """
    _, unsent = await asyncio.to_thread(mark_as_copy, copy, "the replica", now)
    database = await open_database(copy)
    try:
        async with database.transaction() as conn:
            await store.epoch.put(conn, epoch)
    finally:
        await database.close()
    # SQLite deletes it, once all is in the file: that alone takes the place.
    if copy.with_name(f"{copy.name}-wal").exists():
        cure = "make room, and let no other program open it"
        raise TakeOverError(f"{copy}: its WAL cannot be written into it: {cure}")
    return unsent


def _put(copy: Path, database: Path, now: datetime) -> Path | None:
    """Set aside what is there, and put the copy into its place."""
    with moving_back() as moved:
        move_aside(database, now, moved)
        # Of what is aside now. Later, a kill would leave it with what was taken over.
        fenced_mark(database).unlink(missing_ok=True)
        copy.replace(database)
    sync_folder(database.parent)
    return aside_of(database, moved)
