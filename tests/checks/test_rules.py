"""What pings, pauses, edits and the passing of time do to a check."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from hcl.checks import rules, runs
from hcl.checks.deadlines import Transition
from hcl.checks.rules import NotPausedError
from hcl.model import Action, Check, Flip, Reason, ShownStatus, Status
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_check, make_ping

MINUTE = timedelta(minutes=1)
BEFORE = NOW - 30 * MINUTE  # the last ping of a check that had one
RUN = NOW - 10 * MINUTE  # the start of a run that is open
OLD_DURATION = timedelta(seconds=5)
RID = "0f343c7b-91fa-4b32-8a3f-0f0f6a0c1a11"
OTHER_RID = "7c5c4f0e-2f2d-4b8a-9a52-6d8f9d1f2b22"

SIGNALS: tuple[Action, ...] = ("success", "fail", "start", "log")
STATUSES: tuple[Status, ...] = ("new", "up", "down", "paused")

# Signal and stored status: the status afterwards; the flip's reason, None: no flip.
STATUS_AFTER: dict[tuple[Action, Status], tuple[Status, Reason | None]] = {
    ("success", "new"): ("up", ""),
    ("success", "up"): ("up", None),
    ("success", "down"): ("up", ""),
    ("success", "paused"): ("up", ""),
    ("fail", "new"): ("down", "fail"),
    ("fail", "up"): ("down", "fail"),
    ("fail", "down"): ("down", None),
    ("fail", "paused"): ("down", "fail"),
    ("start", "new"): ("new", None),
    ("start", "up"): ("up", None),
    ("start", "down"): ("down", None),
    ("start", "paused"): ("paused", None),
    ("log", "new"): ("new", None),
    ("log", "up"): ("up", None),
    ("log", "down"): ("down", None),
    ("log", "paused"): ("paused", None),
}

# The start of the open run, its rid, and the rid of the ping.
RUN_CASES: dict[str, tuple[datetime | None, str | None, str | None]] = {
    "no run, no rid": (None, None, None),
    "no run, rid": (None, None, RID),
    "run and ping without rid": (RUN, None, None),
    "same rid": (RUN, RID, RID),
    "another rid": (RUN, RID, OTHER_RID),
    "only the run has a rid": (RUN, RID, None),
    "only the ping has a rid": (RUN, None, RID),
}

# Signal and run case: last_start, last_start_rid and last_duration afterwards.
RUN_AFTER: dict[
    tuple[Action, str], tuple[datetime | None, str | None, timedelta | None]
] = {
    ("success", "no run, no rid"): (None, None, None),
    ("success", "no run, rid"): (None, None, None),
    ("success", "run and ping without rid"): (None, None, 10 * MINUTE),
    ("success", "same rid"): (None, None, 10 * MINUTE),
    ("success", "another rid"): (RUN, RID, None),
    ("success", "only the run has a rid"): (None, None, None),
    ("success", "only the ping has a rid"): (RUN, None, None),
    ("fail", "no run, no rid"): (None, None, None),
    ("fail", "no run, rid"): (None, None, None),
    ("fail", "run and ping without rid"): (None, None, 10 * MINUTE),
    ("fail", "same rid"): (None, None, 10 * MINUTE),
    ("fail", "another rid"): (None, None, None),
    ("fail", "only the run has a rid"): (None, None, None),
    ("fail", "only the ping has a rid"): (None, None, None),
    ("start", "no run, no rid"): (NOW, None, OLD_DURATION),
    ("start", "no run, rid"): (NOW, RID, OLD_DURATION),
    ("start", "run and ping without rid"): (NOW, None, OLD_DURATION),
    ("start", "same rid"): (NOW, RID, OLD_DURATION),
    ("start", "another rid"): (NOW, OTHER_RID, OLD_DURATION),
    ("start", "only the run has a rid"): (NOW, None, OLD_DURATION),
    ("start", "only the ping has a rid"): (NOW, RID, OLD_DURATION),
    ("log", "no run, no rid"): (None, None, OLD_DURATION),
    ("log", "no run, rid"): (None, None, OLD_DURATION),
    ("log", "run and ping without rid"): (RUN, None, OLD_DURATION),
    ("log", "same rid"): (RUN, RID, OLD_DURATION),
    ("log", "another rid"): (RUN, RID, OLD_DURATION),
    ("log", "only the run has a rid"): (RUN, RID, OLD_DURATION),
    ("log", "only the ping has a rid"): (RUN, None, OLD_DURATION),
}

# Status, last_ping and last_start: alert_after, with a day of timeout and an hour of
# grace.
ALERT_AFTER: dict[tuple[Status, datetime | None, datetime | None], datetime | None] = {
    ("new", None, None): None,
    ("new", None, RUN): RUN + HOUR,
    ("new", None, NOW): NOW + HOUR,
    ("up", BEFORE, None): BEFORE + DAY + HOUR,
    ("up", BEFORE, RUN): RUN + HOUR,
    ("up", BEFORE, NOW): NOW + HOUR,
    ("up", NOW, None): NOW + DAY + HOUR,
    ("up", NOW, RUN): RUN + HOUR,
    ("down", BEFORE, None): None,
    ("down", BEFORE, RUN): None,
    ("down", BEFORE, NOW): None,
    ("down", NOW, None): None,
    ("paused", BEFORE, None): None,
    ("paused", BEFORE, RUN): RUN + HOUR,
    ("paused", BEFORE, NOW): NOW + HOUR,
}


def stored(status: Status, **overrides: Any) -> Check:
    """Make a check in this status with the last ping and the deadline it then has."""
    check = make_check(
        status=status,
        last_ping=None if status == "new" else BEFORE,
        last_duration=OLD_DURATION,
        n_pings=7,
        **overrides,
    )
    if "alert_after" in overrides:
        return check
    due = ALERT_AFTER[status, check.last_ping, check.last_start]
    return check._replace(alert_after=due)


def test_new_check_has_the_defaults_of_the_api() -> None:
    check = rules.new_check(project_id=3, code="a code", badge_key="a key")

    assert check == Check(
        id=0,
        project_id=3,
        code="a code",
        badge_key="a key",
        name="",
        slug="",
        tags="",
        desc="",
        kind="simple",
        timeout=timedelta(seconds=86400),
        grace=timedelta(seconds=3600),
        schedule=check.schedule,  # no meaning while the kind is simple
        tz="UTC",
        methods="",
        manual_resume=False,
        start_kw="",
        success_kw="",
        failure_kw="",
        filter_subject=False,
        filter_body=False,
        filter_http_body=False,
        filter_default_fail=False,
        status="new",
        n_pings=0,
        last_ping=None,
        last_start=None,
        last_start_rid=None,
        last_duration=None,
        alert_after=None,
    )


@pytest.mark.parametrize("case", RUN_CASES)
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("signal", SIGNALS)
def test_signal_changes_what_the_tables_say_and_nothing_else(
    signal: Action, status: Status, case: str
) -> None:
    start, run_rid, ping_rid = RUN_CASES[case]
    check = stored(status, last_start=start, last_start_rid=run_rid)
    ping = make_ping(action=signal, rid=ping_rid)

    transition, kept = rules.on_ping(check, ping)

    new_status, reason = STATUS_AFTER[signal, status]
    new_start, new_rid, duration = RUN_AFTER[signal, case]
    last_ping = NOW if signal in ("success", "fail") else check.last_ping
    assert transition.check == check._replace(
        status=new_status,
        n_pings=8,
        last_ping=last_ping,
        last_start=new_start,
        last_start_rid=new_rid,
        last_duration=duration,
        alert_after=ALERT_AFTER[new_status, last_ping, new_start],
    )
    assert transition.flip == (
        None if reason is None else Flip(NOW, status, new_status, reason)
    )
    assert transition.problem == ""
    assert kept == ping._replace(n=8)


def test_duration_keeps_its_microseconds() -> None:
    check = stored("up", last_start=RUN)
    ping = make_ping(created=RUN + timedelta(seconds=1, microseconds=999_999))

    transition, _ = rules.on_ping(check, ping)

    assert transition.check.last_duration == timedelta(seconds=1, microseconds=999_999)


@pytest.mark.parametrize("action", ["success", "fail", "start", "log", "ign"])
def test_every_recorded_ping_is_numbered(action: Action) -> None:
    check = make_check()

    numbers = []
    for _ in range(3):
        transition, ping = rules.on_ping(check, make_ping(action=action))
        check = transition.check
        numbers.append((ping.n, check.n_pings))

    assert numbers == [(1, 1), (2, 2), (3, 3)]


# methods and manual_resume


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


# Deadlines


@pytest.mark.parametrize(
    ("check", "due"),
    [
        pytest.param(stored("up"), BEFORE + DAY + HOUR, id="up, late"),
        pytest.param(
            stored("up", last_start=RUN),
            RUN + HOUR,
            id="up, run before the ping is due",
        ),
        pytest.param(
            stored("up", last_start=NOW, timeout=20 * MINUTE),
            BEFORE + 20 * MINUTE + HOUR,
            id="up, run after the ping was due",
        ),
        pytest.param(
            stored("up", last_start=NOW, timeout=30 * MINUTE),
            NOW + HOUR,
            id="up, run when the ping was due",
        ),
        pytest.param(
            stored("up", kind="cron", schedule="0 13 * * *"),
            NOW + 2 * HOUR,
            id="up, cron",
        ),
        pytest.param(
            stored("up", kind="oncalendar", schedule="13:00"),
            NOW + 2 * HOUR,
            id="up, oncalendar",
        ),
        pytest.param(
            stored("up", kind="oncalendar", schedule="2019-01-01", last_start=RUN),
            RUN + HOUR,
            id="up, run, schedule that never fires again",
        ),
        pytest.param(stored("new", last_start=RUN), RUN + HOUR, id="new, run"),
        pytest.param(stored("paused", last_start=RUN), RUN + HOUR, id="paused, run"),
    ],
)
@pytest.mark.parametrize(
    "late", [timedelta(), MICROSECOND, timedelta(days=3)], ids=["now", "late", "later"]
)
def test_check_goes_down_at_its_deadline_exactly(
    check: Check, due: datetime, late: timedelta
) -> None:
    check = check._replace(alert_after=due)

    early = rules.on_deadline(check, due - MICROSECOND)
    transition = rules.on_deadline(check, due + late)

    assert early == Transition(check)
    # The run stays open: started stays true.
    assert transition == Transition(
        check._replace(status="down", alert_after=None),
        Flip(due, check.status, "down", "timeout"),
    )


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(stored("down"), id="down"),
        pytest.param(stored("down", last_start=RUN), id="down, run"),
        pytest.param(stored("new"), id="new"),
        pytest.param(stored("paused"), id="paused"),
        pytest.param(
            stored("up", kind="oncalendar", schedule="2019-01-01", alert_after=None),
            id="up, schedule that never fires again",
        ),
    ],
)
def test_check_without_a_deadline_never_goes_down(check: Check) -> None:
    transition = rules.on_deadline(check, NOW + 1000 * DAY)

    assert transition == Transition(check)


@pytest.mark.parametrize(
    "stale",
    [None, RUN, BEFORE + DAY, NOW + 9 * DAY],
    ids=["none", "far too early", "early", "late"],
)
def test_wrong_deadline_is_corrected_before_it_does_harm(
    stale: datetime | None,
) -> None:
    check = stored("up", alert_after=stale)

    transition = rules.on_deadline(check, NOW)

    assert transition == Transition(check._replace(alert_after=BEFORE + DAY + HOUR))


def test_wrong_deadline_of_a_down_check_is_taken_away() -> None:
    check = stored("down", alert_after=BEFORE)

    transition = rules.on_deadline(check, NOW)

    assert transition == Transition(check._replace(alert_after=None))


def test_check_goes_down_by_the_true_deadline_not_by_the_stored_one() -> None:
    check = stored("up", alert_after=BEFORE)

    transition = rules.on_deadline(check, NOW + 2 * DAY)

    assert transition.flip == Flip(BEFORE + DAY + HOUR, "up", "down", "timeout")


def test_overdue_check_goes_down_once() -> None:
    check = stored("up", last_start=RUN)

    first = rules.on_deadline(check, NOW + HOUR)
    second = rules.on_deadline(first.check, NOW + 2 * HOUR)

    assert first.flip is not None
    assert second == Transition(first.check)


def test_success_after_an_overrun_times_the_run_and_brings_the_check_up() -> None:
    down = rules.on_deadline(stored("up", last_start=RUN), NOW + HOUR).check

    transition, _ = rules.on_ping(down, make_ping(created=NOW + 2 * HOUR))

    assert transition.flip == Flip(NOW + 2 * HOUR, "down", "up", "")
    assert transition.check.last_duration == 2 * HOUR + 10 * MINUTE
    assert transition.check.last_start is None
    assert transition.check.alert_after == NOW + 2 * HOUR + DAY + HOUR


# Edits


@pytest.mark.parametrize(
    ("check", "alert_after"),
    [
        pytest.param(stored("up", timeout=HOUR), BEFORE + 2 * HOUR, id="timeout"),
        pytest.param(stored("up", grace=DAY), BEFORE + 2 * DAY, id="grace"),
        pytest.param(
            stored("up", timeout=MINUTE, grace=MINUTE),
            BEFORE + 2 * MINUTE,
            id="deadline in the past",
        ),
        pytest.param(
            stored("up", kind="cron", schedule="0 15 * * *", tz="Europe/Riga"),
            NOW + HOUR,
            id="cron",
        ),
        pytest.param(
            stored("up", kind="oncalendar", schedule="2019-01-01"),
            None,
            id="schedule that never fires again",
        ),
        pytest.param(
            stored("up", last_start=RUN, grace=MINUTE), RUN + MINUTE, id="up, run"
        ),
        pytest.param(
            stored("new", last_start=RUN, grace=MINUTE), RUN + MINUTE, id="new, run"
        ),
        pytest.param(
            stored("paused", last_start=RUN, grace=MINUTE),
            RUN + MINUTE,
            id="paused, run",
        ),
        pytest.param(stored("new", timeout=MINUTE), None, id="new"),
        pytest.param(stored("paused", timeout=MINUTE), None, id="paused"),
        pytest.param(stored("down", timeout=9 * DAY), None, id="down"),
        pytest.param(stored("down", last_start=RUN, grace=DAY), None, id="down, run"),
    ],
)
def test_edit_recomputes_the_deadline_and_keeps_the_status(
    check: Check, alert_after: datetime | None
) -> None:
    transition = rules.on_edit(check, NOW)

    assert transition == Transition(check._replace(alert_after=alert_after))


# Pause and resume


@pytest.mark.parametrize("start", [None, RUN], ids=["no run", "run"])
@pytest.mark.parametrize("status", ["new", "up", "down"])
def test_pause_takes_run_and_deadline_away(
    status: Status, start: datetime | None
) -> None:
    rid = RID if start else None
    check = stored(status, last_start=start, last_start_rid=rid)

    transition = rules.on_pause(check, NOW)

    assert transition == Transition(
        check._replace(
            status="paused",
            last_start=None,
            last_start_rid=None,
            alert_after=None,
        ),
        Flip(NOW, status, "paused", ""),
    )


@pytest.mark.parametrize("start", [None, RUN], ids=["no run", "run"])
def test_pausing_a_paused_check_changes_nothing(start: datetime | None) -> None:
    check = stored("paused", last_start=start)

    assert rules.on_pause(check, NOW) == Transition(check)


@pytest.mark.parametrize("start", [None, RUN], ids=["no run", "run"])
@pytest.mark.parametrize("manual_resume", [False, True])
def test_resume_makes_a_paused_check_new(
    manual_resume: bool, start: datetime | None
) -> None:
    rid = RID if start else None
    check = stored(
        "paused", manual_resume=manual_resume, last_start=start, last_start_rid=rid
    )

    transition = rules.on_resume(check, NOW)

    assert transition == Transition(
        check._replace(
            status="new",
            last_ping=None,
            last_start=None,
            last_start_rid=None,
            alert_after=None,
        ),
        Flip(NOW, "paused", "new", ""),
    )


@pytest.mark.parametrize("status", ["new", "up", "down"])
def test_only_a_paused_check_can_be_resumed(status: Status) -> None:
    with pytest.raises(NotPausedError):
        rules.on_resume(stored(status), NOW)


# Shown status

DUE = BEFORE + DAY  # grace starts
END = BEFORE + DAY + HOUR  # grace ends


@pytest.mark.parametrize(
    ("check", "now", "shown"),
    [
        pytest.param(stored("up"), BEFORE, "up", id="up, at the ping"),
        pytest.param(stored("up"), DUE - MICROSECOND, "up", id="up, before grace"),
        pytest.param(stored("up"), DUE, "grace", id="grace starts"),
        pytest.param(stored("up"), END - MICROSECOND, "grace", id="grace, before end"),
        pytest.param(stored("up"), END, "down", id="grace ends"),
        pytest.param(stored("up"), END + 9 * DAY, "down", id="long after"),
        pytest.param(
            stored("up", last_start=RUN),
            RUN + HOUR - MICROSECOND,
            "up",
            id="up, run in grace",
        ),
        pytest.param(
            stored("up", last_start=RUN), RUN + HOUR, "down", id="up, run overdue"
        ),
        pytest.param(
            stored("up", last_start=DUE, alert_after=END),
            DUE,
            "grace",
            id="run at grace start",
        ),
        pytest.param(
            stored("up", last_start=DUE - MINUTE, alert_after=END - MINUTE),
            DUE - MICROSECOND,
            "up",
            id="run, before the ping is due",
        ),
        pytest.param(
            stored("up", last_start=DUE - MINUTE, alert_after=END - MINUTE),
            DUE,
            "grace",
            id="run, after the ping is due",
        ),
        pytest.param(
            stored("up", last_start=DUE - MINUTE, alert_after=END - MINUTE),
            END - MINUTE,
            "down",
            id="run overdue within grace",
        ),
        pytest.param(
            stored("up", last_start=DUE + MINUTE, alert_after=END),
            END - MICROSECOND,
            "grace",
            id="late run, before grace ends",
        ),
        pytest.param(
            stored("up", last_start=DUE + MINUTE, alert_after=END),
            END,
            "down",
            id="late run, grace ends",
        ),
        pytest.param(stored("new"), NOW + 9 * DAY, "new", id="new"),
        pytest.param(
            stored("new", last_start=RUN),
            RUN + HOUR - MICROSECOND,
            "new",
            id="new, run in grace",
        ),
        pytest.param(
            stored("new", last_start=RUN), RUN + HOUR, "down", id="new, run overdue"
        ),
        pytest.param(stored("paused"), NOW + 9 * DAY, "paused", id="paused"),
        pytest.param(
            stored("paused", last_start=RUN),
            RUN + HOUR - MICROSECOND,
            "paused",
            id="paused, run in grace",
        ),
        pytest.param(
            stored("paused", last_start=RUN),
            RUN + HOUR,
            "down",
            id="paused, run overdue",
        ),
        pytest.param(stored("down"), BEFORE, "down", id="down"),
        pytest.param(
            stored("down", last_start=RUN),
            RUN + HOUR - MICROSECOND,
            "down",
            id="down, run in grace",
        ),
        pytest.param(
            stored("down", last_start=RUN), RUN + HOUR, "down", id="down, run overdue"
        ),
        pytest.param(
            stored("up", kind="oncalendar", schedule="2019-01-01", alert_after=None),
            NOW + 1000 * DAY,
            "up",
            id="schedule that never fires again",
        ),
        pytest.param(
            stored("up", kind="oncalendar", schedule="2019-01-01", last_start=RUN),
            RUN + HOUR,
            "down",
            id="schedule that never fires again, run overdue",
        ),
        pytest.param(
            stored(
                "up",
                kind="cron",
                schedule="0 13 * * *",
                last_start=NOW + 50 * MINUTE,
                alert_after=NOW + 110 * MINUTE,
            ),
            NOW + HOUR,
            "grace",
            id="cron, run, grace starts",
        ),
    ],
)
def test_shown_status(check: Check, now: datetime, shown: ShownStatus) -> None:
    before = rules.shown_status(check, now)
    written = rules.on_deadline(check, now).check
    after = rules.shown_status(written, now)

    # Whether the checker has been there or not, people see the same.
    assert (before, after) == (shown, shown)


@pytest.mark.parametrize(
    "check",
    [
        stored("new"),
        stored("new", last_start=RUN),
        stored("up"),
        stored("up", last_start=RUN),
        stored("up", last_start=NOW + 50 * MINUTE, alert_after=None),
        stored(
            "up",
            last_start=NOW + 50 * MINUTE,
            alert_after=None,
            kind="cron",
            schedule="0 13 * * *",
        ),
        stored("up", kind="oncalendar", schedule="2019-01-01", alert_after=None),
        stored("paused", last_start=RUN),
        stored("down", last_start=RUN),
    ],
)
def test_shown_status_stays_until_its_next_turn(check: Check) -> None:
    check = rules.on_edit(check, NOW).check
    moments = [NOW + step * 5 * MINUTE for step in range(-60, 500)]

    statuses = [rules.shown_status(check, moment) for moment in moments]
    turns = [rules.next_turn(check, moment) for moment in moments]

    for earlier, later, turn in zip(statuses, statuses[1:], turns, strict=False):
        assert earlier == later or turn in moments
    for at, turn in enumerate(turns):
        until = moments.index(turn) if turn in moments else len(moments)
        assert turn is None or turn > moments[at]
        assert set(statuses[at:until]) == {statuses[at]}


# A schedule that cannot be read

UNREADABLE = [
    pytest.param({"kind": "cron", "schedule": "garbage"}, id="cron"),
    pytest.param({"kind": "cron", "schedule": "0 0 31 2 *"}, id="no such date"),
    pytest.param({"kind": "oncalendar", "schedule": "garbage"}, id="oncalendar"),
    pytest.param({"kind": "oncalendar", "schedule": ""}, id="empty"),
    pytest.param({"kind": "oncalendar", "schedule": "1:00 America"}, id="own zone"),
    pytest.param({"kind": "cron", "tz": "America"}, id="zone is a directory"),
    pytest.param({"kind": "cron", "tz": "Europe/Nowhere"}, id="unknown zone"),
    pytest.param({"kind": "cron", "tz": ""}, id="empty zone"),
    pytest.param({"kind": "cron", "tz": "../etc/passwd"}, id="path for a zone"),
]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("overrides", UNREADABLE)
def test_success_counts_though_the_schedule_raises(
    overrides: dict[str, Any], status: Status
) -> None:
    check = stored(status, last_start=RUN, **overrides)

    transition, ping = rules.on_ping(check, make_ping())

    assert ping.n == 8
    assert transition.check == check._replace(
        status="up",
        n_pings=8,
        last_ping=NOW,
        last_start=None,
        last_duration=10 * MINUTE,
        alert_after=NOW + HOUR,
    )
    assert transition.problem
    assert f"check {check.id}" in transition.problem
    assert transition.flip == (None if status == "up" else Flip(NOW, status, "up", ""))


@pytest.mark.parametrize("overrides", UNREADABLE)
def test_fail_needs_no_schedule(overrides: dict[str, Any]) -> None:
    check = stored("up", **overrides)

    transition, _ = rules.on_ping(check, make_ping(action="fail"))

    assert transition.flip == Flip(NOW, "up", "down", "fail")
    assert (transition.check.alert_after, transition.problem) == (None, "")


@pytest.mark.parametrize("status", ["new", "paused"])
@pytest.mark.parametrize("overrides", UNREADABLE)
def test_start_of_a_check_that_is_not_up_needs_no_schedule(
    overrides: dict[str, Any], status: Status
) -> None:
    check = stored(status, **overrides)

    transition, _ = rules.on_ping(check, make_ping(action="start"))

    assert (transition.check.alert_after, transition.problem) == (NOW + HOUR, "")


@pytest.mark.parametrize("overrides", UNREADABLE)
def test_edit_and_deadline_postpone_a_check_whose_schedule_raises(
    overrides: dict[str, Any],
) -> None:
    check = stored("up", **overrides)

    edited = rules.on_edit(check, NOW)
    overdue = rules.on_deadline(check, NOW)

    expected = check._replace(alert_after=NOW + HOUR)
    assert (edited.check, edited.flip) == (expected, None)
    assert (overdue.check, overdue.flip) == (expected, None)
    assert edited.problem
    assert overdue.problem


@pytest.mark.parametrize("overrides", UNREADABLE)
def test_pause_and_resume_need_no_schedule(overrides: dict[str, Any]) -> None:
    paused = rules.on_pause(stored("up", **overrides), NOW)
    resumed = rules.on_resume(paused.check, NOW)

    assert (paused.problem, resumed.problem) == ("", "")
    assert (paused.check.status, resumed.check.status) == ("paused", "new")


@pytest.mark.parametrize("overrides", UNREADABLE)
def test_overrun_goes_down_though_the_schedule_raises(
    overrides: dict[str, Any],
) -> None:
    check = stored("up", last_start=RUN, **overrides)

    transition = rules.on_deadline(check, RUN + HOUR)

    assert transition.flip == Flip(RUN + HOUR, "up", "down", "timeout")


# Durations in the log of pings

# Each ping as hours, action, rid; then the durations in hours by n.
LogRow = tuple[float, Action, str | None]
LOGS: dict[str, tuple[list[LogRow], dict[int, float]]] = {
    "no pings": ([], {}),
    "success without a start": ([(0, "success", None)], {}),
    "start and success": ([(0, "start", None), (1, "success", None)], {2: 1}),
    "start and fail": ([(0, "start", None), (1, "fail", None)], {2: 1}),
    "only a start": ([(0, "start", None)], {}),
    "same rid": ([(0, "start", RID), (1, "success", RID)], {2: 1}),
    "another rid": ([(0, "start", RID), (1, "success", OTHER_RID)], {}),
    "only the start has a rid": ([(0, "start", RID), (1, "success", None)], {}),
    "only the success has a rid": ([(0, "start", None), (1, "success", RID)], {}),
    "latest start counts": (
        [(0, "start", None), (1, "start", None), (3, "success", None)],
        {3: 2},
    ),
    "second success has no start": (
        [(0, "start", None), (1, "success", None), (2, "success", None)],
        {2: 1},
    ),
    "success after a fail has no start": (
        [(0, "start", RID), (1, "fail", RID), (2, "success", RID)],
        {2: 1},
    ),
    "overlapping runs": (
        [
            (0, "start", RID),
            (1, "start", OTHER_RID),
            (2, "start", None),
            (4, "success", RID),
            (8, "fail", OTHER_RID),
            (16, "success", None),
        ],
        {4: 4, 5: 7, 6: 14},
    ),
    # The check's own open run would be closed here; the log does not depend on it.
    "a fail of another rid lies between": (
        [(0, "start", RID), (1, "fail", OTHER_RID), (2, "success", RID)],
        {3: 2},
    ),
    "a success without rid lies between": (
        [(0, "start", RID), (1, "success", None), (2, "success", RID)],
        {3: 2},
    ),
    "log and ignored lie between": (
        [(0, "start", None), (1, "log", None), (2, "ign", None), (3, "fail", None)],
        {4: 3},
    ),
    "log and ignored end nothing": (
        [(0, "start", RID), (1, "log", RID), (2, "ign", RID)],
        {},
    ),
    "just under 72 hours": (
        [(0, "start", None), (71.5, "success", None)],
        {2: 71.5},
    ),
    "72 hours": ([(0, "start", None), (72, "success", None)], {}),
    "an old start ends all the same": (
        [(0, "start", None), (80, "success", None), (80.5, "success", None)],
        {},
    ),
    "at the same moment": ([(0, "start", None), (0, "success", None)], {2: 0}),
    "over a step back of the clock": (
        [
            (2, "start", None),
            (1, "success", None),
            (1, "start", None),
            (3, "fail", None),
        ],
        {2: 0, 4: 2},
    ),
    "a start is told after its end": (
        [
            (0, "start", None),
            (2, "success", None),
            (1, "start", None),
            (24, "success", None),
            (25, "start", None),
            (26, "success", None),
        ],
        {2: 2, 6: 1},
    ),
    "a run is told after the next one": (
        [
            (3, "start", None),
            (4, "success", None),
            (1, "start", None),
            (2, "success", None),
        ],
        {2: 1, 4: 1},
    ),
    "over a step back of a year": ([(8760, "start", RID), (0, "fail", RID)], {2: 0}),
}


@pytest.mark.parametrize(("log", "hours"), LOGS.values(), ids=LOGS)
def test_run_lengths(log: list[LogRow], hours: dict[int, float]) -> None:
    pings = [
        make_ping(n=n, created=NOW + offset * HOUR, action=action, rid=rid)
        for n, (offset, action, rid) in enumerate(log, start=1)
    ]

    lengths = runs.run_lengths(pings)

    assert lengths == {n: length * HOUR for n, length in hours.items()}


def test_run_of_72_hours_but_a_microsecond_has_a_length() -> None:
    length = 72 * HOUR - MICROSECOND
    start = make_ping(n=1, action="start")
    success = make_ping(n=2, created=NOW + length)

    assert runs.run_lengths([start, success]) == {2: length}


@pytest.mark.parametrize(
    ("last_ping", "expected"),
    [
        (None, None),
        (NOW - HOUR, NOW - HOUR),
        (NOW, NOW),
        (NOW + MICROSECOND, NOW),
        (NOW + 9999 * HOUR, NOW),
    ],
)
def test_no_check_is_shown_to_be_heard_in_the_future(
    last_ping: datetime | None, expected: datetime | None
) -> None:
    check = make_check(status="up", last_ping=last_ping)

    shown = rules.as_shown(check, NOW)

    assert shown == check._replace(last_ping=expected)


# Flips


@pytest.mark.parametrize(
    ("old", "new", "notifies"),
    [
        ("new", "new", False),
        ("new", "up", False),
        ("new", "down", True),
        ("new", "paused", False),
        ("up", "new", False),
        ("up", "up", False),
        ("up", "down", True),
        ("up", "paused", False),
        ("down", "new", False),
        ("down", "up", True),
        ("down", "paused", False),
        ("paused", "new", False),
        ("paused", "up", False),
        ("paused", "down", True),
        ("paused", "paused", False),
    ],
)
def test_which_flips_notify(old: Status, new: Status, notifies: bool) -> None:
    assert Flip(NOW, old, new, "").notifies is notifies
