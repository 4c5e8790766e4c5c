"""What pings, pauses and the passing of time do to a check, as the API shows it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hcl.model import Ping
from hcl.pings.arrival import Target
from tests.app import READ_KEY, App
from tests.build import make_ping


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


VERSIONS = pytest.mark.parametrize("version", [1, 2, 3])
RID = "123e4567-e89b-12d3-a456-426614174000"
RID2 = "00000000-e89b-12d3-a456-426614174000"


async def new_check(app: App, **fields: Any) -> str:
    """Create a check and return its UUID."""
    response = await app.api("POST", "checks/", json=fields)
    assert response.status_code == 201, response.text
    return str(response.json()["uuid"])


async def get_check(app: App, code: str, version: int = 3) -> dict[str, Any]:
    response = await app.api("GET", f"checks/{code}", version=version)
    assert response.status_code == 200
    return dict(response.json())


async def flips_of(app: App, code: str) -> list[int]:
    """Return whether each flip went up, the oldest first."""
    response = await app.api("GET", f"checks/{code}/flips/")
    return [flip["up"] for flip in reversed(response.json()["flips"])]


async def change(app: App, code: str, verb: str) -> dict[str, Any]:
    response = await app.api("POST", f"checks/{code}/{verb}")
    assert response.status_code == 200, response.text
    return dict(response.json())


def ago(**length: float) -> datetime:
    """Return a moment in the past, of whole seconds."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**length)


async def signal(app: App, code: str, created: datetime, **fields: Any) -> Ping:
    """Send a ping of a chosen moment."""
    ping = make_ping(created=created, **fields)
    await app.parts.pinging.receive(Target(code=code), ping)
    return ping


# Signals


@pytest.mark.parametrize("before", ["", "/fail", "/start", "/log"])
@pytest.mark.parametrize(
    ("end", "status"), [("", "up"), ("/0", "up"), ("/fail", "down"), ("/9", "down")]
)
async def test_success_and_fail_set_the_status(
    app: App, before: str, end: str, status: str
) -> None:
    code = await new_check(app)
    await app.http.get(f"/ping/{code}{before}")

    await app.http.get(f"/ping/{code}{end}")

    check = await get_check(app, code)
    assert (check["status"], check["n_pings"]) == (status, 2)
    assert check["last_ping"] is not None
    assert check["started"] is False


async def test_start_leaves_last_ping_and_status(app: App) -> None:
    code = await new_check(app)

    await signal(app, code, ago(minutes=2), action="start")

    check = await get_check(app, code)
    assert (check["status"], check["started"]) == ("new", True)
    assert check["last_ping"] is None
    assert check["n_pings"] == 1


@pytest.mark.parametrize("action", ["log", "ign"])
async def test_log_changes_nothing_but_the_count(app: App, action: str) -> None:
    code = await new_check(app)
    await signal(app, code, ago(minutes=5), action="success")
    await signal(app, code, ago(minutes=4), action="start")
    before = await get_check(app, code)

    await signal(app, code, ago(minutes=1), action="log")

    assert await get_check(app, code) == before | {"n_pings": 3}


async def test_flips_are_only_changes(app: App) -> None:
    code = await new_check(app)

    for end in ("", "", "/fail", "/1", "/start", "/log", "/0", "", "/fail"):
        await app.http.get(f"/ping/{code}{end}")

    assert await flips_of(app, code) == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("start", "action", "end", "duration", "open_"),
    [
        (None, "success", None, 90, False),
        (None, "fail", None, 90, False),
        (RID, "success", RID, 90, False),
        (RID, "fail", RID, 90, False),
        (RID, "success", None, None, False),
        (RID, "fail", None, None, False),
        (None, "success", RID, None, True),
        (None, "fail", RID, None, False),
        (RID, "success", RID2, None, True),
        (RID, "fail", RID2, None, False),
    ],
)
async def test_run_is_timed_and_closed_by_its_own_end(
    app: App,
    start: str | None,
    action: str,
    end: str | None,
    duration: int | None,
    open_: bool,
) -> None:
    code = await new_check(app)
    begun, ended = ago(seconds=100.5), ago(seconds=10)
    await signal(app, code, begun, action="start", rid=start)

    await signal(app, code, ended, action=action, rid=end)

    check = await get_check(app, code)
    assert check["started"] is open_
    assert check.get("last_duration") == duration
    assert ("last_duration" in check) is (duration is not None)


async def test_later_success_forgets_the_duration(app: App) -> None:
    code = await new_check(app)
    await signal(app, code, ago(seconds=100), action="start")
    await signal(app, code, ago(seconds=90), action="success")

    await signal(app, code, ago(seconds=80), action="success")

    assert "last_duration" not in await get_check(app, code)


async def test_last_start_counts(app: App) -> None:
    code = await new_check(app)
    await signal(app, code, ago(seconds=100), action="start")
    await signal(app, code, ago(seconds=50), action="start")

    await signal(app, code, ago(seconds=30), action="success")

    assert (await get_check(app, code))["last_duration"] == 20


async def test_duration_is_in_whole_seconds(app: App) -> None:
    code = await new_check(app)
    start = ago(seconds=100)
    await signal(app, code, start, action="start")

    await signal(app, code, start + timedelta(seconds=3.9), action="success")

    assert (await get_check(app, code))["last_duration"] == 3


# Status and next_ping as time passes


@pytest.mark.parametrize(
    ("seconds", "status"), [(1, "up"), (90, "grace"), (200, "down")]
)
@VERSIONS
async def test_shown_status_follows_the_clock_without_the_checker(
    app: App, seconds: int, status: str, version: int
) -> None:
    code = await new_check(app, timeout=60, grace=60)
    last_ping = ago(seconds=seconds)

    await signal(app, code, last_ping, action="success")

    check = await get_check(app, code, version)
    assert check["status"] == status
    assert check["last_ping"] == last_ping.isoformat()
    assert check["next_ping"] == (last_ping + timedelta(seconds=60)).isoformat()


@pytest.mark.parametrize(
    ("before", "status"),
    [("new", "new"), ("up", "up"), ("down", "down"), ("paused", "paused")],
)
@VERSIONS
async def test_young_open_run_is_started_in_v1_only(
    app: App, before: str, status: str, version: int
) -> None:
    code = await new_check(app)
    await reach(app, code, before)

    await app.http.get(f"/ping/{code}/start")

    check = await get_check(app, code, version)
    assert check["status"] == ("started" if version == 1 else status)
    assert check["started"] is True
    listed = await app.api("GET", "checks/", version=version)
    assert listed.json()["checks"] == [check]
    readonly = await app.api("GET", "checks/", version=version, key=READ_KEY)
    assert readonly.json()["checks"][0]["status"] == check["status"]


async def reach(app: App, code: str, status: str) -> None:
    """Bring a new check to a stored status."""
    if status == "paused":
        await change(app, code, "pause")
    elif status != "new":
        await app.http.get(f"/ping/{code}{'/fail' if status == 'down' else ''}")
    assert (await get_check(app, code))["status"] == status


@pytest.mark.parametrize("before", ["new", "up", "down", "paused"])
@VERSIONS
async def test_open_run_longer_than_grace_is_down(
    app: App, before: str, version: int
) -> None:
    code = await new_check(app, grace=60)
    await reach(app, code, before)
    start = ago(seconds=61)

    await signal(app, code, start, action="start")

    check = await get_check(app, code, version)
    assert (check["status"], check["started"]) == ("down", True)


@pytest.mark.parametrize("before", ["new", "up", "paused"])
async def test_open_run_longer_than_grace_goes_down(app: App, before: str) -> None:
    code = await new_check(app, grace=60)
    await reach(app, code, before)
    start = ago(seconds=61)
    await signal(app, code, start, action="start")

    flipped = await app.checker.check_once(ago(seconds=0))

    check = await get_check(app, code)
    flips = (await app.api("GET", f"checks/{code}/flips/")).json()["flips"]
    assert flipped == 1
    assert (check["status"], check["started"]) == ("down", True)
    assert check["next_ping"] is None
    timestamp = (start + timedelta(seconds=60)).isoformat()
    assert {"timestamp": timestamp, "up": 0} in flips


async def test_check_that_is_down_stays_so_after_a_start(app: App) -> None:
    code = await new_check(app, grace=60)
    await app.http.get(f"/ping/{code}/fail")

    await signal(app, code, ago(seconds=61), action="start")
    flipped = await app.checker.check_once(ago(seconds=0))

    check = await get_check(app, code)
    assert flipped == 0
    assert (check["status"], check["next_ping"]) == ("down", None)


async def test_next_ping_is_the_earlier_of_start_and_expected_ping(app: App) -> None:
    code = await new_check(app, timeout=3600, grace=3600)
    last_ping, start = ago(minutes=30), ago(minutes=10)

    await signal(app, code, last_ping, action="success")
    expected = (await get_check(app, code))["next_ping"]
    await signal(app, code, start, action="start")
    started = (await get_check(app, code))["next_ping"]

    assert expected == (last_ping + timedelta(hours=1)).isoformat()
    assert started == start.isoformat()


async def test_late_check_with_a_later_start_keeps_its_deadline(app: App) -> None:
    code = await new_check(app, timeout=60, grace=3600)
    last_ping = ago(minutes=30)

    await signal(app, code, last_ping, action="success")
    await signal(app, code, ago(minutes=1), action="start")

    check = await get_check(app, code)
    assert check["status"] == "grace"
    assert check["next_ping"] == (last_ping + timedelta(minutes=1)).isoformat()


@pytest.mark.parametrize(
    ("status", "known"),
    [("new", False), ("up", True), ("down", False), ("paused", False)],
)
async def test_next_ping_without_an_open_run(
    app: App, status: str, known: bool
) -> None:
    code = await new_check(app)

    await reach(app, code, status)

    assert ((await get_check(app, code))["next_ping"] is not None) is known


@pytest.mark.parametrize("status", ["new", "paused"])
async def test_next_ping_of_an_open_run_is_its_start(app: App, status: str) -> None:
    code = await new_check(app)
    await reach(app, code, status)
    start = ago(seconds=5)

    await signal(app, code, start, action="start")

    assert (await get_check(app, code))["next_ping"] == start.isoformat()


async def test_cron_check_expects_its_next_occurrence_in_its_zone(app: App) -> None:
    code = await new_check(app, schedule="30 2 * * *", tz="America/New_York")
    # The night in which 2:30 does not exist there.
    last_ping = datetime(2024, 3, 9, 12, 0, tzinfo=UTC)

    await signal(app, code, last_ping, action="success")

    check = await get_check(app, code)
    assert check["next_ping"] == "2024-03-10T07:00:00+00:00"
    assert check["status"] == "down"


async def test_oncalendar_check_expects_its_next_occurrence(app: App) -> None:
    code = await new_check(app, schedule="*-*~1 12:00", tz="Europe/Riga")

    await signal(app, code, datetime(2024, 2, 3, tzinfo=UTC), action="success")

    check = await get_check(app, code)
    assert check["next_ping"] == "2024-02-29T10:00:00+00:00"


async def test_schedule_without_a_further_occurrence_never_goes_down(app: App) -> None:
    code = await new_check(app, schedule="2020-01-01 00:00", grace=60)

    await signal(app, code, ago(days=300), action="success")
    flipped = await app.checker.check_once(ago(days=-300))

    check = await get_check(app, code)
    assert flipped == 0
    assert (check["status"], check["next_ping"]) == ("up", None)


async def test_checker_writes_down_at_the_deadline_and_not_before(app: App) -> None:
    code = await new_check(app, timeout=60, grace=60)
    last_ping = ago(seconds=0)
    deadline = last_ping + timedelta(seconds=120)
    await signal(app, code, last_ping, action="success")

    early = await app.checker.check_once(deadline - timedelta(microseconds=1))
    late = await app.checker.check_once(deadline)
    again = await app.checker.check_once(deadline + timedelta(days=1))

    assert (early, late, again) == (0, 1, 0)
    check = await get_check(app, code)
    assert (check["status"], check["next_ping"]) == ("down", None)
    assert check["last_ping"] == last_ping.isoformat()


async def test_edit_moves_the_deadline_and_leaves_the_status(app: App) -> None:
    code = await new_check(app, timeout=60, grace=60)
    await signal(app, code, ago(minutes=10), action="success")
    await app.checker.check_once(ago(seconds=0))
    down = await app.api("POST", f"checks/{code}", json={"timeout": 86400})

    last_ping = ago(minutes=5)
    await signal(app, code, last_ping, action="success")
    up = await app.api("POST", f"checks/{code}", json={"timeout": 3600})
    short = await app.api("POST", f"checks/{code}", json={"timeout": 60})

    assert (down.json()["status"], down.json()["next_ping"]) == ("down", None)
    assert up.json()["status"] == "up"
    expected = (last_ping + timedelta(hours=1)).isoformat()
    assert up.json()["next_ping"] == expected
    assert short.json()["status"] == "down"
    assert await flips_of(app, code) == [1, 0, 1]


async def test_edit_of_an_overdue_check_may_save_it(app: App) -> None:
    code = await new_check(app, timeout=60, grace=60)
    await signal(app, code, ago(minutes=10), action="success")
    overdue = await get_check(app, code)

    await app.api("POST", f"checks/{code}", json={"grace": 3600})
    flipped = await app.checker.check_once(ago(seconds=0))

    assert overdue["status"] == "down"
    assert flipped == 0
    assert (await get_check(app, code))["status"] == "grace"


async def test_success_after_down_is_up_again(app: App) -> None:
    code = await new_check(app, timeout=60, grace=60)
    await signal(app, code, ago(minutes=10), action="success")
    await app.checker.check_once(ago(seconds=0))

    await app.http.get(f"/ping/{code}")

    assert (await get_check(app, code))["status"] == "up"
    assert await flips_of(app, code) == [1, 0, 1]


# Pause and resume


@pytest.mark.parametrize("before", ["new", "up", "down"])
@VERSIONS
async def test_pause_ends_the_run_and_the_deadline(
    app: App, before: str, version: int
) -> None:
    code = await new_check(app)
    await reach(app, code, before)
    await app.http.get(f"/ping/{code}/start")
    last_ping = (await get_check(app, code))["last_ping"]

    response = await app.api("POST", f"checks/{code}/pause", version=version)

    check = response.json()
    assert response.status_code == 200
    assert check == await get_check(app, code, version)
    assert (check["status"], check["started"]) == ("paused", False)
    assert (check["last_ping"], check["next_ping"]) == (last_ping, None)
    assert await app.checker.check_once(ago(days=-1000)) == 0


async def test_pause_of_a_paused_check_changes_nothing(app: App) -> None:
    code = await new_check(app)
    await change(app, code, "pause")
    await app.http.get(f"/ping/{code}/start")
    before = await get_check(app, code)

    again = await change(app, code, "pause")

    assert again == before == await get_check(app, code)
    assert again["started"] is True
    assert await flips_of(app, code) == [0]


@VERSIONS
async def test_resume_makes_a_paused_check_new(app: App, version: int) -> None:
    code = await new_check(app)
    await app.http.get(f"/ping/{code}")
    await change(app, code, "pause")
    await app.http.get(f"/ping/{code}/start")

    response = await app.api("POST", f"checks/{code}/resume", version=version)

    check = response.json()
    assert response.status_code == 200
    assert check == await get_check(app, code, version)
    assert (check["status"], check["started"], check["n_pings"]) == ("new", False, 2)
    assert (check["last_ping"], check["next_ping"]) == (None, None)
    assert await flips_of(app, code) == [1, 0, 0]


@pytest.mark.parametrize("status", ["new", "up", "down"])
@VERSIONS
async def test_only_a_paused_check_can_be_resumed(
    app: App, status: str, version: int
) -> None:
    code = await new_check(app)
    await reach(app, code, status)
    before = await get_check(app, code)

    response = await app.api("POST", f"checks/{code}/resume", version=version)

    assert (response.status_code, response.text) == (409, "check is not paused")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert await get_check(app, code) == before


@pytest.mark.parametrize(
    ("end", "status"), [("", "up"), ("/fail", "down"), ("/log", "paused")]
)
async def test_ping_resumes_a_paused_check(app: App, end: str, status: str) -> None:
    code = await new_check(app)
    await change(app, code, "pause")

    await app.http.get(f"/ping/{code}{end}")

    assert (await get_check(app, code))["status"] == status


@pytest.mark.parametrize(
    ("before", "waiting"), [("new", 0), ("paused", 0), ("down", 1)]
)
async def test_only_up_after_down_is_notified(
    app: App, before: str, waiting: int
) -> None:
    code = await new_check(app)
    await reach(app, code, before)
    await app.api("POST", f"checks/{code}", json={"channels": "*"})

    await app.http.get(f"/ping/{code}")

    assert await waiting_flips(app) == waiting


@pytest.mark.parametrize("before", ["new", "up", "paused"])
async def test_every_down_is_notified_and_pauses_are_not(app: App, before: str) -> None:
    code = await new_check(app, channels="*")
    await reach(app, code, before)
    quiet = await waiting_flips(app)

    await app.http.get(f"/ping/{code}/fail")
    down = await waiting_flips(app)
    await change(app, code, "pause")
    await change(app, code, "resume")

    assert (quiet, down, await waiting_flips(app)) == (0, 1, 1)


async def waiting_flips(app: App) -> int:
    """Return how many flips wait to be told, as metrics/ says."""
    response = await app.http.get(
        "/api/v3/metrics/", headers={"X-Metrics-Key": "m" * 20}
    )
    return int(response.json()["num_unprocessed_flips"])
