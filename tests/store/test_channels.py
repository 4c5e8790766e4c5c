import uuid

from hcl import store
from hcl.model import Channel
from tests.app import App
from tests.build import HOUR, NOW
from tests.store import change, plan_of, put_check, put_flip, rows


async def save(app: App, project_id: int, name: str) -> Channel:
    channel = Channel(id=0, code=str(uuid.uuid4()), name=name, kind="webhook")
    async with app.database.transaction() as conn:
        id_ = await store.channels.save(
            conn, project_id, channel, on_down=True, on_up=True
        )
    return Channel(id_, channel.code, channel.name, channel.kind)


async def assign(app: App, check_id: int, *channel_ids: int) -> None:
    async with app.database.transaction() as conn:
        await store.channels.assign(conn, check_id, channel_ids)


async def assigned(app: App, check_id: int) -> list[int]:
    return await rows(
        app.database,
        "SELECT channel_id FROM checks_channels WHERE check_id = ?",
        check_id,
    )


async def test_channel_comes_back_as_it_was_saved(app: App) -> None:
    saved = await save(app, 2, "Bell €")

    assert await store.channels.of_project(app.database.committed, 2) == [saved]


async def test_channels_come_in_order_of_creation(app: App) -> None:
    await save(app, 1, "A bell")

    found = await store.channels.of_project(app.database.committed, 1)

    assert [channel.name for channel in found] == ["Hook A", "Hook B", "A bell"]


async def test_saving_again_changes_the_row_and_keeps_how_it_fares(app: App) -> None:
    saved = await save(app, 2, "Bell")
    async with app.database.transaction() as conn:
        await store.channels.note_sent(conn, saved.id, NOW)
    changed = Channel(saved.id, str(uuid.uuid4()), "Horn", "email")

    async with app.database.transaction() as conn:
        await store.channels.disable_all(conn)
        id_ = await store.channels.save(conn, 2, changed, on_down=False, on_up=True)

    assert id_ == saved.id
    assert await store.channels.of_project(app.database.committed, 2) == [changed]
    assert await rows(
        app.database,
        "SELECT on_down, on_up, last_sent FROM channels WHERE id = ?",
        saved.id,
    ) == [(0, 1, NOW.timestamp())]


async def test_disabled_channels_are_nowhere_to_be_seen(app: App) -> None:
    check = await put_check(app.database, 1, 2)

    async with app.database.transaction() as conn:
        await store.channels.disable_all(conn)

    reader = app.database.committed
    assert await store.channels.of_project(reader, 1) == []
    assert await store.channels.codes_of_check(reader, check.id) == []
    assert await store.channels.codes_of_checks(reader, [1]) == {}


async def test_code_finds_a_channel_before_its_name_does(app: App) -> None:
    one, two = await store.channels.of_project(app.database.committed, 1)
    reader = app.database.committed

    assert await store.channels.find(reader, 1, two.code, one.name) == two
    assert await store.channels.find(reader, 1, "no such code", one.name) == one
    assert await store.channels.find(reader, 1, "no such code", "No such name") is None
    assert await store.channels.find(reader, 2, "no such code", one.name) is None


async def test_codes_of_a_check_are_sorted(app: App) -> None:
    more = [await save(app, 1, f"Bell {n}") for n in range(5)]
    check = await put_check(app.database, 1, *(channel.id for channel in more))
    all_channels = await store.channels.of_project(app.database.committed, 1)

    codes = await store.channels.codes_of_check(app.database.committed, check.id)

    assert codes == sorted(c.code for c in all_channels if c.name != "Hook B")


async def test_codes_of_a_project_come_by_check(app: App) -> None:
    one, two = await store.channels.of_project(app.database.committed, 1)
    foreign = await save(app, 2, "Bell")
    both = await put_check(app.database, 1, 2)
    single = await put_check(app.database, 2)
    await put_check(app.database)
    await put_check(app.database, foreign.id, project_id=2)

    reader = app.database.committed
    codes = await store.channels.codes_of_checks(reader, [both.id, single.id, 3])

    assert {check_id: sorted(found) for check_id, found in codes.items()} == {
        both.id: sorted([one.code, two.code]),
        single.id: [two.code],
    }


async def test_assigning_replaces_what_a_check_used(app: App) -> None:
    check = await put_check(app.database, 1)
    other = await put_check(app.database, 1)

    await assign(app, check.id, 2)

    assert await assigned(app, check.id) == [2]
    assert await assigned(app, other.id) == [1]


async def test_assigning_nothing_leaves_none(app: App) -> None:
    check = await put_check(app.database, 1, 2)

    await assign(app, check.id)

    assert await assigned(app, check.id) == []


async def test_assigning_spares_channels_that_left_the_file(app: App) -> None:
    check = await put_check(app.database, 1, 2)
    await change(app.database, "UPDATE channels SET enabled = 0 WHERE id = 1")

    await assign(app, check.id)

    assert await assigned(app, check.id) == [1]


async def test_all_channels_are_those_of_the_project_in_the_file(app: App) -> None:
    await save(app, 2, "Bell")
    await change(app.database, "UPDATE channels SET enabled = 0 WHERE id = 1")
    check = await put_check(app.database)

    async with app.database.transaction() as conn:
        await store.channels.assign_all(conn, check.id, 1)

    assert await assigned(app, check.id) == [2]


FARING = "SELECT last_sent, last_error, failing_since FROM channels ORDER BY id"


async def test_delivery_is_noted(app: App) -> None:
    async with app.database.transaction() as conn:
        await store.channels.note_sent(conn, 1, NOW)

    assert await rows(app.database, FARING) == [
        (NOW.timestamp(), "", None),
        (None, "", None),
    ]


async def test_failure_is_noted_and_may_not_count_yet(app: App) -> None:
    async with app.database.transaction() as conn:
        await store.channels.note_failed(conn, 1, "no", None)
        await store.channels.note_failed(conn, 2, "never", NOW)

    assert await rows(app.database, FARING) == [
        (None, "no", None),
        (None, "never", NOW.timestamp()),
    ]
    assert await store.channels.count_failing(app.database.committed) == 1


async def test_channel_fails_since_the_first_failure_that_counted(app: App) -> None:
    async with app.database.transaction() as conn:
        for error, since in (("a", NOW), ("b", NOW + HOUR), ("c", None)):
            await store.channels.note_failed(conn, 1, error, since)

    assert await rows(app.database, FARING + " LIMIT 1") == [
        (None, "c", NOW.timestamp())
    ]


async def test_delivery_ends_the_failing(app: App) -> None:
    async with app.database.transaction() as conn:
        await store.channels.note_failed(conn, 1, "no", NOW)
        await store.channels.note_sent(conn, 1, NOW + HOUR)

    assert await rows(app.database, FARING + " LIMIT 1") == [
        ((NOW + HOUR).timestamp(), "", None)
    ]
    assert await store.channels.count_failing(app.database.committed) == 0


async def test_channels_that_left_the_file_do_not_count_as_failing(app: App) -> None:
    async with app.database.transaction() as conn:
        for channel_id in (1, 2):
            await store.channels.note_failed(conn, channel_id, "no", NOW)
    await change(app.database, "UPDATE channels SET enabled = 0 WHERE id = 1")

    assert await store.channels.count_failing(app.database.committed) == 1


async def test_standings_tell_how_each_channel_fares(app: App) -> None:
    check = await put_check(app.database, 1, name="Backup")
    await put_check(app.database, 1)
    await put_flip(app.database, check, NOW - HOUR)
    async with app.database.transaction() as conn:
        await conn.execute(
            "UPDATE notifications SET next_try = NULL, sent = ?", (NOW.timestamp(),)
        )
        await store.channels.note_sent(conn, 1, NOW)
        await store.channels.note_failed(conn, 2, "HTTP 500", NOW)

    first, second = await store.channels.standings(app.database.committed, 1)

    assert (first.channel.name, first.checks, first.last_sent) == ("Hook A", 2, NOW)
    assert (first.last_title, first.last_code) == ("Backup", check.code)
    assert first.last_key == check.unique_key
    assert (first.last_error, first.failing_since) == ("", None)
    assert (second.checks, second.last_sent, second.last_title) == (0, None, "")
    assert (second.last_error, second.failing_since) == ("HTTP 500", NOW)


async def test_last_of_a_summary_was_written_last_whatever_the_clock_said(
    app: App,
) -> None:
    for name, at in (("Ahead", NOW - HOUR), ("Last", NOW - 2 * HOUR)):
        check = await put_check(app.database, 1, name=name)
        await put_flip(app.database, check, at)
    async with app.database.transaction() as conn:
        await conn.execute("UPDATE notifications SET sent = ?", (NOW.timestamp(),))
        await store.channels.note_sent(conn, 1, NOW)
    reader = app.database.committed

    first, _ = await store.channels.standings(reader, 1)
    plan = await plan_of(app.database, lambda conn: store.channels.standings(conn, 1))

    assert first.last_title == "Last"
    assert "notifications_created (created>? AND created<?)" in plan


async def test_a_standing_outlives_the_check_of_its_last_message(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check)
    async with app.database.transaction() as conn:
        await store.channels.note_sent(conn, 1, NOW)
        await store.checks.delete(conn, check.id)

    first, _ = await store.channels.standings(app.database.committed, 1)

    assert (first.last_sent, first.last_title, first.last_code) == (NOW, "", "")


async def test_failing_channels_are_named_the_longest_first(app: App) -> None:
    async with app.database.transaction() as conn:
        await store.channels.note_failed(conn, 1, "no", NOW)
        await store.channels.note_failed(conn, 2, "no", NOW - HOUR)

    found = await store.channels.failing(app.database.committed)

    assert found == [(1, "Hook B", NOW - HOUR), (1, "Hook A", NOW)]


async def test_troubles_are_those_of_channels_that_do_not_deliver(app: App) -> None:
    async with app.database.transaction() as conn:
        await store.channels.note_failed(conn, 1, "no", None, failures=2)
        await store.channels.note_failed(conn, 2, "never", NOW)
    both = await store.channels.troubles(app.database.committed)
    async with app.database.transaction() as conn:
        await store.channels.note_sent(conn, 1, NOW)

    assert both == {1: (2, False), 2: (0, True)}
    assert await store.channels.troubles(app.database.committed) == {2: (0, True)}


async def test_alone_are_checks_that_no_channel_in_the_file_serves(app: App) -> None:
    told = await put_check(app.database, 1)
    never = await put_check(app.database, name="Never")
    left = await put_check(app.database, 2, name="Left")
    await change(app.database, "UPDATE channels SET enabled = 0 WHERE id = 2")
    reader = app.database.committed

    assert await store.channels.alone(reader, 1) == {
        never.id: "Never",
        left.id: "Left",
    }
    assert await store.channels.alone_among(reader, [told.id, left.id]) == {left.id}
