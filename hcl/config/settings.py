"""The settings that the rest of hcl is handed: one frozen class for each table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

from hcl.config.channels.kinds import Event, Settings

Network = IPv4Network | IPv6Network
Synchronous = Literal["full", "normal"]
Flips = Literal["object", "list"]
AfterAbsence = Literal["excuse", "alert"]
TestEvery = Literal["", "day", "week", "month"]
ReportEvery = Literal["day", "week", "month"]
Security = Literal["starttls", "tls", "none"]
Access = Literal["read-write", "read-only"]

# The most bytes of a mail that is taken; `SmtpdConfig.size_limit` of them are kept.
MAIL_LIMIT = 25_000_000


@dataclass(frozen=True, slots=True)
class HostPort:
    """A TCP address. `host` bears no brackets; port 0 lets the system choose."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class UnixPath:
    """A unix socket, whose peers count as trusted proxies."""

    path: Path


Listen = HostPort | UnixPath


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where hcl listens, and how people and clients reach it.

    `site_root` has no closing slash, `ping_endpoint` has one. An empty `secret` is made
    once and kept in the database.
    """

    listen: Listen
    site_root: str
    ping_endpoint: str
    site_name: str
    trusted_proxies: tuple[Network, ...]
    secret: str


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """Where the database is (an absolute path), and how hard it is synced."""

    path: Path
    synchronous: Synchronous


@dataclass(frozen=True, slots=True)
class PingsConfig:
    """How many bytes of a ping's body, and how many pings of a check are kept."""

    body_limit: int
    log_limit: int


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """How the API answers. `body_limit` is in bytes; an empty `metrics_key` is off."""

    flips: Flips
    body_limit: int
    metrics_key: str


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Who may read /metrics."""

    allow: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class UserConfig:
    """Somebody whom a proxy names, and what they may; `projects` empty: all."""

    name: str
    access: Access
    projects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The dashboard. `user_header` is the header that names the user, "" for none.

    `users` empty: whom a proxy names may do everything.
    """

    enabled: bool
    user_header: str
    users: tuple[UserConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class SmtpConfig:
    """How mail goes out; an empty `host` means that none can.

    `sender` is the key `from`: an address, bare or as `Name <address>`.
    """

    host: str
    port: int
    username: str
    password: str
    security: Security
    sender: str


@dataclass(frozen=True, slots=True)
class SmtpdConfig:
    """How pings come by mail; `listen` None: they do not.

    `tls_cert` and `tls_key` are both there or both None.
    """

    listen: Listen | None
    domain: str
    size_limit: int
    tls_cert: Path | None
    tls_key: Path | None


@dataclass(frozen=True, slots=True)
class AlertsConfig:
    """What holds for all alerts.

    `after_absence` tells what becomes of a check that may have pinged while hcl was not
    there: it is excused, or judged as if hcl had listened. `test_every` is how often
    each channel tells that it works; "": never. `tz` is the zone of moments in
    messages.
    """

    after_absence: AfterAbsence
    test_every: TestEvery = ""
    tz: str = "UTC"


@dataclass(frozen=True, slots=True)
class BackupConfig:
    """Where copies of the database go, how often, and how many are kept in a folder.

    `folder` None: hcl makes none by itself.
    """

    folder: Path | None
    second_folder: Path | None
    every: timedelta
    keep: int

    @property
    def folders(self) -> tuple[Path, ...]:
        """Return the folders that get a copy, each once."""
        named = filter(None, (self.folder, self.second_folder))
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True, slots=True)
class WatchdogConfig:
    """What hcl asks while it is well, and how often; "": nothing. The URL is secret."""

    url: str
    every: timedelta


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Whom hcl trusts where it connects to others.

    `ca_file` holds CAs in PEM form, which are trusted besides those of the system.
    """

    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class StandbyConfig:
    """What two machines need, of which one serves; all off by default.

    `socket` is that of Litestream here, `follow` the other machine's replica: a URL, or
    the path of a config of Litestream's. `fence` is the file that holds the epoch, or
    `fence_read` and `fence_write` are the commands for it; "" or None: there is none.
    """

    socket: Path | None = None
    follow: str = ""
    fence: Path | None = None
    fence_read: str = ""
    fence_write: str = ""

    @property
    def has_fence(self) -> bool:
        """Tell whether an epoch is kept beside the replica."""
        return self.fence is not None or bool(self.fence_read)


@dataclass(frozen=True, slots=True)
class KeyConfig:
    """An API key, known by the hex SHA-256 of its UTF-8 bytes.

    If `is_hmac`, by their HMAC-SHA256 with the project's `healthchecks_secret`.
    `projects` names others that it opens too, on pages and for Prometheus.
    """

    name: str
    sha256: str
    access: Access
    is_hmac: bool = False
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When nothing is sent, each day from `start` to `end` in the zone `tz`.

    An `end` before the start is on the next day.
    """

    start: time
    end: time
    tz: str


@dataclass(frozen=True, slots=True)
class Calm:
    """How much is told, and when. None: not said here; a length of 0: not at all.

    `remind_every` is how often a message is repeated while a check is down, `delay` how
    long it has to be down before anything is told. `urgent`: quiet hours do not count.
    """

    remind_every: timedelta | None = None
    delay: timedelta | None = None
    quiet_hours: QuietHours | None = None
    urgent: bool | None = None


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """A way to reach people. `id` is a UUID in lower case.

    Flips that come within `fold` of each other go out as one message; 0: each has its
    own. `fallback` is the id of the channel that gets what this one cannot deliver.
    One that is not `enabled` tells of nothing.
    """

    id: str
    name: str
    kind: str
    events: frozenset[Event]
    settings: Settings
    calm: Calm = Calm()
    fold: timedelta = timedelta(0)
    fallback: str | None = None
    enabled: bool = True

    def tells_of(self, event: Event) -> bool:
        """Tell whether it has something to send for an event."""
        return self.enabled and event in self.events and self.settings.tells_of(event)

    @property
    def place(self) -> str:
        """Say where its messages go, without what is secret; "" of a group."""
        return self.settings.place(self.kind)


@dataclass(frozen=True, slots=True)
class TagConfig:
    """What is different for checks with a tag; it wins over what their channels say."""

    tag: str
    calm: Calm


@dataclass(frozen=True, slots=True)
class Window:
    """When nobody is called down, for maintenance.

    `tags` empty: of all checks; else of those that have one of them. By a `schedule`,
    cron or OnCalendar in the zone `tz`, it opens each time for `length`; without one,
    once, from `start` to `end`. `id` is that of its row if it was opened by hand, 0 if
    it stands in hcl.toml. `name` may be empty for one by hand.
    """

    name: str
    tags: frozenset[str] = frozenset()
    schedule: str = ""
    tz: str = "UTC"
    length: timedelta = timedelta(0)
    start: datetime | None = None
    end: datetime | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """A check that is declared in the file.

    `fields` are those of the API's v3, lengths in seconds, but for `channels`: these
    are ids; None: all of the project. `typed` is the schedule as it was pasted, where
    that is stored as another; "": as it is.
    """

    slug: str
    fields: Mapping[str, object]
    channels: tuple[str, ...] | None
    typed: str = ""


@dataclass(frozen=True, slots=True)
class PageConfig:
    """A page for others; `tags` empty: of all checks, else of those with one of them.

    No two of the whole file have the same `slug`.
    """

    slug: str
    title: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportConfig:
    """A report, and when it is due: `at`, by the clock of `tz` ("": that of messages).

    `day` is that of the week, 0 for Monday, or of the month; of a daily one it says
    nothing. `channels` are ids. `tags` empty: of all checks. `quiet`: it does not come
    if there is nothing to say.
    """

    every: ReportEvery
    at: time
    day: int
    tz: str
    channels: tuple[str, ...]
    tags: frozenset[str] = frozenset()
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """An owner of checks and channels. `id` is a UUID in lower case.

    `badge_key` None: it is made once and kept in the database. `healthchecks_secret` is
    that of the server that it moved from, "" for none: it checks keys and badges.
    """

    id: str
    name: str
    badge_key: str | None
    ping_key: str
    check_limit: int
    keys: tuple[KeyConfig, ...]
    channels: tuple[ChannelConfig, ...]
    tags: tuple[TagConfig, ...] = ()
    healthchecks_secret: str = ""
    checks: tuple[CheckConfig, ...] = ()
    maintenance: tuple[Window, ...] = ()
    pages: tuple[PageConfig, ...] = ()
    reports: tuple[ReportConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """All of hcl.toml. `path` is the file itself, absolute."""

    path: Path
    server: ServerConfig
    database: DatabaseConfig
    pings: PingsConfig
    api: ApiConfig
    metrics: MetricsConfig
    web: WebConfig
    smtp: SmtpConfig
    smtpd: SmtpdConfig
    alerts: AlertsConfig
    backup: BackupConfig
    watchdog: WatchdogConfig
    standby: StandbyConfig
    projects: tuple[ProjectConfig, ...]
    tls: TlsConfig = TlsConfig()
