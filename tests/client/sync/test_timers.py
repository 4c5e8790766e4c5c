"""Timers of systemd as distributions and people have them."""

from datetime import UTC, datetime

import pytest
from oncalendar import OnCalendar

from hcl.client.sync import timers
from hcl.client.sync.jobs import Job
from hcl.client.sync.schedules import DAY, HOUR, MINUTE

# What stands in the file, as systemctl shows it; the schedule, and about how often.
CALENDARS = [
    # logrotate, man-db, dpkg-db-backup, fwupd-refresh, exim4-base
    (["*-*-* 00:00:00"], DAY),
    (["daily"], DAY),
    (["weekly"], 7 * DAY),
    (["monthly"], 30 * DAY),
    (["hourly"], HOUR),
    (["minutely"], MINUTE),
    (["annually"], 365 * DAY),
    (["quarterly"], 91 * DAY),
    # apt-daily, apt-daily-upgrade, motd-news
    (["*-*-* 06,18:00:00"], DAY),
    (["*-*-* 06:00:00"], DAY),
    (["*-*-* 00,12:00:00"], DAY),
    # fstrim, e2scrub_all, mdcheck, btrfs-scrub, zfs-scrub, raid-check
    (["Mon *-*-* 00:00:00"], DAY),
    (["Sun *-*-* 03:10:00"], DAY),
    (["Sun *-*-1..7 1:00:00"], DAY),
    (["*-*-01 03:10:00"], DAY),
    (["Sun *-*-8..14 00:24:00"], DAY),
    # certbot, snapd.snap-repair, acme.sh, borgmatic, restic, rclone
    (["*-*-* 00/12:00:00"], DAY),
    (["*-*-* *:35:00"], HOUR),
    (["*-*-* 02:30:00 Europe/Riga"], DAY),
    (["*:0/15"], HOUR // 2),
    (["*-*-* *:00/10:00"], HOUR // 2),
    (["*:*"], HOUR // 2),
    (["Mon..Fri *-*-* 09:00:00"], DAY),
    (["Sat,Sun 08:00"], DAY),
    (["Mon *-*-* 08:00:00", "Thu *-*-* 20:00:00"], DAY),
    (["2026-*-* 05:00:00"], DAY),
]


def calendar(*expressions: str) -> dict[str, list[str]]:
    return {
        "TimersCalendar": [
            f"{{ OnCalendar={words} ; next_elapse=Sun 2026-11-29 00:00:00 EET }}"
            for words in expressions
        ]
    }


def monotonic(**values: str) -> dict[str, list[str]]:
    return {
        "TimersMonotonic": [
            f"{{ {name}={value} ; next_elapse=1d }}" for name, value in values.items()
        ]
    }


def read(properties: dict[str, list[str]]) -> Job:
    return timers.scheduled(Job("x.timer", "/bin/x", tz="Europe/Riga"), properties)


@pytest.mark.parametrize(("expressions", "often"), CALENDARS, ids=str)
def test_calendars_are_taken_as_they_stand(expressions: list[str], often: int) -> None:
    job = read(calendar(*expressions))

    assert job.skipped == ""
    assert job.schedule == "\n".join(expressions)
    assert job.grace >= 5 * MINUTE
    if often < 31 * DAY:
        assert job.period == often or often == 30 * DAY
    # Which hcl, and every server like it, takes.
    for line in job.schedule.splitlines():
        assert next(OnCalendar(line, datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("biannually", "semiannually"),
        ("bi-annually", "semiannually"),
        ("semi-annually", "semiannually"),
        ("anually", "annually"),
    ],
)
def test_words_that_others_do_not_know_are_written_another_way(
    words: str, known: str
) -> None:
    assert read(calendar(words)).schedule == known


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ({"OnBootUSec": "15min", "OnUnitActiveUSec": "1d"}, DAY),
        ({"OnUnitInactiveUSec": "1h 30min"}, 90 * MINUTE),
        ({"OnActiveUSec": "5min", "OnUnitActiveUSec": "1w"}, 7 * DAY),
        ({"OnStartupUSec": "10min", "OnUnitActiveUSec": "5min"}, 5 * MINUTE),
    ],
    ids=str,
)
def test_timers_that_count_from_the_last_run_have_a_period(
    values: dict[str, str], seconds: int
) -> None:
    job = read(monotonic(**values))

    assert (job.skipped, job.schedule, job.period) == ("", "", seconds)


def test_all_by_which_a_timer_may_be_late_counts() -> None:
    lates = {
        "RandomizedDelayUSec": ["30min"],
        # Of systemd 258 and later.
        "RandomizedOffsetUSec": ["6h"],
        "AccuracyUSec": ["1min"],
    }

    assert timers.spread(lates) == 6 * HOUR + 31 * MINUTE
    assert timers.spread({"RandomizedDelayUSec": ["0"]}) == 0


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"OnBootUSec": "15min"}, "runs once after the start, and has no schedule"),
        ({"OnStartupUSec": "2min"}, "runs once after the start, and has no schedule"),
        ({"OnUnitActiveUSec": "30s"}, "runs more often than once a minute"),
    ],
    ids=str,
)
def test_what_cannot_be_watched_is_said(values: dict[str, str], why: str) -> None:
    assert read(monotonic(**values)).skipped == why
