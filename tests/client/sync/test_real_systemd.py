"""`hcl sync` beside the real systemd: its timers are found, and its services tell."""

import fcntl
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hcl.client.sync import plan
from tests.client.running import environment
from tests.client.sync.test_sync import checks
from tests.namespaces import Systemd, is_possible
from tests.server.process import API_KEY, PING_KEY, Serve, until

pytestmark = pytest.mark.skipif(
    not is_possible(), reason="systemd needs root, namespaces and cgroups"
)

_NOW = "[Unit]\nDefaultDependencies=no\n"
_JOB = _NOW + "[Service]\nType=oneshot\n"
SERVICES = {
    "good": "ExecStart=/bin/sh -c 'echo fine'\n",
    "bad": "ExecStart=/bin/sh -c 'exit 3'\n",
    "slow": "ExecStart=/bin/sleep 60\nTimeoutStartSec=200ms\n",
    # It may not read the settings, nor write into the spool.
    "jailed": "User=nobody\nProtectSystem=strict\nExecStart=/bin/true\n",
    "cut-off": "PrivateNetwork=yes\nExecStart=/bin/true\n",
    "apart": "PrivateNetwork=yes\nExecStart=/bin/true\n",
}
TIMERS = {
    "good": "OnCalendar=*-*-* 03:05:00\nRandomizedDelaySec=30min\n",
    "bad": "OnCalendar=Mon..Fri 04:00\nOnCalendar=Sat 09:30\n",
    "slow": "OnBootSec=10h\nOnUnitActiveSec=6h\n",
    "jailed": "OnCalendar=weekly\n",
    "cut-off": "OnCalendar=hourly\n",
    "apart": "OnCalendar=hourly\n",
    "once": "OnBootSec=10h\nUnit=good.service\n",
    "unmet": "OnCalendar=daily\n",
}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    folder = tmp_path / "server"
    folder.mkdir()
    with Serve(folder) as server:
        yield server


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    units = tmp_path / "root/etc/systemd/system"
    units.mkdir(parents=True)
    for name, lines in SERVICES.items():
        (units / f"{name}.service").write_text(_JOB + lines)
    for name, lines in TIMERS.items():
        (units / f"{name}.timer").write_text(_NOW + "[Timer]\n" + lines)
    unmet = "[Unit]\nConditionPathExists=/nowhere\n"
    (units / "unmet.service").write_text(_JOB + "ExecStart=/bin/true\n" + unmet)
    # As on any machine: a unit that does not say otherwise needs the first of them.
    for name in ("sysinit", "basic", "shutdown"):
        (units / f"{name}.target").write_text(_NOW)
    system = Systemd(units)
    yield system
    system.close()


def put_hcl(folder: Path, serve: Serve) -> dict[str, str]:
    """Install the command, with its settings; return the environment to call it in."""
    env = environment(folder, serve.root, HCL_PING_KEY=PING_KEY, HCL_API_KEY=API_KEY)
    env |= {"HCL_SYNC_ROOT": str(folder / "root"), "TZ": "Europe/Riga"}
    (folder / "bin").mkdir()
    hcl = folder / "bin/hcl"
    said = "\n".join(f"export {name}='{env[name]}'" for name in env if name != "PATH")
    hcl.write_text(f'#!/bin/sh\n{said}\nexec {sys.executable} -m hcl "$@"\n')
    hcl.chmod(0o755)
    return env | {"PATH": f"{folder}/bin:{env['PATH']}"}


async def test_timers_are_found_and_their_services_tell(
    tmp_path: Path, serve: Serve, systemd: Systemd
) -> None:
    env = put_hcl(tmp_path, serve)
    systemd.run("systemctl", "start", *(f"{name}.timer" for name in TIMERS))
    # As fstrim's in a container.
    systemd.run("systemctl", "start", "unmet.service")

    applied = systemd.run("hcl", "sync", "--host", "nas", "--apply", **env)
    systemd.run("systemctl", "start", *(f"{name}.service" for name in SERVICES))
    again = systemd.run("hcl", "sync", "--host", "nas", **env)

    assert applied.returncode == 0, applied.stderr
    assert "a Condition of its unit failed" in applied.stdout
    made = checks(serve)
    # As systemd writes them.
    assert {
        slug: one.get("schedule") or one["timeout"] for slug, one in made.items()
    } == {
        "nas-good": "*-*-* 03:05:00",
        "nas-bad": "Sat *-*-* 09:30:00\nMon..Fri *-*-* 04:00:00",
        "nas-slow": 6 * 3600,
        "nas-jailed": "Mon *-*-* 00:00:00",
        "nas-cut-off": "*-*-* *:00:00",
        "nas-apart": "*-*-* *:00:00",
    }
    assert made["nas-good"]["grace"] > 30 * 60
    ups = {name: name not in ("bad", "slow") for name in SERVICES}
    expected = {f"nas-{name}": "up" if is_up else "down" for name, is_up in ups.items()}
    # What has no network tells a moment later, through another unit.
    await until(lambda: statuses(serve) == expected)
    assert "0 to create (+), 0 to change (~)" in again.stdout
    assert "once.timer" in again.stdout

    undone = systemd.run("hcl", "sync", "--undo", **env)

    assert undone.stdout.count("brought back") == len(SERVICES) + 1
    assert not list(systemd.units.rglob("hcl*"))
    assert "hcl" not in systemd.run("systemctl", "cat", "good.service").stdout


async def test_root_runs_nothing_that_is_anothers(
    tmp_path: Path, systemd: Systemd
) -> None:
    hcl, said = tmp_path / "hcl", tmp_path / "said"
    hcl.write_text(f"#!/bin/sh\n/usr/bin/id -u >> {said}\n/usr/bin/env >> {said}\n")
    hcl.chmod(0o755)
    folder = systemd.units / "jailed.service.d"
    folder.mkdir()
    (folder / "hcl.conf").write_text(plan.drop_in("x", str(hcl), user=False))
    # As services in Python have it, whose user may write there.
    names = "HOME PATH PYTHONHOME PYTHONPATH PYTHONPYCACHEPREFIX PYTHONUSERBASE"
    theirs = "".join(f" {n}=/srv/app/bin" for n in f"{names} XDG_CONFIG_HOME".split())
    kept = " https_proxy=http://proxy:3128"
    (folder / "own.conf").write_text(f"[Service]\nEnvironment={theirs}{kept}\n")
    systemd.run("systemctl", "daemon-reload")

    systemd.run("systemctl", "start", "jailed.service")

    lines = said.read_text().splitlines()
    assert "/srv/app/bin" not in "".join(lines)
    for line in ("0", "HOME=/root", "PATH=/usr/bin:/bin", "PYTHONSAFEPATH=1"):
        assert lines.count(line) == 2
    assert lines.count(kept.strip()) == 2
    assert "SERVICE_RESULT=success" in lines


async def test_what_ends_while_another_is_being_told_is_told_too(
    tmp_path: Path, serve: Serve, systemd: Systemd
) -> None:
    env = put_hcl(tmp_path, serve)
    systemd.run("systemctl", "start", "cut-off.timer", "apart.timer")
    systemd.run("hcl", "sync", "--host", "nas", "--apply", **env)

    serve.process.send_signal(signal.SIGSTOP)
    try:
        systemd.run("systemctl", "start", "cut-off.service")
        await until(lambda: is_sending(systemd, tmp_path / "spool"))
        systemd.run("systemctl", "start", "apart.service")
    finally:
        serve.process.send_signal(signal.SIGCONT)

    ups = {"nas-cut-off": "up", "nas-apart": "up"}
    await until(lambda: statuses(serve).items() >= ups.items())


def is_sending(systemd: Systemd, spool: Path) -> bool:
    """Tell whether what sends for the first is at it: it has looked what is left."""
    show = ("systemctl", "show", "--value", "--property", "MainPID")
    if systemd.run(*show, "hcl-flush@cut-off.service").stdout.strip() in ("", "0"):
        return False
    with min(spool.glob("*.signal")).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def statuses(serve: Serve) -> dict[str, str]:
    return {slug: str(one["status"]) for slug, one in checks(serve).items()}


async def test_template_runs_a_job_that_has_no_unit(
    tmp_path: Path, serve: Serve, systemd: Systemd
) -> None:
    env = put_hcl(tmp_path, serve)
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    (jobs / "my-job").write_text("#!/bin/sh\necho words\nexit 4\n")
    (jobs / "my-job").chmod(0o755)

    unit = systemd.run("hcl", "sync", "--template", **env).stdout
    put = unit.replace("/etc/hcl/jobs", str(jobs)) + "[Unit]\nDefaultDependencies=no\n"
    (systemd.units / "hcl-run@.service").write_text(put)
    systemd.run("systemctl", "daemon-reload")
    ran = systemd.run("systemctl", "start", "hcl-run@my-job.service")

    assert ran.returncode != 0
    assert statuses(serve) == {"my-job": "down"}
    uuid = checks(serve)["my-job"]["uuid"]
    [end, begun] = serve.api("GET", f"checks/{uuid}/pings/")["pings"]
    assert [begun["type"], end["type"]] == ["start", "fail"]
