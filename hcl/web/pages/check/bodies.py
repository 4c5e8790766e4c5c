"""What a ping's body says, as people read it; pure."""

import codecs
import re
from typing import NamedTuple

from hcl.model import Ping
from hcl.words import mail as mails
from hcl.words.lines import cut, one_line, printed

# Characters of a line that stands for a body.
_LINE = 200

# Bytes of a body that is no text which are shown, and how many in a row.
_DUMPED = 512
_ROW = 16

# Bodies with more unreadable characters than one in so many are shown as bytes.
_READABLE = 8

# Bytes after a mail's headers that are decoded to show its beginning: markup is dear.
_MAIL_EXCERPT = 8192
_HEAD_END = re.compile(rb"\n\r?\n")


class Body(NamedTuple):
    """A body's text: `subject` is a mail's. `size` counts the bytes as they came.

    `is_cut`: there is more, and `end` is the last of it, "" if that was not read.
    `is_binary`: the text lists its first bytes.
    """

    text: str
    size: int
    subject: str = ""
    is_cut: bool = False
    is_binary: bool = False
    end: str = ""

    @property
    def last_line(self) -> str:
        """Return what a job said last, or what tells most in one line."""
        if self.is_binary or self.subject or (self.is_cut and not self.end):
            return self.first_line
        last = reversed((self.end or self.text).splitlines()[-50:])
        return cut(next(filter(None, map(one_line, last)), ""), _LINE)

    @property
    def first_line(self) -> str:
        """Return what tells most in one line."""
        if self.is_binary:
            return "binary data"
        lines = filter(None, map(one_line, self.text.splitlines()[:50]))
        return cut(self.subject or next(lines, ""), _LINE)


def body_of(
    ping: Ping, size: int, limit: int | None = None, end: bytes = b""
) -> Body | None:
    """Read a ping's body, or its beginning; None: it has none.

    `size` is the whole body's, `end` its last bytes. `limit` counts the characters to
    be shown, None: all.
    """
    if not size:
        return None
    cut_before = size > len(ping.body)
    if ping.scheme == "email":
        mail = ping.body if limit is None else _beginning(ping.body)
        cut_before = size > len(mail)
        text, subject = _mail(mail), one_line(mails.subject(mail))
    else:
        decoded = _decoded(ping.body[:limit], final=not cut_before)
        if _is_binary(ping.body, decoded):
            dumped = ping.body[:_DUMPED]
            return Body(_dump(dumped), size, "", size > len(dumped), is_binary=True)
        text, subject = printed(decoded), ""
    is_cut = cut_before or (limit is not None and len(text) > limit)
    last = printed(_decoded(end, final=True)).lstrip("\ufffd")
    return Body(text[:limit], size, subject, is_cut, end=last)


def _beginning(mail: bytes) -> bytes:
    head = _HEAD_END.search(mail)
    return mail[: (head.end() if head else 0) + _MAIL_EXCERPT]


def _mail(mail: bytes) -> str:
    return next(filter(None, map(printed, mails.texts(mail))), "")


def _decoded(body: bytes, *, final: bool) -> str:
    # The cut may go through a character.
    return codecs.getincrementaldecoder("utf-8")("replace").decode(body, final)


def _is_binary(body: bytes, text: str) -> bool:
    return b"\0" in body or text.count("\ufffd") * _READABLE > len(text)


def _dump(body: bytes) -> str:
    rows = (body[start : start + _ROW] for start in range(0, len(body), _ROW))
    return "\n".join(
        f"{number * _ROW:04x}  {row.hex(' '):<{_ROW * 3}} {_visible(row)}"
        for number, row in enumerate(rows)
    )


def _visible(row: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
