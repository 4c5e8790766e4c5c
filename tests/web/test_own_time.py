"""`X-Ping-At`: signals that are told late, each with the time that it is of."""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests import app as setting
from tests.app import App
from tests.build import DAY, HOUR
from tests.store import put_check, rows

MINUTE = timedelta(minutes=1)
UNKNOWN = "/ping/b7a6d9c2-5c3e-4c51-9b2e-3c7f0d1e2f3a"


def signed(key: str, path: str, at: str, body: bytes = b"") -> dict[str, str]:
    """Return the headers of a POST with a time of its own."""
    text = f"POST\n{path}\n{at}\n".encode() + body
    signature = hmac.new(key.encode(), text, hashlib.sha256).hexdigest()
    return {"X-Ping-At": at, "X-Ping-Signature": signature}


async def ping(
    app: App, path: str, at: datetime, body: bytes = b"", *, key: str
) -> tuple[int, str]:
    stamp = f"{at.timestamp():.3f}"
    headers = signed(key, path.partition("?")[0], stamp, body)
    answer = await app.http.post(path, content=body, headers=headers)
    return answer.status_code, answer.text


async def shown(app: App, code: str) -> dict[str, Any]:
    answer = await app.api("GET", f"checks/{code}")
    return dict(answer.json())


async def log(app: App, code: str) -> list[dict[str, Any]]:
    answer = await app.api("GET", f"checks/{code}/pings/")
    return list(answer.json()["pings"])


async def test_a_late_success_is_of_its_own_time(app: App) -> None:
    check = await put_check(app.database, 1)
    now = app.clock.now()

    took = await ping(
        app, f"/ping/{check.code}", now - HOUR, b"all well", key=check.code
    )

    assert took == (200, "OK")
    after = await shown(app, check.code)
    assert (after["status"], after["n_pings"]) == ("up", 1)
    at = datetime.fromisoformat(after["last_ping"])
    assert abs(at - (now - HOUR)) <= timedelta(seconds=1)


async def test_a_late_run_has_its_length(app: App) -> None:
    check = await put_check(app.database, 1)
    now, path = app.clock.now(), f"/ping/{check.code}"
    rid = "?rid=3b4c1f6e-9a2d-4f0b-8c5e-1d2e3f4a5b6c"

    await ping(app, f"{path}/start{rid}", now - HOUR, key=check.code)
    await ping(app, f"{path}/0{rid}", now - 50 * MINUTE, key=check.code)

    end, _ = await log(app, check.code)
    assert end["duration"] == 600
    assert (await shown(app, check.code))["last_duration"] == 600


@pytest.mark.parametrize("signal", ["", "/fail", "/start", "/3"])
async def test_what_is_older_than_the_last_ping_is_recorded_alone(
    app: App, signal: str
) -> None:
    check = await put_check(app.database, 1)
    await app.http.post(f"/ping/{check.code}")
    before = await shown(app, check.code)

    at = app.clock.now() - HOUR
    took = await ping(app, f"/ping/{check.code}{signal}", at, key=check.code)

    assert took == (200, "OK")
    after = await shown(app, check.code)
    assert after == before | {"n_pings": 2}
    newest, _ = await log(app, check.code)
    assert newest["n"] == 2
    assert datetime.fromisoformat(newest["date"]) < datetime.fromisoformat(
        before["last_ping"]
    )
    flips = await rows(app.database, "SELECT count(*) FROM flips")
    assert flips == [1]


async def test_a_crash_after_it_changes_nothing(app: App) -> None:
    check = await put_check(app.database, 1)
    await app.http.post(f"/ping/{check.code}")
    at = app.clock.now() - HOUR
    await ping(app, f"/ping/{check.code}/fail", at, key=check.code)

    # What is left is counted, as at a start.
    await app.parts.pinging.recover()

    after = await shown(app, check.code)
    assert (after["status"], after["n_pings"]) == ("up", 2)


async def test_a_flip_by_a_late_signal_is_of_when_it_became_known(app: App) -> None:
    check = await put_check(app.database, 1, status="down")
    now = app.clock.now()

    await ping(app, f"/ping/{check.code}", now - HOUR, key=check.code)

    [flip] = (await app.api("GET", f"checks/{check.code}/flips/")).json()["flips"]
    assert flip["up"] == 1
    assert datetime.fromisoformat(flip["timestamp"]) >= now - timedelta(seconds=1)


@pytest.mark.parametrize("signature", ["0" * 64, ""])
@pytest.mark.parametrize("path", [UNKNOWN, f"/ping/{setting.PING_KEY}/no-such"])
async def test_unknown_check_is_told_before_what_cannot_be_believed(
    app: App, path: str, signature: str
) -> None:
    headers = {"X-Ping-At": "0", "X-Ping-Signature": signature}

    answer = await app.http.post(path, content=b"x", headers=headers)

    assert (answer.status_code, answer.text) == (404, "not found")


async def test_blanks_behind_time_and_signature_are_no_part_of_them(app: App) -> None:
    check = await put_check(app.database, 1)
    path, at = f"/ping/{check.code}", f"{app.clock.now().timestamp() - 60:.3f}"
    headers = signed(check.code, path, at)

    answer = await app.http.post(path, headers={k: f"{v} " for k, v in headers.items()})

    assert (answer.status_code, answer.text) == (200, "OK")


async def test_by_slug_it_is_signed_with_the_ping_key(app: App) -> None:
    check = await put_check(app.database, 1, slug="job")
    at = app.clock.now() - HOUR
    path = f"/ping/{setting.PING_KEY}/job"

    assert await ping(app, path, at, key=setting.PING_KEY) == (200, "OK")
    assert (await ping(app, path, at, key=check.code))[0] == 400
    assert (await shown(app, check.code))["n_pings"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"X-Ping-Signature": "0" * 64},
        {"X-Ping-Signature": ""},
        {"X-Ping-Signature": "é"},
        {"X-Ping-At": "nonsense"},
        {"X-Ping-At": "nan"},
        {"X-Ping-At": "1e400"},
        {"X-Ping-At": ""},
    ],
    ids=str,
)
async def test_what_cannot_be_believed_is_refused(
    app: App, change: dict[str, str]
) -> None:
    check = await put_check(app.database, 1)
    path = f"/ping/{check.code}"
    at = f"{app.clock.now().timestamp() - 60:.3f}"
    headers = signed(check.code, path, at, b"x") | change

    answer = await app.http.post(
        path,
        content=b"x",
        headers={name.encode(): value.encode() for name, value in headers.items()},
    )

    assert (answer.status_code, answer.text) == (400, "invalid ping time or signature")
    assert (await shown(app, check.code))["n_pings"] == 0


@pytest.mark.parametrize(
    ("ago", "status"),
    [
        (7 * DAY - MINUTE, 200),
        (7 * DAY + MINUTE, 400),
        (-MINUTE, 200),
        (-HOUR, 400),
    ],
    ids=str,
)
async def test_a_week_back_is_the_most(app: App, ago: timedelta, status: int) -> None:
    check = await put_check(app.database, 1)
    now = app.clock.now()

    took = await ping(app, f"/ping/{check.code}", now - ago, key=check.code)

    assert took[0] == status
    if status == 200:
        last = datetime.fromisoformat((await shown(app, check.code))["last_ping"])
        # A client whose clock is ahead is of now.
        assert last <= app.clock.now()


@pytest.mark.parametrize("waits", [True, False])
async def test_a_clock_that_may_be_behind_refuses_no_signal_for_its_time(
    app: App, waits: bool
) -> None:
    """A machine has booted without the time: a fail would be told to nobody."""
    check = await put_check(app.database, 1, status="up", n_pings=1)
    if waits:
        app.clock.hold(app.clock.now())
    else:
        # The wall counts by now, though nobody knows it to be right.
        app.clock.is_doubtful = True

    at = app.clock.now() + 8 * HOUR
    took = await ping(app, f"/ping/{check.code}/fail", at, key=check.code)

    assert took == (200, "OK")
    assert (await shown(app, check.code))["status"] == "down"
    [newest] = await log(app, check.code)
    assert datetime.fromisoformat(newest["date"]) <= app.clock.now()


@pytest.mark.parametrize("is_held", [True, False])
async def test_no_run_is_too_short_that_ends_ahead_of_the_clock(
    app: App, is_held: bool
) -> None:
    """What is told at once, by a client that is ahead, all counts as of now."""
    check = await put_check(app.database, 1, min_run=2 * MINUTE)
    ahead = timedelta(minutes=4)
    if is_held:
        app.clock.hold(app.clock.now())
        ahead = 8 * HOUR
    now, path = app.clock.now(), f"/ping/{check.code}"

    await ping(app, f"{path}/start", now + ahead - 3 * MINUTE, key=check.code)
    await ping(app, path, now + ahead, key=check.code)

    assert (await shown(app, check.code))["status"] == "up"


async def test_no_run_is_too_short_whose_start_was_ahead_of_the_clock(
    app: App,
) -> None:
    """It ends in time, and nobody knows how long it had run before it was told of."""
    check = await put_check(app.database, 1, min_run=2 * MINUTE)
    app.clock.hold(app.clock.now())
    path = f"/ping/{check.code}"

    at = app.clock.now() + HOUR
    await ping(app, f"{path}/start", at, key=check.code)
    await app.http.post(path)
    once = await shown(app, check.code)
    # Of a run that begins now it is known.
    await app.http.post(f"{path}/start")
    await app.http.post(path)

    assert once["status"] == "up"
    assert (await shown(app, check.code))["status"] == "down"


async def test_all_of_a_long_body_is_signed_and_its_beginning_kept(app: App) -> None:
    check = await put_check(app.database, 1)
    body = b"x" * 50_000
    at = app.clock.now() - MINUTE

    assert (await ping(app, f"/ping/{check.code}", at, body, key=check.code))[0] == 200

    answer = await app.api("GET", f"checks/{check.code}/pings/1/body")
    assert answer.content == body[:10_000]


async def test_a_late_start_takes_no_newer_run_away(app: App) -> None:
    check = await put_check(app.database, 1)
    now, path = app.clock.now(), f"/ping/{check.code}"
    rids = [f"?rid=3b4c1f6e-9a2d-4f0b-8c5e-1d2e3f4a5b6{n}" for n in "ab"]
    await ping(app, f"{path}/start{rids[0]}", now - HOUR, key=check.code)

    await ping(app, f"{path}/start{rids[1]}", now - 2 * HOUR, key=check.code)
    await ping(app, f"{path}{rids[0]}", now - 50 * MINUTE, key=check.code)

    after = await shown(app, check.code)
    assert (after["last_duration"], after["started"]) == (600, False)


async def test_signals_of_hours_tell_nobody_of_each(app: App) -> None:
    """An outage is over: what a job did each hour comes at once, the oldest first.

    The checker looks after each.
    """
    now = app.clock.now()
    times = {"timeout": HOUR, "grace": 10 * MINUTE, "last_ping": now - 6 * HOUR}
    down = await put_check(app.database, 1, **times, status="down", n_pings=1)
    # Of this one hcl knows that it was away itself.
    due = {"alert_after": now + 69 * MINUTE, "counted_from": now - MINUTE}
    up = await put_check(app.database, 1, **times, **due, status="up", excused=1)

    for hours in (5, 4, 3, 2, 1, 0.1):
        for check in (down, up):
            at = now - hours * HOUR
            path = f"/ping/{check.code}"
            await ping(app, f"{path}/start", at - MINUTE, key=check.code)
            await app.checker.check_once(app.clock.now())
            await ping(app, path, at, key=check.code)
            await app.checker.check_once(app.clock.now())

    assert await rows(app.database, "SELECT check_id, new_status FROM flips") == [
        (down.id, "up")
    ]
    for check in (down, up):
        after = await shown(app, check.code)
        assert (after["status"], after["last_duration"]) == ("up", 60)


@pytest.mark.parametrize("by_slug", [True, False])
@pytest.mark.parametrize("resumes", [True, False])
async def test_what_is_older_than_a_pause_does_not_end_it(
    app: App, by_slug: bool, resumes: bool
) -> None:
    check = await put_check(app.database, 1, slug="job", status="up", n_pings=1)
    await app.api("POST", f"checks/{check.code}/pause")
    if resumes:
        await app.api("POST", f"checks/{check.code}/resume")
    path, key = f"/ping/{check.code}", check.code
    if by_slug:
        path, key = f"/ping/{setting.PING_KEY}/job", setting.PING_KEY
    now = app.clock.now()

    await ping(app, path, now - HOUR, key=key)
    before = await shown(app, check.code)
    # That it runs again is told by what came later.
    await ping(app, path, app.clock.now() + MINUTE, key=key)

    assert (before["status"], before["n_pings"]) == ("new" if resumes else "paused", 2)
    assert (await shown(app, check.code))["status"] == "up"


async def test_an_unknown_check_is_not_found(app: App) -> None:
    code = "3b4c1f6e-9a2d-4f0b-8c5e-1d2e3f4a5b6c"

    took = await ping(app, f"/ping/{code}", app.clock.now(), key=code)

    assert took == (404, "not found")
