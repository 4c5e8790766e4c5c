"""Links that sign somebody in, once, signed by whoever has the server's secret.

`hcl sign-in` makes them without asking the server, which may be another process or in a
container.
"""

import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hcl.web.pages.visit import signing

LIFETIME = timedelta(minutes=15)

_PURPOSE = "sign-in link 1"
# When it ends in unix seconds, what makes it like no other, the beginning of its key's
# SHA-256, and the signature: short, for a QR code.
_FORMAT = re.compile(
    r"(([0-9]{1,12})-([A-Za-z0-9_]{11})-([0-9a-f]{16}))-([A-Za-z0-9_-]{22})"
)


class Link(NamedTuple):
    """Whom a link lets in: by the key whose SHA-256 begins so, once for each `id`."""

    id: str
    digest: str


def make(secret: str, digest: str, now: datetime) -> str:
    """Return the end of a link that signs in by the key with this SHA-256."""
    until = int((now + LIFETIME).timestamp())
    nonce = secrets.token_urlsafe(8).replace("-", "_")
    text = f"{until}-{nonce}-{digest[:16]}"
    return f"{text}-{_signature(secret, text)}"


def read(secret: str, token: str, now: datetime) -> Link | None:
    """Return whom a link lets in; None: it is too old, or nobody made it."""
    match = _FORMAT.fullmatch(token)
    if match is None:
        return None
    text, until, nonce, digest, signature = match.groups()
    if not hmac.compare_digest(_signature(secret, text), signature):
        return None
    left = datetime.fromtimestamp(int(until), UTC) - now
    # More is left than there ever was: the clock was set back, and it may be old.
    if not timedelta(0) < left <= LIFETIME + timedelta(minutes=1):
        return None
    return Link(f"link {nonce}", digest)


def _signature(secret: str, text: str) -> str:
    # 132 bits of it.
    return signing.mac(secret, _PURPOSE, text)[:22]
