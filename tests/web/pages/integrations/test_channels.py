import asyncio
import re
import tomllib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hcl import store
from hcl.config import (
    Calm,
    ChannelConfig,
    QuietHours,
    WebhookRequest,
    WebhookSettings,
    parse,
)
from hcl.config.channels.reader import KINDS
from hcl.model import Announcement
from hcl.web.pages import channel_words
from hcl.web.pages.integrations.recipes import RECIPES, SMTP, Recipe, block
from tests import toml
from tests.app import CONFIG, READ_KEY, WRITE_KEY, App, running_app
from tests.build import NOW
from tests.config import PROJECT, channels_of
from tests.sinks import HttpSink
from tests.store import change, put_check, put_flip
from tests.web.pages.browsing import csrf_of, sign_in, text_of

GROUP = """
[[projects]]
name = "Calm"
ping_key = "calmcalmcalmcalmcalm22"

[[projects.keys]]
name = "rw"
key = "hcw_cccccccccccccccccccccccccccc"

[[projects.channels]]
name = "<b>Sink</b>"
kind = "webhook"
remind_every = "4h"
delay = "5m"
quiet_hours = { from = "22:00", to = "07:00", tz = "Europe/Riga" }
fold = "1m"
fallback = "Script"
down = { method = "POST", url = "SINKsecret/token?key=1", body = "$NAME" }

[[projects.channels]]
name = "Script"
kind = "shell"
events = ["up"]
up = "echo token=hush >&2; exit 3"

[[projects.channels]]
name = "All"
kind = "group"
channels = ["<b>Sink</b>", "Script"]

[[projects.tags]]
tag = "prod"
urgent = true
remind_every = "0s"
"""
CALM_KEY = "hcw_" + "c" * 28


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


@pytest.fixture
async def calm(tmp_path: Path, sink: HttpSink) -> AsyncIterator[App]:
    """The app with a project of three channels, signed in to it."""
    text = CONFIG + GROUP.replace("SINK", sink.url)
    async with running_app(tmp_path, text) as app:
        await sign_in(app, CALM_KEY)
        yield app


def path_of(app: App, project: int = 0) -> str:
    return f"/projects/{app.synced.projects[project].code}/integrations"


async def ask_for_test(app: App, name: str, project: int = 0) -> str:
    """Press the button of a channel; return the page that follows, as text."""
    path = path_of(app, project)
    page = (await app.http.get(path)).text
    found = app.config.projects[project].channels
    code = next(c.id for c in found if c.name == name)
    answer = await app.http.post(f"{path}/{code}/test", data={"csrf": csrf_of(page)})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{path}#i-{code}"
    return text_of((await app.http.get(path)).text)


async def test_each_channel_of_the_file_is_there_without_secrets(calm: App) -> None:
    answer = await calm.http.get(path_of(calm, 2))

    page = text_of(answer.text)
    assert answer.status_code == 200
    assert "<b>Sink</b> webhook" in page
    assert "POST to 127.0.0.1:" in page
    assert "reminds every 4 hours while down" in page
    assert "waits until a check is down for 5 minutes" in page
    assert "quiet 22:00–07:00 Europe/Riga" in page
    assert "falls back to Script when it fails" in page
    assert "Members <b>Sink</b>, Script" in page
    assert "prod no reminders, also in quiet hours" in page
    assert "secret" not in answer.text
    assert "hush" not in answer.text
    assert "<b>" not in answer.text


async def test_a_test_shows_its_outcome(calm: App, sink: HttpSink) -> None:
    page = await ask_for_test(calm, "<b>Sink</b>", 2)

    assert sink.records[0].text == "TEST"
    assert "The test over <b>Sink</b> has arrived." in page
    assert re.search(r"Arrived in (\d\.\d\d s|\d+ ms): HTTP 200 now", page)


async def test_a_group_is_tested_by_its_members(calm: App, sink: HttpSink) -> None:
    page = await ask_for_test(calm, "All", 2)

    assert len(sink.records) == 1
    assert "The test over All did not arrive." in page
    assert re.search(r"<b>Sink</b> : Arrived in (\d\.\d\d s|\d+ ms): HTTP 200", page)
    assert "Script : Not delivered, after" in page
    assert "exit status 3: token=hush" in page


async def test_one_test_at_a_time_and_few_a_minute(calm: App, sink: HttpSink) -> None:
    sink.delay = 0.2
    both = await asyncio.gather(
        ask_for_test(calm, "<b>Sink</b>", 2), ask_for_test(calm, "<b>Sink</b>", 2)
    )
    for _ in range(3):
        last = await ask_for_test(calm, "<b>Sink</b>", 2)

    assert len(sink.records) == 3
    assert any("already running" in page for page in both)
    assert "wait a minute" in last


async def test_a_channel_that_is_not_there_has_no_test(calm: App) -> None:
    page = (await calm.http.get(path_of(calm, 2))).text
    of_another = calm.config.projects[0].channels[0].id

    for code in ("00000000-0000-4000-8000-000000000000", of_another):
        path = f"{path_of(calm, 2)}/{code}/test"
        answer = await calm.http.post(path, data={"csrf": csrf_of(page)})
        assert answer.status_code == 404


async def test_the_queue_and_each_try_are_listed(app: App) -> None:
    await sign_in(app, WRITE_KEY)
    check = await put_check(app.database, 1, name="<i>Backup")
    await put_flip(app.database, check, datetime.now(UTC))
    await app.sender.send_once(datetime.now(UTC))

    answer = await app.http.get(path_of(app))

    page = text_of(answer.text)
    refused = "cannot connect to 127.0.0.1: connection refused"
    assert "last try failed" in page
    assert f"Last error {refused}" in page
    assert "Waiting 1 message" in page
    assert f"failed once: {refused}" in page
    assert "retrying down : <i>Backup over Hook A" in page
    assert f'href="/checks/{check.code}"' in answer.text
    assert "<i>" not in answer.text


async def test_messages_are_filtered_by_channel_and_failure(app: App) -> None:
    await sign_in(app, WRITE_KEY)
    check = await put_check(app.database, 1, 2, name="Backup")
    await put_flip(app.database, check)
    code = app.config.projects[0].channels[1].id

    of_one = text_of((await app.http.get(f"{path_of(app)}?channel={code}")).text)
    failed = text_of((await app.http.get(f"{path_of(app)}?only=failed")).text)
    odd = await app.http.get(f"{path_of(app)}?channel=%00<b>&only=%ff")

    newest = of_one[of_one.index("Newest messages") :]
    assert newest.startswith("Newest messages over Hook B")
    assert "Backup over Hook B" in newest
    assert "Backup over Hook A" not in newest
    assert "No try has failed." in failed
    assert odd.status_code == 200


async def test_messages_of_other_projects_are_not_shown(app: App) -> None:
    await sign_in(app, WRITE_KEY)
    other = app.synced.projects[1].id
    check = await put_check(app.database, 1, name="Theirs", project_id=other)
    await put_flip(app.database, check)

    page = text_of((await app.http.get(path_of(app))).text)

    assert "Theirs" not in page


async def test_a_failing_channel_says_since_when(app: App) -> None:
    await sign_in(app, WRITE_KEY)
    async with app.database.transaction() as conn:
        await store.channels.note_failed(conn, 1, "HTTP 500 from example.org", NOW)

    page = text_of((await app.http.get(path_of(app))).text)

    assert "failing since 15 Jun 12:00" in page
    assert "HTTP 500 from example.org" in page


async def test_what_waits_for_a_failing_channel_says_so(app: App) -> None:
    await sign_in(app)
    for _ in range(2):
        await put_flip(app.database, await put_check(app.database, 1))
    later = app.clock.now() + timedelta(hours=1)
    await change(app.database, "UPDATE channels SET failing_since = 1e9 WHERE id = 1")
    await change(
        app.database,
        "UPDATE notifications SET next_try = ?, attempts = 3 WHERE id = 1",
        later.timestamp(),
    )
    async with app.database.transaction() as conn:
        await store.tries.add(conn, [(1, later, 1.0, False, "refused")])

    page = await app.http.get(path_of(app))

    queue = page.text.partition('class="messages queue"')[2].partition("</ul>")[0]
    rows = re.findall("<li>.*?</li>", queue, re.DOTALL)
    assert [f"{later:%Y-%m-%dT%H:%M:%S}" in row for row in rows] == [True, True]
    assert "is failing" in rows[0]
    assert "sent next" not in page.text


async def test_a_test_that_failed_is_red(calm: App, sink: HttpSink) -> None:
    sink.status = 500
    path = path_of(calm, 2)
    page = await calm.http.get(path)
    code = calm.config.projects[2].channels[0].id

    led = await calm.http.post(f"{path}/{code}/test", data={"csrf": csrf_of(page.text)})
    after = await calm.http.get(led.headers["Location"])

    assert 'class="notice is-bad"' in after.text
    assert "last test failed" in after.text
    assert "never used" not in text_of(after.text).partition("Script")[0]


async def test_channel_that_is_switched_off_does_not_look_as_if_it_works(
    tmp_path: Path,
) -> None:
    text = CONFIG.replace('name = "Hook A"', 'name = "Hook A"\nenabled = false')
    async with running_app(tmp_path, text) as app:
        await change(app.database, "UPDATE channels SET last_sent = 1e9")
        await sign_in(app)
        project = app.synced.projects[0].code

        page = text_of((await app.http.get(f"/projects/{project}/integrations")).text)

    assert "Hook A webhook switched off" in page
    assert "Hook B webhook working" in page


async def test_the_last_message_names_its_check(app: App) -> None:
    await sign_in(app, WRITE_KEY)
    check = await put_check(app.database, 1, name="Backup")
    await put_flip(app.database, check)
    async with app.database.transaction() as conn:
        await conn.execute("UPDATE notifications SET next_try = NULL, sent = created")
        await store.channels.note_sent(conn, 1, NOW)

    page = text_of((await app.http.get(path_of(app))).text)

    assert re.search(r"Last message (\d+ d ago|in \d+ d) , of Backup", page)


async def test_who_may_only_look_sees_no_address_and_no_button(app: App) -> None:
    await sign_in(app, READ_KEY)
    nameless = await put_check(app.database, 1, name="")
    await put_flip(app.database, nameless, datetime.now(UTC))
    await app.sender.send_once(datetime.now(UTC))

    answer = await app.http.get(path_of(app))

    assert answer.status_code == 200
    assert "last try failed" in text_of(answer.text)
    for secret in ("127.0.0.1", "refused", "Send a test", nameless.code):
        assert secret not in answer.text
    assert f"/checks/{nameless.unique_key}" in answer.text


async def test_rights(app: App) -> None:
    path = path_of(app)
    test = f"{path}/{app.config.projects[0].channels[0].id}/test"

    assert (await app.http.get(path)).headers["Location"].startswith("/sign-in")
    assert (await app.http.post(test)).status_code in (303, 403)
    await sign_in(app, READ_KEY)
    csrf = csrf_of((await app.http.get(path)).text)
    assert (await app.http.post(test, data={"csrf": csrf})).status_code == 403
    assert (await app.http.get(path_of(app, 1))).status_code == 404
    await sign_in(app, WRITE_KEY)
    assert (await app.http.post(test, data={"csrf": "x"})).status_code == 403
    assert (await app.http.get(test)).status_code == 405
    assert (await app.http.get(path_of(app, 1))).status_code == 404


@pytest.mark.parametrize(
    ("calm", "words"),
    [
        (Calm(), []),
        (Calm(remind_every=timedelta(days=1)), ["reminds every day while down"]),
        (Calm(delay=timedelta(0), urgent=False), ["no delay", "not in quiet hours"]),
        (
            Calm(quiet_hours=QuietHours(NOW.time(), NOW.time(), "UTC")),
            ["quiet 12:00–12:00 UTC"],
        ),
    ],
)
def test_calm_in_words(calm: Calm, words: list[str]) -> None:
    assert list(channel_words.calm_words(calm)) == words


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://[bad/", "POST to ?"),
        ("https://user:secret@example.org:8443/secret", "POST to example.org:8443"),
    ],
)
def test_a_place_holds_no_secret(url: str, place: str) -> None:
    settings = WebhookSettings(WebhookRequest("POST", url, "", ()), None)
    channel = ChannelConfig("", "", "webhook", frozenset({"down"}), settings)

    assert channel.place == place


async def test_messages_of_hcl_itself_are_listed(app: App) -> None:
    told = Announcement(1, NOW, "absence", "hcl was <b>away</b>")
    async with app.database.transaction() as conn:
        await conn.execute("UPDATE channels SET on_server = 1 WHERE id = 1")
        id_ = await store.announcements.add(conn, told)
        await store.notifications.add_for_announcement(conn, id_, NOW)
    await sign_in(app)
    path = f"/projects/{app.synced.projects[0].code}/integrations"

    waits = (await app.http.get(path)).text
    await app.sender.send_once(NOW)
    tried = (await app.http.get(path)).text

    assert "<b>away</b>" not in waits
    assert "hcl itself : hcl was <b>away</b> over Hook A" in text_of(waits)
    assert "hcl itself : hcl was <b>away</b> over Hook A" in text_of(tried)
    assert "cannot connect to 127.0.0.1" in text_of(tried)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (
            '["down", "up", "server"]',
            "when a check goes down or comes back, and of hcl",
        ),
        ('["down", "server"]', "when a check goes down, and of hcl itself"),
        ('["server"]', "only of hcl itself"),
        ('["up"]', "only when a check comes back"),
    ],
)
def test_what_a_channel_tells_of_is_said(events: str, words: str) -> None:
    hook = toml.webhook("Hook", down="http://x", up="http://x", events=toml.Raw(events))

    [channel] = channels_of(PROJECT + hook).values()

    assert channel_words.events(channel).startswith(words)


async def test_messages_are_filtered_by_check(app: App) -> None:
    await sign_in(app, WRITE_KEY)
    for name in ("Backup", "Sync"):
        check = await put_check(app.database, 1, name=name)
        await put_flip(app.database, check)

    page = (await app.http.get(f"{path_of(app)}?check={check.code}")).text
    await sign_in(app, READ_KEY)
    seen = (await app.http.get(f"{path_of(app)}?check={check.unique_key}")).text
    odd = await app.http.get(f"{path_of(app)}?check=%00'<b>")

    for text in map(text_of, (page, seen)):
        newest = text[text.index("Waiting to go out, of Sync") :]
        assert "Newest messages of Sync" in newest
        assert "Backup" not in newest
    assert f"?check={check.code}&amp;only=failed#messages" in page
    assert "Newest messages All" in text_of(odd.text)


async def test_checks_of_others_filter_nothing(app: App) -> None:
    await sign_in(app, WRITE_KEY)
    other = app.synced.projects[1].id
    check = await put_check(app.database, name="Theirs", project_id=other)

    page = await app.http.get(f"{path_of(app)}?check={check.code}")

    assert "Theirs" not in page.text


BARE = """
[[projects]]
name = "Bare"
ping_key = "barebarebarebarebare22"

[[projects.keys]]
name = "rw"
key = "hcw_bbbbbbbbbbbbbbbbbbbbbbbbbbbb"

[[projects.keys]]
name = "ro"
key = "hcr_bbbbbbbbbbbbbbbbbbbbbbbbbbbb"
access = "read-only"
"""


async def test_kinds_are_offered_where_there_is_no_integration(tmp_path: Path) -> None:
    async with running_app(tmp_path, CONFIG + BARE) as app:
        await sign_in(app, "hcw_" + "b" * 28)
        path = path_of(app, 2)
        first = (await app.http.get(path)).text
        mail = text_of((await app.http.get(f"{path}?add=email")).text)
        odd = await app.http.get(f"{path}?add=%00<b>")
        await sign_in(app, "hcr_" + "b" * 28)
        seen = text_of((await app.http.get(f"{path}?add=email")).text)

    assert first.count('href="?add=') == len(RECIPES)
    assert "Add this to" not in first
    assert "[smtp] host =" in mail
    assert "Below the [[projects]] whose name is Bare" in mail
    assert f"hcl check-config --config {app.config.path}" in mail
    assert "There is nothing to test yet." in mail
    assert odd.status_code == 200
    assert "nobody is told when a check goes down" in seen
    assert "hcl.toml" not in seen


async def test_one_more_is_set_up_and_tested(calm: App) -> None:
    page = (await calm.http.get(f"{path_of(calm, 2)}?add=shell")).text

    steps = text_of(page[page.index("Choose a kind") :])
    assert "Send a test over Script" in steps.partition("Where")[0]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.kind)
def test_what_is_to_be_copied_is_a_config(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "smtp-password").write_text("x")
    text = SMTP + PROJECT + block(recipe, "0a1b2c")

    [project] = parse(tomllib.loads(text), tmp_path, "hcl.toml").projects
    [channel] = project.channels

    assert channel.kind == recipe.kind
    assert recipe.kind in KINDS
    assert "{secret}" not in block(recipe, "0a1b2c")
