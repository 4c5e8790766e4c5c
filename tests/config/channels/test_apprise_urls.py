import subprocess
import sys

import pytest

from hcl.config.channels.apprise_urls import (
    SCHEMES,
    as_apprise,
    place_of,
    problem_of,
    scheme_of,
)

SLACK = "https://hooks.slack.com/services/T12345678/B12345678/abcdefghijklmnopqrstuvwx"
DISCORD = "https://discord.com/api/webhooks/1234567890/abcdefgh"


def test_apprise_knows_every_scheme() -> None:
    # Outside, since its modules warn of what is deprecated.
    program = (
        "from apprise.manager_plugins import NotificationManager;"
        "print(*NotificationManager().schemas())"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    schemes = {scheme for of_kind in SCHEMES.values() for scheme in of_kind}
    assert schemes - set(done.stdout.split()) == set()


def test_no_scheme_is_of_two_kinds() -> None:
    schemes = [scheme for of_kind in SCHEMES.values() for scheme in of_kind]

    assert sorted(schemes) == sorted(set(schemes))


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("ntfy://topic", "ntfy"),
        ("NTFYS://host/topic", "ntfys"),
        (SLACK, "slack"),
        ("https://hooks.slack-gov.com/services/A/B/C", "slack"),
        ("https://hooks.slack.com/workflows/T0/A0/1/x", "slack"),
        (DISCORD, "discord"),
        ("https://discordapp.com/api/webhooks/1/x?thread=2", "discord"),
        ("https://chat.googleapis.com/v1/spaces/s/messages?key=k&token=t", "gchat"),
        ("https://mattermost.example.org/hooks/abc", "mmosts"),
        (
            "https://prod-1.westeurope.logic.azure.com:443/workflows/643e/"
            "triggers/manual/paths/invoke?api-version=2016-06-01&sig=s",
            "workflows",
        ),
        ("https://ntfy.sh/topic", "ntfys"),
        ("https://webhooks.t2bot.io/api/v1/matrix/hook/x", "matrixs"),
        ("https://api.spike.sh/v1/alerts/x", "spike"),
        ("https://alert.victorops.com/integrations/generic/1/alert/k/r", "splunk"),
        ("https://example.org/hook", "https"),
        ("https://example.org/https://discord.com/api/webhooks/1/x", "https"),
        ("topic", ""),
        ("://topic", ""),
        ("ntfy://", ""),
        ("", ""),
    ],
)
def test_scheme_is_told_from_the_url(url: str, scheme: str) -> None:
    assert scheme_of(url) == scheme


POWER = "https://x.api.powerplatform.com:443/powerautomate/automations/direct"
INVOKE = "triggers/manual/paths/invoke?api-version=1&sig=s"


@pytest.mark.parametrize(
    ("url", "written"),
    [
        (SLACK, "slack://T12345678/B12345678/abcdefghijklmnopqrstuvwx/"),
        (
            "https://hooks.slack-gov.com/services/A/B/C/?footer=no",
            "slack://A/B/C/?footer=no&mode=gov-hook",
        ),
        (
            "https://hooks.slack.com/workflows/T0/A0/1/x",
            "slack://T0/A0/1/x/?mode=workflow",
        ),
        ("https://hooks.slack.com/triggers/T0/1/x", "slack://T0/1/x/?mode=trigger"),
        (
            "https://discordapp.com/api/webhooks/1/x?thread=2",
            "discord://1/x/?thread=2",
        ),
        (
            "https://chat.googleapis.com/v1/spaces/s/messages?key=k&token=t%3D",
            "gchat://s/?key=k&token=t%3D",
        ),
        (
            "https://mattermost.example.org/hooks/abc",
            "mmosts://mattermost.example.org/abc/",
        ),
        (
            "HTTP://mattermost.example.org:8065/hooks/abc?channel=ops",
            "mmost://mattermost.example.org:8065/abc/?channel=ops",
        ),
        (
            f"https://p.logic.azure.com:443/workflows/643e/{INVOKE}",
            "workflows://p.logic.azure.com:443/643e/?api-version=1&sig=s",
        ),
        (
            f"{POWER}/workflows/643e/{INVOKE}",
            "workflows://x.api.powerplatform.com:443/643e/?api-version=1&sig=s&pa=yes",
        ),
        (
            f"{POWER}/cu/12/workflows/643e/{INVOKE}",
            "workflows://x.api.powerplatform.com:443/643e/"
            "?api-version=1&sig=s&pa=yes&route=12",
        ),
        ("https://ntfy.sh/a/b?priority=max", "ntfys://a/b/?priority=max&mode=cloud"),
        (
            "https://webhooks.t2bot.io/api/v1/matrix/hook/x",
            "matrixs://x/?mode=t2bot",
        ),
        (
            "https://user:pass@api.46elks.com/a1/sms?to=%2B15551234567&from=Acme",
            "46elks://user:pass@/?to=%2B15551234567&from=Acme",
        ),
        ("https://api.spike.sh/v1/alerts/x", "spike://x/"),
        (
            "https://alert.victorops.com/integrations/generic/1/alert/k/r/e",
            "splunk://r@k/e",
        ),
        ("https://example.org/hooks/abc?{0}", "https://example.org/hooks/abc?{0}"),
        ("ntfys://ntfy.sh/topic", "ntfys://ntfy.sh/topic"),
        ("", ""),
    ],
)
def test_own_url_of_a_service_is_written_as_apprise_does(
    url: str, written: str
) -> None:
    assert as_apprise(url) == written


@pytest.mark.parametrize(
    ("kind", "url", "problem"),
    [
        ("ntfy", "ntfys://host/secret", ""),
        ("ntfy", "ntfys://secret", ""),
        ("ntfy", "ntfy://nas:8080/secret", ""),
        ("ntfy", "ntfy://ntfy.example.org?to=secret", ""),
        ("ntfy", "https://ntfy.sh/secret", ""),
        ("ntfy", "ntfys://ntfy.sh/", "has no topic; use ntfys://server/topic"),
        ("ntfy", "ntfy://nas:8080", "has no topic; use ntfy://server/topic"),
        ("apprise", "ntfy://a@10.0.0.1?x=y", "has no topic; use ntfy://server/topic"),
        ("slack", SLACK, ""),
        ("slack", "slack://A/B/secret", ""),
        ("apprise", "foo://secret", ""),
        (
            "ntfy",
            "slack://A/B/secret",
            "is a URL for slack, not for ntfy; use ntfy://… or ntfys://… or "
            "https://ntfy.sh/…",
        ),
        (
            "gotify",
            DISCORD,
            "is a URL for discord, not for gotify; use gotify://… or gotifys://…",
        ),
        (
            "gotify",
            "https://gotify.example.org/secret",
            "is not for gotify; use gotify://… or gotifys://…",
        ),
        ("zulip", "secret", "is not a URL; use zulip://…"),
        ("apprise", "secret", "is not a URL; use one of Apprise's, like ntfys://…"),
        (
            "sms",
            "ntfy://secret",
            "is a URL for ntfy, not for sms; use one of Apprise's for a service that "
            "sends SMS, like twilio://…",
        ),
    ],
)
def test_problem_is_told_without_the_url(kind: str, url: str, problem: str) -> None:
    assert problem_of(kind, url) == problem
    assert "secret" not in problem


@pytest.mark.parametrize(
    ("kind", "url", "place"),
    [
        ("ntfy", "ntfys://ntfy.example.org/secret", "ntfy at ntfy.example.org"),
        ("ntfy", "ntfy://127.0.0.1:80/secret", "ntfy at 127.0.0.1"),
        ("ntfy", "ntfys://secret", "ntfy"),
        ("ntfy", "https://ntfy.sh/secret", "ntfy at ntfy.sh"),
        ("gotify", "gotify://localhost/secret", "gotify at localhost"),
        ("slack", "slack://secret/secret/secret", "slack"),
        ("slack", SLACK, "slack at hooks.slack.com"),
        ("po", "pover://secret@secret.secret", "po"),
        ("matrix", "matrixs://secret?mode=t2bot", "matrix"),
        ("apprise", "json://user:secret@host.example.org/", "json at host.example.org"),
        ("apprise", "pbul://secret", "pbul"),
        ("apprise", "", "apprise"),
        ("ntfy", "ntfy://[::1/secret", "ntfy"),
    ],
)
def test_place_tells_no_secret(kind: str, url: str, place: str) -> None:
    assert place_of(kind, url) == place
