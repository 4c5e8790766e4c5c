"""`hcl sync` on a machine that is made up, beside a real server."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.running import Ran, environment, hcl
from tests.server.process import API_KEY, PING_KEY, Serve

CRONTAB = """\
# Of mine
SHELL=/bin/bash
5 3 * * * /usr/local/bin/backup.sh >/dev/null 2>&1
@reboot /bin/start
*/10 * * * * hcl run other -- /bin/poll
"""
SYSTEM = "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n"

TIMERS = {
    "logs.timer": (
        "Id=logs.timer\nUnit=logs.service\nLoadState=loaded\nUnitFileState=enabled\n"
        "ActiveState=active\nTimersCalendar={ OnCalendar=*-*-* 06:00:00 ;"
        " next_elapse=Sat 2026-11-28 06:00:00 EET }\nRandomizedDelayUSec=30min\n"
        "AccuracyUSec=1min\n"
    ),
    "poll.timer": (
        "Id=poll.timer\nUnit=poll.service\nLoadState=loaded\nUnitFileState=enabled\n"
        "ActiveState=active\nTimersMonotonic={ OnBootUSec=5min ; next_elapse=0 }\n"
        "TimersMonotonic={ OnUnitActiveUSec=1h 30min ; next_elapse=0 }\n"
    ),
    "once.timer": (
        "Id=once.timer\nUnit=once.service\nLoadState=loaded\nUnitFileState=enabled\n"
        "ActiveState=active\nTimersMonotonic={ OnBootUSec=5min ; next_elapse=0 }\n"
    ),
    "off.timer": (
        "Id=off.timer\nUnit=off.service\nLoadState=loaded\nUnitFileState=disabled\n"
        "ActiveState=inactive\nTimersCalendar={ OnCalendar=daily ; next_elapse=0 }\n"
    ),
}
SERVICE = "ExecStart={ path=/bin/logs ; argv[]=/bin/logs --all ; ignore_errors=no }\n"
JOURNAL = "".join(
    json.dumps({"MESSAGE_ID": id_, "__REALTIME_TIMESTAMP": str(at * 10**6)}) + "\n"
    for id_, at in [
        ("7d4958e842da4a758f6c1cdc7b36dcc5", 1000),
        ("39f53479d3a045ac8e11786248231fbf", 2800),
    ]
)


class Machine:
    """A machine with crontabs and timers, whose commands are scripts of the test."""

    def __init__(self, folder: Path, serve: Serve) -> None:
        self.root = folder / "root"
        self.crontab = folder / "crontab"
        self.crontab.write_text(CRONTAB)
        (self.root / "etc/cron.d").mkdir(parents=True)
        (self.root / "etc/crontab").write_text(SYSTEM)
        (self.root / "etc/cron.d/named.bak").write_text("0 1 * * * root /bin/not\n")
        (self.root / "etc/timezone").write_text("Europe/Riga\n")
        self.settings = folder / ".config/hcl/client.conf"
        self.settings.parent.mkdir(parents=True)
        self.settings.write_text(f"HCL_SERVER={serve.root}\nHCL_PING_KEY={PING_KEY}\n")
        self.hcl = folder / "bin/hcl"
        self._put_commands(folder / "bin")
        env = environment(
            folder,
            serve.root,
            HCL_PING_KEY=PING_KEY,
            HCL_API_KEY=API_KEY,
            HCL_SYNC_ROOT=str(self.root),
            XDG_STATE_HOME=str(folder / "state"),
        )
        self.env = env | {"PATH": f"{folder}/bin:{env['PATH']}"}

    def _put_commands(self, bin_: Path) -> None:
        bin_.mkdir()
        units = bin_.parent / "units"
        units.mkdir()
        for name, text in TIMERS.items():
            (units / name).write_text(text + "\n")
            (units / name.replace("timer", "service")).write_text(SERVICE)
        (units / "journal").write_text(JOURNAL)
        dropped = f"{self.root}/etc/systemd/system"
        scripts = {
            "crontab": f'if [ "$1" = -l ]; then cat {self.crontab};'
            f" else cat > {self.crontab}; fi",
            "systemctl": f"""
for word; do last=$word; done
case "$1 $2" in
*list-units*) cd {units}; ls *@?*.timer 2> /dev/null;;
*list-unit-files*) cd {units}; ls *.timer | grep -v @ | sed 's/$/ enabled enabled/';;
*show*ExecStart*) cat {units}/$last; cat {dropped}/$last.d/*.conf 2> /dev/null
  exit 0;;
*show*) shift 2; cd {units}; cat "$@";;
*) echo "$@" >> {bin_.parent}/systemctl.log;;
esac""",
            "journalctl": f'case "$*" in *logs*) cat {units}/journal;; esac',
            "hcl": "exit 0",
        }
        for name, text in scripts.items():
            (bin_ / name).write_text(f"#!/bin/sh\n{text}\n")
            (bin_ / name).chmod(0o755)

    async def sync(self, *arguments: str) -> Ran:
        return await hcl(self.env, "sync", "--host", "nas", *arguments)

    def files(self) -> dict[str, str]:
        """Return all that the machine has of crontabs and units."""
        paths = [self.crontab, *self.root.rglob("*")]
        return {str(path): path.read_text() for path in paths if path.is_file()}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    folder = tmp_path / "server"
    folder.mkdir()
    with Serve(folder) as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, serve: Serve) -> Machine:
    return Machine(tmp_path, serve)


def checks(serve: Serve) -> dict[str, dict[str, Any]]:
    """Return the server's checks by their slugs."""
    return {check["slug"]: check for check in serve.api("GET", "checks/")["checks"]}


async def test_the_plan_changes_nothing(machine: Machine, serve: Serve) -> None:
    before = machine.files()

    ran = await machine.sync()

    assert (ran.status, ran.err) == (0, "")
    text = ran.out.decode()
    assert "4 to create (+), 0 to change (~), 0 as they should be (=)" in text
    assert "3 left alone (-)" in text
    assert re.search(r"\+ +nas-backup +5 3 \* \* \* +Europe/Riga +1 h", text)
    assert "hcl run nas-backup -- /bin/bash -c '/usr/local/bin/backup.sh" in text
    assert "tells other already" in text
    assert machine.files() == before
    assert checks(serve) == {}


async def test_apply_makes_the_checks_and_has_the_jobs_tell_them(
    machine: Machine, serve: Serve
) -> None:
    ran = await machine.sync("--apply")

    assert (ran.status, ran.err) == (0, "")
    made = checks(serve)
    assert set(made) == {"nas-backup", "nas-cron-hourly", "nas-logs", "nas-poll"}
    assert made["nas-backup"]["schedule"] == "5 3 * * *"
    assert made["nas-backup"]["tz"] == "Europe/Riga"
    assert made["nas-logs"]["schedule"] == "*-*-* 06:00:00"
    # Three times its longest run of half an hour, and what the timer adds.
    assert made["nas-logs"]["grace"] == 3 * 1800 + 31 * 60
    assert made["nas-poll"]["timeout"] == 5400
    lines = machine.crontab.read_text().splitlines()
    assert lines[:2] == CRONTAB.splitlines()[:2]
    assert lines[3:] == CRONTAB.splitlines()[3:]
    drop_in = machine.root / "etc/systemd/system/logs.service.d/hcl.conf"
    assert "ping --quiet nas-logs systemd" in drop_in.read_text()
    assert stat.S_IMODE(drop_in.stat().st_mode) == 0o644


@pytest.mark.parametrize("way", ["", "/usr/bin/env HOME=/root PYTHONSAFEPATH=1 "])
async def test_drop_ins_of_before_no_longer_give_root_what_is_of_others(
    machine: Machine, way: str
) -> None:
    await machine.sync("--apply")
    drop_in = machine.root / "etc/systemd/system/logs.service.d/hcl.conf"
    written = drop_in.read_text()
    own = "https_proxy=http://proxy:3128 " if way else ""
    written = written.replace(f"{machine.hcl} ping", f"{own}{machine.hcl} ping")
    before = re.sub(r"/usr/bin/env .* PYTHONSAFEPATH=1 ", way, written)
    assert f"=-+{way}{own}{machine.hcl} ping" in before
    drop_in.write_text(before)

    shown = await machine.sync()
    applied = await machine.sync("--apply")
    again = await machine.sync("--apply")

    assert b"-u PYTHONPATH" in shown.out
    assert f"\n-ExecStartPre=-+{way}{own}{machine.hcl} ping" in shown.out.decode()
    assert f"wrote {drop_in}" in applied.out.decode()
    assert drop_in.read_text() == written
    assert b"wrote" not in again.out


async def test_a_second_run_changes_nothing(machine: Machine, serve: Serve) -> None:
    await machine.sync("--apply")
    before, made = machine.files(), checks(serve)

    ran = await machine.sync("--apply")

    assert "0 to create (+), 0 to change (~)" in ran.out.decode()
    assert machine.files() == before
    assert checks(serve) == made


async def test_undo_brings_back_what_was_there(machine: Machine) -> None:
    before = machine.files()
    await machine.sync("--apply")
    assert machine.files() != before

    ran = await machine.sync("--undo")

    assert (ran.status, ran.err) == (0, "")
    assert machine.files() == before
    ran = await machine.sync("--undo")
    assert (ran.status, ran.err) == (
        1,
        "hcl sync: nothing was changed that could be undone\n",
    )


async def test_undo_leaves_what_was_edited_since(machine: Machine) -> None:
    await machine.sync("--apply")
    edited = machine.crontab.read_text() + "0 9 * * * /bin/new\n"
    machine.crontab.write_text(edited)
    before = machine.files()

    ran = await machine.sync("--undo")

    assert ran.status == 1
    assert "crontab -l was edited since: undo it by hand" in ran.err
    assert machine.files() == before


async def test_a_timer_has_the_service_told_that_it_starts(
    machine: Machine, serve: Serve
) -> None:
    units = machine.crontab.parent / "units"
    text = TIMERS["logs.timer"]
    (units / "logs.timer").write_text(text.replace("Unit=logs", "Unit=rotate") + "\n")
    (units / "rotate.service").write_text(SERVICE)
    instance = text.replace("logs", "pg@main")
    (units / "pg@main.timer").write_text(instance + "\n")
    (units / "pg@main.service").write_text(SERVICE.replace("logs", "pg"))

    await machine.sync("--apply")

    folder = machine.root / "etc/systemd/system"
    assert {path.parent.name for path in folder.rglob("hcl.conf")} == {
        "rotate.service.d",
        "poll.service.d",
        "pg@main.service.d",
    }
    assert "nas-pg-main" in checks(serve)


async def test_a_schedule_that_was_edited_is_changed(
    machine: Machine, serve: Serve
) -> None:
    await machine.sync("--create")
    machine.crontab.write_text(CRONTAB.replace("5 3", "5 4"))

    ran = await machine.sync("--create")

    assert "0 to create (+), 1 to change (~), 3 as they should be" in ran.out.decode()
    assert checks(serve)["nas-backup"]["schedule"] == "5 4 * * *"


async def test_a_job_that_tells_and_was_moved_has_its_check_changed(
    machine: Machine, serve: Serve
) -> None:
    await machine.sync("--apply")
    crontab = machine.crontab.read_text().replace("5 3", "5 4")
    machine.crontab.write_text(crontab)
    logs = machine.crontab.parent / "units/logs.timer"
    logs.write_text(logs.read_text().replace("06:00", "07:00"))

    ran = await machine.sync("--apply")

    assert "0 to create (+), 2 to change (~), 2 as they should be" in ran.out.decode()
    made = checks(serve)
    assert made["nas-backup"]["schedule"] == "5 4 * * *"
    assert made["nas-logs"]["schedule"] == "*-*-* 07:00:00"
    assert machine.crontab.read_text() == crontab


async def test_a_zone_by_another_of_its_names_is_no_change(
    machine: Machine,
) -> None:
    text = machine.crontab.read_text()
    machine.crontab.write_text(f"CRON_TZ=US/Eastern\n{text}")
    await machine.sync("--apply")

    ran = await machine.sync()

    assert "0 to create (+), 0 to change (~)" in ran.out.decode()


async def test_a_machine_without_jobs_has_nothing_to_do(machine: Machine) -> None:
    machine.crontab.write_text("")
    (machine.root / "etc/crontab").unlink()
    machine.env["PATH"] = machine.env["PATH"].partition(":")[2]

    ran = await machine.sync()

    assert ran.status == 0
    assert ran.out.decode().startswith("0 to create")
