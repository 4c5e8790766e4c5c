from typing import Any

import pytest

from hcl.alerts.transports import DeliveryError
from hcl.alerts.transports.webhook import Webhook
from hcl.checks.check_json import Site
from hcl.config import WebhookRequest, WebhookSettings
from tests.alerts import NOW, RECOVERED, a_message, an_alert

SITE = Site("https://hcl.example.org", "https://hcl.example.org/ping/")


def make_webhook(url: str, **more: Any) -> Webhook:
    """Make a webhook that tells of down only."""
    values = {"method": "POST", "url": url, "body": "", "headers": ()} | more
    settings = WebhookSettings(down=WebhookRequest(**values), up=None)
    return Webhook(settings, SITE)


def test_preview_shows_what_is_sent_without_secrets() -> None:
    webhook = make_webhook(
        "http://user:secret@127.0.0.1:8000/secret?secret#secret",
        body="$NAME is $STATUS\nand €",
        headers=(("X-Token", "secret"), ("X-Name", "$NAME")),
    )

    shown = webhook.preview(a_message(), NOW)

    lines = shown.split("\n")
    assert lines[0] == "POST http://127.0.0.1:8000/…?…"
    assert "X-Token: …" in lines
    assert lines[-3:] == ["", "Nightly backup is down", "and €"]
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org", "https://example.org/"),
        ("https://example.org/", "https://example.org/"),
        ("https://example.org/x", "https://example.org/…"),
        ("https://example.org:8443?x", "https://example.org:8443/?…"),
        ("http://[::1]:8000/$NAME", "http://[::1]:8000/…"),
    ],
)
def test_preview_shows_the_outline_of_a_url(url: str, shown: str) -> None:
    first, *_ = make_webhook(url).preview(a_message(), NOW).split("\n")

    assert first == f"POST {shown}"


def test_preview_of_nothing_says_so() -> None:
    message = a_message(an_alert(flip=RECOVERED))

    assert make_webhook("http://[").preview(message, NOW) == "nothing to send"


@pytest.mark.parametrize(
    ("url", "headers"),
    [("http://[::1/secret", ()), ("http://example.org/", (("Ünï€", "secret"),))],
)
def test_preview_of_what_cannot_be_sent_fails(
    url: str, headers: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(DeliveryError) as caught:
        make_webhook(url, headers=headers).preview(a_message(), NOW)

    assert "secret" not in caught.value.reason
