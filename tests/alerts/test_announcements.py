"""Messages that concern no check: over every transport, and through all troubles."""

import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from hcl import store
from hcl.alerts.delivery import GIVE_UP_AFTER
from hcl.alerts.lines import FAILED_AFTER, PAUSES
from hcl.model import Announcement
from tests import toml
from tests.alerts.sending import (
    Post,
    channel,
    group,
    posting,
    quiet,
    restarted,
)
from tests.build import HOUR, NOW
from tests.store import rows

MINUTE = timedelta(minutes=1)
SUBJECT = "hcl was away from 02:55 to 03:10 UTC, 15 min"
STORY = ["It was not running.", "It cannot know of 2 checks: a and b."]
MAIL = channel("Mail")
TOLD = '["down", "up", "server"]'
HOOK = channel("Hook", "webhook", events=TOLD)


async def announce(post: Post, project_id: int | None = 1) -> int:
    told = Announcement(project_id, NOW, "absence", SUBJECT, STORY)
    async with post.app.database.transaction() as conn:
        id_ = await store.announcements.add(conn, told)
        await store.notifications.add_for_announcement(conn, id_, NOW)
    return id_


async def test_mail_tells_it_in_both_parts(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        await announce(post)

        await post.send(NOW)

        assert post.mails() == [SUBJECT]
        [record] = post.smtp.records
        for kind in ("plain", "html"):
            part = record.message.get_body((kind,))
            assert part is not None
            content = part.get_content()
            assert all(paragraph in content for paragraph in (SUBJECT, *STORY))
            assert "Home" in content
            assert "Open the check" not in content
        assert record.message["Importance"] is None
        assert await post.waiting() == []


async def test_webhook_and_shell_tell_it_by_placeholders(tmp_path: Path) -> None:
    body = "$CODE|$SLUG|$TAGS|$EXITSTATUS|$BODY"
    hook = toml.webhook("Own", server=toml.post("@HTTP@$STATUS/$NAME", body))
    other = toml.webhook("Json", server=toml.post("@HTTP@json", "$JSON"))
    script = channel(
        "Shell", "shell", server=f"'echo \"$STATUS $NAME\" > {tmp_path}/said'"
    )
    async with posting(tmp_path, hook, other, script) as post:
        await announce(post)

        await post.send(NOW)

        first, second = sorted(post.http.records, key=lambda r: len(r.target))[::-1]
        assert unquote(first.target) == f"/server/{SUBJECT}"
        assert first.text == "|||-1|" + "\n\n".join(STORY)
        assert json.loads(second.text) == {
            "name": SUBJECT,
            "status": "server",
            "kind": "absence",
            "project": "Home",
            "created": "2026-06-15T12:00:00+00:00",
            "text": STORY,
        }
        assert (tmp_path / "said").read_text() == f"server {SUBJECT}\n"


async def test_who_is_not_to_hear_of_hcl_does_not(tmp_path: Path) -> None:
    deaf = channel("Deaf", events='["down", "up"]')
    async with posting(tmp_path, MAIL, deaf, channel("Hook", "webhook")) as post:
        await announce(post)

        await post.send(NOW)

        assert post.mails() == [SUBJECT]
        assert post.mails("Deaf") == []
        assert post.http.records == []


@pytest.mark.parametrize(
    "keys",
    [
        {"fold": '"10m"'},
        {"delay": '"10m"'},
        {"remind_every": '"1h"'},
    ],
)
async def test_delay_fold_and_reminders_are_for_checks(
    tmp_path: Path, keys: dict[str, str]
) -> None:
    async with posting(tmp_path, channel("Mail", **keys)) as post:
        await announce(post)

        await post.send(NOW, NOW + HOUR, NOW + 3 * HOUR)

        assert post.mails() == [SUBJECT]
        assert await post.waiting() == []


async def test_quiet_hours_hold_it_until_their_end(tmp_path: Path) -> None:
    hours = quiet("11:00", "13:00")
    async with posting(tmp_path, channel("Mail", quiet_hours=hours)) as post:
        await post.down("a")
        await announce(post)

        await post.send(NOW)
        held = await post.waiting()
        await post.send(NOW + HOUR)

        # Nor is it mixed with what a check had held.
        assert held == [("quiet", 60), ("quiet", 60)]
        assert sorted(post.mails()) == ["DOWN: a", SUBJECT]


async def test_urgent_channel_tells_it_at_night(tmp_path: Path) -> None:
    mail = channel("Mail", quiet_hours=quiet("11:00", "13:00"), urgent="true")
    async with posting(tmp_path, mail) as post:
        await announce(post)

        await post.send(NOW)

        assert post.mails() == [SUBJECT]


async def test_it_is_tried_again_and_each_try_is_kept(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK) as post:
        post.http.status = 500
        await announce(post)
        await post.send(NOW)
        post.http.status = 200
        await post.send(NOW + PAUSES[0])

        [record] = await store.tries.recent(post.app.database.committed)
        assert [tried.sent for tried in record.tries] == [False, True]
        assert (record.subject, record.project, record.check) == (SUBJECT, "Home", "")
        assert record.sent is not None


async def test_fallback_tells_what_cannot_be_delivered(tmp_path: Path) -> None:
    hook = channel("Hook", "webhook", events=TOLD, fallback='"Mail"')
    async with posting(tmp_path, hook, channel("Mail", events='["server"]')) as post:
        post.http.status = 410
        await announce(post)

        await post.send(NOW, NOW)

        # Its own, and the one of the other channel.
        assert post.mails() == [SUBJECT, SUBJECT]
        texts = [record.message.get_body(("plain",)) for record in post.smtp.records]
        notices = [
            "The channel Hook could not deliver this" in text.get_content()
            for text in texts
            if text is not None
        ]
        assert sorted(notices) == [False, True]


async def test_fallback_that_does_not_tell_of_hcl_is_left_in_peace(
    tmp_path: Path,
) -> None:
    hook = channel("Hook", "webhook", events=TOLD, fallback='"Mail"')
    async with posting(tmp_path, hook, channel("Mail", events='["down"]')) as post:
        post.http.status = 410
        await announce(post)

        await post.send(NOW, NOW + MINUTE)

        assert post.mails() == []


async def test_group_has_its_channels_tell_once_each(tmp_path: Path) -> None:
    deaf = channel("Deaf", events='["down"]')
    names = group("Mail", "Hook", "Deaf")
    silent = channel("Mail", events='["server"]')
    async with posting(tmp_path, names, silent, HOOK, deaf) as post:
        await announce(post)

        await post.send(NOW, NOW)

        assert post.mails() == [SUBJECT]
        assert [unquote(name) for name in post.requests()] == [f"server {SUBJECT}"]
        assert post.mails("Deaf") == []
        assert await post.waiting() == []


async def test_it_is_given_up_when_an_alert_would_be(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK) as post:
        post.http.status = 500
        await announce(post)

        now = NOW
        for pause in (*PAUSES, *[PAUSES[-1]] * 8):
            # A week that it runs counts, and not one of the wall.
            post.app.clock.has_run((now - NOW).total_seconds())
            await post.send(now)
            now += pause + MINUTE

        assert now - NOW > GIVE_UP_AFTER
        assert await post.waiting() == []


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        await announce(post)
        async with restarted(post):
            await post.send(NOW)

            assert post.mails() == [SUBJECT]


async def test_alerts_and_news_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK) as post:
        await announce(post)
        await announce(post, None)
        check = await post.down("a")
        post.http.status = 410

        await post.send(NOW)
        await post.succeed(check, NOW)
        post.http.status = 200
        for n in range(FAILED_AFTER + 8):
            await post.send(NOW + n * HOUR)

        sent = [unquote(request) for request in post.requests()]
        assert sent.count("up a") == 1
        assert sent.count(f"server {SUBJECT}") >= 3
        assert await post.waiting() == []


async def test_what_concerns_all_projects_goes_to_all(tmp_path: Path) -> None:
    other = '[[projects]]\nname = "Work"\nping_key = "work"\n' + channel("Boss")
    async with posting(tmp_path, MAIL, other) as post:
        await announce(post, None)

        await post.send(NOW)

        assert (post.mails(), post.mails("Boss")) == ([SUBJECT], [SUBJECT])


async def test_it_counts_as_waiting_and_not_as_a_flip(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        await announce(post)
        conn = post.app.database.committed

        assert await store.notifications.count_waiting(conn) == 0
        assert await store.notifications.waiting(conn) == (1, 0, NOW)
        assert await store.notifications.waiting_by_channel(conn) == {1: 1}


async def test_pruner_deletes_it_with_its_messages(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        await announce(post)
        async with post.app.database.transaction(changes_checks=False) as conn:
            await store.life.mark(conn, 1)
        old = timedelta(days=95).total_seconds()
        await post.app.pruner.prune_once(old)
        kept = await rows(post.app.database, "SELECT id FROM announcements")
        await post.send(NOW)

        await post.app.pruner.prune_once(old)

        # What waits is never deleted.
        assert kept == [1]
        assert await rows(post.app.database, "SELECT id FROM announcements") == []
