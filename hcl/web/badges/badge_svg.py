"""Badges as pictures: SVG in the flat style of shields.io."""

import re
import unicodedata
from html import escape

# Advance widths of DejaVu Sans at 11 px, in tenths of a pixel, for U+0020 to U+007E
# and U+00A0 to U+00FF. Made with fontTools: hmtx[cmap[c]][0] * 110 / unitsPerEm.
# Verdana, which most readers have, is much like it.
_MEASURED = """
35 44 51 92 70 105 86 30 43 43 55 92 35 40 35 37 70 70 70 70
70 70 70 70 70 70 37 37 92 92 92 58 110 75 75 77 85 70 63 85
83 32 32 72 61 95 82 87 66 87 76 70 67 81 75 109 75 67 75 43
37 43 92 55 55 67 70 60 70 68 39 70 70 31 31 64 31 107 70 67
70 70 45 57 43 70 65 90 65 65 58 70 37 70 92
35 44 70 70 70 70 37 55 55 110 52 67 92 40 110 55 55 92 44 44
55 70 70 35 55 44 52 67 107 107 107 58 75 75 75 75 75 75 107 77
70 70 70 70 32 32 32 32 85 82 87 87 87 87 87 92 87 81 81 81
81 67 67 69 67 67 67 67 67 67 108 60 68 68 68 68 31 31 31 31
67 70 67 67 67 67 67 92 67 70 70 70 70 65 70 65
"""
_CHARACTERS = [*map(chr, range(0x20, 0x7F)), *map(chr, range(0xA0, 0x100))]
_WIDTHS = dict(zip(_CHARACTERS, map(int, _MEASURED.split()), strict=True))

# Other characters, in tenths of a pixel too: Chinese, Japanese and Korean fill a
# square, emoji a little more; letters are as Cyrillic ones in running text, those
# written from right to left as Hebrew ones.
_SQUARE = 110
_EMOJI = 137
_SYMBOL = 93
_CAPITAL = 84
_LETTER = 68
_LETTER_TO_LEFT = 60
_FIRST_EMOJI = "\U0001f000"
_BEHIND_EMOJI = "\U00020000"
_SKIN_TONES = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
_JOINER = "\u200d"
_NO_WIDTH = ("Mn", "Me", "Cf")

# What XML has no room for, or nobody can see.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)

_PADDING = 5
_COLORS = {"up": "#4c1", "late": "#fe7d37", "down": "#e05d44"}

# No id but that of the shading, which is the same in all: a page may hold many badges
# inline, and ids are the page's. textLength makes any font keep to the boxes.
_BADGE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20"'
    ' role="img" aria-label="{title}"><title>{title}</title>'
    '<linearGradient id="hcl-badge-shading" x2="0" y2="100%">'
    '<stop offset="0" stop-color="#fff" stop-opacity=".12"/>'
    '<stop offset="1" stop-opacity=".12"/></linearGradient>'
    '<path fill="#555" d="M{left} 0v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z"/>'
    '<path fill="{color}" d="M{left} 0h{straight}a3 3 0 0 1 3 3v14'
    'a3 3 0 0 1-3 3H{left}z"/>'
    '<rect width="{width}" height="20" rx="3" fill="url(#hcl-badge-shading)"/>'
    '<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif"'
    ' font-size="11" text-anchor="middle">{texts}</g></svg>'
)
_TEXT = (
    '<text x="{x}" y="15" fill="#000" fill-opacity=".3"'
    ' aria-hidden="true" textLength="{width}" lengthAdjust="spacingAndGlyphs">{text}'
    '</text><text x="{x}" y="14" textLength="{width}"'
    ' lengthAdjust="spacingAndGlyphs">{text}</text>'
)


def badge_svg(label: str, status: str) -> str:
    """Draw a badge, 20 px high; `status` is up, late or down."""
    label = _clean(label)
    left, right = _box(label), _box(status)
    return _BADGE.format(
        width=left + right,
        left=left,
        straight=right - 3,
        color=_COLORS[status],
        title=escape(f"{label}: {status}" if label else status),
        texts=_text(label, left / 2) + _text(status, left + right / 2),
    )


def _clean(text: str) -> str:
    """Leave out what XML forbids; make one space of many, as they would be drawn."""
    return " ".join(_FORBIDDEN.sub("", text).split())


def _box(text: str) -> int:
    return round(text_width(text)) + 2 * _PADDING


def _text(text: str, x: float) -> str:
    width = f"{text_width(text):.1f}"
    return _TEXT.format(x=x, width=width, text=escape(text)) if text else ""


def text_width(text: str) -> float:
    """Return about how many pixels a text takes at 11 px."""
    tenths, joined = 0, False
    for char in unicodedata.normalize("NFC", text):
        # What is joined to an emoji is drawn in one with it.
        if not joined:
            tenths += _char_width(char)
        joined = char == _JOINER
    return tenths / 10


def _char_width(char: str) -> int:
    category = unicodedata.category(char)
    if char in _WIDTHS:
        return _WIDTHS[char]
    if category in _NO_WIDTH or char in _SKIN_TONES:
        return 0
    if unicodedata.east_asian_width(char) in ("W", "F"):
        return _EMOJI if _FIRST_EMOJI <= char < _BEHIND_EMOJI else _SQUARE
    # An accent makes no letter wider.
    base = unicodedata.normalize("NFKD", char)[0]
    if base in _WIDTHS:
        return _WIDTHS[base]
    if category in ("So", "Sm"):
        return _SYMBOL
    if unicodedata.bidirectional(char) in ("R", "AL"):
        return _LETTER_TO_LEFT
    return _CAPITAL if char.isupper() else _LETTER
