"""Headers of a mail as they are sent: folded, and encoded where they are not ASCII.

Python's EmailMessage would lose blanks between encoded words, cut letters in two, and
take an address into an encoded word where several stand in a row.
"""

import re
from collections.abc import Iterable, Sequence
from email.header import Header
from email.policy import EmailPolicy

from hcl.config.net.addresses import MailAddress

# Characters that a line should have at most (RFC 2047, 2).
_WIDTH = 76

# What a name may hold without quotes (RFC 5322, 3.2.3).
_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


class Written(str):
    """The text of a header that knows the `lines` in which it is sent."""

    name: str
    lines: Sequence[str]

    def fold(self, *, policy: EmailPolicy) -> str:
        """Return it as it is sent; an EmailMessage asks its headers for that."""
        return policy.linesep.join(
            [f"{self.name}: {self.lines[0]}", *self.lines[1:], ""]
        )


def of_text(name: str, text: str) -> Written:
    """Write a header of one line of text."""
    return _written(name, text, _folded(text, name))


def of_addresses(name: str, addresses: Iterable[MailAddress]) -> Written:
    """Write a header of addresses with their names, each on a line of its own."""
    whole = ",\n ".join(map(_address, addresses))
    return _written(name, whole.replace("\n", ""), whole.split("\n"))


def _written(name: str, text: str, lines: Sequence[str]) -> Written:
    header = Written(text)
    header.name, header.lines = name, lines
    return header


def _folded(text: str, header: str = "") -> list[str]:
    charset = "us-ascii" if text.isascii() else "utf-8"
    return Header(text, charset, _WIDTH, header).encode(" ", linesep="\n").split("\n")


def _address(address: MailAddress) -> str:
    name = address.name
    if not name:
        return address.address
    if not name.isascii():
        name = "\n".join(_folded(name))
    elif not _PLAIN.fullmatch(name):
        quoted = re.sub(r'(["\\])', r"\\\1", name)
        name = f'"{quoted}"'
    last = name.rpartition("\n")[2]
    gap = " " if len(f"{last} <{address.address}>,") <= _WIDTH else "\n "
    return f"{name}{gap}<{address.address}>"
