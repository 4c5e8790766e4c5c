"""Write the calls, as a shell script with curl, that make checks on a Healthchecks."""

import json
import re
import shlex
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiosqlite import Connection

from hcl.checks.spec import FINER_FIELDS
from hcl.config import ProjectConfig
from hcl.model import Check
from hcl.moving import leaving, naming
from hcl.words.lines import one_line

_HEAD = """\
#!/bin/sh
# Makes the checks of {project} on a Healthchecks server, or on any that speaks its API.
# Written by `hcl export --healthchecks`. Run it with
#   HC_URL=https://healthchecks.io HC_API_KEY=… sh {name}
# where the key is a read-write API key of the project there. Run again, it changes the
# checks that it made before.
#
# A server gives checks UUIDs of its own: each line that is printed tells the old one
# and the new ping URL. URLs with a slug go on working, with the new ping key.
# Channels have to be made there by hand; all of the project are used.
set -eu
: "${{HC_URL:?}}" "${{HC_API_KEY:?}}"

# call PATH: post what comes in, and print the answer.
call() {{
    curl -fsS -m 30 --retry 5 -H "X-Api-Key: $HC_API_KEY" \\
        -H 'Content-Type: application/json' --data-binary @- "$HC_URL/api/v3/$1"
}}

# field NAME: print a URL out of an answer.
field() {{
    sed -n 's/.*"'"$1"'": *"\\([^"]*\\)".*/\\1/p'
}}

# make OLD [pause]: make a check, and pause it. One that is refused keeps no other back.
make() {{
    if ! answer=$(call checks/); then
        printf '%s: not made: the server refuses it as it is\\n' "$1" >&2
        return 1
    fi
    printf '%s -> %s\\n' "$1" "$(printf '%s' "$answer" | field ping_url)"
    if [ "${{2-}}" = pause ]; then
        code=$(printf '%s' "$answer" | field ping_url)
        call "checks/${{code##*/}}/pause" </dev/null >/dev/null
    fi
}}

failed=0
# Whether the server is there, and takes the key.
curl -fsS -m 30 --retry 5 -H "X-Api-Key: $HC_API_KEY" "$HC_URL/api/v3/channels/" \\
    >/dev/null
"""

_TAIL = """
exit "$failed"
"""

# What the peer takes of a text.
_LONGEST = {"name": 100, "tags": 500, "desc": 10_000}

# Of a name so much, where a number is put behind it.
_ROOM = 90

# The names of checks that a server cannot tell apart otherwise, by slug and tags.
_Taken = dict[tuple[str, str], set[str]]

_SLUG = re.compile(r"[a-z0-9_-]{0,100}")

_SWITCHES = (
    "manual_resume",
    "filter_subject",
    "filter_body",
    "filter_http_body",
    "filter_default_fail",
)
_TEXTS = ("methods", "start_kw", "success_kw", "failure_kw")


async def lines(conn: Connection, project: ProjectConfig) -> AsyncIterator[str]:
    """Yield the script for one project, a few lines at a time."""
    shown = one_line(project.name)
    yield _HEAD.format(project=shown, name="this-file")
    taken: _Taken = {}
    async for check, is_alone in leaving.checks_by_slug(conn, project):
        yield _call(check, taken, is_alone=is_alone)
    yield _TAIL


def _call(check: Check, taken: _Taken, *, is_alone: bool) -> str:
    """Write the call for a check; `is_alone`: no other has its slug."""
    document, notes = _document(check), _notes(check)
    if is_alone and document["slug"]:
        document["unique"] = ["slug"]
    else:
        document["unique"] = ["name", "slug", "tags"]
        notes += _told_apart(document, check.code, taken)
    pause = " pause" if check.status == "paused" else ""
    text = json.dumps(document, ensure_ascii=False)
    above = "".join(f"# {note}\n" for note in notes)
    # As a word, not a here document: no line of a text can end that.
    made = f"make {check.code}{pause} || failed=1"
    return f"\n{above}printf %s {shlex.quote(text)} |\n    {made}\n"


def _told_apart(document: dict[str, Any], code: str, taken: _Taken) -> list[str]:
    """Give a check another name, if one before has all by which it is found again.

    Else the server would make one of both. Return what is to be noted of that.
    """
    names = taken.setdefault((document["slug"], document["tags"]), set())
    notes = []
    if document["name"] in names:
        document["name"] = naming.free(document["name"][:_ROOM] or code, names)
        shown = one_line(document["name"])
        why = "its name, slug and tags are those of another"
        notes.append(f'it is called "{shown}" there: {why}')
    names.add(document["name"])
    return notes


def _document(check: Check) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": check.name,
        "slug": check.slug if _fits(check.slug) else "",
        "tags": check.tags,
        "desc": check.desc,
        "grace": int(check.grace.total_seconds()),
        "channels": "*",
        **{name: getattr(check, name) for name in (*_TEXTS, *_SWITCHES)},
    }
    if check.kind == "simple":
        document["timeout"] = int(check.timeout.total_seconds())
    else:
        document |= {"schedule": check.schedule, "tz": check.tz}
    return _cut(document)


def _fits(slug: str) -> bool:
    """Tell whether the peer takes a slug, which longer ones and capitals are not."""
    return bool(_SLUG.fullmatch(slug))


def _cut(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value[: _LONGEST[name]] if name in _LONGEST else value
        for name, value in document.items()
    }


def _notes(check: Check) -> list[str]:
    finer = [
        f"its {name} is left out: no Healthchecks knows that"
        for name in FINER_FIELDS
        if getattr(check, name) != Check._field_defaults[name]
    ]
    if not _fits(check.slug):
        finer.append("its slug is left out: it fits in no ping URL there")
    return finer + [
        f"its {name} is longer than the {limit} characters that are taken there"
        for name, limit in _LONGEST.items()
        if len(getattr(check, name)) > limit
    ]
