"""Run the real command beside a server of the test."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.patience import ENDS
from tests.sinks import HttpRecord

KEY = "homehomehomehomehomeho"


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command: its exit status (minus a signal), and what it wrote."""

    status: int
    out: bytes
    err: str


def environment(folder: Path, server: str = "", **more: str) -> dict[str, str]:
    """Return the environment of a machine's user whose home is this folder."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.getcwd(),
        "HOME": str(folder),
        "HCL_SPOOL": str(folder / "spool"),
        "HCL_PING_KEY": KEY,
    }
    return env | ({"HCL_SERVER": server} if server else {}) | more


async def start(
    env: dict[str, str], *arguments: str, stdin: bytes | None = None
) -> asyncio.subprocess.Process:
    """Start `hcl` with arguments."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hcl",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
    )
    if stdin is not None and process.stdin is not None:
        process.stdin.write(stdin)
        process.stdin.close()
    return process


async def ended(process: asyncio.subprocess.Process) -> Ran:
    """Wait for the end of a command."""
    out, err = await asyncio.wait_for(process.communicate(), ENDS)
    return Ran(process.returncode or 0, out, err.decode())


async def hcl(env: dict[str, str], *arguments: str, stdin: bytes | None = None) -> Ran:
    """Run `hcl` with arguments, to its end."""
    return await ended(await start(env, *arguments, stdin=stdin))


def kept(folder: Path) -> list[Path]:
    """Return the signals that are kept, in their order."""
    return sorted((folder / "spool").glob("*.signal"))


async def until_kept(folder: Path, n: int) -> None:
    """Wait until so many signals are kept."""
    async with asyncio.timeout(ENDS):
        while len(kept(folder)) < n:  # noqa: ASYNC110 - another process makes them
            await asyncio.sleep(0.01)


def told(records: list[HttpRecord]) -> list[str]:
    """Return what was told of the check `job`, without its run."""
    return [
        record.target.partition("?")[0].removeprefix(f"/ping/{KEY}/job")
        for record in records
    ]
