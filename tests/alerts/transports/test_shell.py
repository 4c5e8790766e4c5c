import asyncio
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hcl.alerts.transports import DeliveryError, open_transport
from hcl.alerts.transports.shell import Shell, variables
from hcl.checks.check_json import Site
from hcl.config import ChannelConfig, ShellSettings, load
from hcl.model import Message
from tests import toml
from tests.alerts import NOW, RECOVERED, a_message, a_ping, an_alert
from tests.patience import ENDS
from tests.server.process import until

SITE = Site("https://hcl.example.org", "https://hcl.example.org/ping/")


@pytest.fixture(
    params=[False, True],
    ids=["asyncio", "uvloop"],
    scope="module",
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


def children() -> set[str]:
    """Return the process ids of all children, zombies too."""
    # Another test's browser may be one of them.
    tasks = Path("/proc/self/task").glob("*/children")
    found: set[str] = set()
    for task in tasks:
        # A thread may end meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            found.update(task.read_text().split())
    return found


@pytest.fixture(autouse=True)
def no_zombies() -> Iterator[None]:
    """Fail if a test leaves a process of its own behind."""
    before = children()
    yield

    assert children() <= before


async def run(
    folder: Path,
    command: str,
    message: Message | None = None,
    *,
    limit: float = ENDS,
    kill_after: float = 0.5,
) -> str:
    """Send a message, by default of a check that went down, by one command."""
    settings = ShellSettings(command, "")
    shell = Shell(settings, SITE, folder, try_timeout=limit, kill_after=kill_after)
    return await shell.send(message or a_message(), NOW)


async def failure(folder: Path, command: str, **more: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await run(folder, command, **more)
    assert "\n" not in caught.value.reason
    return caught.value


def is_running(pid: int) -> bool:
    """Tell whether a process is there; a zombie only waits to be noticed by init."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until_ended(folder: Path) -> None:
    """Wait for the ends of all that a command wrote into the file pids."""
    await until(lambda: not any(map(is_running, pids(folder))))


def pids(folder: Path) -> list[int]:
    """Return the numbers that a command wrote into the file pids."""
    return [int(word) for word in (folder / "pids").read_text().split()]


async def test_command_is_run_with_what_it_names(tmp_path: Path) -> None:
    name = 'it\'s $(touch x) `touch x` "and"\nmore; touch x'
    message = a_message(an_alert(name=name, ping=a_ping(body=b"\xff $NAME")))

    answer = await run(
        tmp_path,
        """printf '%s|' $STATUS "$NAME" '$NAME' $TAG1 "$BODY" $EXITSTATUS > told""",
        message,
    )

    assert answer == "exit status 0"
    told = (tmp_path / "told").read_text()
    assert told == f"down|{name}|{name}|prod|\ufffd $NAME|-1|"
    assert os.listdir(tmp_path) == ["told"]


async def test_values_are_variables_too(tmp_path: Path) -> None:
    (tmp_path / "lamp").write_text('#!/bin/sh\necho "$HCL_STATUS $HCL_NAME" >> told\n')
    (tmp_path / "lamp").chmod(0o755)

    await run(tmp_path, "./lamp; sh -c './lamp'")

    assert (tmp_path / "told").read_text() == "down Nightly backup\n" * 2


async def test_each_status_has_its_command(tmp_path: Path) -> None:
    shell = Shell(ShellSettings("echo 1 >> d", "echo 1 >> u"), SITE, tmp_path)
    recovered = an_alert(flip=RECOVERED)

    await shell.send(a_message(recovered), NOW)
    assert os.listdir(tmp_path) == ["u"]
    await shell.send(a_message(recovered, an_alert()), NOW)
    await shell.aclose()

    assert sorted(os.listdir(tmp_path)) == ["d", "u"]


async def test_status_without_a_command_runs_nothing(tmp_path: Path) -> None:
    message = a_message(an_alert(flip=RECOVERED))

    assert await run(tmp_path, "touch x", message) == "nothing to send"
    assert os.listdir(tmp_path) == []


async def test_command_sees_the_folder_and_no_secret_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SMTP_PASSWORD", "CREDENTIALS_DIRECTORY", "HCL_CONFIG", "LD_PRELOAD"):
        monkeypatch.setenv(name, "")
    for name in ("PATH", "HOME", "LANG", "TZ"):
        monkeypatch.setenv(name, os.environ.get(name, "as it is"))

    await run(tmp_path, "cat; pwd > told; exec env -0 > environment 2>&-")

    assert (tmp_path / "told").read_text() == f"{tmp_path}\n"
    pairs = (tmp_path / "environment").read_text().split("\0")
    names = {pair.partition("=")[0] for pair in pairs} - {"", "PWD", "OLDPWD", "_"}
    of_hcl = {name for name in names if name.startswith("HCL_")}
    assert names - of_hcl - {"SHLVL"} == {"PATH", "HOME", "LANG", "TZ"}
    assert {"HCL_NAME", "HCL_BODY", "HCL_TAG1"} <= of_hcl
    assert "HCL_CONFIG" not in of_hcl


async def test_any_number_of_tags_and_any_size_of_values_can_be_told(
    tmp_path: Path,
) -> None:
    tags = " ".join(f"{number}{'x' * 90_000}" for number in range(60))
    body = b"x" * 2_000_000

    for many in ("t " * 130_000, tags):
        alert = an_alert(tags=many, ping=a_ping(body=body), desc="y" * 1_000_000)
        command = 'echo "$TAG1 $NAME" | tail -c 15 > told; echo ${#HCL_BODY} >> told'
        await run(tmp_path, command, a_message(alert))

        assert (tmp_path / "told").read_text() == "Nightly backup\n100000\n"


@pytest.mark.parametrize(
    ("command", "reason", "permanent"),
    [
        ("exit 3", "exit status 3", False),
        ("echo one; echo two; echo; exit 3", "exit status 3: two", False),
        ("echo out; echo err >&2; exit 3", "exit status 3: err", False),
        (r"printf 'a\033[31m\tb\r'; exit 1", "exit status 1: a [31m b", False),
        (r"printf '\377\000'; exit 1", "exit status 1: \ufffd", False),
        ("printf %0300d 0; exit 1", f"exit status 1: {'0' * 200}", False),
        ("kill -9 $$", "killed by signal 9 (SIGKILL)", False),
        ("kill -40 $$", "killed by signal 40", False),
        ("sh -c 'kill -9 $$'; exit $?", "exit status 137", False),
    ],
)
async def test_other_ends_are_failures(
    tmp_path: Path, command: str, reason: str, permanent: bool
) -> None:
    error = await failure(tmp_path, command)

    assert (error.reason.removesuffix(": Killed"), error.permanent) == (
        reason,
        permanent,
    )


@pytest.mark.parametrize(("command", "status"), [("./no", 127), ("./hcl.toml", 126)])
async def test_command_that_is_none_is_a_lasting_failure(
    tmp_path: Path, command: str, status: int
) -> None:
    (tmp_path / "hcl.toml").touch(0o644)

    error = await failure(tmp_path, command)

    assert error.reason.startswith(f"exit status {status}: /bin/sh: ")
    assert error.permanent


async def test_what_cannot_be_started_is_a_failure(tmp_path: Path) -> None:
    long = await failure(tmp_path, f"true {'x' * 200_000}")
    nowhere = await failure(tmp_path / "no", "true")
    nul = await failure(tmp_path, "true \0")

    cure = "put the command into a file, and call that"
    assert long.reason == f"cannot be started: argument list too long; {cure}"
    assert nowhere.reason == "cannot be started: no such file or directory"
    assert nul.reason == "cannot be started: it holds a NUL"
    assert [long.permanent, nowhere.permanent, nul.permanent] == [False, False, True]


async def test_command_that_never_ends_is_ended(tmp_path: Path) -> None:
    command = "sleep 60 & echo $$ $! > pids; (sleep 60; true) | sleep 60"

    before = time.monotonic()
    error = await failure(tmp_path, command, limit=1.0)

    assert error.reason == "did not end within 1 s"
    assert time.monotonic() - before < ENDS
    await until_ended(tmp_path)


async def test_command_may_clean_up_at_its_limit(tmp_path: Path) -> None:
    command = "trap 'sleep 0.1; touch cleaned; exit' TERM; while :; do sleep 0.01; done"

    script = f"sh -c '{command.replace(chr(39), chr(34))}'"
    await failure(tmp_path, script, limit=1.0, kill_after=ENDS)

    assert (tmp_path / "cleaned").exists()


async def test_command_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    command = (
        "trap '' TERM; sleep 60 & echo $$ $! > pids; (trap '' TERM; sleep 60) &"
        " echo $! >> pids; while :; do sleep 1; done"
    )

    before = time.monotonic()
    error = await failure(tmp_path, command, limit=1.0)

    assert error.reason == "did not end within 1 s"
    assert 1.3 < time.monotonic() - before < ENDS
    await until_ended(tmp_path)


async def test_children_that_ignore_sigterm_are_killed_after_their_shell(
    tmp_path: Path,
) -> None:
    # The shell itself obeys; nobody but the children is left in its group.
    command = "sh -c 'trap \"\" TERM; sleep 60 & echo $! > pids'; sleep 60"

    await failure(tmp_path, command, limit=1.0)

    await until_ended(tmp_path)


async def test_background_process_neither_holds_up_nor_is_ended(tmp_path: Path) -> None:
    before = time.monotonic()
    answer = await run(tmp_path, "echo begun; sleep 60 & echo $! > pids")
    took = time.monotonic() - before

    [pid] = pids(tmp_path)
    assert answer == "exit status 0"
    assert took < ENDS
    assert is_running(pid)
    os.kill(pid, signal.SIGKILL)


async def test_failure_with_a_background_process_tells_its_reason(
    tmp_path: Path,
) -> None:
    error = await failure(tmp_path, "echo no lamp; sleep 60 & echo $! > pids; exit 4")

    os.kill(pids(tmp_path)[0], signal.SIGKILL)
    assert error.reason == "exit status 4: no lamp"


async def test_megabytes_of_output_do_no_harm(tmp_path: Path) -> None:
    tracemalloc.start()

    error = await failure(
        tmp_path, "head -c 20000000 /dev/zero; echo; echo at last; exit 5"
    )

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.reason == "exit status 5: at last"
    assert peak < 2_000_000


async def test_endless_output_is_ended_and_leaves_others_time(tmp_path: Path) -> None:
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.005)
            turns += 1

    watching = asyncio.create_task(watch())
    error = await failure(tmp_path, "yes | cat & yes >&2", limit=0.5)
    watching.cancel()

    assert error.reason == "did not end within 0.5 s"
    # A hundred, if nothing else took time; some, however busy the machine is.
    assert turns >= 10


async def test_cancelling_ends_the_command(tmp_path: Path) -> None:
    command = "trap '' TERM; sleep 60 & echo $$ $! > pids; wait"
    task = asyncio.create_task(run(tmp_path, command))
    path = tmp_path / "pids"
    await until(lambda: path.exists() and len(path.read_text().split()) == 2)

    task.cancel()
    await asyncio.sleep(0.1)
    # Whoever is in a hurry cancels twice.
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await until_ended(tmp_path)


async def test_nothing_stays_open(tmp_path: Path) -> None:
    await run(tmp_path, "true")
    before = os.listdir("/proc/self/fd")

    await run(tmp_path, "echo; sleep 60 & echo $! > pids")
    await failure(tmp_path, "yes; exit 3", limit=0.1)
    await failure(tmp_path / "no", "true")

    os.kill(pids(tmp_path)[0], signal.SIGKILL)
    assert os.listdir("/proc/self/fd") == before


async def test_many_commands_at_once_are_run(tmp_path: Path) -> None:
    answers = await asyncio.gather(
        *(run(tmp_path, "echo $STATUS >> told") for _ in range(50))
    )

    assert answers == ["exit status 0"] * 50
    assert (tmp_path / "told").read_text() == "down\n" * 50


async def test_failure_is_seen_although_children_are_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        error = await failure(tmp_path, "exit 3")
    finally:
        signal.signal(signal.SIGCHLD, before)

    assert error.reason == "exit status 3"


async def test_huge_values_are_cut(tmp_path: Path) -> None:
    tags = " ".join(f"tag{n}" for n in range(1000))
    body = "€".encode() * 1_000_000
    message = a_message(
        an_alert(name="\0x" * 200_000, tags=tags, ping=a_ping(body=body))
    )

    command = """printf '%s\n' "$BODY" '$NAME' $TAG1000 > told; /bin/true $JSON"""
    answer = await run(tmp_path, command, message)

    assert answer == "exit status 0"
    told, name, tag = (tmp_path / "told").read_text().splitlines()
    assert (told, name, tag) == ("€" * 33_333, "x" * 100_000, "tag999")


async def test_all_values_together_fit(tmp_path: Path) -> None:
    tags = " ".join(f"{n:05}{'t' * 95_000}" for n in range(40))

    answer = await run(
        tmp_path, "echo $CODE $TAG1", a_message(an_alert(tags=tags, name="x" * 99_999))
    )

    assert answer == "exit status 0"


def test_variables_hold_bytes_that_a_process_takes() -> None:
    assert variables({"NAME": lambda: "a\0b\ud800€"}) == {
        b"HCL_NAME": b"ab?\xe2\x82\xac"
    }


def test_preview_shows_the_command_and_what_it_names(tmp_path: Path) -> None:
    shell = Shell(
        ShellSettings("lamp $STATUS '$NAME' \\$CODE # $TAGS\n", ""), SITE, tmp_path
    )

    shown = shell.preview(a_message(an_alert(name="two\nlines")), NOW)

    assert shown == (
        "lamp $STATUS '$NAME' \\$CODE # $TAGS\n$STATUS is down\n$NAME is two lines"
    )
    recovered = a_message(an_alert(flip=RECOVERED))
    assert shell.preview(recovered, NOW) == "nothing to send"


async def test_commands_are_run_in_the_folder_of_the_config(tmp_path: Path) -> None:
    path = tmp_path / "hcl.toml"
    path.write_text(toml.project())
    settings = ShellSettings("echo $JSON > told", "")
    channel = ChannelConfig("id", "Lamp", "shell", frozenset({"down"}), settings)

    await open_transport(channel, load(path)).send(a_message(), NOW)

    assert '"name": "Nightly backup"' in (tmp_path / "told").read_text()


def test_importing_the_shell_imports_no_library() -> None:
    program = (
        "import sys, hcl.alerts.transports.shell;"
        "print(sorted({'httpx2', 'jinja2', 'aiosmtplib'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout == "[]\n"


async def test_cancelled_command_has_no_time_to_end(tmp_path: Path) -> None:
    """A server that ends has less time than a command that ignores SIGTERM takes."""
    script = "trap '' TERM INT; echo > begun; while :; do sleep 0.1; done"
    shell = Shell(ShellSettings(script, ""), SITE, tmp_path, kill_after=2 * ENDS)
    sending = asyncio.create_task(shell.send(a_message(), NOW))
    await until((tmp_path / "begun").exists)
    began = time.monotonic()

    sending.cancel()
    await asyncio.wait([sending])

    assert time.monotonic() - began < ENDS
