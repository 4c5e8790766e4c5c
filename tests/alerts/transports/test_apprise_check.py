"""What Apprise says of the URLs in a file, and of URLs as such."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hcl.alerts.transports.apprise_check import NEEDED, WORKER, check_urls, doubts
from hcl.config import load
from hcl.config.channels.apprise_urls import SCHEMES
from hcl.config.channels.reader import KINDS
from tests.config import HOOK, PROJECT
from tests.config.channels.test_apprise_urls import DISCORD, SLACK

ROOT = Path(__file__).parents[3]

# For each kind what its service hands out, as far as tokens have a form.
URLS = {
    "apprise": "json://user:secret@example.org/path",
    "discord": "https://discord.com/api/webhooks/1234567890/abcdefghijklmnop",
    "github": "github://ghp_abcdefghijklmnopqrstuvwxyz0123456789@owner/repo",
    "googlechat": "https://chat.googleapis.com/v1/spaces/s/messages?key=k&token=t",
    "gotify": "gotifys://gotify.example.org/AbCdEf0123456789",
    "matrix": "matrixs://hcl:password@matrix.example.org/#ops:example.org",
    "mattermost": "https://mattermost.example.org/hooks/abcdefghijklmnopqrstuvwxyz",
    "msteamsw": "https://prod-1.westeurope.logic.azure.com:443/workflows/643e69f83c8944/"
    "triggers/manual/paths/invoke?api-version=2016-06-01&sig=signature",
    "ntfy": "ntfys://tk_abcdefgh@ntfy.example.org/topic",
    "opsgenie": "opsgenie://01234567-89ab-cdef-0123-456789abcdef",
    "pagertree": "pagertree://int_0123456789",
    "pd": "pagerduty://0123456789abcdef0123456789abcdef@0123456789abcdef",
    "po": "pover://uQiRzpo4DXghDmr9QzzfQu27cmVRsG@azGDORePK8gMaC0QOYAMyEEuzJnyUi",
    "pushbullet": "pbul://o.abcdefghijklmnopqrstuvwxyz012345",
    "rocketchat": "rockets://abcdefghijkl/mnopqrstuvwxyz@rocket.example.org/#ops",
    "signal": "signal://127.0.0.1:8080/+37120000000/+37120000001",
    "slack": "https://hooks.slack.com/services/T12345678/B12345678/"
    "abcdefghijklmnopqrstuvwx",
    "sms": "twilio://AC0123456789abcdef0123456789abcdef:0123456789abcdef0123456789abcdef"
    "@+15551234567/+15557654321",
    "spike": "https://api.spike.sh/v1/alerts/0123456789abcdef0123456789abcdef",
    "telegram": "tgram://123456789:abcdefg_hijklmnop-qrstuvwxyz0123456/12345",
    "victorops": "https://alert.victorops.com/integrations/generic/20131114/alert/k/ops",
    "whatsapp": "whatsapp://EAAabcdefghijklmnop@123456789012345/+37120000000",
    "zulip": "zulip://hcl@example/abcdefghijklmnopqrstuvwxyz012345/ops",
}


def channel(name: str, kind: str, url: str) -> str:
    return f"[[projects.channels]]\nname = '{name}'\nkind = '{kind}'\nurl = {url}\n"


def test_every_service_takes_a_url_of_its_own(tmp_path: Path) -> None:
    names = {kind: f"URL_{kind}" for kind in URLS}
    channels = [channel(k, k, f"{{ env = '{name}' }}") for k, name in names.items()]
    path = tmp_path / "hcl.toml"
    path.write_text(PROJECT + "".join(channels))

    config = load(path, {names[kind]: url for kind, url in URLS.items()})

    [project] = config.projects
    assert doubts(config) == []
    assert set(URLS) == {*SCHEMES, "apprise"}
    assert set(URLS) == KINDS.keys() - {"email", "webhook", "shell", "group"}
    assert [channel.kind for channel in project.channels] == list(URLS)


def test_a_url_that_apprise_dislikes_is_a_doubt_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("gotify://user:secret@gotify.example.org\n")
    path = tmp_path / "hcl.toml"
    phone = channel("Phone", "ntfy", "'ntfy://host/topic'")
    second = '[[projects]]\nname = "Work"\nping_key = "pk2"\n'
    gotify = channel("Gotify", "gotify", "{ file = 'token' }")
    path.write_text(PROJECT + phone + second + HOOK + gotify)

    told = doubts(load(path, {}))

    place = 'channel "Gotify" of project "Work", url'
    problem = "is not a URL that Apprise can load: An invalid Gotify Token (None) was"
    assert told == [f"{place}: {problem} specified"]


def test_a_service_without_apprise_is_a_doubt(tmp_path: Path) -> None:
    phone = tmp_path / "phone.toml"
    phone.write_text(PROJECT + channel("Phone", "ntfy", "'ntfy://secret'"))
    hook = tmp_path / "hook.toml"
    hook.write_text(PROJECT + HOOK)
    program = (
        "import sys, pathlib\n"
        "from hcl.alerts.transports.apprise_check import doubts\n"
        "from hcl.config import load\n"
        "for name in sys.argv[1:]:\n"
        "    print(doubts(load(pathlib.Path(name), {})))\n"
    )

    # A Python that finds nothing beside the standard library and hcl itself.
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", program, phone.name, hook.name],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )

    of_phone, of_hook = done.stdout.splitlines()
    place = 'channel "Phone" of project "Home", url'
    assert of_phone == str([f"{place}: {NEEDED}"])
    assert of_hook == "[]"


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


def test_what_apprise_would_pass_over_is_told() -> None:
    problems = check_urls(
        [
            ("ntfy", "ntfy://host/secret?prioriy=high"),
            ("apprise", "lametric://apikey@192.168.1.2?priority=secret"),
            ("apprise", "lametric://apikey@192.168.1.2?priority=warning&cycles=2"),
            ("discord", DISCORD + "?tts=yes&thread=3&footer=yes&rto=9"),
            ("apprise", "json://host/secret?+X-Header=b&-key=v&:part=q&method=PUT"),
            ("apprise", "mailto://u:p@gmail.com?to=a@b.org&smtp=c.org&name=d"),
        ]
    )

    assert problems[0].startswith("has prioriy=…, of which Apprise takes no notice; it")
    known = "critical, info, warning"
    told = f"has a priority that Apprise does not know; use one of {known}"
    assert problems[1] == told
    assert problems[2:] == [""] * 4


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
        "from hcl.alerts.transports.apprise_check import check_urls;"
        "print(check_urls([('ntfy', 'ntfy://x'), ('ntfy', 'slack://x')]))"
    )

    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
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


def test_worker_needs_no_more_of_hcl_than_what_holds_for_all_transports(
    tmp_path: Path,
) -> None:
    alone = tmp_path / "hcl/alerts/transports"
    alone.mkdir(parents=True)
    for name in ("worker", "requests", "reasons"):
        shutil.copy(WORKER.with_name(f"apprise_{name}.py"), alone)
    outgoing = tmp_path / "hcl/outgoing"
    outgoing.mkdir()
    for name in ("proxy", "reasons", "trust"):
        shutil.copy(WORKER.parents[2] / f"outgoing/{name}.py", outgoing)

    done = subprocess.run(
        [sys.executable, "-P", alone / WORKER.name, "check"],
        input=b'["ntfy://host/topic"]',
        env={"PATH": os.defpath},
        check=True,
        capture_output=True,
    )

    assert json.loads(done.stdout)[0]["problem"] == ""
