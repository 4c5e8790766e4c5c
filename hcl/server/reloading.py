"""What another hcl.toml changed, as far as it matters who is told: a line each."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from aiosqlite import Connection

from hcl import store
from hcl.store.announcements import Announcement
from hcl.words.lines import counted, one_line
from hcl.words.names import check_name

logger = logging.getLogger(__name__)

# Checks that a line names; of the others it gives the number.
MOST_NAMES = 10


# By which the database knows how many pings of a check were kept.
LOG_LIMIT = "log_limit"


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows of the file: projects and channels by their rows.

    `log_limit` 0: a hcl that did not write it down used it last.
    """

    projects: Mapping[int, store.projects.Known]
    channels: Mapping[int, store.channels.Known]
    log_limit: int

    def project(self, project_id: int) -> str:
        """Name a project."""
        return f'project "{one_line(self.projects[project_id].name)}"'

    def channel(self, channel_id: int) -> str:
        """Name a channel with its project."""
        channel = self.channels[channel_id]
        name = one_line(channel.name)
        return f'channel "{name}" of {self.project(channel.project_id)}'

    def in_use(self, channel_id: int) -> bool:
        """Tell whether a channel is known, and in the file."""
        return channel_id in self.channels and self.channels[channel_id].enabled


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that has changed, in a line.

    `project_id` is the project in the file that it concerns, None: all. `is_alarming`:
    somebody may not be told of a check any more. `shown` is the line for the dashboard,
    which tells of it if it `is_news`.
    """

    project_id: int | None
    line: str
    is_alarming: bool = False
    shown: str = ""
    is_news: bool = True


async def known(conn: Connection) -> Known:
    """Read what the database knows of the file."""
    return Known(
        await store.projects.known(conn),
        await store.channels.known(conn),
        int(await store.settings.get(conn, LOG_LIMIT) or 0),
    )


async def changes(conn: Connection, before: Known) -> list[Change]:
    """Tell what is different from what was known before."""
    after = await known(conn)
    if after == before:
        return []
    gone, silent = set(), set()
    for id_, channel in before.channels.items():
        if channel.enabled and after.channels[id_][::3] != channel[::3]:
            gone.add((id_, channel.project_id))
        elif channel.enabled and channel.on_down and not after.channels[id_].on_down:
            silent.add((id_, channel.project_id))
    served = await store.channels.count_served(conn, gone | silent)
    alone = await store.channels.left_alone(conn, gone)
    # Those that are alone besides are told of already.
    unheard = [
        check
        for check in await store.channels.left_alone(conn, silent)
        if check not in alone
    ]
    return [
        *_of_log(before.log_limit, after.log_limit),
        *await _of_projects(conn, before, after),
        *_of_channels(before, after, served),
        *_left_alone(after, alone, "a channel"),
        *_left_alone(after, unheard, "a channel that tells of outages"),
    ]


def _of_log(before: int, after: int) -> list[Change]:
    if after >= before:
        return []
    # Undoing it brings none of them back.
    line = (
        f"pings.log_limit was {before:,} and is {after:,}: all but the newest {after:,}"
        " pings of each check are deleted, within an hour"
    )
    return [Change(None, line, is_alarming=True)]


async def _of_projects(conn: Connection, before: Known, after: Known) -> list[Change]:
    told = []
    for id_, old in before.projects.items():
        new = after.projects[id_]
        if old.enabled and not new.enabled:
            count = await store.checks.count(conn, id_)
            names = await store.tallies.names(conn, id_, MOST_NAMES)
            told.append(_gone(before.project(id_), names, count))
        elif new.enabled and not old.enabled:
            told.append(Change(id_, f"{after.project(id_)} is back in the file"))
        if new.enabled and (line := _matched(old[:2], new[:2], before.project(id_))):
            told.append(Change(id_, line))
    return told


def _gone(project: str, names: Mapping[int, str], count: int) -> Change:
    line = f"{project} is not in the file"
    if not count:
        return Change(None, line)
    line += f": its {counted(count, 'check')}"
    ends = "alerts nobody" if count == 1 else "alert nobody"
    named = f"{line} ({some(names, count)}) {ends}"
    # Those who look at other projects need not know what this one holds.
    return Change(None, named, is_alarming=True, shown=f"{line} {ends}")


def _of_channels(
    before: Known, after: Known, served: Mapping[tuple[int, int], int]
) -> list[Change]:
    told = []
    for id_, old in before.channels.items():
        new = after.channels[id_]
        is_there = after.projects[old.project_id].enabled
        count = served.get((id_, old.project_id), 0)
        used = f": {counted(count, 'check')} used it" if count else ""
        if old.enabled and new.enabled and old.project_id != new.project_id:
            owner = old.project_id if is_there else new.project_id
            line = f"{before.channel(id_)} is now in {after.project(new.project_id)}"
            told.append(Change(owner, line + used, is_there and count > 0))
        elif old.enabled and not new.enabled and is_there:
            line = f"{before.channel(id_)} is not in the file{used}"
            told.append(Change(old.project_id, line, count > 0))
        elif new.enabled and not old.enabled:
            line = f"{after.channel(id_)} is back in the file"
            told.append(Change(new.project_id, line))
        elif new.enabled and new.on_down != old.on_down:
            told.append(_of_hearing(after.channel(id_), new, count))
        if new.enabled and (line := _matched(old[1:3], new[1:3], before.channel(id_))):
            told.append(Change(new.project_id, line))
    return told


def _of_hearing(channel: str, new: store.channels.Known, count: int) -> Change:
    """Tell that a channel tells of outages now, or does no more."""
    if new.on_down:
        return Change(new.project_id, f"{channel} tells of outages now")
    line = f"{channel} tells of outages no more"
    used = f": {counted(count, 'check')} used it" if count else ""
    return Change(new.project_id, line + used, count > 0)


def _matched(old: tuple[str, str], new: tuple[str, str], what: str) -> str:
    """Tell that what has another id or name now is still the same; "": it has not."""
    if old[0] != new[0]:
        return f"{what} was found by its name: its id was {old[0]} and is {new[0]} now"
    if old[1] != new[1]:
        return f'{what} was found by its id: its name is "{one_line(new[1])}" now'
    return ""


def _left_alone(
    after: Known, alone: Iterable[tuple[int, int, str]], lacks: str
) -> list[Change]:
    by_project: dict[int, dict[int, str]] = defaultdict(dict)
    for project_id, check_id, name in alone:
        if after.projects[project_id].enabled:
            by_project[project_id][check_id] = name
    told = []
    for project_id, names in by_project.items():
        count, verb = len(names), "is" if len(names) == 1 else "are"
        line = (
            f"{counted(count, 'check')} of {after.project(project_id)} {verb} left"
            f" without {lacks}: {some(names, count)}"
        )
        told.append(Change(project_id, line, is_alarming=True))
    return told


def some(names: Mapping[int, str], count: int) -> str:
    """Name the first of `count` checks; `names` are by their ids."""
    # A code would do for who has no name too, but whoever knows it can ping the check.
    first = [check_name(n, f"check {i}") for i, n in islice(names.items(), MOST_NAMES)]
    more = f" and {count - len(first):,} more" if count > len(first) else ""
    return ", ".join(first) + more


async def announce(conn: Connection, told: Iterable[Change], now: datetime) -> None:
    """Have the dashboard tell of changes, once for each project that they concern."""
    by_project: dict[int | None, list[Change]] = defaultdict(list)
    for change in told:
        if change.is_news:
            by_project[change.project_id].append(change)
    for project_id, these in by_project.items():
        these.sort(key=lambda change: not change.is_alarming)
        lines = [change.shown or change.line for change in these]
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        subject = f"hcl.toml has changed: {lines[0]}{more}"
        await store.announcements.add(
            conn, Announcement(project_id, now, "reload", subject, lines)
        )


def log(told: Iterable[Change]) -> None:
    """Say what has changed, one line each."""
    for change in told:
        level = logging.WARNING if change.is_alarming else logging.INFO
        logger.log(level, "%s", change.line)
