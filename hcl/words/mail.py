"""What a mail says: its subject, and its text as people read it; pure.

Mail from anywhere is read here while others wait, so nothing raises, and the work is in
proportion to the size, whatever the mail is made of. The standard library's parser
promises neither: thousands of nested parts keep it busy for minutes.
"""

import binascii
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Literal
from urllib.parse import unquote

from hcl.words import markup
from hcl.words.charsets import codec_of

Kind = Literal["plain", "html"]

# The most bytes of a mail that are looked at.
SEARCH_LIMIT = 1_000_000

# The most bytes that are gone through for one mail, since each level of nested parts
# goes through those within; and what a part costs besides its bytes.
_WORK_LIMIT = 10_000_000
_PART_WORK = 1000

# The most bytes of a part's headers, of one header, and the most parts of a level.
_HEAD_LIMIT = 65_536
_HEADER_LIMIT = 10_000
_PARTS_LIMIT = 1000

# How deep a mail may lie within others that say nothing themselves.
_FORWARDS_LIMIT = 5

# A "From " line stands before the headers in an mbox.
_HEAD = re.compile(
    rb"(?:From [^\n]*\n)?"
    rb"((?:[!-9;-~]+[ \t]*:[^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*)*)(?:\r?\n)?"
)
_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?]*)\?=")

# What is quoted in a header's value, or a comment, behind a space or alone.
_COMMENT = re.compile(r'("[^"]*")|(?<![^\s;])\([^()]*\)')
# A parameter: its name, its number if it comes in pieces, whether its charset is told.
_PARAMETER = re.compile(
    r';\s*([^\s=;"*]+)(?:\*(\d{1,3}))?(\*)?\s*=\s*(?:"([^"]*)"|([^\s;"]+))', re.ASCII
)


def subject(message: bytes) -> str:
    """Return the subject, decoded; "" if there is none."""
    head, _ = _split(message[:SEARCH_LIMIT])
    return _decoded_words(_header(head, "subject"))


# A mail to many checks is read once: their pings share its bytes.
@lru_cache(maxsize=1)
def texts(message: bytes) -> tuple[str, ...]:
    """Return the text, and that of its HTML form, as they are shown."""
    found = _bodies(message[:SEARCH_LIMIT])
    return tuple(
        markup.as_shown(text) if kind == "html" else text
        for kind, text in found.items()
    )


@lru_cache(maxsize=4)
def searched(message: bytes) -> tuple[str, ...]:
    """Return the forms of the text, and of the HTML, in which words are looked for."""
    forms: list[str] = []
    for kind, text in _bodies(message[:SEARCH_LIMIT]).items():
        forms += markup.as_searched(text) if kind == "html" else (text,)
    return tuple(forms)


def _bodies(message: bytes) -> dict[Kind, str]:
    """Return the source of the first plain part, and of the first HTML part.

    That is what people take for the mail; the rest are attachments, signatures, and
    what scanners and mailing lists put below. A mail that says nothing itself may have
    been forwarded: what is within it counts then.
    """
    for _ in range(_FORWARDS_LIMIT):
        found: dict[Kind, str] = {}
        forwarded = b""
        for kind, head, body in _readable(message):
            if kind == "mail":
                forwarded = forwarded or _decoded_body(head, body)
            # An empty part is the first of its kind if there is something else to read.
            elif not found.get(kind, "").strip() and len(found) < 2:
                found[kind] = _part_text(head, body, kind)
        if not forwarded or any(text.strip() for text in found.values()):
            break
        message = forwarded
    return found


def _readable(message: bytes) -> Iterator[tuple[Kind | Literal["mail"], bytes, bytes]]:
    """Yield the parts that people read, but attachments."""
    for head, body in _leaves(message):
        kind = _first_word(head, "content-type")
        if _first_word(head, "content-disposition").startswith("attachment"):
            continue
        if kind == "message/rfc822":
            yield "mail", head, body
        elif kind == "text/html":
            yield "html", head, body
        # What is not said, or makes no sense, is plain text (RFC 2045, section 5.2).
        elif kind == "text/plain" or "/" not in kind or kind.startswith("multipart/"):
            yield "plain", head, body


def _leaves(message: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield head and body of each part that has no parts itself, in their order."""
    work = 0
    waiting = [message]
    while waiting and work < _WORK_LIMIT:
        part = waiting.pop()
        work += len(part) + _PART_WORK
        head, body = _split(part)
        boundary = _parameter(_header(head, "content-type"), "boundary")
        if boundary and _first_word(head, "content-type").startswith("multipart/"):
            waiting += reversed(_parts(body, boundary))
        else:
            yield head, body


def _split(part: bytes) -> tuple[bytes, bytes]:
    """Return the headers, and what comes after them and the empty line."""
    match = _HEAD.match(part, 0, _HEAD_LIMIT)
    if match is None:
        return b"", part
    return match[1], part[match.end() :]


def _parts(body: bytes, boundary: str) -> list[bytes]:
    """Return what stands between the boundaries; the last may lack its end."""
    line = rb"\n--" + re.escape(boundary.encode("utf-8"))
    delimiter = re.compile(line + rb"(--)?[ \t]*\r?(?=\n|\Z)")
    body = b"\n" + body
    parts, begin = [], None
    for mark in islice(delimiter.finditer(body), _PARTS_LIMIT):
        if begin is not None:
            parts.append(body[begin : mark.start()])
        begin = mark.end() + 1
        if mark[1]:
            return parts
    return parts if begin is None else [*parts, body[begin:]]


def _header(head: bytes, name: str) -> str:
    """Return a header's value in one line; "" if there is none."""
    pattern = rb"(?im)^" + name.encode() + rb"[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)"
    match = re.search(pattern, head)
    if match is None:
        return ""
    text = match[1][:_HEADER_LIMIT].decode("utf-8", "replace")
    return re.sub(r"\r?\n(?=[ \t])", "", text).strip()


def _first_word(head: bytes, name: str) -> str:
    """Return what stands before the parameters of a header, in small letters."""
    return _uncommented(_header(head, name)).partition(";")[0].strip().lower()


def _uncommented(value: str) -> str:
    return _COMMENT.sub(lambda match: match[1] or "", value)


def _parameter(value: str, name: str) -> str:
    """Return a parameter of a header's value; "" if there is none.

    It may come in pieces, and with its charset before it (RFC 2231).
    """
    pieces: dict[int, str] = {}
    for match in _PARAMETER.finditer(_uncommented(value)):
        if match[1].lower() == name:
            number, text = int(match[2] or 0), match[4] or match[5] or ""
            if match[3]:
                text = unquote(text if number else text.split("'", 2)[-1])
            pieces.setdefault(number, text)
    return "".join(pieces[number] for number in sorted(pieces)).rstrip()


def _decoded_words(text: str) -> str:
    """Decode the encoded words of a header (RFC 2047)."""
    pieces: list[tuple[str, bytes]] = []
    at = 0
    for word in _WORD.finditer(text):
        between = text[at : word.start()]
        # White space between two encoded words only separates them.
        if between.strip() or not at:
            pieces.append(("", between.encode("utf-8")))
        charset, data = word[1].lower(), _word_data(word[2], word[3])
        if pieces and pieces[-1][0] == charset:
            # As many do, though they must not: a character split between two words.
            pieces[-1] = (charset, pieces[-1][1] + data)
        else:
            pieces.append((charset, data))
        at = word.end()
    pieces.append(("", text[at:].encode("utf-8")))
    return "".join(_decode(data, charset) for charset, data in pieces)


def _word_data(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8")
    if encoding in "Bb":
        return _from_base64(data)
    return binascii.a2b_qp(data, header=True)


def _part_text(head: bytes, body: bytes, kind: Kind) -> str:
    body = _decoded_body(head, body)
    content_type = _header(head, "content-type")
    charset = _parameter(content_type, "charset")
    if kind == "html":
        return _decode(body, charset or markup.charset_of(body))
    text = _decode(body, charset).replace("\r\n", "\n")
    return _unwrapped(text, content_type)


def _decoded_body(head: bytes, body: bytes) -> bytes:
    encoding = _first_word(head, "content-transfer-encoding")
    if encoding == "base64":
        return _from_base64(body)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    return body


def _from_base64(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        # It was cut off, or lacks its padding: as many bytes as are whole.
        digits = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
        if len(digits) % 4 == 1:
            digits = digits[:-1]
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _decode(data: bytes, charset: str) -> str:
    """Decode by a charset that the mail names, or else as UTF-8; replace what fails."""
    try:
        return data.decode(codec_of(charset) or "utf-8", "replace")
    # Some codecs give up all the same.
    except ValueError:
        return data.decode("utf-8", "replace")


def _unwrapped(text: str, content_type: str) -> str:
    """Undo format=flowed: lines that end in a space go on in the next (RFC 3676)."""
    if _parameter(content_type, "format").lower() != "flowed":
        return text
    joint = "" if _parameter(content_type, "delsp").lower() == "yes" else " "
    return re.sub(r"(?m)^ ", "", text).replace(" \n", joint)
