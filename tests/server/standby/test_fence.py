"""The commands that read and write the epoch, whatever they do."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hcl.config.settings import StandbyConfig
from hcl.server.announcer import Announcer
from hcl.server.standby import fence
from hcl.server.standby.fence import Fence, FenceError, Stand
from hcl.server.standby.guard import Guard
from tests.app import App, running_app

STAND = Stand(3, "nas", "2026-01-05T08:00:00Z")


def by_command(read: str, write: str = "cat >/dev/null") -> Fence:
    return Fence(StandbyConfig(fence_read=read, fence_write=write))


def test_what_a_command_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    """As ssh with ControlPersist does, in a session of its own."""
    pid = tmp_path / "pid"
    stays = f"setsid sh -c 'echo $$ >{pid}; exec sleep 60' & "
    began = time.monotonic()
    try:
        found = by_command(f"{stays} echo '{STAND.epoch} {STAND.host} {STAND.moment}'")

        assert found.read() == STAND
        assert time.monotonic() - began < fence.PATIENCE / 2
    finally:
        with suppress(OSError, ValueError):
            # It may not have written it yet.
            os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("output", ["yes", "yes >&2"])
def test_output_without_end_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.setattr(fence, "PATIENCE", 0.3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(FenceError, match="did not end within"):
        by_command(output).read()

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_command_is_given_what_it_is_to_keep_and_told_of_by_its_last_line(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "fence"
    found = by_command(f"cat {kept}", f"cat >{kept}")

    found.write(STAND)

    assert found.read() == STAND
    with pytest.raises(FenceError, match=r"ended with 7: no key$"):
        by_command("echo first >&2; echo no key >&2; exit 7").read()
    # Nobody reads what it is given.
    with pytest.raises(FenceError, match="reads otherwise"):
        by_command("true", "exec <&-").write(STAND)


def test_what_a_command_has_said_is_read_however_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As on a machine that stood still just after the command had ended.
    monkeypatch.setattr(fence, "OUTPUT_PATIENCE", 0.0)
    pipe = subprocess.PIPE
    command = ["echo", "3 nas now"]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        process.wait()

        out, _ = fence._said(process, b"")

    assert out == "3 nas now\n"


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Have the system give this process no more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with running_app(tmp_path) as app:
        yield app


async def test_command_that_cannot_be_started_ends_no_server(app: App) -> None:
    announcer = Announcer(
        app.database, app.clock, app.alarms["sender"], app.parts.changes
    )
    path = app.config.database.path
    guard = Guard(by_command("true"), path, app.database, announcer)

    with no_descriptors():
        await guard.look_once(time.monotonic())
    told = guard.trouble
    await guard.look_once(time.monotonic())

    assert "the command cannot be started: too many open files" in told
    assert guard.trouble == ""
