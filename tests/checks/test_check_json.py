"""What a client of each API version reads of a check."""

import json
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from hcl.checks import rules
from hcl.checks.check_json import Site, check_json, iso, next_turn
from hcl.model import Check
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_check, make_ping

SITE = Site("https://hc.example.org", "https://ping.example.org/p/")
CODE = "f618072a-7bde-4eee-af63-71a77c5723bc"
VERSIONS = (1, 2, 3)
MINUTE = timedelta(minutes=1)

COMMON = [
    "name",
    "slug",
    "tags",
    "desc",
    "grace",
    "n_pings",
    "status",
    "started",
    "last_ping",
    "next_ping",
    "manual_resume",
    "methods",
    "subject",
    "subject_fail",
    "start_kw",
    "success_kw",
    "failure_kw",
    "filter_subject",
    "filter_body",
    "filter_http_body",
    "filter_default_fail",
    "badge_url",
]
PRIVATE = ["uuid", "ping_url", "update_url", "pause_url", "resume_url", "channels"]


def describe(
    check: Check,
    *,
    version: int = 3,
    readonly: bool = False,
    now: datetime = NOW,
    channels: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Describe a check whose deadline is in order."""
    check = rules.on_edit(check, now).check
    text = check_json(
        check,
        site=SITE,
        channels=channels,
        version=version,
        readonly=readonly,
        now=now,
    )
    document: dict[str, Any] = json.loads(text)
    # As the peer has it encoded.
    assert text == json.dumps(document)
    return document


# Keys


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("readonly", "owner_keys"),
    [(False, PRIVATE), (True, ["unique_key"])],
    ids=["read-write", "read-only"],
)
@pytest.mark.parametrize(
    ("duration", "duration_keys"),
    [(None, []), (timedelta(seconds=7), ["last_duration"])],
    ids=["no duration", "duration"],
)
@pytest.mark.parametrize(
    ("overrides", "kind_keys"),
    [
        ({"kind": "simple"}, ["timeout"]),
        ({"kind": "cron", "schedule": "* * * * *"}, ["schedule", "tz"]),
        ({"kind": "oncalendar", "schedule": "12:00"}, ["schedule", "tz"]),
    ],
    ids=["simple", "cron", "oncalendar"],
)
def test_keys_and_their_order(
    overrides: dict[str, Any],
    kind_keys: list[str],
    duration: timedelta | None,
    duration_keys: list[str],
    readonly: bool,
    owner_keys: list[str],
    version: int,
) -> None:
    check = make_check(status="up", last_ping=NOW, last_duration=duration, **overrides)

    document = describe(check, version=version, readonly=readonly)

    assert list(document) == COMMON + duration_keys + owner_keys + kind_keys


def test_values_of_a_new_check() -> None:
    assert describe(make_check()) == {
        "name": "",
        "slug": "",
        "tags": "",
        "desc": "",
        "grace": 3600,
        "n_pings": 0,
        "status": "new",
        "started": False,
        "last_ping": None,
        "next_ping": None,
        "manual_resume": False,
        "methods": "",
        "subject": "",
        "subject_fail": "",
        "start_kw": "",
        "success_kw": "",
        "failure_kw": "",
        "filter_subject": False,
        "filter_body": False,
        "filter_http_body": False,
        "filter_default_fail": False,
        "badge_url": (
            "https://hc.example.org/b/2/5b5cd5b5-3c5a-4f6e-8d6f-0b4d1a1c9a10.svg"
        ),
        "uuid": CODE,
        "ping_url": f"https://ping.example.org/p/{CODE}",
        "update_url": f"https://hc.example.org/api/v3/checks/{CODE}",
        "pause_url": f"https://hc.example.org/api/v3/checks/{CODE}/pause",
        "resume_url": f"https://hc.example.org/api/v3/checks/{CODE}/resume",
        "channels": "",
        "timeout": 86400,
    }


def test_values_of_a_check_with_everything_set() -> None:
    check = make_check(
        name="Bäckup <b>",
        slug="backup",
        tags="prod  db",
        desc="a\nb",
        kind="cron",
        schedule="0 15 * * *",
        tz="Europe/Riga",
        grace=timedelta(days=365),
        methods="POST",
        manual_resume=True,
        start_kw="START",
        success_kw="OK",
        failure_kw="BAD",
        filter_subject=True,
        filter_body=True,
        filter_http_body=True,
        filter_default_fail=True,
        status="up",
        n_pings=123,
        last_ping=NOW - HOUR,
        last_duration=timedelta(minutes=2, seconds=3),
    )

    document = describe(check, readonly=True)

    assert document == {
        "name": "Bäckup <b>",
        "slug": "backup",
        "tags": "prod  db",
        "desc": "a\nb",
        "grace": 31536000,
        "n_pings": 123,
        "status": "grace",
        "started": False,
        "last_ping": "2026-06-15T11:00:00+00:00",
        "next_ping": "2026-06-15T12:00:00+00:00",
        "manual_resume": True,
        "methods": "POST",
        "subject": "OK",
        "subject_fail": "BAD",
        "start_kw": "START",
        "success_kw": "OK",
        "failure_kw": "BAD",
        "filter_subject": True,
        "filter_body": True,
        "filter_http_body": True,
        "filter_default_fail": True,
        "badge_url": (
            "https://hc.example.org/b/2/5b5cd5b5-3c5a-4f6e-8d6f-0b4d1a1c9a10.svg"
        ),
        "last_duration": 123,
        # SHA-1 of "f618072a7bde4eee"
        "unique_key": "69ac51664c827e8f64a265bb001c5fc29512285c",
        "schedule": "0 15 * * *",
        "tz": "Europe/Riga",
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_urls_bear_the_version_that_was_asked(version: int) -> None:
    document = describe(make_check(), version=version)

    url = f"https://hc.example.org/api/v{version}/checks/{CODE}"
    assert document["update_url"] == url
    assert document["pause_url"] == f"{url}/pause"
    assert document["resume_url"] == f"{url}/resume"
    assert document["ping_url"] == f"https://ping.example.org/p/{CODE}"


@pytest.mark.parametrize("version", VERSIONS)
def test_read_only_answer_gives_no_code_away(version: int) -> None:
    document = describe(make_check(), version=version, readonly=True, channels=("a",))

    assert CODE not in str(document)
    assert "channels" not in document


# Status
#
# An up check whose ping is due at NOW, with an hour of grace, or one that never
# pinged; the run, if any, is open since RUN.

RUN = NOW - 10 * MINUTE
OVERRUN = RUN + HOUR
EARLY = NOW - MICROSECOND
LATE = NOW
DUE = NOW + HOUR

# Stored status, start of the open run, now: status in v1, and in v2 and v3.
STATUSES: dict[str, tuple[str, datetime | None, datetime, str, str]] = {
    "new": ("new", None, NOW, "new", "new"),
    "new, run": ("new", RUN, NOW, "started", "new"),
    "new, run until grace": ("new", RUN, OVERRUN - MICROSECOND, "started", "new"),
    "new, overrun": ("new", RUN, OVERRUN, "down", "down"),
    "up": ("up", None, EARLY, "up", "up"),
    "up, late": ("up", None, LATE, "grace", "grace"),
    "up, late until the end": ("up", None, DUE - MICROSECOND, "grace", "grace"),
    "up, overdue": ("up", None, DUE, "down", "down"),
    "up, run": ("up", RUN, EARLY, "started", "up"),
    "up, run, late": ("up", RUN, LATE, "started", "grace"),
    "up, run until grace": ("up", RUN, OVERRUN - MICROSECOND, "started", "grace"),
    "up, overrun": ("up", RUN, OVERRUN, "down", "down"),
    # The ping is overdue before the run is: v1 says started all the same.
    "up, late run, overdue": ("up", NOW + MINUTE, DUE, "started", "down"),
    "up, late run, overrun": ("up", NOW + MINUTE, DUE + MINUTE, "down", "down"),
    "down": ("down", None, NOW, "down", "down"),
    "down, run": ("down", RUN, NOW, "started", "down"),
    "down, run until grace": ("down", RUN, OVERRUN - MICROSECOND, "started", "down"),
    "down, overrun": ("down", RUN, OVERRUN, "down", "down"),
    "paused": ("paused", None, NOW, "paused", "paused"),
    "paused, run": ("paused", RUN, NOW, "started", "paused"),
    "paused, run until grace": (
        *("paused", RUN, OVERRUN - MICROSECOND),
        *("started", "paused"),
    ),
    "paused, overrun": ("paused", RUN, OVERRUN, "down", "down"),
}


@pytest.mark.parametrize("readonly", [False, True], ids=["read-write", "read-only"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("stored", "start", "now", "in_v1", "in_v2"), STATUSES.values(), ids=STATUSES
)
def test_status_by_version(
    stored: str,
    start: datetime | None,
    now: datetime,
    in_v1: str,
    in_v2: str,
    version: int,
    readonly: bool,
) -> None:
    last_ping = None if stored == "new" else NOW - DAY
    check = make_check(status=stored, last_ping=last_ping, last_start=start)

    document = describe(check, version=version, readonly=readonly, now=now)

    assert document["status"] == (in_v1 if version == 1 else in_v2)
    assert document["started"] is (start is not None)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("stored", ["new", "up", "paused"])
def test_status_is_the_same_after_the_checker_wrote_the_overrun(
    stored: str, version: int
) -> None:
    check = make_check(status=stored, last_start=RUN, last_ping=NOW)

    before = describe(check, version=version, now=OVERRUN)
    written = rules.on_deadline(check, OVERRUN).check
    after = describe(written, version=version, now=OVERRUN)

    assert (before["status"], after["status"]) == ("down", "down")
    assert (before["started"], after["started"]) == (True, True)
    assert after["next_ping"] is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("rules_of", [{}, {"max_run": 90 * MINUTE}, {"down_after": 2}])
@pytest.mark.parametrize("stored", ["new", "up", "down", "paused"])
def test_status_stays_until_its_next_turn(
    stored: Any, rules_of: dict[str, Any], version: int
) -> None:
    check = make_check(status=stored, last_ping=NOW - DAY, **rules_of)
    ping = make_ping(action="start", created=RUN)
    check = rules.on_ping(check, ping)[0].check
    now, turn, changes = RUN, next_turn(check, version, RUN), 0

    while turn is not None:
        for until in (turn - MICROSECOND, turn):
            status = status_of(check, version, until)
            if until < turn:
                assert status == status_of(check, version, now)
        changes += status != status_of(check, version, now)
        now, turn = turn, next_turn(check, version, turn)

    assert status_of(check, version, now + DAY) == status_of(check, version, now)
    assert changes > 0 or (version > 1 and stored == "down")


def status_of(check: Check, version: int, now: datetime) -> str:
    """Return the status that a client reads of a check as it is stored."""
    text = check_json(
        check, site=SITE, channels=(), version=version, readonly=False, now=now
    )
    return str(json.loads(text)["status"])


# Times

LAST = NOW - HOUR


@pytest.mark.parametrize(
    ("overrides", "next_ping"),
    [
        pytest.param({"status": "new"}, None, id="new"),
        pytest.param({"status": "new", "last_start": RUN}, RUN, id="new, run"),
        pytest.param({"status": "up", "last_ping": LAST}, LAST + DAY, id="up"),
        pytest.param(
            {"status": "up", "last_ping": NOW - 2 * DAY}, NOW - DAY, id="up, overdue"
        ),
        pytest.param(
            {"status": "up", "last_ping": LAST, "last_start": RUN}, RUN, id="up, run"
        ),
        pytest.param(
            {"status": "up", "last_ping": NOW - DAY, "last_start": NOW},
            NOW,
            id="up, run as the ping is due",
        ),
        pytest.param(
            {"status": "up", "last_ping": LAST - DAY, "last_start": RUN},
            LAST,
            id="up, run after the ping was due",
        ),
        pytest.param({"status": "down", "last_ping": LAST}, None, id="down"),
        pytest.param(
            {"status": "down", "last_ping": LAST, "last_start": RUN},
            None,
            id="down, run",
        ),
        pytest.param({"status": "paused", "last_ping": LAST}, None, id="paused"),
        pytest.param(
            {"status": "paused", "last_ping": LAST, "last_start": RUN},
            RUN,
            id="paused, run",
        ),
        pytest.param(
            {
                "status": "up",
                "last_ping": LAST,
                "kind": "cron",
                "schedule": "30 15 * * *",
                "tz": "Europe/Riga",
            },
            NOW + 30 * MINUTE,
            id="cron",
        ),
        pytest.param(
            {
                "status": "up",
                "last_ping": LAST,
                "kind": "oncalendar",
                "schedule": "15:30 Europe/Riga",
            },
            NOW + 30 * MINUTE,
            id="oncalendar",
        ),
        pytest.param(
            {
                "status": "up",
                "last_ping": LAST,
                "kind": "oncalendar",
                "schedule": "2019-01-01",
            },
            None,
            id="schedule that never fires again",
        ),
        pytest.param(
            {
                "status": "up",
                "last_ping": LAST,
                "kind": "oncalendar",
                "schedule": "2019-01-01",
                "last_start": RUN,
            },
            RUN,
            id="schedule that never fires again, run",
        ),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("grace", [MINUTE, HOUR, 365 * DAY], ids=str)
def test_next_ping_is_the_moment_grace_starts(
    overrides: dict[str, Any],
    next_ping: datetime | None,
    version: int,
    grace: timedelta,
) -> None:
    check = make_check(grace=grace, **overrides)

    document = describe(check, version=version)

    expected = None if next_ping is None else next_ping.isoformat()
    assert document["next_ping"] == expected


@pytest.mark.parametrize(
    ("microsecond", "second"), list(product([0, 1, 499_999, 999_999], [0, 59]))
)
def test_times_are_cut_to_whole_seconds(microsecond: int, second: int) -> None:
    last_ping = NOW.replace(second=second, microsecond=microsecond)
    check = make_check(status="up", last_ping=last_ping)

    document = describe(check)

    assert document["last_ping"] == f"2026-06-15T12:00:{second:02}+00:00"
    assert document["next_ping"] == f"2026-06-16T12:00:{second:02}+00:00"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, None),
        (NOW, "2026-06-15T12:00:00+00:00"),
        (NOW - MICROSECOND, "2026-06-15T11:59:59+00:00"),
        (NOW.replace(year=900), "0900-06-15T12:00:00+00:00"),
    ],
    ids=str,
)
def test_iso(moment: datetime | None, text: str | None) -> None:
    assert iso(moment) == text


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        (timedelta(), 0),
        (MICROSECOND, 0),
        (timedelta(seconds=1) - MICROSECOND, 0),
        (timedelta(seconds=1), 1),
        (timedelta(seconds=2) - MICROSECOND, 1),
        (timedelta(days=3), 259200),
    ],
    ids=str,
)
@pytest.mark.parametrize("readonly", [False, True], ids=["read-write", "read-only"])
def test_last_duration_is_cut_to_whole_seconds(
    readonly: bool, duration: timedelta, seconds: int
) -> None:
    check = make_check(status="up", last_ping=NOW, last_duration=duration)

    document = describe(check, readonly=readonly)

    assert document["last_duration"] == seconds
    assert isinstance(document["last_duration"], int)


def test_numbers_of_seconds_are_integers() -> None:
    document = describe(make_check(timeout=MINUTE, grace=365 * DAY))

    assert repr((document["timeout"], document["grace"])) == "(60, 31536000)"


# Channels and subjects


@pytest.mark.parametrize(
    ("channels", "text"),
    [
        ((), ""),
        (("b",), "b"),
        (("b", "a"), "a,b"),
        (("a", "b"), "a,b"),
        (("c", "a", "b"), "a,b,c"),
        (
            (
                "e0000000-0000-4000-8000-000000000000",
                "00000000-0000-4000-8000-00000000000f",
            ),
            "00000000-0000-4000-8000-00000000000f,e0000000-0000-4000-8000-000000000000",
        ),
    ],
)
def test_channels_are_sorted(channels: tuple[str, ...], text: str) -> None:
    assert describe(make_check(), channels=channels)["channels"] == text


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("overrides", "subject", "subject_fail"),
    [
        pytest.param({}, "", "", id="no filter"),
        pytest.param({"filter_subject": True}, "OK", "BAD", id="subject"),
        pytest.param({"filter_body": True}, "", "", id="body"),
        pytest.param({"filter_http_body": True}, "", "", id="HTTP body"),
        pytest.param(
            {"filter_subject": True, "filter_body": True}, "OK", "BAD", id="both"
        ),
        pytest.param(
            {"filter_subject": True, "success_kw": ""}, "", "BAD", id="only failure"
        ),
        pytest.param(
            {"filter_subject": True, "failure_kw": ""}, "OK", "", id="only success"
        ),
    ],
)
def test_subjects_mirror_keywords_while_the_subject_is_filtered(
    overrides: dict[str, Any], subject: str, subject_fail: str, version: int
) -> None:
    values = {"success_kw": "OK", "failure_kw": "BAD", "start_kw": "GO"} | overrides
    check = make_check(**values)

    document = describe(check, version=version)

    assert (document["subject"], document["subject_fail"]) == (subject, subject_fail)
    assert document["success_kw"] == values["success_kw"]
    assert document["failure_kw"] == values["failure_kw"]
    assert document["start_kw"] == "GO"


@pytest.mark.parametrize(
    ("code", "unique_key"),
    [
        # SHA-1 of "f618072a7bde4eee": only the first half of the code counts.
        (CODE, "69ac51664c827e8f64a265bb001c5fc29512285c"),
        (
            "f618072a-7bde-4eee-0000-000000000000",
            "69ac51664c827e8f64a265bb001c5fc29512285c",
        ),
    ],
)
def test_unique_key(code: str, unique_key: str) -> None:
    document = describe(make_check(code=code), readonly=True)

    assert document["unique_key"] == unique_key
