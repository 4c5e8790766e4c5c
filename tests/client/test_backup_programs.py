"""borgmatic, restic and rsync themselves, told of as docs/jobs.md says."""

import asyncio
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.running import environment
from tests.patience import ENDS
from tests.server.process import API_KEY, PING_KEY, Serve

DOC = Path("docs/jobs.md").read_text()

# Debian 12's borgmatic has no `commands`: the hooks that the page names beside it.
_BORGMATIC = """\
location:
    source_directories: [{folder}/src]
    repositories: [{folder}/repository]
retention:
    keep_daily: 7
consistency:
    checks: [{{name: disabled}}]
hooks:
    before_backup: ["{before}"]
    after_backup: ["{after}"]
    on_error: ["{on_error}"]
"""
_OWN = """\
    healthchecks: {{ping_url: "{url}"}}
"""


def block(begin: str) -> str:
    """Return the line of the page that begins so."""
    [line] = re.findall(rf"(?m)^{re.escape(begin)}.*$", DOC)
    return str(line)


def borgmatic_config(folder: Path) -> str:
    """Write a config with the commands of the page."""
    [text] = re.findall(r"(?ms)^```yaml\n(commands:.*?)^```$", DOC)
    before, after, on_error = re.findall(r'run: \["(.*)"\]', text)
    # This version does not quote what it puts in.
    on_error = on_error.replace("{error}", "'{error}'")
    return _BORGMATIC.format(
        folder=folder, before=before, after=after, on_error=on_error
    )


class Machine:
    """A machine with files to keep, the client, and the programs of Debian."""

    def __init__(self, folder: Path, serve: Serve) -> None:
        self.folder = folder
        self.serve = serve
        (folder / "src").mkdir()
        (folder / "src/photo").write_text("of a cat")
        hcl = folder / "bin/hcl"
        hcl.parent.mkdir()
        hcl.write_text(f'#!/bin/sh\nexec {sys.executable} -m hcl "$@"\n')
        hcl.chmod(0o755)
        env = environment(
            folder, serve.root, HCL_PING_KEY=PING_KEY, HCL_API_KEY=API_KEY
        )
        env |= {"RESTIC_REPOSITORY": f"{folder}/restic", "RESTIC_PASSWORD": "secret"}
        env |= {"BORG_PASSPHRASE": "secret", "BORG_BASE_DIR": f"{folder}/borg"}
        self.env = env | {"PATH": f"{folder}/bin:{env['PATH']}"}

    async def run(self, script: str) -> tuple[int, str]:
        """Run a script; return its status, and what it wrote."""
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", script),
            env=self.env,
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), ENDS)
        return process.returncode or 0, out.decode()

    async def make(self, slug: str) -> str:
        """Make a check of this name; return its UUID."""
        status, out = await self.run(f"hcl ping --create {slug} log < /dev/null")
        assert status == 0, out
        return str(self.check(slug)["uuid"])

    def check(self, slug: str) -> dict[str, object]:
        [found] = self.serve.api("GET", f"checks/?slug={slug}")["checks"]
        return dict(found)

    async def last_words(self, slug: str) -> str:
        """Return what the last ping brought."""
        uuid, n = self.check(slug)["uuid"], self.check(slug)["n_pings"]
        return (await self.run(f"hcl checks log {uuid} --body {n}"))[1]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    folder = tmp_path / "server"
    folder.mkdir()
    with Serve(folder) as serve:
        yield Machine(tmp_path, serve)


@pytest.mark.skipif(not shutil.which("restic"), reason="there is no restic")
async def test_restic(machine: Machine) -> None:
    await machine.make("restic")
    job = block("hcl run restic -- ").replace("/home", str(machine.folder / "src"))

    await machine.run("restic init")
    status, out = await machine.run(job)

    assert (status, machine.check("restic")["status"]) == (0, "up"), out
    shutil.rmtree(machine.folder / "restic")
    status, _ = await machine.run(job)
    assert (status, machine.check("restic")["status"]) == (1, "down")
    assert "Fatal: unable to open" in await machine.last_words("restic")


@pytest.mark.skipif(not shutil.which("rsync"), reason="there is no rsync")
async def test_rsync(machine: Machine) -> None:
    await machine.make("rsync-photos")
    job = block("hcl run rsync-photos ").replace("nas:/photos/", "copy/")
    job = job.replace("/srv/photos/", "src/")

    status, out = await machine.run(job)

    assert (status, machine.check("rsync-photos")["status"]) == (0, "up"), out
    assert (machine.folder / "copy/photo").read_text() == "of a cat"
    shutil.rmtree(machine.folder / "src")
    status, _ = await machine.run(job)
    assert (status, machine.check("rsync-photos")["status"]) == (23, "down")
    assert "No such file or directory" in await machine.last_words("rsync-photos")


@pytest.mark.skipif(not shutil.which("borgmatic"), reason="there is no borgmatic")
async def test_borgmatic(machine: Machine) -> None:
    await machine.make("borgmatic")
    own = await machine.make("own-hook")
    config = machine.folder / "borgmatic.yaml"
    url = f"{machine.serve.root}/ping/{own}"
    config.write_text(borgmatic_config(machine.folder) + _OWN.format(url=url))
    borgmatic = f"borgmatic -c {config} --log-file {machine.folder}/log"

    await machine.run(f"{borgmatic} init -e repokey")
    status, out = await machine.run(f"{borgmatic} create")

    both = {"borgmatic", "own-hook"}
    assert (status, {str(machine.check(slug)["status"]) for slug in both}) == (
        0,
        {"up"},
    ), out
    shutil.rmtree(machine.folder / "repository")
    status, out = await machine.run(f"{borgmatic} create")
    assert (status, {str(machine.check(slug)["status"]) for slug in both}) == (
        1,
        {"down"},
    ), out
    assert "returned non-zero exit status 2" in await machine.last_words("borgmatic")


@pytest.mark.skipif(not shutil.which("borgmatic"), reason="there is no borgmatic")
async def test_borgmatic_backs_up_while_the_server_is_away(machine: Machine) -> None:
    config = machine.folder / "borgmatic.yaml"
    # Nor does the test wait for it.
    hooks = borgmatic_config(machine.folder).replace("ping", "ping --patience 0")
    config.write_text(hooks)
    borgmatic = f"borgmatic -c {config} --log-file {machine.folder}/log"
    machine.env |= {"HCL_SERVER": "http://127.0.0.1:1"}

    await machine.run(f"{borgmatic} init -e repokey")
    status, out = await machine.run(f"{borgmatic} create")

    assert status == 0, out
    _, archives = await machine.run(f"{borgmatic} list --short")
    assert len(archives.splitlines()) >= 1, archives
