"""What a group of pings does to the checks they are for."""

import logging
import uuid
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from aiosqlite import Connection

from hcl import store
from hcl.checks import rules, told_late
from hcl.checks.deadlines import Transition
from hcl.checks.windows import holding
from hcl.checks.windows.maintenance import Maintenance
from hcl.model import Check, Flip, Ping
from hcl.pings.arrival import Arrival, Receipt, Slug, Target
from hcl.pings.states import States
from hcl.repeats import Repeats

logger = logging.getLogger(__name__)
logger.addFilter(Repeats())

# A ping may make checks up to this many times the project's limit.
CREATE_FACTOR = 2


class Batch:
    """One transaction of pings: load, record, save, and remember after the commit."""

    def __init__(
        self,
        states: States,
        now: Callable[[], datetime],
        maintenance: Maintenance,
        *,
        loose: bool = False,
        guessed_at: datetime | None = None,
    ) -> None:
        """Begin a batch; `loose` and `guessed_at` as in `rules.on_ping`."""
        self._now = now
        self._maintenance = maintenance
        self._loose = loose
        self._guessed_at = guessed_at
        # By when a run began of which nobody knows how long before; None: none did.
        self.ahead: datetime | None = None
        # Whether states have to be written with the pings: counted anew after a crash,
        # what came late, or in a window, would count as all others do.
        self._has_special = False
        self.pings: list[tuple[int, Ping]] = []
        self.flips: list[tuple[Check, Flip]] = []
        # Those that people were told to be late, since when, and when they pinged.
        self.pinged: list[tuple[Check, datetime, datetime]] = []
        # When that was known of the last of them.
        self._pinged_by: datetime | None = None
        # Those whose deadline came up, or came nearer.
        self.nearer: list[Check] = []
        # Whom pings are for that may make a check.
        self.to_create: dict[Slug, Target] = {}
        self._states = states
        self._created: dict[Slug, Check] = {}
        # By UUID.
        self._after: dict[str, Check] = {}
        # When those were paused or resumed that late pings came for.
        self._turned: dict[str, datetime] = {}
        self._saved = False

    async def load(self, conn: Connection, arrivals: Sequence[Arrival]) -> None:
        """Find the checks that are not remembered."""
        states = self._states
        codes, slugs = set(), set()
        for target, _, _ in arrivals:
            if not target.code:
                slugs.add((target.ping_key, target.slug))
            elif target.code not in states.checks:
                codes.add(target.code)
        if codes:
            states.take(await store.checks.by_codes(conn, codes))
        if slugs:
            await self._load_by_slug(conn, slugs.difference(states.by_slug))
            for target, _, _ in arrivals:
                key = (target.ping_key, target.slug)
                if target.create and key not in states.by_slug:
                    self.to_create[key] = target
        await self._load_turns(conn, arrivals)

    async def _load_turns(self, conn: Connection, arrivals: Sequence[Arrival]) -> None:
        for target, _, _ in arrivals:
            if not target.is_late:
                continue
            by_slug = self._states.by_slug.get((target.ping_key, target.slug), ())
            for code in [target.code] if target.code else by_slug:
                check = self._states.check(code)
                if check is not None and check.status in ("new", "paused"):
                    for logged in await store.flips.logged(conn, check.id, 1):
                        self._turned[code] = logged.flip.created

    async def _load_by_slug(self, conn: Connection, keys: Collection[Slug]) -> None:
        if keys:
            checks = await store.checks.by_slugs(conn, keys)
            self._states.take([check for _, check in checks])
            for ping_key, check in checks:
                same = self._states.by_slug.setdefault((ping_key, check.slug), [])
                same.append(check.code)

    async def create(self, conn: Connection) -> None:
        """Make the checks that pings with create=1 ask for, as far as they may."""
        for key, target in self.to_create.items():
            project = await store.projects.by_ping_key(conn, target.ping_key)
            if project is None:
                continue
            limit = CREATE_FACTOR * project.check_limit
            if await store.checks.count(conn, project.id) >= limit:
                continue
            check = rules.new_check(project.id, str(uuid.uuid4()), str(uuid.uuid4()))
            check = check._replace(name=target.slug, slug=target.slug)
            check = check._replace(id=await store.checks.add(conn, check))
            await store.channels.assign_all(conn, check.id, project.id)
            self._created[key] = check

    def record(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Let pings have their effect; nothing is written yet."""
        receipts = [self._record(target, ping) for target, ping, _ in arrivals]
        for code, check in self._after.items():
            deadline = check.alert_after
            if deadline is not None:
                before = self._states.deadline(code)
                if before is None or deadline < before:
                    self.nearer.append(check)
        # They may be late before the end of the run that was waited for.
        self.nearer += [self._after[check.code] for check, _ in self.flips]
        return receipts

    @property
    def is_quiet(self) -> bool:
        """Tell whether nobody need hear of it but those who pinged."""
        return not (self.flips or self.nearer or self._has_special)

    def _record(self, target: Target, ping: Ping) -> Receipt:
        if target.code:
            return self._known(target.code, ping, target)
        key = (target.ping_key, target.slug)
        codes = self._states.by_slug.get(key, ())
        if len(codes) > 1:
            return Receipt.AMBIGUOUS
        if codes:
            return self._known(codes[0], ping, target)
        created = self._created.get(key)
        is_first = created is not None and created.code not in self._after
        if created is None or (is_first and not target.create):
            return Receipt.UNKNOWN
        self._apply(self._after.get(created.code, created), ping, target)
        return Receipt.CREATED if is_first else Receipt.RECORDED

    def _known(self, code: str, ping: Ping, target: Target) -> Receipt:
        check = self._after.get(code) or self._states.check(code)
        if check is None:
            return Receipt.UNKNOWN
        self._apply(check, ping, target)
        return Receipt.RECORDED

    def _apply(self, before: Check, ping: Ping, target: Target) -> None:
        if before.spared:
            before = self._by_windows_of_now(before, ping, target)
        if target.is_late:
            self._has_special = True
            transition, kept = self._told_late(before, ping, is_ahead=target.is_ahead)
            if target.is_ahead and kept.action == "start":
                self._note_ahead(kept.created)
        else:
            transition, kept = rules.on_ping(
                before, ping, loose=self._loose, guessed_at=self._guessed_at
            )
        if self._maintenance:
            transition = self._in_maintenance(before, transition, kept)
        if transition.problem:
            logger.error("%s; looking again in an hour", transition.problem)
        if before.late_since is not None and transition.check.late_since is None:
            heard = self._now() if target.is_late else kept.created
            since = before.late_since
            self._no_longer_late(transition.check, since, kept.created, heard)
        self._after[before.code] = transition.check
        self.pings.append((before.id, kept))
        if transition.flip is not None:
            self.flips.append((transition.check, transition.flip))

    def _by_windows_of_now(self, check: Check, ping: Ping, target: Target) -> Check:
        """Give a check its grace that a window had put off which is gone.

        In the first seconds after a start, or a reload, nobody else has done so yet.
        """
        calendar = self._maintenance.of(check.project_id)
        now = self._now() if target.is_late else ping.created
        reckoned = holding.reckoned(check, now, calendar)
        self._has_special |= reckoned.not_before != check.not_before
        return reckoned

    def _told_late(
        self, before: Check, ping: Ping, *, is_ahead: bool
    ) -> tuple[Transition, Ping]:
        calendar = self._maintenance.of(before.project_id)
        return told_late.on_late_ping(
            before,
            ping,
            self._now(),
            turned=self._turned.get(before.code),
            hold=partial(holding.held, calendar=calendar),
            loose=self._loose,
            guessed_at=self._guessed_at,
            is_ahead=is_ahead,
        )

    def _note_ahead(self, at: datetime) -> None:
        """Note that a run began, and that nobody knows how long before a moment."""
        self.ahead = at + timedelta.resolution
        self._guessed_at = max(self.ahead, self._guessed_at or self.ahead)

    def _no_longer_late(
        self, check: Check, since: datetime, at: datetime, heard: datetime
    ) -> None:
        # When it is looked at next may be long after it is late again.
        self.nearer.append(check)
        if check.status == "up":
            self.pinged.append((check, since, at))
            self._pinged_by = max(heard, self._pinged_by or heard)

    def _in_maintenance(
        self, before: Check, transition: Transition, ping: Ping
    ) -> Transition:
        calendar = self._maintenance.of(before.project_id)
        if calendar is None or ping.action in ("log", "ign"):
            return transition
        transition, is_held = holding.on_ping(
            before, transition, ping, calendar, loose=self._loose
        )
        self._has_special |= is_held
        return transition

    async def save(self, conn: Connection) -> None:
        """Write it all: pings, states, flips and their notifications."""
        await conn.executemany(*store.inbox.adding(self.pings))
        await conn.executemany(*store.checks.saving_states(self._after.values()))
        if self.nearer:
            await store.checks.look_earlier(conn, self.nearer)
        if self._pinged_by is not None:
            await store.latenesses.end(conn, self.pinged, self._pinged_by)
        if self.flips:
            first = await store.flips.add(conn, self.flips)
            now = max(flip.created for _, flip in self.flips)
            await store.notifications.add_for_flips(conn, first, now)
        self._saved = True

    def remember(self) -> None:
        """Remember the new states, once all is committed."""
        states = self._states
        for (ping_key, slug), check in self._created.items():
            states.take([check])
            states.by_slug[ping_key, slug] = [check.code]
        states.remember(self._after, are_saved=self._saved)
