import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from hcl import __version__
from hcl.cli import COMMANDS, main
from hcl.config import load
from tests import toml
from tests.app import running_app
from tests.store import put_check


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HCL_CONFIG", raising=False)
    # Else each check warns of what others can read.
    before = os.umask(0o077)
    yield tmp_path
    os.umask(before)


def test_init_writes_a_file_that_check_config_likes(folder: Path) -> None:
    written = CliRunner().invoke(main, ["init"])
    checked = CliRunner().invoke(main, ["check-config"])

    path = folder / "hcl.toml"
    assert written.exit_code == 0
    assert "hcl serve --config hcl.toml" in written.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert checked.exit_code == 0
    [project] = load(path).projects
    assert checked.output == (
        f"hcl.toml: ok: 1 project, 0 channels\nHome has the id {project.id}\n"
    )


def test_init_shows_no_secret(folder: Path) -> None:
    result = CliRunner().invoke(main, ["init", "my.toml"])

    [project] = load(folder / "my.toml").projects
    assert project.ping_key not in result.output
    assert "hcw_" not in result.output


def test_init_never_writes_over_a_file(folder: Path) -> None:
    path = folder / "my.toml"
    path.write_text("mine")

    result = CliRunner().invoke(main, ["init", str(path)])

    assert result.exit_code == 1
    cure = "edit it, or name another file"
    problem = f"is there already, and stays as it is; {cure}"
    assert result.stderr == f"Error: {path}: {problem}\n"
    assert path.read_text() == "mine"


def test_check_config_tells_in_one_line_what_is_wrong(folder: Path) -> None:
    (folder / "bad.toml").write_text("[server]\nlisten = 8000\n" + toml.project())

    result = CliRunner().invoke(main, ["check-config", "--config", "bad.toml"])

    assert result.exit_code == 1
    assert result.stdout == ""
    problem = "server.listen: 8000 is not a string; put it in quotes"
    assert result.stderr == f"Error: bad.toml:2: {problem}\n"


def test_check_config_tells_all_mistakes_at_once(folder: Path) -> None:
    (folder / "bad.toml").write_text(
        "[smtp]\nhost = 'a b'\n"
        + toml.project()
        + toml.channel("Chat", "discord", webhook="https://discord.com/s3cret")
        + toml.channel("Mail", "email", to=["a@b.org"])
        + toml.channel("Ops", "email", to=["a"])
    )

    result = CliRunner().invoke(main, ["check-config", "--config", "bad.toml"])

    assert result.exit_code == 1
    first, second, third, count = result.stderr.splitlines()
    assert first.startswith('Error: bad.toml:2: smtp.host: "a b" is not a host; use')
    assert 'channel "Chat" of project "Home", webhook: unknown key; use url' in second
    assert 'channel "Ops" of project "Home", to[0]: "a" is not a mail ad' in third
    assert count == "3 mistakes"
    assert "s3cret" not in result.stderr


def test_check_config_reads_what_another_program_writes(folder: Path) -> None:
    (folder / "hcl.toml").write_text(toml.project("Of a pipe"))
    hcl = f"{sys.executable} -m hcl check-config --config"

    done = subprocess.run(
        ["bash", "-c", f"{hcl} <(cat hcl.toml)"], capture_output=True, text=True
    )

    assert done.returncode == 0
    assert "ok: 1 project, 0 channels\nOf a pipe has the id" in done.stdout


def test_check_config_counts_no_more_mistakes_than_anybody_reads(folder: Path) -> None:
    checks = [
        toml.table("[projects.checks]", slug=f"c{n}", period="1d") for n in range(60)
    ]
    (folder / "hcl.toml").write_text("".join([toml.project(), *checks]))

    result = CliRunner().invoke(main, ["check-config"])

    lines = result.stderr.splitlines()
    assert (len(lines), lines[-1]) == (51, "50 mistakes at least")


def test_check_config_warns_of_what_only_apprise_dislikes(folder: Path) -> None:
    (folder / "hcl.toml").write_text(
        toml.project()
        + toml.channel("Phone", "gotify", url="gotify://gotify.example.org")
    )

    result = CliRunner().invoke(main, ["check-config"])

    assert result.exit_code == 0
    assert result.stdout.startswith("hcl.toml: ok: 1 project, 1 channel\n")
    [line] = result.stderr.splitlines()
    place = 'hcl.toml: warning: channel "Phone" of project "Home", url: '
    assert line.startswith(f"{place}is not a URL that Apprise can load")


def test_check_config_warns_of_what_is_late_without_an_end(folder: Path) -> None:
    request, late = {"url": HOOK}, ["down", "late"]
    (folder / "hcl.toml").write_text(
        toml.project()
        + toml.webhook("A", down=HOOK, late=request, events=late)
        + toml.webhook("B", down=HOOK, late=request, up=HOOK, events=late)
        + toml.webhook("C", slow=request, events=["slow"])
    )

    result = CliRunner().invoke(main, ["check-config"])

    assert result.stderr.splitlines() == [
        'hcl.toml: warning: channel "A" of project "Home" tells that a check is late,'
        " but not when it has pinged after all, since it has no up; add one"
    ]


def test_check_config_warns_of_what_tells_nobody(folder: Path) -> None:
    (folder / "hcl.toml").write_text(
        toml.project()
        + toml.webhook("A", up=HOOK, events=["down"])
        + toml.webhook("B", up=HOOK, events=["down", "up"])
        + toml.webhook("C", up=HOOK, events=["down"], enabled=toml.Raw("false"))
    )

    result = CliRunner().invoke(main, ["check-config"])

    warned = [line for line in result.stderr.splitlines() if "nobody" in line]
    assert result.exit_code == 0
    assert warned == [
        'hcl.toml: warning: channel "A" of project "Home" tells nobody of anything: it'
        " has nothing to send for down, and its events name nothing else"
    ]


def test_check_config_warns_of_a_body_that_is_not_sent(folder: Path) -> None:
    got = {"url": HOOK, "body": "$NAME"}
    (folder / "hcl.toml").write_text(
        toml.project() + toml.webhook("A", down=got, up=toml.post(HOOK), server=HOOK)
    )

    result = CliRunner().invoke(main, ["check-config"])

    assert result.exit_code == 0
    assert [line for line in result.stderr.splitlines() if "body" in line] == [
        'hcl.toml: warning: channel "A" of project "Home", down: its body is not sent,'
        ' since its method is GET; add method = "POST"'
    ]


def test_check_config_warns_of_secrets_that_others_could_come_by(folder: Path) -> None:
    (folder / "key").write_text("k" * 32)
    (folder / "body").write_text("key")
    (folder / "hcl.toml").write_text(
        toml.table("api", metrics_key="m")
        + toml.project()
        + toml.key("me", toml.Raw('{ file = "key" }'))
        + toml.webhook("Hook", down=toml.post(HOOK, toml.Raw('{ file = "body" }')))
    )
    for name, mode in (("key", 0o604), ("body", 0o640), ("hcl.toml", 0o644)):
        (folder / name).chmod(mode)

    result = CliRunner().invoke(main, ["check-config"])

    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        f"hcl.toml: warning: everybody on this machine can read {folder / name},"
        " which holds secrets: chmod o-r it"
        for name in ("hcl.toml", "key")
    ] + ["hcl.toml: warning: api.metrics_key is short: use 16 characters at least"]


@pytest.mark.parametrize("command", [["check-config"], ["init", "other.toml"]])
def test_output_that_cannot_be_written_is_told_in_a_line(
    folder: Path, command: list[str]
) -> None:
    (folder / "hcl.toml").write_text(toml.project())
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "hcl", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    why = "the output cannot be written: No space left on device"
    assert (done.returncode, done.stderr) == (1, f"Error: {why}\n")


@pytest.mark.parametrize("option", [["--config", "no.toml"], []])
def test_check_config_fails_where_a_named_file_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    (folder / "hcl.toml").write_text("not even looked at")
    monkeypatch.setenv("HCL_CONFIG", "no.toml")

    result = CliRunner().invoke(main, ["check-config", *option])

    assert result.exit_code == 1
    problem = "no.toml: cannot be read: No such file or directory"
    assert result.stderr == f"Error: {problem}\n"


def before_of(folder: Path) -> None:
    """Have a database in which two checks are told of by two channels."""

    async def fill() -> None:
        hooks = toml.webhook("A", down=HOOK), toml.webhook("B", down=HOOK)
        async with running_app(folder, "\n".join([toml.project(), *hooks])) as app:
            await put_check(app.database, 1, name="backup")
            await put_check(app.database, 2, name="sync")

    asyncio.run(fill())


HOOK = "http://127.0.0.1:9/"


def test_check_config_says_what_a_reload_would_change(folder: Path) -> None:
    before_of(folder)
    same = CliRunner().invoke(main, ["check-config"])
    (folder / "hcl.toml").write_text(
        "\n".join([toml.project(), toml.webhook("B", down=HOOK)])
    )
    kept = (folder / "hcl.sqlite").read_bytes()

    result = CliRunner().invoke(main, ["check-config"])

    assert (same.exit_code, same.stderr) == (0, "")
    assert len(same.stdout.splitlines()) == 2
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        'hcl.toml: warning: channel "A" of project "Home" is not in the file:'
        " 1 check used it",
        'hcl.toml: warning: 1 check of project "Home" is left without a channel:'
        " backup",
    ]
    assert result.stdout.splitlines()[2:] == [
        "Home: 1 check has no channel that tells when it goes down: backup",
    ]
    assert (folder / "hcl.sqlite").read_bytes() == kept


def test_check_config_is_right_though_the_database_cannot_be_read(
    folder: Path,
) -> None:
    (folder / "hcl.toml").write_text(toml.project())
    (folder / "hcl.sqlite").write_text("no database" * 1000)

    result = CliRunner().invoke(main, ["check-config"])

    assert result.exit_code == 0
    assert result.stderr == (
        "hcl.toml: what would change is not known:"
        f" {folder / 'hcl.sqlite'}: file is not a database\n"
    )


def test_check_config_warns_of_a_database_that_no_start_would_make(
    folder: Path,
) -> None:
    (folder / "data").mkdir()
    text = toml.table("database", path="data/hcl.sqlite") + toml.project()
    (folder / "hcl.toml").write_text(text)

    result = CliRunner().invoke(main, ["check-config"])

    assert result.exit_code == 0
    path = folder / "data/hcl.sqlite"
    begin = f"hcl.toml: warning: hcl would not start: {path}: there is no database"
    assert result.stderr.startswith(begin)
    assert "`hcl serve --new`" in result.stderr


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])

    assert result.exit_code == 0
    for name, (_, text) in COMMANDS.items():
        assert f"  {name} " in result.output
        assert text in result.output


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(main, ["serv"])

    assert result.exit_code == 2
    assert "No such command 'serv'" in result.stderr


def test_the_version_is_told_without_importing_a_server() -> None:
    code = (
        "import sys\n"
        "from hcl.cli import main\n"
        "main(['--version'], standalone_mode=False)\n"
        "print(sorted({'starlette', 'aiosqlite', 'hcl.config'} & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout == f"hcl, version {__version__}\n[]\n"


def test_hcl_runs_as_a_module(folder: Path) -> None:
    hcl = [sys.executable, "-m", "hcl"]

    written = subprocess.run([*hcl, "init"], capture_output=True, text=True)
    again = subprocess.run([*hcl, "init"], capture_output=True, text=True)

    assert (written.returncode, written.stderr) == (0, "")
    assert load(folder / "hcl.toml").projects[0].name == "Home"
    assert again.returncode == 1
    assert "hcl.toml: is there already, and stays as it is; edit" in again.stderr
