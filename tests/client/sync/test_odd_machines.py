"""`hcl sync` on machines that are odd: no job is changed so that it runs no more."""

import asyncio
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hcl.client.settings import SettingsError
from hcl.client.sync import command
from hcl.client.sync.jobs import Job
from hcl.client.sync.machine import Change, undo, write
from tests import toml
from tests.client.running import Ran, ended, hcl
from tests.client.sync.test_sync import CRONTAB, SERVICE, Machine, checks
from tests.server.process import Serve

READING = "hcr_" + "r" * 28


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Run one server for all tests of this file."""
    declared = toml.table(
        "[projects.checks]",
        name="declared",
        slug="file-backup",
        schedule="1 1 * * *",
        tz="UTC",
    )
    tables = declared + toml.key("reader", READING, access="read-only")
    with Serve(tmp_path_factory.mktemp("server"), tables) as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, serve: Serve) -> Machine:
    return Machine(tmp_path, serve)


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


async def as_anybody(machine: Machine, *arguments: str) -> Ran:
    """Sync as one who may write only what its mode says: root too is that there."""
    lesser = "-dac_override,-dac_read_search,-fowner"
    drop = ["setpriv", "--bounding-set", lesser, "--inh-caps", lesser]
    process = await asyncio.create_subprocess_exec(
        *(drop if os.geteuid() == 0 else ()),
        *(sys.executable, "-m", "hcl", "sync", *arguments),
        env=machine.env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return await ended(process)


async def test_crontabs_are_kept_to_the_byte(machine: Machine) -> None:
    odd = b"# caf\xe9\r\n0 1 * * * /bin/caf\xe9 \x0c\r\n0 2 * * * /bin/b\r\n# end"
    machine.crontab.write_bytes(odd)
    system = machine.root / "etc/crontab"
    system.write_bytes(odd.replace(b"* /bin", b"* root /bin"))
    system.chmod(0o600)
    link = machine.root / "etc/cron.d/link"
    link.symlink_to(system.rename(machine.root / "behind"))

    ran = await machine.sync("--apply")

    assert (ran.status, ran.err) == (0, "")
    assert machine.crontab.read_bytes().startswith(b"# caf\xe9\r\n0 1 * * * ")
    assert b" run nas-caf -- /bin/caf\xe9\n0 2" in machine.crontab.read_bytes()
    assert machine.crontab.read_bytes().endswith(b"\n# end")
    assert b" run nas-b-2 -- /bin/b" in link.read_bytes()
    assert link.is_symlink()
    assert stat.S_IMODE(link.stat().st_mode) == 0o600
    assert (await machine.sync("--undo")).status == 0
    assert machine.crontab.read_bytes() == odd
    assert link.read_bytes() == odd.replace(b"* /bin", b"* root /bin")


async def test_two_timers_of_one_service_have_one_check(
    machine: Machine, serve: Serve
) -> None:
    units = machine.hcl.parent.parent / "units"
    text = (units / "logs.timer").read_text()
    (units / "logs-more.timer").write_text(text.replace("Id=logs", "Id=logs-more"))
    # By an alias; and one that has no schedule.
    (units / "logs-too.timer").write_text(text)
    once = (units / "once.timer").read_text().replace("once.service", "logs.service")
    (units / "a.timer").write_text(once.replace("Id=once", "Id=a"))
    before = machine.files()

    ran = await machine.sync("--apply", "--host", "two")
    again = await machine.sync("--host", "two")

    assert re.search(
        r"logs\.timer +starts logs\.service, as logs-more\.timer", ran.out.decode()
    )
    assert {slug for slug in checks(serve) if slug.startswith("two-logs")} == {
        "two-logs-more"
    }
    assert "0 to create (+), 0 to change (~)" in again.out.decode()
    assert (await machine.sync("--undo")).status == 0
    assert machine.files() == before


@pytest.mark.parametrize(
    ("timer", "service", "why"),
    [
        ("transient", "", "was not installed, and is gone when the machine starts"),
        ("enabled", "RemainAfterExit=yes\n", "stays active when it has ended"),
    ],
)
async def test_a_service_whose_end_is_not_heard_has_no_check(
    machine: Machine, timer: str, service: str, why: str
) -> None:
    units = machine.hcl.parent.parent / "units"
    text = (units / "logs.timer").read_text().replace("enabled", timer)
    # As podman calls the health checks of a container.
    (units / "odd.timer").write_text(text.replace("logs", "odd"))
    (units / "odd.service").write_text(SERVICE + service)

    ran = await machine.sync("--apply")

    assert re.search(rf"odd\.timer +{why}", ran.out.decode())
    assert not any("odd.service" in path for path in machine.files())


@pytest.mark.parametrize(
    ("path", "is_made_of_a_line"),
    [
        ("/etc/crontab", True),
        ("/etc/cron.d/odd", True),
        ("/var/spool/cron/crontabs/root", True),
        # Of which nothing is read where there is no anacron.
        ("/etc/anacrontab", False),
        ("/etc/odd.conf", False),
    ],
)
async def test_a_timer_that_is_made_of_a_crontab_is_no_job_of_its_own(
    machine: Machine, path: str, is_made_of_a_line: bool
) -> None:
    # As systemd-cron does, by numbers: another line more, and it starts another job.
    units = machine.hcl.parent.parent / "units"
    text = (units / "logs.timer").read_text().replace("logs", "cron-root-0")
    made = text.replace("=enabled", f"=generated\nSourcePath={path}")
    (units / "cron-root-0.timer").write_text(made)
    (units / "cron-root-0.service").write_text(SERVICE)

    ran = await machine.sync("--apply", "--host", "lines")

    why = f"is made of {path}, whose lines stand for it"
    assert (why in ran.out.decode()) == is_made_of_a_line
    is_changed = any("cron-root-0" in path for path in machine.files())
    assert is_changed != is_made_of_a_line


@pytest.mark.parametrize(
    ("state", "wanted_by", "shown"),
    [
        # As mdadm's, where there is no RAID.
        (
            "enabled",
            "mdmonitor.service",
            "runs only with mdmonitor.service, which does",
        ),
        ("enabled", "timers.target", "/bin/logs --all"),
        ("enabled", "mdmonitor.service timers.target", "/bin/logs --all"),
        ("enabled-runtime", "", "/bin/logs --all"),
        ("static", "", ""),
        ("indirect", "", ""),
    ],
)
async def test_a_timer_that_nothing_starts_has_no_check(
    machine: Machine, state: str, wanted_by: str, shown: str
) -> None:
    units = machine.hcl.parent.parent / "units"
    text = (units / "logs.timer").read_text().replace("=active", "=inactive")
    text = text.replace("=enabled", f"={state}\nWantedBy={wanted_by}")
    (units / "odd.timer").write_text(text.replace("logs", "odd"))
    (units / "odd.service").write_text(SERVICE)

    ran = await machine.sync()

    rows = [line for line in ran.out.decode().splitlines() if " odd.timer " in line]
    assert [row.partition(" odd.timer ")[2].strip()[: len(shown)] for row in rows] == (
        [shown] if shown else []
    )


@pytest.mark.parametrize(
    ("name", "cron", "is_debian", "is_read"),
    [
        ("jobs~", "CRON_TZ", False, False),
        ("#jobs#", "CRON_TZ", False, False),
        (".jobs.swp", "CRON_TZ", False, False),
        ("jobs.rpmsave", "CRON_TZ", False, False),
        ("jobs~", "", True, False),
        ("#jobs#", "", True, False),
        # cronie, as on Fedora, reads what Debian's cron does not.
        ("jobs.cron", "CRON_TZ", False, True),
        ("jobs+1", "CRON_TZ", False, True),
        ("jobs.cron", "CRON_TZ", True, False),
        ("jobs.cron", "MAILTO", True, False),
        ("jobs+1", "MAILTO", True, False),
        ("Jobs_1-a", "MAILTO", True, True),
    ],
)
async def test_a_crontab_is_what_the_cron_here_reads(
    machine: Machine, name: str, cron: str, is_debian: bool, is_read: bool
) -> None:
    (machine.root / "etc/cron.d" / name).write_text("0 1 * * * root /bin/found\n")
    (machine.root / "usr/sbin").mkdir(parents=True)
    (machine.root / "usr/sbin/crond").write_text(cron)
    if is_debian:
        (machine.root / "etc/debian_version").write_text("13.0\n")

    assert (b"/bin/found" in (await machine.sync()).out) == is_read


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        # As cronie reads it: the rest is standard input.
        ("CRON_TZ", " run percent-dump -- sh -c 'dump > $(date +'%F) # of the night"),
        # As Alpine's does: up to the comment, also if that were between quotes.
        (
            "BusyBox v1",
            " run percent-dump -- sh -c 'dump > $(date +%F)' # of the night",
        ),
        # As Slackware's.
        (
            "dillon's cron daemon",
            " run percent-dump -- sh -c 'dump > $(date +%F) # of the night'",
        ),
    ],
)
async def test_a_command_ends_where_the_cron_here_says(
    machine: Machine, cron: str, expected: str
) -> None:
    (machine.root / "usr/sbin").mkdir(parents=True)
    (machine.root / "usr/sbin/crond").write_text(cron)
    machine.crontab.write_text("0 3 * * * dump > $(date +%F) # of the night\n")

    ran = await machine.sync("--apply", "--host", "percent")

    assert ran.status == 0
    assert machine.crontab.read_text().endswith(f"{expected}\n")


# A file in /etc/cron.d, its mode, and what is said of its lines: job or reason.
PASSED_OVER = "cron passes this file over: "
UNREAD = [
    (
        "0 1 * * * root /bin/a\n0 2 * * * root /bin/b",
        0o644,
        [f"{PASSED_OVER}its last line does not end with a newline"] * 2,
    ),
    (
        "0 1 * * * /bin/a --all\n0 2 * * * root /bin/b\n",
        0o644,
        [
            "there is no user /bin/a, as whom it would run",
            f"{PASSED_OVER}line 1 is wrong",
        ],
    ),
    (
        "# Of mine\n0 1 * * * root /bin/a\n0 2 * * * /bin/b\n",
        0o644,
        [f"{PASSED_OVER}line 3 is wrong", "is no line of a crontab"],
    ),
    (
        "0 1 * * * root hcl run nas-a -- /bin/a\n61 2 * * * root /bin/b\n",
        0o644,
        [f"{PASSED_OVER}line 2 is wrong", "'61' is not within 0 and 59"],
    ),
    (
        "0 1 * * * root /bin/a\n",
        0o664,
        [f"{PASSED_OVER}others than its owner may write to it (chmod 644)"],
    ),
    ("0 1 * * * root /bin/a &\n0 2 * * * root /bin/b\n", 0o600, ["goes on", "/bin/b"]),
]


@pytest.mark.parametrize(("text", "mode", "said"), UNREAD)
async def test_a_file_of_which_debians_cron_runs_nothing_is_said(
    machine: Machine, text: str, mode: int, said: list[str]
) -> None:
    file = machine.root / "etc/cron.d/jobs"
    file.write_text(text)
    file.chmod(mode)
    (machine.root / "usr/sbin").mkdir(parents=True)
    (machine.root / "usr/sbin/cron").write_text("this crontab file will be ignored")

    lines = (await machine.sync()).out.decode().splitlines()

    rows = [line.partition(f" {file}:")[2] for line in lines if f" {file}:" in line]
    assert len(rows) == len(said)
    for row, why in zip(rows, said, strict=True):
        assert row.split(None, 1)[1].startswith(why)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
async def test_a_file_that_is_not_roots_is_said(machine: Machine) -> None:
    file = machine.root / "etc/cron.d/jobs"
    file.write_text("0 1 * * * root /bin/a\n")
    os.chown(file, 65534, -1)
    (machine.root / "usr/sbin").mkdir(parents=True)
    (machine.root / "usr/sbin/cron").write_text("this crontab file will be ignored")

    ran = await machine.sync("--apply")

    assert f"{PASSED_OVER}it does not belong to root" in ran.out.decode()
    assert file.read_text() == "0 1 * * * root /bin/a\n"


async def test_what_anacron_runs_tells_and_not_what_asks_for_it(
    machine: Machine, serve: Serve
) -> None:
    # Debian's: with anacron, cron would tell a success each day, whatever became of it.
    line = "25 6 * * * root test -x /usr/sbin/anacron || run-parts /etc/cron.daily\n"
    (machine.root / "etc/crontab").write_text(line)
    anacrontab = machine.root / "etc/anacrontab"
    anacrontab.write_text("# Jobs\n1\t5\tcron.daily\trun-parts /etc/cron.daily\n")

    without = await machine.sync()
    (machine.root / "usr/sbin").mkdir(parents=True)
    write_program(machine.root / "usr/sbin/anacron", "#!/bin/sh\n")
    ran = await machine.sync("--apply", "--host", "desk")

    assert re.search(r"\+  nas-cron-daily +25 6 \* \* \*", without.out.decode())
    assert "anacrontab" not in without.out.decode()
    assert "anacron runs it, by /etc/anacrontab" in ran.out.decode()
    assert (machine.root / "etc/crontab").read_text() == line
    assert anacrontab.read_text() == (
        f"# Jobs\n1\t5\tcron.daily\t{machine.hcl} run desk-cron-daily --"
        " run-parts /etc/cron.daily\n"
    )
    made = checks(serve)["desk-cron-daily"]
    assert (made["timeout"], made["grace"]) == (86400, 90300)
    again = (await machine.sync("--host", "desk")).out.decode()
    assert "0 to create (+), 0 to change (~)" in again


async def test_what_may_not_be_changed_is_left_alone(
    machine: Machine, serve: Serve
) -> None:
    # As on a disk that is only read: whoever runs this, root too.
    (machine.root / "etc/crontab").chmod(0o444)
    (machine.root / "etc/systemd").mkdir()
    (machine.root / "etc").chmod(0o555)

    ran = await as_anybody(machine, "--apply", "--host", "locked")

    assert (ran.status, ran.err) == (0, "")
    assert "you may not change this file: run hcl sync as root" in ran.out.decode()
    assert "locked-cron-hourly" not in checks(serve)
    assert "run locked-backup" in machine.crontab.read_text()


async def test_a_job_of_another_user_calls_only_what_that_user_may_run(
    machine: Machine,
) -> None:
    system = machine.root / "etc/crontab"
    system.write_text("0 1 * * * www-data /bin/a\n0 2 * * * root /bin/b\n")

    ran = await machine.sync("--apply")

    assert f"its user www-data may not run {machine.hcl}" in ran.out.decode()
    one, two = system.read_text().splitlines()
    assert one == "0 1 * * * www-data /bin/a"
    assert two == f"0 2 * * * root {machine.hcl} run nas-b -- /bin/b"


@pytest.fixture
def public() -> Iterator[Path]:
    """Make a folder that every user may enter, as those of other fixtures are not."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may try as another user")
async def test_a_job_of_another_user_is_left_alone_if_hcl_does_not_start_for_that_one(
    public: Path, serve: Serve
) -> None:
    # As in a venv that all may read, of a Python that uv or pyenv keeps below /root.
    machine, kept = Machine(public, serve), public / "kept"
    kept.mkdir(mode=0o700)
    (kept / "python").symlink_to("/bin/sh")
    machine.hcl.write_text(f"#!{kept}/python\nexit 0\n")
    line = "0 1 * * * nobody /bin/a\n"
    crontab = machine.root / "etc/crontab"
    crontab.write_text(line)

    without = await machine.sync("--apply")
    after = crontab.read_text()
    kept.chmod(0o755)
    await machine.sync("--apply")

    assert f"its user nobody may not run {machine.hcl}" in without.out.decode()
    assert after == line
    assert f"nobody {machine.hcl} run" in crontab.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may try as another user")
def test_settings_that_a_jobs_user_may_not_read_are_said(
    public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = public / "client.conf"
    path = str(settings)
    job = Job("/etc/crontab", "/bin/a", user="nobody")
    told = [
        job._replace(user="root"),
        job._replace(skipped="x"),
        job._replace(watched="x"),
        job._replace(unit="a.service"),
    ]

    command.tell_what_is_unread([job], path)
    settings.touch(mode=0o600)
    command.tell_what_is_unread(told, path)
    nothing = capsys.readouterr().err
    command.tell_what_is_unread([job, *told], path)
    unread = capsys.readouterr().err
    settings.chmod(0o644)
    command.tell_what_is_unread([job], path)

    assert nothing == capsys.readouterr().err == ""
    assert unread == (
        "hcl sync: jobs of nobody could tell nothing, since they may not read"
        f" {path}: chmod 644 {path}\n"
    )


async def test_the_single_file_is_called_only_where_it_can_unpack_itself(
    machine: Machine,
) -> None:
    # The home of nobody is not there, or another's.
    machine.env["HCL_PYZ"] = str(machine.hcl)
    system = machine.root / "etc/crontab"
    system.write_text("0 1 * * * nobody /bin/a\n0 2 * * * root /bin/b\n")

    ran = await machine.sync("--apply")

    assert "its user nobody has no folder for what hcl.pyz unpacks" in ran.out.decode()
    one, two = system.read_text().splitlines()
    assert one == "0 1 * * * nobody /bin/a"
    assert two == f"0 2 * * * root {machine.hcl} run nas-b -- /bin/b"


async def test_a_file_that_is_no_program_is_called_by_an_interpreter(
    machine: Machine,
) -> None:
    machine.hcl.unlink()
    machine.env["PATH"] = f"{machine.hcl.parent}:/usr/bin:/bin"

    ran = await machine.sync("--template")

    assert f"ExecStart={sys.executable} -m hcl.client run" in ran.out.decode()


@pytest.mark.parametrize(
    ("script", "is_found"),
    [
        ("#!/bin/sh", True),
        ("#!/usr/bin/env sh", True),
        ("#!/usr/bin/env py-x", False),
        # The client by a Python that is too old, say: to another one it is a text.
        ("#!/bin/sh\n'exec' 'false'", False),
    ],
)
def test_what_cron_cannot_start_is_called_by_an_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, is_found: bool
) -> None:
    program = tmp_path / "hcl"
    write_program(program, f"{script}\n")
    (tmp_path / "py-x").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    called = command.called()

    assert called == (str(program) if is_found else f"{sys.executable} {program}")


async def test_a_job_whose_path_finds_nothing_for_hcl_is_left_alone(
    machine: Machine,
) -> None:
    # As the client looks for its Python. cron puts nothing in the place of $PATH.
    machine.hcl.write_text("#!/usr/bin/env sh\nexit 0\n")
    before = (
        "1 1 * * * /bin/first\n"
        "PATH=$PATH:/opt/bin\n2 1 * * * /bin/lost; /bin/all\n"
        "PATH=/opt/bin:/usr/bin:/bin\n3 1 * * * /bin/found\n"
    )
    machine.crontab.write_text(before)
    (machine.root / "etc/cron.d/jobs").write_text("PATH=/x\n4 1 * * * root /bin/gone\n")

    ran = await machine.sync("--apply")

    said = ran.out.decode()
    assert "by its PATH, $PATH:/opt/bin, hcl does not start" in said
    assert "by its PATH, /x, hcl does not start" in said
    lines = machine.crontab.read_text().splitlines()
    assert ["hcl run" in line for line in lines] == [True, False, False, False, True]
    assert "hcl run" not in (machine.root / "etc/cron.d/jobs").read_text()


@pytest.mark.parametrize("name", ["hcl", "__main__.py"])
def test_what_cron_cannot_start_in_any_way_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # Another program of that name; and what is found by PYTHONPATH alone.
    other = tmp_path / name
    write_program(other, "#!/bin/sh\nexit 2\n")
    python = sys._base_executable  # type: ignore[attr-defined]
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", [str(other)])
    monkeypatch.setattr(sys, "executable", python)

    with pytest.raises(SettingsError, match=r"jobs cannot call .*: put the client"):
        command.called()


def test_jobs_call_the_single_file_and_not_what_it_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    single = tmp_path / "hcl.pyz"
    write_program(single, "#!/bin/sh\n")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("HCL_PYZ", str(single))
    monkeypatch.setattr(sys, "argv", ["/x/site/hcl/__main__.py"])

    assert command.called() == str(single)


@pytest.mark.parametrize("folder", ["My Share", "100%", "it's", "a$b"])
def test_a_path_that_no_crontab_takes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    program = tmp_path / folder / "hcl"
    program.parent.mkdir()
    write_program(program, "#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    with pytest.raises(SettingsError, match=r"jobs cannot call .*hcl: put the client"):
        command.called()


def test_a_name_that_no_later_run_would_know_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "tell"
    write_program(other, "#!/bin/sh\n")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", [str(other)])

    with pytest.raises(SettingsError, match=f"jobs cannot call {other}: put the"):
        command.called()


async def test_jobs_that_do_not_know_the_server_are_told_of(machine: Machine) -> None:
    machine.settings.write_text("")
    said = "hcl sync: jobs will not know where to tell: put HCL_SERVER=… and "

    ran = await machine.sync()
    machine.crontab.write_text(f"HCL_SERVER=x\nHCL_PING_KEY=y\n{CRONTAB}")
    set_there = await machine.sync()

    assert ran.err == f"{said}HCL_PING_KEY=… into {machine.settings}\n"
    assert set_there.err == ""


@pytest.mark.parametrize(
    ("setting", "is_told"),
    [("HOME=/", True), ("XDG_CONFIG_HOME=/srv", True), ("HOME={}", False)],
)
async def test_jobs_with_a_home_of_their_own_do_not_read_ours(
    machine: Machine, setting: str, is_told: bool
) -> None:
    home = machine.settings.parents[2]
    machine.crontab.write_text(f"{setting.format(home)}\n{CRONTAB}")

    ran = await machine.sync()

    said = "HCL_SERVER=… and HCL_PING_KEY=… into /etc/hcl/client.conf"
    assert (said in ran.err) == is_told


async def test_a_cron_that_takes_no_variables_takes_no_settings(
    machine: Machine,
) -> None:
    (machine.root / "usr/sbin").mkdir(parents=True)
    (machine.root / "usr/sbin/crond").write_text("BusyBox v1")
    machine.settings.write_text("")
    machine.crontab.write_text(f"HCL_SERVER=x\nHCL_PING_KEY=y\n{CRONTAB}")

    ran = await machine.sync()

    assert "jobs will not know where to tell" in ran.err


async def test_a_service_of_another_user_does_not_read_our_settings(
    machine: Machine,
) -> None:
    service = machine.hcl.parent.parent / "units/logs.service"
    service.write_text(f"{SERVICE}User=www-data\n")

    ran = await machine.sync()

    assert ran.err == (
        "hcl sync: jobs will not know where to tell: put HCL_SERVER=… and"
        " HCL_PING_KEY=… into /etc/hcl/client.conf\n"
    )


async def test_a_check_that_another_job_tells_by_its_uuid_is_not_taken(
    machine: Machine, serve: Serve
) -> None:
    await machine.sync("--create", "--host", "other")
    uuid = checks(serve)["other-backup"]["uuid"]
    other = f"1 1 * * * /bin/other; curl {serve.root}/ping/{uuid}\n"
    machine.crontab.write_text(other + CRONTAB)

    ran = await machine.sync("--host", "other")

    assert "other-backup-2 " in ran.out.decode()


async def test_another_machine_of_the_same_name_is_thought_of(
    machine: Machine,
) -> None:
    await machine.sync("--apply", "--host", "pi")
    again = await machine.sync("--host", "pi")
    await hcl(machine.env, "run", "pi-backup", "--", "true")
    # As it is on the other one.
    machine.crontab.write_text(CRONTAB)

    other = await machine.sync("--host", "pi")

    assert again.err == ""
    assert other.err == (
        "hcl sync: somebody tells these already; if another machine of this name does,"
        " give this one another by --host: pi-backup\n"
    )


async def test_a_check_that_cannot_be_changed_stops_no_other(
    machine: Machine, serve: Serve
) -> None:
    ran = await machine.sync("--apply", "--host", "file")

    assert (ran.status, ran.err) == (
        1,
        "hcl sync: file-backup cannot be changed: declared in hcl.toml\n",
    )
    assert {"file-logs", "file-poll"} <= checks(serve).keys()
    assert "run file-backup" in machine.crontab.read_text()


async def test_a_schedule_that_no_server_takes_stops_no_other(
    machine: Machine, serve: Serve
) -> None:
    # As people write what is never to run, and as busybox takes a night.
    odd = "0 0 31 2 * /bin/never\n0 22-6 * * * /bin/night\n"
    machine.crontab.write_text(odd + CRONTAB)

    ran = await machine.sync("--apply", "--host", "odd")

    assert ran.status == 1
    for name in ("never", "night"):
        said = f"hcl sync: odd-{name} cannot be created: json validation error: "
        assert said in ran.err
    assert machine.crontab.read_text().startswith(odd)
    assert "run odd-backup" in machine.crontab.read_text()
    assert {"odd-backup", "odd-logs"} <= checks(serve).keys()


async def test_a_new_check_that_is_refused_is_named(machine: Machine) -> None:
    machine.env["HCL_API_KEY"] = READING
    before = machine.files()

    ran = await machine.sync("--apply", "--host", "refused")

    said = "refused-backup cannot be created: wrong api key: see HCL_API_KEY"
    assert (ran.status, ran.err) == (1, f"hcl sync: {said}\n")
    assert machine.files() == before


async def test_a_plan_that_nobody_reads_on_is_no_error(machine: Machine) -> None:
    read, write = os.pipe()
    os.close(read)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hcl", "sync"),
        env=machine.env,
        stdout=write,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(write)

    assert (await process.communicate())[1] == b""
    assert process.returncode == 141


@pytest.mark.parametrize(
    ("name", "inside", "zone"),
    [
        ("crond", "MAILTO\0CRON_TZ\0", "Asia/Tokyo"),
        ("cron", "MAILTO\0", "Europe/Riga"),
        ("cron", "CRON_TZ", "Asia/Tokyo"),
    ],
)
async def test_a_zone_counts_where_cron_knows_it(
    machine: Machine, name: str, inside: str, zone: str
) -> None:
    (machine.root / "usr/sbin").mkdir(parents=True)
    (machine.root / "usr/sbin" / name).write_text(inside)
    machine.crontab.write_text("CRON_TZ=Asia/Tokyo\n5 3 * * * /bin/zoned\n")

    ran = await machine.sync()

    assert re.search(rf"nas-zoned +5 3 \* \* \* +{zone} ", ran.out.decode())


async def _assert_zone(machine: Machine, zone: str) -> None:
    """Assert that jobs are in a zone; "": that it is asked for."""
    ran = await machine.sync()

    found = re.search(r"nas-backup +5 3 \* \* \* +(\S+) ", ran.out.decode())
    assert (found[1] if found else "") == zone
    assert ("call it by TZ=Area/City hcl sync" in ran.err) == (not zone)


@pytest.mark.parametrize(
    ("of_all", "of_files", "own", "zone"),
    [
        # As tzselect has people put it into ~/.profile: cron does not see it.
        ("", "Europe/Riga", "Asia/Tokyo", "Europe/Riga"),
        ("", "Europe/Riga", ":/etc/localtime", "Europe/Riga"),
        # A container that was started with -e TZ=…
        ("Asia/Tokyo", "Etc/UTC", "Asia/Tokyo", "Asia/Tokyo"),
        ("", "", "America/Port-au-Prince", "America/Port-au-Prince"),
        ("", "", "EST5EDT", "EST5EDT"),
        ("", "", "", "UTC"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "", "", ""),
    ],
)
async def test_the_zone_is_that_of_cron(
    machine: Machine, of_all: str, of_files: str, own: str, zone: str
) -> None:
    (machine.root / "proc/1").mkdir(parents=True)
    (machine.root / "proc/1/environ").write_text(f"A=b\0TZ={of_all}\0")
    (machine.root / "etc/timezone").write_text(of_files)
    machine.env["TZ"] = own

    await _assert_zone(machine, zone)


@pytest.mark.parametrize(
    ("copied", "beside", "own", "zone"),
    [
        ("Europe/Riga", "Europe/Riga\n", "", "Europe/Riga"),
        # As of a host, in a container: -v /etc/localtime:/etc/localtime:ro.
        ("Europe/Riga", "Etc/UTC\n", "", ""),
        ("Europe/Riga", "Etc/UTC\n", "Europe/Riga", "Europe/Riga"),
        ("Europe/Riga", "", "", ""),
        # Without tzdata nobody can tell.
        ("Europe/Riga", "Nowhere/Here\n", "", "Nowhere/Here"),
        ("GMT", "Etc/UTC\n", "", "Etc/UTC"),
        ("Etc/UTC", "", "", "UTC"),
    ],
)
async def test_a_zone_that_was_copied_is_no_other(
    machine: Machine, copied: str, beside: str, own: str, zone: str
) -> None:
    data = await asyncio.to_thread(Path("/usr/share/zoneinfo", copied).read_bytes)
    (machine.root / "etc/localtime").write_bytes(data)
    (machine.root / "etc/timezone").write_text(beside)
    machine.env["TZ"] = own

    await _assert_zone(machine, zone)


def test_a_crontab_is_on_the_disk_before_it_is_in_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else it may be empty after a power cut (XFS).
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    crontab = tmp_path / "crontab"

    write([Change(str(crontab), "0 1 * * * root /bin/x\n")], str(tmp_path / "backups"))

    assert crontab.stat().st_ino in synced


def test_two_changes_in_one_second_have_a_backup_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "strftime", lambda _: "2026-06-15T12-00-00")
    kept, backups = tmp_path / "kept", str(tmp_path / "backups")
    for text in ("one\n", "two\n"):
        write([Change(str(kept), text)], backups)

    undo(backups)

    assert kept.read_text() == "one\n"
