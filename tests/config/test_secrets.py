"""Secrets and other strings, written down or standing elsewhere."""

import hashlib
import tomllib
from pathlib import Path

import pytest

from hcl.config import (
    ConfigError,
    WebhookRequest,
    WebhookSettings,
    parse,
    reading,
)
from tests.config import K32, PROJECT, read, refusal


@pytest.mark.parametrize("secret", ["", "x" * 32, "ä" * 32])
def test_secret_of_32_characters_is_long_enough(secret: str) -> None:
    assert read(f"[server]\nsecret = '{secret}'\n{PROJECT}").server.secret == secret


def test_short_secret_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a word\n")

    for place in ("{ file = 'secret' }", "{ env = 'SHORT' }"):
        data = tomllib.loads(f"[server]\nsecret = {place}\n{PROJECT}")
        with pytest.raises(ConfigError) as error:
            parse(data, tmp_path, "hcl.toml", {"SHORT": "a word"})
        assert "server.secret: is too short" in str(error.value)
        assert "a word" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "value"), [("s3\n", "s3"), ("s3\r\n", "s3"), ("s3", "s3"), ("ž", "ž")]
)
def test_a_secret_may_stand_in_a_file(tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "pw").write_bytes(content.encode())
    data = tomllib.loads("[smtp]\npassword = { file = 'pw' }\n" + PROJECT)

    config = parse(data, tmp_path, "hcl.toml", {})

    assert config.smtp.password == value


def test_a_secret_may_stand_in_the_environment() -> None:
    text = """
        [server]
        secret = { env = "A" }
        [api]
        metrics_key = { env = "B" }
        [smtp]
        username = { env = "C" }
        [[projects]]
        name = "Home"
        ping_key = { env = "D" }
        badge_key = { env = "E" }
        [[projects.keys]]
        name = "me"
        key = { env = "F" }
        [[projects.channels]]
        name = "Hook"
        kind = "webhook"
        [projects.channels.down]
        url = { env = "G" }
        body = { env = "H" }
        headers = { X = { env = "I" } }
    """
    env = dict(zip("ABCDE", "abcde", strict=True)) | {"F": K32, "G": "http://g"}

    config = read(text, env | {"A": K32, "H": "h", "I": "i"})

    [project] = config.projects
    assert config.server.secret == K32
    assert config.api.metrics_key == "b"
    assert config.smtp.username == "c"
    assert (project.ping_key, project.badge_key) == ("d", "e")
    assert project.keys[0].sha256 == hashlib.sha256(K32.encode()).hexdigest()
    assert project.channels[0].settings == WebhookSettings(
        WebhookRequest("GET", "http://g", "h", (("X", "i"),)), None
    )


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("{ env = 'NO' }", "the environment variable NO is not set"),
        ("{ env = 'BAD' }", "the environment variable BAD is not UTF-8"),
        ("{ file = 'no' }", "cannot read {}/no: No such file or directory"),
        ("{ file = '.' }", "cannot read {}: Is a directory"),
        ("{ file = 'latin' }", "cannot read {}/latin: it is not UTF-8"),
        ("{ file = '' }", "is not a string; use "),
        ("{ file = 'a', env = 'b' }", "is not a string; use "),
        ("{ flie = 'a' }", "is not a string; use "),
        ("{ env = 3 }", "is not a string; use "),
        ("12345678", "is not a string; use "),
        ('"""a\nb"""', "has a control character; use one line of text"),
    ],
)
def test_a_bad_secret_is_told_without_its_value(
    tmp_path: Path, secret: str, problem: str
) -> None:
    (tmp_path / "latin").write_bytes(b"\xe9")
    data = tomllib.loads(f"[smtp]\npassword = {secret}\n{PROJECT}")

    with pytest.raises(ConfigError) as caught:
        parse(data, tmp_path, "hcl.toml", {"BAD": "\udce9"})

    message = str(caught.value)
    assert message.startswith(f"hcl.toml: smtp.password: {problem.format(tmp_path)}")
    assert "12345678" not in message


def test_credential_of_systemd_is_read(tmp_path: Path) -> None:
    (tmp_path / "smtp").write_text("s3cret\n")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    text = "[smtp]\npassword = { credential = 'smtp' }\n" + PROJECT

    assert read(text, env).smtp.password == "s3cret"
    told = refusal(text)
    assert "run hcl by systemd, with LoadCredential= in its unit" in told
    assert "let CREDENTIALS_DIRECTORY name the folder" in told
    gone = refusal(text.replace("'smtp'", "'gone'"), env)
    assert gone.endswith("gone: No such file or directory")
    for name in ("../smtp", "..", "/etc/passwd"):
        told = refusal(text.replace("'smtp'", f"'{name}'"), env)
        assert "is not the name of a credential; use one without /" in told


def test_commands_find_the_credentials_of_the_unit_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "OF_UNIT", tmp_path / "hcl.service")
    (tmp_path / "hcl.service").mkdir()
    (tmp_path / "hcl.service/smtp").write_text("s3cret\n")
    (tmp_path / "smtp").write_text("another\n")
    text = "[smtp]\npassword = { credential = 'smtp' }\n" + PROJECT

    own = read(text, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert read(text).smtp.password == "s3cret"
    assert own.smtp.password == "another"


def test_credentials_that_may_not_be_looked_for_are_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # To root too; units hide /run/credentials from who has none of his own.
    monkeypatch.setattr(reading, "OF_UNIT", tmp_path / ("x" * 300))

    told = refusal("[smtp]\npassword = { credential = 'smtp' }\n" + PROJECT)

    assert "CREDENTIALS_DIRECTORY is not set" in told


def test_any_string_may_stand_elsewhere() -> None:
    env = {"HOST": "mail.example.org", "TO": "ops@example.org", "HOW": "none"}
    text = (
        "[smtp]\nhost = { env = 'HOST' }\nsecurity = { env = 'HOW' }\n"
        + PROJECT
        + "[[projects.channels]]\nname = 'Mail'\nkind = 'email'\n"
        + "to = [{ env = 'TO' }]\n"
    )

    config = read(text, env)

    assert (config.smtp.host, config.smtp.security) == ("mail.example.org", "none")
    assert config.projects[0].channels[0].place == "ops@example.org"
