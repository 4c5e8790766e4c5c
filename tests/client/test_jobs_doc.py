"""docs/jobs.md: its blocks for shells and crontabs do what they say."""

import asyncio
import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hcl.client.sync import crontabs, plan
from tests.client.running import environment
from tests.patience import ENDS
from tests.server.process import API_KEY, PING_KEY, Serve

DOC = Path("docs/jobs.md").read_text()
BLOCKS = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", DOC)
SHELL: list[str] = [text for kind, text in BLOCKS if kind == "sh"]
PROGRAMS = ("backup.sh", "restic", "rsync", "docker", "crontab", "systemctl")


def block(part: str) -> str:
    """Return the shell block with this text in it."""
    [found] = [text for text in SHELL if part in text]
    return found


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    folder = tmp_path / "server"
    folder.mkdir()
    with Serve(folder) as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Run one server for tests that need none of their own."""
    with Serve(tmp_path_factory.mktemp("server")) as server:
        yield server


async def sh(folder: Path, serve: Serve, script: str, *arguments: str) -> str:
    """Run a script on a machine whose /usr/local/bin is `bin`; return what it wrote."""
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    for name in PROGRAMS:
        (bin_ / name).write_text('#!/bin/sh\necho "did $0 $*"\n')
        (bin_ / name).chmod(0o755)
    if not (bin_ / "hcl").exists():
        hcl = f'#!/bin/sh\nexec {sys.executable} -m hcl "$@"\n'
        (bin_ / "hcl").write_text(hcl)
        (bin_ / "hcl").chmod(0o755)
    env = environment(
        folder, serve.root, HCL_PING_KEY=PING_KEY, HCL_API_KEY=API_KEY
    ) | {"HCL_SYNC_ROOT": str(folder), "LOGFILE": str(folder / "log")}
    env["PATH"] = f"{bin_}:{env['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *("sh", "-ec", script.replace("/usr/local/bin", str(bin_)), "sh", *arguments),
        env=env,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), ENDS)
    assert process.returncode == 0, out.decode()
    return out.decode()


async def make(folder: Path, serve: Serve, *slugs: str) -> None:
    """Have checks of these slugs, of which nothing is known but a log entry."""
    for slug in slugs:
        await sh(folder, serve, f"hcl ping --create {slug} log")


def status(serve: Serve) -> dict[str, str]:
    """Return the status of each check by its slug."""
    return {one["slug"]: one["status"] for one in serve.api("GET", "checks/")["checks"]}


async def test_the_client_is_got_with_curl(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/hcl").touch()

    said = await sh(tmp_path, serve, block("client/hcl.sha256"))

    digest = hashlib.sha256((tmp_path / "bin/hcl").read_bytes()).hexdigest()
    assert said.count(digest) == 2
    assert "hcl run" in await sh(tmp_path, serve, "hcl run --help")


async def test_jobs_are_run_and_told(tmp_path: Path, serve: Serve) -> None:
    await make(
        tmp_path, serve, "restic", "rsync-photos", "db-dump", "disk", "proxmox-backup"
    )
    (tmp_path / "log").write_text("of a guest")

    await sh(tmp_path, serve, block("--create nightly-backup"))
    for part in ("restic backup", "rsync -a", "docker exec"):
        assert "did " in await sh(tmp_path, serve, block(part))
    await sh(tmp_path, serve, block("df -h"))
    await vzdump(tmp_path, serve, "job-start", "log-end", "job-end")

    told = status(serve)
    assert told.pop("disk") == "new"  # a log entry alone
    assert set(told.values()) == {"up"}
    await vzdump(tmp_path, serve, "job-abort")
    assert status(serve)["proxmox-backup"] == "down"


async def vzdump(folder: Path, serve: Serve, *phases: str) -> None:
    """Call the hook of the page as Proxmox does."""
    hook = folder / "vzdump-hook"
    hook.write_text(block("job-abort").replace("/run/", f"{folder}/"))
    hook.chmod(0o755)
    for phase in phases:
        await sh(folder, serve, f"{hook} {phase}")


async def test_a_guest_that_is_not_backed_up_is_a_failure(
    tmp_path: Path, shared: Serve
) -> None:
    await make(tmp_path, shared, "proxmox-backup")
    (tmp_path / "log").write_text("of a guest")
    failed = ("job-start", "backup-abort", "log-end", "job-end")

    # vzdump goes on with the other guests, and to the end of the job.
    await vzdump(tmp_path, shared, *failed)

    assert status(shared)["proxmox-backup"] == "down"
    await vzdump(tmp_path, shared, "job-start", "log-end", "job-end")
    assert status(shared)["proxmox-backup"] == "up"


async def test_a_backup_of_guests_goes_on_while_nobody_hears_of_it(
    tmp_path: Path, serve: Serve
) -> None:
    # That is what a server which knows no such check is to a hook, too.
    await vzdump(tmp_path, serve, "job-start", "job-end")


async def test_checks_and_jobs_are_listed(tmp_path: Path, serve: Serve) -> None:
    await make(tmp_path, serve, "nightly-backup")

    said = await sh(tmp_path, serve, block("hcl checks edit"))
    plan = await sh(tmp_path, serve, block("hcl sync --apply").splitlines()[0])

    assert "5 3 * * *" in said
    assert "0 to create" in plan


def test_every_shell_block_is_run() -> None:
    tried = re.findall(r'block\("(.*?)"\)', Path(__file__).read_text())
    tried += ["restic backup", "rsync -a", "docker exec"]

    assert [text for text in SHELL if not any(part in text for part in tried)] == []


def test_the_line_of_the_crontab_is_one() -> None:
    [text] = [text for _, text in BLOCKS if text.startswith("5 3 * * *")]

    [job] = crontabs.read(text, "c", crontabs.Form(), tz="UTC")

    assert (job.watched, job.skipped) == ("nightly-backup", "")


def test_the_drop_in_is_what_sync_writes() -> None:
    [text] = [text for _, text in BLOCKS if "ExecStopPost" in text]

    written = plan.drop_in("nightly-backup", "/usr/local/bin/hcl", user=False)

    assert text.splitlines()[1:] == written.splitlines()[1:]


@pytest.mark.parametrize(("digit", "kind"), [("0", "success"), ("1", "fail")])
async def test_a_workflow_tells(
    tmp_path: Path, shared: Serve, digit: str, kind: str
) -> None:
    [text] = [text for _, text in BLOCKS if "job.status" in text]
    begin, _, end = re.findall(r"run: (.*)", re.sub(r"\${{.*?}}", digit, text))
    await make(tmp_path, shared, f"workflow-{digit}")
    [check] = shared.api("GET", f"checks/?slug=workflow-{digit}")["checks"]
    uuid = check["uuid"]
    known = f"PING_URL={shared.root}/ping/{uuid}; RID={uuid}\n"

    await sh(tmp_path, shared, f"{known}{begin}\n{end}")

    last, first, _ = shared.api("GET", f"checks/{uuid}/pings/")["pings"]
    assert [first["type"], last["type"]] == ["start", kind]
    assert "duration" in last


def test_borgmatic_quotes_what_it_puts_in() -> None:
    # In quotes of ours its own would end, and what is in the error would be run.
    [text] = [text for _, text in BLOCKS if "after: error" in text]

    assert 'run: ["echo {error} | ' in text
