"""What docs/backup.md says to type is typed, beside a real server."""

import asyncio
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from hcl.config import parse
from tests import toml
from tests.server.process import Serve, curl
from tests.sinks import HttpSink

TEXT = (Path(__file__).parent.parent.parent / "docs" / "backup.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"(?ms)^ *```{kind}\n(.*?)^ *```$", TEXT)


def run(folder: Path, commands: str) -> str:
    """Run a block as somebody would who has hcl on the path."""
    command = folder / "bin" / "hcl"
    if not command.exists():
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hcl "$@"\n')
        command.chmod(0o755)
    env = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-euc", commands],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


async def test_what_is_to_be_typed_works(tmp_path: Path) -> None:
    backup, restore, health, alert = blocks("sh")
    async with HttpSink() as sink:
        own = toml.webhook("Own", server=toml.post(sink.url))
        with Serve(tmp_path, own) as serve:
            check = serve.api("POST", "checks/", name="Backup")
            curl(check["ping_url"])

            told = run(tmp_path, backup)

            assert "1 check, 1 ping, the newest of " in told
            assert ": well, but nobody is told" in run(tmp_path, health)
            serve.api("DELETE", f"checks/{check['uuid']}")
            serve.stop()
            assert "restored from copy.sqlite" in run(tmp_path, restore)
            serve.start()
            [found] = serve.api("GET", "checks/")["checks"]
            assert found["uuid"] == check["uuid"]
            curl("--fail", f"{serve.root}/api/v3/status/")
            serve.stop()
        # It needs answers from this loop.
        told = await asyncio.to_thread(run, tmp_path, alert)
        assert "Own (webhook)\n  delivered in " in told
        assert sink.records[-1].text == "All is well: a test message of hcl is server"


def test_toml_is_right(tmp_path: Path) -> None:
    data = tomllib.loads("".join([*blocks("toml"), toml.project()]))

    config = parse(data, tmp_path, "hcl.toml", {})

    assert len(config.backup.folders) == 2
    assert config.watchdog.url
    assert config.alerts.test_every == "week"
