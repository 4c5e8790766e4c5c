import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.checks import rules, spec
from hcl.checks.editing import edited
from hcl.model import Check, Ping
from hcl.pings.arrival import Receipt, Target
from tests.app import CONFIG, PING_KEY, App, running_app
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_ping
from tests.pings.crashes import crash
from tests.pings.ledger import Ledger, compare
from tests.store import change, pragma, put_check, rows, writer_of

CHECK_LIMIT = 4
SLUGS = ("a", "b", "c", "d")
RIDS = (None, None, *(f"{n}a2b3c4d-0000-4000-8000-000000000000" for n in range(2)))
BODIES = (b"", b"good", b"bad\xff", b"x" * 5000)
# Nothing is recorded of such a ping, nor of what is answered like this.
REFUSED = b"refused"
NOTHING = (Receipt.UNKNOWN, Receipt.AMBIGUOUS)
STEPS = (0, 0, 1, 30, 100, 3600, -300)
FIELDS: tuple[dict[str, Any], ...] = (
    *({"slug": slug} for slug in SLUGS),
    {"timeout": 60},
    {"timeout": 3600},
    {"grace": 60},
    {"grace": 3600},
    {"schedule": "*/5 * * * *", "tz": "Europe/Riga"},
    {"schedule": "hourly"},
    {"schedule": "2000-01-02 03:04"},
    {"methods": "POST"},
    {"methods": ""},
    {"manual_resume": True},
    {"manual_resume": False},
    {"filter_http_body": True, "success_kw": "good", "failure_kw": "bad"},
    {"filter_http_body": False},
    {"name": "renamed", "tags": "x y"},
    {"max_run": 20},
    {"max_run": 5000},
    {"max_run": None, "min_run": None},
    {"min_run": 50},
    {"down_after": 2},
    {"down_after": 3},
    {"down_after": 1},
    {"early": 200},
)


class Life:
    """A server's life, from one crash to the next: random steps, each told twice."""

    def __init__(self, app: App, ledger: Ledger, chance: random.Random) -> None:
        self._app = app
        self._ledger = ledger
        self._chance = chance
        self._project = app.synced.projects[0]
        self._managing = app.parts.managing

    async def step(self, now: datetime) -> None:
        """Do one thing, to the app and to the ledger."""
        steps: dict[Callable[[datetime], Awaitable[None]], int] = {
            self.ping: 14,
            self.ping_while_filing: 2,
            self.ping_in_vain: 1,
            self.look: 2,
            self.create: 1,
            self.edit: 2,
            self.pause_or_resume: 2,
            self.delete: 1,
            self.check_once: 3,
            self.file_once: 1,
            self.prune_once: 1,
        }
        (step,) = self._chance.choices(list(steps), list(steps.values()))
        await step(now)

    async def ping(self, now: datetime) -> None:
        """Let some pings arrive together."""
        arrivals = [
            (self._address(), self._ping(now + n * MICROSECOND))
            for n in range(self._chance.randint(1, 8))
        ]
        receive = self._app.parts.pinging.receive
        receipts = await asyncio.gather(
            *(receive(*each) for each in arrivals), return_exceptions=True
        )

        for receipt, (address, ping) in zip(receipts, arrivals, strict=True):
            if isinstance(receipt, sqlite3.IntegrityError):
                assert ping.body == REFUSED
            else:
                assert ping.body != REFUSED or receipt in NOTHING
                assert receipt == self._ledger.receive(address, ping)
        if Receipt.CREATED in receipts:
            await self._ledger.adopt(self._app.database)

    async def ping_in_vain(self, now: datetime) -> None:
        """Let pings arrive while another program has locked the database."""
        known = [Target(code=check.code) for check in self._ledger.checks.values()]
        receive = self._app.parts.pinging.receive
        with closing(sqlite3.connect(self._app.config.database.path)) as other:
            other.execute("BEGIN IMMEDIATE")
            receipts = await asyncio.gather(
                *(receive(address, self._ping(now)) for address in known),
                return_exceptions=True,
            )

        assert {str(receipt) for receipt in receipts} <= {"database is locked"}

    def _address(self) -> Target:
        if self._ledger.checks and self._chance.random() < 0.6:
            return Target(code=self._any().code)
        create = self._chance.random() < 0.3
        slug = self._chance.choice(SLUGS)
        return Target(ping_key=PING_KEY, slug=slug, create=create)

    def _ping(self, created: datetime) -> Ping:
        choice = self._chance.choice
        exitstatus = choice((None, None, None, 0, 1))
        body = REFUSED if self._chance.random() < 0.02 else choice(BODIES)
        action = choice(("success",) * 6 + ("start", "start", "log", "fail"))
        if exitstatus is not None:
            action = "fail" if exitstatus else "success"
        return make_ping(
            created=created,
            action=action,
            exitstatus=exitstatus,
            rid=choice(RIDS),
            method=choice(("GET", "POST")),
            body=body,
        )

    def _any(self) -> Check:
        return self._chance.choice(list(self._ledger.checks.values()))

    async def ping_while_filing(self, now: datetime) -> None:
        """Let pings come while others are filed."""
        filing = asyncio.create_task(self._app.filer.file_once())
        for _ in range(self._chance.randint(1, 4)):
            await self.ping(now)
        await filing

    async def look(self, _now: datetime) -> None:
        """Compare it all."""
        database = await self._app.database.current()
        await compare(self._app.database, self._ledger, self._app.filer.log_limit)
        counts = [check.n_pings for check in self._ledger.checks.values()]
        total = sum(counts) + self._ledger.deleted
        assert await store.pings.highest_id(database) == (total or None)

    async def create(self, now: datetime) -> None:
        """Create a check over the API."""
        if len(self._ledger.checks) >= CHECK_LIMIT:
            return
        document = self._chance.choice(FIELDS) | {"channels": "*"}
        wanted = spec.parse(document)
        await self._managing.create(self._project, wanted, now)
        check = rules.on_edit(edited(rules.new_check(1, "", ""), wanted), now).check
        self._ledger.add(check, 1, 2)
        await self._ledger.adopt(self._app.database)

    async def edit(self, now: datetime) -> None:
        """Change a check over the API."""
        if self._ledger.checks:
            check, wanted = self._any(), spec.parse(self._chance.choice(FIELDS))
            await self._managing.update(self._project, check.code, wanted, now)
            self._ledger.edit(check, wanted, now)

    async def pause_or_resume(self, now: datetime) -> None:
        """Pause a check, or resume it if it is paused."""
        if self._ledger.checks:
            check = self._any()
            if check.status == "paused":
                await self._managing.resume(self._project, check.code, now)
                self._ledger.resume(check, now)
            else:
                await self._managing.pause(self._project, check.code, now)
                self._ledger.pause(check, now)

    async def delete(self, _now: datetime) -> None:
        """Delete a check over the API."""
        if self._ledger.checks:
            check = self._any()
            await self._managing.delete(self._project, check.code)
            self._ledger.delete(check)

    async def check_once(self, now: datetime) -> None:
        """Look for missing pings."""
        flipped = await self._app.checker.check_once(now)
        assert flipped == self._ledger.check_once(now)

    async def file_once(self, _now: datetime) -> None:
        """File what is in the inbox."""
        await self._app.filer.file_once()

    async def prune_once(self, _now: datetime) -> None:
        """Delete what is too much."""
        await self._app.pruner.prune_once(self._app.clock.ran)

    async def end(self, now: datetime, folder: Path) -> None:
        """Crash, maybe in the middle of a filing or right after it."""
        writer = await writer_of(self._app.database)
        filing = asyncio.create_task(self._app.filer.file_once())
        when = self._chance.choice(("before", "amid", "after"))
        if when == "before":
            filing.cancel()
            await asyncio.wait([filing])
        await self.ping(now)
        if when == "after":
            await filing
        await crash(self._app, folder, writer)
        if when == "amid":
            await filing


@pytest.mark.parametrize("log_limit", [3, 1000])
@pytest.mark.parametrize("seed", range(10))
async def test_what_is_kept_is_what_a_server_keeps_that_never_crashed(
    tmp_path: Path, seed: int, log_limit: int
) -> None:
    chance, now = random.Random(seed), NOW
    ledger = Ledger(CHECK_LIMIT)
    text = CONFIG.replace("check_limit = 10", f"check_limit = {CHECK_LIMIT}")
    text += f"[pings]\nlog_limit = {log_limit}\n"
    folder = tmp_path / "0"
    folder.mkdir()
    async with running_app(folder, text) as app:
        await change(
            app.database,
            "CREATE TRIGGER picky BEFORE INSERT ON inbox"
            f" WHEN new.body = x'{REFUSED.hex()}' BEGIN SELECT raise(ABORT, 'no'); END",
        )

    for number in range(1, 7):
        async with running_app(folder, text) as app:
            await compare(app.database, ledger, log_limit)
            await pragma(app.database, "busy_timeout = 1")
            life = Life(app, ledger, chance)
            for _ in range(chance.randint(1, 40)):
                await life.step(now)
                now += timedelta(seconds=chance.choice(STEPS))
            folder = tmp_path / str(number)
            await life.end(now, folder)

    async with running_app(folder, text) as app:
        await compare(app.database, ledger, log_limit)
        await app.filer.file_once()
        await app.pruner.prune_once(app.clock.ran)
        await compare(app.database, ledger, log_limit)
        assert await rows(app.database, "SELECT id FROM inbox") == []


async def send(app: App, check: Check, *pings: Ping) -> None:
    address = Target(code=check.code)
    await asyncio.gather(*(app.parts.pinging.receive(address, p) for p in pings))


async def saved(app: App, check: Check) -> Check:
    found = await store.checks.by_id(app.database.committed, check.id)
    assert found is not None
    return found


async def test_ping_that_changes_no_status_is_counted_after_a_crash(
    app: App, tmp_path: Path
) -> None:
    check = await put_check(app.database, status="up", alert_after=NOW)
    await send(app, check, make_ping(), make_ping(action="log", created=NOW + HOUR))
    assert await saved(app, check) == check

    await crash(app, tmp_path / "after")

    async with running_app(tmp_path / "after") as after:
        assert await saved(after, check) == check._replace(
            n_pings=2, last_ping=NOW, alert_after=NOW + DAY + HOUR
        )


async def test_run_that_is_open_is_open_after_a_crash(app: App, tmp_path: Path) -> None:
    soon = NOW + HOUR
    check = await put_check(
        app.database, status="up", last_ping=NOW - DAY, alert_after=soon
    )
    await send(app, check, make_ping(action="start", rid="r"))
    assert (await saved(app, check)).last_start is None

    await crash(app, tmp_path / "after")

    async with running_app(tmp_path / "after") as after:
        found = await saved(after, check)
        assert (found.last_start, found.last_start_rid) == (NOW, "r")
        assert found.alert_after == soon
        await send(after, check, make_ping(created=soon, rid="r"))
        await after.database.current()
        assert (await saved(after, check)).last_duration == HOUR


async def test_check_that_pinged_before_a_crash_does_not_go_down_after_it(
    app: App, tmp_path: Path
) -> None:
    check = await put_check(
        app.database, 1, status="up", last_ping=NOW - DAY, alert_after=NOW + HOUR
    )
    await send(app, check, make_ping())

    await crash(app, tmp_path / "after")

    async with running_app(tmp_path / "after") as after:
        assert await after.checker.check_once(NOW + 2 * HOUR) == 0
        assert await after.checker.check_once(NOW + DAY + HOUR) == 1


async def test_pings_go_on_from_the_last_number_after_a_crash(
    app: App, tmp_path: Path
) -> None:
    check = await put_check(app.database)
    # The first flips it, the others wait in the inbox.
    await send(app, check, make_ping())
    await send(app, check, make_ping(), make_ping())

    await crash(app, tmp_path / "after")

    async with running_app(tmp_path / "after") as after:
        await send(after, check, make_ping(action="fail"), make_ping())
        assert await rows(after.database, "SELECT n FROM log ORDER BY n") == [
            *range(1, 6)
        ]
        assert (await saved(after, check)).n_pings == 5


async def test_recovering_twice_counts_nothing_twice(app: App, tmp_path: Path) -> None:
    check = await put_check(app.database, status="up", alert_after=NOW)
    await send(app, check, *[make_ping()] * 3)

    await crash(app, tmp_path / "1")
    async with running_app(tmp_path / "1") as first:
        await crash(first, tmp_path / "2")

    async with running_app(tmp_path / "2") as second:
        assert (await saved(second, check)).n_pings == 3
