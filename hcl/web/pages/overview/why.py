"""Why a check is down or late, in one sentence for its row of the list."""

import logging
from collections.abc import Iterable
from datetime import datetime

from aiosqlite import Connection
from markupsafe import Markup, escape

from hcl import store
from hcl.checks import causes, schedule
from hcl.checks.windows.holding import start_too_long_ago
from hcl.db import readable
from hcl.store.flips import Trouble
from hcl.web.pages.dashboard.boards import Shown
from hcl.web.pages.wording import stamped
from hcl.words.lengths import short
from hcl.words.lines import cut, one_line, printed
from hcl.words.outcomes import in_a_row, then

logger = logging.getLogger(__name__)

# Checks whose reason is looked up: who has more down at once looks at none of them.
_MOST = 200

# Of what a job printed so many bytes are looked at, and characters shown.
_BYTES, _LENGTH = 400, 160


async def troubles_of(conn: Connection, items: Iterable[Shown]) -> dict[int, Trouble]:
    """Return why those of these checks that are down went down, by one query.

    Nothing, if a log in which that is read is damaged.
    """
    down = [item.check.id for item in items if item.check.status == "down"][:_MOST]
    if not down:
        return {}
    return await readable(store.flips.troubles(conn, down, _BYTES), {}, logger)


def since(item: Shown, trouble: Trouble | None, now: datetime) -> datetime | None:
    """Return since when a check is down, or late; None: not known, or it is neither."""
    check, status = item
    if status == "grace" and check.alert_after is not None:
        return schedule.shown_late_since(check, now)
    return trouble.created if trouble is not None and status == "down" else None


def sentence(
    item: Shown, trouble: Trouble | None, now: datetime, *, readonly: bool
) -> Markup | None:
    """Say what is wrong with a check; None: nothing is, or it is not known.

    What a job printed, and its exit status, are not for readers.
    """
    check, status = item
    if status == "grace" and check.bad_outcomes:
        return _said("Late", in_a_row(check))
    late_run = start_too_long_ago(check, now) if status == "grace" else None
    if late_run is not None and check.alert_after is not None:
        left = stamped(check.alert_after, now, "relative")
        start = stamped(late_run, now, "said")
        return _said(
            "Runs too long", f"the run from {start} has not ended; {then(check)} {left}"
        )
    due_at = schedule.next_ping(check)
    if status == "grace" and check.alert_after is not None and due_at is not None:
        due = stamped(due_at, now, "said")
        left = stamped(check.alert_after, now, "relative")
        means = then(check)
        # Where there is little room what comes last is cut, and how long it is late
        # stands beside it anyway.
        head = f"{means[0].upper()}{means[1:]} {left}"
        return _said(head, f"no ping since {due}")
    if status != "down" or trouble is None:
        return None
    if trouble.reason == "fail":
        if readonly:
            return _said("Failed", "")
        head = f"Exit {trouble.exitstatus}" if trouble.exitstatus else "Failed"
        return _said(head, str(escape(_last_line(trouble.printed))))
    if trouble.reason == "short":
        return _said("Ended too soon", "")
    overrun = causes.overrun(check, trouble.reason, trouble.created)
    if overrun is not None:
        begun, limit = stamped(overrun.started, now, "said"), short(overrun.limit)
        rest = f"the run from {begun} did not end within {limit}"
        return _said("Ran too long", rest)
    due = stamped(causes.missed(check, trouble.created).due, now, "said")
    return _said("No ping in time", f"one was due {due}")


def _said(head: str, rest: str) -> Markup:
    # All of it is escaped, or made here.
    return Markup(f"<b>{head}</b> <span>{rest}</span>" if rest else f"<b>{head}</b>")  # noqa: S704 - see above


def _last_line(body: bytes) -> str:
    if b"\0" in body:
        return ""
    # The cut may go through a character.
    text = body.decode("utf-8", "replace").lstrip("\ufffd")
    lines = filter(None, map(one_line, reversed(printed(text).splitlines())))
    return cut(next(lines, ""), _LENGTH)
