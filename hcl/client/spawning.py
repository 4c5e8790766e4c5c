"""Start a command as a shell would, with what it writes going where it did."""

from __future__ import annotations

import errno
import os
import signal

# What Python sets LC_CTYPE to, for itself and all that it starts, where no locale is
# set, as under cron (PEP 538). By it commands read files in another character set.
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")


def spawn(command: list[str], *, has_pipes: bool) -> tuple[int, dict[int, int]]:
    """Start a command; return its pid, and where what comes of which pipe goes.

    Raises OSError.
    """
    # Not by subprocess, which takes long to import.
    pipes, actions, ends = {}, [], []
    for writers in _written_together() if has_pipes else ():
        ours, its = os.pipe()
        pipes[ours] = writers[0]
        ends.append(its)
        actions += [(os.POSIX_SPAWN_DUP2, its, to) for to in writers]
    try:
        pid = _execute(command, actions)
    except OSError:
        for ours in pipes:
            os.close(ours)
        raise
    finally:
        for its in ends:
            os.close(its)
    return pid, pipes


def _written_together() -> list[tuple[int, ...]]:
    """Return 1 and 2: as one if they are the same file, which keeps their order."""
    is_one = os.path.samestat(os.fstat(1), os.fstat(2))
    return [(1, 2)] if is_one else [(1,), (2,)]


def _execute(command: list[str], actions: list[tuple[int, int, int]]) -> int:
    """Start a command by its name or path; return its pid. Raises OSError."""
    if not command[0]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    # Python ignores them; the command must not.
    heard = (signal.SIGPIPE, signal.SIGXFSZ)
    given = _environment()

    def start(*words: str) -> int:
        return os.posix_spawnp(
            words[0], words, given, file_actions=actions, setsigdef=heard
        )

    try:
        return start(*command)
    except OSError as error:
        script = _script(command[0]) if error.errno == errno.ENOEXEC else ""
        if not script:
            raise
    return start("/bin/sh", script, *command[1:])


def _environment() -> dict[str, str]:
    """Return the environment as it was given to us, for the command to have."""
    found = dict(os.environ)
    if found.pop("HCL_PYZ", ""):
        # The single file put its own modules first: those of the job are others.
        _, _, given = found.pop("PYTHONPATH", "").partition(os.pathsep)
        found.update({"PYTHONPATH": given} if given else {})
    if found.get("LC_CTYPE") not in _COERCED:
        return found
    try:
        # As it was when we started.
        with open("/proc/self/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return found
    del found["LC_CTYPE"]
    for entry in entries:
        if entry.startswith(b"LC_CTYPE="):
            found["LC_CTYPE"] = os.fsdecode(entry.partition(b"=")[2])
    return found


def _script(name: str) -> str:
    """Return the path of what shells run themselves, having no #!; "": a program."""
    # Imported here: few scripts are without.
    import shutil

    path = shutil.which(name) or name
    with open(path, "rb") as file:
        return "" if b"\0" in file.read(80) else path
