"""Messages that wait, and what is planned for them."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from hcl.alerts.calm import Plan, plan
from hcl.config import (
    AppriseSettings,
    Calm,
    ChannelConfig,
    EmailSettings,
    GroupSettings,
    QuietHours,
    Settings,
    ShellSettings,
    WebhookSettings,
)
from hcl.model import Flip, Notification
from hcl.store.waiting import Waiting
from tests.build import HOUR, NOW

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
MAIL = ChannelConfig(
    id="b6f0a1c2-0000-4000-8000-000000000001",
    name="Mail",
    kind="email",
    events=frozenset(("down", "up")),
    settings=EmailSettings(("ops@example.org",)),
)
SETTINGS: dict[str, Settings] = {
    "apprise": AppriseSettings("json://host"),
    "email": MAIL.settings,
    "group": GroupSettings(("1",)),
    "ntfy": AppriseSettings("ntfy://host/topic"),
    "shell": ShellSettings("", ""),
    "webhook": WebhookSettings(None, None),
}
NIGHT = QuietHours(time(22), time(7), "UTC")

# NOW is noon; these hours are around it.
NOON = QuietHours(time(11), time(13), "UTC")
NOON_ENDS = NOW + HOUR


def channel(kind: str = "email", fold: timedelta = timedelta(0), **calm: Any) -> Any:
    return of_kind(replace(MAIL, fold=fold, calm=Calm(**calm)), kind)


def of_kind(config: ChannelConfig, kind: str) -> ChannelConfig:
    return replace(config, kind=kind, settings=SETTINGS[kind])


def row(id_: int, new_status: Any = "down", at: datetime = NOW, **more: Any) -> Waiting:
    """Make a message of a flip of its own that is due when it was written.

    `status`, `tags`, `channels` and `next_try` are those of Waiting; the rest is of the
    notification. A check that is not said to be anything else is as after this flip.
    """
    values: dict[str, Any] = {"check_id": 1, "flip_id": id_, "attempts": 0} | more
    next_try = values.pop("next_try", at)
    status = values.pop("status", new_status)
    tags = values.pop("tags", ())
    channels = values.pop("channels", frozenset({1}))
    notification = Notification(id=id_, channel_id=1, created=at, **values)
    old_status: Any = {"up": "down", "down": "up"}[new_status]
    flip = Flip(at, old_status, new_status, "fail" if new_status == "down" else "")
    return Waiting(notification, next_try, flip, 1, status, tags, channels)


def planned(
    config: ChannelConfig, *waiting: Waiting, now: datetime = NOW, **more: Any
) -> Plan:
    return plan(config, (), waiting, now, **({"ways": frozenset({1})} | more))


def ids(result: Plan) -> tuple[list[int], list[int], list[list[int]]]:
    """Return the ids of what is dropped, held, and sent together."""
    return (
        [notification.id for notification, _ in result.dropped],
        [notification.id for notification, _, _ in result.held],
        [[r.notification.id for r in bundle] for bundle in result.bundles],
    )


def sent(*bundles: list[int]) -> tuple[list[int], list[int], list[list[int]]]:
    return [], [], list(bundles)


def reminder(id_: int = 2, number: int = 1, **more: Any) -> Waiting:
    values: dict[str, Any] = {"flip_id": 1, "hold": "remind", "reminder": number} | more
    return row(id_, **values)


LATE = channel(delay=10 * MINUTE)
FOLD = channel(fold=MINUTE)
