import asyncio
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hcl import __version__
from hcl.alerts.transports import DeliveryError
from hcl.alerts.transports.webhook import Webhook
from hcl.checks.check_json import Site
from hcl.config import WebhookRequest, WebhookSettings
from hcl.model import Alert
from tests.alerts import NOW, RECOVERED, a_message, a_ping, an_alert
from tests.patience import ENDS
from tests.sinks import Behaviour, HttpSink, make_certificate

SITE = Site("https://hcl.example.org", "https://hcl.example.org/ping/")


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


async def send(
    url: str, *, alert: Alert | None = None, limit: float = 5.0, **more: Any
) -> str:
    """Send an alert, by default of a check that went down, with one request."""
    values = {"method": "POST", "url": url, "body": "", "headers": ()} | more
    settings = WebhookSettings(down=WebhookRequest(**values), up=None)
    webhook = Webhook(settings, SITE, try_timeout=limit)
    try:
        return await webhook.send(a_message(alert or an_alert()), NOW)
    finally:
        await webhook.aclose()


async def failure(url: str, **more: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await send(url, **more)
    assert "\n" not in caught.value.reason
    return caught.value


async def test_request_is_sent_as_written(sink: HttpSink) -> None:
    answer = await send(
        sink.url + "hook/$STATUS?n=$NAME",
        method="PUT",
        body="$NAME is $STATUS €",
        headers=(("X-Token", "t0ken"), ("X-Name", "$NAME €")),
    )

    assert answer == "HTTP 200"
    [record] = sink.records
    assert record.method == "PUT"
    assert record.target == "/hook/down?n=Nightly%20backup"
    assert record.text == "Nightly backup is down €"
    assert record.headers == {
        "host": f"127.0.0.1:{sink.port}",
        "x-token": "t0ken",
        "x-name": "Nightly backup &#8364;",
        "user-agent": f"hcl/{__version__}",
        "content-length": "26",
    }


async def test_get_has_no_body_whatever_was_written(sink: HttpSink) -> None:
    await send(sink.url, method="GET", body="$BODY is not sent")

    [record] = sink.records
    assert (record.method, record.body) == ("GET", b"")
    assert "content-length" not in record.headers


async def test_post_without_a_body_has_length_zero(sink: HttpSink) -> None:
    await send(sink.url)

    assert sink.records[0].headers["content-length"] == "0"


async def test_users_headers_win(sink: HttpSink) -> None:
    headers = (("user-AGENT", "mine"), ("Content-Type", "text/x"), ("Host", "else"))
    await send(sink.url, body="x", headers=headers)

    got = sink.records[0].headers
    assert got["user-agent"] == "mine"
    assert got["content-type"] == "text/x"
    assert got["host"] == "else"


async def test_user_in_the_url_signs_in(sink: HttpSink) -> None:
    await send(f"http://me:secret@127.0.0.1:{sink.port}/")

    assert sink.records[0].headers["authorization"] == "Basic bWU6c2VjcmV0"


async def test_each_status_has_its_request(sink: HttpSink) -> None:
    down = WebhookRequest("POST", sink.url + "down", "", ())
    up = WebhookRequest("GET", sink.url + "up", "", ())
    webhook = Webhook(WebhookSettings(down, up), SITE)

    await webhook.send(a_message(), NOW)
    await webhook.send(a_message(an_alert(flip=RECOVERED)), NOW)
    await webhook.aclose()

    targets = [(record.method, record.target) for record in sink.records]
    assert targets == [("POST", "/down"), ("GET", "/up")]
    assert sink.connections == 1


async def test_status_without_a_request_sends_nothing(sink: HttpSink) -> None:
    answer = await send(sink.url, alert=an_alert(flip=RECOVERED))

    assert answer == "nothing to send"
    assert sink.connections == 0


async def test_message_of_several_checks_is_one_request(sink: HttpSink) -> None:
    down = WebhookRequest("POST", sink.url + "$STATUS", "$NAME", ())
    up = WebhookRequest("POST", sink.url + "$STATUS", "$JSON", ())
    webhook = Webhook(WebhookSettings(down, up), SITE)
    recovered = an_alert(name="db", flip=RECOVERED)

    await webhook.send(a_message(recovered, an_alert(name="web")), NOW)
    await webhook.send(a_message(recovered, recovered), NOW)
    await webhook.aclose()

    first, second = sink.records
    assert (first.target, first.text) == ("/down", "2 checks: db, web")
    assert second.target == "/up"
    assert [document["name"] for document in json.loads(second.text)] == ["db", "db"]


async def test_cookies_are_not_kept(sink: HttpSink) -> None:
    sink.headers = (("Set-Cookie", "a=b"),)
    down = WebhookRequest("POST", sink.url, "", ())
    webhook = Webhook(WebhookSettings(down, None), SITE)

    await webhook.send(a_message(), NOW)
    await webhook.send(a_message(), NOW)
    await webhook.aclose()

    assert "cookie" not in sink.records[1].headers


@pytest.mark.parametrize(
    "name",
    [
        "$NAME $BODY $TAG1",
        "two\r\nlines: 1",
        "\"quoted\" 'too' \\",
        "Ünï 日本 \x00\x1f",
        "\ud800",
        "x" * 10_000,
    ],
    ids=["dollars", "newlines", "quotes", "odd", "surrogate", "long"],
)
async def test_any_name_arrives(sink: HttpSink, name: str) -> None:
    await send(
        sink.url + "?$NAME",
        alert=an_alert(name=name, tags="one $NAME", ping=a_ping(body=b"\xff$NAME")),
        body='{"name": $NAME_JSON, "check": $JSON, "body": $BODY_JSON} $NAME',
        headers=(("X-Name", "$NAME"),),
    )

    [record] = sink.records
    document, end = json.JSONDecoder().raw_decode(record.text)
    assert document["name"] == document["check"]["name"] == name
    assert document["body"] == "\ufffd$NAME"
    assert record.text[end + 1 :] == name.replace("\ud800", "?")
    assert set(record.headers) == {"host", "x-name", "user-agent", "content-length"}


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_any_2xx_is_success(sink: HttpSink, status: int) -> None:
    sink.status, sink.body = status, b""

    assert await send(sink.url) == f"HTTP {status}"


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        (301, False),
        (400, False),
        (404, True),
        (410, True),
        (429, False),
        (500, False),
        (503, False),
    ],
)
async def test_other_statuses_are_failures(
    sink: HttpSink, status: int, permanent: bool
) -> None:
    sink.status = status

    error = await failure(sink.url)

    assert error.reason == str(error) == f"HTTP {status} from 127.0.0.1"
    assert error.permanent is permanent


async def test_redirects_are_not_followed(sink: HttpSink) -> None:
    async with HttpSink() as other:
        sink.status, sink.headers = 302, (("Location", other.url),)

        error = await failure(sink.url)

        where = f"it redirects to {other.url}, which is not followed; use that URL"
        assert error.reason == f"HTTP 302 from 127.0.0.1: {where}"
        assert other.connections == 0


async def test_redirect_is_told_without_what_is_secret(sink: HttpSink) -> None:
    sink.status = 308
    sink.headers = (("Location", "/v2/hooks/s3cret/s4cret/?key=s3cret"),)

    error = await failure(f"{sink.url}hooks/s3cret/s4cret")

    assert "s3cret" not in error.reason
    assert "s4cret" not in error.reason
    assert f"it redirects to {sink.url}v2/…/?…, which" in error.reason


async def test_host_with_other_letters_is_asked_for_in_ascii(
    sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The sink is a proxy here, since no such name is known.
    monkeypatch.setenv("http_proxy", sink.url)

    await send("http://bücher.example/hook")

    assert sink.records[0].headers["host"] == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        ("hang", "127.0.0.1 did not answer within 0.5 s"),
        ("close", "127.0.0.1 closed the connection without an answer"),
        ("garbage", "127.0.0.1 did not answer in HTTP"),
        ("head", "127.0.0.1 did not answer in HTTP"),
    ],
)
async def test_no_answer_is_a_failure(
    sink: HttpSink, behave: Behaviour, reason: str
) -> None:
    sink.behave = behave

    error = await failure(sink.url, limit=0.5 if behave == "hang" else ENDS)

    assert (error.reason, error.permanent) == (reason, False)


async def test_slow_answer_is_a_failure(sink: HttpSink) -> None:
    sink.delay = 2 * ENDS

    before = time.monotonic()
    error = await failure(sink.url, limit=0.2)

    assert error.reason == "127.0.0.1 did not answer within 0.2 s"
    assert time.monotonic() - before < ENDS


@pytest.mark.parametrize("behave", ["stream", "trickle", "cut"])
async def test_what_follows_the_status_does_not_matter(
    sink: HttpSink, behave: Behaviour
) -> None:
    sink.behave = behave

    # What trickles takes all of it.
    limit = 2.0 if behave == "trickle" else ENDS

    assert await send(sink.url, limit=limit) == "HTTP 200"

    sink.status = 500
    error = await failure(sink.url, limit=limit)
    assert error.reason == "HTTP 500 from 127.0.0.1"


async def test_endless_answer_is_dropped_early(sink: HttpSink) -> None:
    sink.behave = "stream"

    before = time.monotonic()
    await send(sink.url, limit=2 * ENDS)

    assert time.monotonic() - before < ENDS


async def test_failure_does_not_stop_the_next_message(sink: HttpSink) -> None:
    down = WebhookRequest("POST", sink.url, "", ())
    webhook = Webhook(WebhookSettings(down, None), SITE, try_timeout=2.0)

    behaviours: list[Behaviour] = ["hang", "close", "garbage", "head"]
    for behaviour in behaviours:
        sink.behave = behaviour
        with pytest.raises(DeliveryError):
            await webhook.send(a_message(), NOW)
    sink.behave = "answer"

    assert await webhook.send(a_message(), NOW) == "HTTP 200"
    await webhook.aclose()


async def test_many_messages_at_once_arrive(sink: HttpSink) -> None:
    down = WebhookRequest("POST", sink.url, "", ())
    webhook = Webhook(WebhookSettings(down, None), SITE)

    answers = await asyncio.gather(
        *(webhook.send(a_message(), NOW) for _ in range(150))
    )
    await webhook.aclose()

    assert answers == ["HTTP 200"] * 150
    assert len(await sink.wait_for(150)) == 150


async def test_nobody_listening_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    error = await failure(f"http://127.0.0.1:{port}/")

    assert error.reason == "cannot connect to 127.0.0.1: connection refused"
    assert not error.permanent


async def test_unknown_host_is_a_failure() -> None:
    error = await failure("http://nowhere.invalid/secret")

    assert error.reason.startswith("cannot connect to nowhere.invalid")


async def test_untrusted_certificate_is_a_failure(tmp_path: Path) -> None:
    _, context = make_certificate(tmp_path)

    async with HttpSink(tls=context) as sink:
        error = await failure(sink.url)

        cure = "name a file with that certificate in [tls] ca_file"
        problem = f"cannot connect to 127.0.0.1: self-signed certificate; {cure}"
        assert error.reason == problem
        assert sink.records == []


async def test_https_to_a_plain_server_is_a_failure() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        error = await failure(f"https://127.0.0.1:{port}/")

    assert error.reason.startswith("cannot connect to 127.0.0.1: ")


@pytest.mark.parametrize(
    ("scheme", "limit", "reason"),
    [
        ("http", 0.3, "127.0.0.1 did not answer within 0.3 s"),
        # Certificates are read first, which a busy machine takes long for.
        ("https", 2.0, "cannot connect to 127.0.0.1 in time"),
    ],
)
async def test_server_that_says_nothing_is_a_failure(
    scheme: str, limit: float, reason: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        error = await failure(f"{scheme}://127.0.0.1:{port}/", limit=limit)

    assert error.reason == reason


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secret",
        "ftp://example.org/secret",
        "http://[::1/secret",
        "http://example.org/secret\x00",
        "http://127.0.0.1:port/secret",
    ],
)
async def test_url_that_is_none_is_a_failure(url: str) -> None:
    error = await failure(url)

    assert error.reason == "the URL is not valid once its placeholders are filled in"


async def test_port_that_is_none_is_a_failure() -> None:
    error = await failure("http://127.0.0.1:99999/secret")

    assert "127.0.0.1" in error.reason
    assert "secret" not in error.reason


@pytest.mark.parametrize(
    "header",
    [("Bad name", "secret"), ("Ünï€", "secret"), ("Content-Length", "7secret")],
)
async def test_header_that_is_none_is_a_failure(
    sink: HttpSink, header: tuple[str, str]
) -> None:
    error = await failure(sink.url, body="x", headers=(header,))

    assert error.reason == "the request to 127.0.0.1 is not valid HTTP"


async def test_reasons_and_logs_keep_the_urls_secrets(
    sink: HttpSink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    url = f"http://user:secret@127.0.0.1:{sink.port}/secret?secret#secret"

    await send(url)
    behaviours: list[Behaviour] = ["hang", "close", "garbage"]
    for behaviour in behaviours:
        sink.behave = behaviour
        error = await failure(url, limit=0.2)
        assert "secret" not in error.reason

    assert "secret" not in caplog.text


async def test_cancelling_cancels(sink: HttpSink) -> None:
    sink.behave = "hang"

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await send(sink.url)


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("hcl.alerts.transports", "httpx2 jinja2 aiosmtplib email ssl"),
        # A library for all of HTTP takes 6 MB.
        ("hcl.alerts.transports.webhook", "httpx2 anyio h11 idna jinja2 aiosmtplib"),
        # A library for templates takes 3 MB.
        ("hcl.alerts.transports.email", "httpx2 anyio h11 idna jinja2 tempfile"),
    ],
)
def test_importing_transports_imports_no_library(module: str, heavy: str) -> None:
    program = (
        f"import sys, {module};print(sorted(set({heavy!r}.split()) & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout == "[]\n"
