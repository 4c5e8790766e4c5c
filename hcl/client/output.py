"""What a command writes: its beginning and its end, in bounded memory."""

from __future__ import annotations

# Bytes of output that are ever told, whatever a server would keep.
MOST = 100_000


class Output:
    """Keeps as much of the beginning and the end as may be asked for.

    `most` is the greatest limit that `within` is called with, in bytes.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._head = bytearray()
        self._tail = bytearray()
        self._length = 0

    def add(self, chunk: bytes) -> None:
        """Take what was written next."""
        self._length += len(chunk)
        room = self._most - len(self._head)
        if room > 0:
            self._head += chunk[:room]
        self._tail += chunk
        if len(self._tail) > 2 * self._most:
            del self._tail[: -self._most]

    def within(self, limit: int) -> bytes:
        """Return all that was written, or its beginning and end, in so many bytes.

        Most of it is the end: that is where errors are.
        """
        limit = min(limit, self._most)
        if self._length <= limit:
            return bytes(self._head[: self._length])
        for digits in range(1, 20):
            mark = b"\n[... %s bytes left out ...]\n" % (b"9" * digits)
            room = max(0, limit - len(mark))
            head = _cut_before(bytes(self._head[: room // 5]))
            tail = _cut_after(bytes(self._tail[len(self._tail) - (room - room // 5) :]))
            left_out = b"%d" % (self._length - len(head) - len(tail))
            if len(left_out) <= digits:
                break
        if not room:
            return bytes(self._tail[len(self._tail) - limit :])
        return head + b"\n[... " + left_out + b" bytes left out ...]\n" + tail


def _cut_before(head: bytes) -> bytes:
    """Leave out a character that was cut in two at the end."""
    for back in range(1, min(4, len(head)) + 1):
        byte = head[-back]
        if byte & 0xC0 == 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return head[:-back] if back < length else head
        if byte < 0x80:
            break
    return head


def _cut_after(tail: bytes) -> bytes:
    """Leave out the rest of a character that was cut in two at the beginning."""
    for start in range(min(3, len(tail))):
        if tail[start] & 0xC0 != 0x80:
            return tail[start:]
    return tail
