"""One message for each purpose, and for what changes how it looks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hcl.checks import mute_links
from hcl.checks.away.announcing import of_absence
from hcl.checks.away.judging import Unheard
from hcl.model import Flip, Message
from hcl.store.life import Absence
from tests.alerts import FAILED, NOW, RECOVERED, a_message, a_ping, an_alert

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

MISSED = Flip(NOW - 5 * MINUTE, "up", "down", "timeout")
MAIL = b"""\
Subject: =?utf-8?q?Backup_fehlgeschlagen_=E2=80=93_db1?=
Content-Type: multipart/alternative; boundary=xyz

--xyz
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

S2VpbiBQbGF0eiBtZWhyIGF1ZiAvYmFja3VwLgo=
--xyz
Content-Type: text/html

<p>Kein Platz mehr auf /backup.</p>
--xyz--
"""


def _flip(status: str, ago: timedelta) -> Flip:
    if status == "down":
        return Flip(NOW - ago, "up", "down", "timeout")
    return Flip(NOW - ago, "down", "up", "")


def _missed() -> Message:
    # As the schedule has it: 03:05 in Riga, and an hour of grace.
    due = datetime(2026, 1, 5, 1, 5, tzinfo=UTC)
    flip = replace(MISSED, created=due + HOUR)
    created = due - DAY + timedelta(minutes=12, seconds=9)
    alert = an_alert(
        flip=flip,
        ping=a_ping(created=created, body=b"1841 files, 12 GB\nall is well\n"),
        down_since=flip.created,
        kind="cron",
        schedule="5 3 * * *",
        tz="Europe/Riga",
        desc="Ask Kim if it is the disk.\nElse see https://wiki.example.org/run_book.",
        last_duration=timedelta(minutes=12, seconds=4),
    )
    return a_message(alert, also_down=("Mail queue", "db_1"), also_down_count=5)


def _failed() -> Message:
    output = b"dump of db1: 12 GB\n\npg_dump: error: disk full\n  /dev/sda1: 100 %\n"
    ping = a_ping(created=FAILED.created, action="fail", exitstatus=3, body=output)
    alert = an_alert(flip=FAILED, ping=ping, down_since=FAILED.created)
    links = tuple(
        (length, f"https://hcl.example.org{mute_links.path('s', 'c', length)}")
        for length in mute_links.LENGTHS
    )
    return a_message(replace(alert, mute_links=links))


def _overran() -> Message:
    started = MISSED.created - HOUR
    ping = a_ping(created=started, action="start")
    return a_message(an_alert(flip=MISSED, ping=ping, last_start=started))


def _mailed() -> Message:
    ping = a_ping(
        created=FAILED.created,
        action="fail",
        scheme="email",
        ua="Email from cron@db1.example.org",
        body=MAIL,
    )
    return a_message(
        an_alert(
            flip=FAILED,
            ping=ping,
            kind="oncalendar",
            schedule="Mon 3:00\nThu 4:00",
            tz="Europe/Riga",
        )
    )


def _recovered() -> Message:
    ping = a_ping(created=RECOVERED.created, body=b"1841 files, 12 GB\n")
    since = RECOVERED.created - timedelta(hours=5, minutes=3)
    return a_message(an_alert(flip=RECOVERED, ping=ping, down_since=since, status="up"))


def _reminder() -> Message:
    flip = replace(MISSED, created=NOW - 2 * DAY)
    ping = a_ping(created=NOW - 3 * DAY)
    return a_message(
        an_alert(flip=flip, ping=ping, reminder=1, down_since=flip.created)
    )


def _down_and_up() -> Message:
    went = Flip(NOW - 3 * HOUR, "up", "down", "timeout")
    ping = a_ping(created=RECOVERED.created)
    return a_message(
        an_alert(
            flip=RECOVERED,
            ping=ping,
            earlier=(went,),
            down_since=went.created,
            status="up",
        )
    )


def _up_and_down() -> Message:
    came = _flip("up", 2 * HOUR)
    ping = a_ping(created=FAILED.created, action="fail", exitstatus=1)
    return a_message(
        an_alert(flip=FAILED, ping=ping, earlier=(came,), down_since=FAILED.created)
    )


def _flapping() -> Message:
    earlier = tuple(
        _flip("down" if n % 2 else "up", n * 10 * MINUTE) for n in range(25, 0, -1)
    )
    ping = a_ping(created=RECOVERED.created)
    alert = an_alert(flip=RECOVERED, ping=ping, earlier=earlier, status="up")
    return a_message(alert)


def _summary() -> Message:
    went = Flip(NOW - 3 * HOUR, "up", "down", "fail")
    failure = a_ping(created=FAILED.created, action="fail", exitstatus=3)
    names = iter(range(1, 10))

    def code() -> str:
        return f"0000000{next(names)}-9f4b-4a3e-8d5a-0c9d3d0f2c11"

    return a_message(
        an_alert(code=code(), name="Mail queue", flip=RECOVERED, earlier=(went,)),
        an_alert(
            code=code(),
            name="Certificates",
            flip=RECOVERED,
            down_since=NOW - 6 * HOUR,
            tz="Europe/Riga",
        ),
        an_alert(
            code=code(),
            name="Reports",
            flip=replace(MISSED, created=NOW - DAY),
            reminder=1,
            down_since=NOW - DAY,
        ),
        an_alert(code=code(), flip=MISSED),
        an_alert(code=code(), name="db_1 dump", flip=FAILED, ping=failure),
        also_down=("Old server",),
        also_down_count=1,
    )


def _hundred() -> Message:
    alerts = (
        an_alert(
            code=f"00000{n:03}-9f4b-4a3e-8d5a-0c9d3d0f2c11",
            name=f"Job {n} on host{n % 7}.example.org",
            flip=RECOVERED if n % 10 == 9 else MISSED,
        )
        for n in range(100)
    )
    return a_message(*alerts)


def _absence() -> Message:
    away = Absence(NOW - 20 * MINUTE, NOW - 5 * MINUTE, "stopped")
    names = [f"Job {n}" for n in range(9)] + ["db_1 *dump*"]
    told = of_absence(1, away, Unheard(names, 14), NOW)
    return replace(a_message(), alerts=(), announcement=told)


EXAMPLES = {
    "missed": _missed(),
    "failed": _failed(),
    "overran": _overran(),
    "mailed": _mailed(),
    "recovered": _recovered(),
    "reminder": _reminder(),
    "down-and-up": _down_and_up(),
    "up-and-down": _up_and_down(),
    "flapping": _flapping(),
    "summary": _summary(),
    "hundred": _hundred(),
    "fallback": replace(
        _failed(),
        notice="The channel Phone could not deliver this: HTTP 404 from ntfy.sh",
    ),
    "absence": _absence(),
}
