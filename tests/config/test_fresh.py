"""What `hcl init` writes beside a small file: every key, and a file for a network."""

import os
import re
import resource
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from hcl.config import KEYS, ConfigError, HostPort, load
from hcl.config.fresh import (
    example_path,
    fresh_text,
    fresh_topic,
    open_to_network,
    write_fresh,
)
from tests.config import read


def test_full_file_has_every_key_and_tells_nobody(tmp_path: Path) -> None:
    config = write_fresh(tmp_path / "hcl.toml", full=True)

    [project] = config.projects
    text = config.path.read_text()
    named = set(re.findall(r"(?m)^(?:# )?([a-z_0-9]+) = ", text))
    meant = {key for keys in KEYS.values() for key in keys}
    tables = set(re.findall(r"(?m)^(?:# )?\[+(?:\w+\.)*(\w+)\]", text))
    assert meant - named - tables <= {"headers", "method", "from", "tz", "body"}
    assert (project.channels, project.tags, config.smtp.host) == ((), (), "")
    assert [key.name for key in project.keys] == ["me"]
    assert "example-secret" not in text
    assert "replace-me-by-" not in re.sub("(?m)^#.*", "", text)


def test_full_file_has_keys_of_its_own() -> None:
    first, second = (
        tomllib.loads(fresh_text(full=True))["projects"][0] for _ in range(2)
    )

    assert re.fullmatch("[a-z0-9]{22}", first["ping_key"])
    assert first["ping_key"] != second["ping_key"]
    assert first["keys"][0]["key"] != second["keys"][0]["key"]


def test_all_that_is_commented_out_in_a_full_file_is_right() -> None:
    text = fresh_text(full=True).replace('host = ""', 'host = "localhost"')
    text = text.replace('user_header = ""', 'user_header = "Remote-User"')
    whole = re.sub(r"(?m)^# (?=\[\[|[a-z_0-9]+ = )", "", text)
    # Beside its SHA-256 there is the key in the example.
    assert len(read(whole).projects[0].channels) > 3


def test_example_is_in_the_clone() -> None:
    assert example_path().name == "hcl.toml.example"


def test_topics_are_not_guessed() -> None:
    assert re.fullmatch("hcl-[a-z0-9]{16}", fresh_topic())
    assert fresh_topic() != fresh_topic()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("host", "listen", "root"),
    [
        ("192.0.2.7", "0.0.0.0", "http://192.0.2.7:8000"),
        # Who has no other address is not to listen to IPv4 alone.
        ("2001:db8::7", "::", "http://[2001:db8::7]:8000"),
    ],
)
def test_file_for_a_network_names_the_machine(
    host: str, listen: str, root: str, full: bool
) -> None:
    server = read(fresh_text(full=full, host=host)).server

    assert (str(server.listen.host), server.site_root) == (listen, root)  # type: ignore[union-attr]  # it is TCP


def test_file_that_is_there_is_opened_and_keeps_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "hcl.toml"
    before = write_fresh(path)
    path.write_text(path.read_text() + "# mine\n")

    open_to_network(path, "192.0.2.7")

    after = load(path)
    assert after.server.site_root == "http://192.0.2.7:8000"
    assert after.projects == before.projects
    assert path.read_text().endswith("# mine\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_is_opened_is_as_much_its_owners_as_before(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "hcl.toml", tmp_path / "hcl.toml"
    real.parent.mkdir()
    write_fresh(real)
    link.symlink_to(real)
    if os.geteuid() == 0:
        # Root does this for whom the unit has hcl run as.
        os.chown(real, 12345, 12346)
    real.chmod(0o640)
    before = real.stat()

    open_to_network(link, "192.0.2.7")

    after = real.stat()
    assert link.is_symlink()
    assert load(real).server.site_root == "http://192.0.2.7:8000"
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert list(real.parent.iterdir()) == [real]


def test_file_that_a_full_disk_takes_no_more_of_is_not_left_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would be cut too, and stay so.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "hcl.toml"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As a full disk does, with another word.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(ConfigError, match="cannot be written: File too large"):
            write_fresh(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert not path.exists()


@pytest.mark.parametrize("root", ["http://127.0.0.1:8000", "http://127.0.0.1:8001/"])
def test_port_of_ones_own_stays(tmp_path: Path, root: str) -> None:
    path = tmp_path / "hcl.toml"
    text = fresh_text().replace("http://127.0.0.1:8000", root)
    path.write_text(text.replace('"127.0.0.1:8000"', '"127.0.0.1:8001"'))

    open_to_network(path, "192.0.2.7")

    server = load(path, {}).server
    assert (str(server.listen), server.site_root) == (
        str(HostPort("0.0.0.0", 8001)),
        "http://192.0.2.7:8001",
    )


@pytest.mark.parametrize(
    ("fresh", "own"),
    [
        ('listen = "127.0.0.1:8000"', 'listen = "192.0.2.1:80"'),
        ('site_root = "http://127.0.0.1:8000"', 'site_root = "https://a"'),
    ],
)
def test_file_with_addresses_of_its_own_stays(
    tmp_path: Path, fresh: str, own: str
) -> None:
    path = tmp_path / "hcl.toml"
    mine = fresh_text().replace(fresh, own)
    path.write_text(mine)

    with pytest.raises(ConfigError, match=r'write listen = "0\.0\.0\.0:8000" and site'):
        open_to_network(path, "192.0.2.7")

    assert path.read_text() == mine


def test_where_nothing_can_be_written_the_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    # Root may write everywhere.
    monkeypatch.setattr("os.open", refuse)
    monkeypatch.setattr("os.geteuid", lambda: tmp_path.stat().st_uid + 1)

    with pytest.raises(ConfigError) as error:
        write_fresh(tmp_path / "hcl.toml")

    assert "belongs to the user" in str(error.value)
    assert str(error.value).endswith("chown it, or go to another folder")


def test_fresh_keys_have_their_form_and_are_never_the_same() -> None:
    first, second = (tomllib.loads(fresh_text())["projects"] for _ in range(2))

    [project] = first
    assert project["name"] == "Home"
    assert re.fullmatch(r"[a-z0-9]{22}", project["ping_key"])
    [key] = project["keys"]
    assert re.fullmatch(r"hcw_[A-Za-z0-9]{28}", key["key"])
    assert key["access"] == "read-write"
    assert second[0]["ping_key"] != project["ping_key"]
    assert second[0]["keys"][0]["key"] != key["key"]


def test_a_fresh_file_loads_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "hcl.toml"

    config = write_fresh(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert config == load(path)
    assert [project.name for project in config.projects] == ["Home"]


def test_the_fresh_files_comments_are_right_too() -> None:
    text = re.sub(r"(?m)^# (?=\[\[|[a-z]+ = )", "", fresh_text())

    [project] = read(text).projects

    assert [channel.name for channel in project.channels] == ["Phone"]


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "hcl.toml"
    path.write_text("mine")

    with pytest.raises(ConfigError, match="is there already, and stays as it is"):
        write_fresh(path)
    with pytest.raises(ConfigError, match="cannot be written: No such file or"):
        write_fresh(tmp_path / "no/hcl.toml")

    assert path.read_text() == "mine"
