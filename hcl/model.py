"""The things hcl keeps: projects, checks, pings, flips, channels, notifications.

All are immutable. Check and Ping are named tuples, made in a fifth of the time.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

Kind = Literal["simple", "cron", "oncalendar"]
Status = Literal["new", "up", "down", "paused"]
ShownStatus = Literal["new", "up", "grace", "down", "paused", "started"]
Action = Literal["success", "fail", "start", "log", "ign"]
Reason = Literal["", "fail", "timeout", "missed", "overran", "short"]
Hold = Literal["", "delay", "remind", "quiet", "fold", "mute"]
AnnouncementKind = Literal[
    "absence", "reload", "restore", "backup", "test", "replication", "report", "damage"
]


@dataclass(frozen=True, slots=True)
class Project:
    """An owner of checks and channels, described in hcl.toml."""

    id: int
    code: str
    name: str
    ping_key: str
    badge_key: str
    check_limit: int


def split_tags(tags: str) -> list[str]:
    """Split the tags of a check, which are separated by spaces."""
    return [tag for tag in map(str.strip, tags.split(" ")) if tag]


# Where a check stands: in hcl.toml; or it did, and has been paused since it left the
# file. Else, "", it was made by the API, a ping or by hand.
DECLARED = "file"
LEFT = "left"


class Run(NamedTuple):
    """A run of a job that began and has not ended, as far as is known.

    `rid` is None if its start named none. `is_told`: it was too long, and that counted.
    """

    started: datetime
    rid: str | None
    is_told: bool = False


class Check(NamedTuple):
    """A job that is expected to ping on a schedule, and how it fares.

    `timeout` counts for the kind simple, `schedule` and `tz` for cron and oncalendar;
    all are kept whatever the kind. `last_start` is None when no run is open.
    `last_duration` is None when the last run's length is not known. `alert_after` is
    the moment the check goes down; None: it cannot go down by the passing of time.
    What an absence of hcl did: the expected ping counts from `counted_from` instead of
    `last_ping` where that is not None, so many absences `excused` it since it was heard
    last, it is not called down for missing `not_before` (None: at its deadline), and
    the open run has no deadline of its own if `run_excused`. Nobody is told before
    `muted_until`, which neither pings nor edits change; None: it was never muted.
    Maintenance windows have moved `alert_after` by `spared`. The lateness that began at
    `late_since` has been told, where anybody is told of that.
    `max_run` None: a run must end within grace; `min_run` None: none is too short. It
    goes down at `down_after` bad outcomes in a row, of which `bad_outcomes` came; was
    the last no ping, the expected one counts from `missed`. `open_runs` holds all that
    are open, the oldest first, of a check that `is_finer`.
    `origin` is DECLARED, LEFT or "".
    From `name` on the fields are what people set, from `status` on its state, which
    `faring` changes. The defaults are the API's. The store and the form take the fields
    from here, and what they are kept as from their types.
    """

    id: int
    project_id: int
    code: str
    badge_key: str
    origin: str = ""
    name: str = ""
    slug: str = ""
    tags: str = ""
    desc: str = ""
    kind: Kind = "simple"
    timeout: timedelta = timedelta(days=1)
    grace: timedelta = timedelta(hours=1)
    schedule: str = "* * * * *"
    tz: str = "UTC"
    methods: str = ""
    manual_resume: bool = False
    start_kw: str = ""
    success_kw: str = ""
    failure_kw: str = ""
    filter_subject: bool = False
    filter_body: bool = False
    filter_http_body: bool = False
    filter_default_fail: bool = False
    max_run: timedelta | None = None
    min_run: timedelta | None = None
    down_after: int = 1
    early: timedelta = timedelta(0)
    muted_until: datetime | None = None
    status: Status = "new"
    n_pings: int = 0
    last_ping: datetime | None = None
    last_start: datetime | None = None
    last_start_rid: str | None = None
    last_duration: timedelta | None = None
    alert_after: datetime | None = None
    counted_from: datetime | None = None
    excused: int = 0
    not_before: datetime | None = None
    run_excused: bool = False
    spared: timedelta = timedelta(0)
    late_since: datetime | None = None
    bad_outcomes: int = 0
    missed: datetime | None = None
    open_runs: tuple[Run, ...] = ()

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
        """Return the check as a success or fail leaves it: an absence is over.

        `_replace` takes three times as long.
        """
        state = (
            status,
            n_pings,
            last_ping,
            last_start,
            last_start_rid,
            last_duration,
            alert_after,
            *_HEARD,
        )
        return Check._make(self[: -len(state)] + state)

    @property
    def late_from(self) -> datetime | None:
        """When its grace begins, whatever maintenance does; None: it has no deadline.

        Of a check that `is_finer`, `schedule.next_ping` tells what the API calls so.
        """
        if self.alert_after is None:
            return None
        return self.alert_after - self.spared - self.grace

    @property
    def is_finer(self) -> bool:
        """Tell whether it has rules that Healthchecks does not know, or had.

        Then each of its open runs counts; else only the newest does.
        """
        # Each ping asks, and each check of a list: one look at all four is quickest.
        return self[_FINER] != _NOT_FINER or self.bad_outcomes != 0

    @property
    def run_limit(self) -> timedelta:
        """Return how long a run may take."""
        return self.grace if self.max_run is None else self.max_run

    @property
    def unique_key(self) -> str:
        """Name the check for holders of a read-only key, who may not see its code."""
        # As Healthchecks does: clients build and compare this key themselves.
        return hashlib.sha1(
            self.code.replace("-", "")[:16].encode(), usedforsecurity=False
        ).hexdigest()

    def is_muted(self, now: datetime) -> bool:
        """Tell whether nobody is told of the check."""
        return self.muted_until is not None and now < self.muted_until

    @property
    def tag_list(self) -> list[str]:
        """Split the tags."""
        return split_tags(self.tags)


# What absences and windows did to a check that has been heard since, and what went
# wrong before: nothing. No run is open.
_HEARD: tuple[None, int, None, bool, timedelta, None, int, None, tuple[Run, ...]] = (
    *(None, 0, None, False),
    *(timedelta(0), None),
    *(0, None, ()),
)

_FINER = slice(Check._fields.index("max_run"), Check._fields.index("early") + 1)
_NOT_FINER = (None, None, 1, timedelta(0))

_NAME, _MUTED = Check._fields.index("name"), Check._fields.index("muted_until")
_STATUS = _MUTED + 1
# What an edit of a check may change, and what pings, pauses and time change.
SETTINGS = Check._fields[_NAME:_MUTED]
STATE = Check._fields[_STATUS:]


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
    """A change of a check's stored status; `reason` is "" unless it went down."""

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
class Lateness:
    """When a check was late since, and when it pinged; `ended` None: it has not.

    Or when a slow run began and ended, where runs take `usual` by habit; so many
    `others` before it are told of with it.
    """

    began: datetime
    ended: datetime | None = None
    usual: timedelta | None = None
    others: int = 0


class Line(NamedTuple):
    """What a report tells of one check or channel, in words, and as a small chart.

    `code` is that of a check, "" of none. `cells` are parts of the time, each with how
    much of it the check was down, in per cent; -1: that is not known. `bar` is from 0
    to 1; None: there is none.
    """

    name: str
    text: str
    code: str = ""
    cells: tuple[int, ...] = ()
    bar: float | None = None


class Section(NamedTuple):
    """A part of a report; `more` lines were left out."""

    title: str
    lines: tuple[Line, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Announcement:
    """What hcl tells of itself: a line, and the paragraphs below it.

    `project_id` None: it concerns all projects. `id` 0: it is not kept yet. `sections`
    are of a report, for who has room: the first paragraph stands above them, and the
    others say the same in short.
    """

    project_id: int | None
    created: datetime
    kind: AnnouncementKind
    subject: str
    story: Sequence[str] = ()
    id: int = 0
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach people, described in hcl.toml; the API calls it an integration."""

    id: int
    code: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Notification:
    """One message of one flip, or of an announcement, over one channel.

    A row of the outbox. `check_id` and `flip_id` are 0 where it tells of hcl itself,
    `announcement_id` where it tells of a check. `attempts` counts the failed tries so
    far. `reminder` is 0 for the first message of a flip, then 1, 2 … `hold` tells why
    it was put off, "" if it was not. `notice` tells which channel could not deliver it,
    "" if it is the channel's own. `ran` is for how many seconds hcl had run when it was
    written: its age goes by that.
    """

    id: int
    channel_id: int
    check_id: int
    flip_id: int
    created: datetime
    attempts: int
    reminder: int = 0
    hold: Hold = ""
    notice: str = ""
    ran: float = 0.0
    announcement_id: int = 0

    @property
    def topic(self) -> int:
        """Tell apart what may go out side by side: one check's messages may not."""
        return self.check_id or -self.announcement_id


@dataclass(frozen=True, slots=True)
class Alert:
    """All that a message can tell of one check.

    `check` is the check as it is when the message is written; the status to report is
    that of `flip`, the newest that is told of. `earlier` holds the flips before it that
    this channel was not told of yet, oldest first; `later` those of which it does not
    tell by itself, and by which things are not as it tells. Of a `lateness` the flip
    says nothing. `reminder` is 1, 2 … if nothing has changed since the flip and the
    check is still down, else 0. `ping` is the last ping up to all flips (of a reminder:
    up to now), None if there was none. `down_since` is when the outage began that the
    flip starts or ends, None if it is not known. `channels` holds codes of channels.
    `mute_links`, if any, lead to where it is muted for so long. `home` is its zone.
    """

    check: Check
    flip: Flip
    ping: Ping | None
    channels: tuple[str, ...]
    earlier: tuple[Flip, ...] = ()
    later: tuple[Flip, ...] = ()
    reminder: int = 0
    down_since: datetime | None = None
    mute_links: tuple[tuple[timedelta, str], ...] = ()
    lateness: Lateness | None = None
    home: str = "UTC"

    @property
    def status(self) -> Literal["new", "up", "down", "paused", "late", "slow"]:
        """Name what is told: the status after the flip, or that it is late or slow."""
        if self.lateness is None:
            return (self.later or (self.flip,))[-1].new_status
        if self.lateness.usual is not None:
            return "slow"
        return "late" if self.lateness.ended is None else "up"


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out over one channel at a time.

    `alerts` holds one at least, each of another check, the oldest flip first; or none,
    and it tells of hcl itself, by `announcement`. `also_down` holds the titles of other
    checks of the project that are down, a few of them, of `also_down_count`. `notice`
    tells why a message of another channel comes over this one, "" for its own. Links
    begin with `site_root`, "": there are no pages; `project_code` leads to its project.
    """

    site_name: str
    site_root: str
    project_name: str
    alerts: tuple[Alert, ...]
    also_down: tuple[str, ...] = ()
    also_down_count: int = 0
    notice: str = ""
    announcement: Announcement | None = None
    project_code: str = ""
