"""Links that sign somebody in, once: for who has just set hcl up beside it."""

import secrets
from datetime import datetime, timedelta

LIFETIME = timedelta(hours=1)


class SignInLinks:
    """The links that were made and not used yet; the process alone knows them."""

    def __init__(self) -> None:
        self._links: dict[str, tuple[str, datetime]] = {}

    def make(self, digest: str, now: datetime) -> str:
        """Return the end of a link that signs in by the key with this SHA-256."""
        token = secrets.token_urlsafe(16)
        self._links[token] = digest, now + LIFETIME
        return token

    def take(self, token: str, now: datetime) -> str:
        """Return the SHA-256 of the key that a link is for; "": it is used or old.

        It counts for nothing from then on.
        """
        digest, until = self._links.pop(token, ("", now))
        return digest if now < until else ""
