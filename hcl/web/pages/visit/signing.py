"""Text that only this server can have written, for cookies and tokens."""

import base64
import hashlib
import hmac


def mac(secret: str, purpose: str, text: str) -> str:
    """Return 43 characters that only who has the secret can make.

    What was made for one purpose says nothing for another.
    """
    key = hmac.digest(secret.encode(), f"hcl page: {purpose}".encode(), hashlib.sha256)
    digest = hmac.digest(key, text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def sign(secret: str, purpose: str, text: str) -> str:
    """Return text with its signature; both fit a cookie, whatever the text."""
    packed = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return f"{packed}.{mac(secret, purpose, packed)}"


def unsign(secret: str, purpose: str, signed: str) -> str | None:
    """Return the text that `sign` was given, None if it was not given any."""
    packed, _, signature = signed.partition(".")
    wanted = mac(secret, purpose, packed)
    if not hmac.compare_digest(wanted.encode(), signature.encode()):
        return None
    return base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
