"""Run a command as if nobody looked on, and keep what it writes."""

from __future__ import annotations

import errno
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    # What tells is imported while the command starts.
    from hcl.client.output import Output
    from hcl.client.reporting import Report

# What is handed on to the command. SIGINT and SIGQUIT from a terminal reach it anyway.
_FORWARDED = ("TERM", "HUP", "USR1", "USR2", "ALRM", "WINCH", "CONT", "INT", "QUIT")
_OF_TERMINALS = ("INT", "QUIT", "CONT", "WINCH")

# Once the command has ended, a child that it left behind may hold its output open: it
# is waited for until so many seconds pass without any.
_LAST_WORDS = 0.2

# One that writes on and on is left, with its output closed, after so many seconds.
_LONGEST_LAST_WORDS = 2.0

# After a time limit the command has so many seconds to end by itself.
_GRACE = 10.0

_CHUNK = 65_536

# What a shell says of a command that is not there, or may not be run.
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


class Ended(NamedTuple):
    """How a command ended: its exit status, or the signal that killed it (else 0).

    `note` is for people: what ended it, if it did not end by itself.
    """

    status: int
    killed_by: int = 0
    note: str = ""

    @property
    def exit_status(self) -> int:
        """Return its exit status as shells give it: 128 + the signal, if killed."""
        return 128 + self.killed_by if self.killed_by else self.status


def run(
    command: list[str],
    timeout: float | None = None,
    output: Output | None = None,
    reporting: Callable[[], Report] | None = None,
) -> int:
    """Run a command, and report on it; return its exit status, or die as it did.

    `timeout`: seconds after which it is ended; None: never. `output` None: it writes
    past us. `reporting` makes the report, while the command starts; None: none.
    """
    began = time.time()
    try:
        running = Running(command, output)
    except OSError as error:
        why = f"{command[0]}: {(error.strerror or str(error)).lower()}"
        print(f"hcl run: {why}", file=sys.stderr)
        is_there = not isinstance(error, FileNotFoundError)
        status = _NOT_EXECUTABLE if is_there else _NOT_FOUND
        if reporting:
            reporting().ended(status, why)
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

    def __init__(self, command: list[str], output: Output | None) -> None:
        """Start it. Raises OSError. `output` None: it writes past us."""
        self._output = output
        pipe = None if output is None else subprocess.PIPE
        self._waker, other = socket.socketpair()
        self._waker.setblocking(False)
        other.setblocking(False)
        self._other = other
        # Before it starts, lest a signal between ends us and not it.
        self._early: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None
        # Until when it may run, by the monotonic clock; None: for ever.
        self._until: float | None = None
        self._timed_out = False
        self._handle()
        signal.set_wakeup_fd(other.fileno(), warn_on_full_buffer=False)
        self._child = subprocess.Popen(command, stdout=pipe, stderr=pipe)
        for number in self._early:
            self._child.send_signal(number)

    def _handle(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        of_terminal = sys.stdin is not None and sys.stdin.isatty()
        for name in _FORWARDED:
            number = getattr(signal, f"SIG{name}")
            if signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup, say
            if of_terminal and name in _OF_TERMINALS:
                # The terminal sends it to both; we wait for the command's end.
                signal.signal(number, lambda *_: None)
            else:
                signal.signal(number, self._forward)

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            self._early.append(number)
        elif self._child.returncode is None:
            self._child.send_signal(number)

    def wait(self, timeout: float | None = None) -> Ended:
        """Hand its output on until it has ended, or end it after so many seconds."""
        child = self._child
        if child is None:
            raise RuntimeError("not started")
        self._until = None if timeout is None else time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._waker, selectors.EVENT_READ)
            for pipe, to in ((child.stdout, 1), (child.stderr, 2)):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ, to)
            while child.poll() is None:
                self._limit(child)
                self._pump(selector, self._pause())
            self._hear_last_words(selector)
        status = child.returncode
        note = f"killed by signal {-status}" if status < 0 else ""
        if self._timed_out:
            note = f"ended after the time limit of {timeout:g} s"
        return Ended(max(status, 0), max(-status, 0), note)

    def _hear_last_words(self, selector: selectors.BaseSelector) -> None:
        """Hand on what the command left in its pipes, and a little of its children."""
        pipes = [key.fd for key in selector.get_map().values() if key.data]
        left = sum(map(_waiting_in, pipes))
        until = time.monotonic() + _LONGEST_LAST_WORDS
        while len(selector.get_map()) > 1:
            came = self._pump(selector, _LAST_WORDS)
            left -= came
            if not came or (left <= 0 and time.monotonic() >= until):
                return

    def _pause(self) -> float | None:
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    def _limit(self, child: subprocess.Popen[bytes]) -> None:
        """End the command once its time is over: first kindly, then not."""
        if self._until is not None and time.monotonic() >= self._until:
            if self._timed_out:
                child.kill()
                self._until = None
            else:
                child.terminate()
                # One that is stopped ends when it is continued.
                child.send_signal(signal.SIGCONT)
                self._timed_out = True
                self._until = time.monotonic() + _GRACE

    def _pump(self, selector: selectors.BaseSelector, seconds: float | None) -> int:
        """Hand on what there is; return how many bytes came, 1 at an end; 0: none."""
        came = 0
        for key, _ in selector.select(seconds):
            if key.fileobj is self._waker:
                self._waker.recv(_CHUNK)
                continue
            chunk = os.read(key.fd, _CHUNK)
            came += len(chunk) or 1
            if not chunk or not self._hand_on(chunk, key.data):
                # Closed, so that who writes on hears of it as if we were not there.
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]  # a pipe
        return came

    def _hand_on(self, chunk: bytes, to: int) -> bool:
        """Keep and write a chunk; return False if nobody reads there any more."""
        if self._output is not None:
            self._output.add(chunk)
        while chunk:
            try:
                chunk = chunk[os.write(to, chunk) :]
            except BlockingIOError:
                # Somebody made our output so: wait until there is room.
                _wait_for_room(to)
            except OSError as error:
                if error.errno not in (
                    errno.EPIPE,
                    errno.EBADF,
                    errno.ENOSPC,
                    errno.EIO,
                ):
                    raise
                return False
        return True


def _waiting_in(pipe: int) -> int:
    """Return how many bytes a pipe holds that nobody has read yet."""
    # Imported here: nobody needs them before the command has ended.
    import fcntl
    import struct
    import termios

    length = fcntl.ioctl(pipe, termios.FIONREAD, struct.pack("i", 0))
    return int(struct.unpack("i", length)[0])


def _wait_for_room(descriptor: int) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_WRITE)
        selector.select()


def _end_as(ended: Ended) -> int:
    """Return its exit status, or die of its signal."""
    if ended.killed_by:
        # Imported here: few commands are killed.
        import resource

        # The command has left a core already, if one is wanted.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if ended.killed_by != signal.SIGKILL:
            signal.signal(ended.killed_by, signal.SIG_DFL)
        os.kill(os.getpid(), ended.killed_by)
    return ended.exit_status
