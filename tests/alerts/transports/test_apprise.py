import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from hcl.alerts.transports import DeliveryError, apprise
from hcl.alerts.transports.apprise import AppriseTransport
from hcl.alerts.transports.apprise_process import Courier
from hcl.config import (
    AppriseSettings,
    ChannelConfig,
    Event,
    WebhookRequest,
    WebhookSettings,
)
from hcl.model import Flip, Lateness, Message
from tests.alerts import (
    NOW,
    RECOVERED,
    a_message,
    a_ping,
    an_alert,
    an_announcement,
)
from tests.alerts.transports.test_apprise_process import workers
from tests.build import DAY, HOUR, make_check
from tests.config import PROJECT, read
from tests.outgoing.proxy_sink import ProxySink
from tests.patience import ENDS
from tests.sinks import Behaviour, HttpRecord, HttpSink, make_certificate

LINK = "https://hcl.example.org/checks/7dd1b5a2-9f4b-4a3e-8d5a-0c9d3d0f2c11"
SLACK = "https://hooks.slack.com/services/T12345678/B12345678/abcdefghijklmnopqrstuvwx"
DISCORD = "https://discord.com/api/webhooks/1234567890/abcdefgh_token"
UP = a_message(an_alert(flip=RECOVERED, status="up"))
EVIL = "@everyone <!channel> <@U123> *x* <b> [y](http://z) \\"


# Apprise takes a second to start: one process for all that sends directly, and one that
# finds the proxy in its environment.


@pytest.fixture(scope="module")
async def direct() -> AsyncIterator[Courier]:
    courier = Courier(linger=2 * ENDS)
    yield courier
    await courier.close()


@pytest.fixture(scope="module")
async def proxied() -> AsyncIterator[Courier]:
    courier = Courier(linger=2 * ENDS)
    yield courier
    await courier.close()


@pytest.fixture(scope="module")
async def proxy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProxySink]:
    async with ProxySink(tmp_path_factory.mktemp("proxy")) as sink:
        yield sink


@pytest.fixture
def courier(
    request: pytest.FixtureRequest, direct: Courier, proxied: Courier
) -> Courier:
    return proxied if "internet" in request.fixturenames else direct


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


@pytest.fixture
async def internet(proxy: ProxySink, monkeypatch: pytest.MonkeyPatch) -> ProxySink:
    for name, value in proxy.environment.items():
        monkeypatch.setenv(name, value)
    proxy.records.clear()
    proxy.status, proxy.body = 200, b"OK"
    return proxy


async def send(
    courier: Courier,
    url: str,
    message: Message | None = None,
    *,
    kind: str = "apprise",
    limit: float = ENDS,
) -> str:
    """Send a message, by default of a check that went down."""
    transport = AppriseTransport(kind, url, limit, courier)
    return await transport.send(message or a_message(), NOW)


async def failure(*args: Any, **more: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await send(*args, **more)
    assert "\n" not in caught.value.reason
    assert "t0ken" not in caught.value.reason
    return caught.value


async def test_ntfy_gets_priority_tags_and_a_link(
    courier: Courier, sink: HttpSink
) -> None:
    url = f"ntfy://127.0.0.1:{sink.port}/topic"

    answer = await send(courier, url)
    await send(courier, url, UP)

    down, up = sink.records
    assert answer == "HTTP 200 from 127.0.0.1"
    told = json.loads(down.text)
    assert told["topic"] == "topic"
    assert told["title"] == "DOWN: Nightly backup"
    assert LINK in told["message"]
    assert down.headers["x-priority"] == "high"
    assert down.headers["x-tags"] == "rotating_light"
    assert down.headers["x-click"] == up.headers["x-click"] == LINK
    assert "x-priority" not in up.headers
    assert up.headers["x-tags"] == "white_check_mark"
    assert "x-icon" not in down.headers


LONG = {
    "cyrillic": "Ошибка при копировании файла с сервера на диск.\n",
    "emoji": "\U0001f525 \U0001f6a8\n",
    "latin": "rsync: connection unexpectedly closed (0 bytes received so far)\n",
}


@pytest.mark.parametrize("words", LONG.values(), ids=LONG.keys())
async def test_ntfy_gets_no_more_than_it_takes(
    courier: Courier, sink: HttpSink, words: str
) -> None:
    """Else Apprise or ntfy make a file of it, without a title, if there may be any."""
    flips = tuple(
        Flip(NOW - HOUR * number, "up", status, "fail")
        for number in range(30, 0, -1)
        for status in ("down", "up")
    )
    ping = a_ping(body=words.encode() * 100)
    alert = an_alert(name=words * 10, desc=words * 30, ping=ping, earlier=flips)
    url = f"ntfy://127.0.0.1:{sink.port}/topic"
    story = (words * 300,)

    await send(courier, url, a_message(alert, also_down=(words,) * 5))
    await send(courier, url, a_message(replace(alert, earlier=())))
    await send(courier, url, an_announcement(subject=words * 9, story=story))

    for record in sink.records:
        assert (record.method, record.target) == ("POST", "/")
        assert len(record.body) < 8192
        told = json.loads(record.text)
        assert told["title"]
        assert 500 < len(told["message"].encode()) <= 4096
    assert LINK in json.loads(sink.records[1].text)["message"]


async def test_priority_of_an_event_arrives(courier: Courier, sink: HttpSink) -> None:
    words: tuple[dict[Event, str], ...] = (
        {"down": "max", "up": "low"},
        {"down": "10", "up": "none"},
    )
    ntfy, gotify = (
        AppriseTransport(
            name,
            f"{name}://127.0.0.1:{sink.port}/t",
            ENDS,
            courier,
            priorities=said,
        )
        for name, said in zip(("ntfy", "gotify"), words, strict=True)
    )
    for transport in (ntfy, gotify):
        for message in (a_message(), UP):
            await transport.send(message, NOW)

    assert [record.headers.get("x-priority") for record in sink.records[:2]] == [
        "max",
        "low",
    ]
    # What is sent though it is not told, a test say, has the service's own.
    assert [json.loads(r.text)["priority"] for r in sink.records[2:]] == [10, 5]


@pytest.mark.parametrize(
    ("priority", "told"), [("urgent", "max"), ("critical", "max"), ("4", "high")]
)
async def test_priority_of_the_url_arrives(
    courier: Courier, sink: HttpSink, priority: str, told: str
) -> None:
    await send(courier, f"ntfy://127.0.0.1:{sink.port}/topic?priority={priority}")

    assert sink.records[0].headers["x-priority"] == told


async def test_what_the_url_says_wins(courier: Courier, sink: HttpSink) -> None:
    query = "priority=min&tags=mine&xtags=mine&click=https://example.org/"

    await send(courier, f"ntfy://127.0.0.1:{sink.port}/topic?{query}")

    headers = sink.records[0].headers
    assert headers["x-priority"] == "min"
    assert headers["x-tags"] == "mine"
    assert headers["x-click"] == "https://example.org/"


async def test_gotify_gets_priority(courier: Courier, sink: HttpSink) -> None:
    url = f"gotify://127.0.0.1:{sink.port}/t0ken"

    await send(courier, url)
    await send(courier, url, UP)

    down, up = map(json.loads, (record.text for record in sink.records))
    assert (down["priority"], up["priority"]) == (8, 5)
    assert down["title"] == "DOWN: Nightly backup"
    assert LINK in down["message"]
    assert sink.records[0].headers["x-gotify-key"] == "t0ken"


@pytest.mark.parametrize(
    ("before", "after"),
    [("mmost://", "t0ken"), (f"rocket://{'a' * 24}%2F{'b' * 24}@", "?mode=webhook")],
    ids=["mattermost", "rocketchat"],
)
async def test_chat_gets_markdown_that_calls_nobody(
    courier: Courier, sink: HttpSink, before: str, after: str
) -> None:
    message = a_message(an_alert(name=EVIL, ping=a_ping(body=b"@here <!here> ```")))

    await send(courier, f"{before}127.0.0.1:{sink.port}/{after}", message)

    text = json.loads(sink.records[0].text)["text"]
    assert text.startswith("**DOWN: @\u200beveryone ")
    assert "\\*x\\*" in text
    assert f"]({LINK})" in text
    assert "@here" not in text
    assert "<!" not in text
    assert "<@" not in text


async def test_matrix_gets_html(courier: Courier, sink: HttpSink) -> None:
    url = f"matrix://user:t0ken@127.0.0.1:{sink.port}/#room?mode=matrix"

    await send(courier, url, a_message(an_alert(name=EVIL)))

    told = json.loads(sink.records[0].text)
    assert told["format"] == "html"
    assert f'<a href="{LINK}">' in told["text"]
    assert "@everyone" not in told["text"]


@pytest.mark.parametrize(
    "url", [SLACK, SLACK.replace("https://hooks.slack.com/services", "slack:/")]
)
async def test_slack_gets_what_it_shows(
    courier: Courier, internet: ProxySink, url: str
) -> None:
    internet.body = b"ok"
    message = a_message(an_alert(name=EVIL, ping=a_ping(body=b"@here <!here> <@U1>")))

    answer = await send(courier, url, message, kind="slack")

    [record] = internet.records
    assert answer == "HTTP 200 from hooks.slack.com"
    assert record.headers["host"] == "hooks.slack.com"
    assert f"https://hooks.slack.com{record.target}" == SLACK
    assert f"<{LINK}|" in record.text
    assert "<!" not in record.text
    assert "<@" not in record.text
    assert "@everyone" not in json.loads(record.text)["attachments"][0]["title"]


@pytest.mark.parametrize(
    "url", [DISCORD, DISCORD.replace("https://discord.com/api/webhooks", "discord:/")]
)
async def test_discord_gets_what_it_shows(
    courier: Courier, internet: ProxySink, url: str
) -> None:
    internet.status, internet.body = 204, b""
    message = a_message(an_alert(name=EVIL, ping=a_ping(body=b"@here <@1> <@&2>")))

    answer = await send(courier, url, message, kind="discord")

    [record] = internet.records
    assert answer == "HTTP 204 from discord.com"
    assert record.headers["host"] == "discord.com"
    assert f"https://discord.com{record.target}" == DISCORD
    content = json.loads(record.text)["content"]
    assert content.startswith("**DOWN: @\u200beveryone ")
    assert f"]({LINK})" in content
    assert "@here" not in content
    assert "<@" not in content


async def test_output_calls_nobody_on_discord_in_its_markdown(
    courier: Courier, internet: ProxySink
) -> None:
    internet.status, internet.body = 204, b""
    message = a_message(an_alert(ping=a_ping(body=b"root@12345 <@1> @&2 me@host")))

    await send(courier, f"{DISCORD}?format=markdown", message, kind="discord")

    assert "allow_mentions" not in json.loads(internet.records[0].text)
    assert "👉" not in internet.records[0].text


async def test_telegram_gets_html(courier: Courier, internet: ProxySink) -> None:
    internet.body = b'{"ok": true}'

    url = "tgram://123456789:abcdefg_hijklmnop/12315544/"
    await send(courier, url, a_message(an_alert(name=EVIL)))

    told = json.loads(internet.records[0].text)
    assert told["parse_mode"] == "HTML"
    assert told["text"].startswith("<b>DOWN: @\u200beveryone &lt;\u200b!channel")
    assert f'<a href="{LINK}">' in told["text"]


async def test_telegram_tells_what_it_does_not_like(
    courier: Courier, internet: ProxySink
) -> None:
    internet.status = 400
    internet.body = b'{"ok": false, "description": "Bad Request: chat not found"}'

    error = await failure(courier, "tgram://123456789:abcdefg_hijklt0ken/12315544/")

    told = "HTTP 400 from api.telegram.org: Bad Request: chat not found"
    assert (error.reason, error.permanent) == (told, True)


async def test_group_of_telegram_that_has_another_number_now_is_told_there(
    courier: Courier, internet: ProxySink
) -> None:
    def answer(record: HttpRecord) -> tuple[int, bytes]:
        if str(json.loads(record.text)["chat_id"]) == "-1002233":
            return 200, b'{"ok": true}'
        said: dict[str, Any] = {"ok": False, "error_code": 400}
        said["description"] = "Bad Request: group chat was upgraded to a supergroup"
        said["parameters"] = {"migrate_to_chat_id": -1002233}
        return 400, json.dumps(said).encode()

    internet.answers = answer
    try:
        told = await send(courier, "tgram://123456789:abcdefg_hijklmnop/-2233/")
    finally:
        internet.answers = None

    first, second = (json.loads(record.text) for record in internet.records)
    assert str(first.pop("chat_id")) == "-2233"
    assert second.pop("chat_id") == -1002233
    assert first == second
    assert told == (
        "HTTP 200 from api.telegram.org; that group is -1002233 now: write that into"
        " url"
    )


async def test_refusal_for_good_counts_whatever_the_status(
    courier: Courier, internet: ProxySink
) -> None:
    url = "slack://xoxb-1234567890-1234567890-abcdefghijklmnopqrt0ken/#ops"
    said = {
        "channel_not_found": True,
        "invalid_auth": True,
        "is_archived": False,
        "ratelimited": False,
        "internal_error": False,
    }
    for error, permanent in said.items():
        internet.body = json.dumps({"ok": False, "error": error}).encode()

        failed = await failure(courier, url)

        assert failed.reason == f"slack.com refused the message: {error}"
        assert failed.permanent is permanent


async def test_pushover_gets_priority_and_a_link(
    courier: Courier, internet: ProxySink
) -> None:
    internet.body = b'{"status": 1}'
    url = "pover://" + "u" * 30 + "@" + "a" * 30

    await send(courier, url)
    await send(courier, url, UP)

    down, up = (parse_qs(record.text) for record in internet.records)
    assert (down["priority"], up["priority"]) == (["1"], ["0"])
    assert down["title"] == ["DOWN: Nightly backup"]
    assert down["url"] == up["url"] == [LINK]


async def test_a_service_with_little_room_gets_the_last_words_of_a_job(
    courier: Courier, internet: ProxySink
) -> None:
    """Pushover takes 1024 characters, and Apprise cuts them at the end."""
    internet.body = b'{"status": 1}'
    url = "pover://" + "u" * 30 + "@" + "a" * 30
    output = b"copied a file\n" * 200 + b"disk full"
    message = a_message(an_alert(ping=a_ping(body=output)))

    await send(courier, url, message)

    [text] = parse_qs(internet.records[0].text)["message"]
    assert f"copied a file\ndisk full\n\n{LINK}" in text
    assert 800 < len(text) <= 1024


async def test_a_summary_of_many_checks_says_how_many_there_is_no_room_for(
    courier: Courier, internet: ProxySink
) -> None:
    """Discord takes 2000 characters."""
    internet.status, internet.body = 204, b""
    names = [f"A job with quite a long name, number {n}" for n in range(60)]
    message = a_message(*(an_alert(name=name) for name in names))

    await send(courier, DISCORD, message, kind="discord")

    text = json.loads(internet.records[0].text)["content"]
    shown = sum(f"{name} " in text for name in names)
    assert f"and {60 - shown} more" in text
    assert "Open in hcl" in text
    assert 1000 < len(text) <= 2000


async def test_opsgenie_closes_what_it_opened(
    courier: Courier, internet: ProxySink
) -> None:
    internet.status, internet.body = 202, b'{"requestId": "x"}'
    url = "opsgenie://aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"

    await send(courier, url)
    await send(courier, url, UP)

    down, up = internet.records
    alias = json.loads(down.text)["alias"]
    assert down.target == "/v2/alerts"
    assert up.target == f"/v2/alerts/{alias}/close?identifierType=alias"
    assert "7dd1b5a2" not in alias


async def test_each_check_has_an_incident_of_its_own(
    courier: Courier, internet: ProxySink
) -> None:
    internet.status, internet.body = 202, b'{"status": "success"}'
    code = make_check().code
    url = "pagerduty://A1BRTD4JD@TIiajkdnlazkcOXrIdevi7FQ"

    answer = await send(courier, url, a_message(an_alert(), an_alert(code=code)))
    await send(courier, url, UP)

    one, other, closed = map(json.loads, (r.text for r in internet.records))
    assert answer == "HTTP 202 from events.pagerduty.com"
    assert one["dedup_key"] == closed["dedup_key"] != other["dedup_key"]
    assert one["payload"]["summary"] == "DOWN: Nightly backup"
    assert (one["event_action"], closed["event_action"]) == ("trigger", "resolve")


async def test_what_is_late_or_slow_has_incidents_of_its_own(
    courier: Courier, internet: ProxySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one that is open nobody is called: it must not swallow that it is down."""
    monkeypatch.setattr("hcl.alerts.transports.apprise_message.PACE", 0.0)
    internet.status, internet.body = 202, b'{"status": "success"}'
    url = "pagerduty://A1BRTD4JD@TIiajkdnlazkcOXrIdevi7FQ"
    transport = AppriseTransport("pd", url, ENDS, courier, tells_late=True)
    late, ended = Lateness(NOW), Lateness(NOW, NOW)
    slow = Lateness(NOW - HOUR, NOW, usual=HOUR / 60)

    for lateness in (late, ended, slow):
        alert = replace(
            an_alert(flip=Flip(NOW, "up", "up", ""), status="up"), lateness=lateness
        )
        await transport.send(a_message(alert), NOW)
    await transport.send(a_message(), NOW)
    await transport.send(a_message(an_alert(reminder=1)), NOW)

    sent = [json.loads(record.text) for record in internet.records]
    keys = [document["dedup_key"] for document in sent]
    assert [document["event_action"] for document in sent] == [
        "trigger",
        "resolve",
        "trigger",
        "trigger",
        "resolve",
        "trigger",
    ]
    assert keys[0] == keys[1] == keys[4]
    assert keys[3] == keys[5]
    assert len(set(keys)) == 3


async def test_incident_that_is_not_there_to_close_is_no_failure(
    courier: Courier, internet: ProxySink
) -> None:
    internet.answers = lambda record: (404 if "resolve" in record.text else 202, b"{}")
    url = "pagerduty://A1BRTD4JD@TIiajkdnlazkcOXrIdevi7FQ"
    transport = AppriseTransport("pd", url, ENDS, courier, tells_late=True)

    try:
        answer = await transport.send(a_message(), NOW)
    finally:
        internet.answers = None

    assert answer == "HTTP 202 from events.pagerduty.com"
    assert len(internet.records) == 2


async def test_message_of_hcl_itself_opens_an_incident_where_it_is_asked_for(
    courier: Courier, internet: ProxySink
) -> None:
    internet.status, internet.body = 202, b'{"requestId": "x", "status": "success"}'
    told = an_announcement()

    await send(courier, "pagerduty://A1BRTD4JD@TIiajkdnlazkcOXrIdevi7FQ", told)
    await send(courier, "opsgenie://aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", told)

    one, other = internet.records
    document = json.loads(one.text)
    assert document["event_action"] == "trigger"
    assert document["payload"]["summary"].startswith("hcl was away from 03:50")
    assert other.target == "/v2/alerts"


async def test_who_took_a_message_does_not_get_it_again_where_others_refused(
    courier: Courier, sink: HttpSink
) -> None:
    """One topic of a URL that is gone must not have the others told all week."""
    url, refused = f"ntfy://127.0.0.1:{sink.port}/mine/gone", {"gone"}

    def answer(record: HttpRecord) -> tuple[int, bytes]:
        return (404 if json.loads(record.text)["topic"] in refused else 200), b"{}"

    sink.answers = answer
    transport = AppriseTransport("ntfy", url, ENDS, courier)
    with pytest.raises(DeliveryError, match="HTTP 404"):
        await transport.send(a_message(), NOW)
    with pytest.raises(DeliveryError, match="HTTP 404"):
        await transport.send(a_message(), NOW + HOUR)
    refused.clear()
    await transport.send(a_message(), NOW + DAY)
    await transport.send(UP, NOW + DAY)

    topics = [json.loads(record.text)["topic"] for record in sink.records]
    assert topics == ["mine", "gone", "gone", "gone", "mine", "gone"]


async def test_refusals_tell_their_status(courier: Courier, sink: HttpSink) -> None:
    url = f"ntfy://user:t0ken@127.0.0.1:{sink.port}/t0ken"
    expected = {400: True, 401: True, 403: True, 404: True, 410: True, 413: True}
    expected |= {429: False, 500: False, 502: False, 503: False}

    for status, permanent in expected.items():
        sink.status, sink.body = status, b'{"error": "no: t0ken\\nuser"}'
        # A URL of its own for each, since one is not used more often than it may.
        error = await failure(courier, f"{url}?status={status}")

        assert error.reason == f"HTTP {status} from 127.0.0.1: no: … …"
        assert error.permanent is permanent


async def test_what_is_no_reason_is_not_told(courier: Courier, sink: HttpSink) -> None:
    sink.status = 500
    bodies = [b"<html>oops</html>", b"\xff\x00", b"{}", b"[1, null]", b""]
    for i, sink.body in enumerate(bodies):
        error = await failure(courier, f"gotify://127.0.0.1:{sink.port}/{i}/t0ken")

        assert error.reason == "HTTP 500 from 127.0.0.1"


async def test_long_reason_is_cut(courier: Courier, sink: HttpSink) -> None:
    sink.status, sink.body = 500, b"t0ken \x1b[31m no " * 1000

    error = await failure(courier, f"gotify://127.0.0.1:{sink.port}/t0ken")

    assert len(error.reason) < 240
    assert error.reason.isprintable()


async def test_no_answer_is_a_failure_in_words(
    courier: Courier, sink: HttpSink
) -> None:
    expected: dict[Behaviour, str] = {
        "close": "127.0.0.1 closed the connection without an answer",
        "garbage": "127.0.0.1 did not answer in HTTP",
        "head": "127.0.0.1 did not answer in HTTP",
    }
    for behave, reason in expected.items():
        sink.behave = behave

        url = f"gotify://127.0.0.1:{sink.port}/{behave}/t0ken"
        error = await failure(courier, url)

        assert (error.reason, error.permanent) == (reason, False)


async def test_what_follows_the_status_does_not_matter(
    courier: Courier, sink: HttpSink
) -> None:
    behaviours: list[Behaviour] = ["stream", "cut"]
    for sink.behave in behaviours:
        url = f"gotify://127.0.0.1:{sink.port}/{sink.behave}/t0ken"
        assert await send(courier, url) == "HTTP 200 from 127.0.0.1"


async def test_answer_that_goes_too_deep_counts_by_its_status(
    courier: Courier, sink: HttpSink
) -> None:
    sink.body = b"[" * 60_000

    answer = await send(courier, f"gotify://127.0.0.1:{sink.port}/t0ken")

    assert answer == "HTTP 200 from 127.0.0.1"


async def test_answer_that_never_ends_counts_by_its_status(
    courier: Courier, sink: HttpSink
) -> None:
    sink.behave = "trickle"

    answer = await send(courier, f"gotify://127.0.0.1:{sink.port}/t0ken")

    assert answer == "HTTP 200 from 127.0.0.1"


async def test_server_that_hangs_is_told_of(courier: Courier, sink: HttpSink) -> None:
    sink.behave = "hang"
    begun = time.monotonic()

    error = await failure(
        courier, f"ntfy://127.0.0.1:{sink.port}/t0ken", kind="ntfy", limit=1.0
    )

    assert error.reason == "ntfy at 127.0.0.1 did not answer within 1 s"
    assert not error.permanent
    assert time.monotonic() - begun < ENDS


async def test_patience_of_the_url_comes_first(
    courier: Courier, sink: HttpSink
) -> None:
    sink.behave = "hang"

    error = await failure(courier, f"ntfy://127.0.0.1:{sink.port}/t0ken?rto=0.2")

    assert error.reason == "127.0.0.1 did not answer in time"


async def test_nobody_listening_is_told_of(courier: Courier) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    error = await failure(courier, f"ntfy://127.0.0.1:{port}/t0ken")
    mail = await failure(
        courier, f"mailto://user:t0ken@127.0.0.1:{port}?from=a@b.org&to=c@d.org"
    )

    assert error.reason == "cannot connect to 127.0.0.1: connection refused"
    assert mail.reason.endswith(": connection refused")


async def test_unknown_host_is_told_of(courier: Courier) -> None:
    error = await failure(courier, "ntfy://nowhere.invalid/t0ken")

    assert error.reason.startswith("cannot connect to nowhere.invalid: ")


async def test_untrusted_certificate_is_told_of(
    courier: Courier, tmp_path: Path
) -> None:
    _, context = make_certificate(tmp_path)

    async with HttpSink(tls=context) as sink:
        error = await failure(courier, f"gotifys://127.0.0.1:{sink.port}/t0ken")

        cure = "name a file with that certificate in [tls] ca_file"
        problem = f"cannot connect to 127.0.0.1: self-signed certificate; {cure}"
        assert error.reason == problem
        assert sink.records == []


async def test_proxy_that_refuses_is_told_of(
    courier: Courier, internet: ProxySink
) -> None:
    url = "https://webhooks.t2bot.io/api/v1/matrix/hook/" + "a" * 59 + "t0ken"

    error = await failure(courier, url)

    assert error.reason.startswith("cannot connect to webhooks.t2bot.io through the ")


@pytest.mark.parametrize("body", [b"channel_not_found", b'{"error": "no_service"}'])
async def test_slack_tells_what_it_does_not_like(
    courier: Courier, internet: ProxySink, body: bytes
) -> None:
    internet.status, internet.body = 404, body

    error = await failure(courier, SLACK)

    assert error.reason.startswith("HTTP 404 from hooks.slack.com: ")
    assert error.permanent


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("foo://t0ken", "Unparseable URL foo://…"),
        ("gotify://t0ken", "An invalid Gotify Token (None) was specified"),
        ("https://example.org/t0ken", "Unparseable URL https://…"),
        ("t0ken", "Unsupported URL: …"),
        ("mqtt://t0ken@host/t0ken", "Apprise lacks a library for mqtt://"),
    ],
)
async def test_url_that_does_not_load_is_told_of(
    courier: Courier, url: str, why: str
) -> None:
    error = await failure(courier, url)

    assert (error.reason, error.permanent) == (f"the URL is not valid: {why}", True)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("$NAME ${HOME} $(id) %s {x}", "$NAME ${HOME} $(id) %s {x}"),
        ("two\r\nlines: 1", "two"),
        ("\"quoted\" 'too' \\", "\"quoted\" 'too' \\"),
        ("Ünï 日本 😀 \x00\x1f", "Ünï 日本 😀"),
        ("a\ud800", "a"),
        ("x" * 10_000, "x" * 40),
        (":smile: &amp; <b>", ":smile: &amp; <b>"),
    ],
    ids=["dollars", "newlines", "quotes", "odd", "surrogate", "long", "markup"],
)
async def test_any_name_arrives(
    courier: Courier, sink: HttpSink, name: str, shown: str
) -> None:
    host = f"127.0.0.1:{sink.port}"
    body = b"\xff" + name.encode("utf-8", "replace") * 9
    message = a_message(an_alert(name=name, ping=a_ping(body=body)))

    for url in (f"ntfy://{host}/topic", f"mmost://{host}/t0ken", f"form://{host}/"):
        await send(courier, url, message)

    ntfy, mattermost, form = sink.records
    assert json.loads(ntfy.text)["title"].startswith(f"DOWN: {shown}")
    assert parse_qs(form.text)["title"][0].startswith(f"DOWN: {shown}")
    assert json.loads(mattermost.text)["text"].startswith("**DOWN: ")
    assert all(len(record.body) < 40_000 for record in sink.records)


async def test_services_share_a_process_and_end_it(sink: HttpSink) -> None:
    host = f"127.0.0.1:{sink.port}"
    before = set(workers())
    one = AppriseTransport("ntfy", f"ntfy://{host}/topic")
    two = AppriseTransport("gotify", f"gotify://{host}/t0ken")

    await one.send(a_message(), NOW)
    await two.send(a_message(), NOW)
    both = set(workers()) - before
    await one.aclose()
    left = set(workers()) - before
    await two.aclose()
    await two.aclose()

    assert len(both) == 1
    assert left == both
    assert set(workers()) <= before


def test_preview_tells_what_is_sent_and_no_secret() -> None:
    message = a_message()

    ntfy = AppriseTransport("ntfy", "ntfys://t0ken@ntfy.example.org/t0ken")
    slack = AppriseTransport("slack", SLACK)

    shown = ntfy.preview(message, NOW)
    assert shown.startswith("ntfy at ntfy.example.org\n\nDOWN: Nightly backup\n\n")
    assert LINK in shown
    assert "t0ken" not in shown
    assert slack.preview(message, NOW).startswith("slack at hooks.slack.com\n\nDOWN")


def test_preview_of_incidents_shows_each() -> None:
    message = a_message(an_alert(), an_alert(code=make_check().code, name="Other"))

    shown = AppriseTransport("opsgenie", "opsgenie://t0ken").preview(message, NOW)

    assert "DOWN: Nightly backup" in shown
    assert "DOWN: Other" in shown


def test_transport_is_opened_by_settings() -> None:
    channel = ChannelConfig(
        id="",
        name="phone",
        kind="ntfy",
        events=frozenset(("down", "up")),
        settings=AppriseSettings("ntfy://t0ken"),
    )
    config = read(PROJECT)

    opened = apprise.open_transport(channel, config)

    assert opened.preview(a_message(), NOW).startswith("ntfy\n")
    request = WebhookRequest("GET", "http://x/", "", ())
    wrong = replace(channel, settings=WebhookSettings(request, None))
    with pytest.raises(TypeError, match="phone has no settings of a service"):
        apprise.open_transport(wrong, config)
