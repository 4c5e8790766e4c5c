"""Links that mute one check for one length: who has one may do that, and no more."""

import base64
import hashlib
import hmac
from datetime import timedelta

# What messages offer; phones show little, and get the middle one.
LENGTHS = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1))

# Bytes of a signature: nobody guesses so many.
_SIZE = 16


def path(secret: str, code: str, length: timedelta) -> str:
    """Return the path of the link that mutes a check, by its code, for so long."""
    seconds = int(length.total_seconds())
    return f"/mute/{code}/{seconds}/{_signature(secret, code, seconds)}"


def is_signed(secret: str, code: str, seconds: int, signature: str) -> bool:
    """Tell whether this server made a link."""
    wanted = _signature(secret, code, seconds)
    return hmac.compare_digest(wanted.encode(), signature.encode())


def _signature(secret: str, code: str, seconds: int) -> str:
    message = f"hcl mute: {code} {seconds}".encode()
    digest = hmac.digest(secret.encode(), message, hashlib.sha256)[:_SIZE]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
