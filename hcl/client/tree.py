"""All that a command started: what ends with it when its time is over."""

from __future__ import annotations

import os
import signal

# To be told who is orphaned below us: see prctl(2).
_PR_SET_CHILD_SUBREAPER = 36

# One that forks faster than it is killed is left after so many rounds.
_ROUNDS = 100


class Tree:
    """The processes below this one, but for daemons: those have a session of their own.

    Process groups would not do: a shell's terminal knows the one that it started, and
    a pipe's other end is in it too.
    """

    def __init__(self) -> None:
        """Adopt whoever is orphaned below, so that none is lost sight of (Linux)."""
        self._sessions = {os.getsid(0)}
        # Children of whoever became this process by exec, a shell say: not the job's.
        self._others = {pid for pid, parent, _ in _processes() if parent == os.getpid()}
        try:
            # Imported here: few jobs have a time limit, and some Pythons have none.
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        except (ImportError, OSError, AttributeError):
            # Who is orphaned goes to process 1, and is not found any more.
            pass

    def root(self, pid: int) -> None:
        """Take the command itself, which may have made a session of its own."""
        try:
            self._sessions.add(os.getsid(pid))
        except OSError:
            pass

    def members(self) -> list[int]:
        """Return who lives now; nobody where there is no /proc."""
        below: dict[int, list[tuple[int, int]]] = {}
        for pid, parent, session in _processes():
            below.setdefault(parent, []).append((pid, session))
        found, waiting = [], [os.getpid()]
        while waiting:
            for pid, session in below.get(waiting.pop(), ()):
                if pid in self._others:
                    continue
                waiting.append(pid)
                if session in self._sessions:
                    found.append(pid)
        return found

    def end(self) -> None:
        """Ask all to end. Who is stopped ends when it is continued."""
        for pid in self.members():
            tell(pid, signal.SIGTERM)
            tell(pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill all, and those that they start meanwhile."""
        for _ in range(_ROUNDS):
            members = self.members()
            if not members:
                return
            for pid in members:
                tell(pid, signal.SIGKILL)


def tell(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended, or may be another user's."""
    try:
        os.kill(pid, number)
    except OSError:
        pass


def _processes() -> list[tuple[int, int, int]]:
    """Return pid, parent and session of all that live."""
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    found = []
    for name in names:
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The name in parentheses may have blanks and parentheses.
                fields = file.read().rpartition(b")")[2].split()
            state, parent, session = fields[0], int(fields[1]), int(fields[3])
        except (OSError, IndexError, ValueError):
            continue
        if state not in (b"Z", b"X"):
            found.append((int(name), parent, session))
    return found
