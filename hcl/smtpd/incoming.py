"""What an SMTP client sends: lines, then a mail, then lines again."""

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

# The most bytes of a command.
_COMMAND_SIZE = 4096

# How many bytes of a mail wait, beside those that are kept, before they are dropped.
_SLACK = 65_536

_END = b"\r\n.\r\n"
_STUFFED = b"\r\n."
_SOME_STUFFED = re.compile(re.escape(_STUFFED))


class Mail(NamedTuple):
    """The beginning of a mail, and how many bytes it had in all."""

    kept: bytes
    size: int


class Incoming:
    """Take lines and mails out of bytes that come as they like.

    `read` returns what comes next, and raises EOFError if nothing will.
    """

    def __init__(self, read: Callable[[], Awaitable[bytes]]) -> None:
        self._read = read
        self._data = bytearray()

    def clear(self) -> None:
        """Forget what has come and was not asked for."""
        self._data.clear()

    async def line(self) -> bytes | None:
        """Return a line without its end; None: there was one, and it was too long."""
        too_long = False
        start = 0
        while (end := self._data.find(b"\n", start)) < 0:
            if len(self._data) > _COMMAND_SIZE:
                too_long = True
                self._data.clear()
            start = len(self._data)
            self._data += await self._read()
        line = bytes(self._data[:end]).rstrip(b"\r")
        del self._data[: end + 1]
        return None if too_long or len(line) > _COMMAND_SIZE else line

    async def mail(self, keep: int) -> Mail:
        """Return a mail, of which so many bytes are kept and the rest is dropped.

        It ends with a dot alone between CR LF, and with no other kind of line end: else
        a relay that reads it otherwise could be made to smuggle mails.
        """
        # The line end of the DATA command counts as the one before an early dot.
        self._data[:0] = b"\r\n"
        begin: bytes | None = None
        dropped = start = 0
        while (end := self._data.find(_END, start)) < 0:
            # A dot before a line's dot does not count: three bytes came as four.
            if len(self._data) > (keep // 3 * 4 if begin is None else 0) + _SLACK:
                if begin is None:
                    begin = _unstuffed(self._data, len(self._data))[2 : keep + 2]
                dropped += self._drop()
            start = max(len(self._data) - len(_END) + 1, 0)
            self._data += await self._read()
        last = _unstuffed(self._data, end + 2)
        del self._data[: end + len(_END)]
        kept = last[2 : keep + 2] if begin is None else begin
        return Mail(kept, dropped + len(last) - 2)

    def _drop(self) -> int:
        """Drop what has come but a beginning of the end; return its bytes."""
        length = len(self._data) - len(_END)
        # A dot that comes later may count with what is dropped now.
        stuffed = self._data.count(_STUFFED, 0, length + len(_STUFFED) - 1)
        del self._data[:length]
        return length - stuffed


def _unstuffed(data: bytearray, end: int) -> bytes:
    # One copy, and a search that is quicker than replace: it may be a megabyte, and
    # pings wait meanwhile.
    with memoryview(data) as view:
        text = bytes(view[:end])
    return text.replace(_STUFFED, b"\r\n") if _SOME_STUFFED.search(text) else text
