import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.checks import checker
from hcl.checks.checker import BATCH_LIMIT
from hcl.checks.deadlines import POSTPONEMENT
from hcl.model import Check, Flip, Run
from hcl.pings.arrival import Target
from tests.app import CONFIG, App, running_app
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_ping
from tests.patience import ENDS, idle, watched
from tests.sinks import HttpSink
from tests.store import change, pragma, put_check, rows, traced, writer_of

# Last heard of so that its deadline is exactly NOW.
OVERDUE: dict[str, Any] = {
    "status": "up",
    "n_pings": 1,
    "last_ping": NOW - DAY - HOUR,
    "alert_after": NOW,
}


async def stored(app: App, check: Check) -> Check:
    found = await store.checks.by_id(await app.database.current(), check.id)
    assert found is not None
    return found


async def history(app: App, check: Check) -> list[Flip]:
    return await store.flips.of_check(await app.database.current(), check.id)


async def test_overdue_check_goes_down_once(app: App) -> None:
    check = await put_check(app.database, 1, **OVERDUE)

    flipped = [await app.checker.check_once(NOW + n * HOUR) for n in range(3)]

    assert flipped == [1, 0, 0]
    assert await stored(app, check) == check._replace(status="down", alert_after=None)
    assert await history(app, check) == [Flip(NOW, "up", "down", "timeout")]
    assert len(await rows(app.database, "SELECT id FROM notifications")) == 1


async def test_run_that_hangs_is_called_down_after_a_restart(tmp_path: Path) -> None:
    """Though another ended well; and it is not told again."""
    async with running_app(tmp_path) as app:
        check = await put_check(app.database, 1, max_run=HOUR)
        for action, rid, hour in (
            ("start", "a", 0.0),
            ("start", "b", 0.1),
            ("success", "b", 0.2),
        ):
            ping = make_ping(action=action, rid=rid, created=NOW + hour * HOUR)
            await app.parts.pinging.receive(Target(code=check.code), ping)
        before = await stored(app, check)
    async with running_app(tmp_path) as app:
        assert await stored(app, check) == before
        assert before.open_runs == (Run(NOW, "a"),)

        flipped = [await app.checker.check_once(NOW + n * HOUR) for n in (0.9, 1, 2)]

        assert flipped == [0, 1, 0]
        up, down = sorted(await history(app, check), key=lambda flip: flip.created)
        assert (up.new_status, down) == (
            "up",
            Flip(NOW + HOUR, "up", "down", "overran"),
        )
        assert (await stored(app, check)).open_runs == (Run(NOW, "a", True),)
        assert len(await rows(app.database, "SELECT id FROM notifications")) == 1


async def test_check_goes_down_at_its_deadline_and_not_a_microsecond_before(
    app: App,
) -> None:
    check = await put_check(app.database, **OVERDUE)

    assert await app.checker.check_once(NOW - MICROSECOND) == 0
    assert await stored(app, check) == check

    assert await app.checker.check_once(NOW) == 1


async def test_flip_bears_the_deadline_and_its_message_the_moment_of_the_look(
    app: App,
) -> None:
    deadline = NOW + 123_457 * MICROSECOND
    check = await put_check(
        app.database,
        1,
        status="up",
        last_ping=deadline - DAY - HOUR,
        alert_after=deadline,
    )
    late = NOW + 9 * DAY

    await app.checker.check_once(late)

    assert await history(app, check) == [Flip(deadline, "up", "down", "timeout")]
    # A message that waited since before hcl was started is not given up at once.
    assert await rows(app.database, "SELECT created, next_try FROM notifications") == [
        (late.timestamp(), late.timestamp())
    ]


@pytest.mark.parametrize(
    "state",
    [
        {"status": "new"},
        {"status": "up", "last_ping": NOW - HOUR},
        {"status": "down", "last_ping": NOW - 9 * DAY},
        {"status": "paused", "last_ping": NOW - 9 * DAY},
    ],
)
async def test_stale_deadline_is_put_right_and_nothing_flips(
    app: App, state: dict[str, Any]
) -> None:
    check = await put_check(app.database, 1, alert_after=NOW - HOUR, **state)

    assert await app.checker.check_once(NOW) == 0

    right = NOW + DAY if state["status"] == "up" else None
    assert await stored(app, check) == check._replace(alert_after=right)
    assert await history(app, check) == []


@pytest.mark.parametrize("status", ["new", "up", "paused"])
async def test_run_that_lasts_longer_than_grace_goes_down_and_stays_open(
    app: App, status: Any
) -> None:
    start = NOW - HOUR
    check = await put_check(
        app.database, 1, status=status, last_start=start, alert_after=NOW
    )

    assert await app.checker.check_once(NOW + DAY) == 1

    after = await stored(app, check)
    assert (after.status, after.last_start, after.alert_after) == ("down", start, None)
    assert await history(app, check) == [Flip(NOW, status, "down", "timeout")]
    assert len(await rows(app.database, "SELECT id FROM notifications")) == 1


async def test_thousand_checks_due_at_once_all_flip_in_one_go(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However busy the machine is: then it would let pings pass once.
    monkeypatch.setattr(checker, "_HELD_UP", 600.0)
    for _ in range(1000):
        await put_check(app.database, 1, **OVERDUE)
    await put_check(app.database, 1, **(OVERDUE | {"alert_after": NOW + MICROSECOND}))

    async with traced(await writer_of(app.database)) as statements:
        flipped = await app.checker.check_once(NOW)

    assert flipped == 1000
    found = await rows(
        app.database, "SELECT status, count(*) FROM check_states GROUP BY 1"
    )
    assert found == [("down", 1000), ("up", 1)]
    found = await rows(app.database, "SELECT check_id FROM flips ORDER BY check_id")
    assert found == list(range(1, 1001))
    found = await rows(app.database, "SELECT check_id FROM notifications ORDER BY 1")
    assert found == list(range(1, 1001))
    # Pings come in between.
    assert statements.count("COMMIT") == 1000 // BATCH_LIMIT


async def test_each_channel_that_wants_it_gets_one_notification(app: App) -> None:
    await change(app.database, "UPDATE channels SET on_down = 0 WHERE id = 2")
    for channel_ids in ((1,), (2,), (1, 2), ()):
        await put_check(app.database, *channel_ids, **OVERDUE)

    await app.checker.check_once(NOW)

    found = await rows(
        app.database, "SELECT check_id, channel_id FROM notifications ORDER BY id"
    )
    assert found == [(1, 1), (3, 1)]


async def test_broken_schedule_is_looked_at_in_an_hour_and_others_flip(
    app: App,
) -> None:
    broken: dict[str, Any] = OVERDUE | {
        "kind": "cron",
        "alert_after": NOW - HOUR,
        "tz": "America",
    }
    many = [await put_check(app.database, 1, **broken) for _ in range(BATCH_LIMIT)]
    good = await put_check(app.database, 1, **OVERDUE)

    assert await app.checker.check_once(NOW) == 1

    assert (await stored(app, good)).status == "down"
    for check in many:
        assert await stored(app, check) == check._replace(
            alert_after=NOW + POSTPONEMENT
        )
    assert await app.checker.check_once(NOW + POSTPONEMENT - MICROSECOND) == 0


async def test_check_flips_when_its_schedule_can_be_read_again(app: App) -> None:
    check = await put_check(app.database, **OVERDUE, kind="cron", tz="America")
    await app.checker.check_once(NOW)

    await change(app.database, "UPDATE checks SET tz = 'Europe/Riga'")

    assert await app.checker.check_once(NOW + HOUR) == 1
    [flip] = await history(app, check)
    assert flip.created == NOW - DAY + timedelta(minutes=1)


async def test_ping_during_the_look_saves_the_check(app: App) -> None:
    every = [await put_check(app.database, **OVERDUE) for _ in range(3 * BATCH_LIMIT)]
    last = every[-1]

    looking = asyncio.create_task(app.checker.check_once(NOW))
    await asyncio.sleep(0)
    await app.parts.pinging.receive(Target(code=last.code), make_ping())
    await looking

    after = await stored(app, last)
    assert (after.status, after.alert_after) == ("up", NOW + DAY + HOUR)
    assert await history(app, last) == []


@asynccontextmanager
async def running(app: App) -> AsyncIterator[None]:
    """Run the checker's and the sender's loops."""
    loops = [asyncio.create_task(loop.run()) for loop in (app.checker, app.sender)]
    try:
        yield
        assert not any(loop.done() for loop in loops)
    finally:
        await app.sender.finish(timedelta(seconds=5))
        for loop in loops:
            loop.cancel()
        await asyncio.wait(loops)


def config(sink: HttpSink) -> str:
    return CONFIG.replace("http://127.0.0.1:9/", sink.url)


def just_before(deadline: datetime) -> dict[str, Any]:
    last_ping = deadline - DAY - HOUR
    return {"status": "up", "last_ping": last_ping, "alert_after": deadline}


async def test_loop_flips_what_fell_due_before_it_began(tmp_path: Any) -> None:
    async with HttpSink() as sink, running_app(tmp_path, config(sink)) as app:
        check = await put_check(app.database, 1, **OVERDUE)

        async with running(app):
            [record] = await sink.wait_for(1)

    assert record.target == "/a/down"
    assert check.status == "up"


async def test_loop_flips_at_the_deadline_by_itself(tmp_path: Any) -> None:
    async with HttpSink() as sink, running_app(tmp_path, config(sink)) as app:
        deadline = datetime.now(UTC) + timedelta(seconds=0.4)
        await put_check(app.database, 1, **just_before(deadline))

        async with watched() as late, running(app):
            [record] = await sink.wait_for(1)

    assert 0 <= record.arrived - deadline.timestamp() < 1 + 3 * late.seconds


async def test_loop_is_woken_by_a_ping_that_brings_a_nearer_deadline(
    tmp_path: Any,
) -> None:
    async with HttpSink() as sink, running_app(tmp_path, config(sink)) as app:
        far = datetime.now(UTC) + 9 * DAY
        await put_check(app.database, 1, **just_before(far))
        near = await put_check(app.database, 1)

        async with watched() as late, running(app):
            # Its deadline is then soon, since it tells of long ago.
            deadline = datetime.now(UTC) + timedelta(seconds=0.4)
            ping = make_ping(created=deadline - DAY - HOUR)
            await app.parts.pinging.receive(Target(code=near.code), ping)
            [record] = await sink.wait_for(1)

    assert 0 <= record.arrived - deadline.timestamp() < 1 + 3 * late.seconds


async def test_loop_sleeps_on_when_a_ping_comes_in_time(tmp_path: Any) -> None:
    async with HttpSink() as sink, running_app(tmp_path, config(sink)) as app:
        # The loop means to wake for this one.
        first = datetime.now(UTC) + timedelta(seconds=1.5)
        late = await put_check(app.database, 1, **just_before(first))
        second = first + timedelta(seconds=0.1)
        lost = await put_check(app.database, 1, **just_before(second))

        async with running(app):
            await idle()
            await app.parts.pinging.receive(
                Target(code=late.code), make_ping(created=datetime.now(UTC))
            )
            await sink.wait_for(1)

        assert [flip.created for flip in await history(app, lost)] == [second]
        assert await history(app, late) == []
        assert len(sink.records) == 1


async def test_fails_are_told_at_once_each_time(tmp_path: Any) -> None:
    async with HttpSink() as sink, running_app(tmp_path, config(sink)) as app:
        check = await put_check(app.database, 1)
        address = Target(code=check.code)

        async with running(app):
            for n in range(1, 31):
                action = "fail" if n % 2 else "success"
                ping = make_ping(action=action, created=datetime.now(UTC))
                await app.parts.pinging.receive(address, ping)
                records = await sink.wait_for(n)

    assert [record.target for record in records] == ["/a/down", "/a/up"] * 15


class Complaints(logging.Filter):
    """Note that something was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.came = asyncio.Event()

    def filter(self, record: logging.LogRecord) -> bool:
        self.came.set()
        return bool(record)


@contextmanager
def complaints(name: str) -> Iterator[asyncio.Event]:
    """Tell when a module logs something."""
    complaints = Complaints()
    logger = logging.getLogger(name)
    logger.addFilter(complaints)
    try:
        yield complaints.came
    finally:
        logger.removeFilter(complaints)


async def test_loop_survives_a_database_that_cannot_be_written(tmp_path: Any) -> None:
    async with HttpSink() as sink, running_app(tmp_path, config(sink)) as app:
        # So many that their flips need pages that there are none for.
        number = BATCH_LIMIT
        every = [await put_check(app.database, 1, **OVERDUE) for _ in range(number)]
        [pages] = await rows(app.database, "PRAGMA page_count")
        await pragma(app.database, f"max_page_count = {pages}")

        with complaints("hcl.checks.checker") as complained:
            async with running(app), asyncio.timeout(ENDS):
                await complained.wait()
                assert await rows(app.database, "SELECT id FROM flips") == []
                assert [await stored(app, check) for check in every] == every

                await pragma(app.database, "max_page_count = 100000")
                # Nobody has to wait out the loop's patience.
                app.alarms["checker"].ring()
                await sink.wait_for(number)

        assert len(sink.records) == number
