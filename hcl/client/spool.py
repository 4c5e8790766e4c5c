"""Signals that are not told yet: one file each, so that no crash loses one.

A signal is written down before it is first sent, and deleted once the server has it.
Whoever sends one holds its file's lock: when a process ends, by kill -9 too, what it
left is everybody's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from hcl.client.signals import OLDEST, Signal, happened

# What is kept at most: of more, or older ones, the oldest go.
MOST_FILES = 1000
MOST_BYTES = 20_000_000

_SUFFIX = ".signal"

# What is being written; after so many seconds, what kill -9 left of it.
_UNFINISHED = ".new"
_ABANDONED = 60.0

# Without waiting for whoever writes to a pipe of that name.
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Kept(NamedTuple):
    """A signal in its file, which `descriptor` holds the lock of."""

    path: str
    descriptor: int
    signal: Signal


class Spool:
    """The folder of signals that wait.

    Where it cannot be used `why_not` says so, and nothing is kept.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder or default_folder()
        self.why_not = ""
        # Signals that were too old, or too many, and were dropped.
        self.dropped = 0

    def keep(self, signal: Signal) -> Kept | None:
        """Write a signal down, locked; None if that is not possible."""
        # By their names they are in order; a clock that was set changes it, no more.
        name = f"{time.time_ns():020d}-{os.getpid()}{_SUFFIX}"
        path = os.path.join(self.folder, name)
        if not self.folder:
            self.why_not = "there is no home: set HCL_SPOOL"
            return None
        try:
            _make(self.folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            # Not yet by the name that others look for: it is not whole.
            descriptor = os.open(path + _UNFINISHED, flags, 0o600)
        except (OSError, ValueError) as error:
            self.why_not = f"{self.folder}: {_words(error)}"
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with open(descriptor, "wb", closefd=False) as file:
                file.write(signal.dump())
            os.rename(path + _UNFINISHED, path)
        except OSError as error:
            self.why_not = f"{self.folder}: {_words(error)}"
            os.close(descriptor)
            _remove(path + _UNFINISHED)
            return None
        return Kept(path, descriptor, signal)

    def left(self) -> Iterator[Kept]:
        """Yield what others left, the oldest first.

        Each is to be settled by `done` or `leave`.
        """
        for path in self.trim():
            kept = _take(path)
            if kept is None:
                continue
            if happened(kept.signal) < time.time() - OLDEST:
                self.dropped += 1
                done(kept)
            else:
                yield kept

    def trim(self) -> list[str]:
        """Return the paths of what waits; delete the oldest of what is too much."""
        sizes = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith(_SUFFIX):
                        sizes[entry.path] = _size(entry)
                    elif entry.name.endswith(_UNFINISHED):
                        _clear(entry.path)
        except (OSError, ValueError):
            return []
        paths, total = sorted(sizes), 0
        for number, path in enumerate(reversed(paths)):
            total += sizes[path]
            if number >= MOST_FILES or total > MOST_BYTES:
                for old in paths[: len(paths) - number]:
                    self.dropped += _remove(old)
                return paths[len(paths) - number :]
        return paths


def _make(folder: str) -> None:
    """Make the folder, so that its owner may look into it. Raises OSError, ValueError.

    Under the umask of a script that writes for its owner alone, 177, nobody could.
    """
    if os.path.isdir(folder):
        return
    before = os.umask(0o077)
    try:
        os.umask(before & 0o077)
        os.makedirs(folder, mode=0o700, exist_ok=True)
    finally:
        os.umask(before)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        # Another one has told it meanwhile.
        return 0


def _take(path: str) -> Kept | None:
    """Lock and read a file; None: another has it, or it is no signal."""
    try:
        descriptor = os.open(path, _READING)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it may have told it, and deleted it, meanwhile.
        found = os.fstat(descriptor)
        # What another user put there is not ours to send.
        if found.st_nlink and found.st_uid == os.geteuid():
            with open(descriptor, "rb", closefd=False) as file:
                return Kept(path, descriptor, Signal.load(file.read()))
    except OSError:
        pass
    except ValueError:
        _remove(path)
    os.close(descriptor)
    return None


def _clear(path: str) -> None:
    """Delete what kill -9 left half written."""
    try:
        descriptor = os.open(path, _READING)
    except OSError:
        return
    try:
        if os.fstat(descriptor).st_mtime < time.time() - _ABANDONED:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
    except OSError:
        # Somebody writes it.
        pass
    finally:
        os.close(descriptor)


def done(kept: Kept) -> None:
    """Delete a signal that was told, or that nobody wants."""
    _remove(kept.path)
    os.close(kept.descriptor)


def leave(kept: Kept, *, is_new: bool = True) -> None:
    """Leave a signal for the next who sends; it survives a power cut from now on."""
    if is_new:
        with contextlib.suppress(OSError):
            os.fsync(kept.descriptor)
    os.close(kept.descriptor)


def default_folder() -> str:
    """Return where signals are kept: of root, and of anybody else; "": nowhere."""
    if os.geteuid() == 0:
        return "/var/spool/hcl"
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    # Who has no home, as a user of a container that is only a number, gets no folder
    # called ~ wherever the job happens to be.
    return "" if state.startswith("~") else os.path.join(state, "hcl", "spool")


def _remove(path: str) -> bool:
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def _words(error: Exception) -> str:
    # A path that is none, with a NUL say, is a ValueError.
    said = error.strerror if isinstance(error, OSError) else ""
    return (said or str(error)).lower()
