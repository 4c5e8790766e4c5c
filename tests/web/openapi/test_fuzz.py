"""The OpenAPI document against a real server: what it promises is what is answered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hcl.config import load
from tests.server.process import API_KEY, PING_KEY, Serve

ROOT = Path(__file__).parent.parent.parent.parent
METRICS_KEY = "m" * 20

READ_KEY = "hcr_" + "r" * 28

PROJECT = f"""
[[projects.keys]]
name = "scraper"
key = "{READ_KEY}"
access = "read-only"

[[projects.channels]]
name = "Hook"
kind = "webhook"
down = {{ url = "http://127.0.0.1:9/" }}
"""

FUZZER = f"""
hooks = "tests.web.openapi.hooks"
warnings = false
continue-on-failure = true

[headers]
X-Api-Key = "{API_KEY}"
X-Metrics-Key = "{METRICS_KEY}"
Authorization = "Bearer {READ_KEY}"

[parameters]
ping_key = "{PING_KEY}"
key = "{READ_KEY}"
project = "PROJECT"

[generation]
max-examples = 10
deterministic = true
database = "none"

# As in Healthchecks, a token of a wrong length is a bad request.
[[operations]]
include-path-regex = "^/projects/"
checks.ignored_auth.enabled = false

# A ping is never lost over its verb.
[[operations]]
include-path-regex = "^/ping/"
checks.unsupported_method.enabled = false
"""


@pytest.mark.waits
def test_answers_are_those_of_the_document(tmp_path: Path) -> None:
    tables = f'[api]\nmetrics_key = "{METRICS_KEY}"'
    with Serve(tmp_path, PROJECT, tables=tables) as hcl:
        [project] = load(tmp_path / "hcl.toml").projects
        settings = FUZZER.replace("PROJECT", project.id)
        (tmp_path / "schemathesis.toml").write_text(settings)
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli"),
                *("run", "--no-color", f"{hcl.root}/api/v3/openapi.json"),
            ],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=600,
        )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "No issues found" in run.stdout
    assert "ERROR" not in hcl.log
