import os
import subprocess
import sys
from pathlib import Path

import pytest

from hcl.config.apprise_urls import (
    NEEDED,
    SCHEMES,
    WORKER,
    as_apprise,
    check_urls,
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


def test_apprise_is_asked_for_all_urls_at_once() -> None:
    problems = check_urls(
        [
            ("ntfy", "ntfy://host/secret"),
            ("slack", SLACK),
            ("discord", DISCORD),
            ("apprise", "json://host/secret"),
            ("ntfy", "slack://secret"),
            ("gotify", "gotify://host"),
            ("pd", "pagerduty://secret"),
            ("apprise", "foo://secret/secret"),
            ("apprise", "https://example.org/secret"),
            ("matrix", "matrix://user:secret@host/#room?mode=secret"),
        ]
    )

    cannot = "is not a URL that Apprise can load: "
    assert problems[:4] == [""] * 4
    assert problems[4].startswith("is a URL for slack, not for ntfy")
    assert problems[5] == cannot + "An invalid Gotify Token (None) was specified"
    assert problems[6].startswith(cannot)
    assert problems[7] == cannot + "Unparseable URL foo://…"
    assert problems[8] == cannot + "Unparseable URL https://…"
    assert problems[9].startswith(cannot)
    assert "secret" not in "".join(problems)


def test_own_urls_of_services_are_of_their_kind() -> None:
    power = "https://prod-1.westeurope.logic.azure.com:443/workflows/643e69f83c8944/"
    elks = "https://user:pass@api.46elks.com/a1/sms?to=%2B15551234567&from=Acme"

    problems = check_urls(
        [
            ("slack", "https://hooks.slack.com/workflows/T0B1/A0B1/12345/abcdefgh"),
            ("discord", DISCORD.replace("discord", "discordapp")),
            (
                "googlechat",
                "https://chat.googleapis.com/v1/spaces/s/messages?key=k&token=t",
            ),
            ("mattermost", "https://mattermost.example.org/hooks/abcdefgh"),
            ("msteamsw", power + "triggers/manual/paths/invoke?api-version=1&sig=sig"),
            ("ntfy", "https://ntfy.sh/topic"),
            ("matrix", "https://webhooks.t2bot.io/api/v1/matrix/hook/" + "a" * 64),
            ("spike", "https://api.spike.sh/v1/alerts/" + "1" * 32),
            (
                "victorops",
                "https://alert.victorops.com/integrations/generic/20131114/alert/k/r",
            ),
            ("sms", elks),
        ]
    )

    assert problems == [""] * 10


def test_nothing_to_ask_needs_no_apprise() -> None:
    assert check_urls([]) == []
    assert check_urls([("ntfy", "slack://A/B/C")])[0].startswith("is a URL for slack")


def test_apprise_may_be_missing(tmp_path: Path) -> None:
    # A Python that finds nothing beside the standard library and hcl itself.
    program = (
        "from hcl.config.apprise_urls import *; import asyncio, datetime;"
        "print(check_urls([('ntfy', 'ntfy://x'), ('ntfy', 'slack://x')]))"
    )
    root = Path(__file__).parent.parent.parent

    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )

    first, second = eval(done.stdout)
    assert first == NEEDED
    assert second.startswith("is a URL for slack, not for ntfy")


def test_modules_of_the_working_folder_are_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "email.py").write_text("raise SystemExit(1)")
    (tmp_path / "requests.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)

    assert check_urls([("ntfy", "ntfy://host/topic")]) == [""]


def test_apprise_that_fails_is_a_problem_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requests.py").write_text("raise RuntimeError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    problems = check_urls([("ntfy", "ntfy://host/topic")])

    assert problems == ["cannot be checked: Apprise failed: RuntimeError: broken"]


def test_worker_is_where_it_is_looked_for() -> None:
    assert WORKER.is_file()
    assert "import hcl" not in WORKER.read_text()
    assert "from hcl" not in WORKER.read_text()
