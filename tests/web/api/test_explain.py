"""What explains a check: over the API, on its page, and by the command."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hcl.cli import main
from tests.app import CONFIG, READ_KEY, App, running_app
from tests.build import HOUR
from tests.web.api.calls import create
from tests.web.pages.browsing import Visitor, text_of
from tests.web.test_own_time import signed


async def test_failure_is_explained_everywhere_alike(app: App) -> None:
    check = await create(app, name="Off-site copy", channels="*")
    code = check["uuid"]
    await app.http.post(f"/ping/{code}")
    await app.http.post(f"/ping/{code}/11", content=b"no space")
    visitor = await Visitor.enter(app)

    answer = await app.api("GET", f"checks/{code}/explain/")

    document = answer.json()
    told = "It went down: the job failed with exit status 11 (ping 2)."
    assert document["lines"][0] == document["summary"]
    assert document["summary"] == "It is down: the job reported a failure."
    texts = [line["text"] for line in document["timeline"]]
    assert texts[0] == told
    assert "Hook A waits: next to be sent." in texts
    assert any(line.endswith(told) for line in document["lines"])
    assert document["lines"][-1] == "Times are those of UTC."
    page = text_of(await visitor.get(f"/checks/{code}"))
    for text in (document["summary"], *texts, *document["rules"]):
        assert text in page
    refused = await app.api("GET", f"checks/{code}/explain/", key=READ_KEY)
    assert refused.status_code == 401


async def test_check_that_was_never_pinged_is_explained(app: App) -> None:
    code = (await create(app, channels=""))["uuid"]

    document = (await app.api("GET", f"checks/{code}/explain/")).json()

    assert document["timeline"] == []
    assert document["rules"] == [
        "A ping is expected every day, with a grace of 1 hour.",
        "Nobody is told when it goes down: it has no channel for that.",
    ]


async def explained(app: App, code: str) -> tuple[str, list[str]]:
    """Return the summary, and the lines of the timeline."""
    document = (await app.api("GET", f"checks/{code}/explain/")).json()
    return document["summary"], [line["text"] for line in document["timeline"]]


@pytest.mark.parametrize("since", ["log", "start"])
async def test_failure_in_maintenance_is_told_whatever_came_since(
    app: App, since: str
) -> None:
    code = (await create(app, channels=""))["uuid"]
    await app.http.post(f"/ping/{code}")
    await app.api("POST", "maintenance/", json={"seconds": 3600})
    await app.http.post(f"/ping/{code}/fail")
    await app.http.post(f"/ping/{code}/{since}")

    summary, texts = await explained(app, code)

    assert summary == (
        "It is up: the last outcome was a failure, but in maintenance, and the next"
        " ping is not overdue."
    )
    assert "A failure came, in maintenance." in texts
    assert "What was due is due still: it counts from here." in texts
    assert not any("success came." in text for text in texts[1:])


async def test_failure_that_does_not_suffice_is_told_while_a_run_is_open(
    app: App,
) -> None:
    code = (await create(app, channels="", down_after=3))["uuid"]
    for signal in ("", "/fail", "/start"):
        await app.http.post(f"/ping/{code}{signal}")

    _, texts = await explained(app, code)

    assert "The last failure came." in texts
    assert "The last success came." not in texts


async def test_failure_that_came_late_is_not_the_last_outcome(app: App) -> None:
    code = (await create(app, channels=""))["uuid"]
    await app.http.post(f"/ping/{code}")
    path, at = f"/ping/{code}/fail", app.clock.now() - HOUR
    headers = signed(code, path, f"{at.timestamp():.3f}")
    await app.http.post(path, headers=headers)

    summary, texts = await explained(app, code)

    assert summary.startswith("It is up: the last outcome was a success,")
    assert "The last success came." in texts


async def test_deleted_channel_and_mute_are_explained(app: App) -> None:
    code = (await create(app, channels="*"))["uuid"]
    await app.api("POST", f"checks/{code}/mute", json={"seconds": 3600})

    document = (await app.api("GET", f"checks/{code}/explain/")).json()

    assert document["timeline"][0]["text"] == "The mute ends: nobody is told before."


# The command


async def _two_failures(folder: Path) -> None:
    async with running_app(folder) as app:
        for slug in ("copy", "dump"):
            check = await create(app, name=slug.capitalize(), slug=slug)
            await app.http.post(f"/ping/{check['uuid']}/fail")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    asyncio.run(_two_failures(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HCL_CONFIG", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", ["Copy", "copy"])
@pytest.mark.usefixtures("folder")
def test_command_explains_from_the_database(name: str) -> None:
    result = CliRunner().invoke(main, ["explain", name])

    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[:2] == ["Copy", "  It is down: the job reported a failure."]
    assert "It went down: the job reported a failure (ping 1)." in lines[2]


@pytest.mark.usefixtures("folder")
def test_command_prints_json_and_says_what_it_does_not_find() -> None:
    found = CliRunner().invoke(main, ["explain", "dump", "--json"])
    missing = CliRunner().invoke(main, ["explain", "nothing"])

    [document] = json.loads(found.output)
    assert document["check"] == "Dump"
    assert document["lines"][0] == "It is down: the job reported a failure."
    assert missing.exit_code == 1
    assert "there is no check 'nothing'" in missing.output


def test_moments_are_those_of_messages_where_no_schedule_has_a_zone(
    tmp_path: Path,
) -> None:
    async def by_api() -> str:
        config = f'[alerts]\ntz = "Europe/Riga"\n{CONFIG}'
        async with running_app(tmp_path, config) as app:
            code = (await create(app, name="Copy"))["uuid"]
            document = (await app.api("GET", f"checks/{code}/explain/")).json()
        return str(document["lines"][-1])

    told = asyncio.run(by_api())
    path = str(tmp_path / "hcl.toml")
    result = CliRunner().invoke(main, ["explain", "Copy", "--config", path])

    assert told == "Times are those of Europe/Riga."
    assert result.output.splitlines()[-1].strip() == told
