"""What `hcl serve` says to somebody who has just set hcl up."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from hcl.cli import welcome as module
from hcl.cli.own_name import own_name
from hcl.cli.welcome import has_no_checks, welcome
from hcl.config import parse
from tests import toml
from tests.app import App, running_app


@pytest.fixture(autouse=True)
def in_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on a machine that has an address, whatever this one has."""
    monkeypatch.setattr(module, "own_addresses", lambda: ["192.0.2.7"])


PROJECT, KEY = toml.project("Home", "pk"), toml.key("me", "k" * 32)


async def said(
    folder: Path, server: str = "", rest: str = KEY, fresh: bool = True
) -> str:
    async with running_app(folder, "\n".join([server, PROJECT, rest])) as app:
        return welcome(app.config, app.parts, is_fresh=fresh)


async def test_link_that_is_printed_signs_in(tmp_path: Path) -> None:
    root = "http://hcl.example"
    text = "\n".join([toml.table("server", site_root=root), PROJECT, KEY])
    async with running_app(tmp_path, text) as app:
        found = re.search(
            r"    http://hcl\.example(/sign-in/\S+)\n",
            welcome(app.config, app.parts, is_fresh=True),
        )
        assert found

        entered = await app.http.get(found[1])

    assert entered.headers["location"] == "/"
    assert "hcl_session" in entered.headers["set-cookie"]


async def test_channel_that_is_shown_is_right(tmp_path: Path) -> None:
    text = await said(tmp_path)

    assert "Nobody is told yet" in text
    lines = re.findall(r"(?m)^    (?=\[\[|[a-z]+ = )(.*)$", text)
    data = tomllib.loads(PROJECT + "\n".join(lines))
    [channel] = parse(data, tmp_path, "hcl.toml", {}).projects[0].channels
    assert (channel.name, channel.kind) == ("Phone", "ntfy")
    assert 'hcl send-test "Phone"' in text


async def test_who_is_told_already_hears_nothing_of_it(tmp_path: Path) -> None:
    hook = toml.webhook("Hook", down="http://127.0.0.1:9/")

    assert "Nobody is told" not in await said(tmp_path, rest=KEY + hook)


@pytest.mark.parametrize(
    ("listen", "root", "told"),
    [
        ("127.0.0.1:8000", "", "hcl init --lan"),
        ("127.0.0.1:8000", "", "it is at http://192.0.2.7:8000/, for everybody"),
        ("0.0.0.0:80", "", 'site_root = "http://192.0.2.7:80"'),
        ("0.0.0.0:80", "http://a", "Other machines reach it at http://a/."),
        ("127.0.0.1:1", "https://a/x", "Other machines reach it at https://a/x/."),
    ],
)
async def test_it_says_how_others_reach_it(
    listen: str, root: str, told: str, tmp_path: Path
) -> None:
    more = {"site_root": root} if root else {}

    text = await said(tmp_path, toml.table("server", listen=listen, **more))

    assert told in text


@pytest.mark.parametrize(
    ("listen", "told"),
    [
        ("127.0.0.1:8000", "it is at http://[2001:db8::7]:8000/, for everybody"),
        ("[::]:80", 'site_root = "http://[2001:db8::7]:80"'),
        ("0.0.0.0:80", "Only this machine can reach it: it has no IPv4 address"),
    ],
)
async def test_it_says_how_others_reach_a_machine_with_ipv6_alone(
    listen: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "own_addresses", lambda: ["2001:db8::7"])

    text = await said(tmp_path, toml.table("server", listen=listen))

    assert told in text


async def test_what_is_printed_works_when_only_listen_was_edited(
    tmp_path: Path,
) -> None:
    text = await said(tmp_path, toml.table("server", listen="127.0.0.1:8001"))

    assert 'curl "http://127.0.0.1:8001/ping/pk/my-first-job?create=1"' in text
    assert "    http://127.0.0.1:8001/sign-in/" in text
    assert 'in [server]:\n\n    site_root = "http://127.0.0.1:8001"' in text


async def test_commands_are_as_hcl_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/hcl", "serve"])

    text = await said(tmp_path)

    assert "    .venv/bin/hcl init --lan" in text
    assert ': .venv/bin/hcl send-test "Phone"' in text


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("a b/hcl", "'a b/hcl'"),
        ("{bin}/hcl", "hcl"),
        ("/x/hcl/__main__.py", "hcl"),
    ],
)
def test_name_is_what_a_shell_finds(
    typed: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hcl").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", [typed.format(bin=tmp_path)])

    assert own_name() == told


@pytest.mark.parametrize(
    ("mode", "told"), [(0o755, "'{path}'"), (0o644, "{python} '{path}'")]
)
def test_name_of_the_single_file_is_its_path(
    mode: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a b.pyz"
    path.touch(mode)
    monkeypatch.setenv("HCL_PYZ", str(path))

    assert own_name() == told.format(path=path, python=sys.executable)


async def test_in_a_container_it_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HCL_LISTEN", "0.0.0.0:8000")

    text = await said(tmp_path)

    assert "192.0.2.7" not in text
    assert "HCL_SITE_ROOT is where others reach it." in text


async def test_without_a_network_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "own_addresses", list)

    assert "it has no address in a network" in await said(tmp_path)


async def test_without_a_dashboard_or_a_key_there_is_no_link(tmp_path: Path) -> None:
    off = await said(tmp_path, "[web]\nenabled = false\n")
    (tmp_path / "b").mkdir()
    keyless = await said(tmp_path / "b", rest="")

    assert "/sign-in/" not in off + keyless
    assert "once hcl.toml has a key" in keyless


async def test_it_is_for_who_has_no_checks_yet(app: App) -> None:
    assert await has_no_checks(app.parts)

    await app.http.get("/ping/otherotherotherother22/a?create=1")

    assert not await has_no_checks(app.parts)
