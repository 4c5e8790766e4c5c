"""Whether anybody hears of what happens: a group tells by its channels alone."""

from hcl.config import ChannelConfig, Event, ProjectConfig


def is_heard(channel: ChannelConfig, project: ProjectConfig, event: Event) -> bool:
    """Tell whether anybody hears of an event by a channel of a project."""
    members = [c for c in project.channels if c.id in channel.settings.members]
    return channel.tells_of(event) and (
        not members or any(member.tells_of(event) for member in members)
    )
