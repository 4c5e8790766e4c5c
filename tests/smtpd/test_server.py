"""What a mail does, sent to a real `hcl serve`."""

import asyncio
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests import toml
from tests.server.process import PING_KEY
from tests.sinks import HttpSink
from tests.smtpd.serving import (
    DOMAIN,
    GOOD,
    UNKNOWN,
    MailServe,
    envelope,
)


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
