"""`hcl init --lan` and `--full`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hcl.cli import main, own_addresses
from hcl.config import load


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HCL_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def in_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on a machine that has an address, whatever this one has."""
    monkeypatch.setattr(own_addresses, "own_addresses", lambda: ["192.0.2.7"])


@pytest.mark.usefixtures("in_a_network")
def test_lan_opens_what_was_written_before(folder: Path) -> None:
    CliRunner().invoke(main, ["init"])
    before = load(folder / "hcl.toml")

    result = CliRunner().invoke(main, ["init", "--lan"])

    after = load(folder / "hcl.toml")
    assert result.exit_code == 0
    assert "other machines may reach it now, at 192.0.2.7." in result.output
    assert result.output.endswith("Start with: hcl serve --config hcl.toml\n")
    assert after.server.site_root == "http://192.0.2.7:8000"
    assert after.projects == before.projects


@pytest.mark.usefixtures("in_a_network")
def test_lan_twice_is_one_line(folder: Path) -> None:
    for _ in range(2):
        result = CliRunner().invoke(main, ["init", "--lan"])

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert 'write listen = "0.0.0.0:8000"' in result.stderr
    assert load(folder / "hcl.toml").server.site_root == "http://192.0.2.7:8000"


@pytest.mark.usefixtures("in_a_network")
def test_full_file_may_be_for_a_network(folder: Path) -> None:
    result = CliRunner().invoke(main, ["init", "--full", "--lan"])

    assert result.exit_code == 0
    assert load(folder / "hcl.toml").server.site_root == "http://192.0.2.7:8000"


@pytest.mark.usefixtures("folder")
def test_full_file_is_not_written_over_another() -> None:
    for _ in range(2):
        result = CliRunner().invoke(main, ["init", "--full"])

    assert result.stderr.startswith("Error: hcl.toml: is there already, and stays")


def test_without_a_network_the_line_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_addresses, "own_addresses", list)

    result = CliRunner().invoke(main, ["init", "--lan"])

    assert result.exit_code == 1
    assert "this machine has no address in a network; connect it, or" in result.stderr
    assert not (folder / "hcl.toml").exists()


def test_own_addresses_are_those_that_others_can_use() -> None:
    found = own_addresses.own_addresses()

    assert len(set(found)) == len(found)
    assert not [a for a in found if a.startswith(("127.", "169.254.", "0."))]
    assert not {"::1", "::"} & set(found)


def test_machine_that_tells_of_no_interfaces_has_addresses_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused() -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("socket.if_nameindex", refused)

    assert set(own_addresses.own_addresses()) <= set(own_addresses._outward())
