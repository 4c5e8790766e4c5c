"""The door out: the calls that make the checks on a Healthchecks, by a real curl."""

import os
import subprocess
import sys
from asyncio import to_thread
from collections.abc import Callable
from pathlib import Path

from tests import toml
from tests.app import running_app
from tests.moving.commands import EXPECTED, checks_of, hcl
from tests.patience import ENDS
from tests.server.process import API_KEY, Serve
from tests.web.api.calls import create

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


async def test_one_that_is_refused_keeps_no_other_back(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in here, there:
        await to_thread(folder.mkdir)
    async with running_app(here) as app:
        for name in ("bad", "odd", "good"):
            await create(app, name=name, slug=name, schedule="5 3 * * *")
        async with app.database.transaction() as conn:
            await conn.execute(
                "UPDATE checks SET schedule = iif(name = 'bad', 'never', schedule),"
                " slug = iif(name = 'odd', 'ODD', slug),"
                " desc = iif(name = 'odd', printf('%.20000c', 'x'), '')"
            )
        names = ("export", "--healthchecks", "out.sh", "--project", "Home")
        done = await to_thread(hcl, here, *names)
    assert done.returncode == 0, done.stderr

    def run(root: str, key: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", here / "out.sh"],
            env={**os.environ, "HC_URL": root, "HC_API_KEY": key, "no_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=ENDS,
            check=False,
        )

    with await to_thread(Serve, there) as server:
        runs = [await to_thread(run, server.root, API_KEY) for _ in "ab"]
        made = server.api("GET", "checks/")["checks"]
        wrong = await to_thread(run, server.root, "x" * 32)

    assert [(run.returncode, run.stdout.count(" -> ")) for run in runs] == [(1, 2)] * 2
    assert runs[0].stderr.count("not made: the server refuses it as it is") == 1
    assert [(c["name"], c["slug"], len(c["desc"])) for c in made] == [
        ("odd", "", 10_000),
        ("good", "good", 0),
    ]
    # With a wrong key it ends at once, and not with a line for each check.
    assert wrong.returncode != 0
    assert len(wrong.stderr.splitlines()) == 1


async def test_checks_that_nothing_tells_apart_are_not_made_one(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in here, there:
        await to_thread(folder.mkdir)
    long = "x" * 100
    async with running_app(here) as app:
        # As a page makes them that proposes no name, and as two machines have them.
        given = [("", ""), ("", ""), ("db", "db"), ("db", "db"), (long, ""), (long, "")]
        made = [
            await create(app, name=name, slug=slug, desc=str(n))
            for n, (name, slug) in enumerate(given)
        ]
        names = ("export", "--healthchecks", "out.sh", "--project", "Home")
        done = await to_thread(hcl, here, *names)
    assert done.returncode == 0, done.stderr

    def run(root: str) -> None:
        env = {**os.environ, "HC_URL": root, "HC_API_KEY": API_KEY, "no_proxy": "*"}
        subprocess.run(["sh", here / "out.sh"], env=env, check=True, timeout=ENDS)

    with await to_thread(Serve, there) as server:
        for _ in "ab":
            await to_thread(run, server.root)
        found = server.api("GET", "checks/")["checks"]

    assert [(c["desc"], c["name"]) for c in found] == [
        ("0", ""),
        ("1", made[1]["uuid"]),
        ("2", "db"),
        ("3", "db (2)"),
        ("4", long),
        ("5", long[:90]),
    ]


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
    assert "there is no database" in hcl(empty, "export").stderr


def test_what_is_no_file_is_written_to_and_no_link_is_followed(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = moved("here")
    pipe, victim = folder / "pipe", tmp_path / "victim"
    os.mkfifo(pipe)
    victim.write_text("precious")
    for part in ("out.part", ".out.part"):
        (folder / part).symlink_to(victim)

    with (
        (tmp_path / "said").open("wb") as said,
        subprocess.Popen(["cat", pipe], stdout=said) as reader,
    ):
        try:
            piped = hcl(folder, "export", "pipe")
            reader.wait(ENDS)
        finally:
            reader.kill()
    written = hcl(folder, "export", "out")

    assert (piped.returncode, written.returncode) == (0, 0)
    assert pipe.is_fifo()
    # But for the moment, which stands in the first line.
    lines = (tmp_path / "said").read_text().splitlines()
    assert lines[1:] == (folder / "out").read_text().splitlines()[1:]
    assert victim.read_text() == "precious"


def test_output_is_utf_8_in_any_locale_and_a_full_disk_is_told_in_a_line(
    imported: Path,
) -> None:
    export = [sys.executable, "-m", "hcl", "export"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            export,
            cwd=imported,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=ENDS,
            check=False,
        )
    latin = subprocess.run(
        export,
        cwd=imported,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        timeout=ENDS,
        check=True,
    )

    assert done.returncode == 1
    why = "the output cannot be written: No space left on device"
    assert done.stderr == f"Error: {why}\n"
    assert "Büro — Ops / 日本 ☂" in latin.stdout.decode()
