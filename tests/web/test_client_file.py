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


@pytest.mark.parametrize("python", PYTHONS)
async def test_what_a_job_sets_for_its_own_python_is_for_that_alone(
    app: App, tmp_path: Path, python: str
) -> None:
    # As a crontab has it for a program whose Python is another one.
    (tmp_path / "enum.py").write_text("print 'of Python 2'\n")
    (tmp_path / "python3").symlink_to(python)
    program = tmp_path / "hcl"
    program.write_bytes((await app.http.get("/client/hcl")).content)
    program.chmod(0o755)
    env = environment(tmp_path, "http://127.0.0.1:9")
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    own = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/opt/2.7", "PYTHONINSPECT": "1"}
    process = await asyncio.create_subprocess_exec(
        *(str(program), "run", "--quiet", "--patience", "0", "job", "--"),
        *("sh", "-c", 'echo "$PYTHONPATH $PYTHONHOME $PYTHONINSPECT"; exit 3'),
        env=env | own,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()

    assert (process.returncode, err) == (3, b"")
    assert out.decode().split() == list(own.values())


async def test_the_file_is_the_same_each_time(app: App) -> None:
    first, second = [await app.http.get("/client/hcl") for _ in range(2)]

    assert first.content == second.content
    assert len(first.content) < 100_000
