"""Who is told of a check: the project's channels, and groups in place of their own."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiosqlite import Connection

from hcl import store
from hcl.config import Config
from hcl.config.channels.hearing import is_heard
from hcl.model import Channel, Project
from hcl.web.pages import channel_words
from hcl.words.lines import one_line


@dataclass(frozen=True, slots=True)
class Choice:
    """A channel that can be ticked; `members` are the codes that a group stands for.

    `tells`: somebody hears by it that a check goes down.
    """

    code: str
    name: str
    words: str
    members: tuple[str, ...] = ()
    tells: bool = True


async def choices(
    conn: Connection, config: Config, project: Project
) -> tuple[Choice, ...]:
    """Return the channels of a project, groups first."""
    channels = await store.channels.of_project(conn, project.id)
    return choices_of(channels, config, project)


def choices_of(
    channels: Iterable[Channel], config: Config, project: Project
) -> tuple[Choice, ...]:
    """Return what the file says of these channels, groups first."""
    known = {
        channel.id: (channel, wanted)
        for wanted in config.projects
        if wanted.id == project.code
        for channel in wanted.channels
    }
    found = []
    for channel in channels:
        # A reload may be at work between the file and the rows.
        told = channel.kind
        members: tuple[str, ...] = ()
        tells = True
        if channel.code in known:
            told = channel_words.in_short(*known[channel.code])
            members = known[channel.code][0].settings.members
            tells = is_heard(*known[channel.code], "down")
        name = one_line(channel.name)
        found.append(Choice(channel.code, name, told, members, tells))
    return tuple(sorted(found, key=lambda choice: not choice.members))


def without_members(
    codes: Collection[str], offered: Sequence[Choice]
) -> frozenset[str]:
    """Leave out those whose group is there too: they would be told each thing twice."""
    stood_for = {
        member
        for choice in offered
        if choice.code in codes
        for member in choice.members
    }
    return frozenset(codes) - stood_for


def all_once(offered: Sequence[Choice]) -> frozenset[str]:
    """Return what a new check has: all, but a group in place of its own."""
    return without_members([choice.code for choice in offered], offered)


def names(offered: Sequence[Choice]) -> Mapping[str, str]:
    """Return the names of channels by their codes."""
    return {choice.code: choice.name for choice in offered}
