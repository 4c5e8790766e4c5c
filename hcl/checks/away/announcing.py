"""Tell people that hcl was away, and of which checks it therefore cannot know."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from aiosqlite import Connection

from hcl import store
from hcl.checks.away.judging import Unheard
from hcl.model import Announcement
from hcl.store.life import Absence, Away
from hcl.words.lengths import brief
from hcl.words.lines import counted, cut, listed, one_line
from hcl.words.moments import moment, span

# Of what is shorter nobody needs to hear.
SHORTEST = timedelta(seconds=60)

# Checks that a message names; the others it counts.
_NAMED, _NAME_LENGTH = 10, 80

_WHY: dict[Away, str] = {
    "stopped": "it was not running",
    "suspended": "it was suspended with its machine",
    "starved": "it was given no time to run",
    "unwritable": "it could not write to its database",
    "clock": "it had no right time",
    "moved": "hcl was not in charge of these checks yet",
    "restored": "it was not there: it goes on from a copy of its database",
}


async def announce(
    conn: Connection,
    away: Absence,
    unheard: Mapping[int, Unheard],
    now: datetime,
    home: str = "UTC",
) -> None:
    """Have each project's people told of an absence, if it matters to their checks.

    `unheard` holds the checks of which nothing can be known, by project id;
    `home` is the zone of moments.
    """
    for project_id, checks in unheard.items():
        own = away
        if checks.moved is not None:
            own = Absence(checks.moved, away.returned, "moved")
        if own.returned - own.went <= SHORTEST:
            continue
        told = of_absence(project_id, own, checks, now, home)
        announcement_id = await store.announcements.add(conn, told)
        await store.notifications.add_for_announcement(conn, announcement_id, now)


def of_absence(
    project_id: int, away: Absence, checks: Unheard, now: datetime, home: str = "UTC"
) -> Announcement:
    """Put an absence into words."""
    went, returned = (moment(when, home=home) for when in (away.went, away.returned))
    length = brief(away.returned - away.went)
    who = "nobody listened" if away.reason == "moved" else "hcl was away"
    return Announcement(
        project_id,
        now,
        "absence",
        f"{who} {span(away.went, away.returned, home)}, {length}",
        (
            f"From {went} to {returned} {_WHY[away.reason]}, and heard no pings.",
            f"hcl cannot know of {counted(checks.count, 'check')}: {_named(checks)}.",
            f"{'It' if checks.count == 1 else 'Each'} has its full time again from then"
            " on, for three absences in a row at most. Until it pings, the dashboard"
            " shows since when it has not been heard.",
        ),
    )


def _named(checks: Unheard) -> str:
    titles = (cut(one_line(title), _NAME_LENGTH) for title in checks.titles[:_NAMED])
    names = list(titles)
    more = checks.count - len(names)
    return listed([*names, f"{more:,} more"] if more > 0 else names)
