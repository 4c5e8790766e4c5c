"""Receive pings, over HTTP and by mail alike: a group of them in one transaction."""

import logging
import time
import uuid
from asyncio import Future
from collections.abc import Callable, Collection, Sequence
from enum import IntEnum, auto
from typing import NamedTuple

from aiosqlite import Connection

from hcl import store
from hcl.alarm import Alarm
from hcl.changes import Changes
from hcl.checks import rules
from hcl.counters import Counters
from hcl.db import Database, begun, write_at_once
from hcl.db.group_commit import Done, GroupCommit
from hcl.model import Check, Flip, Ping
from hcl.pings.states import Memory

logger = logging.getLogger(__name__)

# A ping may make checks up to this many times the project's limit.
CREATE_FACTOR = 2

# States that are written, and pings that are counted, in one go of the loop.
SETTLE_AT_ONCE = 5000
RECOVER_AT_ONCE = 10_000


class Target(NamedTuple):
    """Whom a ping is for: a check's code, or else a ping key and a slug.

    `create`: make the check if the project has none with this slug.
    """

    code: str = ""
    ping_key: str = ""
    slug: str = ""
    create: bool = False


class Receipt(IntEnum):
    """What became of a ping. Nothing is recorded of an unknown or ambiguous one."""

    RECORDED = auto()
    CREATED = auto()
    UNKNOWN = auto()
    AMBIGUOUS = auto()


Arrival = tuple[Target, Ping]

# A ping key and a slug.
Slug = tuple[str, str]


class Pinging:
    """Where all pings end, whatever way they came in.

    A ping that changes no status and brings no deadline nearer is only appended to the
    inbox; its check's new state is remembered, and written when somebody else wants to
    read or change checks (see `Database.put_off`), or when the filer comes by.
    """

    def __init__(
        self,
        database: Database,
        *,
        checker: Alarm,
        sender: Alarm,
        received: Callable[[Sequence[tuple[int, Ping]]], None],
        counters: Counters,
        changes: Changes,
    ) -> None:
        """Wake the loops by their alarms; tell `received` what the inbox got."""
        self._database = database
        self._checker = checker
        self._sender = sender
        self._received = received
        self._counters = counters
        self._changes = changes
        self._memory = Memory()
        self._edition = -1
        self._group: GroupCommit[Arrival, Receipt] = GroupCommit(self._write)
        database.put_off(self._settle)

    def receive(self, address: Target, ping: Ping) -> Future[Receipt]:
        """Record a ping whose action is the signal of its URL or mail.

        The future is done after the commit: the ping, its check's new state, the flip
        and its notifications are on the disk together. It raises
        UnwritableError if the database cannot be written; nothing is recorded then.
        """
        return self._group.submit((address, ping))

    def receive_and_call(
        self, address: Target, ping: Ping, done: Done[Receipt]
    ) -> None:
        """Do as `receive`, and call `done` instead of a future."""
        self._group.submit_and_call((address, ping), done)

    async def knows(self, address: Target) -> bool:
        """Tell whether a ping to this address would find a check, or may make one."""
        reader = self._database.committed
        if address.code:
            return await store.checks.by_code(reader, address.code) is not None
        if address.create or address.slug != address.slug.lower():
            return (
                await store.projects.by_ping_key(reader, address.ping_key) is not None
            )
        key = (address.ping_key, address.slug)
        return bool(await store.checks.by_slugs(reader, [key]))

    async def recover(self) -> None:
        """Count the pings in the inbox that a crash kept from being counted.

        To be called before anything else reads or changes checks.
        """
        counted: dict[int, Check] = {}
        last = 0
        async with self._database.turn() as conn, begun(conn):
            while found := await store.inbox.uncounted(conn, last, RECOVER_AT_ONCE):
                for last, check_id, ping in found:  # noqa: B007 - the last is used
                    check = counted.get(check_id) or await store.checks.by_id(
                        conn, check_id
                    )
                    if check is not None:
                        counted[check_id] = rules.on_counted(check, ping).check
            await store.checks.save_states(conn, counted.values())
            # Another version of hcl, or of the time zones, may have other deadlines.
            await store.checks.look_earlier(conn, counted.values())

    async def _write(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        async with self._database.turn() as conn:
            if self._memory.is_full:
                await self._settle(conn)
            if self._edition != self._database.edition or self._memory.is_full:
                self._memory.forget()
                self._edition = self._database.edition
            batch = _Batch(self._memory)
            begun_at = time.perf_counter()
            try:
                await batch.load(conn, arrivals)
                receipts = await self._commit(conn, batch, arrivals)
            except BaseException:
                # It may have failed because what is remembered is wrong.
                self._memory.forget()
                raise
            batch.remember()
        if batch.pings:
            actions = [ping.action for _, ping in batch.pings]
            self._counters.committed(actions, time.perf_counter() - begun_at)
        self._wake(batch)
        return receipts

    async def _commit(
        self, conn: Connection, batch: "_Batch", arrivals: Sequence[Arrival]
    ) -> list[Receipt]:
        if not batch.to_create:
            receipts = batch.record(arrivals)
            if batch.is_quiet:
                if batch.pings:
                    await write_at_once(conn, store.inbox.adding(batch.pings))
                return receipts
        async with begun(conn):
            if batch.to_create:
                await batch.create(conn)
                receipts = batch.record(arrivals)
            await batch.save(conn)
        return receipts

    async def _settle(self, conn: Connection) -> None:
        unsaved = self._memory.unsaved
        # In the order of the table, so that each page is written once.
        ids = sorted(unsaved)
        for start in range(0, len(ids), SETTLE_AT_ONCE):
            part = [unsaved[check_id] for check_id in ids[start:][:SETTLE_AT_ONCE]]
            await write_at_once(conn, store.checks.saving_states(part))
        unsaved.clear()

    def _wake(self, batch: "_Batch") -> None:
        """Wake the loops that have new work.

        After the commit: a loop that looks before finds nothing, and sleeps on.
        """
        deadlines = [check.alert_after for check in batch.nearer if check.alert_after]
        if deadlines:
            self._checker.ring(min(deadlines))
        if batch.flips:
            self._sender.ring()
        self._received(batch.pings)
        self._changes.tell()


class _Batch:
    """What a group of pings does to the checks they are for."""

    def __init__(self, memory: Memory) -> None:
        self.pings: list[tuple[int, Ping]] = []
        self.flips: list[tuple[Check, Flip]] = []
        # Those whose deadline came up, or came nearer.
        self.nearer: list[Check] = []
        # The addresses of checks that are to be made.
        self.to_create: dict[Slug, Target] = {}
        self._memory = memory
        self._created: dict[Slug, Check] = {}
        self._after: dict[int, Check] = {}
        self._saved = False

    async def load(self, conn: Connection, arrivals: Sequence[Arrival]) -> None:
        """Find the checks that are not remembered."""
        memory = self._memory
        codes, slugs = set(), set()
        for address, _ in arrivals:
            if not address.code:
                slugs.add((address.ping_key, address.slug))
            elif address.code not in memory.by_code:
                codes.add(address.code)
        if codes:
            memory.take(await store.checks.by_codes(conn, codes))
        if slugs:
            await self._load_by_slug(conn, slugs.difference(memory.by_slug))
            for address, _ in arrivals:
                key = (address.ping_key, address.slug)
                if address.create and key not in memory.by_slug:
                    self.to_create[key] = address

    async def _load_by_slug(self, conn: Connection, keys: Collection[Slug]) -> None:
        if keys:
            found = await store.checks.by_slugs(conn, keys)
            self._memory.take([check for _, check in found])
            for ping_key, check in found:
                same = self._memory.by_slug.setdefault((ping_key, check.slug), [])
                same.append(check.id)

    async def create(self, conn: Connection) -> None:
        """Make the checks that pings with create=1 ask for, as far as they may."""
        for key, address in self.to_create.items():
            project = await store.projects.by_ping_key(conn, address.ping_key)
            if project is None:
                continue
            limit = CREATE_FACTOR * project.check_limit
            if await store.checks.count(conn, project.id) >= limit:
                continue
            check = rules.new_check(project.id, str(uuid.uuid4()), str(uuid.uuid4()))
            check = check._replace(name=address.slug, slug=address.slug)
            check = check._replace(id=await store.checks.add(conn, check))
            await store.channels.assign_all(conn, check.id, project.id)
            self._created[key] = check

    def record(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Let pings have their effect; nothing is written yet."""
        receipts = [self._record(address, ping) for address, ping in arrivals]
        for check_id, check in self._after.items():
            deadline = check.alert_after
            if deadline is not None:
                known = self._memory.checks.get(check_id)
                before = known and known.alert_after
                if before is None or deadline < before:
                    self.nearer.append(check)
        return receipts

    @property
    def is_quiet(self) -> bool:
        """Tell whether nobody need hear of it but those who pinged."""
        return not (self.flips or self.nearer)

    def _record(self, address: Target, ping: Ping) -> Receipt:
        if address.code:
            check_id = self._memory.by_code.get(address.code)
            if check_id is None:
                return Receipt.UNKNOWN
            self._apply(self._memory.checks[check_id], ping)
            return Receipt.RECORDED
        key = (address.ping_key, address.slug)
        found = self._memory.by_slug.get(key, ())
        if len(found) > 1:
            return Receipt.AMBIGUOUS
        if found:
            self._apply(self._memory.checks[found[0]], ping)
            return Receipt.RECORDED
        created = self._created.get(key)
        is_first = created is not None and created.id not in self._after
        if created is None or (is_first and not address.create):
            return Receipt.UNKNOWN
        self._apply(created, ping)
        return Receipt.CREATED if is_first else Receipt.RECORDED

    def _apply(self, check: Check, ping: Ping) -> None:
        before = self._after.get(check.id, check)
        transition, kept = rules.on_ping(before, ping)
        if transition.problem:
            logger.error("%s; looking again in an hour", transition.problem)
        self._after[check.id] = transition.check
        self.pings.append((check.id, kept))
        if transition.flip is not None:
            self.flips.append((transition.check, transition.flip))

    async def save(self, conn: Connection) -> None:
        """Write it all: pings, states, flips and their notifications."""
        await conn.executemany(*store.inbox.adding(self.pings))
        await conn.executemany(*store.checks.saving_states(self._after.values()))
        if self.nearer:
            await store.checks.look_earlier(conn, self.nearer)
        if self.flips:
            first = await store.flips.add(conn, self.flips)
            now = max(flip.created for _, flip in self.flips)
            await store.notifications.add_for_flips(conn, first, now)
        self._saved = True

    def remember(self) -> None:
        """Bring the memory up to date, once all is committed."""
        memory = self._memory
        for (ping_key, slug), check in self._created.items():
            memory.take([check])
            memory.by_slug[ping_key, slug] = [check.id]
        memory.checks.update(self._after)
        if self._saved:
            for check_id in self._after:
                memory.unsaved.pop(check_id, None)
        else:
            memory.unsaved.update(self._after)
