"""The mailboxes: which check an address stands for, and what a mail to it does."""

import asyncio
import logging
import re
from collections.abc import Iterable

from hcl.clock import Clock
from hcl.db import SQLError, tell
from hcl.model import Ping
from hcl.pings.arrival import Receipt, Target
from hcl.pings.pinging import Pinging

logger = logging.getLogger(__name__)

# Characters of `Email from <sender>` that are kept, as of other user agents.
_UA_LIMIT = 200

_UUID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    re.IGNORECASE | re.ASCII,
)
_SLUG = re.compile(r"([A-Za-z0-9_-]+)\+([A-Za-z0-9_-]+)")


class Mailboxes:
    """The addresses of all checks, `<uuid>` and `<ping_key>+<slug>` at one domain."""

    def __init__(self, pinging: Pinging, domain: str, clock: Clock) -> None:
        self.domain = domain
        self._pinging = pinging
        self._clock = clock

    def target_of(self, recipient: str) -> Target | None:
        """Return which check a recipient stands for; None: this is none of ours."""
        mailbox, _, domain = recipient.rpartition("@")
        if domain != self.domain:
            return None
        if _UUID.fullmatch(mailbox):
            return Target(code=mailbox.lower())
        match = _SLUG.fullmatch(mailbox)
        # No slug has capitals, but mail programs think little of case.
        return Target(ping_key=match[1], slug=match[2].lower()) if match else None

    async def deliver(
        self, sender: str, targets: Iterable[Target], content: bytes, peer: str
    ) -> str:
        """Record a ping for each target; return what to answer, after the commit."""
        # One mail is one ping, even if it names a target twice.
        wanted = list(dict.fromkeys(targets))
        ping = Ping(
            n=0,
            created=self._clock.now(),
            action="success",
            scheme="email",
            remote_addr=peer,
            method="",
            ua=f"Email from {sender}"[:_UA_LIMIT],
            rid=None,
            exitstatus=None,
            body=content,
        )
        try:
            receipts = await asyncio.gather(
                *(self._pinging.receive(target, ping) for target in wanted)
            )
        except SQLError as error:
            tell(logger, "mail put off, the database cannot be used", error)
            return "451 4.3.0 The database cannot be written, try again later"
        for target, receipt in zip(wanted, receipts, strict=True):
            if receipt is not Receipt.RECORDED:
                _log_drop(sender, target, receipt)
        return "250 2.0.0 OK"


def _log_drop(sender: str, target: Target, receipt: Receipt) -> None:
    # Who knows a ping key can ping, so the log does not show one.
    name = target.code or f"{target.ping_key[:4]}…+{target.slug}"
    have = "several checks have" if receipt is Receipt.AMBIGUOUS else "no check has"
    logger.warning("mail from %s dropped: %s the address %s", sender, have, name)
