"""One rule for whom all transports trust and by which way they go, and cures in words.

Each case is tried with real receivers, by webhook, mail (both ways to TLS) and Apprise.
"""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl.alerts.transports import DeliveryError, Transport
from hcl.alerts.transports.apprise import AppriseTransport
from hcl.alerts.transports.apprise_process import Courier
from hcl.alerts.transports.email import Email
from hcl.alerts.transports.webhook import Webhook
from hcl.checks.check_json import Site
from hcl.config import EmailSettings, SmtpConfig, WebhookRequest, WebhookSettings
from hcl.outgoing import reaching
from tests.alerts import NOW, a_message
from tests.certificates import Authority
from tests.patience import ENDS
from tests.sinks import HttpSink, SmtpSink

SITE = Site("https://hcl.example.org", "https://hcl.example.org/ping/")
DAY = timedelta(days=1)
WAYS = ["webhook", "starttls", "tls", "apprise"]
ASKING = ["webhook", "apprise"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Courier]:
    """Apprise takes a second to start: one for all that leave the environment alone."""
    courier = Courier(linger=2 * ENDS)
    yield courier
    await courier.close()


@pytest.fixture
async def own() -> AsyncIterator[Courier]:
    """For those that change the environment."""
    courier = Courier(linger=2 * ENDS)
    yield courier
    await courier.close()


def a_sink(
    way: str, tls: Any = None
) -> AbstractAsyncContextManager[HttpSink] | AbstractAsyncContextManager[SmtpSink]:
    if way in ASKING:
        return HttpSink(tls=tls)
    security: Any = way
    return SmtpSink(security=security, tls=tls)


def a_webhook(url: str, **more: Any) -> Webhook:
    request = WebhookRequest("POST", url, "told", ())
    return Webhook(WebhookSettings(request, None), SITE, **more)


def a_mail(port: int, security: Any, host: str = "127.0.0.1", **more: Any) -> Email:
    smtp = SmtpConfig(host, port, "", "", security, "hcl@example.org")
    return Email("a", EmailSettings(("ops@example.org",)), smtp, **more)


def a_transport(
    way: str,
    port: int,
    courier: Courier,
    *,
    host: str = "127.0.0.1",
    ca_file: Path | None = None,
    plain: bool = False,
) -> Transport:
    s = "" if plain else "s"
    if way == "webhook":
        return a_webhook(f"http{s}://{host}:{port}/secret", ca_file=ca_file)
    if way == "apprise":
        url = f"gotify{s}://{host}:{port}/secret"
        return AppriseTransport("gotify", url, ENDS, courier, ca_file)
    return a_mail(port, way, host, ca_file=ca_file)


async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer in plain HTTP, whatever was said."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    writer.close()


async def reason(transport: Transport) -> str:
    """Send, which is to fail; return why."""
    with pytest.raises(DeliveryError) as caught:
        await transport.send(a_message(), NOW)
    await transport.aclose()
    told = caught.value.reason
    assert "\n" not in told
    assert "secret" not in told
    return told


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("certificate", "told"),
    [
        (
            {"begins": -3 * DAY, "ends": -DAY},
            "certificate has expired; renew it on that server",
        ),
        (
            {"begins": DAY},
            "certificate is not yet valid; see whether the clocks of both machines are"
            " right",
        ),
        (
            {"names": "DNS:elsewhere.example"},
            "; use the name that its certificate bears",
        ),
    ],
    ids=["expired", "not yet valid", "of another"],
)
async def test_certificate_that_is_not_valid_is_told_with_its_cure(
    way: str,
    certificate: Any,
    told: str,
    authority: Authority,
    shared: Courier,
) -> None:
    async with a_sink(way, authority.server(**certificate)) as sink:
        transport = a_transport(way, sink.port, shared, ca_file=authority.file)

        problem = await reason(transport)

        assert problem.startswith("cannot connect to 127.0.0.1: ")
        assert problem.endswith(told)
        assert sink.records == []


@pytest.mark.parametrize("way", WAYS)
async def test_authority_of_ones_own_is_trusted_once_it_is_named(
    way: str, authority: Authority, shared: Courier
) -> None:
    async with a_sink(way, authority.server()) as sink:
        problem = await reason(a_transport(way, sink.port, shared))
        assert "[tls] ca_file" in problem

        named = a_transport(way, sink.port, shared, ca_file=authority.file)
        await named.send(a_message(), NOW)
        await named.aclose()

        assert len(sink.records) == 1


@pytest.mark.parametrize("way", ["webhook", "tls"])
@pytest.mark.parametrize("said", ["ca_file", "SSL_CERT_FILE"])
async def test_authority_that_was_renewed_counts_for_channels_that_are_open(
    way: str,
    said: str,
    authority: Authority,
    shared: Courier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "ca.pem"
    old = Authority(tmp_path)
    file.write_bytes(old.file.read_bytes())
    ca_file = file if said == "ca_file" else None
    if ca_file is None:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with a_sink(way, authority.server()) as sink:
        transport = a_transport(way, sink.port, shared, ca_file=ca_file)
        with pytest.raises(DeliveryError):
            await transport.send(a_message(), NOW)

        file.write_bytes(authority.file.read_bytes())
        await transport.send(a_message(), NOW)
        await transport.aclose()

        assert len(sink.records) == 1


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Path]:
    """A file on a share that is away: whoever reads it waits."""
    path = tmp_path / "ca.pem"
    os.mkfifo(path)
    yield path
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


@pytest.mark.parametrize("way", ["webhook", "tls"])
async def test_authority_on_a_share_that_is_away_is_told_and_holds_one_thread(
    way: str, away: Path, shared: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaching, "READ_WITHIN", 0.1)
    before = set(threading.enumerate())

    problems = [
        await reason(a_transport(way, 9, shared, ca_file=away)) for _ in range(2)
    ]

    told = "[tls] ca_file is not read within 0.1 s: is its disk there?"
    assert problems == [told, told]
    held = [one.name for one in threading.enumerate() if one not in before]
    assert held == ["trust"]


@pytest.mark.parametrize("way", WAYS)
async def test_authority_of_the_environment_is_trusted(
    way: str, authority: Authority, own: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    # Libraries have variables of their own, which would count for some and not for all.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")

    async with a_sink(way, authority.server()) as sink:
        transport = a_transport(way, sink.port, own)
        await transport.send(a_message(), NOW)
        await transport.aclose()

        assert len(sink.records) == 1


@pytest.mark.parametrize("way", ASKING)
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
async def test_proxy_of_the_environment_is_asked(
    way: str, name: str, own: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with HttpSink() as proxy:
        monkeypatch.setenv(name, f"http://me:pass@127.0.0.1:{proxy.port}")
        transport = a_transport(way, 80, own, host="hook.invalid", plain=True)

        await transport.send(a_message(), NOW)
        await transport.aclose()

        [record] = proxy.records
        assert record.target.startswith("http://hook.invalid")
        assert record.headers["proxy-authorization"] == "Basic bWU6cGFzcw=="


@pytest.mark.parametrize("way", ASKING)
@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "x.org, *"])
async def test_what_no_proxy_names_is_asked_directly(
    way: str, entry: str, own: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with HttpSink() as proxy, HttpSink() as sink:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", entry)
        transport = a_transport(way, sink.port, own, plain=True)

        await transport.send(a_message(), NOW)
        await transport.aclose()

        assert (len(sink.records), len(proxy.records)) == (1, 0)


@pytest.mark.parametrize("way", ASKING)
async def test_proxy_that_is_not_there_is_named(
    way: str, own: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://me:secret@127.0.0.1:1")

    problem = await reason(a_transport(way, 443, own, host="hook.invalid"))

    assert "through the proxy" in problem
    assert problem.endswith("connection refused")


async def test_proxy_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with HttpSink(407) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)

        tunnel = await reason(a_webhook("https://hook.invalid/secret"))
        plain = await reason(a_webhook("http://hook.invalid/secret"))

    for problem in (tunnel, plain):
        assert (
            "it wants a user and a password" in problem or "the proxy wants" in problem
        )


async def test_proxy_that_hcl_cannot_use_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")

    problem = await reason(a_webhook("http://hook.invalid/secret"))

    assert problem == "cannot use the proxy 127.0.0.1:1; use one of http://…"


@pytest.mark.parametrize("way", ASKING)
async def test_redirect_is_told_with_where_it_leads(way: str, shared: Courier) -> None:
    async with HttpSink() as other, HttpSink(301) as sink:
        sink.headers = (("Location", f"{other.url}secret"),)

        problem = await reason(a_transport(way, sink.port, shared, plain=True))

        where = f"it redirects to http://127.0.0.1:{other.port}"
        assert f"HTTP 301 from 127.0.0.1: {where}" in problem
        assert other.records == []


@pytest.mark.parametrize("way", WAYS)
async def test_name_that_is_not_known_is_told(way: str, shared: Courier) -> None:
    problem = await reason(a_transport(way, 1, shared, host="nowhere.invalid"))

    assert problem.startswith("cannot connect to nowhere.invalid: ")
    # As the name server is there or not.
    assert "see how it is spelt" in problem or "a network and a name server" in problem


@pytest.mark.parametrize("way", ASKING)
async def test_tls_to_a_port_without_it_names_the_cure(
    way: str, shared: Courier
) -> None:
    async with await asyncio.start_server(refuse, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        problem = await reason(a_transport(way, port, shared))

    assert "it does not speak TLS there; use " in problem


@pytest.mark.parametrize("security", ["starttls", "none"])
async def test_mail_port_that_wants_tls_at_once_is_told_soon(
    security: str, authority: Authority
) -> None:
    async with SmtpSink(security="tls", tls=authority.server()) as sink:
        problem = await reason(a_mail(sink.port, security))

    place = f"127.0.0.1:{sink.port} speaks TLS from the first byte on"
    assert problem.startswith(f'{place}; set [smtp] security = "tls"')


async def test_mail_port_without_tls_names_the_cure() -> None:
    async with SmtpSink() as sink:
        at_once = await reason(a_mail(sink.port, "tls"))
        later = await reason(a_mail(sink.port, "starttls"))

    assert at_once.endswith('set [smtp] security = "starttls", or port = 465')
    assert f"port {sink.port} offers no STARTTLS: set [smtp] security" in later
    assert "port = 465" in later
    assert "port = 587" in later


async def test_mail_server_that_wants_starttls_names_the_cure(
    authority: Authority,
) -> None:
    async with SmtpSink(security="starttls", tls=authority.server()) as sink:
        problem = await reason(a_mail(sink.port, "none"))

    assert problem.endswith('; set [smtp] security = "starttls"')


@pytest.mark.parametrize(
    ("step", "answer", "cure"),
    [
        ("mail", "553 5.1.8 no such sender", "see [smtp] from"),
        ("mail", "530 5.7.0 Authentication required", "set [smtp] username"),
        ("rcpt", "554 5.7.1 Relay access denied", "set [smtp] username"),
        ("rcpt", "550 5.1.1 user unknown", "see the channel's `to`"),
    ],
)
async def test_refusal_of_a_mail_server_names_the_key(
    step: str, answer: str, cure: str
) -> None:
    async with SmtpSink() as sink:
        refused: Any = {"ops@example.org": answer} if step == "rcpt" else answer
        setattr(sink.refusals, step, refused)

        problem = await reason(a_mail(sink.port, "none"))

    assert answer in problem
    assert cure in problem


async def test_wrong_password_names_the_keys() -> None:
    async with SmtpSink(users={"me": "right"}) as sink:
        smtp = SmtpConfig("127.0.0.1", sink.port, "me", "secret", "none", "a@b.org")

        problem = await reason(Email("a", EmailSettings(("c@d.org",)), smtp))

    assert problem.endswith("; see [smtp] username and password")


async def test_what_is_no_mail_server_is_told() -> None:
    async with await asyncio.start_server(refuse, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        problem = await reason(a_mail(port, "none"))

    assert "see [smtp] host and port" in problem


async def test_sender_with_other_letters_names_the_cure() -> None:
    async with SmtpSink() as sink:
        smtp = SmtpConfig("127.0.0.1", sink.port, "", "", "none", "jörg@example.org")

        transport = Email("a", EmailSettings(("c@d.org",)), smtp)

        problem = await reason(transport)

    assert "SMTPUTF8" in problem
    assert problem.endswith("; use an address with ASCII letters before the @")


async def test_silent_mail_server_is_waited_for_in_vain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        problem = await reason(a_mail(port, "starttls", try_timeout=0.3))

    assert problem == "127.0.0.1 did not take the message within 0.3 s"
