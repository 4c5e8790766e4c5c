"""Badges: their URLs, which bear a signature so that no tag can be guessed."""

import base64
import hashlib
import hmac
from urllib.parse import quote

_FORMATS = ("svg", "json", "shields")


def signature(secret: str, badge_key: str, tag: str) -> str:
    """Return 8 characters that only the server can make for this project and tag."""
    message = f"{badge_key}/{tag}".encode()
    digest = hmac.digest(secret.encode(), message, hashlib.sha256)
    return base64.urlsafe_b64encode(digest)[:8].decode()


def badge_urls(root: str, secret: str, badge_key: str, tag: str) -> dict[str, str]:
    """Return the URLs of a tag's badges; the tag `*` stands for all checks.

    The names with a 3 have three states (late is one), the others two.
    """
    start = f"{root}/badge/{quote(badge_key)}/{signature(secret, badge_key, tag)}"
    end = "" if tag == "*" else "/" + quote(tag, safe="")
    urls = {}
    for fmt in _FORMATS:
        urls[fmt] = f"{start}-2{end}.{fmt}"
        urls[f"{fmt}3"] = f"{start}{end}.{fmt}"
    return urls
