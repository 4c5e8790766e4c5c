"""Receive pings, over HTTP and by mail alike: a group of them in one transaction."""

import logging
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from aiosqlite import Connection

from hcl import rules
from hcl.alarm import Alarm
from hcl.db import Database, GroupCommit
from hcl.model import Check, Flip, Ping
from hcl.store import channels, checks, flips, notifications, pings, projects

logger = logging.getLogger(__name__)

# A ping may make checks up to this many times the project's limit.
CREATE_FACTOR = 2

# After so many pings the pruner is called, besides its own hours.
PRUNE_EVERY = 10_000


@dataclass(frozen=True, slots=True)
class Address:
    """Whom a ping is for: a check's code, or else a ping key and a slug.

    `create`: make the check if the project has none with this slug.
    """

    code: str = ""
    ping_key: str = ""
    slug: str = ""
    create: bool = False


class Receipt(Enum):
    """What became of a ping. Nothing is recorded of an unknown or ambiguous one."""

    RECORDED = auto()
    CREATED = auto()
    UNKNOWN = auto()
    AMBIGUOUS = auto()


Arrival = tuple[Address, Ping]


class Pinging:
    """Where all pings end, whatever way they came in."""

    def __init__(
        self, database: Database, *, checker: Alarm, sender: Alarm, pruner: Alarm
    ) -> None:
        self._database = database
        self._checker = checker
        self._sender = sender
        self._pruner = pruner
        self._unpruned = 0
        self._deadline: datetime | None = None
        self._flipped = False
        self._group: GroupCommit[Arrival, Receipt] = GroupCommit(
            database, self._write, self._wake_loops
        )

    async def receive(self, address: Address, ping: Ping) -> Receipt:
        """Record a ping whose action is the signal of its URL or mail.

        Returns after the commit: the ping, its check's new state, the flip and its
        notifications are on the disk together. Raises sqlite3.OperationalError if the
        database cannot be written; nothing is recorded then.
        """
        receipt = await self._group.submit((address, ping))
        self._unpruned += 1
        if self._unpruned >= PRUNE_EVERY:
            self._unpruned = 0
            self._pruner.ring()
        return receipt

    async def knows(self, address: Address) -> bool:
        """Tell whether a ping to this address would find a check, or may make one."""
        reader = self._database.reader
        if address.code:
            return await checks.by_code(reader, address.code) is not None
        key = (address.ping_key, address.slug)
        if address.create or address.slug != address.slug.lower():
            return await projects.by_ping_key(reader, address.ping_key) is not None
        return bool(await checks.by_slugs(reader, [key]))

    async def _write(
        self, conn: Connection, arrivals: Sequence[Arrival]
    ) -> list[Receipt]:
        batch = _Batch(conn)
        await batch.load([address for address, _ in arrivals])
        receipts = [await batch.record(address, ping) for address, ping in arrivals]
        await batch.save()
        self._deadline = batch.earliest_deadline
        self._flipped = bool(batch.flips)
        return receipts

    def _wake_loops(self) -> None:
        # After the commit: a loop that looks before finds nothing, and sleeps on.
        if self._deadline is not None:
            self._checker.ring(self._deadline)
        if self._flipped:
            self._sender.ring()


class _Batch:
    """The checks that a group of pings touches, as they are after each of them."""

    def __init__(self, conn: Connection) -> None:
        self.flips: list[tuple[Check, Flip]] = []
        self._conn = conn
        self._checks: dict[int, Check] = {}
        self._touched: set[int] = set()
        self._pings: list[tuple[int, Ping]] = []
        self._by_code: dict[str, int] = {}
        self._by_slug: defaultdict[tuple[str, str], list[int]] = defaultdict(list)

    @property
    def earliest_deadline(self) -> datetime | None:
        deadlines = [self._checks[check_id].alert_after for check_id in self._touched]
        return min((at for at in deadlines if at is not None), default=None)

    async def load(self, addresses: Sequence[Address]) -> None:
        codes = {address.code for address in addresses if address.code}
        for check in await checks.by_codes(self._conn, codes):
            self._checks[check.id] = check
            self._by_code[check.code] = check.id
        slugs = {
            (address.ping_key, address.slug)
            for address in addresses
            if not address.code
        }
        if slugs:
            for ping_key, check in await checks.by_slugs(self._conn, slugs):
                self._checks[check.id] = check
                self._by_slug[ping_key, check.slug].append(check.id)

    async def record(self, address: Address, ping: Ping) -> Receipt:
        if address.code:
            check_id = self._by_code.get(address.code)
            if check_id is None:
                return Receipt.UNKNOWN
            self._apply(check_id, ping)
            return Receipt.RECORDED
        found = self._by_slug[address.ping_key, address.slug]
        if len(found) > 1:
            return Receipt.AMBIGUOUS
        if found:
            self._apply(found[0], ping)
            return Receipt.RECORDED
        created = await self._create(address) if address.create else None
        if created is None:
            return Receipt.UNKNOWN
        self._apply(created, ping)
        return Receipt.CREATED

    def _apply(self, check_id: int, ping: Ping) -> None:
        transition, kept = rules.on_ping(self._checks[check_id], ping)
        if transition.problem:
            logger.error("%s; looking again in an hour", transition.problem)
        self._checks[check_id] = transition.check
        self._touched.add(check_id)
        self._pings.append((check_id, kept))
        if transition.flip is not None:
            self.flips.append((transition.check, transition.flip))

    async def _create(self, address: Address) -> int | None:
        """Make the check that a ping with create=1 asks for; None: it may not."""
        project = await projects.by_ping_key(self._conn, address.ping_key)
        if project is None:
            return None
        limit = CREATE_FACTOR * project.check_limit
        if await checks.count(self._conn, project.id) >= limit:
            return None
        check = rules.new_check(project.id, str(uuid.uuid4()), str(uuid.uuid4()))
        check = check._replace(name=address.slug, slug=address.slug)
        check = check._replace(id=await checks.add(self._conn, check))
        await channels.assign_all(self._conn, check.id, project.id)
        self._checks[check.id] = check
        self._by_slug[address.ping_key, address.slug].append(check.id)
        return check.id

    async def save(self) -> None:
        await checks.save_states(
            self._conn, [self._checks[check_id] for check_id in self._touched]
        )
        await pings.add(self._conn, self._pings)
        if self.flips:
            before = await flips.add(self._conn, self.flips)
            now = max(flip.created for _, flip in self.flips)
            await notifications.add_for_flips(self._conn, before, now)
