"""What hcl.toml says of a channel, in words, and without what is secret."""

from collections.abc import Iterator

from hcl.config import Calm, ChannelConfig, Event, ProjectConfig
from hcl.words.lengths import duration, every
from hcl.words.lines import listed, one_line


def events(channel: ChannelConfig) -> str:
    """Say of what a channel tells."""
    if not channel.enabled:
        return "nothing: hcl.toml says enabled = false"
    told = [event for event in _HAPPENS if channel.tells_of(event)]
    words = f"when a check {' or '.join(map(_HAPPENS.__getitem__, told))}"
    if channel.tells_of("server"):
        return f"{words}, and of hcl itself" if told else "only of hcl itself"
    return f"only {words}" if len(told) == 1 else words


_HAPPENS: dict[Event, str] = {
    "late": "is late",
    "down": "goes down",
    "up": "comes back",
    "slow": "has a slow run",
}


def manners(channel: ChannelConfig, project: ProjectConfig) -> list[str]:
    """Say how a channel keeps people calm, and what it does when it fails."""
    words = list(calm_words(channel.calm))
    if channel.fold:
        gathered = duration(channel.fold)
        words.append(f"gathers what comes within {gathered} into one message")
    names = {other.id: other.name for other in project.channels}
    if channel.fallback in names:
        words.append(f"falls back to {names[channel.fallback]} when it fails")
    return words


def calm_words(calm: Calm) -> Iterator[str]:
    """Say what a channel or a tag says of delays, repeats and quiet hours."""
    if calm.delay is not None:
        length = duration(calm.delay)
        told = f"waits until a check is down for {length}" if calm.delay else "no delay"
        yield told
    if calm.remind_every is not None:
        often = every(calm.remind_every)
        yield f"reminds {often} while down" if calm.remind_every else "no reminders"
    if calm.quiet_hours is not None:
        hours = calm.quiet_hours
        yield f"quiet {hours.start:%H:%M}–{hours.end:%H:%M} {hours.tz}"
    if calm.urgent is not None:
        yield "also in quiet hours" if calm.urgent else "not in quiet hours"


def in_short(channel: ChannelConfig, project: ProjectConfig) -> str:
    """Say in a few words what a channel is: `ntfy, else Mail, not 22:00 to 07:00`.

    And that it tells of nothing, where it is switched off.
    """
    names = {other.id: other.name for other in project.channels}
    words = [channel.kind]
    if channel.settings.members:
        words = [listed([names[code] for code in channel.settings.members])]
    if channel.fallback in names:
        words.append(f"else {names[channel.fallback]}")
    if hours := channel.calm.quiet_hours:
        words.append(f"not {hours.start:%H:%M} to {hours.end:%H:%M}")
    if not channel.enabled:
        words.append("switched off")
    return one_line(", ".join(words))
