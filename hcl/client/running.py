"""Run a command as if nobody looked on, and keep what it writes."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import time

from hcl.client.spawning import spawn
from hcl.client.stderr import say
from hcl.client.tree import Tree, tell

# As typing has it, which takes long to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    # What tells is imported while the command starts.
    from collections.abc import Callable
    from types import FrameType

    from hcl.client.output import Output
    from hcl.client.reporting import Report

# What is handed on to the command. SIGINT and SIGQUIT from a terminal reach it anyway.
_FORWARDED = ["TERM", "HUP", "USR1", "USR2", "ALRM", "WINCH", "CONT", "INT", "QUIT"]
# Not everywhere; each would end us, and leave the command alone.
_FORWARDED += ["VTALRM", "PROF", "PWR", "IO", "RTMIN", "RTMAX"]
_OF_TERMINALS = ("INT", "QUIT", "CONT", "WINCH")

# Once the command has ended, a child that it left behind may hold its output open: it
# is waited for until so many seconds pass without any.
_LAST_WORDS = 0.2

# One that writes on and on is left to another reader after so many seconds.
_LONGEST_LAST_WORDS = 2.0

# After a time limit the command has so many seconds to end by itself.
_GRACE = 10.0

# Meanwhile it is looked so often, in seconds, whether all that it started has ended.
_LOOK = 0.1

_LONGEST_PAUSE = 86_400.0

_CHUNK = 65_536

# What a shell says of a command that is not there, or may not be run.
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


class Ended:
    """How a command ended: its exit status, or the signal that killed it (else 0).

    `note` is for people: what ended it, if it did not end by itself.
    """

    __slots__ = ("killed_by", "note", "status")

    def __init__(self, status: int, killed_by: int = 0, note: str = "") -> None:
        self.status = status
        self.killed_by = killed_by
        self.note = note

    @property
    def exit_status(self) -> int:
        """Return its exit status as shells give it: 128 + the signal, if killed."""
        return 128 + self.killed_by if self.killed_by else self.status


def run(
    command: list[str],
    timeout: float | None = None,
    output: Output | None = None,
    reporting: Callable[[], Report | None] | None = None,
) -> int:
    """Run a command, and report on it; return its exit status, or die as it did.

    `timeout`: seconds after which it is ended; None: never. `output` None: it writes
    past us. `reporting` makes the report, while the command starts; None, or if that
    is what it returns: none.
    """
    began = time.time()
    try:
        running = Running(command, output, has_limit=timeout is not None)
    except OSError as error:
        name = command[0] or "''"
        why = f"{name}: {(error.strerror or str(error)).lower()}"
        say(f"hcl run: {why}")
        is_there = not isinstance(error, FileNotFoundError)
        status = _NOT_EXECUTABLE if is_there else _NOT_FOUND
        report = reporting() if reporting else None
        if report:
            report.ended(status, why)
        return status
    report = reporting() if reporting else None
    if report:
        report.started(began)
    ended = running.wait(timeout)
    if report:
        report.ended(ended.exit_status, ended.note)
    return _end_as(ended)


class Running:
    """A command that runs; made at the moment it starts."""

    def __init__(
        self, command: list[str], output: Output | None, *, has_limit: bool = False
    ) -> None:
        """Start it. Raises OSError. `output` None: it writes past us.

        `has_limit`: `wait` may be called with a time limit.
        """
        self._output = output
        self._tree = Tree() if has_limit else None
        self._waker, other = os.pipe()
        os.set_blocking(self._waker, False)
        os.set_blocking(other, False)
        # Before it starts, lest a signal between ends us and not it.
        self._early: list[int] = []
        self._pid = 0
        # As waitpid gives it; None: it runs.
        self._ended: int | None = None
        # Until when it may run, by the monotonic clock; None: for ever.
        self._until: float | None = None
        self._timed_out = False
        self._handle()
        signal.set_wakeup_fd(other, warn_on_full_buffer=False)
        self._pid, self._pipes = spawn(command, has_pipes=output is not None)
        if self._tree:
            self._tree.root(self._pid)
        for number in self._early:
            tell(self._pid, number)

    def _handle(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Whoever started us may have blocked it, as all that it starts has it then: we
        # would never hear that the command has ended.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        of_terminal = sys.stdin is not None and sys.stdin.isatty()
        for name in _FORWARDED:
            number = getattr(signal, f"SIG{name}", None)
            if number is None or signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup, say
            if of_terminal and name in _OF_TERMINALS:
                # The terminal sends it to both; we wait for the command's end.
                signal.signal(number, lambda *_: None)
            else:
                signal.signal(number, self._forward)

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        if not self._pid:
            self._early.append(number)
        elif self._ended is None:
            tell(self._pid, number)

    def wait(self, timeout: float | None = None) -> Ended:
        """Hand its output on until it has ended, or end it after so many seconds."""
        if self._pipes:
            from hcl.client import behind  # at its end another version may be there

        self._until = None if timeout is None else time.monotonic() + timeout
        while self._is_running():
            self._limit()
            self._pump(self._pause())
        self._hear_last_words()
        if self._pipes:
            behind.read_on(self._pipes)
        status = os.waitstatus_to_exitcode(self._ended or 0)
        note = f"killed by signal {-status}" if status < 0 else ""
        if self._timed_out:
            note = f"ended after the time limit of {timeout:g} s"
        return Ended(max(status, 0), max(-status, 0), note)

    def _is_running(self) -> bool:
        """Bury who has ended; tell whether to wait on, after a time limit for all."""
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == self._pid:
                    self._ended = found[1]
        except ChildProcessError:
            self._ended = self._ended or 0
        if self._ended is None:
            return True
        is_ending = self._timed_out and self._until is not None
        return is_ending and self._tree is not None and bool(self._tree.members())

    def _hear_last_words(self) -> None:
        """Hand on what the command left in its pipes, and a little of its children."""
        left = sum(map(_waiting_in, self._pipes))
        until = time.monotonic() + _LONGEST_LAST_WORDS
        while self._pipes:
            came = self._pump(_LAST_WORDS, hears_signals=False)
            left -= came
            if not came or (left <= 0 and time.monotonic() >= until):
                return

    def _pause(self) -> float | None:
        if self._until is None:
            return None
        # No system waits for more than some 24 days at once.
        left = min(max(0.0, self._until - time.monotonic()), _LONGEST_PAUSE)
        # Nobody is told when the child of another ends.
        return min(left, _LOOK) if self._timed_out else left

    def _limit(self) -> None:
        """End the command once its time is over: first kindly, then not."""
        if self._tree is None or self._until is None or time.monotonic() < self._until:
            return
        if self._timed_out:
            self._tree.kill()
            self._tell(signal.SIGKILL)
            self._until = None
        else:
            members = self._tree.members()
            self._tree.end()
            if self._pid not in members:
                # There is no /proc, or it made another session.
                self._tell(signal.SIGTERM, signal.SIGCONT)
            self._timed_out = True
            self._until = time.monotonic() + _GRACE

    def _tell(self, *numbers: int) -> None:
        if self._ended is None:
            for number in numbers:
                tell(self._pid, number)

    def _pump(self, seconds: float | None, *, hears_signals: bool = True) -> int:
        """Hand on what there is; return how many bytes came, 1 at an end; 0: none."""
        came = 0
        poll = select.poll()
        for descriptor in (*self._pipes, *([self._waker] if hears_signals else [])):
            poll.register(descriptor, select.POLLIN)
        # Rounded up, lest the last millisecond is waited for again and again.
        pause = None if seconds is None else int(seconds * 1000) + 1
        for descriptor, _ in poll.poll(pause):
            chunk = os.read(descriptor, _CHUNK)
            if descriptor == self._waker:
                continue
            came += len(chunk) or 1
            if not chunk or not self._hand_on(chunk, self._pipes[descriptor]):
                # Closed, so that who writes on hears of it as if we were not there.
                del self._pipes[descriptor]
                os.close(descriptor)
        return came

    def _hand_on(self, chunk: bytes, to: int) -> bool:
        """Keep and write a chunk; return False if nobody reads there any more."""
        if self._output is not None:
            self._output.add(chunk)
        # What a pipe that has room takes without holding us up.
        most = select.PIPE_BUF if self._tree else _CHUNK
        while chunk:
            if self._tree and not self._has_room(to):
                return False
            try:
                chunk = chunk[os.write(to, chunk[:most]) :]
            except BlockingIOError:
                # Somebody made our output so: wait until there is room.
                _room(to, None)
            except OSError as error:
                # Closed, or as long as it may be. On a disk that is full, or whose
                # server is away, the command would write on, and so it does: it may
                # have more to do than to write.
                return error.errno not in (errno.EPIPE, errno.EFBIG)
        return True

    def _has_room(self, to: int) -> bool:
        """Wait until somebody reads there; return False if the time limit is over.

        It holds for a command too that waits for its reader.
        """
        while self._is_running() and self._until is not None:
            if _room(to, self._pause()):
                return True
            if self._is_running():
                self._limit()
        return _room(to, _LAST_WORDS if self._timed_out else None)


def _waiting_in(pipe: int) -> int:
    """Return how many bytes a pipe holds that nobody has read yet."""
    try:
        # Imported here: nobody needs them before the command has ended.
        import fcntl
        import struct
        import termios
    except ImportError:
        return 0
    length = fcntl.ioctl(pipe, termios.FIONREAD, struct.pack("i", 0))
    return int(struct.unpack("i", length)[0])


def _room(descriptor: int, seconds: float | None) -> bool:
    """Wait until there is room to write, so long at most; None: for ever."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(None if seconds is None else int(seconds * 1000) + 1))


def _end_as(ended: Ended) -> int:
    """Return its exit status, or die of its signal."""
    if ended.killed_by:
        try:
            # Imported here: few commands are killed, and some Pythons have none.
            import resource

            # The command has left a core already, if one is wanted.
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        except ImportError:
            pass
        if ended.killed_by != signal.SIGKILL:
            signal.signal(ended.killed_by, signal.SIG_DFL)
        os.kill(os.getpid(), ended.killed_by)
    return ended.exit_status
