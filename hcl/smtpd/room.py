"""Where connections stay: so many there may be, and so many send a mail at once."""

import asyncio
import resource
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

from hcl.smtpd.refusals import Refusals

# So many connections may be open, in all and of one address. Who comes then takes the
# place of who came no nearer to a mail for longest.
CONNECTIONS = 500
CONNECTIONS_OF_ONE = 100

# So many mails may come in at once, in all and of one address, since all of each is in
# memory. Others wait for so many seconds; a client waits for two minutes (RFC 5321,
# section 4.5.3.2.4).
SEATS = 50
SEATS_OF_ONE = 10
SEAT_TIMEOUT = 110.0


# Of all descriptors that the process may have, mail takes this part at most: HTTP may
# have three quarters, and alerts need the rest.
_PART_OF_DESCRIPTORS = 8


def most() -> int:
    """Return how many connections of mail there may be."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return CONNECTIONS
    return max(1, min(CONNECTIONS, limit // _PART_OF_DESCRIPTORS))


class NoSeatError(Exception):
    """Others send mails, and do not come to an end."""


class Guest(Protocol):
    """A session, as far as others need its place.

    `group` is whom it shares bounds with, `idle_since` as in `MailSession`.
    """

    group: str
    idle_since: float | None

    def give_way(self) -> None:
        """Leave."""


Session = TypeVar("Session", bound=Guest)


class Room(Generic[Session]):
    """Where sessions stay while they are open; only those that send a mail sit."""

    def __init__(self) -> None:
        self.sessions: set[Session] = set()
        self.refusals = Refusals()
        self.closing = False
        self._seats = asyncio.Semaphore(SEATS)
        self._shares: WeakValueDictionary[str, asyncio.Semaphore]
        self._shares = WeakValueDictionary()

    def enter(self, session: Session) -> bool:
        """Let a session in, for an idle one if need be; False: there is no place."""
        crowd = self._crowd(session.group)
        if crowd:
            idle = [other for other in crowd if other.idle_since is not None]
            if not idle:
                return False
            # None of them has None.
            oldest = min(idle, key=lambda other: other.idle_since or 0.0)
            self.sessions.discard(oldest)
            oldest.give_way()
        self.sessions.add(session)
        return True

    def _crowd(self, group: str) -> Collection[Session]:
        """Return those of whom one has to leave before another of a group can enter."""
        same = [other for other in self.sessions if group and other.group == group]
        if len(same) >= CONNECTIONS_OF_ONE:
            return same
        return self.sessions if len(self.sessions) >= most() else ()

    def share_of(self, group: str) -> asyncio.Semaphore:
        """Return what counts the seats of a group, for as long as somebody holds it."""
        share = self._shares.get(group)
        if share is None:
            # Whoever comes by a unix socket comes from a program of this machine.
            share = asyncio.Semaphore(SEATS_OF_ONE if group else SEATS)
            self._shares[group] = share
        return share

    @asynccontextmanager
    async def seat(self, share: asyncio.Semaphore) -> AsyncIterator[None]:
        """Wait for a seat and hold it. Raises NoSeatError."""
        try:
            async with asyncio.timeout(SEAT_TIMEOUT):
                await share.acquire()
                try:
                    await self._seats.acquire()
                except BaseException:
                    share.release()
                    raise
        except TimeoutError as error:
            raise NoSeatError from error
        try:
            yield
        finally:
            self._seats.release()
            share.release()


def canonical(address: str) -> str:
    """Write an address in its canonical form, of either family."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    # A socket for both families names IPv4 clients as ::ffff:192.0.2.1.
    return str((isinstance(parsed, IPv6Address) and parsed.ipv4_mapped) or parsed)


def group_of(address: str) -> str:
    """Return what stands for an address: of IPv6 one host has a whole network."""
    if ":" not in address:
        return address
    return str(ip_network((address.partition("%")[0], 64), strict=False))
