"""Log lines that strangers can cause: once, then with a count."""

import asyncio
import logging
from types import TracebackType

# How long the same line only counts after it was logged, in seconds.
PAUSE = 60.0

_ExcInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None]
    | tuple[None, None, None]
    | None
)
_Key = tuple[str, str, type[BaseException] | None, int]


class Repeats(logging.Filter):
    """Lets a line through, and counts others like it; each minute it tells how many.

    Lines are alike that differ in their arguments alone, and exceptions that were
    raised in one place. Add one to each logger that requests can reach. Without a
    running loop all goes through.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loop: asyncio.AbstractEventLoop | None = None
        # Of each line that was logged: how many more came, and the last of them.
        self._met: dict[_Key, tuple[int, logging.LogRecord | None]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether this line is logged."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return True
        if loop is not self._loop:
            self._loop, self._met = loop, {}
        key = (record.name, str(record.msg), *_place(record.exc_info))
        count, _ = self._met.get(key, (-1, None))
        self._met[key] = count + 1, record
        if count < 0:
            loop.call_later(PAUSE, self._sum_up, key)
        return count < 0

    def _sum_up(self, key: _Key) -> None:
        """Tell how often a line came again; if it did not, forget it."""
        count, last = self._met.pop(key)
        if not count or last is None or self._loop is None:
            return
        self._met[key] = 0, None
        self._loop.call_later(PAUSE, self._sum_up, key)
        line = last.getMessage().rstrip()
        if count > 1:
            line += f" (and {count - 1} more like it in {PAUSE:.0f} s)"
        told = logging.LogRecord(
            last.name, last.levelno, last.pathname, last.lineno, "%s", (line,), None
        )
        logging.getLogger(last.name).callHandlers(told)


def _place(info: _ExcInfo) -> tuple[type[BaseException] | None, int]:
    """Return what was raised, and in which line."""
    if info is None or info[0] is None:
        return None, 0
    trace = info[2]
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return info[0], trace.tb_lineno if trace is not None else 0
