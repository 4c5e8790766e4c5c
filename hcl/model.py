"""The things hcl keeps: projects, checks, pings, flips, channels, notifications.

All are immutable. Check and Ping are named tuples, since each ping makes new ones: that
takes a fifth of the time of a frozen dataclass.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

Kind = Literal["simple", "cron", "oncalendar"]
Status = Literal["new", "up", "down", "paused"]
ShownStatus = Literal["new", "up", "grace", "down", "paused", "started"]
Action = Literal["success", "fail", "start", "log", "ign"]
Reason = Literal["", "fail", "timeout"]


@dataclass(frozen=True, slots=True)
class Project:
    """An owner of checks and channels, described in hcl.toml."""

    id: int
    code: str
    name: str
    ping_key: str
    badge_key: str
    check_limit: int


class Check(NamedTuple):
    """A job that is expected to ping on a schedule, and how it fares.

    `timeout` counts for the kind simple, `schedule` and `tz` for cron and oncalendar;
    all are kept whatever the kind. `last_start` is None when no run is open.
    `last_duration` is None when the last run's length is not known. `alert_after` is
    the moment the check goes down; None: it cannot go down by the passing of time.
    From `status` on the fields are its state, which `faring` changes.
    """

    id: int
    project_id: int
    code: str
    badge_key: str
    name: str
    slug: str
    tags: str
    desc: str
    kind: Kind
    timeout: timedelta
    grace: timedelta
    schedule: str
    tz: str
    methods: str
    manual_resume: bool
    start_kw: str
    success_kw: str
    failure_kw: str
    filter_subject: bool
    filter_body: bool
    filter_http_body: bool
    filter_default_fail: bool
    status: Status
    n_pings: int
    last_ping: datetime | None
    last_start: datetime | None
    last_start_rid: str | None
    last_duration: timedelta | None
    alert_after: datetime | None

    def faring(
        self,
        status: Status,
        n_pings: int,
        last_ping: datetime | None,
        last_start: datetime | None,
        last_start_rid: str | None,
        last_duration: timedelta | None,
        alert_after: datetime | None,
    ) -> "Check":
        """Return the check in another state; `_replace` takes three times as long."""
        state = (
            status,
            n_pings,
            last_ping,
            last_start,
            last_start_rid,
            last_duration,
            alert_after,
        )
        return Check._make(self[: -len(state)] + state)

    @property
    def unique_key(self) -> str:
        """Name the check for holders of a read-only key, who may not see its code."""
        # As Healthchecks does: clients build and compare this key themselves.
        return hashlib.sha1(
            self.code.replace("-", "")[:16].encode(), usedforsecurity=False
        ).hexdigest()

    @property
    def tag_list(self) -> list[str]:
        """Split the tags, which are separated by spaces."""
        return [tag for tag in map(str.strip, self.tags.split(" ")) if tag]

    @property
    def title(self) -> str:
        """Name the check for people: its name, or else its code."""
        return self.name or self.code


class Ping(NamedTuple):
    """One signal received for a check.

    `n` counts 1, 2, 3 … for each check. `action` is what it counted as, after filters.
    `rid` names the run, in lower case, None if the client gave none. `exitstatus` is
    None unless the URL bore one. `body` holds the kept bytes.
    """

    n: int
    created: datetime
    action: Action
    scheme: str
    remote_addr: str
    method: str
    ua: str
    rid: str | None
    exitstatus: int | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Flip:
    """A change of a check's stored status.

    `reason` is "" unless the check went down.
    """

    created: datetime
    old_status: Status
    new_status: Status
    reason: Reason

    @property
    def notifies(self) -> bool:
        """Tell whether channels hear of it: every down, and every up after a down."""
        if self.new_status == "up":
            return self.old_status == "down"
        return self.new_status == "down"


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach people, described in hcl.toml; the API calls it an integration."""

    id: int
    code: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Notification:
    """One message of one flip over one channel: a row of the outbox.

    `attempts` counts the failed tries so far.
    """

    id: int
    channel_id: int
    check_id: int
    flip_id: int
    created: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Alert:
    """All that a message can tell of one flip.

    `check` is the check as it is when the message is written; the status to report is
    the flip's. `ping` is the last ping up to the flip, None if there was none.
    `channels` holds the codes of the check's channels.
    """

    site_name: str
    project_name: str
    check: Check
    flip: Flip
    ping: Ping | None
    channels: tuple[str, ...]
