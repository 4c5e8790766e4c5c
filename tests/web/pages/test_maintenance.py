"""The page of maintenance windows, and what list and check say of them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hcl.clock import Clock
from tests import toml
from tests.app import CONFIG, READ_KEY, App, running_app
from tests.clocks import Times
from tests.web.api.calls import create
from tests.web.pages.browsing import post, project_path, sign_in, text_of
from tests.web.pages.overview.test_announced import first_words
from tests.web.pages.overview.test_live import streaming

WEEKLY = toml.table(
    "[projects.maintenance]",
    name="<Sunday> updates",
    schedule="0 4 * * 0",
    length="2h",
    tags=["nas"],
)


async def read(app: App, path: str) -> str:
    answer = await app.http.get(path)
    assert answer.status_code == 200
    return text_of(answer.text)


async def test_a_window_is_opened_and_ended_on_its_page(app: App) -> None:
    check = await create(app, name="Backup", tags="nas db")
    await sign_in(app)
    path = f"{project_path(app)}maintenance"
    assert "No window is open." in await read(app, path)

    made = await post(app, path, seconds="7200", tags=" nas  db ", reason="new disk")

    assert made.status_code == 303
    shown = await read(app, path)
    assert "its checks do not go down until it ends" in shown
    assert "new disk checks tagged db or nas until" in shown
    assert ": new disk" in await read(app, project_path(app))
    assert "in maintenance" in await read(app, project_path(app))
    assert "In maintenance until" in await read(app, f"/checks/{check['uuid']}")
    ended = await post(app, f"{path}/1/end")
    assert ended.status_code == 303
    assert "No window is open." in await read(app, path)
    again = await post(app, f"{path}/1/end")
    assert again.status_code == 303
    assert "That window is over already." in await read(app, path)
    assert "aintenance until" not in await read(app, project_path(app))


async def test_a_window_of_no_check_is_told_as_it_is_opened_and_in_the_list(
    app: App,
) -> None:
    await create(app, name="Backup", tags="nas disks")
    await sign_in(app)
    path = f"{project_path(app)}maintenance"

    for tags, told in (
        (
            "nass <b>",
            "The window is open, but for no check: none is tagged nass or <b>.",
        ),
        ("nass nas", "until it ends. No check is tagged nass."),
        ("nas", "its checks do not go down until it ends. Maintenance"),
    ):
        await post(app, path, seconds="7200", tags=tags)
        shown = await read(app, path)
        assert told in shown

    assert (
        "checks tagged <b> or nass, but no check is tagged <b> or nass until" in shown
    )
    assert "checks tagged nas or nass, but no check is tagged nass until" in shown
    assert "checks tagged nas until" in shown


@pytest.mark.parametrize(("hour", "shown_times"), [(3, 4), (5, 5)])
async def test_windows_of_the_file_are_shown_and_readers_only_look(
    tmp_path: Path, hour: int, shown_times: int
) -> None:
    # A Sunday: at five the window is open, and named above the four that come.
    now = datetime(2026, 11, 29, hour, tzinfo=UTC)
    clock = Clock(Times(wall_=now.timestamp()))
    text = CONFIG.replace(
        '[[projects]]\nname = "Other"', f'{WEEKLY}[[projects]]\nname = "Other"'
    )
    async with running_app(tmp_path, text, clock=clock) as app:
        await sign_in(app, READ_KEY)
        path = f"{project_path(app)}maintenance"

        shown = await read(app, path)

        assert shown.count("<Sunday> updates checks tagged nas") == shown_times
        # Of a window without end a month will do, and of its end the hour.
        assert len(re.findall(r" 04:00 to 06:00 <Sunday>", shown)) == 4
        assert "Open one now" not in shown


@pytest.mark.parametrize("seconds", ["", "59", "2592001", "-60", "1e3", "٣٠٠"])
async def test_lengths_that_are_refused(app: App, seconds: str) -> None:
    await sign_in(app)

    answer = await post(app, f"{project_path(app)}maintenance", seconds=seconds)

    assert answer.status_code == 422
    assert "from 1 minute to 30 days" in answer.text


@pytest.mark.parametrize("query", ["rows", "", "check=a&v=a"])
async def test_open_page_is_loaded_anew_when_a_window_opens_or_closes(
    app: App, query: str
) -> None:
    await create(app, name="Backup")
    await sign_in(app)
    maintenance, home = app.parts.maintenance, app.synced.projects[0].id
    length = timedelta(minutes=1)

    async with streaming(app, query) as stream:
        opened = await maintenance.open(home, length, app.clock.now())
        by_hand = await stream.message()
        await maintenance.end(home, opened.id, app.clock.now())
        ended = await stream.message()
        # It is over in two seconds.
        began = app.clock.now() - length + timedelta(seconds=2)
        await maintenance.open(home, length, began)
        again = await stream.message()
        by_time = await stream.message()

    assert [m["anew"] for m in (by_hand, ended, again, by_time)] == [True] * 4


async def test_page_that_was_loaded_before_a_window_opened_is_old(app: App) -> None:
    await create(app, name="Backup")
    await sign_in(app)
    for page in ("", "wall"):
        shown = (await app.http.get(project_path(app) + page)).text
        mark = re.search(r"live\?(?:rows=&amp;)?v=(\w+)", shown)
        assert mark
        young = await first_words(app, mark[1])

        home = app.synced.projects[0].id
        await app.parts.maintenance.open(home, timedelta(hours=1), app.clock.now())

        assert "anew" not in young
        assert '{"anew": true}' in await first_words(app, mark[1])
