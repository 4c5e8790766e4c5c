"""Moving in goes out by hcl's one rule: whom TLS trusts, and which proxy is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import toml
from tests.certificates import Authority
from tests.moving.serving import read
from tests.moving.test_by_api import CHECK, KEY, apart
from tests.sinks import HttpRecord, HttpSink


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def answer(record: HttpRecord) -> tuple[int, bytes]:
    """Answer as a server with one check and no log."""
    lists: dict[str, Any] = {"checks": [CHECK], "channels": [], "badges": {}}
    name = record.target.rstrip("/").rpartition("/")[2]
    if name not in lists:
        return 200, json.dumps({"pings": [], "flips": []}).encode()
    return 200, json.dumps({name: lists[name]}).encode()


def config(folder: Path, **tls: str) -> None:
    text = toml.table("tls", **tls) if tls else ""
    (folder / "hcl.toml").write_text(text + toml.project("Here", "here"))


@pytest.mark.parametrize("said", ["ca_file", "SSL_CERT_FILE", "nowhere"])
async def test_a_server_with_a_private_ca_is_trusted_as_hcl_toml_says(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    config(tmp_path, **({said: str(authority.file)} if said == "ca_file" else {}))
    if said == "SSL_CERT_FILE":
        monkeypatch.setenv(said, str(authority.file))
    async with HttpSink(tls=authority.server()) as sink:
        sink.answers = answer

        done = await apart(tmp_path, "import", sink.url, "--api-key", KEY)

    if said == "nowhere":
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert line.startswith(f"Error: {sink.url.rstrip('/')}: ")
        assert "name the file of its CA in [tls] ca_file" in line
        assert not (tmp_path / "hcl.sqlite").exists()
    else:
        assert done.returncode == 0, done.stderr
        assert read(tmp_path, "SELECT code FROM checks") == [(CHECK["uuid"],)]


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
async def test_a_proxy_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with HttpSink() as proxy:
        proxy.answers = answer
        monkeypatch.setenv(name, proxy.url)

        done = await apart(
            tmp_path, "import", "http://old.example.org", "--api-key", KEY
        )
        first = proxy.records[0]

    assert done.returncode == 0, done.stderr
    assert first.target == "http://old.example.org/api/v3/checks/"
    assert read(tmp_path, "SELECT code FROM checks") == [(CHECK["uuid"],)]


async def test_what_no_proxy_covers_is_asked_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with HttpSink() as sink, HttpSink(502) as proxy:
        sink.answers = answer
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "example.org,127.0.0.0/8")

        done = await apart(tmp_path, "import", sink.url, "--api-key", KEY)

    assert done.returncode == 0, done.stderr
    assert proxy.records == []


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("http://user:secret@127.0.0.1:9", "through the proxy 127.0.0.1:9: connection"),
        ("socks5://127.0.0.1:9", "cannot use the proxy 127.0.0.1:9; use one of http:"),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, words: str
) -> None:
    monkeypatch.setenv("all_proxy", way)
    monkeypatch.setattr("hcl.moving.remote._TRIES", 1)

    done = await apart(tmp_path, "import", "http://old.example.org", "--api-key", KEY)

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert words in line
    assert "secret" not in line
