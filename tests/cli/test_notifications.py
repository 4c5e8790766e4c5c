import asyncio
import json
import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hcl import store
from hcl.cli import main
from hcl.model import Announcement
from hcl.pings.arrival import Target
from tests import toml
from tests.app import running_app
from tests.build import make_ping
from tests.sinks import HttpSink
from tests.store import put_check, put_flip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HCL_CONFIG", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["notifications", *arguments])


def hook(name: str, url: str, **keys: str) -> str:
    return toml.webhook(name, down=url, up=url, **keys)


async def some_messages(folder: Path) -> None:
    """Leave a database with a message that was sent, one that failed, one held."""
    now = datetime.now(UTC)
    async with HttpSink() as good, HttpSink(status=404) as gone:
        channels = (
            hook("Good", good.url)
            + hook("Gone", gone.url, fallback="Good")
            + hook("Later", good.url, delay="1h")
            + hook("Again", good.url, remind_every="4h")
        )
        async with running_app(folder, toml.project() + channels) as app:
            check = await put_check(
                app.database, 1, 2, 3, 4, status="up", name="Nightly\x1b[31m backup"
            )
            await app.parts.pinging.receive(
                Target(code=check.code), make_ping(action="fail", created=now)
            )
            for _ in range(2):
                await app.sender.send_once(now + timedelta(seconds=1))


def lines(output: str) -> list[str]:
    """Return what was printed, times and lengths of time blotted out."""
    output = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", output)
    return re.sub(r"\d+\.\d\d s|\d+ ms", "SPAN", output).splitlines()


def test_every_message_and_every_try_is_shown_the_newest_last(folder: Path) -> None:
    asyncio.run(some_messages(folder))

    result = run()

    assert result.exit_code == 0
    name = "Nightly[31m backup"
    first, *_ = lines(result.output)
    assert first == f"TIME  DOWN: {name}, over Good (webhook): sent"
    # The reminder and what the fallback sends may be written down in any order.
    expected = [
        f"TIME  DOWN: {name}, over Good (webhook): sent",
        "    TIME  sent in SPAN: HTTP 200",
        f"TIME  DOWN: {name}, over Gone (webhook): waits until TIME",
        "    TIME  failed in SPAN: HTTP 404 from 127.0.0.1",
        f"TIME  DOWN: {name}, over Later (webhook): waits until TIME:"
        " its delay is not over",
        f"TIME  DOWN: {name}, over Again (webhook): sent",
        "    TIME  sent in SPAN: HTTP 200",
        f"TIME  STILL DOWN: {name}, over Again (webhook): waits until TIME:"
        " a reminder, if it is still down then",
        f"TIME  DOWN: {name}, over Good (webhook): sent",
        "    The channel Gone could not deliver this: HTTP 404 from 127.0.0.1.",
        "    TIME  sent in SPAN: HTTP 200",
        "Gone has not delivered since TIME",
    ]
    assert sorted(lines(result.output)) == sorted(expected)


def test_what_is_shown_can_be_chosen(folder: Path) -> None:
    asyncio.run(some_messages(folder))

    waiting, failed = run("--waiting").output, run("--failed").output
    good, limited = run("--channel", "Good").output, run("--limit", "1").output
    file = folder / "hcl.toml"
    file.write_text(toml.table("alerts", tz="Asia/Tokyo") + file.read_text())
    there = run("--limit", "1").output

    assert waiting.count("waits until") == 3
    assert "sent" not in waiting
    assert [line for line in failed.splitlines() if "over" in line] == [
        line for line in failed.splitlines() if "over Gone" in line
    ]
    assert "over Gone" in failed
    assert good.count("over Good") == 2
    assert good.count("over ") == 2
    assert limited.count("over ") == 1
    # Moments are in the zone of messages, and say so.
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d JST  ", there)
    assert run("--check", "nobody").output.startswith("none\n")


def test_what_waits_behind_a_failing_integration_says_so(folder: Path) -> None:
    async def leave() -> None:
        text = toml.project() + hook("Gone", "http://127.0.0.1:9/")
        async with running_app(folder, text) as app:
            check = await put_check(app.database, 1, name="Nightly")
            now = datetime.now(UTC)
            await put_flip(app.database, check, now - timedelta(hours=2))
            async with app.database.transaction() as conn:
                await store.channels.note_failed(conn, 1, "HTTP 500", now)

    asyncio.run(leave())

    told, *_ = lines(run("--waiting").output)
    assert told == (
        "TIME  DOWN: Nightly, over Gone (webhook): waits: this integration is failing"
    )


def test_json_has_all_of_it(folder: Path) -> None:
    asyncio.run(some_messages(folder))

    result = run("--json", "--failed")

    [found] = json.loads(result.output)
    assert found["check"] == "Nightly\x1b[31m backup"
    assert (found["channel"], found["kind"]) == ("Gone", "webhook")
    assert (found["status"], found["reminder"], found["sent"]) == ("down", 0, None)
    assert datetime.fromisoformat(found["next_try"]) > datetime.now(UTC)
    [tried] = found["tries"]
    assert tried["answer"] == "HTTP 404 from 127.0.0.1"
    assert tried["sent"] is False
    assert tried["seconds"] >= 0


def test_database_that_is_not_there_is_told_of_and_not_made(folder: Path) -> None:
    (folder / "hcl.toml").write_text(toml.project())

    result = run()

    assert result.exit_code == 1
    path = folder / "hcl.sqlite"
    cure = "start hcl, or mount the disk that it is on"
    assert result.stderr == f"Error: {path}: there is no database: {cure}\n"
    assert not path.exists()


def test_database_of_another_version_is_told_of(folder: Path) -> None:
    asyncio.run(some_messages(folder))
    path = folder / "hcl.sqlite"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA user_version = 2")

    result = run()

    assert result.exit_code == 1
    problem = "not of this version; start `hcl serve` first"
    assert result.stderr == f"Error: {path}: {problem}\n"


def test_reading_changes_nothing(folder: Path) -> None:
    asyncio.run(some_messages(folder))
    shutil.copy(folder / "hcl.sqlite", folder / "before")

    assert run().exit_code == 0

    assert (folder / "hcl.sqlite").read_bytes() == (folder / "before").read_bytes()


@pytest.mark.parametrize("limit", ["0", "-1", "99999999999999999999"])
def test_number_that_makes_no_sense_is_refused(limit: str) -> None:
    result = run("--limit", limit)

    assert result.exit_code == 2
    assert "Invalid value for '--limit'" in result.stderr


def test_two_choices_at_once_are_refused(folder: Path) -> None:
    (folder / "hcl.toml").write_text(toml.project())

    assert run("--waiting", "--failed").exit_code == 2


def test_without_a_config_it_says_so(folder: Path) -> None:
    result = run()

    assert result.exit_code == 1
    assert "there is no hcl.toml here" in result.stderr


def test_message_of_hcl_itself_is_listed(folder: Path) -> None:
    asyncio.run(a_message_of_hcl(folder))

    told = lines(run().output)
    [document] = json.loads(run("--json").output)

    assert told == ["TIME  SERVER: hcl was[31m away, over Good (webhook): sent", ANSWER]
    assert (document["check"], document["status"]) == (None, None)
    assert document["subject"] == "hcl was\x1b[31m away"
    assert run("--check", "Nightly").output == "none\n"


ANSWER = "    TIME  sent in SPAN: HTTP 200"


async def a_message_of_hcl(folder: Path) -> None:
    now = datetime.now(UTC)
    told = Announcement(1, now, "absence", "hcl was\x1b[31m away")
    async with HttpSink() as good:
        file = toml.project() + toml.webhook("Good", server=good.url)
        async with running_app(folder, file) as app:
            async with app.database.transaction() as conn:
                id_ = await store.announcements.add(conn, told)
                await store.notifications.add_for_announcement(conn, id_, now)
            await app.sender.send_once(now + timedelta(seconds=1))
