"""Bring the checks that hcl.toml declares into the database, and say what is new."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from aiosqlite import Connection

from hcl import store
from hcl.checks import declared, editing, rules
from hcl.checks.windows import holding, late
from hcl.config import CheckConfig, ProjectConfig
from hcl.model import DECLARED, LEFT, Check, Flip, Project, Reason, Status
from hcl.server.reloading import MOST_NAMES, Change
from hcl.words.lines import counted, one_line

# After so many others have a turn: all of a large file would hold the loop for long.
_AT_ONCE = 50

Verb = Literal["create", "adopt", "change", "bring back", "let go", "refuse", "leave"]


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one check. `check` is as it is before; its id is 0 if it is new.

    `changed` names keys of the file; `twins` counts others of the project with its
    slug. `channels` holds rows of channels, None: they stay.
    """

    verb: Verb
    project: Project
    slug: str
    check: Check
    wanted: Check
    changed: tuple[str, ...] = ()
    twins: int = 0
    channels: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the database has of a project: by slugs, and by the ids of checks."""

    project: Project
    by_slug: Mapping[str, Sequence[Check]]
    rows: Mapping[str, int]
    channels: Mapping[int, Sequence[str]]


async def foresee(
    conn: Connection, project: Project, config: ProjectConfig
) -> list[Step]:
    """Tell what becomes of each check that a project declares, or has declared."""
    slugs = [check.slug for check in config.checks]
    found = await store.declared.candidates(conn, project.id, slugs, DECLARED)
    by_slug = defaultdict(list)
    for check in found:
        by_slug[check.slug].append(check)
    channels = await store.channels.of_project(conn, project.id)
    ids = [check.id for check in found]
    kept = _Kept(
        project,
        by_slug,
        {channel.code: channel.id for channel in channels},
        await store.channels.codes_of_checks(conn, ids),
    )
    steps = []
    for count, wanted in enumerate(config.checks, 1):
        steps.append(_of_declared(kept, wanted))
        if count % _AT_ONCE == 0:
            await asyncio.sleep(0)
    stay = {step.check.id for step in steps}
    steps += [
        Step("let go", project, check.slug, check, check)
        for check in found
        if check.origin == DECLARED and check.id not in stay
    ]
    return steps


def _of_declared(kept: _Kept, config: CheckConfig) -> Step:
    project, holders = kept.project, kept.by_slug.get(config.slug, ())
    check = _match(holders)
    if check is None and holders:
        # Which one is meant cannot be told.
        first, twins = holders[0], len(holders)
        return Step("refuse", project, config.slug, first, first, twins=twins)
    if check is None:
        check = rules.new_check(project.id, str(uuid.uuid4()), str(uuid.uuid4()))
    chosen = kept.rows if config.channels is None else config.channels
    step = Step(
        verb=_verb_of(check),
        project=project,
        slug=config.slug,
        check=check,
        wanted=declared.as_declared(check, config.fields),
        twins=max(0, len(holders) - 1),
        channels=frozenset(kept.rows[code] for code in chosen),
    )
    changed = tuple(_changed(kept, step)) if check.id else ()
    verb = "change" if step.verb == "leave" and changed else step.verb
    return replace(step, verb=verb, changed=changed)


def _changed(kept: _Kept, step: Step) -> list[str]:
    """Name the keys of the file that say something else than is kept."""
    check_id = step.check.id
    changed = declared.changed(step.check, step.wanted)
    codes = kept.channels.get(check_id, ())
    if frozenset(kept.rows[code] for code in codes) != step.channels:
        changed.append("channels")
    return list(dict.fromkeys(changed))


def _match(holders: Sequence[Check]) -> Check | None:
    """Return the check that is declared, of those with its slug; None: none is."""
    for origin in (DECLARED, LEFT):
        own = [check for check in holders if check.origin == origin]
        if own:
            return own[0]
    return holders[0] if len(holders) == 1 else None


def _verb_of(check: Check) -> Verb:
    if not check.id:
        return "create"
    if check.origin == DECLARED:
        return "leave"
    was_paused = check.origin == LEFT and check.status == "paused"
    return "bring back" if was_paused else "adopt"


async def take(
    conn: Connection, steps: Iterable[Step], now: datetime, *, loose: bool
) -> None:
    """Do what was foreseen; `Maintenance.use` has to follow, as for any reload."""
    done = [step for step in steps if step.verb not in ("leave", "refuse")]
    # Pings wait for all of it: each statement is for many checks.
    for start in range(0, len(done), _AT_ONCE):
        await _take(conn, done[start : start + _AT_ONCE], now, loose=loose)


async def rehearse(conn: Connection, steps: Iterable[Step]) -> None:
    """Give checks that are there the channels that `take` would, and do no more."""
    assigned = {
        step.check.id: step.channels
        for step in steps
        if step.verb != "leave" and step.check.id and step.channels is not None
    }
    await store.channels.assign_each(conn, assigned)


async def _take(
    conn: Connection, steps: Sequence[Step], now: datetime, *, loose: bool
) -> None:
    new: list[Check] = []
    saved: list[Check] = []
    flips: list[tuple[Check, Flip]] = []
    for step in steps:
        check, flip = await _after(conn, step, now, loose=loose)
        (saved if check.id else new).append(check)
        if flip is not None:
            flips.append((check, flip))
    await store.checks.save_all(conn, saved)
    saved += await store.checks.add_all(conn, new)
    await store.flips.add(conn, flips)
    down = [check.id for check, flip in flips if flip.new_status == "down"]
    await store.declared.owe_again(conn, down, now)
    ids = {check.code: check.id for check in saved}
    assigned = {
        ids[step.check.code]: step.channels
        for step in steps
        if step.channels is not None
    }
    await store.channels.assign_each(conn, assigned)


async def _after(
    conn: Connection, step: Step, now: datetime, *, loose: bool
) -> tuple[Check, Flip | None]:
    """Return a check as it is after its step, and the flip that this is, if any."""
    if step.verb == "let go":
        return declared.on_left(step.check, now)
    check = step.wanted
    if step.verb == "bring back":
        before, reason = await _before(conn, check.id)
        return declared.on_back(check, before, now, reason=reason, loose=loose)
    if editing.moves_deadline(step.check, check):
        check = holding.edited_before_windows(check, now, loose=loose)
    return late.edited(step.check, check, now), None


async def _before(conn: Connection, check_id: int) -> tuple[Status, Reason]:
    """Return what a paused check was before, and why; new, if that is not known."""
    flips = await store.flips.slice_of_check(conn, check_id, None, None, None, 2)
    newest = list(flips.values())
    if not newest or newest[0].new_status != "paused":
        return "new", ""
    status = newest[0].old_status
    is_known = len(newest) > 1 and newest[1].new_status == status
    return status, newest[1].reason if is_known else ""


# What is done, as it is said of one check, and of several.
_SAID: dict[Verb, tuple[str, str]] = {
    "create": ("is new", "are new"),
    "adopt": (
        "was made otherwise, and stands in the file now",
        "were made otherwise, and stand in the file now",
    ),
    "change": ("has changed", "have changed"),
    "bring back": (
        "is back in the file, and is watched again",
        "are back in the file, and are watched again",
    ),
    "let go": (
        "is not in the file any more, and is paused",
        "are not in the file any more, and are paused",
    ),
}


def told(steps: Iterable[Step]) -> list[Change]:
    """Say what is done, a line for each project and kind of change."""
    steps = list(steps)
    by_kind: dict[tuple[int, str], list[Step]] = defaultdict(list)
    for step in steps:
        if step.verb in _SAID:
            by_kind[step.project.id, step.verb].append(step)
    return [*shared(steps), *(_change(these) for these in by_kind.values())]


def shared(steps: Iterable[Step]) -> list[Change]:
    """Say which slugs of the file other checks have too, a line each."""
    return [_shared(step) for step in steps if step.twins]


def _change(steps: Sequence[Step]) -> Change:
    verb, project = steps[0].verb, steps[0].project
    names = ", ".join(step.slug for step in steps[:MOST_NAMES])
    count, more = len(steps), len(steps) - MOST_NAMES
    names += f" and {more:,} more" if more > 0 else ""
    said = _SAID[verb][count > 1]
    line = f'{counted(count, "declared check")} of project "{one_line(project.name)}"'
    return Change(
        project.id,
        f"{line} {said}: {names}",
        is_alarming=verb == "let go",
        is_news=verb in ("let go", "bring back"),
    )


def _shared(step: Step) -> Change:
    check = f'check "{step.slug}" of project "{one_line(step.project.name)}"'
    if step.verb == "refuse":
        line = (
            f"{check} is declared, but {step.twins} checks there have this slug:"
            " they are left as they are until one alone has it"
        )
    else:
        others = "another check has" if step.twins == 1 else f"{step.twins} others have"
        line = f"{check} cannot be pinged by its slug, since {others} the same"
    return Change(step.project.id, line, is_alarming=True)
