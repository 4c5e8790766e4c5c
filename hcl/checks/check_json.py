"""A check as clients of the Management API see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from json.encoder import encode_basestring_ascii as quoted
from urllib.parse import urlsplit

from hcl.checks import rules, schedule, spec
from hcl.model import DECLARED, Check


@dataclass(frozen=True)
class Site:
    """Where people and clients reach this server.

    `root` has no slash at its end, `ping_endpoint` has one.
    """

    root: str
    ping_endpoint: str

    @property
    def path(self) -> str:
        """The site's own path, which a proxy may have taken off; "" for most."""
        return urlsplit(self.root).path

    @property
    def ping_path(self) -> str:
        """What the paths of ping URLs begin with, as they are outside."""
        return urlsplit(self.ping_endpoint).path

    def inside(self, path: str) -> str:
        """Return where a path of hcl's is on its host, for links and redirects."""
        return self.path + path

    def ping(self, target: str) -> str:
        """Return what pings a check: its code, or a ping key and its slug."""
        return self.ping_endpoint + target

    @cached_property
    def quoted_root(self) -> str:
        """`root` as it stands within a string of JSON."""
        return quoted(self.root)[1:-1]

    @cached_property
    def quoted_ping_endpoint(self) -> str:
        """`ping_endpoint` as it stands within a string of JSON."""
        return quoted(self.ping_endpoint)[1:-1]


def check_json(
    check: Check,
    *,
    site: Site,
    channels: Sequence[str],
    version: int,
    readonly: bool,
    now: datetime,
    maintenance_until: datetime | None = None,
) -> str:
    """Describe a check to a client of API `version`: an object of JSON, as text.

    `maintenance_until`: until then windows are open that concern it; None: none is.
    `channels` holds the codes of its channels. Source: the Management API's documents,
    and the order of Healthchecks' answers.
    """
    # As Healthchecks does: ", " and ": " between the parts, and \\u for all that is not
    # ASCII, since scripts look for '"status": "up"'. It is written out here, since to
    # build a dict and have it encoded takes three times as long, for each of a list.
    is_finer = check.is_finer
    is_late_from = not is_finer and check.not_before is None
    due = check.late_from if is_late_from else schedule.next_ping(check)
    lasted, more = "", ""
    if check.last_duration is not None:
        lasted = f', "last_duration": {_whole(check.last_duration)}'
    if readonly:
        private = f', "unique_key": "{check.unique_key}"'
    else:
        private = _private(check, site, channels, version)
    if version >= 3:
        more = _hcls_own(check, version, now, maintenance_until, is_finer=is_finer)
    return (
        f'{{"name": {quoted(check.name)}, "slug": {quoted(check.slug)}'
        f', "tags": {quoted(check.tags)}, "desc": {quoted(check.desc)}'
        f', "grace": {_whole(check.grace)}, "n_pings": {check.n_pings}'
        f', "status": "{_status(check, version, now)}"'
        f', "started": {"false" if check.last_start is None else "true"}'
        f', "last_ping": {_moment(check.last_ping)}, "next_ping": {_moment(due)}'
        f', "manual_resume": {_BOOLEANS[check.manual_resume]}'
        f', "methods": {quoted(check.methods)}{_filters(check)}'
        f', "badge_url": "{site.quoted_root}/b/2/{check.badge_key}.svg"'
        f"{lasted}{private}{_due(check)}{more}}}"
    )


def _hcls_own(
    check: Check,
    version: int,
    now: datetime,
    maintenance_until: datetime | None,
    *,
    is_finer: bool,
) -> str:
    """Write what no client of Healthchecks knows, where it says something."""
    text = ""
    if check.muted_until is not None and check.is_muted(now):
        text += f', "muted_until": {_moment(check.muted_until)}'
    if check.origin == DECLARED:
        text += f', "origin": "{DECLARED}"'
    if maintenance_until is not None:
        text += f', "maintenance_until": {_moment(maintenance_until)}'
    if is_finer and version >= spec.FINER_VERSION:
        text += _finer(check)
    return text


def _finer(check: Check) -> str:
    """Write the rules that Healthchecks does not know, where they say something."""
    text = ""
    if check.max_run is not None:
        text += f', "max_run": {_whole(check.max_run)}'
    if check.min_run is not None:
        text += f', "min_run": {_whole(check.min_run)}'
    if check.down_after > 1:
        text += f', "down_after": {check.down_after}'
    if check.early:
        text += f', "early": {_whole(check.early)}'
    return text


_BOOLEANS = {True: "true", False: "false"}
_NO_FILTERS = (
    ', "subject": "", "subject_fail": "", "start_kw": "", "success_kw": ""'
    ', "failure_kw": "", "filter_subject": false, "filter_body": false'
    ', "filter_http_body": false, "filter_default_fail": false'
)


def _filters(check: Check) -> str:
    keywords = check.start_kw or check.success_kw or check.failure_kw
    filters = check.filter_subject or check.filter_body or check.filter_http_body
    if not (keywords or filters or check.filter_default_fail):
        return _NO_FILTERS
    by_subject = check.filter_subject
    return (
        f', "subject": {quoted(check.success_kw if by_subject else "")}'
        f', "subject_fail": {quoted(check.failure_kw if by_subject else "")}'
        f', "start_kw": {quoted(check.start_kw)}'
        f', "success_kw": {quoted(check.success_kw)}'
        f', "failure_kw": {quoted(check.failure_kw)}'
        f', "filter_subject": {_BOOLEANS[by_subject]}'
        f', "filter_body": {_BOOLEANS[check.filter_body]}'
        f', "filter_http_body": {_BOOLEANS[check.filter_http_body]}'
        f', "filter_default_fail": {_BOOLEANS[check.filter_default_fail]}'
    )


def _due(check: Check) -> str:
    if check.kind == "simple":
        return f', "timeout": {_whole(check.timeout)}'
    return f', "schedule": {quoted(check.schedule)}, "tz": {quoted(check.tz)}'


def _private(check: Check, site: Site, channels: Sequence[str], version: int) -> str:
    code = check.code
    url = f"{site.quoted_root}/api/v{version}/checks/{code}"
    codes = quoted(",".join(sorted(channels)))
    return (
        f', "uuid": "{code}", "ping_url": "{site.quoted_ping_endpoint}{code}"'
        f', "update_url": "{url}", "pause_url": "{url}/pause"'
        f', "resume_url": "{url}/resume", "channels": {codes}'
    )


@lru_cache(maxsize=1024)
def _whole(length: timedelta) -> str:
    return str(int(length.total_seconds()))


def _moment(moment: datetime | None) -> str:
    # As `iso` does, in half of the time.
    if moment is None:
        return "null"
    day, at = _day(moment.toordinal()), _TWO_DIGITS
    return f'"{day}T{at[moment.hour]}:{at[moment.minute]}:{at[moment.second]}+00:00"'


_TWO_DIGITS = [f"{number:02}" for number in range(60)]


@lru_cache(maxsize=1024)
def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def next_turn(check: Check, version: int, now: datetime) -> datetime | None:
    """Return until when a check is described alike, if nothing happens; None: for good.

    As `rules.next_turn` does, to a client of API `version`.
    """
    turn = rules.next_turn(check, now)
    if version > 1 or check.last_start is None:
        return turn
    run = _run_end(check)
    ends = (at for at in (turn, run) if at is not None and at > now)
    return min(ends, default=None)


def _status(check: Check, version: int, now: datetime) -> str:
    status = rules.shown_status(check, now)
    # As Healthchecks does: clients of v1 know no `started`, so the status says it.
    if version == 1 and check.last_start is not None:
        run = _run_end(check)
        young = run is None or now < run or rules.is_spared(check, now)
        return "started" if young else status
    return status


def _run_end(check: Check) -> datetime | None:
    """Return when a check is not `started` any more to v1; None: it may be for good."""
    if check.status == "down" and check.last_start is not None:
        # An absence may have let it have no end: nobody waits for one there.
        return check.last_start + check.run_limit
    return schedule.newest_end(check)


def iso(moment: datetime | None) -> str | None:
    """Write a moment as the API does: ISO 8601, whole seconds, +00:00."""
    return None if moment is None else moment.isoformat(timespec="seconds")
