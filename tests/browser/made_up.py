"""A server's past, made up: checks of every status, with weeks of pings and flips."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hcl import store
from hcl.checks import rules
from hcl.checks.spec import slugify
from hcl.db import Database
from hcl.model import Check, Flip, Ping
from tests.app import assembled
from tests.build import make_check, make_ping
from tests.store import put_pings

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

# What hostile clients send; each has to be shown as it is.
HOSTILE = '<script>alert(1)</script> <img src=x onerror="alert(2)"> "\'>&amp;'

_LOG = b"""receiving incremental file list
etc/
home/photos/
sent 48,120 bytes  received 912,344,120 bytes  6.1M bytes/sec
total size is 41,220,981,002  speedup is 45.18
"""


@dataclass(frozen=True, slots=True)
class Story:
    """What happened to one check.

    A run every `every`, each `takes` seconds long; `fails` counts from the newest run,
    which ended `ago`, or began when it was last `at` in Riga. `ends` is the shown
    status that comes of it.
    """

    name: str
    tags: str
    every: timedelta
    takes: float = 0.0
    ends: str = "up"
    ago: timedelta | None = None
    fails: tuple[int, ...] = ()
    at: time | None = None
    runs: int = 120
    fields: dict[str, Any] = field(default_factory=dict)


STORIES = (
    Story("Nightly backup", "backup nas", DAY, 1260, at=time(3, 5), fails=(9, 23), fields={"kind": "cron", "schedule": "5 3 * * *", "tz": "Europe/Riga", "desc": "restic to the NAS, then off-site."}),  # noqa: E501
    Story("Database dump", "backup db", 6 * HOUR, 184, fails=(31,)),
    Story("Photo sync", "home", HOUR, 41, ends="grace", ago=HOUR + 20 * MINUTE),
    Story("Certificate renewal", "web", 7 * DAY, 12, at=time(4), runs=20, fields={"kind": "cron", "schedule": "0 4 * * 1"}),  # noqa: E501
    Story("Mail queue", "mail prod", 5 * MINUTE, 0, runs=400, fails=(220, 221)),
    Story("Off-site copy", "backup", DAY, 5400, ends="down", ago=30 * HOUR, fails=(0, 14)),  # noqa: E501
    Story("Price import", "shop prod", 15 * MINUTE, 73, ends="started", runs=300),
    Story("Heating logger", "home iot", 10 * MINUTE, 0, runs=300, fails=(77, 140)),
    Story("DNS zone check", "web prod", HOUR, 2, fields={"kind": "oncalendar", "schedule": "Mon..Fri *-*-* 08..18:00"}),  # noqa: E501
    Story("Old NAS scrub", "nas", 30 * DAY, 14000, ends="paused", runs=6),
    Story("Invoice run", "shop", 7 * DAY, 31, ends="new", runs=0),
)  # fmt: skip


async def fill(folder: Path, stories: tuple[Story, ...] = STORIES) -> list[Check]:
    """Write a past into the database of the hcl.toml in a folder; nothing serves it."""
    async with assembled(folder / "hcl.toml") as assembly:
        return [await _tell(assembly.database, story) for story in stories]


async def _tell(database: Database, story: Story) -> Check:
    check = _check(story)
    async with database.transaction() as conn:
        check = check._replace(id=await store.checks.add(conn, check))
        await store.channels.assign_all(conn, check.id, check.project_id)
    pings, changes = [], []
    for sent in _pings(story):
        transition, ping = rules.on_ping(check, sent)
        if transition.flip is not None:
            changes.append((transition.check, transition.flip))
        check = transition.check
        pings.append((check.id, ping))
    check, last = _end(check, story)
    await put_pings(database, *pings)
    async with database.transaction() as conn:
        await store.flips.add(conn, [*changes, *last])
        await store.checks.save(conn, check)
    return check


def _check(story: Story) -> Check:
    return make_check(
        code=str(uuid.uuid4()),
        badge_key=str(uuid.uuid4()),
        name=story.name,
        slug=slugify(story.name),
        tags=story.tags,
        **{"timeout": story.every, "grace": max(HOUR, story.every / 4)} | story.fields,
    )


def _pings(story: Story) -> Iterator[Ping]:
    """Make the pings of all runs, the oldest first: two for a run that takes time."""
    chance = random.Random(story.name)
    last = _last(story)
    if story.runs:
        # It is older than its log.
        yield _ping(last - story.runs * story.every - 60 * DAY, "success")
    for number in reversed(range(story.runs)):
        ended = last - number * story.every
        took = timedelta(seconds=story.takes * chance.uniform(0.8, 1.5))
        if took:
            yield _ping(ended - took, "start")
        failed = number in story.fails
        yield _ping(
            ended, "fail" if failed else "success",
            exitstatus=23 if failed else None,
            body=b"rsync: connection unexpectedly closed\n" if failed else _LOG,
        )  # fmt: skip
    if story.ends == "started":
        yield _ping(datetime.now(UTC) - 3 * MINUTE, "start")


def _last(story: Story) -> datetime:
    """Return when the newest run ended."""
    now = datetime.now(UTC)
    if story.at is None:
        return now - (story.ago or min(story.every / 3, 5 * HOUR))
    local = now.astimezone(ZoneInfo("Europe/Riga")) - HOUR
    begun = datetime.combine(local.date(), story.at, local.tzinfo)
    if begun > local:
        begun -= DAY
    return begun.astimezone(UTC) + timedelta(seconds=story.takes)


def _ping(created: datetime, action: Any, **more: Any) -> Ping:
    values = {"method": "POST", "scheme": "https", "ua": "curl/8.14.1"}
    return make_ping(created=created, action=action, **(values | more))


def _end(check: Check, story: Story) -> tuple[Check, list[tuple[Check, Flip]]]:
    if story.ends == "paused":
        transition = rules.on_pause(check, datetime.now(UTC) - 9 * DAY)
        flips = [(transition.check, transition.flip)] if transition.flip else []
        return transition.check, flips
    return check, []
