"""The user agent, address and scheme that a ping is kept with."""

from pathlib import Path

import pytest

from tests.app import CONFIG, App, running_app
from tests.web.pinging import get_log, new_check


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"curl/8.0", "curl/8.0"),
        (b"", ""),
        (b"x" * 200, "x" * 200),
        (b"x" * 201, "x" * 200),
        (b"x" * 5000, "x" * 200),
        ("é".encode() * 300, "é" * 200),
        (b"\xff\xfe", "\xff\xfe"),
        (b"caf\xe9/1.0", "café/1.0"),
        ("café/1.0".encode(), "café/1.0"),
        (b"caf\xe9 caf\xc3\xa9", "café cafÃ©"),
        (b"\xe9" * 201, "é" * 200),
    ],
    ids=lambda value: repr(value[:10]),
)
async def test_user_agent_is_cut_to_200_characters(
    app: App, sent: bytes, kept: str
) -> None:
    code = await new_check(app)

    response = await app.http.get(f"/ping/{code}", headers=[(b"User-Agent", sent)])

    assert response.status_code == 200
    assert [ping["ua"] for ping in await get_log(app, code)] == [kept]


@pytest.mark.parametrize(
    ("forwarded", "kept"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 198.51.100.1", "203.0.113.7"),
        ("203.0.113.7,198.51.100.1,10.0.0.1", "203.0.113.7"),
        ("  203.0.113.7  ", "203.0.113.7"),
        ("203.0.113.7:51234", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:DB8::1]:51234", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
        ("", "127.0.0.1"),
        ("unknown", "127.0.0.1"),
        ("<script>", "127.0.0.1"),
        ("203.0.113.777", "127.0.0.1"),
        ("203.0.113", "127.0.0.1"),
        ("[", "127.0.0.1"),
        (":", "127.0.0.1"),
        ("x" * 10_000, "127.0.0.1"),
    ],
    ids=lambda text: text[:30],
)
async def test_trusted_proxy_tells_the_remote_address(
    tmp_path: Path, forwarded: str, kept: str
) -> None:
    async with running_app(tmp_path, peer="127.0.0.1") as app:
        code = await new_check(app)

        response = await app.http.get(
            f"/ping/{code}", headers={"X-Forwarded-For": forwarded}
        )

        assert response.status_code == 200
        assert [ping["remote_addr"] for ping in await get_log(app, code)] == [kept]


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", True),
        ("127.0.0.2", False),
        ("192.0.2.1", False),
        ("2001:db8::2", False),
    ],
)
async def test_only_trusted_proxies_are_believed(
    tmp_path: Path, peer: str, trusted: bool
) -> None:
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    async with running_app(tmp_path, peer=peer) as app:
        code = await new_check(app)

        await app.http.get(f"/ping/{code}", headers=headers)

        (ping,) = await get_log(app, code)
        if trusted:
            assert (ping["remote_addr"], ping["scheme"]) == ("203.0.113.7", "https")
        else:
            assert (ping["remote_addr"], ping["scheme"]) == (peer, "http")


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [
        (None, "http"),
        ("https", "https"),
        ("HTTPS", "https"),
        ("http", "http"),
        ("https, http", "https"),
        ("http, https", "http"),
        ("ftp", "http"),
        ("email", "http"),
        ("", "http"),
    ],
)
async def test_trusted_proxy_tells_the_scheme(
    tmp_path: Path, proto: str | None, scheme: str
) -> None:
    headers = {} if proto is None else {"X-Forwarded-Proto": proto}
    async with running_app(tmp_path, peer="127.0.0.1") as app:
        code = await new_check(app)

        await app.http.get(f"/ping/{code}", headers=headers)

        assert [ping["scheme"] for ping in await get_log(app, code)] == [scheme]


async def test_mapped_address_of_a_peer_is_kept_in_canonical_form(
    tmp_path: Path,
) -> None:
    # So a socket for both families names its IPv4 clients.
    async with running_app(tmp_path, peer="::ffff:192.0.2.7") as app:
        code = await new_check(app)

        await app.http.get(f"/ping/{code}")

        assert [p["remote_addr"] for p in await get_log(app, code)] == ["192.0.2.7"]


async def test_configured_network_is_trusted(tmp_path: Path) -> None:
    text = CONFIG.replace("[server]", '[server]\ntrusted_proxies = ["10.0.0.0/8"]')
    async with running_app(tmp_path, text, peer="10.1.2.3") as app:
        code = await new_check(app)

        await app.http.get(f"/ping/{code}", headers={"X-Forwarded-For": "192.0.2.9"})

        assert [p["remote_addr"] for p in await get_log(app, code)] == ["192.0.2.9"]
