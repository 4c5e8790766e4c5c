from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hcl import store
from hcl.alerts.composing import compose
from hcl.model import Message
from hcl.pings.arrival import Target
from hcl.store.waiting import Waiting
from tests.alerts.sending import Post, channel, down, ping, posting, quiet
from tests.app import ROOT, App
from tests.build import HOUR, NOW, make_ping
from tests.store import change, put_check, put_flip

SECOND = timedelta(seconds=1)
MINUTE = 60 * SECOND


async def waiting(app: App, channel_id: int = 1) -> list[Waiting]:
    reader = await app.database.current()
    return await store.waiting.due(reader, channel_id, NOW + HOUR, 999)


async def composed(app: App, *bundle: Waiting) -> Message:
    message = await compose(await app.database.current(), app.config, bundle)
    assert message is not None
    return message


async def test_message_names_the_site_the_project_and_the_check(app: App) -> None:
    check = await down(app, 1, 2)

    message = await composed(app, *await waiting(app))

    [alert] = message.alerts
    assert (message.site_root, message.project_name) == (ROOT, "Home")
    assert message.project_code == app.config.projects[0].id
    assert (alert.check.code, alert.check.status) == (check.code, "down")
    assert alert.flip.new_status == "down"
    assert alert.down_since == NOW
    assert set(alert.channels) == {c.id for c in app.synced.channels.values()}
    assert (alert.earlier, alert.reminder, message.notice) == ((), 0, "")


async def test_where_there_are_no_pages_nothing_leads_to_one(app: App) -> None:
    await down(app, 1)
    config = replace(app.config, web=replace(app.config.web, enabled=False))

    bundle = tuple(await waiting(app))
    message = await compose(app.database.committed, config, bundle)

    assert message is not None
    assert (message.site_root, message.alerts[0].mute_links) == ("", ())


async def test_message_is_told_in_the_zone_of_the_file(app: App) -> None:
    await down(app, 1)
    alerts = replace(app.config.alerts, tz="Europe/Riga")
    config = replace(app.config, alerts=alerts)

    message = await compose(
        await app.database.current(), config, tuple(await waiting(app))
    )

    assert message is not None
    assert [alert.home for alert in message.alerts] == ["Europe/Riga"]


async def test_last_ping_is_none_that_was_told_late_and_others_had_followed(
    app: App,
) -> None:
    check = await put_check(app.database, 1, timeout=HOUR, grace=HOUR)
    await ping(app, check, "success")
    for action in ("success", "start", "log"):
        late = make_ping(created=NOW - HOUR, action=action)
        target = Target(code=check.code, is_late=True)
        await app.parts.pinging.receive(target, late)

    await app.checker.check_once(NOW + 3 * HOUR)

    bundle = await store.waiting.due(
        await app.database.current(), 1, NOW + 4 * HOUR, 999
    )
    [alert] = (await composed(app, *bundle)).alerts
    assert alert.ping is not None
    assert (alert.ping.n, alert.ping.created) == (1, NOW)
    explained = await app.api("GET", f"checks/{check.code}/explain/")
    told = [line["text"] for line in explained.json()["timeline"]]
    assert "The last ping came: ping 1, success." in told
    # They came since by nobody's count.
    assert not any("came since" in text for text in told)


async def test_flips_of_a_check_are_one_alert(app: App) -> None:
    check = await down(app, 1)
    await ping(app, check, "success", NOW + SECOND)
    other = await down(app, 1, at=NOW + 2 * SECOND)

    message = await composed(app, *await waiting(app))

    told = [
        (a.check.id, [f.new_status for f in (*a.earlier, a.flip)])
        for a in message.alerts
    ]
    assert told == [(check.id, ["down", "up"]), (other.id, ["down"])]
    assert message.alerts[0].down_since == NOW


async def test_ping_is_the_last_up_to_the_newest_flip(app: App) -> None:
    check = await put_check(app.database, 1, status="up")
    for n, action in enumerate(("fail", "log", "success", "log")):
        await app.parts.pinging.receive(
            Target(code=check.code),
            make_ping(action=action, body=b"%d" % n, created=NOW),
        )
    await app.filer.file_once()

    first, second = await waiting(app)
    alone = await composed(app, first)
    both = await composed(app, first, second)

    assert [m.alerts[0].ping and m.alerts[0].ping.body for m in (alone, both)] == [
        b"0",
        b"2",
    ]


async def test_reminder_tells_the_last_ping_of_all(app: App) -> None:
    check = await down(app, 1)
    address = Target(code=check.code)
    await app.parts.pinging.receive(address, make_ping(action="log", body=b"late"))
    [first] = await waiting(app)
    reminder = first._replace(
        notification=replace(first.notification, reminder=2, hold="remind")
    )

    [alert] = (await composed(app, reminder)).alerts

    assert (alert.reminder, alert.down_since) == (2, NOW)
    assert alert.ping is not None
    assert alert.ping.body == b"late"


async def test_flip_that_comes_twice_is_told_once(app: App) -> None:
    """As where a channel is the fallback of another of the check's."""
    await down(app, 1)
    [own] = await waiting(app)
    foreign = own._replace(
        notification=replace(own.notification, id=2, notice="The channel A is off.")
    )

    message = await composed(app, own, foreign)

    [alert] = message.alerts
    assert (alert.earlier, alert.flip.new_status) == ((), "down")
    assert message.notice == "The channel A is off."


async def test_reminder_beside_its_flip_is_no_reminder(app: App) -> None:
    await down(app, 1)
    [own] = await waiting(app)
    reminder = own._replace(
        notification=replace(own.notification, id=2, reminder=1, notice="No.")
    )

    [alert] = (await composed(app, own, reminder)).alerts

    assert alert.reminder == 0


async def test_flips_are_told_in_their_order_whatever_came_first(app: App) -> None:
    check = await down(app, 1)
    await ping(app, check, "success", NOW + SECOND)
    begin, end = await waiting(app)
    late = begin._replace(
        notification=replace(begin.notification, id=9, notice="The channel A is off.")
    )

    [alert] = (await composed(app, end, late)).alerts

    assert [f.new_status for f in (*alert.earlier, alert.flip)] == ["down", "up"]


async def test_notices_are_told_once_each(app: App) -> None:
    for _ in range(3):
        await down(app, 1)
    told = [
        row._replace(notification=replace(row.notification, notice=notice))
        for row, notice in zip(await waiting(app), ("A.", "B.", "A."), strict=True)
    ]

    assert (await composed(app, *told)).notice == "A. B."


async def test_a_channel_says_once_why_it_could_not_deliver(app: App) -> None:
    """A mail server gives each refusal a number of its own."""
    for _ in range(4):
        await down(app, 1)
    failed = "The channel {} could not deliver this: 451 id {}."
    notices = [failed.format("A", n) for n in range(3)]
    notices.append(f"{notices[0]} {failed.format('B', 7)}")
    told = [
        row._replace(notification=replace(row.notification, notice=notice))
        for row, notice in zip(await waiting(app), notices, strict=True)
    ]

    assert (await composed(app, *told)).notice == f"{notices[2]} {notices[3]}"


async def test_others_that_are_down_are_named_and_counted(app: App) -> None:
    for n in range(9):
        await put_check(app.database, name=f"other {n}", status="down")
    await put_check(app.database, name="fine", status="up")
    await put_check(app.database, name="foreign", status="down", project_id=2)
    for _ in range(2):
        await down(app, 1)

    message = await composed(app, *await waiting(app))

    assert message.also_down == tuple(f"other {n}" for n in range(5))
    assert message.also_down_count == 9


async def test_check_that_was_deleted_is_left_out(app: App) -> None:
    gone, kept = [await down(app, 1) for _ in range(2)]
    bundle = await waiting(app)
    async with app.database.transaction() as conn:
        await store.checks.delete(conn, gone.id)

    message = await composed(app, *bundle)

    assert [alert.check.id for alert in message.alerts] == [kept.id]
    assert await compose(app.database.committed, app.config, tuple(bundle[:1])) is None


async def test_summary_tells_of_a_hundred_checks(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Mail", fold='"1m"')) as post:
        for n in range(100):
            check = await put_check(post.app.database, 1, name=f"{n}", status="down")
            await put_flip(post.app.database, check)
        await change(post.app.database, "UPDATE notifications SET hold = 'fold'")

        message = await composed(post.app, *await waiting(post.app))

        assert len(message.alerts) == 100
        assert message.also_down_count == 0


async def test_people_hear_what_their_channel_does_not_tell_by_itself(
    tmp_path: Path,
) -> None:
    night = {"quiet_hours": quiet("11:00", "13:00")}
    down_only = channel("Mail", events='["down"]', **night)
    hook = channel("Hook", "webhook", events='["down"]', **night)
    async with posting(tmp_path, down_only, hook) as post:
        back = await post.down("back", 1, 2)
        again = await post.down("again", 1)
        await post.down("down", 1)
        await post.send(NOW)
        await post.succeed(back, NOW + MINUTE)
        await post.succeed(again, NOW + MINUTE)
        await post.fail(again, NOW + 2 * MINUTE)
        await post.send(NOW + 2 * MINUTE, NOW + HOUR)

        assert post.mails() == ["3 checks: 2 down, 1 up (again, down and back)"]
        assert post.requests() == ["down back"]
        text = plain(post)
        assert "DOWN and UP again: back" in text
        assert "DOWN after 2 changes: again" in text
        assert "DOWN: down" in text


async def test_who_is_paused_by_the_end_of_the_night_is_not_said_to_be_down(
    tmp_path: Path,
) -> None:
    night = {"quiet_hours": quiet("11:00", "13:00")}
    async with posting(tmp_path, channel("Mail", **night)) as post:
        check = await post.down("a")
        [project] = post.app.synced.projects
        await post.send(NOW)
        await post.app.parts.managing.pause(project, check.code, NOW + MINUTE)
        await post.send(NOW + HOUR)

        assert post.mails() == ["DOWN and paused: a"]
        text = plain(post)
        assert "Mute for" not in text
        assert "- down at 2026-06-15 12:00:00 UTC: reported failure" in text
        assert "- paused at 2026-06-15 12:01:00 UTC, after 1 minute" in text
        assert "Status:       paused since 2026-06-15 12:01:00 UTC" in text


async def test_what_may_come_from_another_channel_is_not_told_before(app: App) -> None:
    await change(app.database, "UPDATE channels SET on_up = id - 1")
    check = await down(app, 1, 2)
    await ping(app, check, "success", NOW + SECOND)
    [mine], ways = await waiting(app), frozenset({1, 2})

    for sql, ids, told in (
        # It tells of no up: none comes.
        ("SELECT 1", ways, ["up"]),
        ("UPDATE channels SET on_up = 1", ways, []),
        ("SELECT 1", frozenset[int](), ["up"]),
        ("UPDATE notifications SET next_try = NULL", ways, ["up"]),
    ):
        await change(app.database, sql)
        message = await compose(
            await app.database.current(), app.config, (mine,), ways=ids
        )
        assert message is not None
        assert [flip.new_status for flip in message.alerts[0].later] == told


def plain(post: Post) -> str:
    """Return the text of the last mail."""
    part = post.smtp.records[-1].message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())
