"""Bring checks, their logs and flips into the database, so that nothing comes twice."""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from aiosqlite import Connection

from hcl import store
from hcl.checks import rules, runs, schedule, spec
from hcl.db import Database
from hcl.model import DECLARED, SETTINGS, STATE, Check, Flip, Ping
from hcl.moving import joining, marking
from hcl.moving.arranging import Place
from hcl.moving.arrived import Arrived
from hcl.moving.moved import MovedCheck, MovedFlip, Source
from hcl.store.moved import Mark
from hcl.words.lines import cut
from hcl.words.names import check_name

# Nobody waits for these transactions: no server runs.
_CHECKS_AT_ONCE = 500
_PINGS_AT_ONCE = 10_000
_BYTES_AT_ONCE = 8_000_000

# An alert that waited longer is history.
_FRESH = timedelta(days=1)

# Checks that are named of those that need a word, and so much of each name.
_NAMED, _NAME = 20, 60

# What an edit takes of a text at most; what is here is kept, however long.
_BOUNDS = {
    "name": spec.NAME_LENGTH,
    "slug": spec.SLUG_LENGTH,
    "tags": 500,
    "desc": 10_000,
    "start_kw": spec.KEYWORDS_LENGTH,
    "success_kw": spec.KEYWORDS_LENGTH,
    "failure_kw": spec.KEYWORDS_LENGTH,
}


@dataclass(slots=True)
class _Home:
    """A project here: its row, its channels' rows by their codes there."""

    project_id: int
    channels: dict[str, int]


class Arriving:
    """Brings what a source has into a database that no server holds.

    A check's newest pings come, `log_limit` of them at most. `had` are the ids of
    channels that were there before hcl.toml was brought in, each with its project's.
    `tell` is called after each commit.
    """

    def __init__(
        self,
        database: Database,
        source: Source,
        *,
        now: datetime,
        log_limit: int,
        had: Collection[tuple[int, int]],
        tell: Callable[[Arrived], None],
    ) -> None:
        self.arrived = Arrived()
        self._database = database
        self._source = source
        self._had = had
        self._now = now
        self._log_limit = log_limit
        self._tell = tell
        # What was heard there after now was heard by another clock.
        self._as_of = min(source.as_of, now)
        self._pings: list[tuple[int, Ping]] = []
        self._bytes = 0

    async def run(self, places: list[Place]) -> Arrived:
        """Bring all checks of these places. Raises MovingError."""
        homes = {place.project.id: await self._home(place) for place in places}
        checks = self._source.checks([place.project.id for place in places])
        more = True
        while more:
            async with self._database.transaction() as conn:
                more = await self._bring_some(conn, checks, homes)
            self._tell(self.arrived)
        async with self._database.transaction() as conn:
            await _leave_sign(conn, self._as_of)
        return self.arrived

    async def _home(self, place: Place) -> _Home:
        async with self._database.transaction() as conn:
            known = await store.projects.known(conn)
            id_ = next(id_ for id_, p in known.items() if p.code == place.code)
            rows = {c.code: c.id for c in await store.channels.of_project(conn, id_)}
            # One that hcl.toml alone had lost serves what it served before.
            fresh = [
                rows[code]
                for code in place.new_channels
                if code in rows and (rows[code], id_) not in self._had
            ]
            await store.moved.unserve(conn, fresh)
            await store.windows.bring(conn, id_, place.project.windows, self._now)
            if place.badge_key and not await store.moved.take_badge_key(
                conn, id_, place.badge_key
            ):
                self.arrived.other_badges.append(cut(place.name, _NAME))
        channels = {
            there: rows[here] for there, here in place.channels.items() if here in rows
        }
        return _Home(id_, channels)

    async def _bring_some(
        self,
        conn: Connection,
        checks: Iterator[MovedCheck],
        homes: Mapping[int, _Home],
    ) -> bool:
        """Bring checks until it is enough for a transaction; tell if there are more."""
        before = self.arrived.pings
        for count, moved in enumerate(checks, 1):
            await self._bring(conn, moved, homes[moved.check.project_id])
            self.arrived.checks += 1
            is_much = self.arrived.pings + len(self._pings) - before >= _PINGS_AT_ONCE
            if count == _CHECKS_AT_ONCE or is_much:
                await self._flush(conn)
                return True
        await self._flush(conn)
        return False

    async def _bring(self, conn: Connection, moved: MovedCheck, home: _Home) -> None:
        there = moved.check
        here = await store.checks.by_code(conn, there.code)
        flips = self._source.flips()
        if here is None:
            await self._bring_new(conn, moved, home, flips)
        elif here.project_id != home.project_id:
            self._name(self.arrived.foreign, here)
        else:
            await self._bring_more(conn, moved, here, home, flips)

    async def _bring_new(
        self, conn: Connection, moved: MovedCheck, home: _Home, flips: list[MovedFlip]
    ) -> None:
        check = moved.check._replace(project_id=home.project_id)
        check = await _with_badge_key(conn, check)
        if check.slug and await store.declared.make_way(
            conn, home.project_id, check.slug, DECLARED
        ):
            self._name(self.arrived.in_place, check)
        await self._look_at_slug(conn, check)
        check, _, problem = rules.on_edit(check, self._now)
        check = check._replace(id=await store.checks.add(conn, check))
        if problem or not _is_workable(check):
            self._name(self.arrived.unscheduled, check)
        if runs.are_impossible(check):
            self._name(self.arrived.never_right, check)
        long = [name for name, n in _BOUNDS.items() if len(getattr(check, name)) > n]
        if long:
            self._name(self.arrived.too_long, check, f" ({', '.join(long)})")
        await self._assign(conn, check.id, moved, home)
        pings = self._source.pings(self._after(check))
        newest = await self._bring_pings(conn, check, pings)
        if newest > check.n_pings:
            # Its count must not be behind its log.
            check = check._replace(n_pings=newest)
            await store.checks.save_states(conn, [check])
        waits = check.is_muted(self._now)
        await self._bring_flips(conn, check, flips, home, waits=waits)
        await self._bring_mute(conn, check._replace(muted_until=None), moved, None)
        mark = Mark(marking.of(moved, home.channels), check.n_pings, self._as_of)
        await store.moved.set_mark(conn, check.id, mark)
        self.arrived.new_checks += 1

    async def _look_at_slug(self, conn: Connection, check: Check) -> None:
        """Note a check whose slug is that of another one which did not move."""
        if check.slug and await store.moved.lived_here(
            conn, check.project_id, check.slug
        ):
            self._name(self.arrived.taken_slug, check)

    def _after(self, check: Check) -> int:
        return max(check.n_pings - self._log_limit, 0)

    async def _bring_more(
        self,
        conn: Connection,
        moved: MovedCheck,
        here: Check,
        home: _Home,
        flips: list[MovedFlip],
    ) -> None:
        """Bring what is new of a check that is here already."""
        there = moved.check
        mark = await store.moved.mark_of(conn, here.id)
        common = min(here.n_pings, there.n_pings)
        pings = self._source.pings(max(self._after(there), common - 1))
        first = next(pings, None)
        if not await self._is_same(conn, here, common, mark, first):
            self._name(self.arrived.apart, here)
            return
        known = await store.flips.of_check(conn, here.id)
        new = joining.newer(flips, known)
        if here.n_pings > there.n_pings and (new or mark is None):
            # It went on here, and there too; or nothing tells what is new there.
            if new:
                self._name(self.arrived.apart, here)
            return
        check, new_mark = await self._up_to_date(
            conn, moved, here, home, mark, bool(new)
        )
        rest = chain([first] if first else [], pings)
        later = (ping for ping in rest if ping.n > here.n_pings)
        newest = await self._bring_pings(conn, check, later)
        check = check._replace(n_pings=max(check.n_pings, newest))
        if check != here:
            if check.slug != here.slug:
                await self._look_at_slug(conn, check)
            await store.checks.save(conn, check)
            await store.checks.look_again(conn, [check])
            # Its runs were slow elsewhere, and some time ago.
            await store.paces.pass_over(conn, check.id, check.n_pings)
            self.arrived.changed_checks += 1
        waits = there.is_muted(self._now)
        await self._bring_flips(conn, check, new, home, waits=waits)
        last = new[-1].flip if new else next(iter(known), None)
        await self._join(conn, check, joining.joint(here, check, last, self._as_of))
        await self._bring_mute(conn, here, moved, mark)
        went_on = here.n_pings > there.n_pings
        shared = mark.n_pings if mark and went_on else check.n_pings
        new_mark = new_mark._replace(n_pings=shared)
        if new_mark != mark:
            await store.moved.set_mark(conn, here.id, new_mark)

    async def _up_to_date(
        self,
        conn: Connection,
        moved: MovedCheck,
        here: Check,
        home: _Home,
        mark: Mark | None,
        has_flipped: bool,
    ) -> tuple[Check, Mark]:
        """Return a check with what was changed of it there since, and its new mark."""
        check, there = here, moved.check
        wanted, as_of = marking.of(moved, home.channels), mark.as_of if mark else None
        is_same = mark and marking.settings_in(mark.settings) == marking.settings_in(
            wanted
        )
        if not is_same:
            check = check._replace(**{name: getattr(there, name) for name in SETTINGS})
            await self._assign(conn, here.id, moved, home)
        if there.n_pings > here.n_pings or has_flipped:
            check = check._replace(**{name: getattr(there, name) for name in STATE})
            # What came to rest there does here too, whatever the file here says: then
            # the next start brings it back.
            declared = here.origin if here.origin == DECLARED else ""
            check = check._replace(origin=there.origin or declared)
            as_of = self._as_of
        if check != here:
            check = rules.on_edit(check, self._now).check
        return check, Mark(wanted, check.n_pings, as_of)

    async def _is_same(
        self,
        conn: Connection,
        here: Check,
        common: int,
        mark: Mark | None,
        ping: Ping | None,
    ) -> bool:
        """Tell whether both logs are one up to a number that both have reached.

        `ping` is the first that came of the log there from that number on.
        """
        if common == 0 or (mark and mark.n_pings == common):
            return True
        if ping is None or ping.n != common:
            # It is kept there no more.
            return True
        last = await store.pings.by_n(conn, here.id, common)
        return last is None or last.created == ping.created

    async def _bring_pings(
        self, conn: Connection, check: Check, pings: Iterator[Ping]
    ) -> int:
        """Bring pings of a check; return the newest number, 0: there was none."""
        newest = 0
        for ping in pings:
            self._pings.append((check.id, ping))
            self._bytes += len(ping.body)
            newest = max(newest, ping.n)
            if len(self._pings) >= _PINGS_AT_ONCE or self._bytes >= _BYTES_AT_ONCE:
                await self._flush(conn)
        return newest

    async def _flush(self, conn: Connection) -> None:
        if self._pings:
            came = await store.moved.add_pings(conn, self._pings)
            self.arrived.pings += came
            self.arrived.twins += len(self._pings) - came
        self._pings, self._bytes = [], 0

    async def _bring_flips(
        self,
        conn: Connection,
        check: Check,
        flips: list[MovedFlip],
        home: _Home,
        *,
        waits: bool,
    ) -> None:
        """Bring flips, and what is to be told; `waits`: at the end of a mute."""
        if not flips:
            return
        rows = [(moved.flip, moved.n_pings) for moved in flips]
        await store.moved.add_flips(conn, check.id, rows)
        if flips[-1].is_told and flips[-1].flip.new_status == "down":
            await store.moved.told_there(conn, check.id)
        self.arrived.flips += len(flips)
        for back, moved in reversed([*enumerate(reversed(flips))]):
            is_old = self._now - moved.flip.created >= _FRESH and not waits
            if moved.is_told or is_old:
                continue
            ids = [home.channels[c] for c in moved.untold if c in home.channels]
            if moved.untold and not ids:
                # What is to tell of it is not here.
                continue
            if await store.moved.tell(conn, check.id, back, ids, self._now):
                self.arrived.alerts += 1

    async def _join(self, conn: Connection, check: Check, flip: Flip | None) -> None:
        """Add a flip that no server had; who was told here that it is down hears it."""
        if flip is None:
            return
        await store.moved.add_flips(conn, check.id, [(flip, check.n_pings)])
        if flip.new_status == "up" and flip.notifies:
            told = await store.moved.tell(conn, check.id, 0, (), self._now)
            self.arrived.ups += bool(told)

    async def _bring_mute(
        self, conn: Connection, here: Check, moved: MovedCheck, mark: Mark | None
    ) -> None:
        """Mute a check for as long as it is there, or end that, if it is new there."""
        before = marking.mute_in(mark.settings) if mark else marking.mute(here)
        if marking.mute(moved.check) == before:
            return
        until = moved.check.muted_until
        if until is not None and until > self._now:
            await store.mutes.bring(conn, here.id, until, self._now)
        elif before == marking.mute(here):
            await store.mutes.mute(conn, here.id, until or self._now, self._now)

    async def _assign(
        self, conn: Connection, check_id: int, moved: MovedCheck, home: _Home
    ) -> None:
        codes = dict.fromkeys(moved.channels)
        ids = dict.fromkeys(home.channels[c] for c in codes if c in home.channels)
        await store.channels.assign(conn, check_id, ids)

    def _name(self, names: list[str], check: Check, more: str = "") -> None:
        if len(names) < _NAMED:
            names.append(cut(check_name(check.name, check.code), _NAME) + more)


def _is_workable(check: Check) -> bool:
    """Tell whether a check's schedule will be worked out once it counts."""
    try:
        if check.kind != "simple":
            schedule.validate(check.schedule)
            schedule.canonical_zone(check.tz)
    except schedule.ScheduleError:
        return False
    return True


async def _with_badge_key(conn: Connection, check: Check) -> Check:
    """Keep a check's badge key, unless it has none or another check has it."""
    key = check.badge_key
    if key and not await store.moved.has_badge_key(conn, key):
        return check
    return check._replace(badge_key=str(uuid.uuid4()))


async def _leave_sign(conn: Connection, as_of: datetime) -> None:
    """Have a database that no server ever held begin its life with what was brought."""
    if await store.life.last(conn) is None:
        await store.life.leave(conn, store.life.Sign("", 0.0, as_of))
