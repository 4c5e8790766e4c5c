"""The fence: an epoch beside the replica, which tells whose turn it is to serve.

Each machine's database has an epoch too. A server that sees a newer one beside the
replica than its own has been taken over from, and must neither send nor answer.
"""

import os
import re
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from hcl.config.settings import StandbyConfig
from hcl.db import DatabaseError

# How long a command may take to read or write the epoch, in seconds.
PATIENCE = 20.0

# How long it is waited for output once a command has ended, in seconds; and how long
# for more of it before it is looked whether it has.
OUTPUT_PATIENCE = 0.2
_TICK = 0.05

_LONGEST = 1000
_EPOCH = re.compile(r"([0-9]{1,9}) (\S{1,255}) (\S{1,64})")


class FenceError(Exception):
    """The epoch cannot be read or written; the text says why."""


class FencedError(DatabaseError):
    """Another machine has taken over; the text says which."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the fence stands: an epoch, which machine raised it to that, and when."""

    epoch: int
    host: str
    moment: str

    def __str__(self) -> str:
        return f"epoch {self.epoch}, raised by {self.host} at {self.moment}"


class Fence:
    """Reads and writes the epoch. Both block: on a disk, or on a command."""

    def __init__(self, config: StandbyConfig) -> None:
        self._config = config

    @property
    def is_by_command(self) -> bool:
        """Tell whether a command has to be run for it."""
        return self._config.fence is None

    def read(self) -> Stand | None:
        """Return where it stands; None: nobody has raised it yet. Raises FenceError."""
        if self._config.fence is None:
            text = _run(self._config.fence_read, "")
        else:
            text = _read(self._config.fence)
        if not text.strip():
            return None
        found = _EPOCH.fullmatch(text.strip())
        if found is None:
            raise FenceError(f"holds no epoch: {text.strip()[:60]!r}")
        return Stand(int(found[1]), found[2], found[3])

    def write(self, stand: Stand) -> None:
        """Raise it. Raises FenceError."""
        line = f"{stand.epoch} {stand.host} {stand.moment}\n"
        if self._config.fence is None:
            _run(self._config.fence_write, line)
        else:
            _write(self._config.fence, line)
        if self.read() != stand:
            raise FenceError("reads otherwise than it was written")


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST).decode("utf-8", "replace")
    except FileNotFoundError:
        if path.parent.is_dir():
            return ""
        raise FenceError(f"there is no folder {path.parent}") from None
    except OSError as error:
        raise FenceError(str(error.strerror)) from error


def _write(path: Path, line: str) -> None:
    beside = path.with_name(f"{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        # The other machine's user has to read it, and it is no secret.
        beside.chmod(0o644)
        beside.replace(path)
    except OSError as error:
        raise FenceError(f"cannot be written: {error.strerror}") from error


def _run(command: str, given: str) -> str:
    """Run a command; return how its output begins. Raises FenceError."""
    try:
        process = subprocess.Popen(  # noqa: S602 - the owner's own, from hcl.toml
            command,
            shell=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
    except OSError as error:
        # Too many files are open, say, or processes run.
        why = (error.strerror or str(error)).lower()
        raise FenceError(f"the command cannot be started: {why}") from error
    try:
        out, wrong = _said(process, given.encode("utf-8", "replace"))
    except TimeoutError as error:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(OUTPUT_PATIENCE)
        raise FenceError(f"the command did not end within {PATIENCE:.0f} s") from error
    if process.returncode:
        said = wrong.strip().splitlines()[-1:] or ["it said nothing"]
        status = f"the command ended with {process.returncode}"
        raise FenceError(f"{status}: {said[0][:200]}")
    return out


def _said(process: "subprocess.Popen[bytes]", given: bytes) -> tuple[str, str]:
    """Give a process its input; return how its output begins, and its errors end.

    Whoever it leaves behind, as ssh does with ControlPersist, may hold both open for
    ever: it is the process that is waited for. Raises TimeoutError.
    """
    pipes = process.stdin, process.stdout, process.stderr
    into, out, wrong = cast("tuple[IO[bytes], IO[bytes], IO[bytes]]", pipes)
    # One that takes no descriptor itself.
    with into, out, wrong, selectors.PollSelector() as pipes_open:
        # It fits into the pipe, whether anybody reads it or not.
        with suppress(BrokenPipeError):
            into.write(given)
        into.close()
        kept = {out: b"", wrong: b""}
        for pipe in kept:
            pipes_open.register(pipe, selectors.EVENT_READ)
        due = time.monotonic() + PATIENCE
        while pipes_open.get_map() or process.poll() is None:
            if process.poll() is not None:
                due = min(due, time.monotonic() + OUTPUT_PATIENCE)
            is_last = time.monotonic() >= due
            # At last too: what it said may lie there, on a machine that stood still.
            for key, _ in pipes_open.select(0 if is_last else _TICK):
                pipe = cast("IO[bytes]", key.fileobj)
                data = os.read(key.fd, 65_536)
                whole = kept[pipe] + data
                kept[pipe] = whole[:_LONGEST] if pipe is out else whole[-_LONGEST:]
                if not data:
                    pipes_open.unregister(pipe)
            if is_last:
                break
        # Before its pipes are closed, which may end it.
        if process.poll() is None:
            raise TimeoutError
    return str(kept[out], "utf-8", "replace"), str(kept[wrong], "utf-8", "replace")


def fenced_mark(database: Path) -> Path:
    """Return the file beside a database that says that it serves no more."""
    real = Path(os.path.realpath(database))
    return real.with_name(f"{real.name}.fenced")


def refuse_fenced(database: Path) -> None:
    """Raise FencedError if another machine has taken over from a database."""
    mark = fenced_mark(database)
    try:
        why = mark.read_text("utf-8").strip()
    except OSError:
        return
    raise FencedError(_taken_over(database, why))


def fence_off(database: Path, stand: Stand) -> FencedError:
    """Keep a database from being served again; return what to say."""
    # If it cannot be written, the fence is seen again at the next start.
    with suppress(OSError):
        fenced_mark(database).write_text(f"{stand}\n", "utf-8")
    return FencedError(_taken_over(database, str(stand)))


def _taken_over(database: Path, stand: str) -> str:
    return (
        f"{database}: another machine has taken over ({stand}): this one neither sends"
        " nor answers any more; docs/standby.md tells how it follows, and takes over"
    )
