"""Arrange what comes as tables of hcl.toml: projects, their keys and channels."""

import hashlib
import secrets
import string
import uuid
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hcl import config as configuration
from hcl.config import Config, ConfigError, ProjectConfig
from hcl.config.settings import Access
from hcl.moving import naming, toml_text
from hcl.moving.healthchecks import channels
from hcl.moving.healthchecks.translated import NoEquivalentError, Translated
from hcl.moving.moved import NO_CODE, MovedChannel, MovedKey, MovedProject

_KEY_NAMES = {"read-write": "Healthchecks", "read-only": "Healthchecks, read-only"}
_PREFIXES = {"read-write": "hcw_", "read-only": "hcr_"}

# A project that nothing is wrong with, to try a channel in.
_TRIAL = {"name": "trial", "ping_key": "trial"}


@dataclass(slots=True)
class Report:
    """What people have to know of a move, a line each.

    `fill_in` is what only they know, `changed` what is not as it was, `left` what has
    no equivalent here.
    """

    fill_in: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Place:
    """Where a project goes: its name and id here, and its text for hcl.toml.

    `index` is that of a [[projects]] which is there already, None: it is new. `secret`
    is the old server's SECRET_KEY, where that table is to get it; "": it is not.
    `channels` maps the codes of its channels there to those here. `badge_key` is what
    the database is to have, "": the file says it.
    """

    project: MovedProject
    name: str
    code: str
    index: int | None
    text: str = ""
    secret: str = ""
    channels: dict[str, str] = field(default_factory=dict)
    new_channels: list[str] = field(default_factory=list)
    mails: bool = False
    badge_key: str = ""


def arrange(
    projects: Sequence[MovedProject],
    config: Config | None,
    secret: str,
    report: Report,
) -> list[Place]:
    """Find each project its place in a config; None: there is none yet.

    `secret` is the old server's SECRET_KEY, "" if it is not known.
    """
    there = list(config.projects) if config else []
    taken = {key.sha256 for project in there for key in project.keys}
    names = {project.name for project in there}
    places = []
    for project in projects:
        index = _found(project, there)
        if index is None:
            name = naming.project_name(project, names)
            code = str(uuid.uuid4()) if project.code == NO_CODE else project.code
            place = Place(project, name, code, None)
            _note_name(place, report)
        else:
            place = Place(project, there[index].name, there[index].id, index)
            place.badge_key = "" if there[index].badge_key else project.badge_key
        names.add(place.name)
        if index is None:
            report.left += [f'"{place.name}": {line}' for line in project.remarks]
        known = None if index is None else there[index]
        keys = [key for key in project.keys if _digest(key) not in taken]
        place.text = _text(place, known, keys, secret, report)
        places.append(place)
    is_lost = any(
        place.project.signs_badges and place.index is None for place in places
    )
    if is_lost and not secret:
        report.changed.append(
            "badges of tags, and those of all checks, have other URLs here: the old"
            " server signs its own with its SECRET_KEY (--secret-key-file)"
        )
    return places


def _found(project: MovedProject, there: Sequence[ProjectConfig]) -> int | None:
    """Find a project that is there already: by its id, else by its keys or its name."""
    if project.code != NO_CODE:
        ids = [known.id for known in there]
        return ids.index(project.code) if project.code in ids else None
    digests = set(map(_digest, project.keys))
    for index, known in enumerate(there):
        # It may have another name by now; its key is for no other.
        if digests & {key.sha256 for key in known.keys}:
            return index
    names = [known.name for known in there]
    name = naming.project_name(project, ())
    return names.index(name) if name in names else None


def _note_name(place: Place, report: Report) -> None:
    if place.name != place.project.name:
        was = f'"{place.project.name}"' if place.project.name else "a project unnamed"
        report.changed.append(f'{was} is named "{place.name}"')


def _digest(key: MovedKey) -> str:
    return hashlib.sha256(key.key.encode()).hexdigest() if key.key else key.hmac


def _text(
    place: Place,
    known: ProjectConfig | None,
    keys: Sequence[MovedKey],
    secret: str,
    report: Report,
) -> str:
    if known is None:
        blocks = [_project(place, secret, report)]
        blocks += _keys(place, keys, secret, (), report)
        if all(key.access == "read-only" for key in keys):
            blocks.append(_own_key(place, report))
    else:
        _compare_keys(place, known, keys, report)
        blocks = _late_keys(place, known, keys, secret, report)
    blocks += _channels(place, known, report)
    return "\n".join(blocks)


def _project(place: Place, secret: str, report: Report) -> str:
    project = place.project
    keys: dict[str, Any] = {"name": place.name, "id": place.code}
    if project.badge_key and _fits("badge_key", project.badge_key):
        keys["badge_key"] = project.badge_key
    if _fits("ping_key", project.ping_key):
        keys["ping_key"] = project.ping_key
    else:
        keys["ping_key"] = _random(string.ascii_lowercase + string.digits, 22)
        why = "the old one does not fit" if project.ping_key else "none came along"
        report.changed.append(
            f'"{place.name}" has a new ping key: {why}; URLs by UUID stay'
        )
    if project.check_limit:
        keys["check_limit"] = max(project.check_limit, project.checks, 1)
    if secret:
        keys["healthchecks_secret"] = secret
    return toml_text.table("[[projects]]", keys)


def _fits(key: str, value: str) -> bool:
    return not _problem({**_TRIAL, key: value})


def _problem(project: Mapping[str, Any]) -> str:
    """Tell what hcl.toml would say of a project; "": nothing."""
    data = {"projects": [project], "smtp": {"host": "localhost"}}
    try:
        configuration.parse(data, Path("/"), "hcl.toml", {})
    except ConfigError as error:
        if (spot := error.spot) is None:
            return str(error)
        # Some name what is wrong themselves: "a, b" is not a mail address.
        is_named = spot.problem.startswith('"')
        return spot.problem if is_named else f"its {spot.key} {spot.problem}"
    return ""


def _keys(
    place: Place,
    moved: Sequence[MovedKey],
    secret: str,
    taken: Container[str],
    report: Report,
) -> list[str]:
    blocks = []
    for key in moved:
        keys: dict[str, Any] = {"name": naming.free(_KEY_NAMES[key.access], taken)}
        if key.key:
            keys["key"] = key.key
        elif secret:
            keys["key_hmac"] = key.hmac
        else:
            keys["key"] = _new_key(key.access)
            report.changed.append(
                f'the {key.access} API key of "{place.name}" is a new one, which'
                " hcl.toml holds: the old server keeps only a hash, which its"
                " SECRET_KEY would check (--secret-key-file)"
            )
        keys["access"] = key.access
        blocks.append(toml_text.table("[[projects.keys]]", keys))
    return blocks


def _own_key(place: Place, report: Report) -> str:
    """Write a key for a project that comes without any: people signed in by name."""
    report.changed.append(
        f'"{place.name}" has a new read-write API key, which hcl.toml holds, since none'
        " came along: by it people sign in (`hcl sign-in`)"
    )
    key = {"name": "me", "key": _new_key("read-write"), "access": "read-write"}
    return toml_text.table("[[projects.keys]]", key)


def _late_keys(
    place: Place,
    known: ProjectConfig,
    keys: Sequence[MovedKey],
    secret: str,
    report: Report,
) -> list[str]:
    """Bring what takes the SECRET_KEY, if an import before was not given that."""
    if not secret or known.healthchecks_secret:
        return []
    place.secret = secret
    report.changed.append(
        f'"{place.name}" has the old server\'s SECRET_KEY now, by which its API keys'
        " and badges work here too"
    )
    hashed = [key for key in keys if key.hmac]
    return _keys(place, hashed, secret, {key.name for key in known.keys}, report)


def _compare_keys(
    place: Place, known: ProjectConfig, keys: Sequence[MovedKey], report: Report
) -> None:
    """Say which keys there hcl.toml does not have: who took them out knows why."""
    there = place.project.ping_key
    if there and there != known.ping_key:
        report.changed.append(
            f'"{place.name}" has another ping key there than in hcl.toml: URLs by slug'
            " that bear it are not known here"
        )
    # Of hashes made with a secret that hcl.toml does not have nothing can be told.
    knows_hashes = any(key.is_hmac for key in known.keys)
    report.changed += [
        f'"{place.name}" has a {key.access} API key there that hcl.toml does not have'
        for key in keys
        if key.key or knows_hashes
    ]


def _new_key(access: Access) -> str:
    letters = string.ascii_letters + string.digits
    return _PREFIXES[access] + _random(letters, 28)


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _channels(place: Place, known: ProjectConfig | None, report: Report) -> list[str]:
    """Write a project's channels, groups last: they name the others."""
    names = {c.id: c.name for c in known.channels} if known else {}
    blocks = []
    moved = place.project.channels
    for channel in sorted(moved, key=lambda channel: channel.kind == "group"):
        if (code := _known_code(channel, known)) is not None:
            place.channels[channel.code] = code
            continue
        name = naming.channel_name(channel, names.values())
        try:
            translated = _translated(channel, name, place, names)
        except NoEquivalentError as error:
            shown = f'{channel.kind} "{name}" of "{place.name}"'
            report.left.append(f"{shown}: {error}")
            continue
        names[channel.code] = name
        place.channels[channel.code] = channel.code
        place.new_channels.append(channel.code)
        place.mails |= translated.kind == "email"
        blocks.append(_channel(place, channel, name, translated, report))
    return blocks


def _known_code(channel: MovedChannel, known: ProjectConfig | None) -> str | None:
    """Return the id of a channel that hcl.toml has already, by its id or name."""
    for there in known.channels if known else ():
        if there.id == channel.code:
            return there.id
    for there in known.channels if known else ():
        if there.name == channel.name and there.kind == channel.kind:
            return there.id
    return None


def _translated(
    channel: MovedChannel, name: str, place: Place, names: Mapping[str, str]
) -> Translated:
    """Put a channel into hcl's words, and see that hcl takes them."""
    if channel.kind == "group":
        return _group(channel, place, names)
    translated = channels.translate(channel)
    table = {"name": name, "kind": translated.kind, **translated.keys}
    if translated.events:
        table["events"] = translated.events
    if problem := _problem({**_TRIAL, "channels": [table]}):
        raise NoEquivalentError(problem)
    return translated


def _group(channel: MovedChannel, place: Place, names: Mapping[str, str]) -> Translated:
    groups = {c.code for c in place.project.channels if c.kind == "group"}
    here = [
        names[place.channels[code]]
        for code in channels.members_of(channel)
        if code not in groups and place.channels.get(code) in names
    ]
    if not here:
        raise NoEquivalentError("none of its channels is here")
    return Translated("group", {"channels": here})


def _channel(
    place: Place,
    channel: MovedChannel,
    name: str,
    translated: Translated,
    report: Report,
) -> str:
    shown = f'{channel.kind} "{name}" of "{place.name}"'
    keys: dict[str, Any] = {"name": name, "kind": translated.kind, "id": channel.code}
    comments = []
    if off := _why_off(channel, translated):
        keys["enabled"] = False
        comments.append(f"Off: {off}.")
        report.changed.append(f"{shown} is off: {off}")
    if translated.events:
        keys["events"] = translated.events
    if translated.fill_in:
        comments.append(f"Fill in: {translated.fill_in}.")
        report.fill_in.append(f"{shown}: {translated.fill_in}")
    if channel.name and channel.name != name:
        report.changed.append(
            f'{channel.kind} "{channel.name}" of "{place.name}" is named "{name}"'
        )
    comments += [f"{note[:1].upper()}{note[1:]}." for note in translated.notes]
    report.changed += [f"{shown}: {note}" for note in translated.notes]
    return toml_text.table(
        "[[projects.channels]]", {**keys, **translated.keys}, comments
    )


def _why_off(channel: MovedChannel, translated: Translated) -> str:
    if channel.is_disabled:
        return "the old server had switched it off after errors"
    if not channel.is_verified:
        return "its address was never confirmed"
    if translated.events == []:
        return "it told of nothing"
    if channel.value is None:
        return "where it leads was not told"
    return ""
