"""HTML as people see it: its text, without tags; pure, in proportion to its size."""

import html
import re
from collections.abc import Iterator
from contextlib import suppress

_UNSEEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style)\b[^<>]*>.*?(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_TITLE = re.compile(r"<title\b[^<>]*>.*?(?:</title\s*>|\Z)", re.IGNORECASE | re.DOTALL)
# By their first letters, which is many times as fast.
_BLOCK = re.compile(
    r"<(?=[/a-z])/?(?:a(?:ddress|rticle|side)|b(?:lockquote|ody|r)|c(?:aption|enter)|"
    r"d(?:d|etails|iv|l|t)|f(?:ieldset|ig(?:caption|ure)|o(?:oter|rm))|"
    r"h(?:[1-6]|ead(?:er)?|r|tml)|l(?:egend|i)|main|nav|o(?:l|ption)|p(?:re)?|"
    r"s(?:ection|ummary)|t(?:able|body|foot|head|itle|r)|ul)\b[^<>]*>",
    re.IGNORECASE,
)
_CELL = re.compile(r"<(?=[/t])/?t[dh]\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[/!?a-zA-Z][^<>]*>")
_META_CHARSET = re.compile(
    rb"<meta\b[^<>]*\bcharset\s*=\s*[\"']?([A-Za-z0-9_:.-]+)", re.IGNORECASE
)
# What may stand within a word, and is not seen: soft hyphens, and spaces of no width.
_NO_WIDTH = dict.fromkeys((0xAD, 0x200B, 0xFEFF))

# The bytes in which the charset of a page is looked for, as browsers do.
_META_LIMIT = 1024

# Characters that are worked on at once.
_PIECE = 32_768


def as_shown(source: str) -> str:
    """Return the text in the lines in which it is shown, without the title."""
    return _lines(_TITLE.sub("", _UNSEEN.sub("", source)))


def as_searched(source: str) -> tuple[str, str]:
    """Return the text with its title, as it is shown and with its tags just dropped."""
    seen = _UNSEEN.sub("", source)
    return _lines(seen), "".join(_resolved(_TAG.sub("", p)) for p in _pieces(seen))


def charset_of(source: bytes) -> str:
    """Return the charset that a page names for itself; "" if it names none."""
    match = _META_CHARSET.search(source, 0, _META_LIMIT)
    return match[1].decode() if match else ""


def _lines(source: str) -> str:
    text = "".join(_untagged(_folded(piece)) for piece in _pieces(source))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(filter(None, lines))


def _pieces(source: str) -> Iterator[str]:
    """Cut where a tag begins, so that no step takes long: others may run between."""
    start = 0
    while start < len(source):
        end = source.find("<", start + _PIECE)
        if end < 0:
            end = len(source)
        yield source[start:end]
        start = end


def _folded(source: str) -> str:
    # Line ends of the source are spaces. Splitting is the quickest way to fold them.
    end = " " if source[-1:].isspace() else ""
    return " ".join(source.split()) + end


def _untagged(source: str) -> str:
    text = _CELL.sub(" ", _BLOCK.sub("\n", source))
    return _resolved(_TAG.sub("", text))


def _resolved(text: str) -> str:
    # It cannot take a number of thousands of digits.
    with suppress(ValueError):
        text = html.unescape(text)
    return text.translate(_NO_WIDTH)
