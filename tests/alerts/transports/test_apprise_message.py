import re
from typing import Any

import pytest

from hcl.alerts.messages.letter import write_letter
from hcl.alerts.transports.apprise_message import request, unmentioned
from tests.alerts import (
    NOW,
    PROJECT,
    RECOVERED,
    a_message,
    a_ping,
    an_alert,
    an_announcement,
)

LINK = "https://hcl.example.org/checks/7dd1b5a2-9f4b-4a3e-8d5a-0c9d3d0f2c11"
EVIL = "@everyone <!channel> *x* [y](http://z)"


def laid_out(scheme: str, url: str = "", *, up: bool = False, **check: Any) -> Any:
    alert = an_alert(**check, flip=RECOVERED if up else None)
    return request(scheme, url, write_letter(a_message(alert), NOW), "key")


@pytest.mark.parametrize(
    ("scheme", "url", "body_format"),
    [
        ("ntfy", "", "text"),
        ("ntfy", "ntfy://host/topic?format=markdown", "markdown"),
        ("gotify", "gotify://host/token?priority=1&format=HTML", "markdown"),
        ("json", "json://host/?format=text", "text"),
        ("slack", "", "markdown"),
        ("mmost", "", "markdown"),
        ("tgram", "", "markdown"),
        ("mailto", "", "html"),
        ("https", "", "text"),
    ],
)
def test_format_is_what_the_service_shows(
    scheme: str, url: str, body_format: str
) -> None:
    assert laid_out(scheme, url)["format"] == body_format


@pytest.mark.parametrize(
    ("scheme", "down", "up"),
    [
        (
            "ntfys",
            {"priority": "high", "xtags": "rotating_light", "click": LINK},
            {"priority": "normal", "xtags": "white_check_mark", "click": LINK},
        ),
        ("gotify", {"priority": "high"}, {"priority": "normal"}),
        (
            "pover",
            {"priority": "high", "supplemental_url": LINK},
            {"priority": "normal", "supplemental_url": LINK},
        ),
        (
            "opsgenie",
            {"action": "map", "alias": "key"},
            {"action": "map", "alias": "key"},
        ),
        ("victorops", *[{"action": "map", "entity_id": "key"}] * 2),
        ("mmosts", {"format": "markdown"}, {"format": "markdown"}),
        ("tgram", {"format": "html"}, {"format": "html"}),
        ("slack", {}, {}),
        ("https", {}, {}),
    ],
)
def test_plugin_is_told_what_is_its_own(
    scheme: str, down: dict[str, str], up: dict[str, str]
) -> None:
    assert laid_out(scheme)["arguments"] == down
    assert laid_out(scheme, up=True)["arguments"] == up


def test_pager_gets_one_line_and_the_rest_beside_it() -> None:
    found = laid_out("pagerduty")

    arguments = found["arguments"]
    assert (found["title"], found["bodies"][0]) == ("", "DOWN: Nightly backup")
    assert arguments["dedup"] == "key"
    assert arguments["action"] == "map"
    assert arguments["click"] == LINK
    assert LINK in arguments["details"]["Message"]


@pytest.mark.parametrize("scheme", ["discord", "mmost", "rocket", "tgram", "gchat"])
def test_chat_without_a_title_gets_it_escaped_in_bold(scheme: str) -> None:
    found = laid_out(scheme, name=EVIL)

    first = found["bodies"][0].splitlines()[0]
    assert found["title"] == ""
    assert first.startswith("**DOWN: @\u200beveryone <\u200b!channel\\> \\*x\\* ")
    assert first.endswith("**")


@pytest.mark.parametrize("scheme", ["slack", "zulip", "irc", "signal", "https"])
def test_title_for_a_chat_calls_nobody(scheme: str) -> None:
    found = laid_out(scheme, name=EVIL)

    assert found["title"].startswith("DOWN: @\u200beveryone <\u200b!channel> *x* ")


def test_title_for_a_phone_is_left_alone() -> None:
    assert laid_out("ntfy", name="<b> @ x")["title"] == "DOWN: <b> @ x"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("@all", "@|all"),
        ("(@U123)", "(@|U123)"),
        ("a@everyone", "a@|everyone"),
        ("root@example.org", "root@example.org"),
        ("https://example.org/@user", "https://example.org/@user"),
        ("<!here> <@U1> <#C1> <&2>", "<|!here> <|@|U1> <|#C1> <|&2>"),
        ("<users/all> <at id=1>", "<|users/all> <|at id=1>"),
        ("a < b <b> 1 <2", "a < b <b> 1 <2"),
        ("@|@|x", "@|@|x"),
    ],
)
def test_mentions_are_broken(text: str, safe: str) -> None:
    gap = "\u200b"

    assert unmentioned(text.replace("|", gap)) == safe.replace("|", gap)
    assert unmentioned(safe.replace("|", gap)) == safe.replace("|", gap)


@pytest.mark.parametrize(
    "url",
    ["discord://1/t/?format=Markdown", "fluxer://1/t/", "notifiarr://key/#1"],
)
def test_output_calls_nobody_where_apprise_looks_for_whom_to_call(url: str) -> None:
    output = b"<@123> @&456 root@789 <@&1>\nme@example.org"
    scheme = url.partition("://")[0]
    message = a_message(an_alert(name="@&456", ping=a_ping(body=output)))

    body = request(scheme, url, write_letter(message, NOW), "key")["bodies"][0]

    assert "root@\u200b789" in body
    assert not re.search(r"@(?!\u200b)", body)


def test_addresses_in_output_stay_whole_where_nobody_looks_for_them() -> None:
    message = a_message(an_alert(ping=a_ping(body=b"me@example.org")))

    for url in ("discord://1/t/", "slack://a/b/c"):
        scheme = url.partition("://")[0]
        body = request(scheme, url, write_letter(message, NOW), "key")["bodies"][0]
        assert "me@example.org" in body


@pytest.mark.parametrize(
    ("scheme", "status", "arguments"),
    [
        (
            "ntfy",
            "info",
            {
                "priority": "normal",
                "xtags": "information_source",
                "click": f"https://hcl.example.org/projects/{PROJECT}/",
            },
        ),
        ("slack", "info", {}),
        # To inform would acknowledge or close there what is not open.
        ("opsgenie", "warning", {"action": "map", "alias": "key"}),
        ("splunk", "warning", {"action": "map", "entity_id": "key"}),
    ],
)
def test_message_of_hcl_itself_is_neither_up_nor_down(
    scheme: str, status: str, arguments: dict[str, Any]
) -> None:
    laid = request(scheme, "", write_letter(an_announcement(), NOW), "key")

    assert (laid["status"], laid["arguments"]) == (status, arguments)
    assert "It was not running." in laid["bodies"][0]


def test_names_in_a_message_of_hcl_itself_are_escaped_for_chats() -> None:
    evil = an_announcement(story=(f"hcl cannot know of 1 check: {EVIL}.",))

    body = request("slack", "", write_letter(evil, NOW), "key")["bodies"][0]

    assert "@everyone" not in body
    assert "<!channel>" not in body
    assert r"\*x\*" in body


@pytest.mark.parametrize(
    ("scheme", "most"), [("bark", 3600), ("ntfy", 4600), ("wecombot", 2000)]
)
def test_services_that_count_bytes_get_no_more_than_they_take(
    scheme: str, most: int
) -> None:
    """Apple refuses what is above 4096 bytes, with title and link."""
    words = "备份失败：无法连接到服务器。"
    ping = a_ping(body=words.encode() * 100)
    alert = an_alert(name=words * 20, desc=words * 30, ping=ping)

    letter = write_letter(a_message(alert), NOW)
    told = request(scheme, f"{scheme}://host/key", letter, "key")

    [body] = told["bodies"]
    assert most / 2 < len(f"{told['title']}{body}".encode()) <= most
    assert body.endswith(LINK if scheme != "wecombot" else "…")


def test_texts_get_shorter_where_a_job_wrote_much() -> None:
    ping = a_ping(body=b"a line\n" * 300)
    letter = write_letter(a_message(an_alert(ping=ping)), NOW)
    plain = write_letter(a_message(an_alert()), NOW)

    lengths = [len(body) for body in request("pover", "", letter, "key")["bodies"]]

    assert lengths == sorted(set(lengths), reverse=True)
    assert lengths[-1] + 1000 < lengths[0]
    assert len(request("pover", "", plain, "key")["bodies"]) == 1
    assert len(request("mailto", "", letter, "key")["bodies"]) == 1
