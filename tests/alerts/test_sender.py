import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest

from hcl import store
from hcl.alerts.delivery import (
    GIVE_UP_AFTER,
    GIVE_UP_TRIES,
    PERMANENT_STEP,
    EndedTry,
    moved,
)
from hcl.alerts.lines import CONCURRENCY, LONGEST_HOLD, PAUSES
from hcl.clock import Clock
from hcl.model import Notification
from hcl.pings.arrival import Target
from hcl.store.outbox import Outcome
from tests import toml
from tests.alerts.sending import (
    app_and_sinks,
    down,
    finished,
    ping,
    targets,
    text,
    waiting,
)
from tests.app import App, running_app
from tests.build import HOUR, MICROSECOND, NOW, make_ping
from tests.clocks import a_clock
from tests.patience import ENDS, watched
from tests.sinks import HttpSink, SmtpSink
from tests.store import change, put_check, rows

DAY = 86_400.0


async def test_message_arrives_and_is_ticked_off(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink(status=204)) as (app, [sink]):
        check = await down(app, 1)
        before = datetime.now(UTC).timestamp()

        await app.sender.send_once(NOW)
        await app.sender.send_once(NOW + HOUR)

        assert targets(sink) == [f"/down/{check.code}"]
        [(sent, *rest)] = await rows(
            app.database, "SELECT sent, next_try, attempts, answer FROM notifications"
        )
        assert rest == [None, 0, "HTTP 204"]
        assert before <= sent <= datetime.now(UTC).timestamp()


async def test_message_is_not_ticked_off_before_it_was_taken(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink(behave="hang")) as (app, [sink]):
        await down(app, 1)

        sending = asyncio.create_task(app.sender.send_once(NOW))
        await sink.wait_for(1)

        assert await waiting(app) == [NOW]
        sending.cancel()
        await asyncio.wait([sending])
        assert await waiting(app) == [NOW]


async def test_message_that_was_not_ticked_off_is_sent_again_after_a_crash(
    tmp_path: Path,
) -> None:
    async with app_and_sinks(tmp_path, HttpSink(behave="hang")) as (app, [sink]):
        check = await down(app, 1)
        sending = asyncio.create_task(app.sender.send_once(NOW))
        await sink.wait_for(1)
        sending.cancel()
        await asyncio.wait([sending])
        sink.behave = "answer"

        async with running_app(tmp_path, text([sink])) as again:
            await again.sender.send_once(NOW)

            assert await waiting(again) == []
        assert targets(sink) == [f"/down/{check.code}"] * 2


async def test_message_that_is_not_due_is_not_sent(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink()) as (app, [sink]):
        await down(app, 1)

        await app.sender.send_once(NOW - MICROSECOND)
        assert sink.records == []

        await app.sender.send_once(NOW)
        assert len(sink.records) == 1


async def test_pauses_grow_with_each_failure(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink(status=500)) as (app, [sink]):
        await down(app, 1)
        now = NOW

        for tries, pause in enumerate([*PAUSES, PAUSES[-1]], start=1):
            await app.sender.send_once(now)
            await app.sender.send_once(now + pause - MICROSECOND)

            assert len(sink.records) == tries
            now += pause
            assert await waiting(app) == [now]
        found = await rows(app.database, "SELECT attempts, sent FROM notifications")
        assert found == [(len(PAUSES) + 1, None)]


async def test_failures_are_remembered_when_opened_again(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink(status=500)) as (app, [sink]):
        await down(app, 1)
        await app.sender.send_once(NOW)
        await app.sender.send_once(NOW + PAUSES[0])
        later = NOW + PAUSES[0] + PAUSES[1]

        async with running_app(tmp_path, text([sink])) as again:
            assert await waiting(again) == [later]
            await again.sender.send_once(later - MICROSECOND)
            assert len(sink.records) == 2

            await again.sender.send_once(later)
            assert len(sink.records) == 3
            assert await waiting(again) == [later + PAUSES[2]]


@pytest.mark.parametrize("status", [404, 410])
async def test_permanent_failure_begins_with_an_hour(
    tmp_path: Path, status: int
) -> None:
    async with app_and_sinks(tmp_path, HttpSink(status=status)) as (app, [_]):
        await down(app, 1)

        await app.sender.send_once(NOW)
        assert await waiting(app) == [NOW + HOUR]

        await change(app.database, "UPDATE notifications SET attempts = 7")
        await app.sender.send_once(NOW + HOUR)
        assert await waiting(app) == [NOW + HOUR + PAUSES[7]]
        assert PAUSES[PERMANENT_STEP] == HOUR


async def test_later_message_of_a_check_waits_for_an_earlier_one_that_fails(
    tmp_path: Path,
) -> None:
    async with app_and_sinks(tmp_path, HttpSink(status=500)) as (app, [sink]):
        check = await down(app, 1)
        await ping(app, check, "success", NOW + MICROSECOND)
        other = await down(app, 1)

        await app.sender.send_once(NOW + timedelta(seconds=1))
        assert Counter(targets(sink)) == Counter(
            [f"/down/{check.code}", f"/down/{other.code}"]
        )

        sink.status = 200
        sink.records.clear()
        await app.sender.send_once(NOW + timedelta(seconds=5))
        assert sink.records == []
        for seconds in (6, 7):
            await app.sender.send_once(NOW + timedelta(seconds=seconds))

        assert set(targets(sink)[:2]) == {f"/down/{c.code}" for c in (check, other)}
        assert targets(sink)[2:] == [f"/up/{check.code}"]


async def test_messages_of_a_check_arrive_in_the_order_of_its_flips(
    tmp_path: Path,
) -> None:
    async with app_and_sinks(tmp_path, HttpSink()) as (app, [sink]):
        every = [await down(app, 1) for _ in range(10)]
        for n in range(6):
            for check in every:
                await ping(app, check, "fail" if n % 2 else "success")

        for _ in range(8):
            await app.sender.send_once(NOW)

        for check in every:
            own = [t.split("/")[1] for t in targets(sink) if check.code in t]
            assert own == ["down", "up"] * 3 + ["down"]


async def good_is_done(app: App) -> None:
    """Wait until only the first channel has messages, two of them."""
    sql = "SELECT channel_id FROM notifications WHERE next_try NOTNULL"
    async with asyncio.timeout(ENDS):
        while await rows(app.database, sql) != [1, 1]:
            await app.alarms["sender"].sleep(None)


async def test_channels_do_not_wait_for_each_other(tmp_path: Path) -> None:
    sinks = HttpSink(behave="hang"), HttpSink()
    async with app_and_sinks(tmp_path, *sinks) as (app, [hanging, good]):
        first = await down(app, 1, 2)
        sending = asyncio.create_task(app.sender.send_once(NOW))
        await hanging.wait_for(1)
        await good.wait_for(1)
        await finished(app)

        # And the good one goes on while the other still hangs.
        second = await down(app, 1, 2)
        again = asyncio.create_task(app.sender.send_once(NOW))
        await good.wait_for(2)
        await good_is_done(app)

        assert targets(good) == [f"/down/{c.code}" for c in (first, second)]
        assert targets(hanging) == [f"/down/{c.code}" for c in (first, second)]
        for task in (sending, again):
            task.cancel()
        await asyncio.wait([sending, again])


async def test_loop_sends_over_a_good_channel_while_another_hangs(
    tmp_path: Path,
) -> None:
    sinks = HttpSink(behave="hang"), HttpSink()
    async with app_and_sinks(tmp_path, *sinks) as (app, [hanging, good]):
        loop = asyncio.create_task(app.sender.run())
        try:
            for n in range(1, 6):
                await down(app, 1, 2)
                await good.wait_for(n)
            # No try of the other has come to its end meanwhile.
            tried = "SELECT id FROM tries WHERE NOT sent"
            assert await rows(app.database, tried) == []
        finally:
            loop.cancel()
            await asyncio.wait([loop])

        assert len(set(targets(hanging))) == len(hanging.records) <= 5


async def test_loop_tries_again_when_the_pause_is_over(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink(status=500)) as (app, [sink]):
        await down(app, 1)
        await app.sender.send_once(NOW)
        soon = datetime.now(UTC) + timedelta(seconds=0.4)
        await change(
            app.database, "UPDATE notifications SET next_try = ?", soon.timestamp()
        )
        sink.status = 200

        async with watched() as late:
            loop = asyncio.create_task(app.sender.run())
            records = await sink.wait_for(2)
        loop.cancel()
        await asyncio.wait([loop])

        assert 0 <= records[1].arrived - soon.timestamp() < 1 + 3 * late.seconds


async def test_message_is_given_up_after_a_week(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink(status=500)) as (app, [sink]):
        check = await down(app, 1)
        await ping(app, check, "success")
        week = NOW + GIVE_UP_AFTER

        # What could not be tried while hcl ran gets its tries too.
        app.clock.has_run(GIVE_UP_AFTER.total_seconds() + 1)
        await app.sender.send_once(week)
        assert await waiting(app) == [week + PAUSES[0]] * 2
        tries = GIVE_UP_TRIES - 1
        await change(
            app.database, f"UPDATE notifications SET attempts = {tries} WHERE id = 1"
        )

        # What comes after it is no longer held up, but for the channel's own pause.
        await app.sender.send_once(week + PAUSES[0])
        assert await waiting(app) == [week + PAUSES[0]]
        assert await rows(
            app.database, "SELECT sent, attempts, answer FROM notifications LIMIT 1"
        ) == [(None, GIVE_UP_TRIES, "HTTP 500 from 127.0.0.1")]

        sink.status = 200
        await app.sender.send_once(week + PAUSES[0] + LONGEST_HOLD)
        assert targets(sink)[-1] == f"/up/{check.code}"
        assert await waiting(app) == []


WEEK = GIVE_UP_AFTER.total_seconds()


@pytest.mark.parametrize(
    ("ran", "off", "slept", "step", "is_given_up"),
    [
        (WEEK - 60, 0, 0, 0, False),
        (WEEK + 60, 0, 0, 0, True),
        # It was off, or slept, for a week and a day.
        (60, 8 * DAY, 0, 0, False),
        (WEEK + 60, 8 * DAY, 0, 0, True),
        (60, 0, 8 * DAY, 0, False),
        (WEEK + 60, 0, 8 * DAY, 0, True),
        # The clock was set by a year.
        (60, 0, 0, 365 * DAY, False),
        (WEEK + 60, 0, 0, 365 * DAY, True),
        (WEEK + 60, 0, 0, -365 * DAY, True),
        (WEEK + 60, 8 * DAY, 0, -365 * DAY, True),
    ],
)
async def test_age_at_which_a_message_is_given_up_counts_the_time_that_hcl_ran(
    tmp_path: Path, ran: float, off: float, slept: float, step: float, is_given_up: bool
) -> None:
    clock, times = a_clock()
    async with HttpSink(status=500) as sink:
        async with running_app(tmp_path, text([sink]), clock=clock) as app:
            await down(app, 1)
            await change(app.database, "UPDATE notifications SET attempts = 9")
        times.run(off)
        times.set_wall(step)

        clock = Clock(times)
        async with running_app(tmp_path, text([sink]), clock=clock) as app:
            times.suspend(slept)
            times.run(ran)
            await app.sender.send_once(clock.now() + 400 * timedelta(seconds=DAY))

            assert len(sink.records) == 1
            assert (await waiting(app) == []) == is_given_up


async def test_check_deleted_before_sending_is_not_told_of(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink()) as (app, [sink]):
        gone, kept = [await down(app, 1) for _ in range(2)]
        async with app.database.transaction() as conn:
            await store.checks.delete(conn, gone.id)

        await app.sender.send_once(NOW)

        assert targets(sink) == [f"/down/{kept.code}"]
        assert await waiting(app) == []


async def test_check_deleted_while_sending_harms_nobody(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink(delay=0.2)) as (app, [sink]):
        gone, kept = [await down(app, 1) for _ in range(2)]
        sending = asyncio.create_task(app.sender.send_once(NOW))
        await sink.wait_for(2)

        async with app.database.transaction() as conn:
            await store.checks.delete(conn, gone.id)
        await sending

        assert await rows(app.database, "SELECT check_id FROM notifications") == [
            kept.id
        ]
        assert await waiting(app) == []


async def test_messages_for_a_channel_taken_out_of_the_file_are_given_up(
    tmp_path: Path,
) -> None:
    sinks = HttpSink(status=500), HttpSink(status=500)
    async with app_and_sinks(tmp_path, *sinks) as (app, [kept, gone]):
        await down(app, 1, 2)
        await app.sender.send_once(NOW)

        await app.reload(text([kept]))
        kept.status = 200
        await app.sender.send_once(NOW + HOUR)
        await app.reload(text([kept, gone]))
        await app.sender.send_once(NOW + 9 * HOUR)

        assert (len(kept.records), len(gone.records)) == (2, 1)
        assert await rows(
            app.database,
            "SELECT sent, answer FROM notifications"
            " WHERE channel_id = 2 AND next_try IS NULL",
        ) == [(None, "the channel was taken out")]


async def test_changed_channel_sends_to_its_new_address(tmp_path: Path) -> None:
    sinks = HttpSink(status=500), HttpSink()
    async with app_and_sinks(tmp_path, *sinks) as (app, [sink, other]):
        check = await down(app, 1)
        await app.sender.send_once(NOW)

        await app.reload(text([other]))
        await app.sender.send_once(NOW + HOUR)

        assert len(sink.records) == 1
        assert targets(other) == [f"/down/{check.code}"]
        assert await waiting(app) == []


async def test_channel_taken_out_while_its_message_fails_leaves_nothing_waiting(
    tmp_path: Path,
) -> None:
    sinks = HttpSink(), HttpSink(status=500, delay=0.2)
    async with app_and_sinks(tmp_path, *sinks) as (app, [kept, gone]):
        await down(app, 2)
        sending = asyncio.create_task(app.sender.send_once(NOW))
        await gone.wait_for(1)

        await app.reload(text([kept]))
        async with asyncio.timeout(ENDS):
            await sending

        assert await waiting(app) == []


async def test_reload_while_a_message_is_under_way_does_not_send_it_twice(
    tmp_path: Path,
) -> None:
    async with app_and_sinks(tmp_path, HttpSink(delay=0.3)) as (app, [sink]):
        await down(app, 1)
        sending = asyncio.create_task(app.sender.send_once(NOW))
        await sink.wait_for(1)

        await app.reload(text([sink]))
        async with asyncio.timeout(ENDS):
            await sending
        await app.sender.send_once(NOW + HOUR)

        assert len(sink.records) == 1
        assert await waiting(app) == []


async def test_a_clock_that_is_set_during_a_try_moves_the_next_one_along(
    tmp_path: Path,
) -> None:
    step = timedelta(days=40)
    async with app_and_sinks(tmp_path, HttpSink(status=500, delay=0.3)) as (app, sinks):
        await down(app, 1)
        sending = asyncio.create_task(app.sender.send_once(NOW))
        await sinks[0].wait_for(1)

        app.clock.take(step)
        async with asyncio.timeout(ENDS):
            await sending

        [next_try] = await waiting(app)
        assert NOW <= next_try - PAUSES[0] - step <= NOW + timedelta(seconds=ENDS)


def test_a_clock_that_is_set_before_a_try_is_written_down_moves_it_along() -> None:
    notification = Notification(1, 1, 1, 1, NOW, 0)
    outcome = Outcome((notification,), "no", NOW, next_try=NOW, soon=NOW, asked=NOW)
    reminded = replace(outcome, sent=NOW, reminders=((notification, NOW),))

    failed = moved(EndedTry(Mock(), outcome, NOW), HOUR).outcome
    sent = moved(EndedTry(Mock(), reminded, NOW), HOUR).outcome

    assert {failed.began, failed.next_try, failed.soon, failed.asked} == {NOW + HOUR}
    assert failed.sent is None
    assert {sent.sent, sent.reminders[0][1]} == {NOW + HOUR}


async def test_last_error_is_shown_and_cleared(tmp_path: Path) -> None:
    sinks = HttpSink(status=500), HttpSink()
    async with app_and_sinks(tmp_path, *sinks) as (app, [bad, _]):
        await down(app, 1, 2)

        await app.sender.send_once(NOW)
        errors = "SELECT last_error FROM channels"
        delivered = "SELECT last_sent NOTNULL FROM channels"
        assert await rows(app.database, errors) == ["HTTP 500 from 127.0.0.1", ""]
        assert await rows(app.database, delivered) == [0, 1]

        bad.status = 200
        await app.sender.send_once(NOW + HOUR)
        assert await rows(app.database, errors) == ["", ""]
        assert await rows(app.database, delivered) == [1, 1]


async def test_nobody_there_is_a_failure_like_others(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink()) as (app, [sink]):
        await down(app, 1)
        await sink.__aexit__(None, None, None)

        await app.sender.send_once(NOW)
        assert await waiting(app) == [NOW + PAUSES[0]]
        [error] = await rows(app.database, "SELECT last_error FROM channels")
        assert error == "cannot connect to 127.0.0.1: connection refused"

        await sink.__aenter__()
        await app.sender.send_once(NOW + PAUSES[0])
        assert await waiting(app) == []


async def test_many_messages_all_arrive_exactly_once(tmp_path: Path) -> None:
    sinks = HttpSink(), HttpSink()
    async with app_and_sinks(tmp_path, *sinks) as (app, _):
        every = [await down(app, 1, 2) for _ in range(300)]

        for _ in range(4):
            await app.sender.send_once(NOW)

        expected = sorted(f"/down/{check.code}" for check in every)
        for sink in sinks:
            assert sorted(targets(sink)) == expected
        assert await waiting(app) == []


async def test_loop_sends_many_messages_exactly_once(tmp_path: Path) -> None:
    sinks = HttpSink(), HttpSink()
    async with app_and_sinks(tmp_path, *sinks) as (app, _):
        loop = asyncio.create_task(app.sender.run())

        every = [await put_check(app.database, 1, 2, status="up") for _ in range(300)]
        await asyncio.gather(*(ping(app, check, "fail") for check in every))
        for sink in sinks:
            await sink.wait_for(300)
        await app.sender.finish(timedelta(seconds=5))
        loop.cancel()
        await asyncio.wait([loop])

        expected = sorted(f"/down/{check.code}" for check in every)
        for sink in sinks:
            assert sorted(targets(sink)) == expected
        assert await waiting(app) == []


async def test_loop_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink()) as (app, [sink]):
        every = [await down(app, 1) for _ in range(100)]

        for n in range(1, 11):
            loop = asyncio.create_task(app.sender.run())
            await sink.wait_for(9 * n)
            loop.cancel()
            await asyncio.wait([loop])
        for _ in range(2):
            await app.sender.send_once(NOW)

        assert set(targets(sink)) == {f"/down/{check.code}" for check in every}
        assert await waiting(app) == []
        # A few were under way each time.
        assert len(sink.records) <= 100 + 10 * CONCURRENCY


async def test_only_so_many_messages_of_a_channel_are_under_way(
    tmp_path: Path,
) -> None:
    async with app_and_sinks(tmp_path, HttpSink(behave="hang")) as (app, [sink]):
        for _ in range(CONCURRENCY + 5):
            await down(app, 1)

        sending = asyncio.create_task(app.sender.send_once(NOW))
        await sink.wait_for(CONCURRENCY)
        # Were there room for more, they would be on their way before this is read.
        await app.sender.send_once(NOW)

        assert sink.connections == CONCURRENCY
        sending.cancel()
        await asyncio.wait([sending])


async def test_finish_starts_nothing_new(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink()) as (app, [sink]):
        await down(app, 1)

        await app.sender.finish(timedelta(seconds=5))
        await app.sender.send_once(NOW)

        assert sink.records == []
        assert await waiting(app) == [NOW]


async def test_finish_waits_for_what_is_under_way_and_leaves_the_rest(
    tmp_path: Path,
) -> None:
    async with app_and_sinks(tmp_path, HttpSink(delay=0.2)) as (app, [sink]):
        for _ in range(CONCURRENCY + 5):
            await down(app, 1)
        sending = asyncio.create_task(app.sender.send_once(NOW))
        await sink.wait_for(CONCURRENCY)

        await app.sender.finish(timedelta(seconds=5))

        async with asyncio.timeout(ENDS):
            await sending
        assert len(sink.records) == CONCURRENCY
        assert await waiting(app) == [NOW] * 5


async def test_finish_does_not_wait_longer_than_it_may(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink(behave="hang")) as (app, [sink]):
        await down(app, 1)
        sending = asyncio.create_task(app.sender.send_once(NOW))
        await sink.wait_for(1)
        began = time.monotonic()

        await app.sender.finish(timedelta(seconds=0.1))

        assert time.monotonic() - began < ENDS
        assert not sending.done()
        sending.cancel()
        await asyncio.wait([sending])


async def test_message_tells_of_its_flip_and_the_ping_up_to_it(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        request = toml.post(sink.url, "$NAME $STATUS $BODY")
        content = toml.project() + toml.webhook("Hook", down=request, up=request)
        async with running_app(tmp_path, content) as app:
            check = await put_check(app.database, 1, status="up", name="Backup")
            for n, action in enumerate(("fail", "log", "success", "log")):
                await app.parts.pinging.receive(
                    Target(code=check.code), make_ping(action=action, body=b"%d" % n)
                )

            for _ in range(2):
                await app.sender.send_once(NOW)

    assert [record.text for record in sink.records] == ["Backup down 0", "Backup up 2"]


async def test_mail_arrives_and_is_ticked_off(tmp_path: Path) -> None:
    async with SmtpSink() as sink:
        content = toml.smtp(sink.port) + toml.project() + toml.email("Mail")
        async with running_app(tmp_path, content) as app:
            sink.refusals.data = "451 not now"
            await down(app, 1)
            await app.sender.send_once(NOW)
            assert await waiting(app) == [NOW + PAUSES[0]]

            sink.refusals.data = ""
            await app.sender.send_once(NOW + PAUSES[0])

            [record] = sink.records
            assert record.rcpt_tos == ["ops@example.org"]
            assert await waiting(app) == []


async def test_message_for_a_status_without_a_request_is_ticked_off(
    tmp_path: Path,
) -> None:
    async with app_and_sinks(tmp_path, HttpSink()) as (app, [sink]):
        await down(app, 1)
        only_up = text([sink]).replace("down = ", "# ")

        await app.reload(only_up)
        await app.sender.send_once(NOW)

        assert sink.records == []
        assert await waiting(app) == []


async def test_flip_that_was_pruned_meanwhile_holds_nobody_up(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink()) as (app, [sink]):
        await down(app, 1)
        kept = await down(app, 1)
        await change(app.database, "DELETE FROM flips WHERE id = 1")

        await app.sender.send_once(NOW)

        assert targets(sink) == [f"/down/{kept.code}"]
        assert await waiting(app) == []


async def test_receiver_that_limits_the_rate_is_not_run_over(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink(status=429)) as (app, [sink]):
        for _ in range(50):
            await down(app, 1)

        await app.sender.send_once(NOW)
        assert len(sink.records) == CONCURRENCY

        # While the channel pauses nothing is tried, then one message at a time.
        await app.sender.send_once(NOW + PAUSES[0] / 2)
        assert len(sink.records) == CONCURRENCY
        await app.sender.send_once(NOW + PAUSES[0])
        assert len(sink.records) == CONCURRENCY + 1

        sink.status = 200
        await app.sender.send_once(NOW + HOUR)
        assert await waiting(app) == []


async def test_refused_message_gives_way_to_a_newer_one(tmp_path: Path) -> None:
    async with app_and_sinks(tmp_path, HttpSink(status=404)) as (app, [sink]):
        check = await down(app, 1)
        await app.sender.send_once(NOW)
        await ping(app, check, "success")

        app.clock.has_run(HOUR.total_seconds() + 1)
        await app.sender.send_once(NOW + HOUR)
        assert len(await waiting(app)) == 1
        sink.status = 200
        await app.sender.send_once(NOW + 2 * HOUR)

        assert targets(sink)[-1] == f"/up/{check.code}"
        assert await waiting(app) == []


async def test_channel_taken_out_and_back_does_not_let_messages_overtake(
    tmp_path: Path,
) -> None:
    async with app_and_sinks(tmp_path, HttpSink(delay=0.3)) as (app, [sink]):
        check = await down(app, 1)
        sending = asyncio.create_task(app.sender.send_once(NOW))
        await sink.wait_for(1)

        await app.sender.use(app.config, {})
        await app.sender.use(app.config, app.synced.channels)
        await ping(app, check, "success")
        await app.sender.send_once(NOW)
        assert targets(sink) == [f"/down/{check.code}"]

        await sending
        await app.sender.send_once(NOW)
        assert targets(sink) == [f"/down/{check.code}", f"/up/{check.code}"]
