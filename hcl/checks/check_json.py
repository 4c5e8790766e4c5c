"""A check as clients of the Management API see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from hcl.checks import rules, schedule
from hcl.model import Check


@dataclass(frozen=True, slots=True)
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


def check_json(
    check: Check,
    *,
    site: Site,
    channels: Sequence[str],
    version: int,
    readonly: bool,
    now: datetime,
) -> dict[str, Any]:
    """Describe a check to a client of API `version`.

    `channels` holds the codes of its channels. Source: the Management API's documents,
    and the order of Healthchecks' answers.
    """
    document: dict[str, Any] = {
        "name": check.name,
        "slug": check.slug,
        "tags": check.tags,
        "desc": check.desc,
        "grace": int(check.grace.total_seconds()),
        "n_pings": check.n_pings,
        "status": _status(check, version, now),
        "started": check.last_start is not None,
        "last_ping": iso(check.last_ping),
        # Grace starts a grace before the deadline, so no schedule is worked out here.
        "next_ping": iso(check.alert_after and check.alert_after - check.grace),
        "manual_resume": check.manual_resume,
        "methods": check.methods,
        "subject": check.success_kw if check.filter_subject else "",
        "subject_fail": check.failure_kw if check.filter_subject else "",
        "start_kw": check.start_kw,
        "success_kw": check.success_kw,
        "failure_kw": check.failure_kw,
        "filter_subject": check.filter_subject,
        "filter_body": check.filter_body,
        "filter_http_body": check.filter_http_body,
        "filter_default_fail": check.filter_default_fail,
        "badge_url": f"{site.root}/b/2/{check.badge_key}.svg",
    }
    if check.last_duration is not None:
        document["last_duration"] = int(check.last_duration.total_seconds())
    if readonly:
        document["unique_key"] = check.unique_key
    else:
        document.update(_private(check, site, channels, version))
    document.update(_due(check))
    # No client of Healthchecks knows it: only there where it says something.
    if version >= 3 and check.is_muted(now):
        document["muted_until"] = iso(check.muted_until)
    return document


def _due(check: Check) -> dict[str, Any]:
    if check.kind == "simple":
        return {"timeout": int(check.timeout.total_seconds())}
    return {"schedule": check.schedule, "tz": check.tz}


def _private(
    check: Check, site: Site, channels: Sequence[str], version: int
) -> dict[str, str]:
    url = f"{site.root}/api/v{version}/checks/{check.code}"
    return {
        "uuid": check.code,
        "ping_url": site.ping(check.code),
        "update_url": url,
        "pause_url": f"{url}/pause",
        "resume_url": f"{url}/resume",
        "channels": ",".join(sorted(channels)),
    }


def _status(check: Check, version: int, now: datetime) -> str:
    status = rules.shown_status(check, now)
    # As Healthchecks does: clients of v1 know no `started`, so the status says it.
    if version == 1 and check.last_start is not None:
        run = schedule.run_deadline(check)
        young = run is None or now < run
        return "started" if young else "down"
    return status


def iso(moment: datetime | None) -> str | None:
    """Write a moment as the API does: ISO 8601, whole seconds, +00:00."""
    return None if moment is None else moment.isoformat(timespec="seconds")
