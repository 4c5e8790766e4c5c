"""What an SMTP client sends: lines, then a mail, then lines again."""

from collections.abc import Awaitable, Callable

# The most bytes of a command.
_COMMAND_SIZE = 4096

# How far a mail may be over its limit before it is thrown away as it comes.
_SLACK = 65_536

_END = b"\r\n.\r\n"


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

    async def mail(self, limit: int) -> bytes | None:
        """Return a mail; None: it came, and was larger than `limit`.

        It ends with a dot alone between CR LF, and with no other kind of line end: else
        a relay that reads it otherwise could be made to smuggle mails.
        """
        # The line end of the DATA command counts as the one before an early dot.
        self._data[:0] = b"\r\n"
        too_large = False
        start = 0
        while (end := self._data.find(_END, start)) < 0:
            # A dot before a line's dot does not count: three bytes came as four.
            if len(self._data) > limit // 3 * 4 + _SLACK:
                too_large = True
                del self._data[: -len(_END)]
            start = max(len(self._data) - len(_END) + 1, 0)
            self._data += await self._read()
        mail = b"" if too_large else bytes(self._data[: end + 2])
        del self._data[: end + len(_END)]
        mail = mail.replace(b"\r\n.", b"\r\n")[2:]
        return None if too_large or len(mail) > limit else mail
