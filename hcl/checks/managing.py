"""Create, edit, pause, resume and delete checks, for the API and the pages alike."""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from aiosqlite import Connection

from hcl import store
from hcl.alarm import Alarm
from hcl.changes import Changes
from hcl.checks import rules, schedule, spec
from hcl.checks.rules import Transition
from hcl.checks.spec import CheckSpec
from hcl.db import Database
from hcl.model import Check, Project

# Fields that a request sets as they are.
_PLAIN_FIELDS = (
    "desc",
    "filter_body",
    "filter_default_fail",
    "filter_http_body",
    "grace",
    "manual_resume",
    "methods",
    "name",
    "slug",
    "start_kw",
    "tags",
    "tz",
)


# What an edit of a check may change, besides its channels.
SETTINGS = (
    "name",
    "slug",
    "tags",
    "desc",
    "kind",
    "timeout",
    "grace",
    "schedule",
    "tz",
    "methods",
    "manual_resume",
    "start_kw",
    "success_kw",
    "failure_kw",
    "filter_subject",
    "filter_body",
    "filter_http_body",
    "filter_default_fail",
)

_COPY_SUFFIX = " (copy)"


class UnknownCheckError(Exception):
    """There is no such check."""


class ForeignCheckError(Exception):
    """The check belongs to another project."""


class LimitError(Exception):
    """The project has as many checks as it may have."""


class EditedError(Exception):
    """Somebody else has changed the check meanwhile.

    `check` and `codes` are as they are now, `changed` names what is different.
    """

    def __init__(self, check: Check, codes: list[str], changed: list[str]) -> None:
        super().__init__(", ".join(changed))
        self.check = check
        self.codes = codes
        self.changed = changed


class ChannelError(ValueError):
    """A request names a channel that is none; the text is the API's."""


class Managing:
    """Changes that people and their scripts make. Each method is one transaction.

    They return the check as it is afterwards, with the codes of its channels. Those
    that take a code raise UnknownCheckError and ForeignCheckError.
    """

    def __init__(self, database: Database, *, checker: Alarm, changes: Changes) -> None:
        self._database = database
        self._checker = checker
        self._changes = changes

    async def create(
        self, project: Project, wanted: CheckSpec, version: int, now: datetime
    ) -> tuple[Check, list[str], bool]:
        """Create a check, or update the one that `unique` finds; True if created.

        `version` is the API's: before 3 the slug follows the name. Raises ChannelError
        and LimitError.
        """
        async with self._database.transaction() as conn:
            check = await self._lookup(conn, project, wanted)
            created = check is None
            if check is None:
                if await store.checks.count(conn, project.id) >= project.check_limit:
                    raise LimitError
                code, badge_key = str(uuid.uuid4()), str(uuid.uuid4())
                check = rules.new_check(project.id, code, badge_key)
            check, codes = await self._save(conn, check, wanted, version, now)
        self._ring(check)
        return check, codes, created

    async def update(
        self,
        project: Project,
        code: str,
        wanted: CheckSpec,
        version: int,
        now: datetime,
        *,
        seen: str | None = None,
    ) -> tuple[Check, list[str]]:
        """Change the fields that a request names. Raises ChannelError.

        `seen` is the `fingerprint` of the check that the caller looked at; EditedError
        if it is another now. None: whatever it is now.
        """
        async with self._database.transaction() as conn:
            check = await owned(conn, project, code)
            if seen is not None:
                codes = await store.channels.codes_of_check(conn, check.id)
                changed = differences(seen, check, codes)
                if changed:
                    raise EditedError(check, codes, changed)
            check, codes = await self._save(conn, check, wanted, version, now)
        self._ring(check)
        return check, codes

    async def pause(
        self, project: Project, code: str, now: datetime
    ) -> tuple[Check, list[str]]:
        """Pause a check; its flip is kept and nobody is told."""
        return await self._change(project, code, lambda c: rules.on_pause(c, now))

    async def resume(
        self, project: Project, code: str, now: datetime
    ) -> tuple[Check, list[str]]:
        """Make a paused check new. Raises rules.NotPausedError."""
        return await self._change(project, code, lambda c: rules.on_resume(c, now))

    async def delete(self, project: Project, code: str) -> tuple[Check, list[str]]:
        """Delete a check with its history; returns it as it was."""
        async with self._database.transaction() as conn:
            check = await owned(conn, project, code)
            codes = await store.channels.codes_of_check(conn, check.id)
            await store.pings.count_deleted(conn, check.n_pings)
            await store.checks.delete(conn, check.id)
        self._changes.tell()
        return check, codes

    async def copy(self, project: Project, code: str, now: datetime) -> Check:
        """Make a new check with the settings and channels of another.

        It has no slug, since a slug that two share leads to neither. Raises LimitError.
        """
        async with self._database.transaction() as conn:
            check = await owned(conn, project, code)
            if await store.checks.count(conn, project.id) >= project.check_limit:
                raise LimitError
            fresh = rules.new_check(project.id, str(uuid.uuid4()), str(uuid.uuid4()))
            settings = {field: getattr(check, field) for field in SETTINGS}
            name = check.name[: spec.NAME_LENGTH - len(_COPY_SUFFIX)] + _COPY_SUFFIX
            # Its code stands for no name here: read-only keys see names.
            name = name if check.name else ""
            copy = fresh._replace(**(settings | {"name": name, "slug": ""}))
            copy = rules.on_edit(copy, now).check
            copy = copy._replace(id=await store.checks.add(conn, copy))
            codes = set(await store.channels.codes_of_check(conn, check.id))
            available = await store.channels.of_project(conn, project.id)
            ids = [channel.id for channel in available if channel.code in codes]
            await store.channels.assign(conn, copy.id, ids)
        self._changes.tell()
        return copy

    async def assign(
        self, project: Project, code: str, names: Sequence[str], *, seen: str
    ) -> None:
        """Let a check use these channels and no others. Raises ChannelError.

        `seen` stands for those that the caller saw assigned, as `seen_channels` does;
        EditedError if there are others now, unless just the wanted ones.
        """
        async with self._database.transaction() as conn:
            check = await owned(conn, project, code)
            codes = await store.channels.codes_of_check(conn, check.id)
            ids = await self._channel_ids(conn, check.project_id, ",".join(names))
            if seen != seen_channels(codes) and set(names) != set(codes):
                raise EditedError(check, codes, ["channels"])
            await store.channels.assign(conn, check.id, ids or ())
        self._changes.tell()

    async def clear(self, project: Project, code: str) -> Check:
        """Empty a check's log; its state, its count of pings and its flips stay."""
        async with self._database.transaction() as conn:
            check = await owned(conn, project, code)
            await store.pings.clear(conn, check.id)
        self._changes.tell()
        return check

    async def _change(
        self, project: Project, code: str, rule: Callable[[Check], Transition]
    ) -> tuple[Check, list[str]]:
        async with self._database.transaction() as conn:
            transition = rule(await owned(conn, project, code))
            check = transition.check
            await store.checks.save_states(conn, [check])
            if transition.flip is not None:
                await store.flips.add(conn, [(check, transition.flip)])
            codes = await store.channels.codes_of_check(conn, check.id)
        self._changes.tell()
        return check, codes

    async def _lookup(
        self, conn: Connection, project: Project, wanted: CheckSpec
    ) -> Check | None:
        if not wanted.unique:
            return None
        values: dict[str, Any] = {name: getattr(wanted, name) for name in wanted.unique}
        if any(value is None for value in values.values()):
            return None
        return await store.checks.oldest_match(conn, project.id, values)

    async def _save(
        self,
        conn: Connection,
        check: Check,
        wanted: CheckSpec,
        version: int,
        now: datetime,
    ) -> tuple[Check, list[str]]:
        ids = await self._channel_ids(conn, check.project_id, wanted.channels)
        check = rules.on_edit(edited(check, wanted, version), now).check
        if check.id:
            await store.checks.save(conn, check)
        else:
            check = check._replace(id=await store.checks.add(conn, check))
        if ids is not None:
            await store.channels.assign(conn, check.id, ids)
        return check, await store.channels.codes_of_check(conn, check.id)

    async def _channel_ids(
        self, conn: Connection, project_id: int, wanted: str | None
    ) -> set[int] | None:
        """Find the channels that a request names; None: it names none at all."""
        if wanted is None:
            return None
        available = await store.channels.of_project(conn, project_id)
        if wanted == "*":
            return {channel.id for channel in available}
        ids = set()
        for name in wanted.split(",") if wanted else ():
            if not name:
                raise ChannelError("empty channel identifier")
            matches = [c.id for c in available if name in (c.code, c.name)]
            if not matches:
                raise ChannelError(f"invalid channel identifier: {name}")
            if len(matches) > 1:
                raise ChannelError(f"non-unique channel identifier: {name}")
            ids.add(matches[0])
        return ids

    def _ring(self, check: Check) -> None:
        if check.alert_after is not None:
            self._checker.ring(check.alert_after)
        self._changes.tell()


async def owned(conn: Connection, project: Project, code: str) -> Check:
    """Return the project's check; raise UnknownCheckError or ForeignCheckError."""
    check = await store.checks.by_code(conn, code)
    if check is None:
        raise UnknownCheckError
    if check.project_id != project.id:
        raise ForeignCheckError
    return check


def fingerprint(check: Check, codes: Sequence[str]) -> str:
    """Stand for all that an edit may change: a short digest of each, in order."""
    digests = [_digest(getattr(check, field)) for field in SETTINGS]
    return ".".join([*digests, seen_channels(codes)])


def seen_channels(codes: Sequence[str]) -> str:
    """Stand for the channels that a check uses."""
    return _digest(sorted(codes))


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]


def differences(seen: str, check: Check, codes: Sequence[str]) -> list[str]:
    """Name what is different from what a fingerprint stands for."""
    now = fingerprint(check, codes).split(".")
    before = seen.split(".")
    if len(before) != len(now):
        # It is of another version of hcl, or made up.
        before = [""] * len(now)
    names = (*SETTINGS, "channels")
    return [
        name for name, old, new in zip(names, before, now, strict=True) if old != new
    ]


def edited(check: Check, wanted: CheckSpec, version: int) -> Check:
    """Return the check with the fields that a request names."""
    changes: dict[str, Any] = {
        name: getattr(wanted, name)
        for name in _PLAIN_FIELDS
        if getattr(wanted, name) is not None
    }
    renamed = wanted.name is not None and wanted.name != check.name
    if version < 3 and renamed and wanted.slug is None:
        changes["slug"] = spec.slugify(wanted.name or "")
    if wanted.schedule is not None:
        changes["kind"] = schedule.kind_of(wanted.schedule)
        changes["schedule"] = wanted.schedule
    elif wanted.timeout is not None:
        changes["kind"] = "simple"
        changes["timeout"] = wanted.timeout
    return check._replace(**changes, **_keywords(check, wanted))


def _keywords(check: Check, wanted: CheckSpec) -> dict[str, Any]:
    """Work out the keywords and filter_subject, old names and new.

    The old names (subject, subject_fail) turn the filter on or off; then the new ones
    win.
    """
    success, failure = check.success_kw, check.failure_kw
    filtering = check.filter_subject
    if wanted.subject is not None or wanted.subject_fail is not None:
        success = success if wanted.subject is None else wanted.subject
        failure = failure if wanted.subject_fail is None else wanted.subject_fail
        filtering = bool(success or failure)
    if wanted.success_kw is not None:
        success = wanted.success_kw
    if wanted.failure_kw is not None:
        failure = wanted.failure_kw
    if wanted.filter_subject is not None:
        filtering = wanted.filter_subject
    return {
        "success_kw": success,
        "failure_kw": failure,
        "filter_subject": filtering,
    }
