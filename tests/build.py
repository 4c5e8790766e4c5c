"""Builders that tests share: a check and a ping of plain values, and one moment."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hcl.checks import rules
from hcl.model import Check, Ping

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)

_CHECK = rules.new_check(
    project_id=1,
    code="f618072a-7bde-4eee-af63-71a77c5723bc",
    badge_key="5b5cd5b5-3c5a-4f6e-8d6f-0b4d1a1c9a10",
)._replace(
    id=1,
)

_PING = Ping(
    n=0,
    created=NOW,
    action="success",
    scheme="http",
    remote_addr="192.0.2.1",
    method="GET",
    ua="curl/8.0",
    rid=None,
    exitstatus=None,
    body=b"",
)

# A ping with a value of its own in every field.
FULL_PING = Ping(
    n=1,
    created=NOW + MICROSECOND,
    action="fail",
    scheme="https",
    remote_addr="2001:db8::1",
    method="PUT",
    ua="curl €",
    rid="1a2b3c4d-0000-4000-8000-000000000000",
    exitstatus=255,
    body=b"\x00\xffbytes\n",
)


def utc(text: str) -> datetime:
    """Read a UTC moment written `2026-03-29 01:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def make_check(**overrides: Any) -> Check:
    """Make a new simple check, a day of timeout and an hour of grace, but for these."""
    return _CHECK._replace(**overrides)


def make_ping(**overrides: Any) -> Ping:
    """Make a success by GET at NOW, not yet numbered, but for these."""
    return _PING._replace(**overrides)
