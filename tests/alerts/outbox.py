"""An outbox in memory, for one channel, that does what `calm.plan` decides."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hcl.alerts.calm import Bundle, by_check, plan
from hcl.config import ChannelConfig
from hcl.model import Flip, Notification
from hcl.store.waiting import Waiting

PAUSE = timedelta(minutes=7)


class Outbox:
    """What waits, what was told, and how the checks fare that it tells of.

    `flips`, `pauses` and `told` are by check; `reminders` holds the numbers of those
    told since the last flip.
    """

    def __init__(self, channel: ChannelConfig, now: datetime) -> None:
        self.now = now
        self.rows: dict[int, Waiting] = {}
        self.status: dict[int, Any] = {}
        self.flips: dict[int, list[Flip]] = defaultdict(list)
        self.told: dict[int, list[Flip]] = defaultdict(list)
        self.reminders: dict[int, list[int]] = defaultdict(list)
        self.pauses: dict[int, list[datetime]] = defaultdict(list)
        self.false_reminders = 0
        self._channel = channel
        self._ids = 0
        self._newest_flip: dict[int, int] = {}

    def flip(self, check_id: int) -> None:
        """Let a check go down, or up if it is down."""
        # No two at the same moment, so that flips differ.
        self.now += timedelta(seconds=1)
        old = self.status.get(check_id, "up")
        new: Any = "up" if old == "down" else "down"
        flip = Flip(self.now, old, new, "")
        self.status[check_id] = new
        for id_, row in self.rows.items():
            n = row.notification
            if n.check_id == check_id:
                gathers = n.hold in ("fold", "quiet") and not n.attempts
                due = row.next_try if gathers else min(row.next_try, self.now)
                self.rows[id_] = row._replace(status=new, next_try=due)
        self._ids += 1
        self._newest_flip[check_id] = self._ids
        self.reminders[check_id] = []
        self.flips[check_id].append(flip)
        self._add(check_id, flip, self._ids, self.now)

    def pause(self, check_id: int) -> None:
        """Pause a check, and resume it."""
        self.now += timedelta(seconds=1)
        self.pauses[check_id].append(self.now)
        self.status[check_id] = "new"
        self._newest_flip[check_id] = 0
        for id_, row in self.rows.items():
            if row.notification.check_id == check_id:
                self.rows[id_] = row._replace(status="new")

    def send(self, *, works: bool) -> None:
        """Deliver what is due, until nothing is."""
        rounds = 0
        while waiting := self._due():
            rounds += 1
            assert rounds < 200, "it never ends"
            self._send_once(waiting, works)

    def _due(self) -> list[Waiting]:
        due = {
            row.notification.check_id
            for row in self.rows.values()
            if row.next_try <= self.now
        }
        return [row for row in self.rows.values() if row.notification.check_id in due]

    def _send_once(self, waiting: list[Waiting], works: bool) -> None:
        gathering = [
            row.next_try
            for row in self.rows.values()
            if row.notification.hold == "fold"
            and not row.notification.attempts
            and row.next_try > self.now
        ]
        result = plan(
            self._channel,
            (),
            waiting,
            self.now,
            ways=frozenset({1}),
            window_ends=min(gathering, default=None),
        )
        dropped = [n.id for n, _ in result.dropped]
        held = [n.id for n, _, _ in result.held]
        sent = [r.notification.id for bundle in result.bundles for r in bundle]
        once = [*dropped, *held, *sent]
        assert len(set(once)) == len(once)
        assert all(until > self.now for _, until, _ in result.held)
        # Of each check something becomes of what is due first.
        for rows in by_check(waiting):
            due = [r.notification.id for r in rows if r.next_try <= self.now]
            assert set(due) & set(once)
        for id_ in dropped:
            del self.rows[id_]
        for notification, until, why in result.held:
            row = self.rows[notification.id]
            self.rows[notification.id] = row._replace(
                notification=replace(row.notification, hold=why), next_try=until
            )
        for bundle in result.bundles:
            if works:
                self._delivered(bundle)
            else:
                self._failed(bundle)

    def _delivered(self, bundle: Bundle) -> None:
        for row in bundle:
            n = row.notification
            del self.rows[n.id]
            if n.reminder:
                self.reminders[n.check_id].append(n.reminder)
                self.false_reminders += self.status[n.check_id] != "down"
            else:
                self.told[n.check_id].append(row.flip)
            every = self._channel.calm.remind_every
            is_last = self._newest_flip[n.check_id] == n.flip_id
            if every and is_last and self.status[n.check_id] == "down":
                at = self.now + every
                self._add(n.check_id, row.flip, n.flip_id, at, n.reminder + 1)

    def _failed(self, bundle: Bundle) -> None:
        later = self.now + PAUSE
        for row in bundle:
            n = replace(row.notification, attempts=row.notification.attempts + 1)
            self.rows[n.id] = row._replace(notification=n, next_try=later)
        checks = {row.notification.check_id for row in bundle}
        for id_, row in self.rows.items():
            if row.notification.check_id in checks:
                self.rows[id_] = row._replace(next_try=max(row.next_try, later))

    def _add(
        self, check_id: int, flip: Flip, flip_id: int, at: datetime, reminder: int = 0
    ) -> None:
        self._ids += 1
        hold: Any = "remind" if reminder else ""
        notification = Notification(
            self._ids, 1, check_id, flip_id, self.now, 0, reminder, hold
        )
        status = self.status[check_id]
        self.rows[self._ids] = Waiting(
            notification, at, flip, 0, status, (), frozenset({1})
        )
