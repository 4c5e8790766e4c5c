"""Why a check has the status it has: tables, no database."""

from datetime import timedelta
from typing import Any, get_args

import pytest

from hcl.checks import rules, schedule
from hcl.checks.why.explain import Known, explain, lines
from hcl.checks.why.settings import zone_of
from hcl.checks.windows import holding
from hcl.checks.windows.calendar import Calendar, Opening
from hcl.config.settings import Window
from hcl.model import Check, Flip, Run
from hcl.store.life import Absence, Away
from hcl.web.pages.check.due import due
from tests.build import DAY, HOUR, NOW, make_check, make_ping
from tests.web.pages.check.test_told import record

MINUTE = timedelta(minutes=1)
# The API's defaults: a day, and an hour of grace.
UP: dict[str, Any] = {"status": "up", "last_ping": NOW, "n_pings": 1}
PERIOD = "every day"


def check(**values: Any) -> Check:
    """Make a check with the deadline that it would have."""
    made = make_check(**values)
    heard = made.counted_from or made.last_ping
    if made.status == "up" and made.alert_after is None and heard:
        return made._replace(alert_after=heard + made.timeout + made.grace)
    return made


def said(known: Known, now: Any = NOW) -> list[tuple[Any, str]]:
    """Return the timeline, moments as minutes from NOW."""
    return [
        (None if at is None else (at - NOW) / MINUTE, text)
        for at, text in explain(known, now).timeline
    ]


def flip(new: Any, old: Any = "up", at: Any = NOW, reason: Any = "") -> Flip:
    return Flip(at, old, new, reason)


@pytest.mark.parametrize(
    ("known", "after", "summary"),
    [
        (Known(check()), 0, "It is new: no success or failure has come that counts."),
        (Known(check(**UP)), 0, "It is up: the last outcome was a success"),
        (Known(check(**UP)), 24 * 60, "It is late: the ping is overdue"),
        (Known(check(**UP)), 25 * 60, "It is down: its deadline has passed."),
        (Known(check(status="paused")), 0, "It is paused: nothing is expected"),
        (
            # One that started since, which takes it down if it hangs.
            Known(check(status="paused", last_start=NOW, alert_after=NOW + HOUR)),
            0,
            "It is paused: no ping is expected, but the open run has to end.",
        ),
        (
            Known(check(status="down"), flip("down", reason="fail")),
            0,
            "It is down: the job reported a failure.",
        ),
        (
            Known(check(status="down"), flip("down", reason="timeout")),
            0,
            "It is down: no ping came in time.",
        ),
        (
            Known(
                check(status="down", last_start=NOW - HOUR),
                flip("down", reason="timeout"),
            ),
            0,
            "It is down: a run took too long.",
        ),
        (Known(check(status="down")), 0, "It is down: its deadline has passed."),
    ],
)
def test_summary_says_why(known: Known, after: float, summary: str) -> None:
    assert explain(known, NOW + after * MINUTE).summary.startswith(summary)


def test_check_that_is_up_tells_what_is_due_and_when_it_goes_down() -> None:
    assert said(Known(check(**UP))) == [
        (0, "The last success came."),
        (24 * 60, "A ping is due: every day."),
        (25 * 60, "The grace of 1 hour ends: it goes down then, unless a ping comes."),
    ]


def test_check_that_is_late_tells_what_has_not_come() -> None:
    told = said(Known(check(**UP)), NOW + 24.5 * HOUR)

    assert told[1] == (24 * 60, "A ping was due, and has not come: every day.")
    assert "goes down then" in told[2][1]


def test_deadline_that_nobody_has_written_down_yet_is_told() -> None:
    told = said(Known(check(**UP)), NOW + 26 * HOUR)

    assert told[-1] == (25 * 60, "The grace of 1 hour was over: it is down.")


def test_missed_ping_is_told_from_the_last_ping_to_who_was_told() -> None:
    known = Known(
        check(status="down", last_ping=NOW - DAY - HOUR, n_pings=480),
        flip("down", reason="timeout"),
        flip_n=480,
        ping=make_ping(n=480, created=NOW - DAY - HOUR),
        last=make_ping(n=480, created=NOW - DAY - HOUR),
        records=[record(3, next_try=NOW + HOUR), record(1, sent=NOW + MINUTE)],
    )

    assert said(known) == [
        (-25 * 60, "The last ping came: ping 480, success."),
        (-60, "A ping was due, and none came: every day."),
        (0, "The grace of 1 hour was over: it went down."),
        (1, "Told Mail in 0.80 s."),
        (2, "Mail failed 3 times: refused."),
        (60, "Mail is tried again."),
        (None, "It comes up with the next success."),
    ]


def test_planned_reminder_is_told_once() -> None:
    soon = NOW + 5 * MINUTE
    planned = record(created=soon, reminder=1, hold="remind", next_try=soon)
    known = Known(
        check(status="down"),
        flip("down", reason="fail"),
        records=[planned, record(1, sent=NOW + MINUTE)],
    )

    assert said(known, NOW + 2 * MINUTE)[1:] == [
        (1, "Told Mail in 0.80 s."),
        (5, "Mail waits: a reminder, if it is still down then."),
        (None, "It comes up with the next success."),
    ]


@pytest.mark.parametrize(
    ("minute", "told"),
    [
        (-60, [(-60, "last"), (-60, "due"), (0, "over")]),
        (-10, [(-60, "due"), (-10, "last"), (0, "over")]),
        (0, [(-60, "due"), (0, "last"), (0, "over")]),
        # It came when the moment had passed, and nobody had looked yet.
        (1, [(-60, "due"), (0, "over")]),
    ],
)
def test_last_ping_before_a_missed_one_stands_where_it_came(
    minute: int, told: list[tuple[int, str]]
) -> None:
    ping = make_ping(n=7, action="log", created=NOW + minute * MINUTE)
    known = Known(check(status="down"), flip("down", reason="timeout"), ping=ping)
    words = {
        "last": "The last ping came: ping 7, log.",
        "due": "A ping was due, and none came: every day.",
        "over": "The grace of 1 hour was over: it went down.",
    }

    lines = [line for line in said(known, NOW + HOUR) if line[0] is not None]

    assert lines == [(at, words[word]) for at, word in told]


@pytest.mark.parametrize(
    ("ping", "text"),
    [
        (
            make_ping(n=7, action="fail", exitstatus=11),
            "It went down: the job failed with exit status 11 (ping 7).",
        ),
        (
            make_ping(n=7, action="fail"),
            "It went down: the job reported a failure (ping 7).",
        ),
        (None, "It went down: the job reported a failure."),
    ],
)
def test_failure_is_told_with_its_exit_status(ping: Any, text: str) -> None:
    known = Known(check(status="down"), flip("down", reason="fail"), ping=ping)

    assert said(known)[0] == (0, text)


def test_pings_since_it_went_down_are_counted() -> None:
    known = Known(
        check(status="down", n_pings=9),
        flip("down", reason="fail"),
        flip_n=7,
        last=make_ping(n=9, action="fail", created=NOW + MINUTE),
    )

    assert said(known, NOW + MINUTE)[1] == (
        1,
        "2 pings came since, none a success that counts; the last was ping 9, failure.",
    )


def test_run_that_took_too_long_is_told_by_its_start() -> None:
    known = Known(
        check(status="down", last_start=NOW - HOUR),
        flip("down", reason="timeout"),
    )

    assert said(known)[:2] == [
        (-60, "A run started."),
        (0, "It had not ended within 1 hour: it went down."),
    ]


def test_open_run_tells_when_it_has_to_end() -> None:
    running = check(**UP, last_start=NOW, last_start_rid="r")

    told = said(Known(running))

    assert told[1:3] == [
        (0, "A run started (r), and has not ended."),
        (60, "It goes down then, unless the run ends: 1 hour at most."),
    ]
    excused = running._replace(run_excused=True)
    assert (None, "hcl was away since: the run may have ended unheard.") in said(
        Known(excused)
    )
    overdue = said(Known(running), NOW + 2 * HOUR)
    assert (60, "It had not ended within 1 hour.") in overdue


def test_absence_and_what_it_excused_are_told() -> None:
    away = check(**UP, counted_from=NOW + HOUR, excused=1)
    known = Known(away, absences=[Absence(NOW + MINUTE, NOW + HOUR, "stopped")])

    told = said(known, NOW + 2 * HOUR)

    assert told[1:4] == [
        (
            1,
            "hcl was away for 59 minutes (it did not run), and could not hear the job.",
        ),
        (
            60,
            "Not heard since: it counts from here, as if a success had come"
            " (excuse 1 of 3 in a row).",
        ),
        (25 * 60, "A ping is due: every day."),
    ]


def test_check_that_has_a_last_chance_is_not_down_before() -> None:
    late = check(**UP, not_before=NOW + 30 * HOUR, excused=3)

    told = said(Known(late), NOW + 24.5 * HOUR)

    assert told[-1] == (30 * 60, "It is not called down before: hcl was away.")


@pytest.mark.parametrize("finer", [{}, {"max_run": HOUR}], ids=str)
def test_a_run_that_was_told_late_may_have_ended(finer: dict[str, Any]) -> None:
    """Its start was told five hours later; its end may follow in a minute."""
    begun, last = NOW + HOUR, NOW + 6 * HOUR + MINUTE
    late = check(**UP, **finer, last_start=begun, not_before=last, alert_after=last)
    if finer:
        late = late._replace(open_runs=(Run(begun, None),))

    told = said(Known(late), NOW + 6 * HOUR)

    assert told[:3] == [
        (0, "The last success came."),
        (60, "A run started, and has not ended."),
        (
            120,
            "It had not ended within 1 hour, but its end may follow within a minute.",
        ),
    ]
    if not finer:
        summary = explain(Known(late), NOW + 6 * HOUR).summary
        assert summary == (
            "It is shown as late: a run took too long, but its end may follow."
        )


def test_clock_that_was_set_is_told() -> None:
    moved = check(**UP, counted_from=NOW + HOUR)

    assert (60, "The clock was set: it counts from here.") in said(Known(moved))


def test_what_a_clock_that_was_set_has_moved_is_due_when_the_api_says() -> None:
    """It was set back by 5 s, and the occurrence of then would come once more."""
    heard, step = NOW + MINUTE / 30, timedelta(seconds=-5)
    moved = check(
        **UP | {"last_ping": heard},
        kind="cron",
        schedule="0 12 * * *",
        counted_from=heard + step,
        alert_after=NOW + DAY + HOUR + step,
    )

    told = said(Known(moved), NOW + 2 * HOUR)

    assert schedule.next_ping(moved) == NOW + DAY + step
    assert told[-2:] == [
        (DAY / MINUTE - 5 / 60, "A ping is due: every day at 12:00 (0 12 * * *, UTC)."),
        (
            25 * 60 - 5 / 60,
            "The grace of 1 hour ends: it goes down then, unless a ping comes.",
        ),
    ]
    assert due(moved, NOW).expected == NOW + DAY + step


@pytest.mark.parametrize("reason", get_args(Away))
def test_why_hcl_was_away_is_told_in_words(reason: Away) -> None:
    away = check(**UP, counted_from=NOW + HOUR, excused=1)
    known = Known(away, absences=[Absence(NOW + MINUTE, NOW + HOUR, reason)])

    [(_, text)] = [line for line in said(known, NOW + 2 * HOUR) if line[0] == 1]

    assert f"({reason})" not in text
    assert len(text.partition("(")[2].partition(")")[0].split()) > 2


def test_what_an_early_success_counted_for_is_not_expected_any_more() -> None:
    values = UP | {"kind": "cron", "schedule": "5 * * * *", "early": 10 * MINUTE}

    up = rules.on_edit(make_check(**values), NOW).check
    found = due(up, NOW + MINUTE)

    assert found.expected == NOW + 65 * MINUTE
    assert found.times[0] == found.expected
    assert len(found.times) == 4


@pytest.mark.parametrize(
    ("new", "old", "text"),
    [
        ("up", "down", "It came up: a success came."),
        ("new", "paused", "It was resumed, and waits for its first ping."),
        ("paused", "up", "It was paused."),
    ],
)
def test_last_change_of_status_is_told(new: Any, old: Any, text: str) -> None:
    known = Known(check(status=new), flip(new, old))

    assert said(known)[0] == (0, text)


def test_what_is_to_come_stands_in_its_order() -> None:
    run = Run(NOW - HOUR, None)
    values = UP | {"max_run": 3 * HOUR, "timeout": HOUR, "grace": HOUR / 2}
    known = Known(check(**values, open_runs=(run,), last_start=run.started))

    assert [minutes for minutes, _ in said(known)] == [0, -60, 60, 90, 120]


def test_run_that_counted_is_not_too_long_in_the_future() -> None:
    # It was given more time since.
    run = Run(NOW - HOUR, None, is_told=True)
    values = UP | {"max_run": 3 * HOUR, "down_after": 3, "bad_outcomes": 1}
    known = Known(check(**values, open_runs=(run,), last_start=run.started))

    assert (None, "It had not ended in time: that counted.") in said(known)


@pytest.mark.parametrize(
    ("down_after", "text"), [(1, "it is down"), (3, "that is bad outcome 1 of 3")]
)
def test_grace_that_is_over_is_told_by_what_that_means(
    down_after: int, text: str
) -> None:
    # Nobody has looked yet: the server does not run, say.
    late = check(**UP | {"last_ping": NOW - DAY - 2 * HOUR}, down_after=down_after)

    assert (-60, f"The grace of 1 hour was over: {text}.") in said(Known(late))


def test_schedule_that_fails_or_ends_is_told() -> None:
    broken = check(**UP, kind="cron", schedule="x", alert_after=NOW + HOUR)
    over = check(**UP, kind="oncalendar", schedule="2020-01-01", alert_after=None)

    assert "cannot be worked out" in said(Known(broken))[1][1]
    never = "Its schedule never fires again, so nothing is due."
    assert (None, never) in said(Known(over))


def test_unknown_past_is_said_to_be_unknown() -> None:
    assert said(Known(check(status="down")))[0] == (
        None,
        "When it went down is not known any more.",
    )


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({}, "A ping is expected every day, with a grace of 1 hour."),
        (
            {"kind": "cron", "schedule": "5 3 * * *", "tz": "Europe/Riga"},
            "A ping is expected every day at 03:05 (5 3 * * *, Europe/Riga),"
            " with a grace of 1 hour.",
        ),
        ({"methods": "POST"}, "Only pings by POST count."),
        (
            {"filter_http_body": True},
            "Keywords decide what a ping is; without any it is ignored.",
        ),
        (
            {"filter_subject": True, "filter_default_fail": True},
            "Keywords decide what a ping is; without any it is a failure.",
        ),
        ({"status": "paused"}, "While paused a success or failure resumes it."),
        (
            {"status": "paused", "manual_resume": True},
            "While paused only somebody resumes it.",
        ),
        ({"last_start": NOW}, "A run has to end within 1 hour of its start."),
        (
            {"min_run": 2 * HOUR},
            "No run can be right: what is not too short is too long.",
        ),
        (
            {"muted_until": NOW + HOUR},
            "It is muted: it is watched, and nobody is told.",
        ),
    ],
)
def test_rules_that_counted_are_named(values: dict[str, Any], rule: str) -> None:
    assert rule in explain(Known(check(**values)), NOW).rules


def test_mute_and_lack_of_channels_are_told() -> None:
    muted = Known(check(muted_until=NOW + HOUR), is_alone=True)

    assert (60, "The mute ends: nobody is told before.") in said(muted)
    assert (
        "Nobody is told when it goes down: it has no channel for that."
        in explain(muted, NOW).rules
    )
    assert said(muted, NOW + HOUR) == []


def test_lines_bear_moments_of_the_zone_in_order() -> None:
    explanation = explain(Known(check(**UP)), NOW)

    assert list(lines(explanation, "Europe/Riga")) == [
        explanation.summary,
        "Mon 2026-06-15 15:00:00  The last success came.",
        "Tue 2026-06-16 15:00:00  A ping is due: every day.",
        "Tue 2026-06-16 16:00:00  The grace of 1 hour ends: it goes down then, unless a"
        " ping comes.",
        "A ping is expected every day, with a grace of 1 hour.",
        "Times are those of Europe/Riga.",
    ]
    assert list(lines(explanation, "Nowhere"))[-1] == "Times are those of UTC."


@pytest.mark.parametrize(
    ("settings", "zone"),
    [
        ({}, "Europe/Riga"),
        ({"tz": "Asia/Tokyo"}, "Asia/Tokyo"),
        ({"kind": "cron", "schedule": "0 3 * * *"}, "UTC"),
        ({"kind": "cron", "schedule": "0 3 * * *", "tz": "Asia/Tokyo"}, "Asia/Tokyo"),
    ],
)
def test_moments_are_those_of_the_schedule_or_of_messages(
    settings: dict[str, Any], zone: str
) -> None:
    assert zone_of(check(**settings), "Europe/Riga") == zone


def test_a_window_and_what_it_moves_are_told() -> None:
    window = Window("new disk", start=NOW - HOUR, end=NOW + HOUR)
    opening = Opening(NOW - HOUR, NOW + HOUR, window)
    late = check(
        status="up",
        last_ping=NOW - DAY,
        n_pings=1,
        counted_from=NOW - DAY - HOUR / 2,
        alert_after=NOW + 2 * HOUR,
        spared=90 * MINUTE,
    )
    failed = make_ping(n=1, created=NOW - DAY, action="fail")

    told = said(Known(late, outcome=failed, windows=[opening]), NOW + MINUTE)

    assert told == [
        (-24.5 * 60, "What was due is due still: it counts from here."),
        (-24 * 60, "A failure came, in maintenance."),
        (-30, f"A ping was due, and has not come: {PERIOD}."),
        (60, "The maintenance window closes: new disk."),
        (
            120,
            "The grace of 1 hour ends: it goes down then, unless a ping comes; it began"
            " anew at the end of a maintenance window.",
        ),
    ]


@pytest.mark.parametrize("max_run", [None, 20 * MINUTE])
def test_a_run_in_a_window_may_last_and_what_is_due_later_is_as_ever(
    max_run: timedelta | None,
) -> None:
    window = Window("", start=NOW, end=NOW + HOUR)
    busy = make_check(status="up", last_ping=NOW, n_pings=1, max_run=max_run)
    started = rules.on_ping(busy, make_ping(action="start"))[0].check
    held = holding.held(started, Calendar([window]))

    told = said(Known(held, windows=[Opening(NOW, NOW + HOUR, window)]))

    assert (
        None,
        "The run may last until a grace after the maintenance window.",
    ) in told
    assert not [text for _, text in told if "unless the run ends" in text]
    assert not [text for _, text in told if "began anew" in text]


def test_what_a_group_did_stands_apart_from_its_name() -> None:
    down = check(status="down")
    handed = record(
        channel="Ops", kind="group", sent=NOW, answer="handed to 2 of its 2"
    )

    told = said(Known(down, flip("down", reason="fail"), records=[handed]))

    assert (0, "Told Ops: handed to 2 of its 2.") in told
