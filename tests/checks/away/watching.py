"""The app by clocks that a test drives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hcl import store
from hcl.clock import Clock
from hcl.model import Check
from tests.app import CONFIG, App, running_app
from tests.build import DAY, HOUR, NOW, make_ping
from tests.clocks import Times
from tests.store import put_check, put_pings

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
YEAR = 365 * DAY


@asynccontextmanager
async def running(folder: Path, times: Times, text: str = CONFIG) -> AsyncIterator[App]:
    """Run the app by these times; whatever is waited for passes at once."""
    async with running_app(folder, text, clock=Clock(times)) as app:
        # Nothing waits to be let in.
        app.assembly.watch.quiet = app.assembly.watch.most_patience = 0.0
        yield app


async def up(app: App, heard: datetime, **overrides: Any) -> Check:
    """Put a check that is up: a period of a day, an hour of grace, heard once."""
    values = {
        "status": "up",
        "last_ping": heard,
        "n_pings": 1,
        "alert_after": heard + DAY + HOUR,
    }
    check = await put_check(app.database, 1, **(values | overrides))
    ping = make_ping(n=1, created=heard)
    await put_pings(app.database, (check.id, ping))
    return check


async def again(app: App, check: Check) -> Check:
    """Return a check as it is now."""
    found = await store.checks.by_id(await app.database.current(), check.id)
    assert found is not None
    return found


async def look(app: App) -> None:
    """Do what the checker does when it wakes."""
    await app.assembly.watch.look()
    if app.assembly.watch.may_call_down:
        await app.assembly.checker.check_once(app.clock.now())


async def due_soon(app: App) -> Check:
    """Put a check that goes down in six minutes, and look once."""
    times = {"timeout": 5 * MINUTE, "grace": MINUTE}
    check = await up(app, NOW, **times, alert_after=NOW + 6 * MINUTE)
    await look(app)
    return check


async def status(app: App, check: Check) -> str:
    """Return the status of a check that the API shows."""
    answer = await app.api("GET", f"checks/{check.code}")
    return str(answer.json()["status"])


async def pi(folder: Path, times: Times, heard: datetime, **overrides: Any) -> Check:
    """Run once with a right clock, and lose the power; the wall stands still."""
    async with running(folder, times) as app:
        check = await up(app, heard, **overrides)
        await look(app)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.synchronised = False
    return check
