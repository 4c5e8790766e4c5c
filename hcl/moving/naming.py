"""Names for what comes without one, or with one that hcl.toml does not take."""

from collections.abc import Container

from hcl.moving.healthchecks import channels
from hcl.moving.moved import MovedChannel, MovedProject
from hcl.words.lines import one_line

_KINDS = {
    "call": "call",
    "email": "mail to",
    "po": "Pushover",
    "pd": "PagerDuty",
    "sms": "SMS to",
    "msteamsw": "Teams",
}


def project_name(project: MovedProject, taken: Container[str]) -> str:
    """Name a project; one without a name is shown by its owner, as it was there."""
    name = one_line(project.name) or one_line(project.owner) or "Moved here"
    return free(name, taken)


def channel_name(channel: MovedChannel, taken: Container[str]) -> str:
    """Name a channel: in one line, without a comma, and as no other."""
    name = one_line(channel.name)
    if not name:
        kind = _KINDS.get(channel.kind, channel.kind)
        name = one_line(f"{kind} {channels.detail_of(channel)}")
    return free(one_line(name.replace(",", ";")), taken)


def free(name: str, taken: Container[str]) -> str:
    """Number a name, if it is taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name} ({number})"
    return found
