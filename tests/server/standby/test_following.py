"""Whether the machine that is followed is there, whatever its clock shows."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from hcl import config, store
from hcl.db import open_database
from hcl.server.standby.following import STANDS_AFTER, Follower, copy_of
from tests import toml
from tests.app import CONFIG, running_app
from tests.build import DAY, NOW
from tests.patience import ENDS

STANDBY = toml.table("standby", follow="file:///nowhere")


async def sign(copy: Path, moment_after: timedelta) -> None:
    """Have the replica bring another sign of life."""
    database = await open_database(copy)
    async with database.transaction() as conn:
        await store.life.leave(conn, store.life.Sign("", 0.0, NOW + moment_after))
    await database.close()


@pytest.mark.parametrize("off", [-DAY, DAY])
async def test_clock_of_the_other_machine_does_not_tell_whether_it_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, off: timedelta
) -> None:
    async with running_app(tmp_path, STANDBY + CONFIG):
        read = config.load(tmp_path / "hcl.toml")
    copy = copy_of(read.database.path)
    read.database.path.rename(copy)
    follower = Follower(read)

    for minute in range(10):
        await sign(copy, off + timedelta(minutes=minute))
        await follower.look_once(60.0 * minute)
    assert not caplog.messages

    for minute in range(10, 20):
        await follower.look_once(60.0 * minute)
    [gone] = caplog.messages
    assert gone.startswith("the other machine has not been heard of since ")
    await sign(copy, off + timedelta(minutes=20))
    await follower.look_once(1200.0)
    assert caplog.messages[1:] == ["the other machine is heard of again"]
    assert STANDS_AFTER < 5 * 60


# Runs hcl beside another Litestream, which may take so many seconds to bring a replica.
BESIDE = """\
import sys
sys.executable = sys.argv.pop(1)
from hcl.cli import main
from hcl.server.standby import taking_over
taking_over._PATIENCE = 0.2
main(prog_name="hcl")
"""


@pytest.mark.parametrize(
    ("program", "arguments", "told"),
    [
        # One for another processor.
        (b"\x7fELF\x02", [], "{litestream}: Exec format error"),
        (
            b"\x7fELF\x02",
            ["--take-over"],
            "nothing is taken over: {litestream}: Exec format error",
        ),
        (
            b"#!/bin/sh\nexec sleep 60\n",
            ["--take-over"],
            "nothing is taken over: the replica: it cannot be read (it is not here"
            " after 0 s): --from-copy takes what was followed",
        ),
    ],
)
def test_litestream_that_does_not_do_it_is_told_in_one_line(
    tmp_path: Path, program: bytes, arguments: list[str], told: str
) -> None:
    (tmp_path / "hcl.toml").write_text(STANDBY + CONFIG)
    litestream = tmp_path / "bin" / "litestream"
    litestream.parent.mkdir()
    litestream.write_bytes(program)
    litestream.chmod(0o755)

    python = litestream.with_name("python")
    done = subprocess.run(
        [sys.executable, "-c", BESIDE, python, "standby", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS,
    )

    line = f"Error: {told.format(litestream=litestream)}"
    assert done.stderr.splitlines()[-1] == line
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
