import asyncio
import email
import email.message
import html
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email.header import decode_header, make_header
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from hcl.alerts.messages.letter import write_letter
from hcl.alerts.messages.rendering import in_html, in_text
from hcl.alerts.transports import DeliveryError
from hcl.alerts.transports.email import PATIENCE, Email
from hcl.config import EmailSettings, SmtpConfig
from hcl.model import Flip, Message
from tests.alerts import (
    CODE,
    FAILED,
    NOW,
    RECOVERED,
    a_message,
    a_ping,
    an_alert,
    an_announcement,
)
from tests.outgoing.test_asking import full
from tests.patience import ENDS
from tests.sinks import SmtpSink, make_certificate

CHANNEL = "0b0f8a8e-58a8-4c52-8a7e-64b9d1f6d1c7"


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    async with SmtpSink() as sink:
        yield sink


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose server takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def an_smtp(port: int, **more: Any) -> SmtpConfig:
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "username": "",
        "password": "",
        "security": "none",
        "sender": "hcl@example.org",
    }
    return SmtpConfig(**(values | more))


async def send(
    port: int,
    *,
    alert: Any = None,
    message: Message | None = None,
    now: datetime = NOW,
    to: tuple[str, ...] = ("ops@example.org",),
    channel: str = CHANNEL,
    limit: float = 5.0,
    patience: float = PATIENCE,
    **more: Any,
) -> str:
    smtp = an_smtp(port, **more)
    settings = EmailSettings(to)
    transport = Email(channel, settings, smtp, limit, patience=patience)
    message = message or a_message(alert or an_alert())
    try:
        return await transport.send(message, now)
    finally:
        await transport.aclose()


async def failure(port: int, **more: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await send(port, **more)
    assert "\n" not in caught.value.reason
    return caught.value


def part(message: email.message.EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    content = body.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def words(markup: str) -> str:
    """Read HTML as people see it, roughly."""
    inner = markup.partition("<body")[2]
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", "<" + inner).split()))


async def test_mail_says_what_happened_and_why(sink: SmtpSink) -> None:
    ping = a_ping(action="fail", exitstatus=3, body=b"disk full\n  sda1: 100 %\n")
    alert = an_alert(flip=FAILED, ping=ping, desc="Ask Kim.\nOr read on.")

    answer = await send(sink.port, alert=alert)

    assert answer == "250 2.0.0 OK kept"
    [record] = sink.records
    assert record.mail_from == "hcl@example.org"
    assert record.rcpt_tos == ["ops@example.org"]
    letter = write_letter(a_message(alert), NOW)
    plain, markup = part(record.message, "plain"), part(record.message, "html")
    assert plain == in_text(letter)
    assert markup == in_html(letter)
    assert plain.startswith("Nightly backup is DOWN.\n\nIt failed with exit status 3.")
    assert words(markup).startswith(
        "DOWN Nightly backup It failed with exit status 3. Status down since"
    )
    assert "disk full\n  sda1: 100 %</pre>" in markup


async def test_headers_tell_who_what_and_when(sink: SmtpSink) -> None:
    await send(
        sink.port,
        to=("ops@example.org", "Jörg Ö. <joerg@example.org>"),
        sender="Wächter <hcl@example.org>",
    )

    [record] = sink.records
    message = record.message
    assert record.mail_from == "hcl@example.org"
    assert record.rcpt_tos == ["ops@example.org", "joerg@example.org"]
    assert message["From"] == "Wächter <hcl@example.org>"
    assert message["To"] == 'ops@example.org, "Jörg Ö." <joerg@example.org>'
    assert message["Subject"] == "DOWN: Nightly backup"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Importance"] == "high"
    assert message["References"] is None
    assert parsedate_to_datetime(message["Date"]) == NOW.replace(microsecond=0)
    assert message.get_content_type() == "multipart/alternative"
    kinds = [child.get_content_type() for child in message.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert record.content.isascii()
    assert "." in record.helo


@pytest.mark.parametrize(
    "name",
    [
        "hcl [home]",
        "hcl; home: night",
        r"C:\backups",
        "Night, Ops <@> home",
        'the "big" one',
        "Wächter (Büro), 2. Stock; links",
        "=?utf-8?q?a?=",
        "'quoted'",
    ],
)
async def test_any_name_stands_with_its_address(sink: SmtpSink, name: str) -> None:
    quoted = name.replace("\\", r"\\").replace('"', r"\"").strip()
    whole = f'"{quoted}" <hcl@bücher.example>'

    await send(sink.port, sender=whole, to=(whole, "ops@example.org"))

    [record] = sink.records
    assert record.mail_from == "hcl@xn--bcher-kva.example"
    assert record.rcpt_tos == ["hcl@xn--bcher-kva.example", "ops@example.org"]
    for field, count in (("From", 1), ("To", 2)):
        addresses = record.message[field].addresses
        assert len(addresses) == count
        assert addresses[0].addr_spec == "hcl@xn--bcher-kva.example"
        assert addresses[0].display_name == name.strip().replace("=?", "= ?")
    assert record.message["Message-ID"].endswith("@xn--bcher-kva.example>")


async def test_mail_of_a_recovery_is_good_news(sink: SmtpSink) -> None:
    await send(sink.port, alert=an_alert(flip=RECOVERED))

    message = sink.records[0].message
    assert message["Subject"] == "UP: Nightly backup"
    for text in (part(message, "plain"), html.unescape(part(message, "html"))):
        assert "It pinged again at" in text
        assert "up since" in text
    assert message["Importance"] is None
    for text in (part(message, "plain"), part(message, "html")):
        assert "ping's body" not in text


async def test_html_asks_nothing_of_the_network(sink: SmtpSink) -> None:
    await send(sink.port)

    markup = part(sink.records[0].message, "html")
    assert not re.search(r"<img|<link|<script|<style|url\(|src=", markup)
    # A link asks nothing until somebody follows it.
    assert markup.count("href=") == 1
    assert f'<a href="https://hcl.example.org/checks/{CODE}"' in markup
    assert 'name="viewport"' in markup
    assert 'content="light dark"' in markup


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("$NAME & <b>$BODY</b>", None),
        ("\"quoted\" 'too' \\", None),
        ("Ünï — 日本語のバックアップが毎晩三時に走ります、たぶん", None),
        (
            "two\r\nBcc: evil@example.org\r\n\r\nlines",
            "two Bcc: evil@example.org lines",
        ),
        ("nul\x00\x1b and \ud800 half", "nul and half"),
        ("{{ 7 * 7 }} {% raw %}", None),
        ("word " * 60, " ".join(["word"] * 60)),
    ],
    ids=["markup", "quotes", "unicode", "newlines", "odd", "template", "long"],
)
async def test_any_name_arrives(sink: SmtpSink, name: str, title: str | None) -> None:
    await send(sink.port, alert=an_alert(name=name))

    [record] = sink.records
    shown = title or name
    subject = record.message["Subject"]
    if len(shown) <= 200:
        assert subject == f"DOWN: {shown}"
    assert record.rcpt_tos == ["ops@example.org"]
    assert record.message["Bcc"] is None
    assert part(record.message, "plain").startswith(f"{shown} is DOWN.\n")
    assert f"DOWN {shown} No ping" in words(part(record.message, "html"))


LONG_NAMES = (
    "Überwachung der Server im Keller",
    "Резервное копирование базы данных (ночью), второй этаж",
    "夜間バックアップの監視を担当するみなさん",
    "Müller, Jörg",
    "é" * 60,
    "plain",
)


async def test_long_headers_in_any_letters_are_read_as_they_were_written(
    sink: SmtpSink,
) -> None:
    """Python's own way to fold them lost blanks and addresses."""
    to = tuple(
        f'"{name}" <user{number}@a-rather-long-domain.example.org>'
        for number, name in enumerate(LONG_NAMES * 2)
    )
    name = "Überwachung der Server, Резервное копирование, 夜間バックアップ 🔥 " * 3

    await send(sink.port, to=to, sender=to[1], alert=an_alert(name=name.strip()))

    # By another reader than Python's newer one, which forgives a lot.
    head = email.message_from_bytes(sink.records[0].content)
    lines = sink.records[0].content.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert max(map(len, lines)) <= 78

    def read(text: str) -> str:
        return str(make_header(decode_header(text)))

    found = getaddresses([head["To"].replace("\r\n", "")])
    assert [f'"{read(name)}" <{address}>' for name, address in found] == list(to)
    [(name_of_sender, address)] = getaddresses([head["From"].replace("\r\n", "")])
    assert f'"{read(name_of_sender)}" <{address}>' == to[1]
    assert read(head["Subject"].replace("\r\n", "")) == f"DOWN: {name.strip()}"


async def test_name_in_a_headers_code_is_not_decoded(sink: SmtpSink) -> None:
    await send(sink.port, alert=an_alert(name="=?utf-8?q?a=0D=0ABcc:_x=40y.org?="))

    message = sink.records[0].message
    assert message["Subject"] == "DOWN: = ?utf-8?q?a=0D=0ABcc:_x=40y.org?="
    assert message["Bcc"] is None


async def test_name_of_10_kb_arrives(sink: SmtpSink) -> None:
    await send(sink.port, alert=an_alert(name="ü" * 10_000))

    message = sink.records[0].message
    assert message["Subject"] == "DOWN: " + "ü" * 199 + "…"
    assert "ü" * 10_000 in part(message, "plain")


async def test_body_is_shown_as_it_is(sink: SmtpSink) -> None:
    body = (
        b"<script>alert(1)</script>\r\n.\r\n..two\r\nFrom me\r\n\xff\x00 \xe2\x82\xac"
    )

    await send(sink.port, alert=an_alert(ping=a_ping(body=body)))

    shown = "<script>alert(1)</script>\n.\n..two\nFrom me\n\ufffd €"
    message = sink.records[0].message
    assert f"The last ping's body:\n\n{shown}\n" in part(message, "plain")
    markup = part(message, "html")
    assert f"{shown}</pre>" in html.unescape(markup)
    assert "<script>" not in markup


async def test_long_body_is_cut_to_its_end(sink: SmtpSink) -> None:
    body = b"first words " + b"x" * 20_000 + b" last words"

    await send(sink.port, alert=an_alert(ping=a_ping(body=body)))

    for kind in ("plain", "html"):
        text = html.unescape(part(sink.records[0].message, kind))
        assert "The end of the last ping's body" in text
        assert "last words" in text
        assert "first words" not in text


async def ids(sink: SmtpSink, *messages: Message, **more: Any) -> list[str]:
    """Send messages; return their Message-IDs."""
    before = len(sink.records)
    for message in messages:
        await send(sink.port, message=message, **more)
    return [record.message["Message-ID"] for record in sink.records[before:]]


async def test_message_of_hcl_itself_has_one_message_id_for_all_tries(
    sink: SmtpSink,
) -> None:
    repeated = await ids(sink, an_announcement(), an_announcement())
    others = await ids(
        sink,
        an_announcement(id=8),
        replace(an_announcement(), notice="The channel Phone could not deliver this."),
    )

    assert len(set(repeated)) == 1
    assert len({*repeated, *others}) == 3
    assert sink.records[0].message["In-Reply-To"] is None


async def test_message_id_tells_repeats_from_other_messages(sink: SmtpSink) -> None:
    earlier = Flip(NOW - timedelta(minutes=10), "up", "down", "timeout")
    other = an_alert(code=CODE.replace("7", "8"))
    [first] = await ids(sink, a_message())
    later = NOW + timedelta(hours=3)

    repeats = await ids(sink, a_message(an_alert(n_pings=9999)), now=later)
    others = await ids(
        sink,
        a_message(other),
        a_message(an_alert(flip=earlier)),
        a_message(an_alert(reminder=1)),
        a_message(an_alert(), other),
        a_message(notice="The channel Phone could not deliver this: HTTP 404"),
        a_message(an_alert(flip=RECOVERED)),
        a_message(an_alert(flip=RECOVERED, earlier=(earlier,))),
    )
    others += await ids(sink, a_message(), channel="another")
    others += await ids(sink, a_message(an_alert(reminder=2)))

    assert re.fullmatch(r"<[0-9a-f]{32}@example\.org>", first)
    assert repeats == [first]
    assert len({first, *others}) == 1 + len(others)


async def test_mails_of_one_outage_are_one_thread(sink: SmtpSink) -> None:
    began = FAILED.created
    back = Flip(NOW, "down", "up", "")
    [first] = await ids(sink, a_message(an_alert(flip=FAILED, down_since=began)))

    await ids(
        sink,
        a_message(an_alert(flip=FAILED, reminder=1, down_since=began)),
        a_message(an_alert(flip=back, down_since=began)),
    )

    assert sink.records[0].message["In-Reply-To"] is None
    for record in sink.records[1:]:
        assert record.message["In-Reply-To"] == first
        assert record.message["References"] == first


async def test_mail_that_tells_all_of_an_outage_answers_none(sink: SmtpSink) -> None:
    back = Flip(NOW, "down", "up", "")
    alert = an_alert(flip=back, earlier=(FAILED,), down_since=FAILED.created)

    await send(sink.port, alert=alert)

    message = sink.records[0].message
    assert message["Subject"] == "DOWN and UP again: Nightly backup"
    assert message["In-Reply-To"] is None


async def test_summary_is_one_mail(sink: SmtpSink) -> None:
    up = an_alert(code=CODE.replace("7", "8"), name="Mail queue", flip=RECOVERED)

    await send(sink.port, message=a_message(up, an_alert()))

    [record] = sink.records
    assert record.message["Subject"] == (
        "2 checks: 1 down, 1 up (Nightly backup and Mail queue)"
    )
    assert record.message["Importance"] == "high"
    assert "Mail queue" in part(record.message, "plain")


def test_preview_is_the_mail_as_it_is_read() -> None:
    transport = Email(CHANNEL, EmailSettings(("ops@example.org",)), an_smtp(25))

    preview = transport.preview(a_message(), NOW)

    assert preview.startswith(
        "From: hcl@example.org\n"
        "To: ops@example.org\n"
        "Subject: DOWN: Nightly backup\n"
        "\n"
        "Nightly backup is DOWN.\n"
    )


async def test_users_sign_in() -> None:
    async with SmtpSink(users={"me": "secret"}) as sink:
        await send(sink.port, username="me", password="secret")

        assert sink.records[0].login == "me"


async def test_wrong_password_is_permanent() -> None:
    async with SmtpSink(users={"me": "secret"}) as sink:
        error = await failure(sink.port, username="me", password="hunter2")

        assert error.reason.startswith("127.0.0.1 answered 535 ")
        assert error.permanent
        assert "hunter2" not in error.reason


async def test_sign_in_that_is_not_offered_is_a_failure(sink: SmtpSink) -> None:
    error = await failure(sink.port, username="me", password="hunter2")

    assert error.reason.startswith("127.0.0.1: ")
    assert "hunter2" not in error.reason


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_tls_is_used_and_checked(
    security: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = make_certificate(tmp_path)

    async with SmtpSink(security=security, tls=context) as sink:
        error = await failure(sink.port, security=security)
        assert "self-signed certificate" in error.reason
        assert not error.permanent

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        await send(sink.port, security=security)
        [record] = sink.records
        assert record.tls


async def test_missing_starttls_is_never_passed_over(sink: SmtpSink) -> None:
    error = await failure(sink.port, security="starttls")

    assert "STARTTLS" in error.reason
    assert sink.records == []


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [("554 5.7.1 looks like spam", True), ("451 4.3.0 try again later", False)],
)
@pytest.mark.parametrize("step", ["mail", "data"])
async def test_refusal_is_told(
    sink: SmtpSink, step: str, answer: str, permanent: bool
) -> None:
    setattr(sink.refusals, step, answer)

    error = await failure(sink.port)

    assert error.reason == f"127.0.0.1 answered {answer}"
    assert error.permanent is permanent


async def test_refused_recipient_is_named_and_the_others_get_it(
    sink: SmtpSink,
) -> None:
    sink.refusals.rcpt = {"gone@example.org": "550 5.1.1 no such user"}

    answer = await send(sink.port, to=("ops@example.org", "gone@example.org"))

    assert answer == (
        "250 2.0.0 OK kept; refused gone@example.org: 550 5.1.1 no such user"
    )
    assert sink.records[0].rcpt_tos == ["ops@example.org"]


async def test_recipient_who_is_taken_later_gets_it_and_the_others_not_again(
    sink: SmtpSink,
) -> None:
    """A server that lists greys takes nobody at once whom it does not know yet."""
    both = ("ops@example.org", "boss@example.org")
    sink.refusals.rcpt = {"boss@example.org": "450 4.2.0 greylisted"}
    error = await failure(sink.port, to=both)
    again = await failure(sink.port, to=both, now=NOW + timedelta(seconds=5))
    sink.refusals.rcpt = {}
    answer = await send(sink.port, to=both, now=NOW + timedelta(minutes=5))
    await send(sink.port, to=both, alert=an_alert(reminder=1))

    told = "127.0.0.1 refused boss@example.org: 450 4.2.0 greylisted; others have it"
    assert (error.reason, error.permanent) == (told, False)
    assert again.reason == told
    assert answer == "250 2.0.0 OK kept"
    assert [record.rcpt_tos for record in sink.records] == [
        ["ops@example.org"],
        ["boss@example.org"],
        list(both),
    ]


async def test_recipient_who_leaves_the_file_is_not_waited_for(sink: SmtpSink) -> None:
    both = ("ops@example.org", "boss@example.org")
    sink.refusals.rcpt = {"boss@example.org": "450 4.2.0 greylisted"}
    await failure(sink.port, to=both)

    answer = await send(sink.port, to=both[:1])

    assert answer == "250 taken before"
    assert len(sink.records) == 1


@pytest.mark.parametrize("last", ["550 no such user", "450 still not"])
async def test_recipient_who_is_never_taken_is_given_up_after_a_while(
    sink: SmtpSink, last: str
) -> None:
    both = ("ops@example.org", "boss@example.org")
    sink.refusals.rcpt = {"boss@example.org": "450 4.2.0 greylisted"}
    await failure(sink.port, to=both)
    sink.refusals.rcpt = {"boss@example.org": last}

    answer = await send(sink.port, to=both, patience=0.0)

    assert answer == f"250 taken before; refused boss@example.org: {last}"
    assert len(sink.records) == 1


@pytest.mark.parametrize(
    ("second", "permanent"), [("550 no such user", True), ("450 greylisted", False)]
)
async def test_all_recipients_refused_is_a_failure(
    sink: SmtpSink, second: str, permanent: bool
) -> None:
    sink.refusals.rcpt = {"a@example.org": "550 gone", "b@example.org": second}

    error = await failure(sink.port, to=("a@example.org", "b@example.org"))

    assert error.reason == (
        f"127.0.0.1 refused a@example.org: 550 gone; b@example.org: {second}"
    )
    assert error.permanent is permanent
    assert sink.records == []


async def test_connection_dropped_within_data_is_a_failure(sink: SmtpSink) -> None:
    sink.refusals.drop = True

    error = await failure(sink.port)

    assert error.reason.startswith("127.0.0.1 closed the connection")
    assert not error.permanent


async def test_server_that_hangs_within_data_is_a_failure(sink: SmtpSink) -> None:
    sink.refusals.hang = True

    before = time.monotonic()
    error = await failure(sink.port, limit=0.3)

    assert error.reason == "127.0.0.1 did not take the message within 0.3 s"
    assert not error.permanent
    assert time.monotonic() - before < ENDS


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_server_that_says_nothing_is_a_failure(
    deaf_port: int, security: str
) -> None:
    error = await failure(deaf_port, limit=0.3, security=security)

    assert error.reason == "127.0.0.1 did not take the message within 0.3 s"


async def test_nobody_listening_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    error = await failure(port)

    assert error.reason == "cannot connect to 127.0.0.1: connection refused"
    assert not error.permanent


async def test_address_that_leads_nowhere_leaves_time_for_the_others(
    sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with full() as there:

        def found(*_: Any, **__: Any) -> Any:
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, there), (*kind, ("127.0.0.1", sink.port))]

        monkeypatch.setattr(socket, "getaddrinfo", found)
        await send(sink.port, host="localhost", limit=2.0)

    assert len(sink.records) == 1


async def test_server_that_cannot_be_reached_in_time_is_told() -> None:
    with full() as (host, port):
        error = await failure(port, host=host, limit=0.4)

    assert error.reason == "cannot connect to 127.0.0.2 in time"


def test_lookup_that_hangs_holds_up_neither_pages_nor_the_end() -> None:
    script = f"""
import asyncio, socket, time
from tests.alerts.transports.test_email import send

socket.getaddrinfo = lambda *_, **__: time.sleep({10 * ENDS})

async def main():
    mails = [asyncio.create_task(send(25, host="mail.invalid")) for _ in range(40)]
    await asyncio.sleep(0.5)
    # As pages do.
    await asyncio.to_thread(print, "shown")
    for mail in mails:
        mail.cancel()
    await asyncio.wait(mails)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=2 * ENDS,
    )

    assert (done.stdout, done.stderr) == ("shown\n", "")


async def test_no_server_configured_is_permanent() -> None:
    error = await failure(25, host="")

    assert error.reason == "no mail server: [smtp] host is not set"
    assert error.permanent


@pytest.mark.parametrize(
    "more",
    [
        {"to": ("two\r\nlines@example.org",)},
        {"to": ("nobody> RCPT TO:<evil@example.org",)},
        {"sender": "hcl@example.org\nBcc: evil@example.org"},
        {"sender": ""},
    ],
)
async def test_address_that_is_none_is_a_failure(
    sink: SmtpSink, more: dict[str, Any]
) -> None:
    await failure(sink.port, **more)

    assert sink.records == []


async def test_cancelling_cancels(sink: SmtpSink) -> None:
    sink.refusals.hang = True

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await send(sink.port)
