"""What comes over the wire: odd clients, TLS, nonsense, too much."""

import contextlib
import random
import re
import smtplib
import socket
import time
from pathlib import Path

import pytest

from tests.patience import ENDS
from tests.server.process import Serve
from tests.smtpd.serving import (
    DOMAIN,
    GOOD,
    UNKNOWN,
    MailServe,
    envelope,
    mail_of,
    trusting,
)


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
