"""Channels that left the file, or were switched off in it, and come back."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from hcl import store
from hcl.alerts import lines
from hcl.model import Announcement, AnnouncementKind, Check
from tests import toml
from tests.alerts.sending import Post, channel, group, posting, quiet_now, restarted
from tests.build import DAY, HOUR
from tests.damage import damage
from tests.store import change, put_check, rows

MAIL = channel("Mail")
OFF = channel("Mail", enabled="false")
DEAD = toml.webhook("Hook", down="http://127.0.0.1:9/")
QUIET_NOW = {"quiet_hours": quiet_now()}


async def _up(post: Post, *channel_ids: int, name: str = "a") -> Check:
    return await put_check(post.app.database, *channel_ids, name=name, status="up")


async def _told(post: Post, check: Check, action: str = "fail") -> None:
    """Let a check flip now, and send what there is to send."""
    now = post.app.clock.now()
    await (post.fail if action == "fail" else post.succeed)(check, now)
    await post.send(now)


async def _send(post: Post) -> None:
    await post.send(post.app.clock.now())


# An outage


@pytest.mark.parametrize("away", [[], [OFF]], ids=["out", "off"])
async def test_it_tells_of_an_outage_that_began_meanwhile(
    tmp_path: Path, away: Sequence[str]
) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        await post.use(*away)
        await _told(post, check)
        await post.use(MAIL)
        await _send(post)
        assert post.mails() == ["DOWN: a"]
        await post.use(*away)
        await post.use(MAIL)
        await _send(post)
        assert post.mails() == ["DOWN: a"]


async def test_it_does_so_at_a_start(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        await post.use()
        await _told(post, check)
        async with restarted(post, MAIL) as again:
            await _send(again)
            assert again.mails() == ["DOWN: a"]


async def test_it_does_so_once_its_project_is_back(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        file = post.file(MAIL)
        await post.app.reload(file.replace('"Home"', '"Other"').replace("Mail", "Post"))
        await _told(post, check)
        await post.app.reload(file)
        await _send(post)
        assert post.mails() == ["DOWN: a"]


async def test_one_that_comes_in_its_place_does_so(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        await post.use()
        await _told(post, check)
        await post.use(channel("Post"))
        await _send(post)
        assert post.mails("Post") == ["DOWN: a"]
        await post.use(channel("Post"), MAIL)
        await _send(post)
        assert post.mails() == []


async def test_nobody_tells_of_a_check_that_never_had_a_channel(tmp_path: Path) -> None:
    async with posting(tmp_path) as post:
        await _told(post, await _up(post))
        await post.use(MAIL)
        await _send(post)
        assert post.mails() == []


async def test_nobody_tells_again_what_another_has_told(tmp_path: Path) -> None:
    other = channel("Other")
    async with posting(tmp_path, MAIL, other) as post:
        check = await _up(post, 1, 2)
        await post.use(other)
        await _told(post, check)
        await post.use(MAIL, other)
        await _send(post)
        assert (post.mails(), post.mails("Other")) == ([], ["DOWN: a"])


async def test_nobody_tells_of_an_outage_that_is_over(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        await post.use()
        await _told(post, check)
        await _told(post, check, "success")
        await post.use(MAIL)
        await _send(post)
        assert post.mails() == []


async def test_nobody_tells_again_what_was_told_so_long_ago_that_it_is_forgotten(
    tmp_path: Path,
) -> None:
    """Messages are kept for three months, and outages may last for longer."""
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        ago = post.app.clock.now() - 100 * DAY
        await post.fail(check, ago)
        await post.send(ago)
        await change(post.app.database, "DELETE FROM notifications")
        await post.use()
        await post.use(MAIL)
        await _send(post)
        assert post.mails() == ["DOWN: a"]


@pytest.mark.parametrize(
    "other", [channel("Other", **QUIET_NOW), DEAD], ids=["quiet", "dead"]
)
async def test_it_does_so_though_another_has_to_tell_of_it_still(
    tmp_path: Path, other: str
) -> None:
    """That may be in trouble, or leave too."""
    async with posting(tmp_path, channel("Mail", **QUIET_NOW), other) as post:
        check = await _up(post, 1, 2)
        await _told(post, check)
        await post.use(other)
        await post.use(MAIL, other)
        await _send(post)
        assert (post.mails(), post.mails("Other")) == (["DOWN: a"], [])


async def test_it_does_so_though_a_try_was_under_way_as_it_left(tmp_path: Path) -> None:
    """Who takes a channel out that fails often does so while it waits for an answer."""
    hook = channel("Hook", "webhook")
    async with posting(tmp_path, hook) as post:
        check = await _up(post, 1)
        post.http.status = 500
        post.http.may_answer.clear()
        now = post.app.clock.now()
        await post.fail(check, now)
        async with asyncio.TaskGroup() as group:
            group.create_task(post.app.sender.send_once(now))
            await post.http.wait_for(1)
            await post.use()
            post.http.may_answer.set()
        post.http.status = 200
        post.clear()
        await post.use(hook)
        await _send(post)
        assert post.requests() == ["down a"]


@pytest.mark.parametrize("away", [[], [OFF]], ids=["out", "off"])
async def test_it_does_so_as_the_fallback_of_one_that_fails(
    tmp_path: Path, away: Sequence[str]
) -> None:
    fallback = DEAD + 'fallback = "Mail"\n'
    async with posting(tmp_path, fallback, channel("Mail", **QUIET_NOW)) as post:
        now = post.app.clock.now()
        check = await _up(post, 1)
        await post.fail(check, now)
        await post.send(*(now + n * HOUR for n in range(3)))
        assert [hold for hold, _ in await post.waiting()] == ["", "quiet"]
        await post.use(DEAD, *away)
        for _ in range(2):
            await post.use(fallback, MAIL)
            await _send(post)
        assert post.mails() == ["DOWN: a"]


async def test_a_group_hands_it_to_who_takes_the_place_of_one_that_left(
    tmp_path: Path,
) -> None:
    mail, other = channel("Mail", **QUIET_NOW), channel("Other")
    async with posting(tmp_path, mail, other, group("Mail")) as post:
        check = await _up(post, 3)
        await _told(post, check)
        await post.use(other, group("Other"))
        await _send(post)
        assert post.mails("Other") == ["DOWN: a"]
        await post.use(MAIL, other, group("Mail", "Other"))
        await post.use(other, group("Other"))
        await _send(post)
        assert (post.mails(), post.mails("Other")) == ([], ["DOWN: a"])


# The end of an outage


@pytest.mark.parametrize("away", [[], [OFF]], ids=["out", "off"])
async def test_it_tells_that_what_it_called_down_is_up(
    tmp_path: Path, away: Sequence[str]
) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        await _told(post, check)
        await post.use(*away)
        await _told(post, check, "success")
        await post.use(MAIL)
        await post.use(MAIL)
        await _send(post)
        assert post.mails() == ["DOWN: a", "UP: a"]
        await post.use(*away)
        await post.use(MAIL)
        await _send(post)
        assert post.mails() == ["DOWN: a", "UP: a"]


async def test_it_tells_so_if_that_waited_as_it_left(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        await _told(post, check)
        await post.use(channel("Mail", **QUIET_NOW))
        await _told(post, check, "success")
        await post.use()
        assert await post.waiting() == []
        await post.use(MAIL)
        await _send(post)
        assert post.mails() == ["DOWN: a", "UP: a"]


async def test_it_tells_the_last_of_several_flips(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL, channel("Other")) as post:
        check = await _up(post, 1, 2)
        await _told(post, check)
        await post.use(channel("Other"))
        for action in ("success", "fail", "success"):
            await _told(post, check, action)
        await post.use(MAIL, channel("Other"))
        await _send(post)
        assert post.mails() == ["DOWN: a", "UP: a"]
        assert len(post.mails("Other")) == 4


@pytest.mark.parametrize(
    ("other", "away"),
    [([], []), ([channel("Other")], [channel("Other"), group("Other")])],
    ids=["alone", "of two"],
)
@pytest.mark.parametrize("own", [(), (1,)], ids=["", "by itself too"])
async def test_it_does_so_as_one_of_a_group(
    tmp_path: Path, other: Sequence[str], away: Sequence[str], own: Sequence[int]
) -> None:
    all_ = group("Mail", "Other") if other else group("Mail")
    async with posting(tmp_path, MAIL, *other, all_) as post:
        check = await _up(post, *own, 3 if other else 2)
        await _told(post, check)
        await post.use(*away)
        await _told(post, check, "success")
        await post.use(MAIL, *other, all_)
        await _send(post)
        await post.use(MAIL, *other, all_)
        await _send(post)
        assert post.mails() == ["DOWN: a", "UP: a"]
        assert post.mails("Other") == (["DOWN: a", "UP: a"] if other else [])


async def test_it_tells_so_once_it_is_back_from_another_project(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        await _told(post, check)
        home, mail = post.file(), post.file(MAIL).removeprefix(post.file())
        id_ = f'id = "{post.app.synced.channels[1].id}"\n'
        moved = mail.replace("[[projects.channels]]\n", f"[[projects.channels]]\n{id_}")
        work = toml.project("Work", "work")
        await post.app.reload(f"{home}\n{moved}\n{work}")
        await post.app.reload(f"{home}\n{work}\n{moved}")
        await _told(post, check, "success")
        assert post.mails() == ["DOWN: a"]
        await post.app.reload(f"{home}\n{moved}\n{work}")
        await _send(post)
        assert post.mails() == ["DOWN: a", "UP: a"]


async def test_it_tells_so_of_what_its_fallback_had_told(tmp_path: Path) -> None:
    dead = DEAD + 'fallback = "Mail"\n'
    async with posting(tmp_path, MAIL, dead) as post:
        now = post.app.clock.now()
        check = await _up(post, 2)
        await post.fail(check, now)
        await post.send(*(now + n * HOUR for n in range(3)))
        assert post.mails() == ["DOWN: a"]
        await post.use(MAIL)
        await _told(post, check, "success")
        up = "@HTTP@hook/$STATUS/$NAME"
        for _ in range(2):
            await post.use(MAIL, toml.webhook("Hook", down=up, up=up))
            await _send(post)
        assert post.requests() == ["up a"]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"events": '["down"]'}, ["DOWN: a"]),
        (QUIET_NOW, ["DOWN: a"]),
        ({"fold": '"1m"'}, ["DOWN: a"]),
        ({}, ["DOWN: a", "UP: a"]),
    ],
    ids=["events", "quiet", "fold", "none"],
)
async def test_its_settings_count(
    tmp_path: Path, keys: dict[str, str], told: list[str]
) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        await _told(post, check)
        await post.use()
        await _told(post, check, "success")
        await post.use(channel("Mail", **keys))
        await _send(post)
        assert post.mails() == told


async def test_it_does_not_tell_so_of_what_it_serves_no_more(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL, channel("Other")) as post:
        check = await _up(post, 1, 2)
        await _told(post, check)
        async with post.app.database.transaction() as conn:
            await store.channels.assign(conn, check.id, [2])
        await post.use(channel("Other"))
        await _told(post, check, "success")
        await post.use(MAIL, channel("Other"))
        await _send(post)
        assert post.mails() == ["DOWN: a"]


async def test_it_does_not_tell_so_after_more_than_a_week(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        ago = post.app.clock.now() - 8 * DAY
        await post.fail(check, ago)
        await post.send(ago)
        await post.use()
        await post.succeed(check, ago + HOUR)
        await post.use(MAIL)
        await _send(post)
        assert post.mails() == ["DOWN: a"]


# What else was told, or waited


@pytest.mark.parametrize("waits", [True, False])
async def test_it_tells_that_a_check_is_late_no_more(
    tmp_path: Path, *, waits: bool
) -> None:
    late = {"events": '["late", "down", "up"]'}
    async with posting(tmp_path, channel("Mail", **late)) as post:
        now = post.app.clock.now()
        check = await _up(post, 1)
        await post.succeed(check, now - 25 * HOUR)
        await post.app.checker.check_once(now - 25 * HOUR + DAY)
        await post.send(now - HOUR)
        [subject] = post.mails()
        if waits:
            await post.use(channel("Mail", **late, **QUIET_NOW))
            await _told(post, check, "success")
            await post.use()
        else:
            await post.use()
            await _told(post, check, "success")
        assert post.mails() == [subject]
        await post.use(channel("Mail", **late))
        await _send(post)
        assert len(post.mails()) == 2


@pytest.mark.parametrize(
    ("kind", "ago", "count"),
    [("backup", HOUR, 1), ("backup", 8 * DAY, 0), ("report", HOUR, 0)],
)
async def test_it_tells_what_was_to_be_told_of_hcl_itself(
    tmp_path: Path, kind: AnnouncementKind, ago: timedelta, count: int
) -> None:
    async with posting(tmp_path, channel("Mail", **QUIET_NOW)) as post:
        at = post.app.clock.now() - ago
        told = Announcement(None, at, kind, "hcl cannot back up", ("No room.",))
        async with post.app.database.transaction() as conn:
            id_ = await store.announcements.add(conn, told)
            await store.notifications.add_for_announcement(conn, id_, at)
        await post.use()
        await post.use(MAIL)
        await _send(post)
        assert len(post.mails()) == count


async def test_it_tells_that_a_check_is_late_if_it_is_so_still(tmp_path: Path) -> None:
    late = {"events": '["late", "down", "up"]'}
    async with posting(tmp_path, channel("Mail", **late, **QUIET_NOW)) as post:
        now = post.app.clock.now()
        check = await _up(post, 1)
        await post.succeed(check, now - 25 * HOUR)
        await post.app.checker.check_once(now - 25 * HOUR + DAY)
        await _send(post)
        await post.use()
        await post.use(channel("Mail", **late))
        await _send(post)
        assert [subject.split(":")[0] for subject in post.mails()] == ["LATE"]


@pytest.mark.parametrize("waits", [True, False])
async def test_it_tells_how_that_went_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, waits: bool
) -> None:
    """Else people would hear of a trouble that is over, or of no end."""
    # What hcl tells of itself goes out side by side: so the order is that of the queue.
    monkeypatch.setattr(lines, "CONCURRENCY", 1)
    keys = QUIET_NOW if waits else {}
    async with posting(tmp_path, channel("Mail", **keys), channel("Other")) as post:
        await _announce(post, "hcl cannot back up its database")
        await _send(post)
        await post.use(channel("Other"))
        await _announce(post, "hcl backs up its database again")
        await post.use(MAIL, channel("Other"))
        await _send(post)
        await post.use(MAIL, channel("Other"))
        await _send(post)
        assert [subject[:12] for subject in post.mails()] == [
            "hcl cannot b",
            "hcl backs up",
        ]
        assert len(post.mails("Other")) == 2


async def _announce(post: Post, subject: str) -> None:
    now = post.app.clock.now()
    async with post.app.database.transaction() as conn:
        told = Announcement(None, now, "backup", subject, ("So it is.",))
        id_ = await store.announcements.add(conn, told)
        await store.notifications.add_for_announcement(conn, id_, now)


async def test_damage_of_what_else_was_told_keeps_no_outage_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await _up(post, 1)
        await post.use()
        await _told(post, check)
    damage(tmp_path / "hcl.sqlite", "announcements")
    async with restarted(post, MAIL) as again:
        owed = "SELECT channel_id FROM notifications WHERE next_try IS NOT NULL"
        assert await rows(again.app.database, owed) == [1]
    assert sum("what has ended" in message for message in caplog.messages) == 1
