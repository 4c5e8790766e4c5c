from dataclasses import replace
from datetime import timedelta

import pytest

from hcl.alerts.messages.letter import write_letter
from hcl.model import Alert, Flip, Lateness
from hcl.words.lines import LONGEST_TITLE
from tests.alerts import (
    CODE,
    FAILED,
    NOW,
    PROJECT,
    RECOVERED,
    a_message,
    a_ping,
    an_alert,
)


def subject(*alerts: Alert) -> str:
    return write_letter(a_message(*alerts), NOW).subject


def story(alert: Alert) -> str:
    return " ".join(write_letter(a_message(alert), NOW).story)


def facts(alert: Alert) -> list[tuple[str, str]]:
    letter = write_letter(a_message(alert), NOW)
    return [(fact.label, fact.value) for fact in letter.facts]


def test_subject_names_status_and_check() -> None:
    assert subject(an_alert()) == "DOWN: Nightly backup"
    assert subject(an_alert(flip=RECOVERED)) == "UP: Nightly backup"


def test_subject_of_a_nameless_check_is_its_code() -> None:
    assert subject(an_alert(name="")) == f"DOWN: {CODE}"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("two\r\nlines", "DOWN: two lines"),
        ("a\x00b\x1b[31m\u202ec", "DOWN: ab[31mc"),
        ("  wide\u2028 \t gaps ", "DOWN: wide gaps"),
        ("lone \ud800 half", "DOWN: lone half"),
        ("Ünï $NAME “q”", "DOWN: Ünï $NAME “q”"),
    ],
)
def test_subject_is_one_line(name: str, line: str) -> None:
    assert subject(an_alert(name=name)) == line


def test_subject_of_a_very_long_name_is_cut() -> None:
    cut = subject(an_alert(name="x" * 10_000))

    assert len(cut) == len("DOWN: ") + LONGEST_TITLE
    assert cut.endswith("x…")


def test_subjects_of_other_purposes() -> None:
    ago = [NOW - timedelta(minutes=minutes) for minutes in (30, 20, 10)]
    down = Flip(ago[0], "up", "down", "fail")
    up = Flip(ago[1], "down", "up", "")
    name = "Nightly backup"

    assert subject(an_alert(reminder=1)) == f"STILL DOWN: {name}"
    assert subject(an_alert(flip=RECOVERED, earlier=(down,))) == (
        f"DOWN and UP again: {name}"
    )
    assert subject(an_alert(earlier=(up,))) == f"UP and DOWN again: {name}"
    assert subject(an_alert(earlier=(down, up))) == f"DOWN after 3 changes: {name}"


def test_subject_of_several_counts_them_and_names_whom_it_is_for() -> None:
    down, reminder = an_alert(name="d"), an_alert(name="r" * 99, reminder=1)
    ups = [an_alert(flip=RECOVERED, name=name) for name in ("u1", "u2")]
    cut = "r" * 39 + "…"

    assert subject(*ups, down) == "3 checks: 1 down, 2 up (d, u1 and u2)"
    assert subject(*ups, down, reminder) == (
        f"4 checks: 1 down, 1 still down, 2 up (d, {cut}, u1 and 1 more)"
    )
    assert subject(reminder, reminder) == f"2 checks: 2 still down ({cut} and {cut})"


def test_status_and_link_are_of_the_one_check_or_of_all() -> None:
    up, down = an_alert(flip=RECOVERED), an_alert()

    one = write_letter(a_message(up), NOW)
    several = write_letter(a_message(up, down, up), NOW)

    assert (one.status, one.link) == ("up", f"https://hcl.example.org/checks/{CODE}")
    checks = f"https://hcl.example.org/projects/{PROJECT}/"
    assert (several.status, several.link) == ("down", checks)
    assert write_letter(a_message(up, up), NOW).status == "up"


def test_missed_ping_tells_when_it_was_expected() -> None:
    heard = NOW - timedelta(days=1, minutes=65)

    assert story(an_alert(last_ping=heard)) == (
        "No ping came in time. One was expected at 2026-01-05 03:00:06 UTC,"
        " 1 hour 5 minutes ago, and the grace of 1 hour is over."
    )


def test_overrun_tells_when_the_run_started() -> None:
    started = NOW - timedelta(minutes=65)
    told = (
        "It ran too long. It started at 2026-01-05 03:00:06 UTC,"
        " 1 hour 5 minutes ago, and did not finish within 1 hour."
    )

    assert story(an_alert(last_start=started)) == told
    # The run may have ended since.
    assert story(an_alert(ping=a_ping(action="start", created=started))) == told


def test_start_after_the_flip_was_not_its_reason() -> None:
    alert = an_alert(last_start=NOW - timedelta(minutes=1))

    assert story(alert).startswith("No ping came in time")


@pytest.mark.parametrize(
    ("exitstatus", "reason"),
    [
        (3, "It failed with exit status 3."),
        (0, "It reported failure."),
        (None, "It reported failure."),
    ],
)
def test_failure_tells_the_exit_status(exitstatus: int | None, reason: str) -> None:
    ping = a_ping(action="fail", exitstatus=exitstatus)

    assert story(an_alert(flip=FAILED, ping=ping)) == reason


def test_failure_whose_ping_is_gone_is_still_told() -> None:
    assert story(an_alert(flip=FAILED)) == "It reported failure."


def test_reminder_does_not_take_a_later_ping_for_the_reason() -> None:
    ping = a_ping(created=NOW, action="fail", exitstatus=7)
    alert = an_alert(flip=FAILED, ping=ping, reminder=1)

    assert story(alert).endswith("It reported failure.")
    assert "exit status 7" in dict(facts(alert))["Last ping"]


def test_recovery_tells_how_long_the_outage_lasted() -> None:
    since = RECOVERED.created - timedelta(hours=2)

    assert story(an_alert(flip=RECOVERED)) == (
        "It pinged again at 2026-01-05 04:00:06 UTC."
    )
    assert story(an_alert(flip=RECOVERED, down_since=since)) == (
        "It pinged again at 2026-01-05 04:00:06 UTC."
        " It had been down for 2 hours, since 2026-01-05 02:00:06 UTC."
    )


def test_no_length_is_told_of_an_outage_that_ends_before_it_began() -> None:
    """The clock was set back meanwhile."""
    since = RECOVERED.created + timedelta(hours=2)
    outage = Flip(since, "up", "down", "fail"), RECOVERED
    reminded = an_alert(flip=outage[0], reminder=1)

    assert story(an_alert(flip=RECOVERED, down_since=since)) == (
        "It pinged again at 2026-01-05 04:00:06 UTC."
        " It had been down since 2026-01-05 06:00:06 UTC."
    )
    both = a_message(an_alert(flip=RECOVERED, earlier=outage[:1]))
    assert write_letter(both, NOW).changes[-1] == "up again at 2026-01-05 04:00:06 UTC"
    letter = write_letter(a_message(reminded), RECOVERED.created)
    assert letter.story[0] == "It has been down since 2026-01-05 06:00:06 UTC."


def test_pause_between_is_told() -> None:
    earlier = (
        Flip(NOW - timedelta(minutes=40), "up", "down", "fail"),
        Flip(NOW - timedelta(minutes=30), "down", "paused", ""),
        Flip(NOW - timedelta(minutes=20), "paused", "new", ""),
    )

    letter = write_letter(a_message(an_alert(earlier=earlier)), NOW)

    assert [change.partition(" at ")[0] for change in letter.changes] == [
        "down",
        "paused",
        "resumed",
        "down",
    ]


def test_facts_tell_all_that_is_known() -> None:
    ping = a_ping(action="fail", exitstatus=3)
    alert = an_alert(
        flip=FAILED,
        ping=ping,
        desc="Ask Kim.\r\nOr read on.\n",
        last_duration=timedelta(seconds=90),
    )

    assert facts(alert) == [
        ("Status", "down since 2026-01-05 04:00:06 UTC, 5 minutes ago"),
        ("Project", "Home"),
        ("Tags", "prod, db"),
        ("Description", "Ask Kim.\nOr read on."),
        ("Schedule", "every day"),
        ("Grace", "1 hour"),
        (
            "Last ping",
            "failure (exit status 3) at 2026-01-04 03:05:06 UTC, 1 day 1 hour ago",
        ),
        ("Sent by", "192.0.2.1 (curl/8.5.0)"),
        ("Last run", "took 1 minute 30 seconds"),
        ("Total pings", "1,234"),
    ]


def test_facts_leave_out_what_is_empty() -> None:
    labels = [label for label, _ in facts(an_alert(tags="", n_pings=0))]

    assert labels == [
        "Status",
        "Project",
        "Schedule",
        "Grace",
        "Last ping",
        "Total pings",
    ]


@pytest.mark.parametrize(
    ("kind", "expression", "told"),
    [
        ("cron", "0 3 * * *", "every day at 03:00 (0 3 * * *, Europe/Riga)"),
        ("cron", "*/7 * * * *", "*/7 * * * * (Europe/Riga)"),
        ("oncalendar", "Mon 3:00\n\nTue 4:00\n", "Mon 3:00; Tue 4:00 (Europe/Riga)"),
    ],
)
def test_schedule_is_told_in_words_where_there_are_some(
    kind: str, expression: str, told: str
) -> None:
    alert = an_alert(kind=kind, schedule=expression, tz="Europe/Riga")

    assert dict(facts(alert))["Schedule"] == told


@pytest.mark.parametrize(
    ("names", "count", "told"),
    [
        (("a",), 1, "a"),
        (("a", "b"), 2, "a and b"),
        (("a", "b\nc"), 40, "a, b c and 38 more"),
        ((), 2, "2 checks"),
    ],
)
def test_others_that_are_down_are_told(
    names: tuple[str, ...], count: int, told: str
) -> None:
    message = a_message(also_down=names, also_down_count=count)

    [*_, fact] = write_letter(message, NOW).facts

    assert (fact.label, fact.value) == ("Also down", told)


def test_facts_but_the_description_have_one_line() -> None:
    hostile = "a\nb\r\n\x0bc"
    ping = a_ping(ua=hostile, remote_addr=hostile)
    alert = an_alert(
        ping=ping, slug=hostile, tags=hostile, tz=hostile, kind="cron", schedule=hostile
    )

    assert not [value for _, value in facts(alert) if "\n" in value]


def test_a_slow_run_is_told_in_words() -> None:
    slow = replace(
        an_alert(flip=Flip(NOW, "up", "up", "")),
        lateness=Lateness(NOW - timedelta(hours=3), NOW, timedelta(minutes=20)),
    )

    letter = write_letter(a_message(slow), NOW)

    assert (letter.status, letter.label) == ("slow", "SLOW")
    assert letter.headline == (
        "Nightly backup was slow: its run took 3 hours, usually 20 minutes."
    )
    assert story(slow).startswith("Its run took 3 hours, from ")
    assert story(slow).endswith(". By habit it takes 20 minutes.")
    both = replace(an_alert(flip=RECOVERED), check=slow.check._replace(name="b"))
    assert subject(both, an_alert(), slow) == (
        "3 checks: 1 down, 1 slow, 1 up (Nightly backup, Nightly backup and b)"
    )


def test_who_was_late_in_maintenance_is_told_when_a_ping_was_due() -> None:
    # Due three hours ago, while a window was open; it has its grace since an hour ago.
    ends = NOW + timedelta(minutes=20)
    check = an_alert(
        alert_after=ends, spared=timedelta(hours=2), grace=timedelta(hours=1.5)
    ).check
    began = ends - check.grace
    late = replace(
        an_alert(),
        check=check._replace(status="up", last_start=None),
        lateness=Lateness(began),
        flip=Flip(began, "up", "up", ""),
    )

    text = story(late)

    assert "since maintenance was over at" in text
    assert "; one was due at 2026-01-05 00:55:06" in text


def test_being_late_is_told_in_words() -> None:
    began = NOW - timedelta(minutes=20)
    late = replace(
        an_alert(alert_after=NOW + timedelta(minutes=40)),
        lateness=Lateness(began),
        flip=Flip(began, "up", "up", ""),
    )
    over = replace(late, lateness=Lateness(began, NOW), flip=Flip(NOW, "up", "up", ""))

    letter = write_letter(a_message(late), NOW)

    assert (letter.status, letter.label) == ("late", "LATE")
    assert letter.headline.startswith("Nightly backup is late: no ping since ")
    assert letter.headline.endswith(", goes down in 40 minutes.")
    assert " ago. It goes down at " in story(late)
    patient = replace(late, check=late.check._replace(down_after=3))
    letter = write_letter(a_message(patient), NOW)
    assert letter.headline.endswith(", bad outcome 1 of 3 in 40 minutes.")
    assert ", in 40 minutes, that is bad outcome 1 of 3, unless a ping" in story(
        patient
    )
    assert story(over).endswith("It was late by 20 minutes.")
    both = replace(over, check=over.check._replace(name="b"))
    assert subject(both, an_alert(), late) == (
        "3 checks: 1 down, 1 late, 1 up (Nightly backup, Nightly backup and b)"
    )
