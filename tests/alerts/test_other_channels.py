"""Channels that a check gets while it is down: who tells that nobody was told of."""

from pathlib import Path

import pytest

from hcl.checks import spec
from hcl.model import Check
from tests import toml
from tests.alerts.sending import Post, channel, group, posting, quiet, restarted
from tests.build import HOUR, NOW
from tests.damage import damage
from tests.store import rows

DEAD = toml.webhook("Hook", down="http://127.0.0.1:9/")
QUIET = {"quiet_hours": quiet("11:00", "18:00")}
MAIL, OTHER = channel("Mail"), channel("Other")


async def use(post: Post, check: Check, names: str) -> None:
    """Have a check use these channels and no others, as the API does."""
    [project] = post.app.synced.projects
    wanted = spec.parse({"channels": names})
    await post.app.parts.managing.update(project, check.code, wanted, NOW)


async def mute(post: Post, check: Check, hours: int) -> None:
    [project] = post.app.synced.projects
    await post.app.parts.managing.mute(project, check.code, hours * HOUR, NOW)


@pytest.mark.parametrize("before", [DEAD, channel("Old", **QUIET)], ids=["dead", "set"])
async def test_what_one_that_left_the_file_owed_is_told_by_one_that_came(
    tmp_path: Path, before: str
) -> None:
    """Whether it failed, or held that for the end of quiet hours."""
    async with posting(tmp_path, before) as post:
        await post.down("a", 1)
        await post.send(NOW)

        await post.use(MAIL)
        await post.send(post.app.clock.now())

        assert post.mails() == ["DOWN: a"]
        async with restarted(post) as again:
            await again.send(again.app.clock.now())
        assert post.mails() == ["DOWN: a"]


async def test_so_it_is_if_the_one_came_after_the_other_had_left(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, DEAD) as post:
        await post.down("a", 1)
        await post.send(NOW)

        await post.use()
        await post.use(MAIL)
        await post.send(post.app.clock.now())

        assert post.mails() == ["DOWN: a"]


async def test_at_the_end_of_quiet_hours_it_is_told_by_what_a_check_has_then(
    tmp_path: Path,
) -> None:
    async with posting(
        tmp_path, channel("Old", **QUIET), channel("Mail", **QUIET)
    ) as p:
        check = await p.down("a", 1)
        await p.send(NOW)

        await use(p, check, "Mail")
        await p.send(NOW + HOUR, NOW + 6 * HOUR)

        assert p.mails() == ["DOWN: a"]


@pytest.mark.parametrize("told", [False, True])
async def test_at_the_end_of_a_mute_it_is_told_by_what_a_check_has_then(
    tmp_path: Path, *, told: bool
) -> None:
    """Whether it was down, and told by the other, before the mute or not."""
    async with posting(tmp_path, MAIL, OTHER) as post:
        check = await post.down("a", 1)
        if told:
            await post.send(NOW)
        await mute(post, check, 4)
        await post.send(NOW)
        post.clear()

        await use(post, check, "Other")
        await post.send(NOW + HOUR)
        assert post.mails("Other") == []
        await post.send(NOW + 4 * HOUR)

        assert post.mails("Other") == ["DOWN: a"]


async def test_in_a_mute_it_is_told_by_one_that_came_into_the_file(
    tmp_path: Path,
) -> None:
    """Though the one that had told before has left."""
    async with posting(tmp_path, OTHER) as post:
        now = post.app.clock.now()
        check = await post.down("a", 1, at=now)
        await post.send(now)
        [project] = post.app.synced.projects
        await post.app.parts.managing.mute(project, check.code, HOUR, now)

        await post.use()
        await post.use(MAIL)
        await post.send(now + HOUR / 2)
        assert post.mails() == []
        await post.send(now + HOUR)

        assert post.mails() == ["DOWN: a"]


async def test_who_comes_up_before_the_end_of_the_mute_is_told_of_by_nobody(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, MAIL, OTHER) as post:
        check = await post.down("a", 1)
        await mute(post, check, 4)
        await use(post, check, "Other")
        await post.succeed(check, NOW + HOUR)
        await post.send(NOW + HOUR, NOW + 4 * HOUR)

        assert post.mails() == post.mails("Other") == []
        assert await post.waiting() == []


async def test_what_one_has_told_no_other_tells_for_being_assigned(
    tmp_path: Path,
) -> None:
    """As with Healthchecks; though a third has it to tell still."""
    async with posting(tmp_path, DEAD, MAIL, OTHER) as post:
        check = await post.down("a", 1, 2)
        await post.send(NOW)
        assert post.mails() == ["DOWN: a"]

        await use(post, check, "*")
        await post.send(NOW + HOUR)

        assert post.mails("Other") == []


async def test_what_a_check_had_already_tells_it_no_second_time(tmp_path: Path) -> None:
    """As after an import, which brings no messages but those that are owed."""
    async with posting(tmp_path, DEAD, MAIL) as post:
        check = await post.down("a", 1)
        await post.send(NOW)
        await use(post, check, "*")
        await post.send(NOW)
        told = await rows(post.app.database, "SELECT count(*) FROM notifications")

        await use(post, check, "*")
        await post.use(DEAD, MAIL)
        await post.send(post.app.clock.now())

        assert post.mails() == ["DOWN: a"]
        assert (
            await rows(post.app.database, "SELECT count(*) FROM notifications") == told
        )


@pytest.mark.parametrize("all_of", [False, True])
async def test_who_is_taken_out_and_put_back_tells_what_nobody_else_does(
    tmp_path: Path, *, all_of: bool
) -> None:
    """Also of what came to it by a group, which the check has alone."""
    groups = [group("Mail")] if all_of else []
    async with posting(tmp_path, channel("Mail", **QUIET), *groups) as post:
        await post.down("a", 2 if all_of else 1)
        await post.send(NOW)

        await post.use()
        await post.use(MAIL, *groups)
        await post.send(post.app.clock.now())

        assert post.mails() == ["DOWN: a"]


@pytest.mark.parametrize("keys", [{}, {"remind_every": '"1h"'}], ids=str)
async def test_so_it_does_in_a_mute(tmp_path: Path, keys: dict[str, str]) -> None:
    """At its end, once, as it would have: it was told before."""
    mail = channel("Mail", **keys)
    async with posting(tmp_path, mail) as post:
        now = post.app.clock.now()
        check = await post.down("a", 1, at=now)
        await post.send(now)
        [project] = post.app.synced.projects
        await post.app.parts.managing.mute(project, check.code, 4 * HOUR, now)
        post.clear()

        await post.use()
        await post.use(mail)
        await post.send(now + 2 * HOUR)
        assert post.mails() == []
        await post.send(now + 4 * HOUR)

        assert post.mails() == ["STILL DOWN: a"]


async def test_who_is_put_back_tells_nothing_that_another_has_told(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, MAIL, channel("Old", **QUIET)) as post:
        await post.down("a", 1, 2)
        await post.send(NOW)

        await post.use(MAIL)
        await post.use(MAIL, channel("Old"))
        await post.send(post.app.clock.now())

        assert (post.mails(), post.mails("Old")) == (["DOWN: a"], [])


async def test_a_damaged_log_of_flips_keeps_no_new_channel_from_serving(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with posting(tmp_path, DEAD) as post:
        await post.down("a", 1)
    damage(tmp_path / "hcl.sqlite", "flips")

    async with restarted(post, DEAD, MAIL) as again:
        served = "SELECT channel_id FROM checks_channels ORDER BY channel_id"
        assert await rows(again.app.database, served) == [1, 2]

    told = "cannot have channels that come tell of outages: "
    assert sum(told in message for message in caplog.messages) == 1


@pytest.mark.parametrize("names", ["Mail", "Two", "Mail,Two", "*"])
async def test_at_the_end_of_a_mute_it_is_told_by_whom_a_group_had_told(
    tmp_path: Path, names: str
) -> None:
    """What takes the place of the group leads to the same people; once."""
    two = channel("Two", "group", channels='["Mail"]')
    async with posting(tmp_path, MAIL, group("Mail"), two) as post:
        check = await post.down("a", 2)
        await post.send(NOW)
        await mute(post, check, 4)
        await post.send(NOW)
        assert post.mails() == ["DOWN: a"]

        await use(post, check, names)
        await post.send(NOW + HOUR)
        assert post.mails() == ["DOWN: a"]
        await post.send(NOW + 4 * HOUR)

        assert post.mails() == ["DOWN: a", "STILL DOWN: a"]
