"""Receive pings, over HTTP and by mail alike: a group of them in one transaction."""

import logging
import uuid
from asyncio import Future
from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from aiosqlite import Connection

from hcl import rules
from hcl.alarm import Alarm
from hcl.db import Database, GroupCommit
from hcl.model import Check, Flip, Ping
from hcl.store import channels, checks, flips, notifications, pings, projects

logger = logging.getLogger(__name__)

# A ping may make checks up to this many times the project's limit.
CREATE_FACTOR = 2

# So many checks are remembered, at about a kilobyte each; then all are forgotten.
MEMORY_LIMIT = 100_000

# After so many pings the pruner is called, besides its own hours.
PRUNE_EVERY = 10_000


class Address(NamedTuple):
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
        self._memory = _Memory()
        self._batch: _Batch | None = None
        self._group: GroupCommit[Arrival, Receipt] = GroupCommit(
            database, self._write, self._committed
        )

    def receive(self, address: Address, ping: Ping) -> Future[Receipt]:
        """Record a ping whose action is the signal of its URL or mail.

        The future is done after the commit: the ping, its check's new state, the flip
        and its notifications are on the disk together. It raises
        sqlite3.OperationalError if the database cannot be written; nothing is recorded
        then.
        """
        return self._group.submit((address, ping))

    async def knows(self, address: Address) -> bool:
        """Tell whether a ping to this address would find a check, or may make one."""
        reader = self._database.reader
        if address.code:
            return await checks.by_code(reader, address.code) is not None
        if address.create or address.slug != address.slug.lower():
            return await projects.by_ping_key(reader, address.ping_key) is not None
        key = (address.ping_key, address.slug)
        return bool(await checks.by_slugs(reader, [key]))

    async def _write(
        self, conn: Connection, arrivals: Sequence[Arrival]
    ) -> list[Receipt]:
        memory = self._memory
        if memory.edition != self._database.edition:
            memory = _Memory(self._database.edition)
        # Until this batch is committed nothing is remembered: it may fail because what
        # is remembered is wrong.
        self._memory = _Memory()
        self._batch = batch = _Batch(conn, memory)
        await batch.load([address for address, _ in arrivals])
        receipts = [await batch.record(address, ping) for address, ping in arrivals]
        await batch.save()
        return receipts

    def _committed(self) -> None:
        """Remember the checks as they are now, and wake the loops with new work.

        After the commit: a loop that looks before finds nothing, and sleeps on.
        """
        batch = self._batch
        if batch is None:
            return
        self._memory = batch.remember()
        deadlines = [check.alert_after for check in batch.nearer if check.alert_after]
        if deadlines:
            self._checker.ring(min(deadlines))
        if batch.flips:
            self._sender.ring()
        self._unpruned += len(batch.pings)
        if self._unpruned >= PRUNE_EVERY:
            self._unpruned = 0
            self._pruner.ring()


class _Memory:
    """The checks that pings came for lately, as they are in the database.

    It holds for one edition of the database: a commit of others ends it.
    """

    def __init__(self, edition: int = -1) -> None:
        self.edition = edition
        self.checks: dict[int, Check] = {}
        self.by_code: dict[str, int] = {}
        self.by_slug: dict[tuple[str, str], list[int]] = {}

    def take(
        self,
        found: dict[int, Check],
        by_code: dict[str, int],
        by_slug: dict[tuple[str, str], list[int]],
    ) -> None:
        if len(self.checks) + len(found) > MEMORY_LIMIT:
            self.checks.clear()
            self.by_code.clear()
            self.by_slug.clear()
        self.checks.update(found)
        self.by_code.update(by_code)
        self.by_slug.update(by_slug)


class _Batch:
    """What a group of pings does to the checks they are for."""

    def __init__(self, conn: Connection, memory: _Memory) -> None:
        self.pings: list[tuple[int, Ping]] = []
        self.flips: list[tuple[Check, Flip]] = []
        # Those whose deadline came up, or came nearer.
        self.nearer: list[Check] = []
        self._conn = conn
        self._memory = memory
        self._before: dict[int, Check] = {}
        self._after: dict[int, Check] = {}
        self._by_code: dict[str, int] = {}
        self._by_slug: dict[tuple[str, str], list[int]] = {}

    async def load(self, addresses: Sequence[Address]) -> None:
        """Find the checks, in memory or else in the database."""
        memory = self._memory
        codes, slugs = set(), set()
        for address in addresses:
            if address.code:
                check_id = memory.by_code.get(address.code)
                if check_id is None:
                    codes.add(address.code)
                else:
                    self._before[check_id] = memory.checks[check_id]
                    self._by_code[address.code] = check_id
            else:
                slugs.add((address.ping_key, address.slug))
        if codes:
            for check in await checks.by_codes(self._conn, codes):
                self._take(check)
        if slugs:
            await self._load_by_slug(slugs)

    async def _load_by_slug(self, keys: set[tuple[str, str]]) -> None:
        known = {key for key in keys if key in self._memory.by_slug}
        for key in known:
            self._by_slug[key] = self._memory.by_slug[key]
            for check_id in self._by_slug[key]:
                self._before[check_id] = self._memory.checks[check_id]
        if keys - known:
            found = await checks.by_slugs(self._conn, keys - known)
            for ping_key, check in found:
                self._take(check)
                self._by_slug.setdefault((ping_key, check.slug), []).append(check.id)

    def _take(self, check: Check) -> None:
        self._before[check.id] = check
        self._by_code[check.code] = check.id

    async def record(self, address: Address, ping: Ping) -> Receipt:
        """Let a ping have its effect; nothing is written yet."""
        if address.code:
            check_id = self._by_code.get(address.code)
            if check_id is None:
                return Receipt.UNKNOWN
            self._apply(check_id, ping)
            return Receipt.RECORDED
        found = self._by_slug.get((address.ping_key, address.slug), ())
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
        check = self._after.get(check_id) or self._before[check_id]
        transition, kept = rules.on_ping(check, ping)
        if transition.problem:
            logger.error("%s; looking again in an hour", transition.problem)
        self._after[check_id] = transition.check
        self.pings.append((check_id, kept))
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
        self._take(check)
        self._by_slug[address.ping_key, address.slug] = [check.id]
        return check.id

    async def save(self) -> None:
        """Write it all: checks, pings, flips and their notifications."""
        await checks.save_states(self._conn, self._after.values())
        for check_id, check in self._after.items():
            before = self._before[check_id].alert_after
            if check.alert_after and (before is None or check.alert_after < before):
                self.nearer.append(check)
        if self.nearer:
            await checks.look_earlier(self._conn, self.nearer)
        await pings.add(self._conn, self.pings)
        if self.flips:
            first = await flips.add(self._conn, self.flips)
            now = max(flip.created for _, flip in self.flips)
            await notifications.add_for_flips(self._conn, first, now)

    def remember(self) -> _Memory:
        """Return the memory, brought up to date once all is committed."""
        self._memory.take(self._before | self._after, self._by_code, self._by_slug)
        return self._memory
