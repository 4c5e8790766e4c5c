"""What a mail says: its subject, and its text as people read it; pure.

Mail from anywhere is read here while others wait, so nothing raises, and the work is in
proportion to the size, whatever the mail is made of. The standard library's parser
promises neither: thousands of nested parts keep it busy for minutes.
"""

import binascii
import codecs
import html
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import islice

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

# A "From " line stands before the headers in an mbox.
_HEAD = re.compile(
    rb"(?:From [^\n]*\n)?"
    rb"((?:[!-9;-~]+[ \t]*:[^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*)*)(?:\r?\n)?"
)
_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?]*)\?=")
_CHARSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,39}")

# Codecs that are no charsets of mail; the first two take their time.
_NO_CHARSETS = {"punycode", "idna", "undefined", "unicode-escape", "raw-unicode-escape"}

_UNSEEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|title)\b[^<>]*>.*?(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_BLOCK = re.compile(
    r"</?(?:address|article|blockquote|body|br|center|dd|div|dl|dt|footer|form|h[1-6]|"
    r"header|hr|li|main|ol|p|pre|section|table|tbody|thead|tr|ul)\b[^<>]*>",
    re.IGNORECASE,
)
_CELL = re.compile(r"</?t[dh]\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[/!?a-zA-Z][^<>]*>")


def subject(message: bytes) -> str:
    """Return the subject, decoded; "" if there is none."""
    head, _ = _split(message[:SEARCH_LIMIT])
    return _decoded_words(_header(head, "subject"))


# A mail to many checks is read once: their pings share its bytes.
@lru_cache(maxsize=1)
def texts(message: bytes) -> tuple[str, ...]:
    """Return the text of each plain part, and of each HTML part, but attachments."""
    found = []
    for head, body in _leaves(message[:SEARCH_LIMIT]):
        kind = _header(head, "content-type").partition(";")[0].strip().lower()
        if _header(head, "content-disposition").lower().startswith("attachment"):
            continue
        if kind == "text/html":
            found.append(_html_text(_part_text(head, body)))
        # What is not said, or makes no sense, is plain text (RFC 2045, section 5.2).
        elif kind == "text/plain" or "/" not in kind or kind.startswith("multipart/"):
            found.append(_plain_text(head, body))
    return tuple(found)


def _leaves(message: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield head and body of each part that has no parts itself, in their order."""
    work = 0
    waiting = [message]
    while waiting and work < _WORK_LIMIT:
        part = waiting.pop()
        work += len(part) + _PART_WORK
        head, body = _split(part)
        content_type = _header(head, "content-type")
        boundary = _parameter(content_type, "boundary")
        if boundary and content_type.lower().startswith("multipart/"):
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


def _parameter(value: str, name: str) -> str:
    """Return a parameter of a header's value; "" if there is none."""
    pattern = rf';\s*{name}\s*=\s*(?:"([^"]*)"|([^\s;"]+))'
    match = re.search(pattern, value, re.IGNORECASE)
    return (match[1] or match[2] or "").rstrip() if match else ""


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


def _part_text(head: bytes, body: bytes) -> str:
    encoding = _header(head, "content-transfer-encoding").lower()
    if encoding == "base64":
        body = _from_base64(body)
    elif encoding == "quoted-printable":
        body = binascii.a2b_qp(body)
    text = _decode(body, _parameter(_header(head, "content-type"), "charset"))
    return text.replace("\r\n", "\n")


def _from_base64(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        # It was cut off, say: as many bytes as are whole.
        digits = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
        return binascii.a2b_base64(digits[: len(digits) // 4 * 4])


def _decode(data: bytes, charset: str) -> str:
    """Decode by a charset that the mail names, or else as UTF-8; replace what fails."""
    # A name that is too odd is not looked up: Python remembers each that it was asked.
    if _CHARSET.fullmatch(charset):
        with suppress(LookupError, ValueError):
            # Many an ASCII text is none; UTF-8 is the best guess then.
            if codecs.lookup(charset).name not in _NO_CHARSETS | {"ascii"}:
                return data.decode(charset, "replace")
    return data.decode("utf-8", "replace")


def _plain_text(head: bytes, body: bytes) -> str:
    text = _part_text(head, body)
    content_type = _header(head, "content-type")
    if _parameter(content_type, "format").lower() == "flowed":
        # Lines that end in a space go on in the next one (RFC 3676).
        joint = "" if _parameter(content_type, "delsp").lower() == "yes" else " "
        text = re.sub(r"(?m)^ ", "", text).replace(" \n", joint)
    return text


def _html_text(source: str) -> str:
    """Return the text of HTML: no tags, entities resolved, spaces as they are shown."""
    text = re.sub(r"\s+", " ", _UNSEEN.sub("", source))
    text = _TAG.sub("", _CELL.sub(" ", _BLOCK.sub("\n", text)))
    # It cannot take a number of thousands of digits.
    with suppress(ValueError):
        text = html.unescape(text)
    text = re.sub(r"[ \xa0]+", " ", text)
    return re.sub(r" ?\n\s*", "\n", text).strip()
