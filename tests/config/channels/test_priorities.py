import pytest

from hcl.config import AppriseSettings
from hcl.config.channels.apprise_urls import as_apprise, problem_of
from tests.config import HOOK, PROJECT, read, refusal


@pytest.mark.parametrize(
    ("kind", "url", "written"),
    [
        ("ntfy", "ntfy://h/t?priority=urgent", "ntfy://h/t?priority=max"),
        ("ntfy", "ntfys://h/t?a=b&priority=URGENT#x", "ntfys://h/t?a=b&priority=max#x"),
        ("ntfy", "https://ntfy.sh/t?priority=5", "ntfys://t/?priority=5&mode=cloud"),
        (
            "gotify",
            "gotifys://h/t?priority=critical",
            "gotifys://h/t?priority=emergency",
        ),
        ("po", "pover://u@t?priority=-2", "pover://u@t?priority=-2"),
        ("opsgenie", "opsgenie://k?priority=P1", "opsgenie://k?priority=p1"),
        ("apprise", "prowl://k?priority=urgent", "prowl://k?priority=emergency"),
        ("slack", "slack://A/B/C?priority=x", "slack://A/B/C?priority=x"),
        ("ntfy", "ntfy://h/t?priority=", "ntfy://h/t?priority="),
    ],
)
def test_priority_is_written_as_apprise_takes_it(
    kind: str, url: str, written: str
) -> None:
    assert problem_of(kind, url) == ""
    assert as_apprise(url) == written


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("ntfy", "ntfy://s3cret/t?priority=hi"),
        ("ntfy", "https://ntfy.sh/s3cret?priority=6"),
        ("gotify", "gotify://h/s3cret?priority=11"),
        ("po", "pover://s3cret@t?priority=3"),
        ("opsgenie", "opsgenie://s3cret?priority=p6"),
        ("apprise", "growl://s3cret?priority=now"),
    ],
)
def test_priority_that_would_be_passed_over_is_refused(kind: str, url: str) -> None:
    problem = problem_of(kind, url)

    assert problem.startswith("has a priority that ")
    assert "; use low, moderate, normal, high, emergency" in problem
    assert "s3cret" not in problem


def channel(kind: str, url: str, priority: str) -> str:
    return (
        f"{PROJECT}[[projects.channels]]\nname = 'Phone'\nkind = '{kind}'\n"
        f"url = '{url}'\npriority = {priority}\n"
    )


@pytest.mark.parametrize(
    ("kind", "url", "priority", "words"),
    [
        (
            "ntfy",
            "ntfys://ntfy.sh/t",
            "{ down = 'urgent', up = 'low', server = 1 }",
            {"down": "max", "up": "low", "server": "1"},
        ),
        ("gotify", "gotify://h/t", "{ down = 10 }", {"down": "10"}),
        ("po", "pover://u@t", "{ up = 'Lowest' }", {"up": "-2"}),
        ("opsgenie", "opsgenie://k", "{ down = 'P1' }", {"down": "p1"}),
        ("apprise", "prowl://k", "{ down = 'urgent' }", {"down": "emergency"}),
        ("slack", "slack://A/B/C", "{ up = 'none' }", {"up": "none"}),
        ("ntfy", "ntfy://h/t?priority=4", "{ up = 'none' }", {"up": "none"}),
    ],
)
def test_priority_is_in_the_words_of_the_service(
    kind: str, url: str, priority: str, words: dict[str, str]
) -> None:
    [project] = read(channel(kind, url, priority)).projects

    [phone] = project.channels
    assert isinstance(phone.settings, AppriseSettings)
    assert dict(phone.settings.priorities) == words
    assert phone.tells_of("up") is (words.get("up") != "none")
    assert phone.tells_of("down")


@pytest.mark.parametrize(
    ("kind", "url", "priority", "told"),
    [
        (
            "ntfy",
            "ntfy://h/t",
            "{ down = 'loud' }",
            'priority.down: "loud" is no priority of ntfy; use low, moderate, normal,',
        ),
        ("ntfy", "ntfy://h/t", "{ down = 6 }", 'down: "6" is no priority of ntfy; use'),
        (
            "slack",
            "slack://A/B/C",
            "{ down = 'high' }",
            'priority.down: hcl knows no priorities of slack; use "none", or leave it',
        ),
        (
            "ntfy",
            "ntfy://h/t?priority=4",
            "{ down = 'high' }",
            "priority: stands in url too; use one of them",
        ),
        (
            "ntfy",
            "ntfy://h/t",
            "{ down = 'none', up = 'none', server = 'none' }",
            "priority: lets nobody be told of anything; drop one",
        ),
        ("ntfy", "ntfy://h/t", "{ dwn = 'high' }", "unknown key (did you mean down?)"),
        ("ntfy", "ntfy://h/t", "'high'", '"high" is not a table; use { … }'),
        ("ntfy", "ntfy://h/t", "{ down = true }", "true is not a string; put it in"),
    ],
)
def test_priority_that_cannot_be_is_refused_in_one_line(
    kind: str, url: str, priority: str, told: str
) -> None:
    assert told in refusal(channel(kind, url, priority))


def test_webhook_has_no_priority() -> None:
    assert "priority: unknown key" in refusal(HOOK_WITH_PRIORITY)


HOOK_WITH_PRIORITY = PROJECT + HOOK + "priority = { down = 'high' }\n"
