import pytest

from hcl.config.apprise_urls import as_apprise, problem_of


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
