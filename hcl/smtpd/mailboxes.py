"""The mailboxes: which check an address stands for, and what a mail to it does."""

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from hcl.checks.spec import SLUG_LENGTH
from hcl.clock import Clock
from hcl.db import SQLError, tell
from hcl.model import Ping
from hcl.pings.arrival import Receipt, Target
from hcl.pings.pinging import Pinging
from hcl.smtpd.addresses import is_same_domain, masked
from hcl.smtpd.refusals import Refusals
from hcl.words import mail as mails

logger = logging.getLogger(__name__)

# Characters of `Email from <sender>` that are kept, as of other user agents.
_UA_LIMIT = 200

# The codes of checks are random, which is version 4 (RFC 9562, section 5.4).
_UUID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    re.IGNORECASE | re.ASCII,
)
_SLUG = re.compile(rf"([A-Za-z0-9_-]+)\+([A-Za-z0-9_-]{{1,{SLUG_LENGTH}}})")

# From so many bytes on a mail takes more than a few milliseconds to read.
_LARGE = 20_000

# The characters of the ping keys that hcl and Healthchecks make.
_KEY_LENGTH = 22


class Mailboxes:
    """The addresses of all checks, `<uuid>` and `<ping_key>+<slug>` at one domain."""

    def __init__(self, pinging: Pinging, refusals: Refusals, clock: Clock) -> None:
        """Prepare; there are no addresses before `use`."""
        self._pinging = pinging
        self._refusals = refusals
        self._clock = clock
        self.domain = ""
        self._keys: frozenset[str] = frozenset()
        self._keys_by_lower: dict[str, list[str]] = {}
        self._reading = 0

    def use(self, domain: str, ping_keys: Iterable[str]) -> None:
        """Take mail for this domain, and for the checks of projects with these keys."""
        self.domain = domain
        self._keys = frozenset(ping_keys)
        self._keys_by_lower = defaultdict(list)
        for key in self._keys:
            self._keys_by_lower[key.lower()].append(key)

    def target_of(self, recipient: str) -> Target | None:
        """Return which check a recipient stands for; None: it can be no check's.

        Relays change the case of what they hand on.
        """
        mailbox, _, domain = recipient.rpartition("@")
        if not is_same_domain(domain, self.domain):
            return None
        if _UUID.fullmatch(mailbox):
            return Target(code=mailbox.lower())
        match = _SLUG.fullmatch(mailbox)
        key = match and self._ping_key(match[1])
        # No slug has capitals.
        return Target(ping_key=key, slug=match[2].lower()) if match and key else None

    def _ping_key(self, text: str) -> str | None:
        """Return the ping key that is meant; None: there can be no such key."""
        alike = self._keys_by_lower.get(text.lower(), [])
        if text not in self._keys and len(alike) == 1:
            return alike[0]
        return text if text in self._keys or len(text) == _KEY_LENGTH else None

    async def deliver(
        self, sender: str, targets: Iterable[Target], content: bytes, peer: str
    ) -> str:
        """Record a ping for each target; return what to answer, after the commit."""
        # One mail is one ping, even if it names a target twice.
        wanted = list(dict.fromkeys(targets))
        try:
            async with self._read(content, wanted):
                ping = self._ping(sender, content, peer)
                receipts = await asyncio.gather(
                    *(self._pinging.receive(target, ping) for target in wanted)
                )
        except SQLError as error:
            tell(logger, "mail put off, the database cannot be used", error)
            return "451 4.3.0 The database cannot be written, try again later"
        for target, receipt in zip(wanted, receipts, strict=True):
            if receipt is not Receipt.RECORDED:
                self._refusals.tell(peer, sender, _dropped(target, receipt))
        return "250 2.0.0 OK"

    def _ping(self, sender: str, content: bytes, peer: str) -> Ping:
        return Ping(
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

    @asynccontextmanager
    async def _read(
        self, content: bytes, targets: Sequence[Target]
    ) -> AsyncIterator[None]:
        """Have a large mail read before the rules ask what it says, if they do.

        In a thread, since pings must not wait for it. It is dated afterwards: it must
        not be older than what came meanwhile.
        """
        is_large = len(content) >= _LARGE
        if not (is_large and await self._pinging.look_into_mails(targets)):
            yield
            return
        self._reading += 1
        try:
            await asyncio.to_thread(mails.searched, content)
            yield
        finally:
            self._reading -= 1
            if not self._reading:
                # It would stay in memory.
                mails.searched.cache_clear()


def _dropped(target: Target, receipt: Receipt) -> str:
    have = "several checks have" if receipt is Receipt.AMBIGUOUS else "no check has"
    name = target.code or masked(f"{target.ping_key}+{target.slug}")
    return f"dropped: {have} the address {name}"
