"""Clients that are slow, silent or many, on a server that has little patience."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hcl import store
from hcl.config import SmtpdConfig
from hcl.model import Check
from hcl.smtpd.server import MailServer
from hcl.smtpd.session import SESSION_LIMIT
from tests.app import App
from tests.patience import ENDS
from tests.sinks import make_certificate
from tests.store import put_check

Client = tuple[StreamReader, StreamWriter]
BEGIN = b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<%s@hc.test>\r\nDATA\r\n"
IDLE = 0.3

# With a server that has little patience. Elsewhere it has enough for a busy machine.
hasty = pytest.mark.parametrize("idle_timeout", [IDLE])


class Running:
    """A mail server in the loop of the test."""

    def __init__(self, server: MailServer, port: int) -> None:
        self.server = server
        self.port = port

    async def connect(self) -> Client:
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest.fixture
async def check(app: App) -> Check:
    return await put_check(app.database)


@pytest.fixture
def idle_timeout() -> float:
    return ENDS


@pytest.fixture
async def mail(app: App, tmp_path: Path, idle_timeout: float) -> AsyncIterator[Running]:
    make_certificate(tmp_path)
    config = SmtpdConfig(
        listen=None,
        domain="hc.test",
        size_limit=1_000_000,
        tls_cert=tmp_path / "certificate.pem",
        tls_key=tmp_path / "key.pem",
    )
    server = MailServer(app.parts.pinging, config, app.clock, idle_timeout=idle_timeout)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        serving = asyncio.create_task(server.serve([bound]))
        yield Running(server, bound.getsockname()[1])
        server.stop()
        async with asyncio.timeout(ENDS):
            await serving
    assert not server.sessions


async def rest(client: Client) -> bytes:
    """Return what comes up to the end, which must come soon."""
    reader, writer = client
    async with asyncio.timeout(ENDS):
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@hasty
@pytest.mark.parametrize("sent", [b"", b"EHLO x\r\n", b"EHLO x", b"EHLO x\r\nNOOP\r\n"])
async def test_a_silent_client_is_sent_away(mail: Running, sent: bytes) -> None:
    client = await mail.connect()
    client[1].write(sent)

    assert (await rest(client)).endswith(b"421 4.4.2 Nothing came for too long\r\n")


@hasty
async def test_a_client_that_is_silent_in_its_mail_is_sent_away(
    app: App, mail: Running, check: Check
) -> None:
    client = await mail.connect()
    client[1].write(BEGIN % check.code.encode() + b"half\r\n")

    assert b"421 4.4.2" in await rest(client)

    assert await store.pings.newest(app.database.committed, check.id, 10) == []


@hasty
async def test_a_client_that_is_silent_instead_of_speaking_tls_is_sent_away(
    mail: Running,
) -> None:
    client = await mail.connect()
    client[1].write(b"EHLO x\r\nSTARTTLS\r\n")

    assert b"220 Ready" in await rest(client)


async def test_tls_is_spoken_on_asyncios_own_loop_too(
    app: App, mail: Running, check: Check, tmp_path: Path
) -> None:
    context = ssl.create_default_context(cafile=tmp_path / "certificate.pem")

    def send() -> None:
        with smtplib.SMTP("localhost", mail.port, timeout=ENDS) as client:
            client.starttls(context=context)
            client.sendmail("a@b", f"{check.code}@hc.test", b"x" * 200_000)

    await asyncio.to_thread(send)

    ping = await store.pings.by_n(app.database.committed, check.id, 1)
    assert ping is not None
    assert ping.body == b"x" * 200_000 + b"\r\n"


@pytest.mark.parametrize("idle_timeout", [5 * IDLE])
async def test_a_slow_mail_is_taken_as_long_as_something_comes(
    app: App, mail: Running, check: Check
) -> None:
    client = await mail.connect()
    client[1].write(BEGIN % check.code.encode())
    for _ in range(8):
        await asyncio.sleep(IDLE)
        client[1].write(b"line\r\n")
    client[1].write(b".\r\nQUIT\r\n")

    assert b"250 2.0.0 OK" in await rest(client)

    ping = await store.pings.by_n(app.database.committed, check.id, 1)
    assert ping is not None
    assert ping.body == b"line\r\n" * 8


@hasty
async def test_a_client_that_reads_nothing_is_cut_off(mail: Running) -> None:
    _, writer = await mail.connect()
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a reading one
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(ENDS):
            while not writer.is_closing() and mail.server.sessions:
                writer.write(b"EHLO x\r\nRSET\r\n" * 1000)
                await asyncio.sleep(0.01)
    writer.transport.abort()

    async with asyncio.timeout(ENDS):
        while mail.server.sessions:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.01)


async def test_who_finds_no_seat_is_greeted_once_one_is_free(mail: Running) -> None:
    seated = [await mail.connect() for _ in range(SESSION_LIMIT)]
    for reader, _ in seated:
        assert (await reader.readline()).startswith(b"220")
    late = await mail.connect()
    waiting = asyncio.create_task(late[0].readline())
    await asyncio.sleep(0.05)
    assert not waiting.done()

    seated[0][1].write(b"QUIT\r\n")
    assert (await waiting).startswith(b"220")

    for client in (*seated[1:], late):
        client[1].write(b"QUIT\r\n")
    for client in (*seated, late):
        await rest(client)


@hasty
async def test_stop_waits_for_what_is_being_recorded(
    app: App, mail: Running, check: Check
) -> None:
    client = await mail.connect()
    async with app.database.transaction():
        client[1].write(BEGIN % check.code.encode())
        await client[0].readuntil(b"\r\n354 ")
        client[1].write(b"all good\r\n.\r\n")
        await asyncio.sleep(IDLE * 2)
        mail.server.stop()
        await asyncio.sleep(0.05)

    assert b"250 2.0.0 OK\r\n421 4.3.2 Shutting down" in await rest(client)


async def test_settings_change_for_the_next_connection(mail: Running) -> None:
    before = await mail.connect()
    assert (await before[0].readline()).startswith(b"220 hc.test")

    mail.server.use(SmtpdConfig(None, "new.test", 4000, None, None), None)

    after = await mail.connect()
    for client in (before, after):
        client[1].write(b"EHLO x\r\nQUIT\r\n")
    assert (
        b"SIZE 1000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-STARTTLS"
        in await rest(before)
    )
    answer = await rest(after)
    assert b"220 new.test" in answer
    assert b"SIZE 4000" in answer
    assert b"STARTTLS" not in answer
