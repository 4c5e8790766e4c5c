"""The door out: the calls that make the checks on a Healthchecks, by a real curl."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests import toml
from tests.moving.commands import EXPECTED, checks_of, hcl
from tests.patience import ENDS
from tests.server.process import API_KEY, Serve

PROJECT = EXPECTED["projects"][0]
FIELDS = (
    "name slug desc grace methods start_kw success_kw failure_kw manual_resume"
    " filter_subject filter_body filter_http_body filter_default_fail"
)


def test_script_makes_the_checks_on_another_server(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = moved("here")
    done = hcl(
        folder, "export", "--healthchecks", "out.sh", "--project", PROJECT["name"]
    )
    assert done.returncode == 0, done.stderr
    there = tmp_path / "there"
    there.mkdir()
    # It speaks the same API: what it takes, the peer takes.
    with Serve(there, toml.webhook("Hook", down="http://127.0.0.1:9/")) as server:
        env = {
            **os.environ,
            "HC_URL": server.root,
            "HC_API_KEY": API_KEY,
            "no_proxy": "*",
        }
        runs = [
            subprocess.run(
                ["sh", folder / "out.sh"],
                env=env,
                capture_output=True,
                text=True,
                timeout=ENDS,
                check=False,
            )
            for _ in range(2)
        ]
        made = server.api("GET", "checks/")["checks"]

    wanted = checks_of(PROJECT)
    for run in runs:
        assert run.returncode == 0, run.stderr
        lines = [line.split(" -> ") for line in run.stdout.splitlines()]
        assert [old for old, _ in lines] == [check["uuid"] for check in wanted]
        assert {new for _, new in lines} == {check["ping_url"] for check in made}
    assert len(made) == len(wanted)
    for found, check in zip(made, wanted, strict=True):
        assert {k: found[k] for k in FIELDS.split()} == {
            k: check[k] for k in FIELDS.split()
        }
        assert found["tags"] == check["tags"][:500]
        assert (found["status"] == "paused") == (check["status_column"] == "paused")


def test_what_cannot_be_exported_is_told_in_a_line(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = moved("here")
    (folder / "folder").mkdir()

    for arguments, words in (
        (("--healthchecks",), "choose one with --project; there are"),
        (("x", "--project", "Nope"), 'no project is named "Nope"; there are'),
        (("folder/no/x",), "folder/no/x: cannot be written: No such file"),
        (("folder",), "folder: cannot be written"),
    ):
        done = hcl(folder, "export", *arguments)

        assert done.returncode > 0
        assert words in done.stderr.splitlines()[-1]
    assert [path.name for path in folder.glob("*.part")] == []
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "hcl.toml").write_text(toml.project())
    assert "unable to open database" in hcl(empty, "export").stderr
