"""Text in gzip's format, for clients that take it: a slice at a time.

BREACH: who may put text of their choice into a page and see how long it is compressed
could guess what else stands there. So pages are compressed only if no other site has
led here, which browsers say (Sec-Fetch-Site), and are of no exact length: their name,
which gzip has room for, is of a length by chance. Answers of the API tell nothing of
what was asked, and no other site can ask with a key.
"""

import asyncio
import secrets
import struct
import zlib
from collections.abc import Iterable

from starlette.types import Message, Scope, Send

# What is shorter gains little.
LEAST = 4096

# Bytes that are compressed in one go of the loop: less than half a millisecond.
_SLICE = 32_768
# The quickest: it leaves a tenth more than the default, in half the time.
_LEVEL = 1
# The longest name of a page, in bytes.
_NAME = 256

_ENCODING, _VARY = (b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")
_TEXT = (
    b"text/",
    b"application/json",
    b"application/atom+xml",
    b"application/openmetrics-text",
    b"image/svg+xml",
)


def is_taken(accept_encoding: str) -> bool:
    """Tell whether a client takes gzip, by RFC 9110, 12.5.3."""
    weights = {}
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = weight.replace(" ", "")
    weight = weights.get("gzip", weights.get("*", "q=0"))
    return weight.removeprefix("q=").strip("0.") != "" or not weight


def takes_gzip(scope: Scope) -> bool:
    """Tell whether who asks takes gzip."""
    values = [value for name, value in scope["headers"] if name == b"accept-encoding"]
    return is_taken(b",".join(values).decode("latin-1"))


class Packer:
    """A gzip file that is written a slice at a time; with a `name`, as RFC 1952 has it.

    `pack` may be cancelled, and called again with the same bytes.
    """

    def __init__(self, name: bytes = b"") -> None:
        flags = 0x08 if name else 0
        head = struct.pack("<BBBBIBB", 0x1F, 0x8B, 8, flags, 0, 4, 255)
        self.packed = bytearray(head + name + b"\0" * bool(name))
        self._zip = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
        self._crc = self._size = self._at = 0
        self._piece: bytes | None = None

    async def pack(self, piece: bytes) -> None:
        """Compress more, which `packed` grows by."""
        if piece is not self._piece:
            self._piece, self._at = piece, 0
        while self._at < len(piece):
            part = piece[self._at : self._at + _SLICE]
            self.packed += self._zip.compress(part)
            self._crc = zlib.crc32(part, self._crc)
            self._size += len(part)
            self._at += len(part)
            if self._at < len(piece):
                # Whoever waits with a ping comes first.
                await asyncio.sleep(0)

    def done(self) -> None:
        """Forget a piece, of which all has been taken from `packed`."""
        self.packed.clear()
        self._piece = None

    def end(self) -> None:
        """Write the end."""
        self.packed += self._zip.flush()
        self.packed += struct.pack("<II", self._crc, self._size & 0xFFFFFFFF)


async def packed(pieces: Iterable[bytes]) -> bytes:
    """Compress what is known as a whole."""
    packer = Packer()
    for piece in pieces:
        await packer.pack(piece)
        await asyncio.sleep(0)
    packer.end()
    return bytes(packer.packed)


def compressing(scope: Scope, send: Send) -> Send:
    """Compress an answer of text that is not compressed yet, if the client takes it."""
    return _Compressing(scope, send)


class _Compressing:
    """Where an answer goes through."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._packer: Packer | None = None

    async def __call__(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            message = self._begin(message)
        if self._packer is not None and message["type"] == "http.response.body":
            await self._on(self._packer, message)
        else:
            await self._send(message)

    def _begin(self, start: Message) -> Message:
        headers = dict(start["headers"])
        length = headers.get(b"content-length")
        is_long = length is None or int(length) >= LEAST
        if not (is_long and self._is_plain_text(start["status"], headers)):
            return start
        kept = list(start["headers"])
        if _VARY not in kept:
            kept.append(_VARY)
        # Before 1.1 clients know no chunks.
        is_new = self._scope["http_version"] != "1.0"
        if is_new and takes_gzip(self._scope) and self._is_safe(headers):
            is_page = headers[b"content-type"].startswith(b"text/html")
            name = b"p" * (1 + secrets.randbelow(_NAME)) if is_page else b""
            self._packer = Packer(name)
            # It is told in chunks how long it is.
            kept = [pair for pair in kept if pair[0] != b"content-length"]
            kept.append(_ENCODING)
        return {**start, "headers": kept}

    def _is_plain_text(self, status: int, headers: dict[bytes, bytes]) -> bool:
        kind = headers.get(b"content-type", b"")
        return (
            self._scope["method"] != "HEAD"
            and status not in (204, 206, 304)
            and b"content-encoding" not in headers
            and kind.startswith(_TEXT)
            # It is told while it happens.
            and not kind.startswith(b"text/event-stream")
        )

    def _is_safe(self, headers: dict[bytes, bytes]) -> bool:
        if not headers[b"content-type"].startswith(b"text/html"):
            return True
        sites = [
            value for name, value in self._scope["headers"] if name == b"sec-fetch-site"
        ]
        return sites in ([b"same-origin"], [b"none"])

    async def _on(self, packer: Packer, message: Message) -> None:
        await packer.pack(message.get("body", b""))
        has_more = message.get("more_body", False)
        if not has_more:
            packer.end()
        body = bytes(packer.packed)
        if body or not has_more:
            await self._send({**message, "body": body, "more_body": has_more})
        packer.done()
