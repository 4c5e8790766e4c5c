import asyncio
import gc
import sqlite3
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from hcl import store
from hcl.alarm import Alarm
from hcl.db import UnwritableError
from hcl.model import Check, Ping
from hcl.pings.arrival import Receipt, Target
from tests.app import CONFIG, OTHER_PING_KEY, PING_KEY, App, running_app
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_ping
from tests.patience import ENDS, idle
from tests.store import change, pragma, put_check, rows, traced, writer_of

RID = "1a2b3c4d-0000-4000-8000-000000000000"


async def receive(app: App, *arrivals: tuple[Target, Ping]) -> list[Receipt]:
    """Let pings arrive together, so that they share a transaction."""
    pinging = app.parts.pinging
    async with asyncio.timeout(ENDS):
        return await asyncio.gather(*(pinging.receive(*each) for each in arrivals))


async def stored(app: App, check: Check) -> Check:
    found = await store.checks.by_id(await app.database.current(), check.id)
    assert found is not None
    return found


async def log(app: App, check: Check) -> list[Ping]:
    """Return a check's pings, oldest first."""
    return (await store.pings.newest(await app.database.current(), check.id, 10_000))[
        ::-1
    ]


async def rung(alarm: Alarm) -> bool:
    """Tell whether somebody who goes to sleep on the alarm now is woken at once."""
    try:
        async with asyncio.timeout(0.02):
            await alarm.sleep(None)
    except TimeoutError:
        return False
    return True


async def hush(app: App) -> None:
    """Let pass what rang while the app was opened."""
    for alarm in app.alarms.values():
        await rung(alarm)


def to(check: Check) -> Target:
    return Target(code=check.code)


def to_slug(slug: str, ping_key: str = PING_KEY, create: bool = False) -> Target:
    return Target(ping_key=ping_key, slug=slug, create=create)


async def test_pings_of_one_batch_are_numbered_in_order(app: App) -> None:
    one, two = [await put_check(app.database, n_pings=n) for n in (0, 5)]
    sent = [
        (to(check), make_ping(created=NOW + n * MICROSECOND, body=b"%d" % n))
        for n in range(10)
        for check in (one, two)
    ]

    async with traced(await writer_of(app.database)) as statements:
        receipts = await receive(app, *sent)

    assert receipts == [Receipt.RECORDED] * 20
    assert statements.count("COMMIT") == 1
    for check, first in ((one, 1), (two, 6)):
        found = await log(app, check)
        assert [ping.n for ping in found] == list(range(first, first + 10))
        assert [ping.created for ping in found] == [
            NOW + n * MICROSECOND for n in range(10)
        ]
        assert (await stored(app, check)).n_pings == first + 9


async def test_rules_apply_in_sequence_within_a_batch(app: App) -> None:
    check = await put_check(app.database, slug="job")
    moments = [NOW + timedelta(minutes=n) for n in range(5)]
    actions = ("start", "success", "fail", "log", "success")

    await receive(
        app,
        *(
            # By code and by slug in turn: both are the same check.
            ((to(check), to_slug("job"))[n % 2], make_ping(action=a, created=moment))
            for n, (a, moment) in enumerate(zip(actions, moments, strict=True))
        ),
    )

    after = await stored(app, check)
    assert (after.status, after.last_ping, after.last_start) == ("up", moments[4], None)
    assert after.last_duration is None
    assert after.alert_after == moments[4] + DAY + HOUR
    assert [ping.action for ping in await log(app, check)] == list(actions)
    assert [
        (flip.created, flip.old_status, flip.new_status, flip.reason)
        for flip in await store.flips.of_check(await app.database.current(), check.id)
    ] == [
        (moments[4], "down", "up", ""),
        (moments[2], "up", "down", "fail"),
        (moments[1], "new", "up", ""),
    ]


async def test_flip_bears_the_number_of_the_ping_that_made_it(app: App) -> None:
    check = await put_check(app.database)
    actions = ("success", "log", "fail", "log", "success")

    await receive(app, *((to(check), make_ping(action=a)) for a in actions))

    found = await rows(app.database, "SELECT new_status, n_pings FROM flips")
    assert found == [("up", 1), ("down", 3), ("up", 5)]


async def test_ping_comes_back_as_it_was_sent(app: App) -> None:
    check = await put_check(app.database)
    ping = make_ping(
        created=NOW + MICROSECOND,
        action="fail",
        scheme="https",
        remote_addr="2001:db8::1",
        method="PUT",
        ua="curl €",
        rid=RID,
        exitstatus=255,
        body=b"\0\xff",
    )

    await receive(app, (to(check), ping))

    assert await store.pings.by_n(
        await app.database.current(), check.id, 1
    ) == ping._replace(n=1)


async def test_ping_and_flip_and_notifications_commit_together(app: App) -> None:
    check = await put_check(app.database, 1, 2, status="up")
    # Everything but the last statement of the transaction can be written.
    await change(
        app.database,
        "CREATE TRIGGER full BEFORE INSERT ON notifications"
        " BEGIN SELECT raise(ABORT, 'no more'); END",
    )

    with pytest.raises(sqlite3.IntegrityError, match="no more"):
        await receive(app, (to(check), make_ping(action="fail")))

    assert await stored(app, check) == check
    for table in ("pings", "flips", "notifications"):
        assert await rows(app.database, f"SELECT * FROM {table}") == [], table

    await change(app.database, "DROP TRIGGER full")
    await receive(app, (to(check), make_ping(action="fail")))

    assert (await stored(app, check)).status == "down"
    assert len(await rows(app.database, "SELECT * FROM flips")) == 1
    assert await rows(
        app.database,
        "SELECT channel_id, created, next_try FROM notifications ORDER BY channel_id",
    ) == [(1, NOW.timestamp(), NOW.timestamp()), (2, NOW.timestamp(), NOW.timestamp())]


async def test_ping_that_cannot_be_written_does_not_take_the_others_down(
    app: App,
) -> None:
    bad, good = [await put_check(app.database, 1, status="up") for _ in range(2)]
    await change(
        app.database,
        "CREATE TRIGGER picky BEFORE INSERT ON inbox WHEN new.body = x'ff'"
        " BEGIN SELECT raise(ABORT, 'no'); END",
    )
    pinging = app.parts.pinging
    arrivals = [
        (to(good), make_ping()),
        (to(bad), make_ping(action="fail", body=b"\xff")),
        (to(good), make_ping(action="fail")),
    ]

    receipts = await asyncio.gather(
        *(pinging.receive(*each) for each in arrivals), return_exceptions=True
    )

    assert [type(receipt) for receipt in receipts] == [
        Receipt,
        sqlite3.IntegrityError,
        Receipt,
    ]
    assert await stored(app, bad) == bad
    assert [ping.n for ping in await log(app, good)] == [1, 2]
    assert (await stored(app, good)).status == "down"
    assert await rung(app.alarms["sender"])


async def test_full_disk_records_nothing_and_rings_nobody(app: App) -> None:
    every = [await put_check(app.database, 1, status="up") for _ in range(20)]
    [limit] = await rows(app.database, "PRAGMA page_count")
    await pragma(app.database, f"max_page_count = {limit + 10}")
    ping = make_ping(action="fail", body=b"x" * 10_000)
    pinging = app.parts.pinging
    await hush(app)

    receipts = await asyncio.gather(
        *(pinging.receive(to(check), ping) for check in every), return_exceptions=True
    )

    assert {type(receipt) for receipt in receipts} == {UnwritableError}
    assert [await stored(app, check) for check in every] == every
    for table in ("pings", "flips", "notifications"):
        assert await rows(app.database, f"SELECT * FROM {table}") == [], table
    assert not await rung(app.alarms["checker"])
    assert not await rung(app.alarms["sender"])


async def test_unknown_and_ambiguous_ones_do_not_harm_others(app: App) -> None:
    check = await put_check(app.database, slug="job")
    foreign = await put_check(app.database, slug="theirs", project_id=2)
    twins = [await put_check(app.database, slug="twin") for _ in range(2)]
    addresses = [
        to_slug("twin"),
        to(check),
        to(twins[0]),
        Target(code=str(uuid.uuid4())),
        to_slug("missing"),
        to_slug("job"),
        to_slug("theirs"),
        to_slug("theirs", OTHER_PING_KEY),
        to_slug("job", "unknown"),
        to_slug("job", "unknown", create=True),
        to_slug("twin", create=True),
    ]

    receipts = await receive(app, *((address, make_ping()) for address in addresses))

    assert receipts == [
        Receipt.AMBIGUOUS,
        Receipt.RECORDED,
        Receipt.RECORDED,
        Receipt.UNKNOWN,
        Receipt.UNKNOWN,
        Receipt.RECORDED,
        Receipt.UNKNOWN,
        Receipt.RECORDED,
        Receipt.UNKNOWN,
        Receipt.UNKNOWN,
        Receipt.AMBIGUOUS,
    ]
    counts = [(await stored(app, c)).n_pings for c in (check, foreign, *twins)]
    assert counts == [2, 1, 1, 0]
    assert len(await rows(app.database, "SELECT n FROM log")) == 4


async def test_batch_of_nothing_but_unknown_ones_changes_nothing(app: App) -> None:
    check = await put_check(app.database, status="up", alert_after=NOW)
    addresses = [Target(code=str(uuid.uuid4())), to_slug("no")]
    await hush(app)

    await receive(app, *((address, make_ping()) for address in addresses))

    assert await stored(app, check) == check
    assert not await rung(app.alarms["checker"])
    assert not await rung(app.alarms["sender"])


async def test_create_twice_in_a_batch_makes_one_check(app: App) -> None:
    address = to_slug("fresh", create=True)
    actions = ("success", "fail", "log")

    receipts = await receive(app, *((address, make_ping(action=a)) for a in actions))

    assert receipts == [Receipt.CREATED, Receipt.RECORDED, Receipt.RECORDED]
    [check] = await store.checks.of_project(await app.database.current(), 1)
    assert (check.name, check.slug, check.status) == ("fresh", "fresh", "down")
    assert (check.timeout, check.grace, check.n_pings) == (DAY, HOUR, 3)
    assert [ping.action for ping in await log(app, check)] == list(actions)
    assert await rows(app.database, "SELECT channel_id FROM notifications") == [1, 2]


async def test_create_for_one_project_does_not_show_in_another(app: App) -> None:
    receipts = await receive(
        app,
        (to_slug("fresh"), make_ping()),
        (to_slug("fresh", create=True), make_ping()),
        (to_slug("fresh", OTHER_PING_KEY), make_ping()),
        (to_slug("fresh"), make_ping()),
    )

    assert receipts == [
        Receipt.UNKNOWN,
        Receipt.CREATED,
        Receipt.UNKNOWN,
        Receipt.RECORDED,
    ]


async def test_create_ends_at_twice_the_limit(app: App) -> None:
    # The project's check_limit is 10.
    sent = [(to_slug(f"s{n}", create=True), make_ping()) for n in range(25)]

    receipts = await receive(app, *sent, sent[0])

    assert receipts == (
        [Receipt.CREATED] * 20 + [Receipt.UNKNOWN] * 5 + [Receipt.RECORDED]
    )
    assert await store.checks.count(await app.database.current(), 1) == 20


async def test_schedule_that_raises_is_recorded_and_looked_at_in_an_hour(
    app: App,
) -> None:
    broken, good = [
        await put_check(app.database, 1, kind="cron", status="down") for _ in range(2)
    ]
    # A directory of tzdata: ZoneInfo raises IsADirectoryError.
    await change(
        app.database, "UPDATE checks SET tz = 'America' WHERE id = ?", broken.id
    )

    receipts = await receive(
        app,
        (to(broken), make_ping(created=NOW + MICROSECOND)),
        (to(good), make_ping()),
        (to(broken), make_ping(action="log")),
    )

    assert receipts == [Receipt.RECORDED] * 3
    after = await stored(app, broken)
    assert (after.status, after.n_pings) == ("up", 2)
    assert after.last_ping == NOW + MICROSECOND
    assert after.alert_after == NOW + MICROSECOND + HOUR
    assert (await stored(app, good)).alert_after == NOW + timedelta(minutes=61)
    assert await rows(app.database, "SELECT check_id FROM flips") == [1, 2]


async def test_checker_is_rung_only_for_a_nearer_deadline(app: App) -> None:
    alarm = app.alarms["checker"]
    now = make_ping().created

    async def woken_while_asleep_until_a_day_from(then: timedelta) -> bool:
        check = await put_check(app.database, grace=timedelta(minutes=1))
        task = asyncio.create_task(alarm.sleep(now + 10_000 * DAY + then))
        await asyncio.sleep(0)
        await receive(app, (to(check), make_ping(created=now + 10_000 * DAY)))
        await idle()
        done = task.done()
        task.cancel()
        await asyncio.wait([task])
        return done

    deadline = DAY + timedelta(minutes=1)
    assert not await woken_while_asleep_until_a_day_from(deadline)
    assert not await woken_while_asleep_until_a_day_from(deadline - MICROSECOND)
    assert await woken_while_asleep_until_a_day_from(deadline + MICROSECOND)


async def test_checker_is_rung_for_the_nearest_deadline_of_a_batch(app: App) -> None:
    near, far = [
        await put_check(app.database, timeout=timeout) for timeout in (HOUR, DAY)
    ]
    paused = await put_check(app.database, status="paused")
    alarm = app.alarms["checker"]
    start = NOW + 10_000 * DAY
    task = asyncio.create_task(alarm.sleep(start + 2 * HOUR + MICROSECOND))
    await asyncio.sleep(0)

    await receive(
        app,
        (to(far), make_ping(created=start)),
        (to(near), make_ping(created=start)),
        (to(paused), make_ping(action="log", created=start)),
    )

    async with asyncio.timeout(ENDS):
        await task


async def test_checker_is_not_rung_for_a_deadline_that_the_batch_moved_on(
    app: App,
) -> None:
    check = await put_check(app.database, timeout=HOUR)
    alarm = app.alarms["checker"]
    start = NOW + 10_000 * DAY
    task = asyncio.create_task(alarm.sleep(start + 3 * HOUR))
    await asyncio.sleep(0)

    await receive(
        app,
        (to(check), make_ping(created=start)),
        (to(check), make_ping(created=start + HOUR)),
    )

    await idle()
    assert not task.done()
    task.cancel()


@pytest.mark.parametrize("action", ["fail", "success"])
async def test_sender_is_rung_on_flips_only(app: App, action: str) -> None:
    check = await put_check(app.database, 1, status="up")
    await hush(app)

    await receive(app, (to(check), make_ping(action=action)))

    assert await rung(app.alarms["sender"]) == (action == "fail")


async def test_who_is_rung_finds_what_there_is_to_do(app: App) -> None:
    body = b"x" * 100_000
    alarms = app.alarms

    await hush(app)

    async def look() -> tuple[bool, bool]:
        await asyncio.gather(
            alarms["sender"].sleep(None), alarms["checker"].sleep(None)
        )
        reader = await app.database.current()
        return (
            await store.outbox.next_tries(reader) != {},
            await store.checks.next_look(reader) is not None,
        )

    for _ in range(10):
        down = [await put_check(app.database, 1, status="up") for _ in range(20)]
        up = await put_check(app.database)
        looking = asyncio.create_task(look())
        await asyncio.sleep(0)

        # Much to commit, so that there is time to look too early.
        await receive(
            app,
            (to(up), make_ping(created=NOW)),
            *((to(c), make_ping(action="fail", body=body)) for c in down),
        )

        async with asyncio.timeout(ENDS):
            assert await looking == (True, True)
        await change(app.database, "DELETE FROM checks")


async def test_acknowledged_pings_are_there_after_opening_again(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path) as app:
        check = await put_check(app.database)
        await receive(app, *[(to(check), make_ping())] * 50)

    async with running_app(tmp_path, CONFIG) as app:
        assert len(await log(app, check)) == 50


async def test_cancelled_client_does_not_harm_the_batch(app: App) -> None:
    check = await put_check(app.database)
    tasks = [app.parts.pinging.receive(to(check), make_ping()) for _ in range(3)]
    await asyncio.sleep(0)

    tasks[0].cancel()
    async with asyncio.timeout(ENDS):
        await asyncio.wait(tasks)

    assert [task.cancelled() for task in tasks] == [True, False, False]
    assert [ping.n for ping in await log(app, check)] == [1, 2, 3]


async def test_pings_that_change_nothing_take_one_insert(app: App) -> None:
    check = await put_check(app.database, status="up", alert_after=NOW + DAY)
    await receive(app, (to(check), make_ping(created=NOW)))

    async with traced(await writer_of(app.database)) as statements:
        await receive(app, *[(to(check), make_ping(created=NOW))] * 3)

    begun, *inserted, done = statements
    assert (begun, done) == ("BEGIN IMMEDIATE", "COMMIT")
    assert [text[:11] for text in inserted] == ["INSERT INTO"] * 3


async def test_of_a_ping_nothing_stays_in_memory(app: App) -> None:
    check = await put_check(app.database, status="up", alert_after=NOW + DAY)
    pings = [(to(check), make_ping(created=NOW))] * 100
    await receive(app, *pings)

    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(10):
        await receive(app, *pings)
    gc.collect()
    after = sys.getallocatedblocks()

    assert (after - before) / 1000 < 0.2


def pages_of_log(app: App) -> int:
    log = Path(f"{app.parts.config.database.path}-wal")
    return log.stat().st_size // 4096


async def ping_together(app: App, check: Check, number: int, pages: int) -> int:
    """Let so many pings come at a time, until they take so many pages.

    Returns how many pages the log of the database took at most.
    """
    async with app.database.turn() as conn:
        await conn.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
    arrival = (to(check), make_ping(created=NOW, body=bytes(4096)))
    for _ in range(pages // number):
        await receive(app, *[arrival] * number)
    return pages_of_log(app)


async def test_log_is_short_while_many_wait_for_a_commit(app: App) -> None:
    check = await put_check(app.database, status="up", alert_after=NOW + DAY)

    # A commit copies what is in the log, and so many wait for that.
    assert await ping_together(app, check, 10, 600) < 300


async def test_log_is_long_while_hardly_anybody_waits(app: App) -> None:
    check = await put_check(app.database, status="up", alert_after=NOW + DAY)
    await receive(app, *[(to(check), make_ping(created=NOW))] * 10)
    app.database._busy_until = 0.0

    # What is in it is copied once, however often it has changed.
    assert await ping_together(app, check, 1, 600) > 600
