"""Alerts and messages to write about, each part of which a test may replace."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hcl.model import Alert, Announcement, Check, Flip, Message, Ping
from tests.build import make_check, make_ping

NOW = datetime(2026, 1, 5, 4, 5, 6, 789000, tzinfo=UTC)
CODE = "7dd1b5a2-9f4b-4a3e-8d5a-0c9d3d0f2c11"
PROJECT = "b7bb0b3c-4d17-5b5c-9a3a-1f6f0d2f7c55"


def a_check(**changes: Any) -> Check:
    """Make a named simple check that is down."""
    values = {
        "code": CODE,
        "name": "Nightly backup",
        "slug": "nightly-backup",
        "tags": "prod db",
        "status": "down",
        "n_pings": 1234,
        "last_ping": NOW - timedelta(hours=25),
    }
    return make_check(**(values | changes))


def a_ping(**changes: Any) -> Ping:
    """Make a success of 25 hours ago."""
    values = {"n": 1234, "created": NOW - timedelta(hours=25), "ua": "curl/8.5.0"}
    return make_ping(**(values | changes))


def an_alert(
    *,
    ping: Ping | None = None,
    flip: Flip | None = None,
    earlier: tuple[Flip, ...] = (),
    reminder: int = 0,
    down_since: datetime | None = None,
    **check: Any,
) -> Alert:
    """Make an alert of five minutes ago; what else is given is of the check."""
    created = NOW - timedelta(minutes=5)
    return Alert(
        check=a_check(**check),
        flip=flip or Flip(created, "up", "down", "timeout"),
        ping=ping,
        channels=("b-channel", "a-channel"),
        earlier=earlier,
        reminder=reminder,
        down_since=down_since,
    )


def a_message(*alerts: Alert, **more: Any) -> Message:
    """Make a message of these alerts, or else of an alert."""
    values = {
        "site_name": "hcl",
        "site_root": "https://hcl.example.org",
        "project_name": "Home",
        "project_code": PROJECT,
    }
    return Message(alerts=alerts or (an_alert(),), **(values | more))


def an_announcement(**changes: Any) -> Message:
    """Make a message that concerns no check."""
    values: dict[str, Any] = {
        "project_id": 1,
        "created": NOW,
        "kind": "absence",
        "subject": "hcl was away from 03:50 to 04:05 UTC, 15 min",
        "story": ("It was not running.", "hcl cannot know of 1 check: a_b."),
        "id": 7,
    }
    told = Announcement(**(values | changes))
    return replace(a_message(), alerts=(), announcement=told)


FAILED = Flip(NOW - timedelta(minutes=5), "up", "down", "fail")
RECOVERED = Flip(NOW - timedelta(minutes=5), "down", "up", "")
