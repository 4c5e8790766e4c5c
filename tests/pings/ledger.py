"""What a server would keep that counts each ping at once and never stops."""

from datetime import datetime
from typing import Any

from hcl import store
from hcl.checks import rules
from hcl.checks.deadlines import Transition
from hcl.checks.editing import edited
from hcl.checks.spec import CheckSpec
from hcl.db import Database
from hcl.model import Check, Flip, Ping
from hcl.pings.arrival import Receipt, Target
from hcl.pings.batch import CREATE_FACTOR
from tests.app import PING_KEY
from tests.store import rows

# Flips that a check's channels hear of, by the row of the channel: see tests/app.py.
HEARD = {1: ("down", "up"), 2: ("down",)}


class Ledger:
    """The checks of the first project, each with its pings, flips and notifications."""

    def __init__(self, check_limit: int) -> None:
        self.checks: dict[int, Check] = {}
        self.logs: dict[int, list[Ping]] = {}
        self.flips: dict[int, list[tuple[Any, ...]]] = {}
        self.notifications: dict[int, list[tuple[Any, ...]]] = {}
        # Pings of deleted checks, whose ids nobody gets again.
        self.deleted = 0
        self._last_id = 0
        self._channels: dict[int, tuple[int, ...]] = {}
        self._limit = check_limit * CREATE_FACTOR

    def add(self, check: Check, *channel_ids: int) -> int:
        """Add a check under the next id, and return that."""
        self._last_id += 1
        self.checks[self._last_id] = check._replace(id=self._last_id)
        self.logs[self._last_id] = []
        self.flips[self._last_id] = []
        self.notifications[self._last_id] = []
        self._channels[self._last_id] = channel_ids
        return self._last_id

    def receive(self, address: Target, ping: Ping) -> Receipt:
        """Let one ping have its effect."""
        found = [c for c in self.checks.values() if _is_for(address, c)]
        receipt = Receipt.RECORDED
        if len(found) > 1:
            return Receipt.AMBIGUOUS
        if not found:
            if not address.create or len(self.checks) >= self._limit:
                return Receipt.UNKNOWN
            made = rules.new_check(1, "", "")
            made = made._replace(name=address.slug, slug=address.slug)
            found, receipt = [self.checks[self.add(made, 1, 2)]], Receipt.CREATED
        transition, kept = rules.on_ping(found[0], ping)
        self.logs[found[0].id].append(kept)
        self._take(transition)
        return receipt

    def edit(self, check: Check, wanted: CheckSpec, now: datetime) -> None:
        """Change the fields of a check."""
        self._take(rules.on_edit(edited(check, wanted), now))

    def pause(self, check: Check, now: datetime) -> None:
        """Pause a check."""
        self._take(rules.on_pause(check, now))

    def resume(self, check: Check, now: datetime) -> None:
        """Resume a check."""
        self._take(rules.on_resume(check, now))

    def delete(self, check: Check) -> None:
        """Delete a check and all that it has."""
        self.deleted += check.n_pings
        for kept in (self.checks, self.logs, self.flips, self.notifications):
            del kept[check.id]

    def check_once(self, now: datetime) -> int:
        """Flip what is overdue; return how many."""
        flipped = 0
        for check in list(self.checks.values()):
            if check.alert_after is not None and check.alert_after <= now:
                transition = rules.on_deadline(check, now)
                flipped += transition.flip is not None
                self._take(transition)
        return flipped

    async def adopt(self, database: Database) -> None:
        """Take over the codes of checks, which are made by chance."""
        for check in self.checks.values():
            found = await store.checks.by_id(database.committed, check.id)
            assert found is not None
            self.checks[check.id] = check._replace(
                code=found.code, badge_key=found.badge_key
            )

    def _take(self, transition: Transition) -> None:
        check, flip = transition.check, transition.flip
        self.checks[check.id] = check
        if flip is None:
            return
        self.flips[check.id].append(_row(flip, check.n_pings))
        self.notifications[check.id] += [
            (channel_id, *_row(flip, check.n_pings))
            for channel_id in self._channels[check.id]
            if flip.notifies and flip.new_status in HEARD[channel_id]
        ]


def _is_for(address: Target, check: Check) -> bool:
    if address.code:
        return check.code == address.code
    return (address.ping_key, address.slug) == (PING_KEY, check.slug)


def _row(flip: Flip, n_pings: int) -> tuple[Any, ...]:
    stamp = flip.created.timestamp()
    return (stamp, flip.old_status, flip.new_status, flip.reason, n_pings)


async def compare(database: Database, ledger: Ledger, log_limit: int) -> None:
    """Find in a database, whose states are saved, all that the ledger has."""
    found = await store.checks.of_project(database.committed, 1)
    assert {check.id: check for check in found} == ledger.checks
    for check_id, log in ledger.logs.items():
        await _compare_logs(database, check_id, log, log_limit)
        flip = "f.created, f.old_status, f.new_status, f.reason, f.n_pings"
        flips = f"SELECT {flip} FROM flips f WHERE check_id = ? ORDER BY id"
        assert await rows(database, flips, check_id) == ledger.flips[check_id]
        notifications = (
            f"SELECT channel_id, {flip} FROM notifications n JOIN flips f"
            " ON f.id = n.flip_id WHERE n.check_id = ? ORDER BY n.id"
        )
        heard = await rows(database, notifications, check_id)
        assert heard == ledger.notifications[check_id]
    late = "SELECT * FROM check_states WHERE alert_after < coalesce(look_at, 1e999)"
    # Else a deadline might be missed.
    assert await rows(database, late) == []


async def _compare_logs(
    database: Database, check_id: int, log: list[Ping], log_limit: int
) -> None:
    found = await rows(
        database,
        "SELECT n, created, action, scheme, remote_addr, method, ua, rid, exitstatus,"
        " body FROM log WHERE check_id = ? ORDER BY n",
        check_id,
    )
    kept = [(ping.n, ping.created.timestamp(), *ping[2:]) for ping in log]
    assert [ping.n for ping in log] == list(range(1, len(log) + 1))
    assert found[-log_limit:] == kept[-log_limit:]
    # What is over the limit may be there still, or be gone already.
    assert found == [kept[row[0] - 1] for row in found]
    assert len({row[0] for row in found}) == len(found)
