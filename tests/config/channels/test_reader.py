import pytest

from hcl.config import (
    AppriseSettings,
    EmailSettings,
    ShellSettings,
    WebhookRequest,
    WebhookSettings,
)
from hcl.config.channels.reader import KINDS
from tests.config import CHANNEL, HOOK, PROJECT, UUID, read, refusal

MAIL = "[[projects.channels]]\nname = 'Mail'\nkind = 'email'\n"
LAMP = "[[projects.channels]]\nname = 'Lamp'\nkind = 'shell'\n"
PHONE = "[[projects.channels]]\nname = 'Phone'\nkind = 'ntfy'\n"


def test_an_email_channel_knows_its_recipients() -> None:
    text = "[smtp]\nhost = 'mx.x.org'\n" + PROJECT + MAIL + "to = ['a@b', 'c@d.org']\n"

    [channel] = read(text).projects[0].channels

    assert (channel.name, channel.kind) == ("Mail", "email")
    assert channel.events == {"down", "up", "server"}
    assert channel.settings == EmailSettings(("a@b", "c@d.org"))


def test_a_webhook_knows_its_requests() -> None:
    text = (
        PROJECT
        + CHANNEL
        + f"id = '{UUID.upper()}'\nevents = ['down']\n"
        + "[projects.channels.down]\nmethod = 'POST'\nurl = 'http://10.0.0.1/$CODE'\n"
        + "body = '''\n$NAME\nis $STATUS'''\n"
        + "headers = { X-Token = 't', Accept = '*/*' }\n"
    )

    [channel] = read(text).projects[0].channels

    down = WebhookRequest(
        method="POST",
        url="http://10.0.0.1/$CODE",
        body="$NAME\nis $STATUS",
        headers=(("X-Token", "t"), ("Accept", "*/*")),
    )
    assert channel.id == UUID
    assert channel.events == {"down"}
    assert channel.settings == WebhookSettings(down, None)


def test_a_webhook_with_an_empty_url_is_not_for_that_status() -> None:
    text = PROJECT + CHANNEL + "down = { url = '' }\nup = { url = 'http://x' }\n"

    [channel] = read(text).projects[0].channels

    request = WebhookRequest("GET", "http://x", "", ())
    assert channel.settings == WebhookSettings(None, request)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("down = 'lamp red'", ShellSettings("lamp red", "")),
        ("up = 'lamp green'", ShellSettings("", "lamp green")),
        (
            "down = '''\n  if x\n  then y\n  fi\n'''\nup = { env = 'UP' }",
            ShellSettings("  if x\n  then y\n  fi\n", "lamp off"),
        ),
        ("down = ' \\n '\nup = 'x'", ShellSettings(" \\n ", "x")),
        ('down = " \\n\\t "\nup = "x"', ShellSettings("", "x")),
    ],
)
def test_a_shell_knows_its_commands(text: str, settings: ShellSettings) -> None:
    [channel] = read(PROJECT + LAMP + text, {"UP": "lamp off"}).projects[0].channels

    assert channel.kind == "shell"
    assert channel.settings == settings


def test_a_service_knows_its_url() -> None:
    text = PROJECT + PHONE + "url = { env = 'NTFY' }\n"

    [channel] = read(text, {"NTFY": "ntfys://host/topic"}).projects[0].channels

    assert channel.kind == "ntfy"
    assert channel.settings == AppriseSettings("ntfys://host/topic")


def test_kinds_have_the_names_that_healthchecks_gives_them() -> None:
    # Clients see them in the API, and the store keeps them.
    assert list(KINDS) == [
        *("email", "webhook", "shell", "group", "apprise", "discord", "github"),
        *("googlechat", "gotify", "matrix", "mattermost", "msteamsw", "ntfy"),
        *("opsgenie", "pagertree", "pd", "po", "pushbullet", "rocketchat", "signal"),
        *("slack", "sms", "spike", "telegram", "victorops", "whatsapp", "zulip"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind = 'emial'", '.kind: "emial" is not a kind (did you mean email?); use o'),
        ("kind = 'Slack'", '.kind: "Slack" is not a kind (did you mean slack?); use o'),
        ("kind = 'pagerduty'", '.kind: "pagerduty" is not a kind (did you mean pd?); '),
        ("kind = 'twilio'", '.kind: "twilio" is not a kind (did you mean sms?); use o'),
        ("kind = 'fax'", '.kind: "fax" is not a kind; use one of email, webhook, shel'),
        ("kind = 3", ".kind: 3 is not a string; put it in quotes"),
        ("name = 'a'", ".kind: is missing"),
        ("kind = 'email'\nto = ['a@b']", ".kind: email needs smtp.host"),
        ("kind = 'webhook'", ".name: is missing"),
        ("kind = 'webhook'\nname = 'a,b'", '.name: "a,b" has a comma; use a name wit'),
        ("kind = 'webhook'\nto = ['a@b']", ".to: unknown key; use one of name, kind"),
        ("kind = 'ntfy'\nulr = 'a://b'", ".ulr: unknown key (did you mean url?); us"),
        ("kind = 'shell'\nurl = 'a://b'", ".url: unknown key; use one of name, kind"),
        ("kind = 'group'\nchannel = ['a']", ".channel: unknown key (did you mean cha"),
        ("kind = 'webhook'\nreminde = '1m'", ".reminde: unknown key (did you mean re"),
        ("kind = 'webhook'\ntag = 'a'", ".tag: unknown key; use one of name, kind, "),
    ],
)
def test_a_bad_channel_is_refused(text: str, message: str) -> None:
    told = refusal(f"{PROJECT}[[projects.channels]]\n{text}")

    assert told.startswith(f"projects[0].channels[0]{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "down: has no url; a webhook needs one here, or in up, late, "),
        (
            "down = { url = '' }",
            "down: has no url; a webhook needs one here, or in up, late, ",
        ),
        (
            # The URL is a secret, and the log keeps the line.
            "down = 'http://x/token'",
            "down: a string is not a table; use { … }",
        ),
        ("down = { url = 'x' }", "down.url: is not a URL; use http://… or https://…"),
        ("up = { url = 'http://a b' }", "up.url: is not a URL; use http://… or http"),
        ("up = { method = 'PATCH' }", 'up.method: "PATCH" is not allowed; use one of'),
        ("up = { method = 'get' }", 'up.method: "get" is not allowed; use one of GET,'),
        ("up = { uri = 'a' }", "up.uri: unknown key (did you mean url?); use one of"),
        ("up = { body = 1 }", "up.body: is not a string; use "),
        (
            "up = { headers = 'Authorization: Bearer x' }",
            "up.headers: a string is not a table; use { … }",
        ),
        ("up = { headers = 1234 }", "up.headers: a value is not a table; use { … }"),
        ("up = { headers = [] }", "up.headers: an array is not a table; use { … }"),
        ("up = { headers = { 'A B' = '' } }", 'up.headers."A B": "A B" is not the n'),
        ("up = { headers = { A = 1 } }", "up.headers.A: is not a string; use "),
        ('up = { headers = { A = "1\\r\\nB: 2" } }', "up.headers.A: has a control ch"),
        ("events = ['down', 'new']", 'events[1]: "new" is not an event; use down, '),
        (
            "events = []",
            "events: is empty; use one or several of down, up, late, slow, server",
        ),
        ("events = 'down'", 'events: "down" is not an array; use [ … ]'),
        (
            "up = { url = 'http://x' }\nevents = ['slow']",
            "slow: is missing; events has slow, so say what to send",
        ),
        (
            "slow = { url = 'http://x' }",
            "events: is missing; only channels that name slow tell it",
        ),
        (
            "slow = { url = 'http://x' }\nlate = { url = 'http://x' }",
            "events: is missing; only channels that name late and slow tell it",
        ),
        (f"id = '{UUID}0'", f'id: "{UUID}0" is not a UUID; use 32 hex digits with 4'),
    ],
)
def test_a_bad_webhook_is_refused(text: str, message: str) -> None:
    told = refusal(PROJECT + CHANNEL + text)

    assert told.startswith(f"projects[0].channels[0].{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "to: is missing"),
        ("to = 'a@b'", 'to: "a@b" is not an array; use [ … ]'),
        ("to = []", "to: is empty; use at least one mail address"),
        ("to = ['a@b', 'c']", 'to[1]: "c" is not a mail address; use one like ops@'),
        ("to = ['a@b@c']", 'to[0]: "a@b@c" is not a mail address; use one like ops@'),
        ("to = ['a b@c']", 'to[0]: "a b@c" is not a mail address; use one like ops@'),
        ("to = ['a@b,c@d']", 'to[0]: "a@b,c@d" is not a mail address; use one like'),
        ('to = ["a@b\\n"]', "to[0]: has a control character; use one line of text"),
        ("to = [1]", "to[0]: 1 is not a string; put it in quotes"),
    ],
)
def test_bad_recipients_are_refused(text: str, message: str) -> None:
    told = refusal("[smtp]\nhost = 'mx'\n" + PROJECT + MAIL + text)

    assert told.startswith(f"projects[0].channels[0].{message}")


def test_channels_of_a_project_have_names_and_ids_of_their_own() -> None:
    other = HOOK.replace("Hook", "Other")
    with_id = f"{HOOK}id = '{UUID}'\n{other}id = '{UUID}'\n"
    place = "projects[0].channels"

    told_name = refusal(PROJECT + HOOK + HOOK)
    told_id = refusal(PROJECT + with_id)

    same = "is the same as"
    assert told_name == f"{place}[1].name: {same} {place}[0].name; give each its own"
    assert told_id == f"{place}[1].id: {same} {place}[0].id; give each its own"


def test_a_url_that_may_hold_a_token_is_not_shown() -> None:
    told = refusal(PROJECT + CHANNEL + "down = { url = 'htp://x/t0ken' }\n")

    assert "t0ken" not in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "down: is missing; a shell needs a command here, or in up, "),
        (
            "down = ' '",
            "down: is missing; a shell needs a command here, or in up, ",
        ),
        ('up = "secret\\u0000"', "up: has a NUL character; no command can"),
        ("down = ['secret']", 'down: is not a string; use "…", { file = "path" }, '),
        ("down = { url = 'secret' }", 'down: is not a string; use "…", { file = "pa'),
    ],
)
def test_a_bad_shell_is_refused(text: str, message: str) -> None:
    told = refusal(PROJECT + LAMP + text)

    assert told.startswith(f"projects[0].channels[0].{message}")
    assert "secret" not in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is missing"),
        ("url = ''", "is not a URL; use ntfy://… or ntfys://… or https://ntfy.sh/…"),
        (
            "url = 'secret'",
            "is not a URL; use ntfy://… or ntfys://… or https://ntfy.sh/…",
        ),
        ("url = 'slack://A/B/secret'", "is a URL for slack, not for ntfy; use ntfy:"),
        (
            "url = 'https://hooks.slack.com/services/T/B/secret'",
            "is a URL for slack, not for ntfy; use ntfy://… or ntfys://… or https://nt",
        ),
        ("url = 'https://example.org/secret'", "is not for ntfy; use ntfy://… or ntf"),
        ("url = ['ntfy://secret']", 'is not a string; use "…", { file = "path" },'),
        ('url = "ntfy://secret\\nx"', "has a control character; use one line of te"),
    ],
)
def test_a_bad_url_of_a_service_is_refused_without_showing_it(
    text: str, message: str
) -> None:
    told = refusal(PROJECT + PHONE + text)

    assert told.startswith(f"projects[0].channels[0].url: {message}")
    assert "secret" not in told
