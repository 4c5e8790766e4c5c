"""Reports go out at their moments: once, over restarts and absences too."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hcl import store
from hcl.model import Check, Flip
from hcl.store.life import Absence
from tests import toml
from tests.app import App, running_app
from tests.build import HOUR, NOW, make_ping
from tests.sinks import HttpSink
from tests.store import put_check, put_pings, rows

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
# Daily, at the hour of NOW in UTC.
DAILY = '[[projects.reports]]\nevery = "day"\nat = "12:00"\nchannels = ["Own"]\n'


async def down_for_an_hour(app: App, check: Check) -> None:
    flips = [
        (check, Flip(NOW - 3 * HOUR, "up", "down", "fail")),
        (check, Flip(NOW - 2 * HOUR, "down", "up", "")),
    ]
    async with app.database.transaction() as conn:
        await store.flips.add(conn, flips)


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


def config(sink: HttpSink, reports: str = DAILY) -> str:
    own = toml.webhook("Own", server=toml.post(sink.url, "$NAME / $BODY"))
    # It is told of hcl itself, but named in no report.
    other = toml.webhook("Other", server=toml.post(sink.url, "other"))
    return toml.project() + own + other + reports


async def sent(app: App, at: datetime) -> int:
    """Send what is due; return how many messages that makes in all."""
    await app.assembly.reporter.send_once(at)
    [count] = await rows(app.database, "SELECT count(*) FROM notifications")
    return int(count)


async def test_report_goes_out_at_its_moment_over_its_channels(
    tmp_path: Path, sink: HttpSink
) -> None:
    async with running_app(tmp_path, config(sink)) as app:
        reporter = app.assembly.reporter
        assert await sent(app, NOW - HOUR) == 0
        check = await put_check(app.database, 1, status="up", name="Nightly backup")
        await down_for_an_hour(app, check)
        version = app.parts.changes.begin()

        assert await reporter.send_once(NOW) == NOW + DAY
        assert app.parts.changes.is_over(version)
        assert await sent(app, NOW + MINUTE) == 1
        await app.sender.send_once(NOW + MINUTE)

    [request] = sink.records
    assert request.text == (
        "Daily report of Home: 1 check was down / From 2026-06-14 12:00 to"
        " 2026-06-15 12:00 UTC: 1 check, of which 1 was down: 1 outage, 1 hour in all."
        "\n\nWas down – Nightly backup: 1 hour."
    )


async def test_new_report_tells_of_no_moment_before_it(
    tmp_path: Path, sink: HttpSink
) -> None:
    async with running_app(tmp_path, config(sink)) as app:
        assert await sent(app, NOW + HOUR) == 0
        assert await sent(app, NOW + DAY) == 1


async def test_report_that_was_taken_out_and_is_put_back_comes_at_its_next_moment(
    tmp_path: Path, sink: HttpSink
) -> None:
    async with running_app(tmp_path, config(sink)) as app:
        assert await sent(app, NOW - HOUR) == 0
        await app.reload(config(sink, ""))
        assert await sent(app, NOW + DAY) == 0

        await app.reload(config(sink))
        assert await sent(app, NOW + 7 * DAY + HOUR) == 0
        assert await sent(app, NOW + 8 * DAY) == 1
        [told] = await store.announcements.since(app.database.committed, NOW)

    assert told.story[0].startswith("From 2026-06-22 12:00 to 2026-06-23 12:00 UTC:")


async def test_an_edit_that_is_undone_before_its_moment_changes_no_report(
    tmp_path: Path, sink: HttpSink
) -> None:
    weekly = DAILY.replace("day", "week").replace("12:00", "Mon 12:00")
    async with running_app(tmp_path, config(sink, weekly)) as app:
        assert await sent(app, NOW - HOUR) == 0
        for reports in ("", weekly):
            await app.reload(config(sink, reports))
            await sent(app, NOW - HOUR / 2)
        assert await sent(app, NOW) == 1


async def test_report_is_neither_lost_nor_sent_twice_by_restarts(
    tmp_path: Path, sink: HttpSink
) -> None:
    counts = []
    for hours in (-1, 2, 3, 23, 24, 25):
        async with running_app(tmp_path, config(sink)) as app:
            counts.append(await sent(app, NOW + hours * HOUR))

    assert counts == [0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("late", "messages"),
    [(timedelta(0), 1), (DAY - MINUTE, 1), (DAY, 0), (3 * DAY, 0)],
)
async def test_report_goes_late_if_under_a_day_old(
    tmp_path: Path, sink: HttpSink, late: timedelta, messages: int
) -> None:
    weekly = DAILY.replace("day", "week").replace("12:00", "Mon 12:00")
    async with running_app(tmp_path, config(sink, weekly)) as app:
        assert await sent(app, NOW - HOUR) == 0
        assert await sent(app, NOW + late) == messages
        assert await sent(app, NOW + late + MINUTE) == messages


async def test_report_after_several_is_one_and_tells_of_all_since_the_last(
    tmp_path: Path, sink: HttpSink
) -> None:
    async with running_app(tmp_path, config(sink)) as app:
        await sent(app, NOW - HOUR)
        assert await sent(app, NOW + 3 * DAY) == 1
        [told] = await store.announcements.since(app.database.committed, NOW)

    assert told.story[0].startswith("From 2026-06-14 12:00 to 2026-06-18 12:00 UTC:")


async def test_clock_that_was_ahead_puts_no_report_off(
    tmp_path: Path, sink: HttpSink
) -> None:
    async with running_app(tmp_path, config(sink)) as app:
        await sent(app, NOW + 365 * DAY)
        assert await sent(app, NOW - HOUR) == 0
        assert await sent(app, NOW) == 1


async def test_report_that_came_by_a_clock_a_bit_ahead_comes_not_twice(
    tmp_path: Path, sink: HttpSink
) -> None:
    async with running_app(tmp_path, config(sink)) as app:
        await sent(app, NOW - HOUR)
        assert await sent(app, NOW) == 1
        # It was set back by ten minutes.
        assert await sent(app, NOW - 10 * MINUTE) == 1
        assert await sent(app, NOW) == 1
        assert await sent(app, NOW + DAY) == 2


async def test_quiet_report_with_nothing_to_say_does_not_come(
    tmp_path: Path, sink: HttpSink
) -> None:
    reports = f"{DAILY}quiet = true\n{DAILY}"
    async with running_app(tmp_path, config(sink, reports)) as app:
        await put_check(app.database, 1, status="up")
        await sent(app, NOW - HOUR)
        # The other one says that nothing was down.
        assert await sent(app, NOW) == 1


async def test_report_is_about_checks_with_its_tags(
    tmp_path: Path, sink: HttpSink
) -> None:
    reports = f'{DAILY}tags = ["nas", "db"]\n'
    async with running_app(tmp_path, config(sink, reports)) as app:
        for name, tags in (("A", "nas x"), ("B", "web"), ("C", "db")):
            await put_check(app.database, 1, status="down", name=name, tags=tags)
        await sent(app, NOW - HOUR)
        await sent(app, NOW)
        [told] = await store.announcements.since(app.database.committed, NOW)

    assert "2 checks, of which 2 were down" in told.story[0]
    assert [line.name for line in told.sections[0].lines] == ["A", "C"]


async def ran(
    app: App, runs: int, slow: int, every: timedelta, *, filed: bool = True
) -> None:
    """Put a job that ran so often up to NOW, ten times shorter than `every`.

    But the one with the number `slow`, which took four times as long.
    """
    check = await put_check(app.database, 1, status="up", name="Sync")
    pings = []
    for i in range(runs):
        ended = NOW - (runs - i) * every
        began = ended - every / 10 * (4 if i == slow else 1)
        pings += [
            make_ping(n=2 * i + 1, action="start", created=began),
            make_ping(n=2 * i + 2, action="success", created=ended),
        ]
    received = [(check.id, ping) for ping in pings]
    before = 0 if filed else -4
    await put_pings(app.database, *received[: before or None])
    await put_pings(app.database, *received[before or len(received) :], filed=False)


@pytest.mark.parametrize("filed", [True, False])
async def test_run_times_are_told(tmp_path: Path, sink: HttpSink, filed: bool) -> None:
    """Those too that came so lately that they are not in the log yet."""
    async with running_app(tmp_path, config(sink)) as app:
        await ran(app, 15, 13, HOUR, filed=filed)
        await sent(app, NOW - HOUR / 2)
        await sent(app, NOW)
        [told] = await store.announcements.since(app.database.committed, NOW)

    assert "Runs far longer than usual – Sync: 24 minutes instead of" in told.story[1]
    assert [section.title for section in told.sections][-1] == "Longest runs"


@pytest.mark.parametrize("why", ["suspended", "set"])
async def test_a_run_in_which_hcl_was_away_or_its_clock_was_set_is_not_called_slow(
    tmp_path: Path, sink: HttpSink, why: str
) -> None:
    """As with the event `slow`: nothing that hcl did itself makes a run slow."""
    async with running_app(tmp_path, config(sink)) as app:
        await ran(app, 15, 13, HOUR)
        # The slow one ended two hours ago.
        within = NOW - 2 * HOUR - 10 * MINUTE
        async with app.database.transaction() as conn:
            if why == "set":
                await store.paces.note_step(conn, within)
            else:
                away = Absence(within, within + 9 * MINUTE, "suspended")
                await store.life.add_absence(conn, away)
        await sent(app, NOW - HOUR / 2)
        await sent(app, NOW)
        [told] = await store.announcements.since(app.database.committed, NOW)

    assert [section.title for section in told.sections] == ["Longest runs"]


async def test_all_runs_of_a_job_that_runs_often_are_told(
    tmp_path: Path, sink: HttpSink
) -> None:
    async with running_app(tmp_path, config(sink)) as app:
        await ran(app, 300, 160, 5 * MINUTE)
        await sent(app, NOW - HOUR / 2)
        await sent(app, NOW)
        [told] = await store.announcements.since(app.database.committed, NOW)

    assert "Sync: 2 minutes instead of 30 seconds" in told.story[1]
