"""What runs beside the jobs runs on Python 3.9, and starts quickly."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

import hcl.client
from tests.client.running import environment

FOLDER = Path(hcl.client.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))

# Where several versions are installed side by side.
_PYENV = sorted(Path("~/.pyenv/versions").expanduser().glob("3.9.*/bin/python"))
PYTHONS = [*map(str, _PYENV)] or [shutil.which("python3.9") or sys.executable]

# All that a job's start may import beside what each Python has: in all some 10 ms on a
# machine that is quiet. argparse, subprocess, typing, re and contextlib are 25 more.
LIGHT = {"__future__", "enum", "errno", "select", "signal"}
# What these import of their own, by the version.
BELOW = {"collections", "functools", "itertools", "keyword", "operator", "reprlib"}
BELOW |= {"types", "builtins", "_collections", "_functools", "_operator"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_syntax_is_newer_than_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))

    imports_annotations = any(
        isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for node in tree.body
    )
    assert imports_annotations or path.name == "__init__.py"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--patience", "0", "job", "--", "sh", "-c", "echo hi; exit 3"],
        ["ping", "--patience", "0", "job", "fail"],
        ["checks", "--help"],
        ["sync", "--help"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_runs_there(
    tmp_path: Path, python: str, arguments: list[str]
) -> None:
    done = subprocess.run(
        [python, "-m", "hcl.client", *arguments],
        env=environment(tmp_path, "http://127.0.0.1:9"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Traceback" not in done.stderr
    assert done.returncode == {"run": 3, "ping": 1}.get(arguments[0], 0)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("program", [["-m", "hcl"], ["packaging/pyz_main.py"]])
def test_a_server_on_an_old_python_says_what_it_needs(
    tmp_path: Path, python: str, program: list[str]
) -> None:
    if python == sys.executable:
        pytest.skip("there is no Python 3.9")

    done = subprocess.run(
        [python, *program, "serve"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "needs Python 3.11 or newer, and this is 3.9." in done.stderr


def imported(tmp_path: Path, *arguments: str) -> set[str]:
    """Return what Python imported for these arguments, before a job began to run."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if "import time:" in line]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize("more", [[], ["--timeout", "9s"]], ids=["plain", "limited"])
def test_a_job_starts_without_anything_heavy(tmp_path: Path, more: list[str]) -> None:
    # Without a server: what sends is imported while the job runs.
    own = imported(tmp_path, "-c", "import runpy")
    job = ["job", "--", "true"]
    modules = imported(tmp_path, "-m", "hcl", "run", "--quiet", *more, *job)

    others = {name for name in modules - own - BELOW if not name.startswith("hcl")}
    of_limits = {name for name in others if "ctypes" in name or "struct" in name}
    assert others - of_limits <= LIGHT
    assert bool(of_limits) == bool(more)
    assert {name for name in modules if name.startswith("hcl.")} == {
        "hcl.client",
        "hcl.client.command",
        "hcl.client.lengths",
        "hcl.client.options",
        "hcl.client.output",
        "hcl.client.running",
        "hcl.client.spawning",
        "hcl.client.settings",
        "hcl.client.stderr",
        "hcl.client.tree",
    }


def test_a_job_starts_soon(tmp_path: Path) -> None:
    def seconds(*command: str) -> float:
        code = (
            "import subprocess, sys, time; t = time.perf_counter();"
            " subprocess.run(sys.argv[1:], check=True);"
            " print(time.perf_counter() - t)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, sys.executable, *command],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout)

    plain, wrapped = [], []
    for _ in range(5):
        plain.append(seconds("-c", "pass"))
        wrapped.append(seconds("-m", "hcl", "run", "--quiet", "job", "--", "true"))

    # 14 ms apart on a machine that is quiet: measured by how busy this one is.
    assert median(wrapped) < 10 * median(plain) + 0.5
