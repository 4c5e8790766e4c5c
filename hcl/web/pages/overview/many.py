"""Do something to many checks at once: those that were chosen in the list."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.responses import Response

from hcl import store
from hcl.checks.managing import DeclaredError, ForeignCheckError, UnknownCheckError
from hcl.checks.rules import NotPausedError
from hcl.checks.spec import TAGS_LENGTH, CheckSpec
from hcl.db import SQLError, tell
from hcl.model import DECLARED, Check, Project
from hcl.repeats import Repeats
from hcl.web.pages.visit import notices
from hcl.web.pages.visit.errors import PageError
from hcl.web.pages.visit.sign_in import own_path
from hcl.web.pages.visit.visit import Visit
from hcl.words.lines import counted
from hcl.words.names import title

logger = logging.getLogger(__name__)
logger.addFilter(Repeats())

# As many as a page of the list has.
_MOST = 100
# Names of chosen checks that are shown before something is done to them.
_NAMED = 20

LENGTHS = (
    ("3600", "1 hour"),
    ("14400", "4 hours"),
    ("43200", "12 hours"),
    ("86400", "1 day"),
    ("604800", "1 week"),
    ("0", "no longer"),
)

Change = Callable[[Check], Awaitable[object]]


class _Deed(NamedTuple):
    """Something to do: what the notice says, and whether more has to be asked."""

    done: str
    asks: bool = False


_DEEDS = {
    "pause": _Deed("Paused"),
    "resume": _Deed("Resumed"),
    "mute": _Deed("Muted", asks=True),
    "tag": _Deed("Changed the tags of", asks=True),
    "delete": _Deed("Deleted", asks=True),
}


async def many(visit: Visit) -> Response:
    """POST /projects/<code>/many: do it, or ask what else there is to know."""
    project, name = visit.project(), _one(visit, "do")
    if name not in _DEEDS:
        raise PageError(422, "No such action", "Nothing was changed.")
    chosen = await _chosen(visit, project)
    if not chosen:
        return _back(visit, f"{notices.BAD}Select some checks first.")
    deed = _DEEDS[name]
    if deed.asks and not _one(visit, "sure"):
        return await _ask(visit, project, name, chosen)
    done = declared = 0
    change = _change_of(visit, project, name, chosen)
    for check in chosen:
        try:
            await change(check)
            done += 1
        except (UnknownCheckError, ForeignCheckError, NotPausedError):
            # Somebody else was faster.
            continue
        except DeclaredError:
            declared += 1
        except SQLError as error:
            if not done:
                raise
            tell(logger, "the database cannot be used", error)
            raise _cut_off(f"{deed.done} {counted(done, 'check')}") from error
    said = deed.done
    if name == "mute" and not _length(visit):
        said = "Muted no longer:"
    others = len(chosen) - done - declared
    was = "was" if others == 1 else "were"
    why = f"{was} not paused" if name == "resume" else "had gone"
    notice = f"{said} {counted(done, 'check')}." + f" {others} {why}." * bool(others)
    return _back(visit, notice + _of_declared(declared))


def _cut_off(said: str) -> PageError:
    """Tell what was done before the database could not be used."""
    text = f"{said}; then the database could not be used, and the others are as before."
    return PageError(503, "Only some of it is done", text)


def _of_declared(count: int) -> str:
    """Say of how many nothing was done, since it is the file that tells of them."""
    if not count:
        return ""
    are, them = ("is", "it") if count == 1 else ("are", "them")
    return f" {count} {are} declared in hcl.toml: change {them} there."


def _change_of(
    visit: Visit, project: Project, name: str, chosen: list[Check]
) -> Change:
    """Return what is to be done to each. Raises PageError."""
    managing, now = visit.parts.managing, visit.parts.clock.now
    if name == "pause":
        return lambda check: managing.pause(project, check.code, now())
    if name == "resume":
        return lambda check: managing.resume(project, check.code, now())
    if name == "delete":
        return lambda check: managing.delete(project, check.code)
    if name == "mute":
        length = _length(visit)
        return lambda check: managing.mute(project, check.code, length, now())
    add, drop = _one(visit, "add").split(), _one(visit, "drop").split()
    # Of all before the first is changed: one may get too many.
    tags = {check.id: _tags(check, add, drop) for check in chosen}
    return lambda check: managing.update(
        project, check.code, CheckSpec(tags=tags[check.id]), now()
    )


def _tags(check: Check, add: list[str], drop: list[str]) -> str:
    kept = [tag for tag in dict.fromkeys([*check.tag_list, *add]) if tag not in drop]
    tags = " ".join(kept)
    if len(tags) > TAGS_LENGTH:
        text = f"{title(check)} would have more than {TAGS_LENGTH} characters of tags."
        raise PageError(422, "Too many tags", f"{text} Nothing was changed.")
    return tags


def _length(visit: Visit) -> timedelta:
    seconds = _one(visit, "seconds")
    if seconds not in dict(LENGTHS):
        raise PageError(422, "No such length", "Nothing was changed.")
    return timedelta(seconds=int(seconds))


def _one(visit: Visit, name: str) -> str:
    return visit.form.get(name, [""])[-1]


async def _chosen(visit: Visit, project: Project) -> list[Check]:
    """Return the chosen checks that are still there, in the order of the list."""
    conn = await visit.parts.database.current()
    codes = dict.fromkeys(visit.form.get("check", [])[:_MOST])
    found = [await store.checks.by_code(conn, code) for code in codes]
    return [check for check in found if check and check.project_id == project.id]


async def _ask(
    visit: Visit, project: Project, name: str, chosen: list[Check]
) -> Response:
    return await visit.render(
        "many.html",
        project=project,
        nav="checks",
        do=name,
        chosen=chosen,
        names=[title(check) for check in chosen[:_NAMED]],
        more=len(chosen[_NAMED:]),
        declared=sum(check.origin == DECLARED for check in chosen),
        pings=sum(check.n_pings for check in chosen),
        lengths=LENGTHS,
        next=_one(visit, "next"),
        tags=sorted({tag for check in chosen for tag in check.tag_list}),
        back=visit.url.to(own_path(_one(visit, "next"))),
    )


def _back(visit: Visit, notice: str) -> Response:
    """Lead back to the list as it was; what was chosen is forgotten."""
    url = urlsplit(own_path(_one(visit, "next")))
    asked = [pair for pair in parse_qsl(url.query) if pair[0] != "select"]
    if notice.startswith(notices.BAD):
        asked = parse_qsl(url.query)
    return visit.see_other(url._replace(query=urlencode(asked)).geturl(), notice)
