"""Create, edit, pause, resume and delete checks, for the API and the pages alike."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from aiosqlite import Connection

from hcl import store
from hcl.alarm import Alarm
from hcl.changes import Changes
from hcl.checks import declared, editing, rules
from hcl.checks.deadlines import Transition
from hcl.checks.spec import CheckSpec
from hcl.checks.windows.maintenance import Maintenance
from hcl.clock import Clock
from hcl.db import Database
from hcl.model import DECLARED, Check, Project


class UnknownCheckError(Exception):
    """There is no such check."""


class ForeignCheckError(Exception):
    """The check belongs to another project."""


class LimitError(Exception):
    """The project has reached its limit of checks."""


class EditedError(Exception):
    """Somebody else has changed the check meanwhile.

    `check` and `codes` are as they are now, `changed` names what is different.
    """

    def __init__(self, check: Check, codes: list[str], changed: list[str]) -> None:
        super().__init__(", ".join(changed))
        self.check = check
        self.codes = codes
        self.changed = changed


class SharedSlugError(Exception):
    """Another check of the project has the slug: pings by it would find neither."""


class DeclaredError(Exception):
    """The check stands in hcl.toml, which alone changes what it says of it."""


class ChannelError(ValueError):
    """A request names a channel that is none; the text is the API's."""


class Managed(NamedTuple):
    """A check after a change, with the codes of its channels; `created`: it is new."""

    check: Check
    codes: list[str]
    created: bool = False


class Managing:
    """Changes that people and their scripts make. Each method is one transaction.

    Those that take a code raise UnknownCheckError and ForeignCheckError. `now` is when
    a change was asked for: if the clock is set while it waits for its turn, that moves
    along, as all has that was written before.
    """

    def __init__(
        self,
        database: Database,
        *,
        checker: Alarm,
        sender: Alarm,
        changes: Changes,
        clock: Clock,
        maintenance: Maintenance,
    ) -> None:
        self._database = database
        self._maintenance = maintenance
        # Whether any channel tells of checks that are late.
        self.tells_late = False
        # Called once a check has other tags: channels may treat it otherwise.
        self.on_tags: Callable[[], None] = lambda: None
        self._checker = checker
        self._sender = sender
        self._changes = changes
        self._clock = clock

    async def create(
        self,
        project: Project,
        wanted: CheckSpec,
        now: datetime,
        *,
        own_slug: bool = False,
    ) -> Managed:
        """Create a check, or update the one that `unique` finds.

        Raises ChannelError, LimitError and DeclaredError; SharedSlugError if it is to
        have an `own_slug`, and another has that.
        """
        at = self._clock.as_set(now)
        async with self._database.transaction() as conn:
            check = await matched(conn, project, wanted)
            created = check is None
            if check is None:
                check = await _fresh(conn, project)
            managed = await self._save(conn, check, wanted, at(), own_slug=own_slug)
        self._ring(managed.check, check)
        return managed._replace(created=created)

    async def update(
        self,
        project: Project,
        code: str,
        wanted: CheckSpec,
        now: datetime,
        *,
        seen: str | None = None,
        own_slug: bool = False,
    ) -> Managed:
        """Change the fields that a request names. Raises as `create` does.

        `seen` is the `fingerprint` of the check that the caller looked at; EditedError
        if it is another now. None: whatever it is now.
        """
        at = self._clock.as_set(now)
        async with self._database.transaction() as conn:
            check = await owned(conn, project, code)
            if seen is not None:
                codes = await store.channels.codes_of_check(conn, check.id)
                changed = editing.differences(seen, check, codes)
                if changed:
                    raise EditedError(check, codes, changed)
            managed = await self._save(conn, check, wanted, at(), own_slug=own_slug)
        self._ring(managed.check, check)
        return managed

    async def pause(self, project: Project, code: str, now: datetime) -> Managed:
        """Pause a check; its flip is kept and nobody is told."""
        at = self._clock.as_set(now)
        return await self._change(project, code, lambda c: declared.on_pause(c, at()))

    async def resume(self, project: Project, code: str, now: datetime) -> Managed:
        """Make a paused check new. Raises rules.NotPausedError."""
        at = self._clock.as_set(now)
        return await self._change(project, code, lambda c: rules.on_resume(c, at()))

    async def mute(
        self, project: Project, code: str, length: timedelta, now: datetime
    ) -> Managed:
        """Tell nobody of a check for so long; of no length: tell again, now.

        It is watched on. Whoever has to hear of it is told at the end.
        """
        at = self._clock.as_set(now)
        async with self._database.transaction() as conn:
            check, until = await owned(conn, project, code), at() + length
            check = check._replace(muted_until=until)
            await store.mutes.mute(conn, check.id, until, at())
            managed = await _with_codes(conn, check)
        self._sender.ring(until)
        self._changes.tell()
        return managed

    async def delete(self, project: Project, code: str) -> Managed:
        """Delete a check with its history; returns it as it was.

        Raises DeclaredError: the next reload would make it anew, without its history.
        """
        async with self._database.transaction() as conn:
            managed = await _with_codes(conn, await owned(conn, project, code))
            if managed.check.origin == DECLARED:
                raise DeclaredError
            await store.pings.count_deleted(conn, managed.check.n_pings)
            await store.checks.delete(conn, managed.check.id)
        self._changes.tell()
        return managed

    async def copy(self, project: Project, code: str) -> Managed:
        """Make a new check with the settings and channels of another.

        Raises LimitError.
        """
        async with self._database.transaction() as conn:
            check = await owned(conn, project, code)
            copy = editing.copied(check, await _fresh(conn, project))
            copy = copy._replace(id=await store.checks.add(conn, copy))
            codes = await store.channels.codes_of_check(conn, check.id)
            available = await store.channels.of_project(conn, project.id)
            ids = [channel.id for channel in available if channel.code in codes]
            await store.channels.assign(conn, copy.id, ids)
            managed = await _with_codes(conn, copy)
        self._changes.tell()
        return managed._replace(created=True)

    async def assign(
        self, project: Project, code: str, names: Sequence[str], *, seen: str
    ) -> Managed:
        """Let a check use these channels and no others.

        Raises ChannelError and DeclaredError.

        `seen` stands for those that the caller saw assigned, as `seen_channels` does;
        EditedError if there are others now, unless just the wanted ones.
        """
        async with self._database.transaction() as conn:
            check, codes, _ = await _with_codes(conn, await owned(conn, project, code))
            ids = await _channel_ids(conn, project.id, ",".join(names))
            if seen != editing.seen_channels(codes) and set(names) != set(codes):
                raise EditedError(check, codes, ["channels"])
            if check.origin == DECLARED and set(names) != set(codes):
                raise DeclaredError
            await _assign(conn, check, ids, self._clock.now())
            managed = await _with_codes(conn, check)
        self._ring(managed.check)
        return managed

    async def clear(self, project: Project, code: str) -> Managed:
        """Empty a check's log; its state, its count of pings and its flips stay."""
        async with self._database.transaction() as conn:
            managed = await _with_codes(conn, await owned(conn, project, code))
            await store.pings.clear(conn, managed.check.id)
        self._changes.tell()
        return managed

    async def _change(
        self, project: Project, code: str, rule: Callable[[Check], Transition]
    ) -> Managed:
        async with self._database.transaction() as conn:
            check, flip, _ = rule(await owned(conn, project, code))
            await store.checks.save(conn, check)
            if flip is not None:
                await store.flips.add(conn, [(check, flip)])
            managed = await _with_codes(conn, check)
        self._changes.tell()
        return managed

    async def _save(
        self,
        conn: Connection,
        check: Check,
        wanted: CheckSpec,
        now: datetime,
        *,
        own_slug: bool,
    ) -> Managed:
        ids = None
        if wanted.channels is not None:
            ids = await _channel_ids(conn, check.project_id, wanted.channels)
        edited = editing.edited(check, wanted)
        await _refuse_declared(conn, check, edited, ids)
        await _refuse_slug(conn, check, edited, own_slug=own_slug)
        calendar = self._maintenance.of(check.project_id)
        loose = self._clock.is_doubtful
        check = editing.reckoned(check, edited, now, calendar, loose=loose)
        if check.id:
            await store.checks.save(conn, check)
        else:
            check = check._replace(id=await store.checks.add(conn, check))
        if ids is not None:
            await _assign(conn, check, ids, now)
        return await _with_codes(conn, check)

    def _ring(self, check: Check, before: Check | None = None) -> None:
        if before is not None and before.id and before.tags != check.tags:
            self.on_tags()
        at = check.late_from if self.tells_late else check.alert_after
        if at is not None:
            self._checker.ring(at)
        if check.status == "down":
            # Of that, other channels may have to tell now.
            self._sender.ring()
        self._changes.tell()


async def owned(conn: Connection, project: Project, code: str) -> Check:
    """Return the project's check; raise UnknownCheckError or ForeignCheckError."""
    check = await store.checks.by_code(conn, code)
    if check is None:
        raise UnknownCheckError
    if check.project_id != project.id:
        raise ForeignCheckError
    return check


async def matched(
    conn: Connection, project: Project, wanted: CheckSpec
) -> Check | None:
    """Return the check that `unique` is about; None: there is none."""
    if not wanted.unique:
        return None
    values: dict[str, Any] = {name: getattr(wanted, name) for name in wanted.unique}
    if any(value is None for value in values.values()):
        return None
    return await store.checks.oldest_match(conn, project.id, values)


async def _fresh(conn: Connection, project: Project) -> Check:
    """Begin a new check, if the project may have one more; raise LimitError."""
    if await store.checks.count(conn, project.id) >= project.check_limit:
        raise LimitError
    return rules.new_check(project.id, str(uuid.uuid4()), str(uuid.uuid4()))


async def _refuse_declared(
    conn: Connection, check: Check, edited: Check, ids: set[int] | None
) -> None:
    """Refuse to change what the file says."""
    if check.origin == DECLARED:
        if edited != check:
            raise DeclaredError
        if ids is not None:
            codes = set(await store.channels.codes_of_check(conn, check.id))
            available = await store.channels.of_project(conn, check.project_id)
            if ids != {channel.id for channel in available if channel.code in codes}:
                raise DeclaredError


async def _refuse_slug(
    conn: Connection, check: Check, edited: Check, *, own_slug: bool
) -> None:
    """Refuse to take the slug of what the file declares, or, if asked, of any other."""
    # Two of one slug could not be pinged by it, neither of them.
    takes_slug = edited.slug and (edited.slug != check.slug or not check.id)
    if check.origin == DECLARED or not takes_slug:
        return
    if await store.declared.has(conn, check.project_id, edited.slug, DECLARED):
        raise DeclaredError
    # As Healthchecks does: its API lets checks share one.
    if own_slug and await store.checks.of_project(
        conn, check.project_id, slug=edited.slug, limit=1
    ):
        raise SharedSlugError


async def _assign(conn: Connection, check: Check, ids: set[int], now: datetime) -> None:
    """Let a check use channels, and have these tell what is to be told of it."""
    async with store.outages.heard_by_others(conn, now, check.id):
        await store.channels.assign(conn, check.id, ids)
    await store.latenesses.watch(conn, check.id)
    await store.paces.assigned(conn, check.id)


async def _with_codes(conn: Connection, check: Check) -> Managed:
    return Managed(check, await store.channels.codes_of_check(conn, check.id))


async def _channel_ids(conn: Connection, project_id: int, names: str) -> set[int]:
    """Find the channels that a request names; raise ChannelError."""
    available = await store.channels.of_project(conn, project_id)
    if names == "*":
        return {channel.id for channel in available}
    ids = set()
    # Each once: a request may name one a thousand times.
    for name in dict.fromkeys(names.split(",")) if names else ():
        if not name:
            raise ChannelError("empty channel identifier")
        matches = [c.id for c in available if name in (c.code, c.name)]
        if not matches:
            raise ChannelError(f"invalid channel identifier: {name}")
        if len(matches) > 1:
            raise ChannelError(f"non-unique channel identifier: {name}")
        ids.add(matches[0])
    return ids
