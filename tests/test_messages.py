from datetime import UTC, datetime, timedelta

import pytest

from hcl import messages
from tests.alerts import CODE, FAILED, NOW, RECOVERED, a_ping, an_alert


def test_subject_names_status_and_check() -> None:
    assert messages.subject(an_alert()) == "DOWN: Nightly backup"
    assert messages.subject(an_alert(flip=RECOVERED)) == "UP: Nightly backup"


def test_subject_of_a_nameless_check_is_its_code() -> None:
    assert messages.subject(an_alert(name="")) == f"DOWN: {CODE}"


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("two\r\nlines", "DOWN: two lines"),
        ("a\x00b\x1b[31m\u202ec", "DOWN: ab[31mc"),
        ("  wide\u2028 \t gaps ", "DOWN: wide gaps"),
        ("lone \ud800 half", "DOWN: lone half"),
        ("Ünï $NAME “q”", "DOWN: Ünï $NAME “q”"),
    ],
)
def test_subject_is_one_line(name: str, subject: str) -> None:
    assert messages.subject(an_alert(name=name)) == subject


def test_subject_of_a_very_long_name_is_cut() -> None:
    subject = messages.subject(an_alert(name="x" * 10_000))

    assert len(subject) == len("DOWN: ") + messages.LONGEST_TITLE
    assert subject.endswith("x…")


def test_late_simple_check_tells_period_and_grace() -> None:
    assert messages.reason(an_alert()) == (
        "No ping came in time: it was expected every 1 day, with 1 hour of grace."
    )


def test_late_cron_check_tells_schedule_and_zone() -> None:
    alert = an_alert(kind="cron", schedule="0 3 * * *", tz="Europe/Riga")

    assert messages.reason(alert) == (
        "No ping came in time: it was expected on schedule 0 3 * * * (Europe/Riga),"
        " with 1 hour of grace."
    )


def test_late_oncalendar_check_tells_all_its_lines() -> None:
    alert = an_alert(kind="oncalendar", schedule="Mon 3:00\n\nTue 4:00\n", tz="UTC")

    assert "on schedule Mon 3:00; Tue 4:00 (UTC)" in messages.reason(alert)


def test_overrun_tells_when_the_run_started() -> None:
    started = NOW - timedelta(minutes=65)

    assert messages.reason(an_alert(last_start=started)) == (
        "It started at 2026-01-05 03:00:06 UTC and did not finish within 1 hour."
    )


def test_start_after_the_flip_was_not_its_reason() -> None:
    alert = an_alert(last_start=NOW - timedelta(minutes=1))

    assert messages.reason(alert).startswith("No ping came in time")


@pytest.mark.parametrize(
    ("exitstatus", "reason"),
    [
        (3, "It ended with exit status 3."),
        (0, "It signalled failure."),
        (None, "It signalled failure."),
    ],
)
def test_failure_tells_the_exit_status(exitstatus: int | None, reason: str) -> None:
    ping = a_ping(action="fail", exitstatus=exitstatus)

    assert messages.reason(an_alert(flip=FAILED, ping=ping)) == reason


def test_failure_whose_ping_is_gone_is_still_told() -> None:
    assert messages.reason(an_alert(flip=FAILED)) == "It signalled failure."


def test_recovery_is_told() -> None:
    assert messages.reason(an_alert(flip=RECOVERED)) == "It pinged again."


def test_facts_tell_all_that_is_known() -> None:
    ping = a_ping(action="fail", exitstatus=3)
    alert = an_alert(flip=FAILED, ping=ping, desc="Ask Kim.\r\nOr read on.\n")

    assert messages.facts(alert, NOW) == [
        ("Status", "down since 2026-01-05 04:00:06 UTC, 5 minutes ago"),
        ("Project", "Home"),
        ("Tags", "prod, db"),
        ("Slug", "nightly-backup"),
        ("Description", "Ask Kim.\nOr read on."),
        ("Schedule", "every 1 day, with 1 hour of grace"),
        (
            "Last ping",
            "failure (exit status 3) at 2026-01-04 03:05:06 UTC, 1 day 1 hour ago",
        ),
        ("Sent by", "192.0.2.1 (curl/8.5.0)"),
        ("Total pings", "1,234"),
    ]


def test_facts_leave_out_what_is_empty() -> None:
    alert = an_alert(slug="", tags="", n_pings=0)

    assert [label for label, _ in messages.facts(alert, NOW)] == [
        "Status",
        "Project",
        "Schedule",
        "Last ping",
        "Total pings",
    ]


def test_facts_but_the_description_have_one_line() -> None:
    hostile = "a\nb\r\n\x0bc"
    ping = a_ping(ua=hostile, remote_addr=hostile)
    alert = an_alert(
        ping=ping, slug=hostile, tags=hostile, tz=hostile, kind="cron", schedule=hostile
    )

    assert not [value for _, value in messages.facts(alert, NOW) if "\n" in value]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (-5, "0 seconds"),
        (1, "1 second"),
        (60, "1 minute"),
        (5400, "1 hour 30 minutes"),
        (86400, "1 day"),
        (90061, "1 day 1 hour 1 minute 1 second"),
        (31536000, "365 days"),
        (86405, "1 day 5 seconds"),
    ],
)
def test_duration_in_words(seconds: int, words: str) -> None:
    assert messages.duration(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-60, "just now"),
        (0.4, "just now"),
        (59.9, "59 seconds ago"),
        (3601, "1 hour ago"),
        (90061, "1 day 1 hour ago"),
    ],
)
def test_age_is_rough(seconds: float, words: str) -> None:
    assert messages.ago(NOW - timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("hour", "tz", "text"),
    [
        (3, "UTC", "2026-01-05 03:00:00 UTC"),
        (3, "Europe/London", "2026-01-05 03:00:00 UTC"),
        (3, "Europe/Riga", "2026-01-05 03:00:00 UTC (05:00:00 Europe/Riga)"),
        (
            23,
            "Europe/Riga",
            "2026-01-05 23:00:00 UTC (2026-01-06 01:00:00 Europe/Riga)",
        ),
        (3, "America", "2026-01-05 03:00:00 UTC"),
        (3, "No/Where", "2026-01-05 03:00:00 UTC"),
        (3, "../etc", "2026-01-05 03:00:00 UTC"),
        (3, "", "2026-01-05 03:00:00 UTC"),
    ],
)
def test_moment_is_told_in_utc_and_local_time(hour: int, tz: str, text: str) -> None:
    assert messages.moment(datetime(2026, 1, 5, hour, tzinfo=UTC), tz) == text


def test_excerpt_is_the_text_without_control_characters() -> None:
    ping = a_ping(body=b"one\r\n\ttwo\x00\x1b[0m \xff \xe2\x82\xac\n")

    assert messages.body_excerpt(ping) == "one\n\ttwo[0m \ufffd €\n"


def test_excerpt_is_the_end_of_a_long_body() -> None:
    ping = a_ping(body=b"early " + b"x" * 10_000 + b" late")

    excerpt = messages.body_excerpt(ping)

    assert len(excerpt) == messages.EXCERPT
    assert excerpt.endswith("x late")
    assert "early" not in excerpt


@pytest.mark.parametrize("lead", ["", "a", "ab"])
def test_excerpt_does_not_begin_within_a_character(lead: str) -> None:
    ping = a_ping(body=("€" * 5000 + lead).encode())

    assert messages.body_excerpt(ping).strip("€") == lead


def test_excerpt_of_no_ping_is_empty() -> None:
    assert messages.body_excerpt(None) == ""
