"""What is released: the wheel, the single file, the man page, and the pins."""

import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hcl import __version__
from tests import toml
from tests.packaging.containers import ROOT
from tests.patience import ENDS
from tests.server.process import API_KEY, PING_KEY, Serve, curl
from tests.sinks import HttpSink

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_PIN = re.compile(r"(?m)^([^ #=]+)==([^ ;\\]+)(?: ; ([^\\]*[^ \\]))? \\$")


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "packaging" / name).read_text()
    return {found[1]: found[2] for found in _PIN.finditer(text)}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("constraints.txt", PROJECT["dependencies"]),
        ("constraints-dev.txt", PROJECT["dependencies"]),
        ("constraints-dev.txt", PROJECT["optional-dependencies"]["dev"]),
        ("constraints-fast.txt", PROJECT["dependencies"]),
        ("constraints-fast.txt", PROJECT["optional-dependencies"]["fast"]),
    ],
)
def test_pins_are_within_the_ranges(name: str, wanted: list[str]) -> None:
    pinned = pins(name)

    for requirement in map(Requirement, wanted):
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


@pytest.mark.parametrize("extra", ["", "-dev", "-fast"])
def test_every_pin_has_hashes_and_all_files_agree(extra: str) -> None:
    name = f"constraints{extra}.txt"
    text = (ROOT / "packaging" / name).read_text()

    assert pins(name) | pins("constraints.txt") == pins(name)
    assert len(re.findall(r"(?m)^\S+==", text)) == len(pins(name))
    assert not re.findall(r"==.*\\\n(?!    --hash=sha256:)", text)
    assert "://" not in text


def test_what_builds_the_package_is_pinned_as_it_was_tested() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    named = [Requirement(r) for r in tomllib.loads(text)["build-system"]["requires"]]
    asked = [Requirement(r) for r in importlib.metadata.requires("hatchling") or []]
    needed = {r.name for r in asked if not r.marker or r.marker.evaluate()}

    tested = pins("constraints-dev.txt")
    assert {r.name: str(r.specifier) for r in named} == {
        name: f"=={tested[name]}" for name in {"hatchling", *needed}
    }


@pytest.mark.parametrize(
    "file",
    ["README.md", "docs/systemd.md", "docs/upgrading.md", "packaging/Containerfile"],
)
def test_whoever_installs_does_so_by_the_pins(file: str) -> None:
    text = (ROOT / file).read_text().replace("\\\n", "")

    [*pairs] = re.findall(r"pip install (.*)", text)

    assert pairs
    for libraries, own in zip(pairs[::2], pairs[1::2], strict=True):
        assert "--require-hashes -r packaging/constraints-fast.txt" in libraries
        assert re.search(r"--no-deps \.( |$)", own)


def test_man_page_is_of_this_version() -> None:
    made = runpy.run_path(str(ROOT / "packaging/man.py"))["man_page"]()

    # `scripts/man` writes it anew.
    assert (ROOT / "packaging/hcl.1").read_text() == made


def test_package_of_a_release_links_to_its_repository(tmp_path: Path) -> None:
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    url = "https://forge.example/hcl"

    runpy.run_path(str(ROOT / "packaging/published.py"))["publish"](tmp_path, url)

    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    assert project["urls"]["Homepage"] == url
    assert project["scripts"] == PROJECT["scripts"]
    targets = re.findall(r"\]\(([^)]+)\)", (tmp_path / "README.md").read_text())
    assert all(target.startswith(("https://", "#")) for target in targets)
    for target in targets:
        if target.startswith(url):
            path = target.removeprefix(url).split("/", 3)[3].partition("#")[0]
            assert (ROOT / path).exists(), target
    assert f"{url}/raw/HEAD/docs/list.png" in targets


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [made] = folder.glob("*.whl")
    return made


def test_wheel_has_all_that_hcl_needs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    wanted = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "hcl").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert len(wanted) > 200
    assert wanted <= names
    assert "hcl/config/hcl.toml.example" in names
    assert "hcl/py.typed" in names
    assert any(name.endswith("share/man/man1/hcl.1") for name in names)
    assert {name.split("/")[0] for name in names} == {
        "hcl",
        f"hcl_server-{__version__}.dist-info",
        f"hcl_server-{__version__}.data",
    }


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Have what pip makes of the wheel and its pins, from what is installed here."""
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    for name in pins("constraints.txt"):
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            # Those of other systems.
            continue
        for file in files:
            source = Path(str(file.locate()))
            if ".." in file.parts or file.suffix == ".pyc" or not source.exists():
                continue
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / file)
    return folder


def version_of(program: list[str], env: dict[str, str]) -> str:
    return subprocess.run(
        [*program, "--version"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def a_server(
    folder: Path, channel: str, program: list[str], env: dict[str, str]
) -> Serve:
    serve = Serve(folder, channel)
    serve.program, serve.env = program, env
    return serve


async def test_single_file_serves_and_alerts(site: Path, tmp_path: Path) -> None:
    pyz = tmp_path / "hcl.pyz"
    runpy.run_path(str(ROOT / "packaging/pyz.py"))["make"](site, pyz)
    env = {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": ""}
    # Nothing beside the standard library but what it brings along.
    command = [sys._base_executable, "-I", str(pyz)]  # type: ignore[attr-defined]

    version = version_of(command, env)
    async with HttpSink() as phone:
        url = f"ntfy://127.0.0.1:{phone.port}/alerts"
        channel = toml.channel("Phone", "ntfy", url=url)
        with a_server(tmp_path, channel, command, env) as serve:
            page = curl("-L", f"{serve.root}/")
            curl(f"{serve.root}/ping/{PING_KEY}/job?create=1")
            curl(f"{serve.root}/ping/{PING_KEY}/job/fail")
            [message] = await phone.wait_for(1, timeout=ENDS)
            [check] = serve.api("GET", "checks/")["checks"]
            ended = serve.stop()

    assert version == f"hcl, version {__version__}\n"
    assert "job is DOWN" in message.text or "DOWN: job" in message.text
    assert "Sign in" in page
    assert (check["status"], ended) == ("down", 0)
    assert API_KEY not in serve.log
    [unpacked] = (tmp_path / "hcl").iterdir()
    assert not list(unpacked.rglob("*.so"))


def test_single_file_has_units_start_it_and_jobs_find_their_own_modules(
    site: Path, tmp_path: Path
) -> None:
    pyz = tmp_path / "hcl.pyz"
    runpy.run_path(str(ROOT / "packaging/pyz.py"))["make"](site, pyz)
    env = {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": "/srv/modules"}
    command = [sys._base_executable, "-I", str(pyz)]  # type: ignore[attr-defined]

    def said(*arguments: str) -> str:
        return subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    made = said("init")
    units = said("systemd")
    job = said("run", "job", "--", "sh", "-c", 'echo "$PYTHONPATH ${HCL_PYZ-none}"')

    assert f"Start with: {pyz} serve" in made
    # By its name alone only where systemd finds the Python that it ran on.
    assert re.search(
        rf"\nExecStart=(\S+ )?{pyz} serve --config {tmp_path}/hcl.toml\n", units
    )
    assert job == "/srv/modules none\n"
