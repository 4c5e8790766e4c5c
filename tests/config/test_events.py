"""Of what each kind of channel tells, and what a file may say of it."""

import pytest

from hcl.config import ShellSettings, WebhookRequest, WebhookSettings
from hcl.config.channels.machines import is_for_people
from tests.config import PROJECT, channels_of, read, refusal

SMTP = "[smtp]\nhost = 'mx'\n"
REQUEST = "{ url = 'http://x' }"


def channel(kind: str, keys: str) -> str:
    return f"[[projects.channels]]\nname = 'Tried'\nkind = '{kind}'\n{keys}\n"


@pytest.mark.parametrize(
    ("kind", "keys", "tells"),
    [
        ("email", "to = ['a@b']", True),
        ("email", "to = ['a@b']\nevents = ['down', 'up']", False),
        ("email", "to = ['a@b']\nevents = ['server']", True),
        ("webhook", f"down = {REQUEST}", False),
        ("webhook", f"down = {REQUEST}\nserver = {REQUEST}", True),
        ("webhook", f"server = {REQUEST}", True),
        ("webhook", f"server = {REQUEST}\nevents = ['down']", False),
        # Whoever writes it wants it, by the request that there is.
        ("webhook", f"down = {REQUEST}\nevents = ['down', 'server']", True),
        ("shell", "down = 'lamp red'", False),
        ("shell", "down = 'lamp red'\nserver = 'lamp blue'", True),
        ("shell", "up = 'lamp green'\nevents = ['up', 'server']", True),
        ("ntfy", "url = 'ntfys://ntfy.sh/topic'", True),
        ("telegram", "url = 'tgram://1:a/1'", True),
        ("sms", "url = 'twilio://a:b@1/2'", True),
        ("pd", "url = 'pagerduty://a@b'", False),
        ("pd", "url = 'pagerduty://a@b'\nevents = ['down', 'up', 'server']", True),
        ("opsgenie", "url = 'opsgenie://a'", False),
        ("victorops", "url = 'splunk://a@b'", False),
        ("spike", "url = 'https://api.spike.sh/v1/alerts/a'", False),
        ("github", "url = 'github://a@b/c'", False),
        ("apprise", "url = 'hassios://host/token'", False),
        ("apprise", "url = 'LAMETRIC://a@host'", False),
        ("apprise", "url = 'jsons://host'", False),
        ("apprise", "url = 'mailtos://a:b@c'", True),
    ],
)
def test_people_hear_of_hcl_itself_and_machines_only_if_asked(
    kind: str, keys: str, tells: bool
) -> None:
    text = SMTP + PROJECT + channel(kind, keys)

    assert channels_of(text)["Tried"].tells_of("server") is tells


def test_a_group_tells_what_its_channels_do() -> None:
    mail = "[[projects.channels]]\nname = 'Mail'\nkind = 'email'\nto = ['a@b']\n"
    text = SMTP + PROJECT + mail + channel("group", "channels = ['Mail']")

    assert channels_of(text)["Tried"].tells_of("server")


@pytest.mark.parametrize(
    ("scheme", "reads"),
    [
        ("slack", True),
        ("discord", True),
        ("rockets", True),
        ("ntfy", True),
        ("pover", True),
        ("something-new", True),
        ("goalerts", False),
        ("xml", False),
        ("xmls", False),
        ("lametrics", False),
        ("signl4", False),
    ],
)
def test_services_are_known_with_and_without_tls(scheme: str, reads: bool) -> None:
    assert is_for_people(scheme) is reads


def test_what_has_no_request_of_its_own_goes_by_another() -> None:
    down, up, own = (WebhookRequest("GET", f"http://{x}", "", ()) for x in "abc")

    assert WebhookSettings(down, up, own).request("server") == own
    assert WebhookSettings(down, up).request("server") == down
    assert WebhookSettings(None, up).request("server") == up
    assert ShellSettings("a", "b", "c").command("server") == "c"
    assert ShellSettings("a", "b").command("server") == "a"
    assert ShellSettings("", "b").command("server") == "b"


@pytest.mark.parametrize("value", ["excuse", "alert"])
def test_what_an_absence_does_can_be_chosen(value: str) -> None:
    assert read(PROJECT).alerts.after_absence == "excuse"

    config = read(f"[alerts]\nafter_absence = '{value}'\n{PROJECT}")

    assert config.alerts.after_absence == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "after_absence = 'ignore'",
            'after_absence: "ignore" is not allowed; use one of excuse, alert',
        ),
        ("after_absence = 'Alert'", 'after_absence: "Alert" is not allowed; use on'),
        ("after_absence = true", "after_absence: true is not allowed; use one"),
        ("after_absense = 'alert'", "after_absense: unknown key (did you mean aft"),
    ],
)
def test_bad_values_of_alerts_are_refused(text: str, message: str) -> None:
    told = refusal(f"[alerts]\n{text}\n{PROJECT}")

    assert told.startswith(f"alerts.{message}")
