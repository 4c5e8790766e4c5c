"""Clients that are slow, silent or many, on a server that has little patience."""

import asyncio
import contextlib
import logging
import re
import resource
import smtplib
import socket
import ssl
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hcl import store
from hcl.config import SmtpdConfig
from hcl.model import Check
from hcl.smtpd import refusals, room, session
from hcl.smtpd.server import MailServer
from hcl.words import mail as mails
from tests.app import PING_KEY, App
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
    server = MailServer(
        app.parts.pinging,
        replace(app.config, smtpd=config),
        app.clock,
        idle_timeout=idle_timeout,
    )
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
async def test_a_mail_that_came_while_the_server_stood_still_counts(
    app: App, mail: Running, check: Check
) -> None:
    client = await mail.connect()
    await client[0].readline()
    client[1].write(BEGIN % check.code.encode() + b"half\r\n")
    await client[0].readuntil(b"354 ")
    client[1].write(b"and half\r\n.\r\nQUIT\r\n")
    # Nobody gets a turn: as in a process that is stopped, or has no time to run.
    time.sleep(2.0)  # noqa: ASYNC251

    assert b"250 2.0.0" in await rest(client)

    [ping] = await store.pings.newest(app.database.committed, check.id, 10)
    assert ping.action == "success"


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


async def say(client: Client, said: bytes, wanted: bytes) -> None:
    """Send something, and read up to the line that begins as is wanted."""
    client[1].write(said)
    async with asyncio.timeout(ENDS):
        while not (line := await client[0].readline()).startswith(wanted):
            assert line, f"{wanted!r} never came"


async def deliver(mail: Running, check: Check) -> None:
    """Connect as one more client, and send a mail, which must be taken soon."""
    client = await mail.connect()
    await say(client, BEGIN % check.code.encode(), b"354")
    await say(client, b"all good\r\n.\r\nQUIT\r\n", b"250 2.0.0")
    await rest(client)


@pytest.mark.parametrize(
    "said",
    [b"", b"EHLO x\r\nNOOP\r\n", b"EHLO x\r\nMAIL FROM:<a@b>\r\n"],
)
async def test_those_who_send_no_mail_take_no_seat(
    mail: Running, check: Check, said: bytes
) -> None:
    # Ten times as many as there are seats.
    idle = [await mail.connect() for _ in range(10 * room.SEATS)]
    for client in idle:
        client[1].write(said)

    await deliver(mail, check)

    assert len(mail.server.sessions) <= room.CONNECTIONS_OF_ONE
    for client in idle:
        client[1].close()


async def test_one_address_has_few_seats_and_the_others_have_theirs(
    mail: Running, check: Check
) -> None:
    seated = [await mail.connect() for _ in range(room.SEATS_OF_ONE)]
    for client in seated:
        await say(client, BEGIN % check.code.encode(), b"354")
    late = await mail.connect()
    await say(late, (BEGIN % check.code.encode()).replace(b"DATA", b"NOOP"), b"250 OK")
    waiting = asyncio.create_task(say(late, b"DATA\r\n", b"354"))
    other = await asyncio.open_connection(
        "127.0.0.1", mail.port, local_addr=("127.0.0.2", 0)
    )
    await say(other, BEGIN % check.code.encode(), b"354")
    assert not waiting.done()

    await say(seated[0], b"all good\r\n.\r\n", b"250 2.0.0")
    await waiting

    for client in (*seated, late, other):
        client[1].close()


async def test_who_waits_for_a_seat_for_too_long_is_to_try_again(
    mail: Running, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SEAT_TIMEOUT", 0.05)
    seated = [await mail.connect() for _ in range(room.SEATS_OF_ONE)]
    for client in seated:
        await say(client, BEGIN % check.code.encode(), b"354")

    late = await mail.connect()
    await say(late, BEGIN % check.code.encode(), b"451 4.3.2")
    await say(seated[0], b"all good\r\n.\r\n", b"250 2.0.0")
    # The mail that could not come is as it was.
    await say(late, b"DATA\r\n", b"354")

    for client in (*seated, late):
        client[1].close()


async def test_who_comes_when_it_is_full_takes_the_place_of_the_idlest(
    mail: Running, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    first = await mail.connect()
    await say(first, b"", b"220")
    busy = await mail.connect()
    await say(busy, BEGIN % check.code.encode(), b"354")
    others = [await mail.connect() for _ in range(room.CONNECTIONS_OF_ONE - 2)]
    for client in others:
        await say(client, b"", b"220")

    await deliver(mail, check)

    assert (await rest(first)).startswith(b"421 4.3.2 Too many connections")
    assert "mail from 127.0.0.1 was refused: too many connections" in caplog.text
    await say(busy, b"all good\r\n.\r\n", b"250 2.0.0")
    for client in (busy, *others):
        client[1].close()


async def test_where_all_send_mails_one_more_is_sent_away(
    mail: Running, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CONNECTIONS", 3)
    busy = [await mail.connect() for _ in range(3)]
    for client in busy:
        await say(client, BEGIN % check.code.encode(), b"354")

    assert (await rest(await mail.connect())).startswith(b"421 4.3.2")

    for client in busy:
        client[1].close()


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(256, 32), (1024, 128), (4096, 500), (resource.RLIM_INFINITY, 500)],
)
def test_mail_takes_an_eighth_of_the_descriptors(
    limit: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))

    assert room.most() == expected


@pytest.mark.parametrize("idle_timeout", [3 * IDLE])
@pytest.mark.parametrize(
    "said",
    [
        *(b"NOOP\r\n", b"RSET\r\n", b"VRFY x\r\n", b"EHLO x\r\n", b"HELO x\r\n"),
        *(b"MAIL FROM:<a@b>\r\nRSET\r\n", b"N", b"RCPT TO:<x@y>\r\n"),
    ],
    ids=ascii,
)
async def test_what_leads_to_no_mail_gives_no_more_time(
    mail: Running, said: bytes
) -> None:
    reader, writer = await mail.connect()
    writer.write(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRSET\r\n")
    begun = asyncio.get_running_loop().time()

    async def chatter() -> None:
        while True:
            writer.write(said)
            await asyncio.sleep(IDLE / 4)

    chattering = asyncio.create_task(chatter())
    # Or else it goes on until there were too many commands.
    async with asyncio.timeout(ENDS):
        # What is said to a connection that is closed would reset it.
        await reader.readuntil(b"421 4.4.2 Nothing came for too long\r\n")
    chattering.cancel()
    writer.close()

    assert asyncio.get_running_loop().time() - begun < ENDS


async def test_the_first_command_must_come_soon(
    mail: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    greeted = await mail.connect()
    await say(greeted, b"EHLO x\r\n", b"250 ")
    monkeypatch.setattr(session, "HELLO_TIMEOUT", 0.1)
    silent = await mail.connect()

    assert b"421 4.4.2" in await rest(silent)

    await say(greeted, b"NOOP\r\n", b"250 OK")
    greeted[1].close()


async def test_all_of_a_mail_must_come_in_its_time(
    mail: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAIL_TIMEOUT", IDLE)
    client = await mail.connect()
    client[1].write(b"EHLO x\r\n")

    assert b"421 4.4.2" in await rest(client)


# What of it the log tells


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


UNKNOWN = "b7a6d9c2-5c3e-4c51-9b2e-3c7f0d1e2f3a"


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            b"RCPT TO:<backup@hc.test>\r\n",
            "for backup@hc.test was refused: 550 5.1.1 No check has such an address",
        ),
        (
            b"RCPT TO:<%s@elsewhere>\r\n" % UNKNOWN.encode(),
            "for b7a6d9c2-5c3…@elsewhere was refused: 550 5.1.1 No check has such an"
            " address",
        ),
        (
            b"RCPT TO:<short+job@hc.test>\r\n",
            "for shor…+job@hc.test was refused: 550 5.1.1 No check has such an address",
        ),
        (
            b"RCPT TO:<%s@hc.test> WHAT=1\r\n" % UNKNOWN.encode(),
            "for b7a6d9c2-5c3…@hc.test was refused: 555 RCPT TO parameters not"
            " recognized or not implemented",
        ),
        (
            b"RCPT TO:<%s@hc.test>\r\nDATA\r\nx\r\n.\r\n" % UNKNOWN.encode(),
            f"dropped: no check has the address {UNKNOWN}",
        ),
        (
            b"RCPT TO:<%s+job@hc.test>\r\nDATA\r\nx\r\n.\r\n" % PING_KEY.encode(),
            f"dropped: no check has the address {PING_KEY[:4]}…+job",
        ),
        (
            b"RCPT TO:<%s@hc.test>\r\nDATA\r\nx\r\n" % UNKNOWN.encode(),
            "was cut off before its end",
        ),
    ],
)
async def test_what_is_not_taken_is_told_in_one_line(
    mail: Running, caplog: pytest.LogCaptureFixture, said: bytes, line: str
) -> None:
    client = await mail.connect()
    client[1].write(b"EHLO x\r\nMAIL FROM:<cr\xf6n@box>\r\n" + said)
    client[1].write_eof()

    await rest(client)

    assert told(caplog) == [f"mail from 127.0.0.1 (crön@box) {line}"]


async def test_a_slug_of_two_checks_is_told(
    app: App, mail: Running, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        await put_check(app.database, slug="twin", project_id=1)
    client = await mail.connect()
    begin = BEGIN.replace(b"%s", f"{PING_KEY.upper()}+twin".encode())
    await say(client, begin, b"354")
    await say(client, b"all good\r\n.\r\n", b"250 2.0.0")
    client[1].close()

    [line] = told(caplog)
    assert line == (
        "mail from 127.0.0.1 (a@b) dropped: several checks have the address"
        f" {PING_KEY[:4]}…+twin"
    )


async def test_a_mail_that_says_it_is_too_large_is_told(
    mail: Running, caplog: pytest.LogCaptureFixture
) -> None:
    client = await mail.connect()
    await say(client, b"EHLO x\r\nMAIL FROM:<a@b> SIZE=25000001\r\n", b"552")
    client[1].close()

    [line] = told(caplog)
    assert line.startswith("mail from 127.0.0.1 (FROM:<a@b> SIZE=25000001) was refused")


async def test_refusals_without_end_are_a_few_lines_and_a_count(
    mail: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "WINDOW", 0.05)
    client = await mail.connect()
    client[1].write(b"EHLO x\r\nMAIL FROM:<a@b>\r\n")
    client[1].write(b"".join(b"RCPT TO:<x%d@hc.test>\r\n" % n for n in range(1000)))
    await say(client, b"QUIT\r\n", b"221")
    async with asyncio.timeout(ENDS):
        while "times more" not in caplog.text:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.01)
    await rest(client)
    mail.server.stop()

    counts = re.findall(r"(\d+) times more \(127.0.0.1: (\d+) times\)", caplog.text)
    lines = [line for line in told(caplog) if "550 5.1.1" in line]
    assert len(lines) <= refusals.LINES_OF_ONE * (len(counts) + 1)
    assert sum(int(all_) for all_, _ in counts) + len(lines) <= 1000
    assert counts[0][0] == counts[0][1]


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


async def test_a_large_mail_is_read_beside_the_loop(app: App, mail: Running) -> None:
    fields = {"filter_body": True, "success_kw": "as good as new"}
    check = await put_check(app.database, **fields)
    rows = b"<tr><td>Job &amp; backup</td><td><b>fine</b></td></tr>\r\n" * 15_000
    message = (
        b"Content-Type: text/html\r\n\r\n" + rows + b"as <i>good as</i>\r\nnew\r\n"
    )
    begun = time.thread_time()
    mails.searched(message)
    cost = time.thread_time() - begun
    mails.searched.cache_clear()
    longest = 0.0

    async def measure() -> None:
        nonlocal longest
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now

    client = await mail.connect()
    await say(client, BEGIN % check.code.encode(), b"354")
    measuring = asyncio.create_task(measure())
    await say(client, message + b".\r\n", b"250 2.0.0")
    measuring.cancel()
    client[1].close()

    newest = await store.pings.newest(app.database.committed, check.id, 1)
    assert [ping.action for ping in newest] == ["success"]
    assert longest < cost / 2
    # And nothing of it stays in memory.
    assert mails.searched.cache_info().currsize == 0


async def test_settings_change_for_the_next_connection(app: App, mail: Running) -> None:
    before = await mail.connect()
    assert (await before[0].readline()).startswith(b"220 hc.test")

    smtpd = SmtpdConfig(None, "new.test", 4000, None, None)
    mail.server.use(replace(app.config, smtpd=smtpd), None)

    after = await mail.connect()
    for client in (before, after):
        client[1].write(b"EHLO x\r\nQUIT\r\n")
    assert (
        b"SIZE 25000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-STARTTLS"
        in await rest(before)
    )
    answer = await rest(after)
    assert b"220 new.test" in answer
    assert b"STARTTLS" not in answer


async def test_a_large_mail_is_not_read_if_no_check_asks_what_it_says(
    app: App, mail: Running
) -> None:
    check = await put_check(app.database)
    mails.searched.cache_clear()
    message = b"Content-Type: text/html\r\n\r\n" + b"<p>fine</p>\r\n" * 10_000

    client = await mail.connect()
    await say(client, BEGIN % check.code.encode(), b"354")
    await say(client, message + b".\r\n", b"250 2.0.0")
    client[1].close()

    newest = await store.pings.newest(app.database.committed, check.id, 1)
    assert [ping.action for ping in newest] == ["success"]
    assert mails.searched.cache_info().misses == 0
