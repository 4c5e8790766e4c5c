"""[[projects]] with their keys and channels, and what must differ between them."""

import hashlib
import re
import uuid
from collections.abc import Iterable, Sequence
from typing import get_args

from hcl.config.channels.calm import read_tags
from hcl.config.channels.reader import find_channels, is_uuid, read_channel, stable_id
from hcl.config.checks import read_checks
from hcl.config.keys import KEYS
from hcl.config.maintenance import read_tag_names, read_windows
from hcl.config.reading import Table, closest, shown
from hcl.config.reports import read_reports
from hcl.config.settings import (
    Access,
    ChannelConfig,
    KeyConfig,
    PageConfig,
    ProjectConfig,
)

# Never change it: the ids of all projects that give none are derived from it.
_NAMESPACE = uuid.UUID("5d1a0d4e-6f0b-4c53-9a86-3f1c7f3b2e94")
_URL_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
# Healthchecks takes user names for them.
_BADGE_KEY = re.compile(r"[A-Za-z0-9_.@+~-]{1,150}")
_PAGE_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_KEY_LENGTH = 32
_MOST_PAGES = 20
# What may stand in the place of a key.
_DIGESTS = {"key_sha256": "a SHA-256", "key_hmac": "an HMAC-SHA256"}


def read_projects(root: Table, can_mail: bool) -> tuple[ProjectConfig, ...]:
    """Read all projects, one at least."""
    tables = root.tables("projects")
    if not tables:
        problem = "is missing; add [[projects]] with a name and a ping_key"
        raise root.error("projects", problem)
    projects = tuple(_project(table, can_mail) for table in tables)
    _refuse_twins(zip(tables, projects, strict=True))
    names = [project.name for project in projects]
    for table in tables:
        for key in table.tables("keys"):
            project_names(key, names)
    return projects


def project_names(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    """Read the key `projects`, which names some of those that there are."""
    found = table.lines("projects", ())
    for i, name in enumerate(found):
        if name not in names:
            near = closest(name, names)
            hint = f" (did you mean {shown(near)}?)" if near else ""
            problem = f"no project is named {shown(name)}{hint}"
            allowed = ", ".join(map(shown, names))
            raise table.error("projects", f"{problem}; use one of {allowed}", i)
    return found


def _project(table: Table, can_mail: bool) -> ProjectConfig:
    table.allow(KEYS["projects"])
    name = table.name("name")
    id_ = stable_id(table, _NAMESPACE, name)
    keys = tuple(_key(key) for key in table.tables("keys"))
    _check_secret(table, keys)
    channels = _channels(table, id_, can_mail)
    return ProjectConfig(
        id=id_,
        name=name,
        badge_key=_badge_key(table),
        ping_key=_ping_key(table),
        check_limit=_check_limit(table),
        healthchecks_secret=table.secret("healthchecks_secret", ""),
        keys=keys,
        channels=channels,
        tags=read_tags(table),
        checks=read_checks(table, channels),
        maintenance=read_windows(table),
        pages=_pages(table),
        reports=read_reports(table, channels),
    )


def _check_limit(table: Table) -> int:
    limit = table.whole("check_limit", 10000, least=1)
    declared = len(table.tables("checks"))
    if declared > limit:
        problem = f"{limit} is less than the {declared} checks that are declared"
        raise table.error("check_limit", f"{problem}; use {declared} at least")
    return limit


def _ping_key(table: Table) -> str:
    value = table.secret("ping_key")
    if value and not _URL_KEY.fullmatch(value):
        problem = "does not fit in a URL"
        raise table.error("ping_key", f"{problem}; use 1 to 100 of A-Z a-z 0-9 _ -")
    if is_uuid(value):
        # /ping/<uuid>/<slug> would be taken for a check's own URL.
        raise table.error("ping_key", "looks like a UUID; use another text")
    if not value:
        raise table.error("ping_key", "is empty; use 22 random letters and digits")
    return value


def _badge_key(table: Table) -> str | None:
    value = table.secret("badge_key", "")
    if value and not _BADGE_KEY.fullmatch(value):
        problem = "does not fit in a URL"
        raise table.error(
            "badge_key", f"{problem}; use 1 to 150 of A-Z a-z 0-9 _ - . @ + ~"
        )
    return value or None


def _key(table: Table) -> KeyConfig:
    table.allow(KEYS["projects.keys"])
    return KeyConfig(
        name=table.name("name"),
        sha256=_sha256(table),
        access=table.choice("access", "read-write", get_args(Access)),
        is_hmac="key_hmac" in table.data,
        # Whether there are such is seen once all are read.
        projects=table.lines("projects", ()),
    )


def _sha256(table: Table) -> str:
    given = _given(table)
    for other in _DIGESTS:
        if other in table.data and other != given:
            raise table.error(given, f"stands beside {other}; use one of them")
    if given in _DIGESTS:
        value = table.line(given)
        if not _SHA256.fullmatch(value):
            raise table.error(given, f"is not {_DIGESTS[given]}; use 64 hex digits")
        return value.lower()
    key = table.secret("key")
    if len(key) != _KEY_LENGTH:
        problem = f"has {len(key)} characters"
        raise table.error("key", f"{problem}; use exactly {_KEY_LENGTH}")
    return hashlib.sha256(key.encode()).hexdigest()


def _given(key: Table) -> str:
    """Return how a key is given: itself, or by which digest."""
    return next((name for name in ("key", *_DIGESTS) if name in key.data), "key")


def _check_secret(project: Table, keys: Iterable[KeyConfig]) -> None:
    """Refuse keys that nothing could check."""
    secret = project.secret("healthchecks_secret", "")
    if not secret and any(key.is_hmac for key in keys):
        problem = "is missing; a key_hmac needs the SECRET_KEY of its old server"
        raise project.error("healthchecks_secret", problem)


def _pages(project: Table) -> tuple[PageConfig, ...]:
    tables = project.tables("pages")
    if len(tables) > _MOST_PAGES:
        problem = f"is one too many; use {_MOST_PAGES} pages at most"
        raise tables[_MOST_PAGES].error("slug", problem)
    return tuple(map(_page, tables))


def _page(table: Table) -> PageConfig:
    table.allow(KEYS["projects.pages"])
    slug = table.line("slug")
    if not _PAGE_SLUG.fullmatch(slug):
        problem = f"{shown(slug)} does not fit"
        raise table.error("slug", f"{problem}; use 1 to 50 of a-z 0-9 -")
    return PageConfig(slug, table.name("title"), read_tag_names(table))


def _channels(
    project: Table, project_id: str, can_mail: bool
) -> tuple[ChannelConfig, ...]:
    tables = project.tables("channels")
    found = [read_channel(table, project_id, can_mail) for table in tables]
    return find_channels(tables, found)


def _refuse_twins(projects: Iterable[tuple[Table, ProjectConfig]]) -> None:
    twins = _Twins()
    for table, project in projects:
        twins.add("project name", table, "name", project.name)
        twins.add("project id", table, "id", project.id)
        twins.add("ping key", table, "ping_key", project.ping_key)
        if project.badge_key:
            twins.add("badge key", table, "badge_key", project.badge_key)
        for row, key in zip(table.tables("keys"), project.keys, strict=True):
            twins.add("API key", row, _given(row), key.sha256)
        for row, channel in zip(
            table.tables("channels"), project.channels, strict=True
        ):
            # Names may be the same in another project, ids may not.
            twins.add(f"channel name of {project.id}", row, "name", channel.name)
            twins.add("channel id", row, "id", channel.id)
        for row, page in zip(table.tables("pages"), project.pages, strict=True):
            twins.add("slug of a page", row, "slug", page.slug)


class _Twins:
    def __init__(self) -> None:
        self._places: dict[tuple[str, str], str] = {}

    def add(self, what: str, table: Table, key: str, value: str) -> None:
        """Refuse a value that was added before as the same thing."""
        place = table.where(key)
        first = self._places.setdefault((what, value), place)
        if first != place:
            raise table.same_as(key, first)
