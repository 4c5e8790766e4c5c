"""Files that are found, read or not, and what stands in them."""

from pathlib import Path

import pytest

from hcl.config import (
    ConfigError,
    exposed,
    find,
    load,
)
from tests.certificates import Authority
from tests.config import PROJECT


def test_a_file_of_an_editor_of_windows_is_read(tmp_path: Path) -> None:
    text = f"[smtp]\r\npassword = {{ file = 'password' }}\r\n{PROJECT}"
    path = tmp_path / "hcl.toml"
    path.write_text(text, encoding="utf-8-sig")
    (tmp_path / "password").write_text("s3cret\r\n", encoding="utf-8-sig")
    path.chmod(0o644)

    config = load(path)

    assert config.smtp.password == "s3cret"
    assert len(exposed(config)) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[server\n", " is not TOML: "),
        (b"a = 1\na = 2\n", " is not TOML: "),
        (b"a = " + b"9" * 5000, " cannot be read as TOML: Exceeds the limit"),
        (b"a = " + b"[" * 5000, " cannot be read as TOML: maximum recursion depth"),
        (b"a = 1\nb = '\xe9'\n", "2: is not UTF-8; have your editor save it as that"),
        (None, " cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_a_line(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "hcl.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert str(caught.value).startswith(f"{path}:{problem}")
    assert "\n" not in str(caught.value)


def test_paths_are_relative_to_the_file_and_absolute_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/my.toml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)

    config = load(Path("conf/my.toml"))

    assert config.path == tmp_path / "conf/my.toml"
    assert config.database.path == tmp_path / "conf/hcl.sqlite"


def test_the_first_file_of_the_list_counts(tmp_path: Path) -> None:
    here, system = tmp_path / "hcl.toml", tmp_path / "etc/hcl.toml"
    env = {"HCL_CONFIG": "/env.toml"}

    assert find("/given.toml", env, tmp_path, system) == Path("/given.toml")
    assert find("given.toml", env, tmp_path, system) == tmp_path / "given.toml"
    assert find(None, env, tmp_path, system) == Path("/env.toml")
    state = tmp_path / "state.toml"
    assert find(None, {"HCL_CONFIG": ""}, tmp_path, system, state) is None
    state.touch()
    assert find(None, {}, tmp_path, system, state) == state
    system.parent.mkdir()
    system.touch()
    assert find(None, {}, tmp_path, system, state) == system
    here.touch()
    assert find(None, {}, tmp_path, system) == here


def test_folder_that_may_not_be_looked_into_hides_no_other_file(tmp_path: Path) -> None:
    system, none = tmp_path / "etc.toml", tmp_path / "none.toml"
    system.touch()
    # Root too cannot tell what is there; others cannot in people's homes.
    hidden = tmp_path / ("x" * 300)

    assert find(None, {}, hidden, system, none) == system
    assert find(None, {}, hidden, none, system) == system
    # Else the error names the folder.
    assert find(None, {}, hidden, none, none) == hidden / "hcl.toml"


def test_file_of_authorities_has_to_hold_one(tmp_path: Path) -> None:
    path = tmp_path / "hcl.toml"
    path.write_text("[tls]\nca_file = 'ca.pem'\n" + PROJECT)

    with pytest.raises(ConfigError, match=r"tls\.ca_file: cannot read .*ca\.pem: No"):
        load(path, {})
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(ConfigError, match=r"tls\.ca_file: no certificate in PEM form"):
        load(path, {})
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnone\n")
    with pytest.raises(ConfigError, match=r"tls\.ca_file: .* cannot be used"):
        load(path, {})
    authority = Authority(tmp_path)
    assert load(path, {}).tls.ca_file == authority.file
