"""What pings, pauses, edits and the passing of time do to a check."""

from datetime import datetime, timedelta

import pytest

from hcl.checks import rules
from hcl.checks.deadlines import Transition
from hcl.checks.rules import NotPausedError
from hcl.model import Action, Check, Flip, Status
from tests.build import DAY, HOUR, NOW, make_check, make_ping
from tests.checks.stored import (
    ALERT_AFTER,
    BEFORE,
    MINUTE,
    RID,
    RUN,
    RUN_AFTER,
    RUN_CASES,
    SIGNALS,
    STATUS_AFTER,
    STATUSES,
    stored,
)


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
