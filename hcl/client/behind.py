"""Read on from whom a command left behind: its next word would end it else."""

from __future__ import annotations

import os
import signal
import stat

# As typing has it, which takes long to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Where it stands it keeps no disk busy. A disk that is full ends nobody who writes on.
_READER = "cd /; cat; exec cat >/dev/null"


def read_on(pipes: dict[int, int]) -> None:
    """Leave a process that hands on what comes of pipes, each to a descriptor of ours.

    Only a file or a terminal gets it: of a pipe somebody waits for the end, a cron say,
    which is to have it when the command ends. Nobody reads on where there is no shell.
    """
    _keep_to_ourselves()
    for pipe, to in pipes.items():
        source = (os.POSIX_SPAWN_DUP2, pipe, 0)
        kept = _nowhere(1) if _is_waited_for(to) else (os.POSIX_SPAWN_DUP2, to, 1)
        try:
            _start(source, kept, _nowhere(2))
        except OSError:
            return


def _is_waited_for(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISCHR(mode))


def _nowhere(descriptor: int) -> tuple[Any, ...]:
    return (os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0)


def _start(*actions: tuple[Any, ...]) -> None:
    def start(**apart: Any) -> None:
        os.posix_spawn(
            "/bin/sh",
            ("sh", "-c", _READER),
            os.environ,
            file_actions=actions,
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
            **apart,
        )

    try:
        # Ctrl-C at the terminal is not for it.
        start(setsid=True)
    except NotImplementedError:
        start(setpgroup=0)


def _keep_to_ourselves() -> None:
    """Hand none of our descriptors on: one may be a lock, which would be held."""
    try:
        names = os.listdir("/dev/fd")
    except OSError:
        return
    for name in names:
        if int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError:
                # That by which the folder was listed.
                pass
