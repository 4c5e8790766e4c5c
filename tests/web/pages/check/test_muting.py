"""Muting from a check's page and by the links in messages, for whom and until when."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hcl.checks import mute_links
from hcl.web.pages.check.muting import choices
from hcl.web.pages.dashboard.boards import shown
from tests import toml
from tests.alerts.sending import channel, posting
from tests.app import CONFIG, App, running_app
from tests.build import HOUR, NOW, make_check
from tests.store import rows
from tests.web.api.calls import create
from tests.web.pages.browsing import Visitor, project_path, text_of


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


MINUTE = timedelta(minutes=1)


async def muted_until(app: App) -> datetime | None:
    [until] = await rows(app.database, "SELECT muted_until FROM check_states")
    return until and datetime.fromtimestamp(until, UTC)


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_each_button_mutes_and_one_ends_it(app: App, number: int) -> None:
    code = (await create(app, name="a"))["uuid"]
    visitor = await Visitor.enter(app)
    _, name, value = choices(app.clock.now(), "Europe/Riga")[number]

    fields: dict[str, Any] = {name: value}
    await visitor.post(f"/checks/{code}/mute", **fields)

    until = await muted_until(app)
    assert until is not None
    if name == "seconds":
        length = timedelta(seconds=int(value))
        assert abs(until - app.clock.now() - length) < HOUR / 2
    else:
        assert abs(until - datetime.fromisoformat(value)) <= timedelta(seconds=1)
    page = text_of(await visitor.get(f"/checks/{code}"))
    assert "Muted until" in page
    assert "Unmute" in page
    assert "muted until" in text_of(await visitor.get(project_path(app)))

    await visitor.post(f"/checks/{code}/mute", seconds="0")
    assert "Muted until" not in text_of(await visitor.get(f"/checks/{code}"))
    assert "muted" not in text_of(await visitor.get(project_path(app)))


@pytest.mark.parametrize(
    ("now", "words", "morning"),
    [
        ("2026-06-15T12:30", "until tomorrow 08:00", "2026-06-16T08:00"),
        ("2026-06-15T04:59", "until 08:00", "2026-06-15T08:00"),
        ("2026-06-15T05:00", "until tomorrow 08:00", "2026-06-16T08:00"),
        ("2026-12-31T23:00", "until tomorrow 08:00", "2027-01-01T08:00"),
        # The clock is set in between.
        ("2026-10-25T01:00", "until 08:00", "2026-10-25T08:00"),
    ],
)
def test_morning_is_the_one_that_comes(now: str, words: str, morning: str) -> None:
    # By the clock of the zone of messages: that of a container is mostly UTC.
    riga = ZoneInfo("Europe/Riga")
    moment = datetime.fromisoformat(now).replace(tzinfo=riga)

    [*_, choice] = choices(moment.astimezone(UTC), "Europe/Riga")

    assert choice.words == words
    expected = datetime.fromisoformat(morning).replace(tzinfo=riga)
    assert datetime.fromisoformat(choice.value) == expected.astimezone(UTC)


async def test_morning_is_that_of_the_zone_of_messages(tmp_path: Path) -> None:
    text = f"{toml.table('alerts', tz='Pacific/Kiritimati')}\n{CONFIG}"
    async with running_app(tmp_path, text) as app:
        code = (await create(app))["uuid"]
        visitor = await Visitor.enter(app)

        page = await visitor.get(f"/checks/{code}")

    assert re.search(r'name="until" value="[-0-9]{10}T08:00:00\+14:00"', page)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"seconds": "x"},
        {"seconds": "999999999"},
        {"until": "soon"},
        {"until": "2026-01-01"},
        {"until": "9999-12-31T00:00:00+00:00"},
    ],
)
async def test_wrong_lengths_mute_nothing(app: App, fields: dict[str, Any]) -> None:
    code = (await create(app))["uuid"]
    visitor = await Visitor.enter(app)

    await visitor.post(f"/checks/{code}/mute", 422, **fields)

    assert await muted_until(app) is None


async def test_morning_that_has_passed_mutes_nothing_and_ends_no_mute(app: App) -> None:
    check = await create(app)
    await app.api("POST", f"checks/{check['uuid']}/mute", json={"seconds": 3600})
    before = await muted_until(app)
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}"

    # As a page has it that was open for two days.
    until = choices(app.clock.now() - timedelta(days=2), "UTC")[-1].value
    await visitor.post(f"{path}/mute", until=until)

    assert "That moment has passed" in text_of(await visitor.get(path))
    assert await muted_until(app) == before


async def test_readers_see_a_mute_and_have_no_buttons(app: App) -> None:
    check = await create(app)
    await app.api("POST", f"checks/{check['uuid']}/mute", json={"seconds": 60})
    visitor = await Visitor.look(app)
    listed = (await app.api("GET", f"checks/{check['uuid']}")).json()
    assert "muted_until" in listed

    page = await visitor.get(
        re.findall(r"/checks/[0-9a-f]{40}", await visitor.get(project_path(app)))[0]
    )

    assert "Muted until" in text_of(page)
    assert "Unmute" not in page


def test_end_of_a_mute_is_a_change_of_what_pages_show() -> None:
    muted = make_check(muted_until=NOW)
    [before], [after] = shown([muted], NOW - MINUTE), shown([muted], NOW)

    assert (before.check.muted_until, after.check.muted_until) == (NOW, None)


# Links


async def test_link_in_a_mail_asks_once_and_mutes(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Mail")) as post:
        await post.down("a")
        await post.send(NOW)
        body = post.smtp.records[0].message.get_body(("plain",))
        assert body is not None
        links = re.findall(r"https?://[^/\s]+(/mute/\S+)", body.get_content())
        assert len(links) == len(mute_links.LENGTHS)
        http = post.app.http

        page = (await http.get(links[0])).text
        # Who only follows a link, as scanners of mail do, changes nothing.
        assert await muted_until(post.app) is None
        assert "Mute for 1 hour" in text_of(page)
        assert f'action="{links[0]}"' in page
        answer = await http.post(links[0], data={})

        assert (answer.status_code, answer.headers["Location"]) == (303, links[0])
        until = await muted_until(post.app)
        assert until is not None
        assert abs(until - post.app.clock.now() - HOUR) < timedelta(minutes=5)
        assert "until" in text_of((await http.get(links[0])).text)


async def test_link_does_not_end_a_longer_mute(app: App) -> None:
    code = (await create(app))["uuid"]
    await app.api("POST", f"checks/{code}/mute", json={"seconds": 7200})
    before = await muted_until(app)

    link = mute_links.path(app.parts.secret, code, HOUR)
    assert (await app.http.post(link)).status_code == 303

    assert await muted_until(app) == before


@pytest.mark.parametrize("what", ["seconds", "code", "signature"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_link_that_was_changed_does_nothing(
    app: App, what: str, method: str
) -> None:
    code, other = (await create(app))["uuid"], (await create(app))["uuid"]
    link = mute_links.path(app.parts.secret, code, HOUR)
    changed = {
        "seconds": link.replace("/3600/", "/36000/"),
        "code": link.replace(code, other),
        "signature": link[:-1] + ("A" if link[-1] != "A" else "Q"),
    }[what]

    answer = await app.http.request(method, changed)

    assert answer.status_code == 404
    found = await rows(app.database, "SELECT muted_until FROM check_states")
    assert found == [None, None]


async def test_link_of_a_check_that_is_gone_says_so(app: App) -> None:
    code = (await create(app))["uuid"]
    await app.api("DELETE", f"checks/{code}")

    link = mute_links.path(app.parts.secret, code, HOUR)

    assert (await app.http.get(link)).status_code == 404


async def test_messages_of_a_server_without_pages_have_no_links(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Mail"), "[web]\nenabled = false") as post:
        await post.down("a")
        await post.send(NOW)

        assert "/mute/" not in post.smtp.records[0].message.as_string()


async def test_message_that_a_check_is_up_has_no_links(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Mail")) as post:
        check = await post.down("a")
        await post.send(NOW)
        await post.succeed(check, NOW + HOUR)
        await post.send(NOW + HOUR)

        assert "/mute/" in post.smtp.records[0].message.as_string()
        assert "/mute/" not in post.smtp.records[1].message.as_string()
