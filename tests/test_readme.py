"""README's shell blocks as they stand, in a clean clone, up to the phone's alert."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hcl.cli.own_addresses import own_addresses
from tests.moving.commands import EXPECTED, SOURCE
from tests.outgoing.proxy_sink import ProxySink
from tests.patience import ENDS
from tests.server.process import free_port, until

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"(?ms)^```sh( \w+)?\n(.*?)^```$", (ROOT / "README.md").read_text())

# pip fetches what hcl needs, on a machine that may be slow and busy.
_INSTALLS = 10 * ENDS


def clone(folder: Path) -> None:
    """Copy what git would: tracked files, and those that will be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


class Shell:
    """A shell that is typed into, as people do."""

    def __init__(self, process: Process, port: int) -> None:
        self._process = process
        self._port = port

    async def type(self, block: str, seconds: float = ENDS) -> str:
        """Run a block; return what it printed. All of its commands have to succeed."""
        # Port 8000 of this machine may be somebody's.
        text = block.replace(":8000", f":{self._port}")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{text}\nstatus=$?; echo; echo ==$status\n".encode())
        printed = ""
        async with asyncio.timeout(seconds):
            while not (end := re.search(r"(?m)^==(\d+)$", printed)):
                line = await self._process.stdout.readline()
                assert line, printed
                printed += line.decode()
        assert end[1] == "0", printed
        return printed[: end.start()]


@asynccontextmanager
async def opened(folder: Path, env: dict[str, str]) -> AsyncIterator[Shell]:
    port = free_port()
    address = f"127.0.0.1:{port}"
    own = {"HCL_LISTEN": address, "HCL_SITE_ROOT": f"http://{address}"}
    kept = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    process = await asyncio.create_subprocess_exec(
        "sh", cwd=folder, env=kept | own | env, stdin=PIPE, stdout=PIPE
    )
    shell = Shell(process, port)
    try:
        yield shell
        await shell.type('kill "$server"; wait "$server"')
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


@pytest.mark.waits
async def test_phone_rings_by_what_the_readme_says(tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    folder.mkdir()
    await asyncio.to_thread(clone, folder)
    log = folder / "serve.log"
    [install, serve, lan, first, channel, reload, fail, move] = BLOCKS
    assert [serve[0], lan[0]] == [" serve", " other"]

    async with ProxySink(tmp_path) as phone, opened(folder, {}) as shell:
        await shell.type(install[1], _INSTALLS)
        for name, value in phone.environment.items():
            await shell.type(f"export {name}='{value}'")
        await shell.type(f"{serve[1].strip()} >serve.log 2>&1 & server=$!")
        await until(lambda: log.exists() and "sign-in/" in log.read_text())
        if own_addresses():
            await shell.type(lan[1])
        assert "Created" in await shell.type(first[1])
        topic = (await shell.type(channel[1])).splitlines()[0]
        await phone.wait_for(1, timeout=ENDS)
        await shell.type(reload[1])
        await until(lambda: "reloaded" in log.read_text())
        assert "OK" in await shell.type(fail[1])
        test, alert = await phone.wait_for(2, timeout=ENDS)
        shutil.copy(SOURCE, folder / "hc.sqlite")
        (folder / "secret-key").write_text(EXPECTED["secret_key"])
        assert "Nothing was changed" in await shell.type(move[1])

    told = [json.loads(message.text) for message in (test, alert)]
    assert [message["topic"] for message in told] == [topic, topic]
    assert told[1]["title"] == "DOWN: nightly-backup"
