"""An answer that is given many times, and what it is given by."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from hcl.web.http.heads import Headers


class Answer:
    """An answer that can be given many times: only the Date has to be filled in."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        lines = [b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())]
        lines += [b"%b: %b\r\n" % h for h in headers if h[0] != b"connection"]
        self.closes = (b"connection", b"close") in headers
        self._head = b"".join([*lines, b"date: "])
        # As nearly all get it in this second.
        self._date = self._usual = b""

    def to_bytes(self, date: bytes, *, keep: bool, head_only: bool) -> bytes:
        """Return it as it is sent; `keep`: the connection stays open."""
        if keep and not head_only:
            if date != self._date:
                self._date = date
                self._usual = self._head + date + b"\r\n\r\n" + self.body
            return self._usual
        end = b"\r\n\r\n" if keep else b"\r\nconnection: close\r\n\r\n"
        return self._head + date + end + (b"" if head_only else self.body)


class Patient:
    """A transport to answer by while a request still comes in."""

    def __init__(self, transport: Any, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close
