"""Receive pings, over HTTP and by mail alike: a group of them in one transaction."""

import time
from asyncio import Future
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from aiosqlite import Connection

from hcl import store
from hcl.alarm import Alarm
from hcl.changes import Changes
from hcl.checks.away.refusals import Refusals
from hcl.checks.windows.maintenance import Maintenance
from hcl.clock import Clock
from hcl.counters import Counters
from hcl.db import Database, UnwritableError, begun, write_at_once
from hcl.db.group_commit import Done, GroupCommit
from hcl.model import Ping
from hcl.pings.arrival import Arrival, Receipt, Target
from hcl.pings.batch import Batch
from hcl.pings.states import States


class Pinging:
    """Where all pings end, whatever way they came in.

    A ping that changes no status and brings no deadline nearer is only appended to the
    inbox; its check's new state is put off, see `States`.
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
        clock: Clock,
        maintenance: Maintenance,
    ) -> None:
        """Wake the loops by their alarms; tell `received` what the inbox got."""
        self._database = database
        self._checker = checker
        self._sender = sender
        self._received = received
        self._counters = counters
        self._changes = changes
        self._states = States(database, clock)
        self._clock = clock
        self._maintenance = maintenance
        self.refusals = Refusals()
        # By when a run began that was told late, by a clock that is ahead, and how many
        # steps hcl's own had taken then; None: none did.
        self._ahead: tuple[datetime, int] | None = None
        # Whether any channel tells of checks that are late.
        self.tells_late = False
        # When a ping came last, by the boot clock.
        self.heard = 0.0
        self._group: GroupCommit[Arrival, Receipt] = GroupCommit(self._write)

    def receive(self, target: Target, ping: Ping) -> Future[Receipt]:
        """Record a ping whose action is the signal of its URL or mail.

        The future is done after the commit: the ping, its check's new state, the flip
        and its notifications are on the disk together. It raises UnwritableError if the
        database cannot be written; nothing is recorded then.
        """
        return self._group.submit((target, ping, len(self._clock.steps)))

    def receive_and_call(self, target: Target, ping: Ping, done: Done[Receipt]) -> None:
        """Do as `receive`, and call `done` instead of a future."""
        self._group.submit_and_call((target, ping, len(self._clock.steps)), done)

    async def knows(self, target: Target) -> bool:
        """Tell whether a ping to this target would find a check, or may make one."""
        # Whether there is a check is never put off.
        reader = self._database.committed
        if target.code:
            return await store.checks.by_code(reader, target.code) is not None
        if target.create or target.slug != target.slug.lower():
            return await store.projects.by_ping_key(reader, target.ping_key) is not None
        key = (target.ping_key, target.slug)
        return bool(await store.checks.by_slugs(reader, [key]))

    async def look_into_mails(self, targets: Iterable[Target]) -> bool:
        """Tell whether a check that a target stands for asks what a mail says."""
        # Settings are never put off.
        reader, wanted = self._database.committed, list(targets)
        codes = [target.code for target in wanted if target.code]
        slugs = [(t.ping_key, t.slug) for t in wanted if not t.code]
        checks = await store.checks.by_codes(reader, codes)
        checks += [check for _, check in await store.checks.by_slugs(reader, slugs)]
        return any(check.filter_subject or check.filter_body for check in checks)

    async def recover(self) -> None:
        """Count the pings in the inbox that a crash kept from being counted.

        To be called before anything else reads or changes checks.
        """
        await self._states.recover()

    def _of_this_time(self, arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
        """Move pings along that came before a step of the clock, and waited since."""
        steps = self._clock.steps
        # In their order, so that the first has waited longest.
        if arrivals[0][2] == len(steps):
            return arrivals
        return [
            (
                target,
                ping._replace(created=ping.created + self._clock.set_since(taken)),
                len(steps),
            )
            for target, ping, taken in arrivals
        ]

    @property
    def _guessed_at(self) -> datetime | None:
        """Return by when no length that began before is known; None: all are."""
        known = [self._clock.guessed_at]
        if self._ahead is not None:
            at, steps = self._ahead
            known.append(at + self._clock.set_since(steps))
        return max(filter(None, known), default=None)

    async def _write(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        try:
            return await self._written(arrivals)
        except UnwritableError:
            self.refusals.note(self._clock.boot())
            raise

    async def _written(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        async with self._database.turn() as conn:
            await self._database.expect(len(arrivals))
            await self._states.catch_up(conn)
            arrivals = self._of_this_time(arrivals)
            batch = Batch(
                self._states,
                self._clock.now,
                self._maintenance,
                loose=self._clock.is_doubtful,
                guessed_at=self._guessed_at,
            )
            begun_at = time.perf_counter()
            try:
                await batch.load(conn, arrivals)
                receipts = await self._commit(conn, batch, arrivals)
            except BaseException:
                # It may have failed because what is remembered is wrong.
                self._states.forget()
                raise
            batch.remember()
        if batch.ahead is not None:
            self._ahead = batch.ahead, len(self._clock.steps)
        if batch.pings:
            actions = [ping.action for _, ping in batch.pings]
            self._counters.committed(actions, time.perf_counter() - begun_at)
        self._wake(batch)
        return receipts

    async def _commit(
        self, conn: Connection, batch: Batch, arrivals: Sequence[Arrival]
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

    def _wake(self, batch: Batch) -> None:
        """Wake the loops that have new work.

        After the commit: a loop that looks before finds nothing, and sleeps on.
        """
        deadlines = [check.alert_after for check in batch.nearer if check.alert_after]
        if self.tells_late:
            deadlines += [c.late_from for c in batch.nearer if c.late_from]
        if deadlines:
            self._checker.ring(min(deadlines))
        if batch.flips or batch.pinged:
            self._sender.ring()
        self.heard = self._clock.boot()
        self._received(batch.pings)
        self._changes.tell()
