"""The time that a signal is of, where it could not be told at once: `X-Ping-At`.

Only who may ping the check may say so: it is signed with the ping key, or with the
check's UUID. Source: spec.md, "Beyond the protocol".
"""

import hashlib
import hmac
import math
from datetime import UTC, datetime, timedelta

from hcl.pings.arrival import Target

AT = b"x-ping-at"
SIGNATURE = b"x-ping-signature"

# So far back a signal may be, and so far ahead a client's clock.
LONGEST = timedelta(days=7)
_AHEAD = timedelta(minutes=5)


class Signed:
    """A signal with a time of its own, whose body comes in piece by piece."""

    def __init__(
        self, target: Target, method: str, path: str, headers: dict[bytes, bytes]
    ) -> None:
        """Prepare to check what is signed: method, path from /ping/ on, time, body."""
        self._at = headers[AT].strip()
        self._signature = headers.get(SIGNATURE, b"").strip()
        key = (target.code or target.ping_key).encode()
        head = f"{method}\n{path}\n".encode() + self._at + b"\n"
        self._mac = hmac.new(key, head, hashlib.sha256)

    def take(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        self._mac.update(piece)

    def moment(self, now: datetime, *, is_sure: bool) -> datetime | None:
        """Return when the signal is of, by the client; None: that cannot be believed.

        It may be as far ahead of `now` as it likes, unless hcl `is_sure` of that.
        """
        if not hmac.compare_digest(self._mac.hexdigest().encode(), self._signature):
            return None
        try:
            seconds = float(self._at)
            at = datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            return None
        if not math.isfinite(seconds) or at < now - LONGEST:
            return None
        return None if is_sure and at > now + _AHEAD else at
