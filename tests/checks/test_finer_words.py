"""What mail, page, list and explanation say of finer rules, for each reason."""

from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from hcl.alerts.messages.letter import write_letter
from hcl.checks import rules, schedule
from hcl.checks.why.explain import Known, explain
from hcl.checks.windows import holding
from hcl.checks.windows.calendar import Calendar, Opening
from hcl.config.settings import Window
from hcl.model import Check, Flip, Ping
from hcl.store.flips import Trouble
from hcl.web.pages.check.entries import Entry, flip_words
from hcl.web.pages.check.incident import reason
from hcl.web.pages.dashboard.boards import Shown
from hcl.web.pages.overview.why import sentence
from hcl.words.outcomes import too_soon
from tests.alerts import a_message
from tests.alerts import an_alert as alert_of
from tests.build import HOUR, NOW, make_check, make_ping
from tests.web.pages.browsing import text_of

MINUTE = timedelta(minutes=1)
RID = "0f343c7b-91fa-4b32-8a3f-0f0f6a0c1a11"


class Case(NamedTuple):
    """A check with signals, as minutes before NOW; at NOW it goes down."""

    fields: dict[str, Any]
    signals: tuple[tuple[float, str], ...]
    # Of a mail, the incident card, the list, the log, and the explanation.
    mail: str
    card: str
    row: str
    log: str
    summary: str
    reason: str


CASES = {
    "overran": Case(
        {"max_run": 20 * MINUTE},
        ((20, "start"),),
        f"It ran too long. The run {RID} started at 2026-06-15 11:40:00 UTC,"
        " 20 minutes ago, and did not end within 20 minutes.",
        "It ran too long: the run from did not end within 20 minutes.",
        "Ran too long the run from today 11:40 did not end within 20 min",
        "Went down: a run took too long",
        "It is down: a run took too long.",
        "overran",
    ),
    "plain run": Case(
        {"grace": 20 * MINUTE},
        ((20, "start"),),
        f"It ran too long. The run {RID} started at 2026-06-15 11:40:00 UTC,"
        " 20 minutes ago, and did not finish within 20 minutes.",
        "It ran too long: the run from did not end within 20 minutes.",
        "Ran too long the run from today 11:40 did not end within 20 min",
        "Went down: no ping came in time",
        "It is down: a run took too long.",
        "timeout",
    ),
    "plain ping, and a run": Case(
        {"grace": 20 * MINUTE, "timeout": HOUR},
        ((80, "success"), (15, "start")),
        "No ping came in time. One was expected at 2026-06-15 11:40:00 UTC,"
        " 20 minutes ago, and the grace of 20 minutes is over.",
        "No ping came in time: one was due, and the grace of 20 minutes is over.",
        "No ping in time one was due today 11:40",
        "Went down: no ping came in time",
        "It is down: no ping came in time.",
        "timeout",
    ),
    "short": Case(
        {"min_run": MINUTE},
        ((2 / 60, "start"), (0, "success")),
        "Its run ended after 2.0 seconds, sooner than 1 minute, which counts as a"
        " failure.",
        "The run ended after 2.0 seconds, sooner than 1 minute.",
        "Ended too soon",
        "Went down: its run ended too soon",
        "It is down: a run ended too soon.",
        "short",
    ),
    "missed": Case(
        {"down_after": 2, "timeout": HOUR, "grace": 5 * MINUTE},
        ((125, "success"),),
        "No ping came in time. One was expected at 2026-06-15 11:55:00 UTC,"
        " 5 minutes ago, and the grace of 5 minutes is over. That makes 2 of 2 bad"
        " outcomes in a row.",
        "No ping came in time: one was due, and the grace of 5 minutes is over.",
        "No ping in time one was due today 11:55",
        "Went down: no ping came in time",
        "It is down: no ping came in time.",
        "missed",
    ),
    "fail": Case(
        {"down_after": 2},
        ((1, "fail"), (0, "fail")),
        "It reported failure. That makes 2 of 2 bad outcomes in a row.",
        "The job reported a failure.",
        "Failed",
        "Went down: the job failed",
        "It is down: the job reported a failure.",
        "fail",
    ),
}


def lived(case: Case) -> tuple[Check, Flip, Ping | None]:
    """Let a check live until it goes down; return it, the flip and the last ping."""
    check = make_check(status="up", last_ping=NOW - 3 * HOUR, **case.fields)
    flip, kept = None, None
    for minutes, action in case.signals:
        created = NOW - minutes * MINUTE
        ping = make_ping(action=action, rid=RID, created=created)
        (check, flip, _), kept = rules.on_ping(check, ping)
    if flip is None:
        check, flip, _ = rules.on_deadline(check, NOW)
    assert flip is not None
    assert flip.created == NOW
    return check, flip, kept


# What people change when they were told.
EDITS: dict[str, dict[str, Any]] = {
    "none": {},
    "more time": {"grace": 5 * HOUR},
    "a limit for runs": {"max_run": 9 * HOUR},
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("why", CASES)
def test_each_reason_is_told_everywhere(why: Any, edit: str) -> None:
    """Whatever is set since, it is told of what was."""
    case = CASES[why]
    check, flip, ping = lived(case)
    assert flip.reason == case.reason
    check = rules.on_edit(check._replace(**EDITS[edit]), NOW).check
    known = Known(check, flip, check.n_pings, ping, ping)

    shown: Any = "down"
    state = {name: getattr(check, name) for name in check._fields}
    alert = alert_of(flip=flip, ping=ping, **state)
    letter = write_letter(a_message(alert), NOW)
    card = reason(known, "down", NOW)
    row = sentence(
        Shown(check, shown), Trouble(flip.reason, NOW, None, b""), NOW, readonly=False
    )

    assert letter.story[0] == case.mail
    assert card.text + card.rest == case.card
    assert text_of(row or "") == case.row
    assert ": ".join(flip_words(Entry(NOW, flip=flip))) == case.log
    assert explain(known, NOW).summary == case.summary


def test_a_limit_that_is_lower_now_is_not_said_to_have_been_missed() -> None:
    check, flip, _ = lived(CASES["short"])

    now = timedelta(seconds=1)

    assert too_soon(check._replace(min_run=now), flip.created) == (
        "ended after 2.0 seconds, too soon"
    )


def test_bad_outcomes_that_do_not_suffice_are_told() -> None:
    check = make_check(status="up", last_ping=NOW - HOUR, down_after=3)
    check = rules.on_ping(check, make_ping(action="fail"))[0].check
    shown: Any = "grace"

    explanation = explain(Known(check, outcome=make_ping(action="fail")), NOW)

    said = "1 of 3 bad outcomes in a row"
    assert explanation.summary == f"It is shown as late: {said}."
    texts = [line.text for line in explanation.timeline]
    assert "The last failure came." in texts
    assert texts[-1].endswith("that is bad outcome 2 of 3 then, unless a ping comes.")
    assert said in reason(Known(check), "grace", NOW).text
    assert text_of(sentence(Shown(check, shown), None, NOW, readonly=False) or "") == (
        f"Late {said}"
    )


def test_what_is_late_and_does_not_go_down_yet_is_not_said_to() -> None:
    check = make_check(
        status="up",
        last_ping=NOW - 2 * HOUR,
        timeout=HOUR,
        grace=90 * MINUTE,
        down_after=3,
    )
    check = rules.on_edit(check, NOW).check

    row = sentence(Shown(check, "grace"), None, NOW, readonly=False)

    assert text_of(row or "") == (
        "Bad outcome 1 of 3 in 30 min no ping since today 11:00"
    )


@pytest.mark.parametrize("max_run", [None, 20 * MINUTE])
def test_a_run_that_a_window_lets_last_is_what_is_late(
    max_run: timedelta | None,
) -> None:
    """The next ping is due hours later: it is not what is missing."""
    check = make_check(
        status="up", last_ping=NOW - HOUR, grace=30 * MINUTE, max_run=max_run
    )
    ping = make_ping(action="start", created=NOW - 50 * MINUTE)
    started = rules.on_ping(check, ping)[0].check
    window = Window("", start=NOW - HOUR, end=NOW + HOUR)
    check = holding.held(started, Calendar([window]))

    card = reason(Known(check), rules.shown_status(check, NOW), NOW)
    row = sentence(Shown(check, "grace"), None, NOW, readonly=False)

    assert card.text == "It runs too long: the run from"
    assert card.at == NOW - 50 * MINUTE
    assert text_of(row or "") == (
        "Runs too long the run from today 11:10 has not ended; goes down in 1 h 30 min"
    )
    opening = Opening(NOW - HOUR, NOW + HOUR, window)
    assert explain(Known(check, windows=[opening]), NOW).summary == (
        "It is shown as late: a run takes too long, in maintenance."
    )
    later = NOW + HOUR + MINUTE
    assert explain(Known(check), later).summary == (
        "It is shown as late: a run takes too long, and has a grace from the end of the"
        " maintenance."
    )


def test_no_check_is_said_to_be_late_since_a_moment_to_come() -> None:
    """It failed by a clock that was ahead, as its log says still."""
    check = make_check(
        status="up",
        last_ping=NOW + HOUR,
        counted_from=NOW,
        down_after=2,
        bad_outcomes=1,
    )

    assert schedule.shown_late_since(check, NOW) == NOW


def test_rules_and_open_runs_are_explained() -> None:
    check = make_check(
        kind="cron",
        schedule="0 13 * * *",
        status="up",
        last_ping=NOW - HOUR,
        max_run=2 * HOUR,
        min_run=MINUTE,
        down_after=3,
        early=5 * MINUTE,
    )
    for rid in (RID, None):
        ping = make_ping(action="start", rid=rid)
        check = rules.on_ping(check, ping)[0].check

    explanation = explain(Known(check), NOW)

    assert [line.text for line in explanation.timeline][1:] == [
        f"A run started ({RID}), and has not ended.",
        "A run started, and has not ended.",
        "A ping is due: every day at 13:00 (0 13 * * *, UTC).",
        "The run that is open stands for it, until that has to end.",
        f"That is bad outcome 1 of 3 then, unless the run ({RID}) ends: 2 hours at"
        " most.",
        "That is bad outcome 1 of 3 then, unless the run ends: 2 hours at most.",
    ]
    assert explanation.rules[1:] == (
        "A run has to end within 2 hours of its start.",
        "A success that ends its run sooner than 1 minute counts as a failure.",
        "It takes 3 bad outcomes in a row to call it down.",
        "A success up to 5 minutes before an occurrence counts for that.",
    )
