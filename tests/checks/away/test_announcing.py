"""What is told of an absence, and to whom."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.checks.away.announcing import announce, of_absence
from hcl.checks.away.judging import Unheard
from hcl.store.life import Absence
from tests import toml
from tests.app import App, running_app
from tests.build import DAY, NOW
from tests.store import rows

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
RETURNED = datetime(2026, 6, 15, 3, 10, tzinfo=NOW.tzinfo)


def away(length: timedelta, reason: Any = "stopped") -> Absence:
    return Absence(RETURNED - length, RETURNED, reason)


def story(checks: Unheard, reason: Any = "stopped") -> list[str]:
    return list(of_absence(1, away(15 * MINUTE, reason), checks, RETURNED).story)


@pytest.mark.parametrize(
    ("length", "subject"),
    [
        (15 * MINUTE, "hcl was away from 02:55 to 03:10 UTC, 15 min"),
        (61 * SECOND, "hcl was away from 03:08 to 03:10 UTC, 1 min 1 s"),
        (
            4 * 60 * MINUTE,
            "hcl was away from 2026-06-14 23:10 to 2026-06-15 03:10 UTC, 4 h",
        ),
        (
            3 * DAY,
            "hcl was away from 2026-06-12 03:10 to 2026-06-15 03:10 UTC, 3 d",
        ),
    ],
)
def test_subject_tells_from_when_to_when(length: timedelta, subject: str) -> None:
    told = of_absence(1, away(length), Unheard(["a"], 1), RETURNED)

    assert told.subject == subject
    assert (told.project_id, told.kind, told.created) == (1, "absence", RETURNED)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("stopped", "it was not running, and heard no pings."),
        ("suspended", "it was suspended with its machine, and heard no pings."),
        ("starved", "it was given no time to run, and heard no pings."),
        ("clock", "it had no right time, and heard no pings."),
        ("unwritable", "it could not write to its database, and heard no pings."),
        (
            "restored",
            "it was not there: it goes on from a copy of its database, and heard no"
            " pings.",
        ),
    ],
)
def test_story_tells_why(reason: str, words: str) -> None:
    [first, *_] = story(Unheard(["a"], 1), reason)

    times = "From 2026-06-15 02:55:00 UTC to 2026-06-15 03:10:00 UTC"
    assert first == f"{times} {words}"


@pytest.mark.parametrize(
    ("checks", "words"),
    [
        (Unheard(["a"], 1), "1 check: a."),
        (Unheard(["a", "b", "c"], 3), "3 checks: a, b and c."),
        (
            Unheard([f"job {n}" for n in range(10)], 10),
            "10 checks: job 0, job 1, job 2, job 3, job 4, job 5, job 6, job 7, job 8"
            " and job 9.",
        ),
        (
            Unheard([f"job {n}" for n in range(20)], 1234),
            "1,234 checks: job 0, job 1, job 2, job 3, job 4, job 5, job 6, job 7,"
            " job 8, job 9 and 1,224 more.",
        ),
        (Unheard(["a\nb\x1b[31m"], 1), "1 check: a b[31m."),
        (Unheard(["x" * 200], 1), f"1 check: {'x' * 79}…."),
    ],
)
def test_story_names_ten_checks_and_counts_the_others(
    checks: Unheard, words: str
) -> None:
    _, second, _ = story(checks)

    assert second == f"hcl cannot know of {words}"


async def waiting(app: App) -> list[Any]:
    return await rows(
        app.database,
        "SELECT a.project_id, c.name FROM notifications n"
        " JOIN announcements a ON a.id = n.announcement_id"
        " JOIN channels c ON c.id = n.channel_id WHERE n.next_try NOT NULL"
        " ORDER BY n.id",
    )


FILE = "\n".join(
    [
        toml.smtp(9),
        toml.project("Home", "home"),
        toml.email("Mail"),
        toml.email("Quiet", events=["down", "up"]),
        toml.webhook("Hook", down="http://127.0.0.1:9"),
        toml.project("Work", "work"),
        toml.email("Boss"),
        toml.project("Idle", "idle"),
        toml.email("Nobody"),
    ]
)


async def test_each_project_is_told_once_over_the_channels_that_tell_of_hcl(
    tmp_path: Path,
) -> None:
    unheard = {1: Unheard(["a", "b"], 2), 2: Unheard(["c"], 1)}
    async with running_app(tmp_path, FILE) as app:
        async with app.database.transaction() as conn:
            await announce(conn, away(15 * MINUTE), unheard, RETURNED)

        kept = await store.announcements.since(app.database.committed, RETURNED)
        assert [told.project_id for told in kept] == [2, 1]
        assert await waiting(app) == [(1, "Mail"), (2, "Boss")]


@pytest.mark.parametrize(
    ("length", "unheard"),
    [
        (MINUTE, {1: Unheard(["a"], 1)}),
        (15 * MINUTE, {}),
    ],
)
async def test_what_matters_to_nobody_is_not_told(
    tmp_path: Path, length: timedelta, unheard: dict[int, Unheard]
) -> None:
    async with running_app(tmp_path, FILE) as app:
        async with app.database.transaction() as conn:
            await announce(conn, away(length), unheard, RETURNED)

        kept = await store.announcements.since(app.database.committed, RETURNED)
        assert kept == []
        assert await waiting(app) == []
