"""Which pings are ignored, and what keywords make of the others."""

from typing import Any

import pytest

from hcl.checks import rules
from hcl.checks.deadlines import Transition
from hcl.model import Action, Status
from tests.build import NOW, make_check, make_ping
from tests.checks.stored import RUN_CASES, SIGNALS, STATUS_AFTER, STATUSES, stored


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(
    ("method", "counts"),
    [
        ("POST", True),
        ("GET", False),
        ("HEAD", False),
        ("PUT", False),
        ("DELETE", False),
        ("post", False),
        ("", False),
    ],
)
def test_post_only_check_ignores_other_methods(
    method: str, counts: bool, signal: Action
) -> None:
    check = stored("up", methods="POST")

    transition, ping = rules.on_ping(check, make_ping(action=signal, method=method))

    assert ping.action == (signal if counts else "ign")
    if not counts:
        assert transition == Transition(check._replace(n_pings=8))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PROPFIND"])
def test_check_without_methods_takes_any(method: str) -> None:
    check = stored("down")

    transition, ping = rules.on_ping(check, make_ping(method=method))

    assert (transition.check.status, ping.action) == ("up", "success")


@pytest.mark.parametrize("scheme", ["http", "https", "email"])
@pytest.mark.parametrize("signal", SIGNALS)
def test_paused_check_with_manual_resume_ignores_every_ping(
    signal: Action, scheme: str
) -> None:
    check = stored("paused", manual_resume=True)

    transition, ping = rules.on_ping(check, make_ping(action=signal, scheme=scheme))

    assert ping.action == "ign"
    assert transition == Transition(check._replace(n_pings=8))


@pytest.mark.parametrize("status", ["new", "up", "down"])
@pytest.mark.parametrize("signal", SIGNALS)
def test_manual_resume_matters_only_while_paused(
    signal: Action, status: Status
) -> None:
    check = stored(status, manual_resume=True)

    transition, ping = rules.on_ping(check, make_ping(action=signal))

    assert ping.action == signal
    assert transition.check.status == STATUS_AFTER[signal, status][0]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("case", RUN_CASES)
def test_ignored_ping_changes_the_count_and_nothing_else(
    case: str, status: Status
) -> None:
    start, run_rid, ping_rid = RUN_CASES[case]
    check = stored(status, last_start=start, last_start_rid=run_rid, methods="POST")
    ping = make_ping(rid=ping_rid, body=b"hello", exitstatus=3)

    transition, kept = rules.on_ping(check, ping)

    assert transition == Transition(check._replace(n_pings=8))
    assert kept == ping._replace(n=8, action="ign")


# Keywords over HTTP

KEYWORDS = {"failure_kw": "bad", "success_kw": "good", "start_kw": "begin"}


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(
    ("overrides", "body", "action"),
    [
        pytest.param(KEYWORDS, b"all good", "success", id="success"),
        pytest.param(KEYWORDS, b"too bad", "fail", id="failure"),
        pytest.param(KEYWORDS, b"we begin", "start", id="start"),
        pytest.param(KEYWORDS, b"begin good bad", "fail", id="failure before all"),
        pytest.param(KEYWORDS, b"begin good", "success", id="success before start"),
        pytest.param(KEYWORDS, b"begin bad", "fail", id="failure before start"),
        pytest.param(KEYWORDS, b"nothing", "ign", id="no match"),
        pytest.param(KEYWORDS, b"", "ign", id="no body"),
        pytest.param({}, b"", "ign", id="no keywords, no body"),
        pytest.param({}, b"good", "ign", id="no keywords"),
        pytest.param(KEYWORDS, b"GOOD", "ign", id="case matters"),
        pytest.param(KEYWORDS, b"goodness", "success", id="part of a word"),
        pytest.param(KEYWORDS, b"go\nod", "ign", id="not over a line's end"),
        pytest.param({"success_kw": "a,b"}, b"xbx", "success", id="comma"),
        pytest.param({"success_kw": "a,b"}, b"c", "ign", id="comma, no match"),
        pytest.param({"success_kw": "ab,b"}, b"a,b", "success", id="second keyword"),
        pytest.param({"success_kw": "a,b"}, b",", "ign", id="comma is no keyword"),
        pytest.param({"success_kw": " a , b "}, b"xb", "success", id="trimmed"),
        pytest.param({"success_kw": "\ta\n,b"}, b"a", "success", id="tab trimmed"),
        pytest.param({"success_kw": "a b"}, b"ab", "ign", id="inner space counts"),
        pytest.param({"success_kw": "a b"}, b"xa bx", "success", id="two words"),
        pytest.param({"success_kw": "a b"}, b"a \t\r\n b", "success", id="white space"),
        pytest.param({"success_kw": "a b"}, b"a\xc2\xa0b", "success", id="no break"),
        pytest.param({"success_kw": "a \n b"}, b"a b", "success", id="of the keyword"),
        pytest.param({"success_kw": "a. b"}, b"ax b", "ign", id="no pattern"),
        pytest.param({"success_kw": "a b c"}, b"a b\nd a\tb\nc", "success", id="later"),
        pytest.param({"failure_kw": ","}, b"x", "ign", id="only a comma"),
        pytest.param({"failure_kw": ", ,"}, b" ", "ign", id="only empty pieces"),
        pytest.param(
            {"failure_kw": ",,x", "success_kw": "a"}, b"a", "success", id="empty pieces"
        ),
        pytest.param({"success_kw": "größe"}, "größe".encode(), "success", id="UTF-8"),
        pytest.param(
            {"success_kw": "✓"}, b"\xff\xfe\xe2\x9c\x93", "success", id="junk"
        ),
        pytest.param({"success_kw": "ok"}, b"ok \xe2\x9c", "success", id="cut at end"),
        pytest.param({"success_kw": "✓"}, b"ok \xe2\x9c", "ign", id="cut keyword"),
        pytest.param({"success_kw": "ok"}, b"o\xffk", "ign", id="junk in the word"),
        pytest.param({"success_kw": "ok"}, b"\x00ok\x00", "success", id="NUL"),
        pytest.param({"success_kw": "ö"}, b"\xf6", "ign", id="latin-1"),
    ],
)
def test_keywords_replace_the_signal(
    overrides: dict[str, Any], body: bytes, action: Action, signal: Action
) -> None:
    check = stored("up", filter_http_body=True, **overrides)

    transition, ping = rules.on_ping(check, make_ping(action=signal, body=body))

    assert (ping.action, ping.body) == (action, body)
    assert transition.check.status == ("down" if action == "fail" else "up")
    assert (transition.check.last_start == NOW) == (action == "start")
    assert (transition.check.last_ping == NOW) == (action in ("success", "fail"))


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(
    ("overrides", "body", "action"),
    [
        pytest.param(KEYWORDS, b"good", "success", id="success word"),
        pytest.param(KEYWORDS, b"begin", "start", id="start word"),
        pytest.param(KEYWORDS, b"nothing", "fail", id="no match"),
        pytest.param(KEYWORDS, b"", "fail", id="no body"),
        pytest.param({}, b"good", "fail", id="no keywords"),
        pytest.param({"success_kw": ", ,"}, b" , ", "fail", id="only empty pieces"),
        pytest.param(KEYWORDS, b"\xff", "fail", id="not UTF-8"),
    ],
)
def test_filter_default_fail_makes_the_unmatched_fail(
    overrides: dict[str, Any], body: bytes, action: Action, signal: Action
) -> None:
    check = stored("up", filter_http_body=True, filter_default_fail=True, **overrides)

    transition, ping = rules.on_ping(check, make_ping(action=signal, body=body))

    assert ping.action == action
    assert transition.check.status == ("down" if action == "fail" else "up")


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("filters", [{}, {"filter_subject": True, "filter_body": True}])
def test_keywords_mean_nothing_over_http_without_filter_http_body(
    filters: dict[str, bool], signal: Action
) -> None:
    check = stored("up", filter_default_fail=True, **KEYWORDS, **filters)

    _, ping = rules.on_ping(check, make_ping(action=signal, body=b"bad good begin"))

    assert ping.action == signal


def test_wrong_method_is_ignored_before_keywords_are_searched() -> None:
    check = stored("up", methods="POST", filter_http_body=True, **KEYWORDS)

    _, ping = rules.on_ping(check, make_ping(method="PUT", body=b"bad"))

    assert ping.action == "ign"


def test_paused_check_with_manual_resume_does_not_search_keywords() -> None:
    check = stored("paused", manual_resume=True, filter_http_body=True, **KEYWORDS)

    _, ping = rules.on_ping(check, make_ping(body=b"bad"))

    assert ping.action == "ign"


@pytest.mark.parametrize("signal", ["success", "fail", "start", "ign"])
@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param({"methods": "POST"}, id="methods"),
        pytest.param({"filter_http_body": True, **KEYWORDS}, id="keywords"),
        pytest.param(
            {"filter_http_body": True, "filter_default_fail": True}, id="default fail"
        ),
    ],
)
def test_mail_heeds_neither_methods_nor_filter_http_body(
    overrides: dict[str, Any], signal: Action
) -> None:
    check = stored("up", **overrides)
    mail = make_ping(action=signal, scheme="email", method="", body=b"good bad begin")

    _, ping = rules.on_ping(check, mail)

    assert ping.action == signal


MAIL = b"Subject: all good\r\nContent-Transfer-Encoding: base64\r\n\r\nYmFk"


@pytest.mark.parametrize(
    ("overrides", "action"),
    [
        pytest.param(KEYWORDS, "success", id="no filter"),
        pytest.param({"filter_default_fail": True}, "success", id="default, no filter"),
        pytest.param({"filter_subject": True, **KEYWORDS}, "success", id="subject"),
        pytest.param({"filter_body": True, **KEYWORDS}, "fail", id="body, decoded"),
        pytest.param(
            {"filter_subject": True, "filter_body": True, **KEYWORDS},
            "fail",
            id="failure first",
        ),
        pytest.param(
            {"filter_subject": True, "failure_kw": "bad"}, "ign", id="not the body"
        ),
        pytest.param(
            {"filter_body": True, "success_kw": "good"}, "ign", id="not the subject"
        ),
        pytest.param(
            {"filter_body": True, "failure_kw": "base64"}, "ign", id="not the headers"
        ),
        pytest.param(
            {"filter_body": True, "start_kw": "bad"}, "start", id="start word"
        ),
        pytest.param(
            {"filter_body": True, "filter_default_fail": True}, "fail", id="default"
        ),
        pytest.param(
            {"filter_subject": True, "methods": "POST", "filter_http_body": True},
            "ign",
            id="no keywords",
        ),
    ],
)
def test_keywords_are_searched_in_what_a_mail_says(
    overrides: dict[str, Any], action: Action
) -> None:
    check = stored("up", **overrides)
    mail = make_ping(action="success", scheme="email", method="", body=MAIL)

    _, ping = rules.on_ping(check, mail)

    assert (ping.action, ping.body) == (action, MAIL)


def test_paused_check_with_manual_resume_does_not_read_mail() -> None:
    check = stored("paused", manual_resume=True, filter_body=True, **KEYWORDS)

    _, ping = rules.on_ping(check, make_ping(scheme="email", body=MAIL))

    assert ping.action == "ign"


@pytest.mark.parametrize(
    ("texts", "default_fail", "action"),
    [
        (("all good", "nothing"), False, "success"),
        (("nothing", "all good"), False, "success"),
        (("good", "bad"), False, "fail"),
        (("bad", "good"), False, "fail"),
        (("begin", "good"), False, "success"),
        (("go", "od"), False, "ign"),
        (("go", "od"), True, "fail"),
        ((), False, "ign"),
        ((), True, "fail"),
    ],
    ids=str,
)
def test_classify_searches_each_text(
    texts: tuple[str, ...], default_fail: bool, action: Action
) -> None:
    check = make_check(filter_default_fail=default_fail, **KEYWORDS)

    assert rules.classify(check, *texts) == action
