"""The form of a check: to make a new one, to edit one, to preview its schedule."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.responses import Response

from hcl import store
from hcl.checks import editing, schedule
from hcl.checks.managing import (
    ChannelError,
    DeclaredError,
    EditedError,
    LimitError,
    SharedSlugError,
)
from hcl.checks.spec import slugify
from hcl.db import SQLError, tell
from hcl.model import DECLARED, Check, Project
from hcl.repeats import Repeats
from hcl.web.json_answer import JSONResponse
from hcl.web.pages.check import declared, whom
from hcl.web.pages.check import draft as drafts
from hcl.web.pages.check.draft import PRESETS, Draft
from hcl.web.pages.check.due import TIMES
from hcl.web.pages.visit.visit import Visit
from hcl.words.lengths import duration, every
from hcl.words.lines import clean, one_line
from hcl.words.moments import iso, on_the_wall
from hcl.words.names import title
from hcl.words.refusals import CHANNEL_GONE, no_more_checks
from hcl.words.schedule import in_words

logger = logging.getLogger(__name__)
logger.addFilter(Repeats())

_LABELS = {
    "name": "Name",
    "slug": "Slug",
    "tags": "Tags",
    "desc": "Description",
    "kind": "Kind of schedule",
    "timeout": "Period",
    "grace": "Grace",
    "schedule": "Expression",
    "tz": "Time zone",
    "methods": "Methods",
    "manual_resume": "Resume by hand",
    "start_kw": "Start keywords",
    "success_kw": "Success keywords",
    "failure_kw": "Failure keywords",
    "filter_subject": "Search subjects of mail",
    "filter_body": "Search texts of mail",
    "filter_http_body": "Search bodies of HTTP pings",
    "filter_default_fail": "Without a keyword",
    "max_run": "Longest run",
    "min_run": "Shortest run",
    "down_after": "Bad outcomes in a row",
    "early": "How early it may ping",
    "channels": "Integrations",
}

_SLUG_SHARED = "Another check has this slug: a ping by it would reach neither."
_UNUSABLE = "Nothing is saved: the database cannot be used now. Try again in a while."


@dataclass(frozen=True, slots=True)
class Preview:
    """What a schedule means: in words, and when it fires next.

    `tz` is the zone of the times. `problem` tells why there are none, "" if there are.
    """

    words: str = ""
    tz: str = "UTC"
    times: tuple[datetime, ...] = ()
    problem: str = ""


async def new(visit: Visit) -> Response:
    """GET and POST /projects/<code>/new."""
    parts, project = visit.parts, visit.project()
    conn = parts.database.committed
    offered = await whom.choices(conn, parts.config, project)
    form = _Form(visit, project, offered)
    if visit.request.method != "POST":
        return await form.show(drafts.fresh(whom.all_once(offered)))
    typed, is_draft = _typed(visit, offered)
    wanted, problems = drafts.ask(typed)
    if problems or is_draft:
        return await form.show(typed, problems)
    now = parts.clock.now()
    try:
        check, _, _ = await parts.managing.create(project, wanted, now, own_slug=True)
    except LimitError:
        return await form.show(
            typed, {"": no_more_checks(project.check_limit)}, status=403
        )
    except ChannelError:
        return await form.show(typed, {"channels": CHANNEL_GONE})
    except DeclaredError:
        return await form.show(typed, {"slug": declared.SLUG_TAKEN})
    except SharedSlugError:
        return await form.show(typed, {"slug": _SLUG_SHARED})
    except SQLError as error:
        return await form.put_off(typed, error)
    return visit.see_other(
        f"/checks/{check.code}", _said(f"Created {title(check)}.", typed)
    )


async def edit(visit: Visit) -> Response:
    """GET and POST /checks/<code>/edit."""
    parts = visit.parts
    project, check = await visit.check()
    if check.origin == DECLARED:
        told = declared.facts(visit, project, check, "Edit")
        return await visit.render("declared.html", **told)
    conn = parts.database.committed
    offered = await whom.choices(conn, parts.config, project)
    codes = await store.channels.codes_of_check(conn, check.id)
    form = _Form(visit, project, offered, check)
    if visit.request.method != "POST":
        seen, once = (
            editing.fingerprint(check, codes),
            whom.without_members(codes, offered),
        )
        return await form.show(drafts.of_check(check, once), seen=seen)
    typed, is_draft = _typed(visit, offered, check)
    seen = visit.form.get("seen", [""])[-1]
    wanted, problems = drafts.ask(typed, check)
    if problems or is_draft:
        return await form.show(typed, problems, seen=seen)
    now = parts.clock.now()
    try:
        await parts.managing.update(
            project, check.code, wanted, now, seen=seen, own_slug=True
        )
    except ChannelError:
        return await form.show(typed, {"channels": CHANNEL_GONE}, seen=seen)
    except DeclaredError:
        return await form.show(typed, {"slug": declared.SLUG_TAKEN}, seen=seen)
    except SharedSlugError:
        return await form.show(typed, {"slug": _SLUG_SHARED}, seen=seen)
    except EditedError as error:
        return await form.ask_again(typed, error)
    except SQLError as error:
        return await form.put_off(typed, error, seen=seen)
    return visit.see_other(f"/checks/{check.code}", _said("Changes saved.", typed))


def _said(done: str, draft: Draft) -> str:
    return f"{done} {draft.turned}".strip()


def _typed(
    visit: Visit, offered: Sequence[whom.Choice], check: Check | None = None
) -> tuple[Draft, bool]:
    """Return what the form holds, and whether it is only to be looked at."""
    typed = drafts.read(visit.form)
    typed = replace(typed, channels=whom.without_members(typed.channels, offered))
    name = visit.form.get("preset", [""])[-1]
    preset = next((preset for preset in PRESETS if preset.name == name), None)
    if preset is not None:
        typed = replace(typed, **preset.fields)
    is_draft = preset is not None or "preview" in visit.form
    if is_draft and check is None and not typed.slug:
        typed = replace(typed, slug=slugify(typed.name))
    return typed, is_draft


async def preview(visit: Visit) -> Response:
    """POST /projects/<code>/schedule: what a schedule means, for the script."""
    # Only of one's own projects, as all their pages.
    visit.project()
    typed = drafts.read(visit.form)
    shown = await preview_of(typed, visit.now)
    zone = ZoneInfo(shown.tz)
    return JSONResponse(
        {
            "problem": shown.problem,
            "words": shown.words,
            "times": [
                {
                    "at": iso(time),
                    "local": local(time.astimezone(zone)),
                    "wall": f"{time.astimezone(zone):%Y-%m-%dT%H:%M:%S}",
                    "zone": f"{time.astimezone(zone):%Z}",
                }
                for time in shown.times
            ],
        }
    )


def local(moment: datetime) -> str:
    """Write a moment by the clock of its own zone, with the zone's short name."""
    return f"{on_the_wall(moment)} {moment:%Z}"


async def preview_of(draft: Draft, now: datetime) -> Preview:
    """Tell what the schedule of a draft means."""
    if draft.kind == "simple":
        return _simple_preview(draft)
    problem = drafts.expression_problem(draft)
    try:
        tz = schedule.canonical_zone(draft.tz)
    except schedule.ScheduleError:
        tz, problem = "UTC", problem or "There is no such time zone."
    if problem:
        return Preview(tz=tz, problem=problem)
    kind, text = schedule.kind_of(draft.expression), draft.expression
    try:
        # The worst expressions take a while, and pings wait for none of them.
        times = await asyncio.to_thread(
            schedule.next_occurrences, kind, text, tz, now, TIMES
        )
    except schedule.ScheduleError:
        return Preview(tz=tz, problem="This cannot be understood.")
    said = in_words(text) if kind == "cron" else ""
    words = ". ".join(filter(None, (said, draft.turned)))
    problem = "" if times else "This never happens again."
    return Preview(words, tz, tuple(times), problem)


def _simple_preview(draft: Draft) -> Preview:
    wanted, problems = drafts.ask(draft)
    problem = problems.get("timeout") or problems.get("grace", "")
    if problem or "timeout" in problems or wanted.timeout is None:
        return Preview(problem=problem)
    grace = wanted.grace or wanted.timeout
    return Preview(
        f"{every(wanted.timeout)}; alerts when no ping came for"
        f" {duration(wanted.timeout + grace)}"
    )


class _Form:
    """The page of the form; `check` is the one to edit, None for a new one."""

    def __init__(
        self,
        visit: Visit,
        project: Project,
        offered: Sequence[whom.Choice],
        check: Check | None = None,
    ) -> None:
        self._visit = visit
        self._project = project
        self._offered = offered
        self._check = check

    async def show(
        self,
        draft: Draft,
        problems: Mapping[str, str] | None = None,
        *,
        seen: str = "",
        status: int = 422,
        changed: list[tuple[str, str]] | None = None,
    ) -> Response:
        """Show what was typed, and what is wrong with it."""
        shown = await preview_of(draft, self._visit.now)
        return await self._visit.render(
            "form.html",
            status=status if problems or changed else 200,
            project=self._project,
            check=self._check,
            title=title(self._check) if self._check else "",
            nav="checks",
            clean=clean,
            one_line=one_line,
            draft=draft,
            problems=problems or {},
            labels=_LABELS,
            channels=self._offered,
            ticked=draft.channels,
            presets=PRESETS,
            units=list(drafts.UNITS),
            zones=schedule.zones(),
            preview=shown,
            preview_times=[
                (time, local(time.astimezone(ZoneInfo(shown.tz))))
                for time in shown.times
            ],
            seen=seen,
            changed=changed or [],
        )

    async def put_off(
        self, draft: Draft, error: SQLError, *, seen: str = ""
    ) -> Response:
        """Tell that the database cannot be used; nothing is saved, nor lost."""
        tell(logger, "a check cannot be saved", error)
        return await self.show(draft, {"": _UNUSABLE}, seen=seen, status=503)

    async def ask_again(self, draft: Draft, error: EditedError) -> Response:
        """Tell that somebody else has changed the check meanwhile; nothing is saved.

        The form then bears what the check is now: to send it again is to save it.
        """
        names = whom.names(self._offered)
        changed = [
            (_LABELS[name], _value(error, name, names)) for name in error.changed
        ]
        seen = editing.fingerprint(error.check, error.codes)
        return await self.show(draft, seen=seen, status=409, changed=changed)


def _value(error: EditedError, name: str, names: Mapping[str, str]) -> str:
    """Write what a setting is now."""
    if name == "channels":
        return ", ".join(names.get(code, code) for code in error.codes) or "none"
    value = getattr(error.check, name)
    if isinstance(value, timedelta):
        return duration(value) if value else "none"
    if value is None:
        return "none"
    if name == "filter_default_fail":
        return "counts as a failure" if value else "is ignored"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) or "empty"
