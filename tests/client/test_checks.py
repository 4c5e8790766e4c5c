"""`hcl checks` and `hcl run` beside a real server."""

import argparse
import asyncio
import json
import os
import pty
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hcl.client import checks, completion
from tests import toml
from tests.client.running import Ran, environment, hcl
from tests.patience import ENDS
from tests.server.process import API_KEY, PING_KEY, Serve
from tests.sinks import HttpSink

READING = "hcr_" + "r" * 28


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Run one server for all tests of this file."""
    reading = toml.key("reader", READING, access="read-only")
    tables = reading + toml.webhook("hook", down="http://127.0.0.1:9/")
    with Serve(tmp_path_factory.mktemp("server"), tables) as server:
        yield server


class Machine:
    """A machine whose settings name a server."""

    def __init__(self, folder: Path, serve: Serve) -> None:
        self.env = environment(
            folder, serve.root, HCL_PING_KEY=PING_KEY, HCL_API_KEY=API_KEY
        )

    async def __call__(self, *arguments: str) -> Ran:
        return await hcl(self.env, *arguments)

    async def document(self, *arguments: str) -> Any:
        """Return what `hcl checks` prints as JSON."""
        ran = await self("checks", *arguments, "--format", "json")
        assert (ran.status, ran.err) == (0, "")
        return json.loads(ran.out)


@pytest.fixture
def machine(tmp_path: Path, serve: Serve) -> Machine:
    return Machine(tmp_path, serve)


async def test_a_run_is_seen_by_the_server(machine: Machine) -> None:
    ran = await machine(
        "run", "--create", "job", "--", "sh", "-c", "echo hello; exit 3"
    )

    assert (ran.status, ran.out, ran.err) == (3, b"hello\n", "")
    check = await machine.document("show", "job")
    assert (check["status"], check["n_pings"]) == ("down", 2)
    pings = (await machine.document("log", "job"))["pings"]
    assert [ping["type"] for ping in pings] == ["fail", "start"]
    assert pings[0]["rid"] == pings[1]["rid"]
    assert "duration" in pings[0]
    body = await machine("checks", "log", "job", "--body", "2")
    assert body.out == b"hello\n"
    none = await machine("checks", "log", "job", "--body", "1")
    assert none.err == "hcl checks: there is no such ping, or it brought nothing\n"


async def test_a_body_gives_a_terminal_no_orders(machine: Machine) -> None:
    orders = "printf '\\033]0;x\\007\\tred\\n'"
    await machine("run", "--create", "loud", "--", "sh", "-c", orders)
    reader, terminal = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hcl", "checks", "log", "loud", "--body", "2"),
        stdout=terminal,
        env=machine.env,
    )
    os.close(terminal)

    assert await asyncio.wait_for(process.wait(), ENDS) == 0
    assert os.read(reader, 1000) == b" ]0;x \tred\r\n"
    os.close(reader)


async def test_a_server_named_by_what_its_ping_urls_begin_with_is_found(
    machine: Machine,
) -> None:
    machine.env["HCL_SERVER"] += "/ping"

    ran = await machine("run", "--create", "named", "--", "true")
    shown = await machine("checks", "show", "named")

    assert (ran.err, shown.status, shown.err) == ("", 0, "")


async def test_a_check_is_made_changed_and_deleted(machine: Machine) -> None:
    made = await machine.document(
        *("create", "--name", "Disk 2", "--slug", "disk-2", "--tags", "nas home"),
        *("--timeout", "2h", "--grace", "10m", "--manual-resume", "yes"),
    )
    assert (made["timeout"], made["grace"], made["manual_resume"]) == (7200, 600, True)

    edited = await machine.document("edit", "Disk 2", "--schedule", "5 4 * * *")
    assert edited["schedule"] == "5 4 * * *"
    assert (await machine.document("pause", "disk-2"))["status"] == "paused"
    assert (await machine.document("resume", made["uuid"]))["status"] == "new"
    [listed] = (await machine.document("list", "--tag", "nas"))["checks"]
    assert listed["slug"] == "disk-2"
    assert (await machine.document("flips", "disk-2"))["flips"]
    # Of a pause, and what ends it, a server tells no more than that it is not up.
    flips = (await machine("checks", "flips", "disk-2", "--format", "plain")).out
    assert [line.split("\t")[1] for line in flips.decode().splitlines()] == [
        "not up",
        "not up",
    ]

    assert (await machine.document("delete", "disk-2"))["uuid"] == made["uuid"]
    ran = await machine("checks", "show", "disk-2")
    assert (ran.status, ran.err) == (1, "hcl checks: there is no check 'disk-2'\n")


async def test_what_was_told_and_why_is_shown_and_muted(machine: Machine) -> None:
    made = await machine("checks", "create", "--slug", "told", "--channels", "hook")
    await machine("ping", "told", "fail")

    messages = await machine("checks", "messages", "told", "--format", "plain")
    explained = await machine("checks", "explain", "told")
    muted = await machine.document("mute", "told", "4h")
    again = await machine.document("mute", "told", "0")

    assert made.status == 0
    assert messages.out.decode().split("\t")[1:3] == ["hook", "down"]
    assert explained.out.startswith(b"It is down: the job reported a failure.\n")
    assert datetime.fromisoformat(muted["muted_until"]) > datetime.now(UTC)
    assert "muted_until" not in again


async def test_finer_rules_are_set_and_taken_back(machine: Machine) -> None:
    made = await machine.document(
        *("create", "--slug", "finer", "--max-run", "2h", "--min-run", "5s"),
        *("--down-after", "3", "--early", "5m"),
    )
    finer = {"max_run": 7200, "min_run": 5, "down_after": 3, "early": 300}
    assert {name: made[name] for name in finer} == finer

    arguments = ("--max-run", "none", "--min-run", "none", "--down-after", "1")
    edited = await machine.document("edit", "finer", *arguments, "--early", "0s")

    assert not finer.keys() & edited.keys()
    ran = await machine("checks", "edit", "finer", "--max-run", "never")
    assert ran.status == 2
    assert b"is no time: write 90s, 10m, 4h, 1d" in ran.err.encode()


async def test_list_is_a_table_or_lines_with_tabs(machine: Machine) -> None:
    await machine("ping", "--create", "wide")
    await machine("checks", "edit", "wide", "--name", "日本 \x1b[31mred")

    table = (await machine("checks", "--format", "table")).out.decode()
    plain = (await machine("checks", "list", "--format", "plain")).out.decode()

    assert table.splitlines()[0].split()[:3] == ["STATUS", "NAME", "SLUG"]
    [line] = [line for line in table.splitlines() if "wide" in line]
    assert "日本  [31mred" in line
    assert "0 s ago" in line or "1 s ago" in line or "s ago" in line
    [line] = [line for line in plain.splitlines() if "wide" in line]
    assert line.split("\t")[:2] == ["up", "wide"]


async def test_list_tells_checks_without_a_name_apart(machine: Machine) -> None:
    made = await machine.document("create", "--tags", "nameless")

    ran = await machine("checks", "list", "--tag", "nameless")

    assert made["uuid"] in ran.out.decode()


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["show", "nothing"], {}, "there is no check 'nothing'"),
        (["list"], {"HCL_API_KEY": ""}, "/hcl/client.conf or /etc/hcl/client.conf"),
        (["list"], {"HCL_API_KEY": "x" * 32}, "wrong api key: see HCL_API_KEY"),
        (["list"], {"HCL_API_KEY": "cut short"}, "wrong api key: see HCL_API_KEY"),
        (["list"], {"HCL_API_KEY": "ключ"}, "HCL_API_KEY is no API key"),
        (["list"], {"HCL_SERVER": ""}, "/hcl/client.conf or /etc/hcl/client.conf"),
        (["list"], {"HCL_SERVER": "nas"}, "'nas' must begin with http://"),
        (["list"], {"HCL_SERVER": "http://127.0.0.1:9"}, "connection refused"),
        (["create", "--tz", "Mars/Base"], {}, "tz is not a valid timezone"),
        (["resume", "busy"], {}, "check is not paused"),
    ],
)
async def test_what_cannot_be_done_is_one_line(
    machine: Machine, arguments: list[str], env: dict[str, str], said: str
) -> None:
    await machine("ping", "--create", "busy")
    machine.env.update(env)

    ran = await machine("checks", *arguments)

    assert (ran.status, ran.out) == (1, b"")
    assert ran.err.startswith("hcl checks: ")
    assert ran.err.count("\n") == 1
    assert said in ran.err


ELSEWHERE = (("Location", "https://hcl.example/api/v3/checks/x\x1b[2J"),)


@pytest.mark.parametrize(
    ("arguments", "status", "body", "said"),
    [
        # Caddy's redirects have no body.
        ("checks pause UUID", 308, b"", "redirects to https://hcl.example: set HCL"),
        ("checks log UUID --body 1", 308, b"", "redirects to https://hcl.example: "),
        ("maintenance start 2h", 308, b"", "redirects to https://hcl.example: set"),
        ("checks pause UUID", 200, b"", "is no API: it answered 200 with no JSON"),
        ("checks list", 200, b"{}", "is no API: it answered with no checks"),
        ("checks show x", 200, b'{"checks": [1]}', "answered with no checks"),
        ("checks list", 200, b"[" * 200_000, "answered 200 with no JSON"),
        ("maintenance", 200, b"[]", "is no API: it answered with no windows"),
        ("checks list", 403, b'{"error": "\\u001b[2J\\u009b"}', "hcl checks: [2J\n"),
        ("checks pause UUID", 200, b"[]", "is no API: it answered with no status"),
        ("checks mute UUID 2h", 200, b'{"ok": 1}', "it answered with no status"),
        ("checks show UUID", 200, b'{"ok": 1}', "it answered with no status"),
        ("checks flips UUID", 200, b"{}", "is no API: it answered with no flips"),
        ("checks flips UUID", 200, b"[1]", "is no API: it answered with no flips"),
        ("checks explain UUID", 200, b"{}", "is no API: it answered with no lines"),
        ("maintenance start 2h", 200, b"{}", "is no API: it answered with no open"),
        ("maintenance end 1", 200, b"[]", "is no API: it answered with no open"),
    ],
)
async def test_what_a_server_that_is_none_says_is_one_line(
    machine: Machine, arguments: str, status: int, body: bytes, said: str
) -> None:
    words = arguments.replace("UUID", "58a2c6bd-e7f9-463c-89c5-87592b8b2dac").split()
    async with HttpSink(status, headers=ELSEWHERE, body=body) as sink:
        machine.env["HCL_SERVER"] = sink.url

        ran = await machine(*words)

    assert (ran.status, ran.out) == (1, b"")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert ran.err.strip("\n").isprintable()


@pytest.mark.parametrize("portal", ["https://in.example/", "https://in.example/?rd="])
async def test_nobody_is_told_to_give_a_key_to_where_people_sign_in(
    machine: Machine, portal: str
) -> None:
    back = "https://hcl.example/api/v3/checks/" if "?" in portal else ""
    async with HttpSink(302, headers=(("Location", portal + back),)) as sink:
        machine.env["HCL_SERVER"] = sink.url

        ran = await machine("checks", "list")

    assert f"redirects to {portal}{back}: see HCL_SERVER" in ran.err


async def test_no_slug_of_a_server_is_run_by_bash(machine: Machine) -> None:
    slugs = ["$(reboot)", "a b", "`x`", "", "good-one", 1, None]
    document = {"checks": [{"slug": slug} for slug in slugs]}
    async with HttpSink(200, body=json.dumps(document).encode()) as sink:
        machine.env["HCL_SERVER"] = sink.url

        ran = await machine("completion", "slugs")

    assert ran == Ran(0, b"good-one\n1\n", "")


def unread() -> int:
    """Return a pipe that nobody reads any more."""
    read, write = os.pipe()
    os.close(read)
    return write


def full() -> int:
    """Return a disk that is full."""
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize(
    ("output", "status", "said"),
    [(unread, 141, ""), (full, 1, "hcl checks: no space left on device\n")],
)
async def test_a_list_that_cannot_be_written_is_no_traceback(
    machine: Machine, output: Callable[[], int], status: int, said: str
) -> None:
    descriptor = output()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hcl", "checks"),
        env=machine.env,
        stdout=descriptor,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(descriptor)

    assert (await process.communicate())[1].decode() == said
    assert process.returncode == status


async def test_what_a_terminal_cannot_show_is_replaced(machine: Machine) -> None:
    await machine("checks", "create", "--slug", "odd", "--name", "日本")
    machine.env["PYTHONIOENCODING"] = "ascii"

    ran = await machine("checks", "list")

    assert (ran.status, ran.err) == (0, "")
    assert b"??" in ran.out


async def test_a_key_that_may_only_read_shows_a_check(machine: Machine) -> None:
    await machine("ping", "--create", "read")
    machine.env["HCL_API_KEY"] = READING

    shown = await machine.document("show", "read")
    flips = await machine.document("flips", "read")
    paused = await machine("checks", "pause", "read")

    assert (shown["slug"], shown["status"]) == ("read", "up")
    assert [flip["up"] for flip in flips["flips"]] == [1]
    assert "the API key may only read: give one that may write" in paused.err


async def test_jobs_at_once_are_all_seen(machine: Machine) -> None:
    runs = [
        machine("run", "--create", f"many-{n}", "--", "sh", "-c", f"exit {n}")
        for n in range(4)
    ]

    assert [ran.status for ran in await asyncio.gather(*runs)] == [0, 1, 2, 3]

    for n in range(4):
        check = await machine.document("show", f"many-{n}")
        assert (check["n_pings"], check["status"]) == (2, "down" if n else "up")


async def test_what_could_not_be_told_comes_later_with_its_own_time(
    tmp_path: Path,
) -> None:
    (tmp_path / "server").mkdir()
    with Serve(tmp_path / "server") as away:
        machine = Machine(tmp_path, away)
        await machine("ping", "--create", "job")
        away.stop()
        script = ["sh", "-c", "sleep 0.3; echo lost; exit 3"]
        lost = await machine("run", "--patience", "0", "job", "--", *script)
        away.start()

        await machine("ping", "--flush")

        assert (lost.status, lost.out) == (3, b"lost\n")
        fail, start, first = (await machine.document("log", "job"))["pings"]
        assert [ping["type"] for ping in (fail, start, first)] == [
            "fail",
            "start",
            "success",
        ]
        assert first["date"] < start["date"] < fail["date"]
        assert fail["duration"] >= 0.3
        check = await machine.document("show", "job")
        assert (check["status"], check["n_pings"]) == ("down", 3)


@pytest.mark.parametrize("path", ["", "/p"])
@pytest.mark.parametrize("names_code", [True, False])
async def test_signals_by_ping_urls_of_any_path_bear_their_own_time(
    tmp_path: Path, path: str, names_code: bool
) -> None:
    (tmp_path / "server").mkdir()
    with Serve(tmp_path / "server") as away:
        config = tmp_path / "server/hcl.toml"
        endpoint = f'[server]\nping_endpoint = "{away.root}{path}/"\n'
        config.write_text(config.read_text().replace("[server]\n", endpoint))
        away.stop()
        away.start()
        machine = Machine(tmp_path, away)
        # The slug begins with the key: it is not to be taken for that.
        slug = f"{PING_KEY.lower()}-job"
        await machine("ping", "--create", slug)
        url = (await machine.document("show", slug))["ping_url"]
        assert url.startswith(f"{away.root}{path}/")
        url = url if names_code else f"{away.root}{path}/{PING_KEY}/{slug}"
        away.stop()
        lost = await machine("ping", "--patience", "0", url, "fail")
        away.start()

        await machine("ping", "--flush")

        late, _ = (await machine.document("log", slug))["pings"]
        assert late["type"] == "fail"
        assert f"/{PING_KEY}/" not in lost.err


async def test_bash_completes_commands_actions_and_slugs(machine: Machine) -> None:
    await machine("ping", "--create", "zebra-crossing")
    hcl_ = Path(machine.env["HOME"]) / "bin/hcl"
    hcl_.parent.mkdir()
    hcl_.write_text(f'#!/bin/sh\nexec {sys.executable} -m hcl "$@"\n')
    hcl_.chmod(0o755)

    async def completed(*words: str) -> str:
        line = " ".join(f"'{word}'" for word in words)
        script = (
            'eval "$(hcl completion bash)";'
            f" COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _hcl;"
            ' echo "${COMPREPLY[@]}"'
        )
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", script),
            env=machine.env | {"PATH": f"{hcl_.parent}:{machine.env['PATH']}"},
            stdout=asyncio.subprocess.PIPE,
        )
        return (await process.communicate())[0].decode().strip()

    assert await completed("hcl", "ch") == "checks"
    assert await completed("hcl", "checks", "fl") == "flips"
    assert await completed("hcl", "run", "zeb") == "zebra-crossing"
    assert await completed("hcl", "run", "job", "--", "zeb") == ""
    assert await completed("hcl", "serve", "zeb") == ""


@pytest.mark.parametrize("server", ["http://127.0.0.1:9", ""], ids=["away", "unset"])
async def test_completion_says_nothing_without_a_server(
    machine: Machine, server: str
) -> None:
    machine.env["HCL_SERVER"] = server

    assert await machine("completion", "slugs") == Ran(1, b"", "")


def test_completion_knows_every_action() -> None:
    parser = argparse.ArgumentParser()
    checks.add_to(parser.add_subparsers())
    shown = next(iter(parser._subparsers._group_actions[0].choices.values()))  # type: ignore[union-attr]
    [actions] = [a for a in shown._actions if isinstance(a, argparse._SubParsersAction)]

    assert list(actions.choices) == completion.ACTIONS.split()


async def test_maintenance_is_started_listed_and_ended(machine: Machine) -> None:
    async def windows(*arguments: str) -> Any:
        ran = await machine("maintenance", *arguments, "--format", "json")
        assert (ran.status, ran.err) == (0, "")
        return json.loads(ran.out)

    for tag in ("nas", "db"):
        await machine.document("create", "--name", f"The {tag}", "--tags", tag)
    none = await machine("maintenance", "end")
    made = await windows("start", "2h", "--tag", "nas", "--tag", "db", "new disk")
    listed = await machine("maintenance")
    await windows("start", "30m")
    several = await machine("maintenance", "end")
    ended = await windows("end", str(made["id"]))
    last = await machine("maintenance", "end")

    assert (made["tags"], made["reason"], made["open"]) == ("db nas", "new disk", True)
    assert b"ID" in listed.out
    assert b"new disk" in listed.out
    assert (none.status, several.status) == (1, 1)
    assert "no window that was opened by hand is open" in none.err
    assert f"give one of {made['id']}, {made['id'] + 1}" in several.err
    assert (ended["id"], ended["open"]) == (made["id"], False)
    assert b" ended " in last.out
    assert (await windows("list"))["windows"] == []


async def test_maintenance_of_no_check_is_told_as_it_is_opened(
    machine: Machine,
) -> None:
    await machine.document("create", "--name", "Disks", "--tags", "nas disks")

    ran = await machine("maintenance", "start", "2h", "--tag", "nass disks")

    assert (ran.status, ran.err) == (0, "hcl maintenance: no check is tagged nass\n")
    assert b"disks nass" in ran.out
