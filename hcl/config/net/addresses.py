"""Mail addresses: as people write them, and as mail servers take them."""

import re
from dataclasses import dataclass

from hcl.config.net.hosts import ascii_host

# What may stand before the @ without quotes; a header gets quotes where it needs them.
_LOCAL = re.compile(r"[^\s@,<>\"()\[\]:;\\\x00-\x1f\x7f]+")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"')
_LITERAL = re.compile(r"\[(?:[0-9.]+|IPv6:[0-9A-Fa-f:.]+)\]")
# Without quotes these would make several addresses of it, or another one.
_NOT_IN_A_NAME = re.compile(r"[@,<>\"\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class MailAddress:
    """A name, "" for none, and an address. The domain is in ASCII; `local` may not be.

    `local` bears quotes where it was written with them.
    """

    name: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        """Return the address as it stands on an envelope."""
        return f"{self.local}@{self.domain}"


def parse_address(text: str) -> MailAddress:
    """Read `address`, `Name <address>` or `"Name" <address>`. Raises ValueError."""
    name, address = "", text.strip()
    if address.endswith(">") and "<" in address:
        name, _, address = address[:-1].rpartition("<")
        name, address = _name(name.strip()), address.strip()
    local, _, domain = address.rpartition("@")
    if not (_LOCAL.fullmatch(local) or _QUOTED.fullmatch(local)):
        raise ValueError("not a mail address")
    if not _LITERAL.fullmatch(domain):
        domain = ascii_host(domain)
    return MailAddress(name, local, domain)


def _name(text: str) -> str:
    if _QUOTED.fullmatch(text):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if _NOT_IN_A_NAME.search(text):
        raise ValueError("a name that needs quotes")
    return text
