"""Absences on a real database, by clocks that the test drives."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hcl import store
from hcl.checks.away import judging
from hcl.model import Flip
from hcl.pings.arrival import Target
from tests.build import DAY, HOUR, NOW, make_ping
from tests.checks.away.watching import (
    MINUTE,
    SECOND,
    again,
    due_soon,
    look,
    running,
    status,
    up,
)
from tests.clocks import Times
from tests.store import change, put_pings, rows, writer_of


async def test_first_start_is_no_absence(tmp_path: Path) -> None:
    async with running(tmp_path, Times()) as app:
        check = await up(app, NOW - DAY - 2 * HOUR)
        await look(app)

        assert await status(app, check) == "down"
        assert await rows(app.database, "SELECT * FROM absences") == []


async def test_that_filing_takes_long_is_no_absence(tmp_path: Path) -> None:
    """A card is slow; where logs are damaged on it, that would be so at each look."""
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW, n_pings=801)
        waiting = [(check.id, make_ping(n=n, created=NOW)) for n in range(2, 802)]
        await put_pings(app.database, *waiting, filed=False)
    times.run(130)

    def passes(statement: str) -> None:
        times.run(3 * statement.startswith("INSERT OR IGNORE INTO pings"))

    async with running(tmp_path, times) as app:
        await (await writer_of(app.database)).set_trace_callback(passes)
        await look(app)

        assert times.boot_ >= 1130 + 12
        absences = await rows(app.database, "SELECT reason FROM absences")
        assert len(absences) == 1


@pytest.mark.parametrize("seconds", [5, 61, 130, 8 * 3600, 3 * 86_400])
@pytest.mark.parametrize("same_boot", [True, False])
async def test_what_fell_due_while_it_was_away_is_not_called_down(
    tmp_path: Path, seconds: float, same_boot: bool
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + SECOND)
    times.run(seconds)
    if not same_boot:
        times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    returned = NOW + timedelta(seconds=seconds)

    async with running(tmp_path, times) as app:
        # Until it is judged all is shown as it was.
        before = await status(app, check)
        await look(app)
        after = await again(app, check)

        assert before == "grace"
        assert (after.status, after.counted_from, after.excused) == ("up", returned, 1)
        assert after.alert_after == returned + DAY + HOUR
        assert await status(app, check) == "up"
        assert await rows(app.database, "SELECT * FROM notifications") == []
        # What is dead is told.
        times.run(25 * 3600 + 1)
        await look(app)
        [flip] = await store.flips.of_check(app.database.committed, check.id)
        assert flip.created == returned + DAY + HOUR


async def test_what_was_overdue_before_is_down(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR - SECOND)
    times.run(130)

    async with running(tmp_path, times) as app:
        await look(app)

        [flip] = await store.flips.of_check(app.database.committed, check.id)
        assert flip.created == NOW - SECOND


async def test_absences_may_judge_as_if_it_had_listened(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + SECOND)
    times.run(130)

    async with running(tmp_path, times) as app:
        app.assembly.watch.excuses = False
        await look(app)

        [flip] = await store.flips.of_check(app.database.committed, check.id)
        assert flip.created == NOW + SECOND


async def test_a_crash_before_all_is_judged_loses_no_absence(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + MINUTE)
        other = await up(app, NOW - HOUR)
    times.run(3600)
    async with running(tmp_path, times) as app:
        # It takes a ping, which is a sign of life, and then it is gone.
        await app.parts.pinging.receive(
            Target(code=other.code), make_ping(created=app.clock.now())
        )
    times.run(60)

    async with running(tmp_path, times) as app:
        await look(app)

        assert (await again(app, check)).status == "up"
        went = await rows(app.database, "SELECT went, judged FROM absences")
        assert went == [(NOW.timestamp(), 1)] * 2


async def test_a_ping_that_waited_is_taken_before_anybody_is_judged(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + SECOND)
    times.run(130)

    async with running(tmp_path, times) as app:
        ping = make_ping(created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        await look(app)

        after = await again(app, check)
        assert (after.counted_from, after.excused) == (None, 0)
        assert after.last_ping == NOW + timedelta(seconds=130)


async def test_restarts_cannot_make_deaf(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(
            app,
            NOW,
            timeout=MINUTE,
            grace=MINUTE,
            alert_after=NOW + 2 * MINUTE,
        )
    told = None
    for _ in range(60):
        times.run(27)
        async with running(tmp_path, times) as app:
            times.run(3)
            await look(app)
            flips = await store.flips.of_check(app.database.committed, check.id)
            if flips:
                told = flips[0]
                break

    # Period and grace, the absences, three times as long, and the last chance.
    assert told is not None
    assert told.created <= NOW + 2 * MINUTE + 60 * 27 * SECOND + 3 * 2 * MINUTE + MINUTE


async def test_nights_of_a_machine_that_sleeps_cannot_make_deaf(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW)
        away = timedelta()
        flips: list[Flip] = []
        while not flips and away < 14 * 8 * HOUR:
            for _ in range(16):
                app.assembly.watch.sleeps(3600)
                times.run(3600)
                await look(app)
            times.suspend(8 * 3600)
            away += 8 * HOUR
            await look(app)
            flips = await store.flips.of_check(app.database.committed, check.id)

        bound = NOW + DAY + HOUR + away + 3 * (DAY + HOUR) + MINUTE
        assert flips
        assert flips[0].created <= bound
        assert (await again(app, check)).excused == 3


async def test_an_absence_counts_once_though_judging_it_fails(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + MINUTE)
    times.run(130)

    async with running(tmp_path, times) as app:
        await change(
            app.database,
            "CREATE TRIGGER fail BEFORE UPDATE ON absences"
            " BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END",
        )
        for _ in range(3):
            with pytest.raises(sqlite3.DatabaseError):
                await app.assembly.watch.look()
        await change(app.database, "DROP TRIGGER fail")
        await look(app)

        assert (await again(app, check)).excused == 1
        assert await status(app, check) == "up"
        [story] = await rows(app.database, "SELECT story FROM announcements")
        assert "1 check" in story


async def test_judging_many_checks_shows_that_it_is_at_work(tmp_path: Path) -> None:
    pulses: list[datetime] = []
    async with running(tmp_path, Times()) as app:
        for _ in range(judging.AT_ONCE + 1):
            await up(app, NOW - DAY)
        away = store.life.Absence(NOW - MINUTE, NOW, "stopped")
        many = judging.Judging(
            app.database,
            app.clock,
            app.parts.maintenance,
            pulse=lambda: pulses.append(app.clock.now()),
        )

        await many.judge(away)

    assert len(pulses) == 2


async def test_an_older_database_without_a_sign_counts_from_its_last_ping(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY)
        await change(app.database, "DELETE FROM life")
    async with running(tmp_path, times) as app:
        await change(app.database, "DELETE FROM life")
        await change(app.database, "DELETE FROM absences")
    times.run(2 * 3600)

    async with running(tmp_path, times) as app:
        await change(app.database, "DELETE FROM life")
    async with running(tmp_path, times) as app:
        await look(app)

        assert (await again(app, check)).status == "up"


async def test_a_start_that_takes_long_hears_nobody_until_it_is_over(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await due_soon(app)
    times.run(5)

    async with running(tmp_path, times) as app:
        # It is stopped, or the machine has much else to do.
        times.run(3600)
        early = await status(app, check)
        await look(app)

        after = await again(app, check)
        assert early == "up"
        assert (after.status, after.excused) == ("up", 1)
        assert after.counted_from == NOW + timedelta(seconds=3605)
        count = "SELECT count(*) FROM announcements"
        assert await rows(app.database, count) == [1]


async def test_a_sign_of_life_is_left_once_a_minute(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        signs = []
        for _ in range(5):
            await look(app)
            signs += await rows(app.database, "SELECT moment FROM life")
            times.run(29)

    begin = NOW.timestamp()
    assert signs == [begin, begin, begin + 58, begin + 58, begin + 116]


async def test_who_is_killed_and_starts_at_once_was_not_away_for_a_minute(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        await look(app)
        # Somebody is due: that comes too soon for another sign.
        times.run(25)
        await look(app)
        times.run(app.watch.next_look.total_seconds())
        await look(app)

        [signed] = await rows(app.database, "SELECT moment FROM life")

    assert 25 < signed - NOW.timestamp() < 60
