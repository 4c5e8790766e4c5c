"""What the docs have people type is run by a test, or it is said why it is not."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import toml
from tests.moving.commands import EXPECTED, SOURCE
from tests.patience import ENDS
from tests.server.process import API_KEY, PING_KEY, Serve, until
from tests.sinks import HttpSink

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"(?ms)^ *```sh[^\n]*\n(.*?)^ *```$")
BLOCKS = {
    name: _BLOCK.findall((ROOT / name).read_text())
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
    )
}

# Of each page which blocks (those with a text in them; "": all) are run by which test;
# or, in parentheses, why not.
RUN: list[tuple[str, str, str]] = [
    ("README.md", "", "test_phone_rings_by_what_the_readme_says"),
    ("CONTRIBUTING.md", "scripts/test ", "(.ci/run runs it, and this test with it)"),
    ("CONTRIBUTING.md", "scripts/screenshots", "(writes files of the repository anew)"),
    ("CONTRIBUTING.md", "tests.sim", "test_nothing_goes_wrong_whatever_happens"),
    ("CONTRIBUTING.md", "python3.13", "(by hand: CI has one Python)"),
    ("CONTRIBUTING.md", ".venv-plain", "(.ci/run runs it)"),
    ("docs/api.md", "curl", "test_calls_of_the_api_page"),
    ("docs/api.md", "LINEAGE", "test_certificate_that_is_renewed_is_taken_at_once"),
    ("docs/backup.md", "", "test_what_is_to_be_typed_works"),
    ("docs/channels.md", "", "test_channels_are_tried"),
    ("docs/checks-as-code.md", "", "test_checks_are_declared_and_written_down"),
    ("docs/configuration.md", "", "test_another_project_is_made_as_written"),
    ("docs/containers.md", "docker exec", "test_commands_within_a_container"),
    (
        "docs/containers.md",
        "docker build",
        "(no machine of the tests has docker: scripts/image builds and runs it;"
        " test_image_runs_as_its_user_with_a_read_only_root runs what is in it)",
    ),
    ("docs/containers.md", "compose", "(no machine of the tests has docker)"),
    ("docs/jobs.md", "", "test_every_shell_block_is_run"),
    ("docs/maintenance.md", "", "test_window_is_opened_and_ended"),
    ("docs/moving.md", "sqlite3 hc.sqlite", "test_copy_of_another_database_moves_in"),
    ("docs/moving.md", "umask", "test_copy_of_another_database_moves_in"),
    ("docs/moving.md", "--dry-run", "test_copy_of_another_database_moves_in"),
    ("docs/moving.md", "HCL_API_KEY", "test_hcl_moves_to_another"),
    ("docs/moving.md", "crontab", "test_jobs_of_a_crontab_ping_hcl"),
    ("docs/moving.md", "all.jsonl", "test_hcl_moves_to_another"),
    ("docs/moving.md", "out.sh", "test_hcl_moves_to_another"),
    ("docs/reports.md", "", "test_reports_are_printed"),
    ("docs/raspberry-pi.md", "", "(changes when this machine boots)"),
    (
        "docs/standby.md",
        "",
        "test_one_machine_follows_another_and_takes_over_as_typed",
    ),
    (
        "docs/systemd.md",
        "",
        "test_units_are_installed_upgraded_and_removed_as_typed",
    ),
    (
        "docs/upgrading.md",
        "",
        "test_copy_that_was_set_aside_leads_back_to_the_version_before",
    ),
]


def rows(page: str, block: str) -> list[str]:
    return [by for name, text, by in RUN if name == page and text in block]


@pytest.mark.parametrize("page", [page for page in BLOCKS if BLOCKS[page]])
def test_every_block_is_run_or_excused(page: str) -> None:
    assert [block for block in BLOCKS[page] if len(rows(page, block)) != 1] == []


@pytest.mark.parametrize("page", BLOCKS)
def test_no_block_hides_what_it_is(page: str) -> None:
    fences = re.findall(r"(?m)^ *```(.*)$", (ROOT / page).read_text())

    # They begin and end in turns; what is typed is of the kind `sh`.
    assert [kind for kind in fences[::2] if not re.match("[a-z]", kind)] == []
    assert [kind for kind in fences[::2] if kind in ("bash", "shell", "console")] == []


def test_every_row_is_of_a_block_and_names_a_test() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for _, _, by in RUN for name in re.findall(r"\btest_\w+", by)}

    assert [row for row in RUN if not any(row[1] in b for b in BLOCKS[row[0]])] == []
    assert {name for name in named if f"def {name}(" not in tests} == set()


def block(page: str, text: str) -> str:
    [found] = [one for one in BLOCKS[page] if text in one]
    return str(found)


def type_(folder: Path, script: str, **env: str) -> str:
    """Run what is typed in a folder, by somebody who has hcl on the path."""
    commands = folder / "bin"
    commands.mkdir(exist_ok=True)
    for name, text in {
        "hcl": f'exec {shlex.quote(sys.executable)} -m hcl "$@"',
        # What is typed is `docker exec hcl COMMAND`: we are in it already.
        "docker": 'shift 2; exec "$@"',
        # No systemd runs here: `systemctl reload` is its signal.
        "systemctl": 'kill -HUP "$HCL_PID"',
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(0o755)
    done = subprocess.run(
        ["sh", "-euc", script],
        cwd=folder,
        env={**os.environ, "PATH": f"{commands}:{os.environ['PATH']}", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def filled(script: str, serve: Serve) -> str:
    for name, value in {
        "http://127.0.0.1:8000": serve.root,
        "<ping_key>": PING_KEY,
        "<key>": API_KEY,
    }.items():
        script = script.replace(name, value)
    return script


def names(serve: Serve) -> set[str]:
    return {check["name"] for check in serve.api("GET", "checks/")["checks"]}


def test_calls_of_the_api_page(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        calls = [one for one in BLOCKS["docs/api.md"] if "curl" in one]
        told = [type_(tmp_path, filled(one, serve)) for one in calls]

        assert "Created" in told[0]
        assert names(serve) == {"nightly-backup", "Nightly backup"}


async def test_channels_are_tried(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        channels = [
            toml.webhook(name, down=toml.post(sink.url), up=toml.post(sink.url))
            for name in ("Mail", "Lamp")
        ]
        Serve(tmp_path, "\n".join(channels))
        [both] = BLOCKS["docs/channels.md"]

        told = await asyncio.to_thread(type_, tmp_path, both)

        assert told.count("delivered in ") == 4
        await sink.wait_for(4)


async def test_commands_within_a_container(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        with Serve(tmp_path, toml.webhook("Phone", down=toml.post(sink.url))):
            commands = block("docs/containers.md", "docker exec")

            typed = commands.replace("/data/", f"{tmp_path}/")
            told = await asyncio.to_thread(type_, tmp_path, typed)

    assert ": well" in told
    assert "delivered in " in told
    assert (tmp_path / "hcl-copy.sqlite").exists()


def test_hcl_moves_to_another(tmp_path: Path) -> None:
    there, here, third = (tmp_path / name for name in ("there", "here", "third"))
    for folder in (there, here, third):
        folder.mkdir()
    leaving, arriving = block("docs/moving.md", "import all.jsonl").splitlines()
    with Serve(there) as old:
        old.api("POST", "checks/", name="Backup", slug="backup")
        Serve(here)

        type_(there, leaving)
        (there / "all.jsonl").rename(here / "all.jsonl")
        type_(here, arriving)
        Serve(third)
        fetch = block("docs/moving.md", "HCL_API_KEY").replace("hcw_…", API_KEY)
        type_(third, fetch.replace("https://healthchecks.example.org", old.root))
        with Serve(tmp_path) as new:
            calls = block("docs/moving.md", "out.sh").replace(
                "HC_API_KEY=…", f"HC_API_KEY={API_KEY}"
            )
            type_(there, calls.replace("https://healthchecks.io", new.root))
            assert names(new) == {"Backup"}

    for folder in (here, third):
        with Serve(folder) as moved:
            assert names(moved) == {"Backup"}


def test_copy_of_another_database_moves_in(tmp_path: Path) -> None:
    shutil.copy(SOURCE, tmp_path / "hc.sqlite")
    steps = [
        block("docs/moving.md", text) for text in ("sqlite3 hc", "umask", "--dry-run")
    ]

    told = type_(tmp_path, "".join(steps), SECRET_KEY=EXPECTED["secret_key"])

    assert "Nothing was changed" in told
    assert not (tmp_path / "hcl.sqlite").exists()


def test_jobs_of_a_crontab_ping_hcl(tmp_path: Path) -> None:
    crontab, command = tmp_path / "kept", tmp_path / "bin/crontab"
    command.parent.mkdir()
    command.write_text(
        f'#!/bin/sh\nif [ "$1" = -l ]; then cat {crontab}; else cat > {crontab}.new;'
        f" mv {crontab}.new {crontab}; fi\n"
    )
    command.chmod(0o755)
    code = "3c1169a0-7b50-41ec-b1a7-3fd2f2b4a6e1"
    crontab.write_text(f"5 3 * * * /bin/a; curl https://hc-ping.com/{code}/$?\n")

    type_(tmp_path, block("docs/moving.md", "crontab"))

    url = f"https://hc.example.org/ping/{code}"
    assert crontab.read_text() == f"5 3 * * * /bin/a; curl {url}/$?\n"


async def test_checks_are_declared_and_written_down(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        serve.api("POST", "checks/", name="Backup", slug="backup", timeout=3600)
        type_(tmp_path, block("docs/checks-as-code.md", "hcl export --toml"))
        with (tmp_path / "hcl.toml").open("a") as file:
            file.write((tmp_path / "checks.toml").read_text())
        planning = block("docs/checks-as-code.md", "hcl plan")
        # That there is something to do is no mistake.
        planning = planning.replace("hcl plan ", "hcl plan || test $? = 2 ")

        told = type_(tmp_path, planning, HCL_PID=str(serve.process.pid))

        assert 'adopt backup of "Home"' in told
        await until(lambda: "origin" in serve.api("GET", "checks/")["checks"][0])
        [check] = serve.api("GET", "checks/")["checks"]
        assert (check["timeout"], check["origin"]) == (3600, "file")


def test_window_is_opened_and_ended(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        [typed] = BLOCKS["docs/maintenance.md"]

        told = type_(tmp_path, typed, HCL_SERVER=serve.root, HCL_API_KEY=API_KEY)

        assert "new disk" in told
        assert serve.api("GET", "maintenance/")["windows"] == []


def test_reports_are_printed(tmp_path: Path) -> None:
    mail = toml.email("Mail")
    report = toml.table("[projects.reports]", channels=["Mail"])
    with Serve(tmp_path, mail + report, tables=toml.smtp(9)):
        [typed] = BLOCKS["docs/reports.md"]

        told = type_(tmp_path, typed)

        assert told.strip()
        assert "<table" in (tmp_path / "mail.html").read_text()


# What docs/configuration.md says of an install or a start that fails, and its test.
STARTS = {
    "Address already in use": "test_an_address_in_use_is_told_in_one_line",
    "cannot be written": "test_volume_of_another_owner_is_one_line_with_the_cure",
    "cannot be read": "test_file_of_somebody_else_is_told_with_the_cure",
    "is there already": "test_init_never_writes_over_a_file",
    "but its database": "test_no_config_is_written_beside_a_database_whose_own_is_gone",
    "no address in a network": "test_without_a_network_the_line_says_what_to_do",
    "did you mean": "test_slip_in_a_variable_is_told",
    "needs Python 3.11": "test_a_server_on_an_old_python_says_what_it_needs",
    "No module named": "test_units_are_installed_upgraded_and_removed_as_typed",
    "Failed building wheel": "test_single_file_serves_and_alerts",
    "behind a proxy": "test_all_of_it_works_behind_a_proxy",
}


def test_each_start_that_fails_is_told_of_and_tested() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    table = page.partition("## When it does not install or start")[2]
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    assert [[line for line in lines if text in line] for text in STARTS] == [
        [line] for line in lines
    ]
    assert [name for name in STARTS.values() if f"def {name}(" not in tests] == []


def test_the_questions_of_a_stranger_are_answered_at_once() -> None:
    first = "\n".join((ROOT / "README.md").read_text().splitlines()[:50])

    asked = "other machines", "my phone", "upgrade", "backup", "uninstall", "Raspberry"
    assert [
        word for word in asked if not re.search(rf"\[[^\]]*{word}[^\]]*\]\(", first)
    ] == []
