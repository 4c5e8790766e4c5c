"""What goes from one hcl to another with checks: mutes, badges, what left the file."""

import json
import shutil
import sqlite3
from asyncio import to_thread
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hcl.config import load
from tests import toml
from tests.app import running_app
from tests.moving.commands import hcl
from tests.moving.serving import read
from tests.moving.test_back_and_forth import exported
from tests.server.test_declaring import HOME as SMALL
from tests.server.test_declaring import NIGHTLY, declare, one, planned
from tests.web.api.calls import create

HOME = SMALL.replace("check_limit = 3", "check_limit = 30")
GONE = declare("gone")


def two(folder: Path) -> tuple[Path, Path]:
    """Make folders for two servers."""
    here, there = folder / "here", folder / "there"
    here.mkdir()
    there.mkdir()
    return here, there


async def lived(folder: Path) -> dict[str, str]:
    """Let a server live: one check left its file, two are muted; return their codes."""
    async with running_app(folder, HOME + NIGHTLY + GONE) as app:
        made = [await create(app, name=n, slug=n, channels="*") for n in ("up", "down")]
        codes = {check["slug"]: check["uuid"] for check in made}
        codes["gone"] = (await one(app, "gone")).code
        for slug, action in ("gone", ""), ("up", ""), ("down", ""), ("down", "/fail"):
            await app.http.get(f"/ping/{codes[slug]}{action}")
        for slug in ("up", "down"):
            await app.api("POST", f"checks/{codes[slug]}/mute", json={"seconds": 3600})
        await app.reload(HOME + NIGHTLY)
    return codes


async def moved(here: Path, there: Path) -> None:
    """Export here, and import there, twice."""
    await to_thread(hcl, here, "export", "out.jsonl")
    for _ in range(2):
        done = await to_thread(hcl, there, "import", here / "out.jsonl")
        assert done.returncode == 0, done.stderr
    assert "0 checks came, 0 checks changed, with 0 pings and 0 flips" in done.stdout


async def muted(folder: Path, code: str) -> float | None:
    [[until]] = read(
        folder,
        "SELECT muted_until FROM check_states JOIN checks c ON c.id = check_id"
        f" WHERE code = '{code}'",
    )
    return float(until) if until else None


async def test_mutes_badges_and_what_left_the_file_come_along_and_back(
    tmp_path: Path,
) -> None:
    here, there = two(tmp_path)
    codes = await lived(here)
    shutil.copy(here / "hcl.toml", there)

    await moved(here, there)

    # Its URLs are out there, and hcl.toml does not tell the key of its badges.
    before = await to_thread(exported, here)
    assert "badge_key" in before[0]
    assert await to_thread(exported, there) == before
    # What waits of a muted check waits for the same moment.
    until = await muted(there, codes["down"])
    assert until is not None
    assert read(there, "SELECT DISTINCT next_try, hold FROM notifications") == [
        (until, "mute")
    ]
    async with running_app(there, HOME + NIGHTLY) as app:
        assert (await one(app, "gone")).status == "paused"
        assert await planned(app, HOME + NIGHTLY + GONE) == [
            "leave nightly",
            "bring back gone",
        ]
        await app.reload(HOME + NIGHTLY + GONE)
        assert (await one(app, "gone")).status == "up"
        await app.api("POST", f"checks/{codes['down']}/mute", json={"seconds": 0})

    await moved(there, here)

    assert await to_thread(exported, here) == await to_thread(exported, there)
    assert await muted(here, codes["down"]) != until
    assert await muted(here, codes["up"]) == await muted(there, codes["up"])


async def test_what_waits_for_the_end_of_a_long_mute_waits_on(tmp_path: Path) -> None:
    here, there = two(tmp_path)
    codes = await lived(here)
    shutil.copy(here / "hcl.toml", there)
    with closing(sqlite3.connect(here / "hcl.sqlite")) as conn, conn:
        # It went down two days ago; hooks are told of nothing twice.
        conn.execute("UPDATE flips SET created = created - 172800")
    waiting = (
        "SELECT count(*) FROM notifications JOIN checks c ON c.id = check_id"
        f" WHERE code = '{codes['down']}' AND next_try IS NOT NULL"
    )

    await moved(here, there)

    assert read(there, waiting) == read(here, waiting) == [(2,)]


async def test_a_mute_here_stays_unless_it_changes_there(tmp_path: Path) -> None:
    here, there = two(tmp_path)
    codes = await lived(here)
    await moved(here, there)
    async with running_app(there, (there / "hcl.toml").read_text()) as app:
        now = app.clock.now()
        async with app.database.transaction() as conn:
            # Ended in one case, and longer in the other.
            for slug, until in ("up", now.timestamp()), ("down", 4e9):
                await conn.execute(
                    "UPDATE check_states SET muted_until = ? WHERE check_id ="
                    " (SELECT id FROM checks WHERE code = ?)",
                    (until, codes[slug]),
                )

    await moved(here, there)

    assert await muted(there, codes["up"]) == now.timestamp()
    assert await muted(there, codes["down"]) == 4e9


async def test_what_another_file_declares_is_brought_back_by_it(tmp_path: Path) -> None:
    here, there = two(tmp_path)
    codes = await lived(here)
    (there / "hcl.toml").write_text(HOME + NIGHTLY + GONE)

    await moved(here, there)

    # Else it would be paused there for good, by a file of another server.
    async with running_app(there, HOME + NIGHTLY + GONE) as app:
        gone = await one(app, "gone")
    assert (gone.code, gone.status, gone.origin) == (codes["gone"], "up", "file")


async def test_only_the_channel_that_had_not_told_yet_tells(tmp_path: Path) -> None:
    here, there = two(tmp_path)
    async with running_app(here, HOME) as app:
        check = await create(app, name="a", channels="*")
        await app.http.get(f"/ping/{check['uuid']}/fail")
        async with app.database.transaction() as conn:
            await conn.execute(
                "UPDATE notifications SET next_try = NULL, sent = 1.0 WHERE channel_id"
                " = (SELECT id FROM channels WHERE name = 'Hook A')"
            )
    shutil.copy(here / "hcl.toml", there)

    await moved(here, there)

    waits = "SELECT name FROM notifications n JOIN channels c ON c.id = channel_id"
    assert read(there, f"{waits} WHERE next_try IS NOT NULL") == [("Hook B",)]


@pytest.mark.parametrize("was_told", [True, False])
async def test_what_was_told_there_is_not_told_as_channels_are_switched_on(
    tmp_path: Path, *, was_told: bool
) -> None:
    """They come switched off where nothing says where they lead."""
    here, there = two(tmp_path)
    async with running_app(here, HOME) as app:
        check = await create(app, name="a", channels="*")
        await app.http.get(f"/ping/{check['uuid']}/fail")
        if was_told:
            async with app.database.transaction() as conn:
                await conn.execute("UPDATE notifications SET next_try = NULL, sent = 1")
    off = HOME.replace('kind = "webhook"\n', 'kind = "webhook"\nenabled = false\n')
    (there / "hcl.toml").write_text(off)

    await moved(here, there)
    async with running_app(there, HOME):
        pass

    waits = "SELECT count(*) FROM notifications WHERE next_try IS NOT NULL"
    assert read(there, waits) == [(0 if was_told else 2,)]


async def test_a_channel_of_a_group_that_had_not_told_yet_tells(tmp_path: Path) -> None:
    """The check has the group alone, which has handed on what it was to tell."""
    here, there = two(tmp_path)
    group = toml.table(
        "[projects.channels]", name="All", kind="group", channels=["Hook A", "Hook B"]
    )
    async with running_app(here, HOME + group) as app:
        check = await create(app, name="a", channels="All")
        await app.http.get(f"/ping/{check['uuid']}/fail")
        async with app.database.transaction() as conn:
            await conn.execute(
                "UPDATE notifications SET next_try = NULL, sent = created"
            )
            await conn.execute(
                "INSERT INTO notifications"
                " (flip_id, check_id, channel_id, created, ran, next_try, hold)"
                " SELECT flip_id, check_id,"
                " (SELECT id FROM channels WHERE name = 'Hook B'), created, ran,"
                " created + 20000, 'quiet' FROM notifications"
            )
    (there / "hcl.toml").write_text(HOME + group)

    await moved(here, there)

    waiting = "SELECT name FROM notifications JOIN channels c ON c.id = channel_id"
    assert read(there, f"{waiting} WHERE next_try IS NOT NULL") == [("Hook B",)]


async def test_a_declared_check_that_was_never_pinged_makes_way(tmp_path: Path) -> None:
    here, there = two(tmp_path)
    await lived(here)
    # Somebody looked whether the server starts, before they moved.
    async with running_app(there, HOME + NIGHTLY) as app:
        empty = await one(app)

    await moved(here, there)

    codes = "SELECT code FROM checks WHERE slug = 'nightly'"
    assert read(there, codes) == read(here, codes) != [(empty.code,)]
    async with running_app(there, HOME + NIGHTLY) as app:
        assert await planned(app, HOME + NIGHTLY) == ["leave nightly"]


async def test_slug_that_another_check_has_here_is_said_once(tmp_path: Path) -> None:
    here, there = two(tmp_path)
    await lived(here)
    async with running_app(there, HOME) as app:
        await create(app, name="mine", slug="up")
    await to_thread(hcl, here, "export", "out.jsonl")

    done = [await to_thread(hcl, there, "import", here / "out.jsonl") for _ in range(2)]

    assert "by it is taken any more: up\n" in done[0].stdout
    assert "is taken" not in done[1].stdout


async def test_badges_of_a_project_that_lives_here_stay_and_it_is_said(
    tmp_path: Path,
) -> None:
    here, there = two(tmp_path)
    await lived(here)
    async with running_app(there, HOME + NIGHTLY) as app:
        await app.http.get(f"/ping/{(await one(app)).code}")
    key = "SELECT badge_key FROM projects"
    before = read(there, key)
    await to_thread(hcl, here, "export", "out.jsonl")

    done = await to_thread(hcl, there, "import", here / "out.jsonl")

    assert read(there, key) == before != read(here, key)
    assert "unless hcl.toml has the old badge_key, in: Home" in done.stdout


async def test_channels_come_whatever_they_tell_of(tmp_path: Path) -> None:
    here, there = two(tmp_path)
    url = {"url": "http://127.0.0.1:9/"}
    hooks = (
        toml.webhook("Late", down=url, up=url, late=url, events=["down", "late"])
        + toml.webhook("Up", up=url, events=["up"])
        + toml.webhook("Server", server=url, down=url, events=["server"])
        + toml.channel("Slow", "shell", slow="true", events=["slow"])
    )
    async with running_app(here, toml.project() + hooks):
        pass

    await to_thread(hcl, here, "export", "out.jsonl")
    done = await to_thread(hcl, there, "import", here / "out.jsonl")

    assert done.returncode == 0, done.stderr
    [project] = load(there / "hcl.toml").projects
    assert {c.name: sorted(c.events) for c in project.channels} == {
        "Late": ["down", "late"],
        "Up": ["up"],
        "Server": ["server"],
        "Slow": ["slow"],
    }
    assert not any(channel.enabled for channel in project.channels)


def test_document_of_a_version_before_is_taken(tmp_path: Path) -> None:
    """One that knew no mutes, and told of a flip only whether all were told of it."""
    flip: dict[str, Any] = {
        "type": "flip",
        "at": "2026-11-28T08:00:00+00:00",
        "from": "up",
        "to": "down",
        "n_pings": 1,
        "is_told": False,
    }
    code = "99999999-9999-4999-8999-999999999999"
    project = {"type": "project", "id": code, "name": "P", "channels": []}
    check = {"type": "check", "id": "1" * 32, "project": code, "status": "down"}
    header = {"type": "hcl", "version": 1, "made_by": "x", "as_of": flip["at"]}
    lines = [header, project, check, flip, {"type": "end", "lines": 4}]
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps(n)}\n" for n in lines))

    assert hcl(tmp_path, "import", "in.jsonl").returncode == 0
    with closing(sqlite3.connect(tmp_path / "hcl.sqlite")) as conn, conn:
        # As that version marked it.
        conn.execute("UPDATE moved SET settings = substr(settings, 1, 32)")
    again = hcl(tmp_path, "import", "in.jsonl")

    assert "0 checks came, 0 checks changed" in again.stdout
    assert read(tmp_path, "SELECT count(*) FROM flips") == [(1,)]
