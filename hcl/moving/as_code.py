"""Write checks as hcl.toml declares them."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiosqlite import Connection

from hcl import store
from hcl.checks import rules
from hcl.config import KEYS, ConfigError, ProjectConfig
from hcl.config.checks import read_check
from hcl.config.reading import Source, Table, as_length
from hcl.model import Check
from hcl.moving import leaving, toml_text
from hcl.words.lines import cut, one_line
from hcl.words.names import check_name

_HEADER = "[[projects.checks]]"
# Always said, so that nobody has to know a default.
_SAID = ("timeout", "schedule", "grace")
_LONGEST_SLUG = 60


async def lines(conn: Connection, project: ProjectConfig) -> AsyncIterator[str]:
    """Yield the tables of one project, a few lines at a time."""
    yield f'# Checks of the project "{one_line(project.name)}": they stand below its\n'
    yield "# [[projects]], before the next one. `hcl plan` shows what they change.\n"
    async for check, is_alone in leaving.checks_by_slug(conn, project):
        if why := _why_left_out(check, is_alone):
            name = one_line(check_name(check.name, check.code))
            yield f"\n# Left out: {name} {why}, and a slug names a check here.\n"
        else:
            yield await _table(conn, project, check)


def _why_left_out(check: Check, is_alone: bool) -> str:
    """Say why a check cannot be declared; "": it can."""
    if not check.slug:
        return "has no slug"
    if not is_alone:
        return f"shares the slug {one_line(check.slug)} with others"
    try:
        read_check(Table(Source("", Path(), {}), "", {"slug": check.slug}), ())
    except ConfigError:
        # One that came from elsewhere may be longer, or have other letters.
        shown = cut(one_line(check.slug), _LONGEST_SLUG)
        return f'has the slug "{shown}", which fits in no ping URL'
    return ""


async def _table(conn: Connection, project: ProjectConfig, check: Check) -> str:
    values = _values(check)
    codes = await store.channels.codes_of_check(conn, check.id)
    used = [channel.name for channel in project.channels if channel.id in codes]
    if len(used) < len(project.channels):
        values["channels"] = used
    values, notes = _taken(values, project)
    return "\n" + toml_text.table(_HEADER, values, notes)


def _values(check: Check) -> dict[str, Any]:
    """Return what is to be said of a check: what is no default."""
    default = rules.new_check(0, "", "")._asdict()
    default["name"] = check.slug
    kept = check._asdict()
    is_simple = check.kind == "simple"
    skipped = ("schedule", "tz", "early") if is_simple else ("timeout",)
    values: dict[str, Any] = {"slug": check.slug}
    for name in KEYS["projects.checks"]:
        if name in ("slug", "channels", *skipped):
            continue
        if name in _SAID or kept[name] != default[name]:
            value = kept[name]
            values[name] = as_length(value) if isinstance(value, timedelta) else value
    return values


def _taken(
    values: Mapping[str, Any], project: ProjectConfig
) -> tuple[dict[str, Any], list[str]]:
    """Leave out what no file may say; return a note for each such key."""
    taken, notes = dict(values), list[str]()
    while True:
        table = Table(Source("", Path(), {}), "", taken)
        try:
            read_check(table, project.channels)
        except ConfigError as error:
            if error.spot is None or error.spot.key not in taken:
                raise
            key, problem = error.spot.key, error.spot.problem
            value = taken.pop(key)
            if key == "name" and (line := one_line(value)) != value:
                taken[key] = line
                notes.append("its name has several lines")
            else:
                notes.append(f"left out, since no file may say it: {key} {problem}")
        else:
            return taken, notes
