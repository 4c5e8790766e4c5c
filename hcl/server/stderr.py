"""The log on standard error, which holds up nothing while nobody reads it."""

import logging
import os
import select
import sys
from contextlib import suppress

# So many milliseconds whoever reads may take before lines are dropped.
_PATIENCE = 100

# Characters that are written at once: a pipe that takes anything takes a page.
_AT_ONCE = 1000


def open_what_is_closed() -> None:
    """Have standard files lead nowhere that a parent has closed.

    The next file, or socket, that is opened would bear the number of one.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    # Open for as long as it runs.
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


class StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]  # of any text
    """Drops lines while standard error takes none, and tells how many later.

    A terminal that is stopped (Ctrl-S), or a pipe or a journal that nobody reads, would
    have each line wait without an end, and all pings with it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lost = 0
        # Whether what was written last has no end.
        self._is_cut = False
        self._is_polled = False
        self._poll = select.poll()
        # In a test there may be no file, which takes all.
        with suppress(OSError, ValueError):
            self._poll.register(self.stream.fileno(), select.POLLOUT)
            self._is_polled = True

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it as lost."""
        try:
            if self._lost and self._write(_of_lost(self._lost)):
                self._lost = 0
            if self._lost or not self._write(record):
                self._lost += 1
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)

    def _write(self, record: logging.LogRecord) -> bool:
        """Write all of a record that is taken; tell whether that is all of it."""
        text = ("\n" if self._is_cut else "") + self.format(record) + self.terminator
        for start in range(0, len(text), _AT_ONCE):
            if self._is_polled and not self._poll.poll(0 if self._lost else _PATIENCE):
                return False
            self.stream.write(text[start : start + _AT_ONCE])
            self.stream.flush()
            self._is_cut = start + _AT_ONCE < len(text)
        return True


def _of_lost(count: int) -> logging.LogRecord:
    line = "%d lines of this log are lost: nobody has read it"
    return logging.LogRecord(__name__, logging.WARNING, "", 0, line, (count,), None)
