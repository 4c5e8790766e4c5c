"""/client/hcl: the client as one file."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from tests.app import App
from tests.client.running import environment
from tests.client.test_old_pythons import PYTHONS


@pytest.mark.parametrize("python", PYTHONS)
async def test_the_file_runs_and_is_what_its_digest_says(
    app: App, tmp_path: Path, python: str
) -> None:
    answer = await app.http.get("/client/hcl")
    digest = (await app.http.get("/client/hcl.sha256")).text

    assert digest == f"{hashlib.sha256(answer.content).hexdigest()}  hcl\n"
    program = tmp_path / "hcl"
    program.write_bytes(answer.content)
    env = environment(tmp_path, "http://127.0.0.1:9")
    del env["PYTHONPATH"]
    process = await asyncio.create_subprocess_exec(
        *(python, str(program), "run", "--patience", "0", "job", "--"),
        *("sh", "-c", "echo hello; exit 3"),
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()

    assert (process.returncode, out) == (3, b"hello\n")
    assert b"it is kept" in err


async def test_the_file_is_the_same_each_time(app: App) -> None:
    first, second = [await app.http.get("/client/hcl") for _ in range(2)]

    assert first.content == second.content
    assert len(first.content) < 100_000
