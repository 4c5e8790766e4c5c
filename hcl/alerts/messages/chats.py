"""Text made safe for chats: it neither breaks their Markdown nor calls anybody.

Backslashes are CommonMark's way, and where a service has another it is the sender's to
translate them. Some marks are read by one service or another before any Markdown is;
these are parted by a space of no width, which works for all.
"""

import re

_GAP = "\u200b"

_MARKS = re.compile(r"([\\`*_\[\]~|>])")
# Tags, autolinks and Slack's commands; entities; people's names; addresses.
_OPENERS = re.compile(r"<(?=[A-Za-z/!?@#])|&(?=#?\w+;)|@(?=\w)|:(?=//)")
# What makes a list or heading of a line, or a line of the one before.
_LINE_START = re.compile(r"^(?=[-+#=]|\d+[.)])")
_ADDRESS = re.compile(r"https?://[^\s<>\"`\\]*[^\s<>\"`\\.,;:!?)\]'…]")

_EVERYBODY = re.compile(r"@(?=everyone|here|channel|all|room)", re.IGNORECASE)
_FENCE_OPENERS = re.compile(r"<(?=[A-Za-z/!?@#])|`(?=`)")
# Lines that some readers look for within a code block too.
_BLOCK_START = re.compile(r"^(?=[ \t]*(?:[#>\[`]|[-*_=|:+ \t]*$))", re.MULTILINE)


class Ready(str):
    """Markdown, not to be escaped again."""

    __slots__ = ()


def escaped(value: object) -> str:
    """Write a value as Markdown that shows it as it is, in one line."""
    if isinstance(value, Ready):
        return value
    text = _OPENERS.sub(rf"\g<0>{_GAP}", str(value))
    return Ready(_LINE_START.sub(_GAP, _MARKS.sub(r"\\\1", text)))


def with_links(text: str) -> str:
    """Write text as Markdown in which addresses are links that show where they lead."""
    parts, at = [], 0
    for address in _ADDRESS.finditer(text):
        parts += [escaped(text[at : address.start()]), f"<{address[0]}>"]
        at = address.end()
    return Ready("".join([*parts, escaped(text[at:])]))


def named_link(name: str, address: str) -> str:
    """Write a link; the address is our own."""
    return Ready(f"[{escaped(name)}]({address})")


def fenced(text: str) -> str:
    """Write lines as a code block that nothing in them ends."""
    text = without_mentions(text)
    text = _FENCE_OPENERS.sub(rf"\g<0>{_GAP}", text)
    text = _BLOCK_START.sub(_GAP, text)
    return Ready(f"```\n{text}\n```")


def without_mentions(value: object) -> str:
    """Write plain text in which nobody calls everybody."""
    return _EVERYBODY.sub(rf"@{_GAP}", str(value))
