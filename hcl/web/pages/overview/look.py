"""The look: all parts of pages in all their states, for those who build pages."""

from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from hcl.checks import rules
from hcl.model import Check, Status
from hcl.store.flips import Trouble, Turn
from hcl.web.pages.dashboard.boards import Shown
from hcl.web.pages.overview import rows
from hcl.web.pages.overview.listing import Tally
from hcl.web.pages.visit.visit import Visit

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

TOKENS = {
    "grounds": ("page", "surface", "sunken", "late-tint", "down-tint"),
    "lines": ("line", "edge"),
    "inks": ("text", "text-2", "accent", "on-accent", "up", "late", "down"),
    "fills": ("up-fill", "late-fill", "down-fill", "idle-fill"),
}
SPACES = ("s1", "s2", "s3", "s4", "s5", "s6")
SIZES = ("t-xs", "t-s", "t-m", "t-l", "t-xl")


async def page(visit: Visit) -> Response:
    """GET /look: in no menu."""
    now = visit.shown
    items = [Shown(check, rules.shown_status(check, now)) for check in _checks(now)]
    facts = rows.Facts(
        flips={item.check.id: _flips(item.check.status, now) for item in items[:4]},
        alone={items[-1].check.id},
        troubles={
            1: Trouble("fail", now - 130 * _MINUTE, 11, b"rsync: No space left (28)"),
            2: Trouble("timeout", now - 38 * _MINUTE, None, b""),
            3: Trouble("timeout", now - 3 * _DAY, None, b""),
        },
        usual={5: 12 * _MINUTE},
    )
    drawn = await rows.rows(items, facts, visit.url, now)
    return await visit.render(
        "look.html",
        rows=Markup("\n").join(drawn.values()),
        picked=Markup("\n").join(
            rows.row(
                item._replace(check=item.check._replace(id=100 + item.check.id)),
                facts,
                visit.url,
                now,
                is_selecting=True,
            )
            for item in items[3:6]
        ),
        tallies=[
            Tally("backup", {"down": 1, "up": 2}),
            Tally("home", {"grace": 1, "up": 2}),
            Tally("web", {"up": 2}),
        ],
        tokens=TOKENS,
        spaces=SPACES,
        sizes=SIZES,
        muted_until=now + 4 * _HOUR,
    )


def _checks(now: datetime) -> list[Check]:
    """Make a check of each kind that a row knows."""
    up: dict[str, Any] = {
        "status": "up",
        "n_pings": 9,
        "last_ping": now - 5 * _MINUTE,
        "alert_after": now + _DAY,
    }
    down = {**up, "status": "down", "alert_after": None}
    run = {"last_start": now - 53 * _MINUTE, "grace": 15 * _MINUTE}
    states: list[dict[str, Any]] = [
        {**down, "name": "It failed", "tags": "backup nas"},
        {**down, **run, "name": "It ran too long", "muted_until": now + 4 * _HOUR},
        {**down, "name": "It was missed", "tags": "shop"},
        {**up, "name": "It is late", "alert_after": now + 40 * _MINUTE},
        {**up, "name": "It runs", "last_start": now - 4 * _MINUTE, "tags": "db"},
        {**up, "name": "It is up", "kind": "cron", "schedule": "5 3 * * *"},
        {**up, "name": "It was excused", "excused": 1},
        {"name": "It is new"},
        {**up, "status": "paused", "alert_after": None, "name": "It is paused"},
        {**up, "name": "W" * 100, "tags": " ".join(f"tag{n}" for n in range(60))},
        {**up, "name": ""},
    ]
    code = "00000000-0000-4000-8000-0000000000{:02}"
    return [
        Check(number, 0, code.format(number), "", **state)
        for number, state in enumerate(states, 1)
    ]


def _flips(status: Status, now: datetime) -> list[Turn]:
    """Make a past with an outage of a day and one of three hours."""
    days: list[tuple[float, Status, Status]] = [
        (20, "new", "up"),
        (10.5, "up", "down"),
        (9, "down", "up"),
        (3, "up", "down"),
        (2.9, "down", "up"),
    ]
    flips = [((now - n * _DAY).timestamp(), old, new) for n, old, new in days]
    if status == "down":
        flips.append(((now - 2 * _HOUR).timestamp(), "up", "down"))
    return flips
