"""Mail to a real `hcl serve`, from smtplib, from raw sockets, from Debian's tools."""

import asyncio
import contextlib
import os
import random
import re
import shutil
import signal
import smtplib
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests import toml
from tests.patience import ENDS
from tests.server.process import API_KEY, PING_KEY, Serve, free_port, until
from tests.sinks import HttpSink, make_certificate

DOMAIN = "hc.example.org"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
TLS = {"tls_cert": "certificate.pem", "tls_key": "key.pem"}
GOOD = b"Subject: job\r\n\r\nall good\r\n"


def smtpd(port: int, **keys: str) -> str:
    """Write where mail comes in."""
    return toml.table("smtpd", listen=f"127.0.0.1:{port}", domain=DOMAIN, **keys)


class MailServe(Serve):
    """`hcl serve` that takes mail."""

    def __init__(self, folder: Path, *, channels: str = "", **keys: str) -> None:
        self.mail_port = free_port()
        super().__init__(folder, channels, tables=smtpd(self.mail_port, **keys))

    def check(self, **fields: Any) -> dict[str, Any]:
        """Make a check; `address` is its address."""
        check: dict[str, Any] = self.api("POST", "checks/", **fields)
        return check | {"address": f"{check['uuid']}@{DOMAIN}"}

    def pings(self, check: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a check's pings, newest first."""
        pings: list[dict[str, Any]]
        pings = self.api("GET", f"checks/{check['uuid']}/pings/")["pings"]
        return pings

    def body(self, check: dict[str, Any]) -> bytes:
        """Return the body of a check's newest ping."""
        url = self.pings(check)[0]["body_url"]
        return subprocess.run(
            ["curl", "-fsS", "-H", f"X-Api-Key: {API_KEY}", url],
            capture_output=True,
            check=True,
        ).stdout

    def client(self) -> smtplib.SMTP:
        """Connect as a mail program."""
        return smtplib.SMTP("127.0.0.1", self.mail_port, timeout=ENDS)

    def mail(self, *to: str, message: bytes = GOOD, sender: str = "cron@box") -> None:
        """Send one mail; smtplib raises if it is refused."""
        with self.client() as client:
            client.sendmail(sender, to, message)

    def wire(self) -> "Wire":
        """Connect as whatever a test wants to be."""
        return Wire(self.mail_port)


class Wire:
    """A bare connection to the mail port."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ENDS)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def until(self, pattern: bytes) -> bytes:
        """Return what comes, up to a line that a pattern matches."""
        got = b""
        while not re.search(rb"(?m)^" + pattern, got):
            data = self.socket.recv(65536)
            if not data:
                raise AssertionError(f"{pattern!r} never came: {got!r}")
            got += data
        return got

    def rest(self) -> bytes:
        """Return what comes up to the end."""
        with contextlib.suppress(ConnectionResetError):
            return b"".join(iter(lambda: self.socket.recv(65536), b""))
        return b""


def envelope(*to: str) -> bytes:
    """Return the commands of one mail, up to DATA, all at once."""
    recipients = "".join(f"RCPT TO:<{address}>\r\n" for address in to)
    return f"EHLO x\r\nMAIL FROM:<cron@box>\r\n{recipients}DATA\r\n".encode()


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServe]:
    folder = tmp_path_factory.mktemp("mail")
    make_certificate(folder)
    with MailServe(folder, **TLS) as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.log
        assert "xception" not in running.log


# What a mail does


def test_mail_to_a_uuid_is_a_success(serve: MailServe) -> None:
    check = serve.check(name="Backup")

    serve.mail(check["address"])

    (ping,) = serve.pings(check)
    assert (ping["type"], ping["scheme"], ping["method"]) == ("success", "email", "")
    assert (ping["ua"], ping["remote_addr"]) == ("Email from cron@box", "127.0.0.1")
    assert serve.body(check) == GOOD
    assert serve.api("GET", f"checks/{check['uuid']}")["status"] == "up"


@pytest.mark.parametrize("form", ["{}", "<{}>"])
def test_mail_to_ping_key_and_slug_is_a_success(serve: MailServe, form: str) -> None:
    check = serve.check(name="Nightly", slug="nightly-1", unique=["slug"])
    before = len(serve.pings(check))

    serve.mail(form.format(f"{PING_KEY}+nightly-1@{DOMAIN}"))

    assert len(serve.pings(check)) == before + 1


def test_carriers_may_change_the_case(serve: MailServe) -> None:
    check = serve.check(name="Nightly", slug="nightly-2")
    by_slug = f"{PING_KEY}+nightly-2@{DOMAIN}"
    forms = [
        *(check["address"].upper(), check["address"].title()),
        *(f"{check['uuid']}@{DOMAIN.upper()}", f"{check['uuid']}@{DOMAIN.title()}"),
        *(by_slug.upper(), by_slug.lower(), by_slug.swapcase(), by_slug + "."),
        f"{PING_KEY}+Nightly-2@{DOMAIN}",
    ]

    for form in forms:
        serve.mail(form)

    assert len(serve.pings(check)) == len(forms)


def test_one_mail_pings_each_of_its_recipients_once(serve: MailServe) -> None:
    first, second = serve.check(name="A"), serve.check(name="B", slug="b")
    by_slug = f"{PING_KEY}+b@{DOMAIN}"

    serve.mail(first["address"], by_slug, f"{UNKNOWN}@{DOMAIN}", first["address"])

    assert (len(serve.pings(first)), len(serve.pings(second))) == (1, 1)


def test_an_ambiguous_slug_is_taken_and_dropped(serve: MailServe) -> None:
    twins = [serve.check(name="Twin", slug="twin") for _ in range(2)]

    serve.mail(f"{PING_KEY}+twin@{DOMAIN}")

    assert [serve.pings(twin) for twin in twins] == [[], []]
    assert PING_KEY not in serve.log


@pytest.mark.parametrize(
    "address",
    [
        f"{UNKNOWN}@example.org",
        f"{UNKNOWN}@{DOMAIN}.evil",
        f"{UNKNOWN}@sub.{DOMAIN}",
        f"{UNKNOWN}@@{DOMAIN}",
        UNKNOWN,
        f"postmaster@{DOMAIN}",
        f"{UNKNOWN.replace('-', '')}@{DOMAIN}",
        f"+slug@{DOMAIN}",
        f"{PING_KEY}+@{DOMAIN}",
        f"{PING_KEY}+a+b@{DOMAIN}",
        f"{PING_KEY}+ä@{DOMAIN}",
        f"{PING_KEY}+{'a' * 101}@{DOMAIN}",
        f"{UNKNOWN}+backup@{DOMAIN}",
        f"{UNKNOWN}-backup@{DOMAIN}",
        f"backup+{UNKNOWN}@{DOMAIN}",
        *(f"{UNKNOWN[:14]}{v}{UNKNOWN[15:]}@{DOMAIN}" for v in "0123567f"),
        *(f"{UNKNOWN[:19]}{v}{UNKNOWN[20:]}@{DOMAIN}" for v in "07cf"),
        f"{UNKNOWN.replace('4', '0')}@{DOMAIN}",
        *(f"{key}+job@{DOMAIN}" for key in (PING_KEY[1:], PING_KEY + "x", "x")),
    ],
)
def test_any_other_address_is_refused(serve: MailServe, address: str) -> None:
    check = serve.check(name="Other")
    with serve.client() as client:
        client.ehlo()
        client.mail("cron@box", ["SMTPUTF8"])

        client.putcmd("rcpt", f"TO:<{address}>")
        code, text = client.getreply()
        known, _ = client.rcpt(check["address"])

    assert (code, text[:5], known) == (550, b"5.1.1", 250)


def test_methods_and_filter_http_body_do_not_apply(serve: MailServe) -> None:
    check = serve.check(methods="POST", filter_http_body=True, failure_kw="good")

    serve.mail(check["address"])

    assert serve.pings(check)[0]["type"] == "success"


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({"filter_subject": True, "success_kw": "grün"}, "success"),
        ({"filter_subject": True, "success_kw": "Fehler"}, "ign"),
        ({"filter_body": True, "failure_kw": "Größe, Fehler"}, "fail"),
        ({"filter_body": True, "failure_kw": "grün"}, "ign"),
        ({"filter_body": True, "start_kw": "nur im HTML"}, "start"),
        ({"filter_body": True, "filter_default_fail": True}, "fail"),
        (
            {
                "filter_subject": True,
                "filter_body": True,
                "success_kw": "grün",
                "failure_kw": "Fehler",
            },
            "fail",
        ),
    ],
)
def test_filters_search_what_people_read(
    serve: MailServe, fields: dict[str, Any], action: str
) -> None:
    check = serve.check(**fields)
    mail = EmailMessage()
    mail["Subject"] = "Alles grün"
    mail.set_content("Fehler: keine\n", cte="base64", charset="iso-8859-1")
    mail.add_alternative("<p>nur&nbsp;im <b>HTML</b></p>", subtype="html")

    serve.mail(check["address"], message=mail.as_bytes())

    assert serve.pings(check)[0]["type"] == action


async def test_a_mail_that_says_failure_alerts(tmp_path: Path) -> None:
    async with HttpSink() as hook:
        channel = toml.webhook("Hook", down=f"{hook.url}?status=$STATUS")
        with MailServe(tmp_path, channels=channel) as serve:
            check = serve.check(subject_fail="failed", channels="*")

            await asyncio.to_thread(
                serve.mail, check["address"], message=b"Subject: backup failed\r\n\r\n"
            )
            (request,) = await hook.wait_for(1)

    assert request.target == "/?status=down"


@pytest.mark.parametrize(
    ("sender", "ua"),
    [
        ("<>", "Email from <>"),
        ("<@relay,@other:me@box>", "Email from me@box"),
        ("me@box", "Email from me@box"),
        ('<"odd one"@box>', 'Email from "odd one"@box'),
        ("<jürgen@bücher.example> SMTPUTF8", "Email from jürgen@bücher.example"),
        (f"<{'x' * 300}@box>", f"Email from {'x' * 189}"),
        (f"<{'(' * 2000}@box>", f"Email from {'(' * 189}"),
        ("<me\0\x1b@box> SIZE=20 BODY=8BITMIME", "Email from me\ufffd\ufffd@box"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_the_sender_is_kept_as_the_user_agent(
    serve: MailServe, sender: str, ua: str
) -> None:
    check = serve.check(name="Sender")
    with serve.wire() as wire:
        wire.send(envelope(check["address"]).replace(b"<cron@box>", sender.encode()))
        wire.until(b"354")
        wire.send(GOOD + b".\r\nQUIT\r\n")

        assert b"250 2.0.0" in wire.until(b"221")

    assert serve.pings(check)[0]["ua"] == ua


# What the wire may do


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n..\r\n.b\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
        (b"..a\r\n.\r\n", b".a\r\n"),
        (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n"),
        (b"a\r\n.\nb\r.\r\n\r\n.\r\n", b"a\r\n\nb\r.\r\n\r\n"),
        (b"\0\xff\x80\r\n.\r\n", b"\0\xff\x80\r\n"),
        (b"x" * 900_000 + b"\r\n.\r\n", b"x" * 900_000 + b"\r\n"),
    ],
    ids=lambda value: ascii(value[:20]),
)
def test_the_bytes_of_a_mail_are_kept_as_they_came(
    serve: MailServe, sent: bytes, kept: bytes
) -> None:
    check = serve.check(name="Bytes")
    with serve.wire() as wire:
        # All in one go, as no client ought to.
        wire.send(envelope(check["address"]) + sent + b"QUIT\r\n")

        assert b"250 2.0.0" in wire.until(b"221")

    assert len(serve.pings(check)) == 1
    assert (serve.body(check) if kept else b"") == kept


def test_a_mail_that_comes_byte_by_byte_is_taken(serve: MailServe) -> None:
    check = serve.check(name="Slow")
    with serve.wire() as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in envelope(check["address"]) + b"a\r\n..b\r\n.\r\nQUIT\r\n":
            wire.send(bytes([byte]))
            time.sleep(0.001)
        wire.until(b"221")

    assert serve.body(check) == b"a\r\n.b\r\n"


def test_a_client_that_closes_its_side_early_is_served(serve: MailServe) -> None:
    check = serve.check(name="Half")
    with serve.wire() as wire:
        wire.send(envelope(check["address"]) + GOOD + b".\r\n")
        wire.socket.shutdown(socket.SHUT_WR)

        assert b"250 2.0.0" in wire.rest()

    assert len(serve.pings(check)) == 1


def test_a_mail_cut_off_in_its_data_is_no_ping(serve: MailServe) -> None:
    check = serve.check(name="Cut")
    for end in (b"", b".", b".\r", b"\n.\n", b"\r.\r"):
        with serve.wire() as wire:
            wire.send(envelope(check["address"]))
            wire.until(b"354")
            wire.send(GOOD + end)

    serve.mail(check["address"], message=b"last\r\n")
    assert len(serve.pings(check)) == 1


def test_a_mail_beyond_what_is_kept_is_cut_and_counts(serve: MailServe) -> None:
    check = serve.check(name="Large")
    line = b"y" * 78 + b"\r\n"
    mails = [b"z" * 999_998 + b"\r\n", b"z" * 999_999 + b"\r\n", line * 13_000]
    mails += [b".\r\n" * 333_340, line * 100_000]
    with serve.client() as client:
        client.ehlo()
        for content in mails:
            assert mail_of(client, check, content)[0] == 250
            assert serve.body(check) == content[:1_000_000]

        assert client.esmtp_features["size"] == "25000000"

    assert [ping["type"] for ping in serve.pings(check)] == ["success"] * len(mails)
    assert memory(serve) < 80_000


def test_a_mail_beyond_25_mb_is_refused_before_or_behind(tmp_path: Path) -> None:
    with MailServe(tmp_path) as serve, serve.wire() as wire:
        check = serve.check(name="Huge")
        mail = b"MAIL FROM:<cron@box>\r\nRCPT TO:<%s>\r\nDATA\r\n"
        mail %= check["address"].encode()
        wire.send(b"EHLO x\r\nMAIL FROM:<cron@box> SIZE=25000001\r\n")
        wire.until(b"552 ")
        answers = []
        for size in (25_000_000, 25_000_001, 10):
            wire.send(mail + b"x" * (size - 2) + b"\r\n.\r\n")
            answered = wire.until(rb"(?:250 2\.0\.0|552 ).*\n")
            answers.append(answered.splitlines()[-1][:3])

        assert answers == [b"250", b"552", b"250"]
        assert len(serve.pings(check)) == 2
        assert serve.log.count(" was refused: 552 ") == 2
        assert memory(serve) < 80_000


def mail_of(
    client: smtplib.SMTP, check: dict[str, Any], content: bytes
) -> tuple[int, bytes]:
    client.mail("cron@box")
    client.rcpt(check["address"])
    return client.data(content)


def memory(serve: Serve) -> int:
    """Return the server's memory in kilobytes."""
    status = Path(f"/proc/{serve.process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


def test_the_hundredth_recipient_is_the_last(serve: MailServe) -> None:
    check = serve.check(name="Many")
    others = [f"{UNKNOWN[:-4]}{n:04}@{DOMAIN}" for n in range(999)]
    with serve.wire() as wire:
        wire.send(envelope(check["address"], *others) + GOOD + b".\r\nQUIT\r\n")

        answers = wire.until(b"221")

    assert (answers.count(b"250 2.1.5"), answers.count(b"452 4.5.3")) == (100, 900)
    assert len(serve.pings(check)) == 1


def test_commands_out_of_order_are_told_so(serve: MailServe) -> None:
    wanted = [
        ("MAIL FROM:<a@b>", "503"),
        ("DATA", "503"),
        ("EHLO", "501"),
        ("HELO x", "250"),
        ("RCPT TO:<a@b>", "503"),
        ("MAIL", "501"),
        ("MAIL FROM:", "501"),
        ("MAIL FROM:<a@b", "553"),
        ("RSET", "250"),
        ("EHLO x", "250"),
        ("MAIL FROM:<a@b> SIZE=²", "501"),
        ("MAIL FROM:<a@b> WHAT=1", "555"),
        ("MAIL FROM:<a@b> BODY=8BITMIME SMTPUTF8", "250"),
        ("MAIL FROM:<a@b>", "503"),
        ("RCPT TO:<>", "550"),
        ("DATA", "503"),
        ("VRFY root", "252"),
        ("AUTH PLAIN AHgAeA==", "500"),
        ("EXPN all", "500"),
        ("NOOP", "250"),
        ("QUIT", "221"),
    ]
    got = []
    with serve.client() as client:
        for command, _ in wanted:
            client.command_encoding = "utf-8"
            client.putcmd(command)
            got.append((command, str(client.getreply()[0])))

    assert got == wanted


def test_it_never_offers_to_sign_in(serve: MailServe) -> None:
    with serve.client() as client:
        client.ehlo()
        before = dict(client.esmtp_features)
        client.starttls(context=trusting(serve))
        client.ehlo()

        assert "auth" not in before | client.esmtp_features
        assert {"starttls", "8bitmime", "smtputf8", "pipelining"} <= set(before)


def trusting(serve: Serve) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=serve.folder / "certificate.pem")
    context.check_hostname = True
    return context


def test_mail_comes_over_starttls(serve: MailServe) -> None:
    check = serve.check(name="TLS")
    client = smtplib.SMTP("localhost", serve.mail_port, timeout=ENDS)
    with client:
        client.starttls(context=trusting(serve))
        client.sendmail("cron@box", check["address"], GOOD * 10_000)
        client.putcmd("starttls")
        again, _ = client.getreply()

    assert serve.body(check) == GOOD * 10_000
    assert serve.pings(check)[0]["remote_addr"] == "127.0.0.1"
    assert again == 503


def test_commands_slipped_in_before_tls_are_forgotten(serve: MailServe) -> None:
    check = serve.check(name="Slipped")
    with serve.wire() as wire:
        wire.until(b"220")
        wire.send(b"EHLO x\r\nSTARTTLS\r\n" + envelope(check["address"]) + GOOD)
        wire.until(b"220 Ready")
        with contextlib.suppress(OSError):
            context = trusting(serve)
            with context.wrap_socket(wire.socket, server_hostname="localhost") as tls:
                tls.sendall(b".\r\nEHLO x\r\nQUIT\r\n")
                while tls.recv(1000):
                    pass

    assert serve.pings(check) == []


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01", b"QUIT\r\n", b"\0" * 5000])
def test_a_broken_handshake_ends_the_connection(serve: MailServe, hello: bytes) -> None:
    with serve.wire() as wire:
        wire.send(b"EHLO x\r\nSTARTTLS\r\n")
        wire.until(b"220 Ready")
        wire.send(hello)
        wire.socket.shutdown(socket.SHUT_WR)
        wire.rest()

    check = serve.check(name="After")
    serve.mail(check["address"])
    assert len(serve.pings(check)) == 1


def test_nonsense_is_sent_away(serve: MailServe) -> None:
    rng = random.Random(5)
    for junk in (
        b"GET / HTTP/1.1\r\n" + b"Host: x\r\n" * 20,
        rng.randbytes(200_000),
        b"\n" * 5000,
        b"\xff\xfe \r\n" * 100,
        b"x" * 10_000_000 + b"\r\n",
        b"EHLO x\r\n" + b"NOOP\r\n" * 3000,
        b"EHLO x\r\nMAIL FROM:<a@b>\r\n" + b"RCPT TO:<x>\r\n" * 3000,
    ):
        with serve.wire() as wire:
            with contextlib.suppress(OSError):
                wire.send(junk)
                wire.socket.shutdown(socket.SHUT_WR)
            wire.rest()

    check = serve.check(name="After")
    serve.mail(check["address"])
    assert len(serve.pings(check)) == 1
    assert memory(serve) < 80_000


def test_random_sessions_harm_nobody(serve: MailServe) -> None:
    check = serve.check(filter_subject=True, filter_body=True, success_kw="good")
    rng = random.Random(11)
    words = [
        *(b"EHLO x", b"HELO", b"MAIL FROM:", b"<a@b>", b"<>", b"RCPT TO:", b"DATA"),
        *(b"RSET", b"STARTTLS", b"NOOP", b"VRFY", b"\r\n", b"\r\n", b"\r\n", b"\n"),
        *(b"<", b">", b" SIZE=", b"99999999999", b"\xff", b"\0", b"SMTPUTF8", b" "),
        *(b".\r\n", b"\r\n.\r\n", b"..", b"BODY=", b"((((", b'"', b"\\", b"@", b":"),
        *(b"Content-Type: multipart/mixed; boundary=b\r\n", b"--b\r\n", b"=?utf-8?q?"),
        f"<{check['address']}>".encode(),
        envelope(check["address"]),
    ]
    for _ in range(200):
        with serve.wire() as wire:
            with contextlib.suppress(OSError):
                wire.send(b"".join(rng.choices(words, k=rng.randrange(60))))
                wire.socket.shutdown(socket.SHUT_WR)
            if rng.random() < 0.5:
                wire.rest()

    before = len(serve.pings(check))
    serve.mail(check["address"])
    ping = serve.pings(check)[0]
    assert (len(serve.pings(check)), ping["type"]) == (before + 1, "success")


def test_more_clients_than_are_served_at_once_wait_their_turn(
    serve: MailServe,
) -> None:
    check = serve.check(name="Crowd")
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(serve.wire()) for _ in range(80)]
        for wire in crowd:
            wire.send(envelope(check["address"]) + GOOD + b".\r\nQUIT\r\n")
        for wire in crowd:
            assert b"250 2.0.0" in wire.until(b"221")

    assert len(serve.pings(check)) == 80


# The tools that send cron's mail


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed; Debian has it in the package {name}")
    return path


def test_msmtp_delivers_as_crons_sendmail(serve: MailServe, tmp_path: Path) -> None:
    check = serve.check(filter_subject=True, failure_kw="Cron")
    settings = tmp_path / "msmtprc"
    settings.write_text(
        f"""
account default
host localhost
port {serve.mail_port}
from root@box.example
tls on
tls_starttls on
tls_trust_file {serve.folder}/certificate.pem
"""
    )
    settings.chmod(0o600)
    # What cron writes to `sendmail -FCronDaemon -i -t` or with the address behind it.
    output = "x" * 5000
    mail = f"From: root (Cron Daemon)\nTo: {check['address']}\n" + (
        "Subject: Cron <root@box> /usr/local/bin/backup\n"
        "Content-Type: text/plain; charset=UTF-8\nX-Cron-Env: <SHELL=/bin/sh>\n\n"
        f"grün\n.\n{output}\n"
    )

    subprocess.run(
        [tool("msmtp"), f"--file={settings}", "-FCronDaemon", "-i", "-t"],
        input=mail.encode(),
        check=True,
        timeout=ENDS,
    )

    (ping,) = serve.pings(check)
    assert (ping["type"], ping["ua"]) == ("fail", "Email from root@box.example")
    assert f"grün\r\n.\r\n{output}\r\n".encode() in serve.body(check)


@pytest.mark.parametrize("extra", [(), ("--pipeline",), ("--tls",)], ids=str)
def test_swaks_delivers(serve: MailServe, extra: tuple[str, ...]) -> None:
    check = serve.check(name="Swaks")

    subprocess.run(
        [
            tool("swaks"),
            *("--server", f"127.0.0.1:{serve.mail_port}", "--from", "root@box"),
            *("--to", check["address"], "--body", "all good", *extra),
        ],
        check=True,
        capture_output=True,
        timeout=ENDS,
    )

    assert serve.pings(check)[0]["ua"] == "Email from root@box"


# Start, reload, end


def test_a_database_that_cannot_be_written_is_a_temporary_error(
    tmp_path: Path,
) -> None:
    with MailServe(tmp_path) as serve:
        check = serve.check(name="Backup")
        with sqlite3.connect(tmp_path / "hcl.sqlite", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with serve.client() as client:
                client.ehlo()
                refused, _ = mail_of(client, check, GOOD)
                other.execute("ROLLBACK")
                taken, _ = mail_of(client, check, GOOD)
        other.close()

        assert (refused, taken) == (451, 250)
        assert len(serve.pings(check)) == 1


def test_sigterm_lets_a_mail_finish_and_sends_the_idle_away(tmp_path: Path) -> None:
    with MailServe(tmp_path) as serve:
        check = serve.check(name="Backup")
        with serve.wire() as idle, serve.wire() as stuck, serve.wire() as wire:
            idle.until(b"220")
            for each in (stuck, wire):
                each.send(envelope(check["address"]))
                each.until(b"354")
            begun = time.monotonic()
            serve.process.send_signal(signal.SIGTERM)
            assert b"421 4.3.2" in idle.rest()

            wire.send(GOOD + b".\r\n")
            answer = wire.rest()
            status = serve.process.wait(ENDS)
            took = time.monotonic() - begun

        assert b"250 2.0.0" in answer
        assert status == 0
        assert took < 4.5 + serve.start_seconds
        assert "Traceback" not in serve.log
    with sqlite3.connect(tmp_path / "hcl.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM log").fetchall() == [(1,)]
    connection.close()


async def test_sighup_takes_domain_size_and_certificate_anew(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    with MailServe(tmp_path, **TLS) as serve:
        check = serve.check(name="Backup")
        old = certificate_shown(serve)

        make_certificate(tmp_path)
        text = (tmp_path / "hcl.toml").read_text()
        text = text.replace(DOMAIN, "new.example").replace(
            "[smtpd]\n", "[smtpd]\nsize_limit = 5000\n"
        )
        moved = re.sub(
            r'(\[smtpd\].*?listen = ")[^"]*', r"\g<1>[::1]:1", text, flags=16
        )
        (tmp_path / "hcl.toml").write_text(moved)
        serve.process.send_signal(signal.SIGHUP)
        await until(lambda: "reloaded" in serve.log)

        with serve.client() as client:
            client.ehlo()
            client.mail("cron@box")
            refused, _ = client.rcpt(check["address"])
            taken, _ = client.rcpt(f"{check['uuid']}@new.example")
            client.data(b"x" * 6000)
        assert (refused, taken) == (550, 250)
        assert len(serve.body(check)) == 5000
        assert certificate_shown(serve) != old
        await until(lambda: "smtpd.listen has changed: restart hcl" in serve.log)


def certificate_shown(serve: MailServe) -> bytes:
    # Whoever vouches for it.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with serve.client() as client:
        client.starttls(context=context)
        tls = client.sock
        assert isinstance(tls, ssl.SSLSocket)
        shown = tls.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def test_it_says_where_it_listens_for_mail(tmp_path: Path) -> None:
    with MailServe(tmp_path) as serve:
        assert f"listens for mail on 127.0.0.1:{serve.mail_port}\n" in serve.log


def test_an_address_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        Serve(tmp_path, tables=smtpd(port))

        status, said = started(tmp_path)

    address = f"127.0.0.1:{port}"
    assert status == 1
    assert f"cannot listen on {address}: Address already in use" in said
    assert "Traceback" not in said


def started(folder: Path) -> tuple[int, str]:
    """Start a server that cannot; return its exit status and what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", "hcl", "serve"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(
    ("cert", "key", "problem"),
    [
        ("missing.pem", "key.pem", "smtpd.tls_cert: cannot read {}/missing.pem: No s"),
        ("certificate.pem", "missing", "smtpd.tls_key: cannot read {}/missing: No su"),
        ("certificate.pem", ".", "smtpd.tls_key: cannot read {}: Is a directory"),
        ("key.pem", "key.pem", "smtpd.tls_cert: no certificate in PEM form is in {}/"),
        ("certificate.pem", "certificate.pem", "smtpd.tls_key: no private key in PEM"),
        ("certificate.pem", "other/key.pem", "smtpd.tls_key: the key in {}/other/key"),
        ("certificate.pem", "locked.pem", "smtpd.tls_key: the key in {}/locked.pem h"),
        ("cut.pem", "key.pem", "smtpd.tls_cert: {}/cut.pem with the key {}/key.pem c"),
    ],
)
def test_a_wrong_certificate_is_told_in_one_line(
    tmp_path: Path, cert: str, key: str, problem: str
) -> None:
    (tmp_path / "other").mkdir()
    make_certificate(tmp_path)
    make_certificate(tmp_path / "other")
    whole = (tmp_path / "certificate.pem").read_text()
    (tmp_path / "cut.pem").write_text(whole[:200])
    (tmp_path / "locked.pem").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    MailServe(tmp_path, tls_cert=cert, tls_key=key)

    status, said = started(tmp_path)

    (line,) = said.splitlines()
    assert status == 1
    assert problem.format(tmp_path, tmp_path) in line


def test_it_takes_mail_on_a_unix_socket_and_over_v6(tmp_path: Path) -> None:
    path = tmp_path / "mail.sock"
    serve = MailServe(tmp_path)
    config = tmp_path / "hcl.toml"
    text = config.read_text()
    config.write_text(text.replace(f"127.0.0.1:{serve.mail_port}", f"unix:{path}"))
    with serve:
        check = serve.check(name="Unix")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(envelope(check["address"]) + GOOD + b".\r\nQUIT\r\n")
            client.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: client.recv(1000), b""))
        (ping,) = serve.pings(check)
        assert (b"250 2.0.0" in answer, ping["remote_addr"]) == (True, None)
        assert f"listens for mail on unix:{path}" in serve.log
        serve.stop()
    assert not path.exists()

    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    config.write_text(text.replace("127.0.0.1:" + str(serve.mail_port), "[::1]:0"))
    with serve:
        (port,) = re.findall(r"listens for mail on \[::1\]:(\d+)", serve.log)
        with smtplib.SMTP("::1", int(port), timeout=ENDS) as smtp:
            smtp.sendmail("cron@box", check["address"], GOOD)
        assert serve.pings(check)[0]["remote_addr"] == "::1"


def test_without_an_address_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    Serve(tmp_path)
    code = (
        "import sys, asyncio\n"
        "from hcl import config\nfrom hcl.server import serving\n"
        "loaded = config.load(__import__('pathlib').Path('hcl.toml'))\n"
        "async def greet(_):\n"
        "    print('aiosmtpd' in sys.modules)\n"
        "    import os, signal; os.kill(os.getpid(), signal.SIGTERM)\n"
        "serving.run(loaded, lambda: loaded, greet)\n"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent.parent)},
        capture_output=True,
        text=True,
        check=True,
        timeout=ENDS,
    ).stdout

    assert printed == "False\n"
