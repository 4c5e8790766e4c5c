"""What hcl tells people about a flip, in words: for mail, chat and pages alike."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hcl.model import Action, Alert, Check, Ping

# How many bytes of a ping's body a message shows, counted from its end: that is where
# a job's last words are.
EXCERPT = 10_000
# Mail clients and phones show far less of a title than this.
LONGEST_TITLE = 200

_ACTIONS: dict[Action, str] = {
    "success": "success",
    "fail": "failure",
    "start": "start",
    "log": "log",
    "ign": "ignored",
}
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
# C0 and C1, and what turns the direction of the text around it: none may disguise
# what a message says.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def subject(alert: Alert) -> str:
    """Say in one line what happened: `DOWN: Nightly backup`."""
    title = one_line(alert.check.title)
    if len(title) > LONGEST_TITLE:
        title = title[: LONGEST_TITLE - 1] + "…"
    return f"{alert.flip.new_status.upper()}: {title}"


def reason(alert: Alert) -> str:
    """Say in one sentence why the status changed."""
    if alert.flip.new_status == "up":
        return "It pinged again."
    if alert.flip.reason == "fail":
        return _why_failed(alert.ping)
    if alert.flip.reason == "timeout":
        return _why_late(alert)
    return f"It is {alert.flip.new_status} now."


def _why_failed(ping: Ping | None) -> str:
    # A fail with exit status 0 comes from a filter or a URL, not from the status.
    if ping is not None and ping.exitstatus:
        return f"It ended with exit status {ping.exitstatus}."
    return "It signalled failure."


def _why_late(alert: Alert) -> str:
    check = alert.check
    grace = duration(check.grace)
    # The check may have been pinged since: a start that was not overdue at the flip
    # is a later run's.
    if check.last_start and check.last_start + check.grace <= alert.flip.created:
        began = moment(check.last_start, check.tz)
        return f"It started at {began} and did not finish within {grace}."
    expected = "expected" if check.kind == "simple" else "expected on schedule"
    when = f"{_schedule(check)}, with {grace} of grace"
    return f"No ping came in time: it was {expected} {when}."


def _schedule(check: Check) -> str:
    if check.kind == "simple":
        return f"every {duration(check.timeout)}"
    expression = "; ".join(filter(None, map(one_line, check.schedule.splitlines())))
    return f"{expression} ({one_line(check.tz)})"


def facts(alert: Alert, now: datetime) -> list[tuple[str, str]]:
    """List what is known of the check, as labels and values; what is empty is left out.

    Only the value of Description may have several lines.
    """
    check, flip = alert.check, alert.flip
    since = f"{moment(flip.created, check.tz)}, {ago(flip.created, now)}"
    schedule = f"{_schedule(check)}, with {duration(check.grace)} of grace"
    rows = [
        ("Status", f"{flip.new_status} since {since}"),
        ("Project", one_line(alert.project_name)),
        ("Tags", ", ".join(one_line(tag) for tag in check.tag_list)),
        ("Slug", one_line(check.slug)),
        ("Description", _clean(check.desc).strip()),
        ("Schedule", schedule),
        ("Last ping", _last_ping(alert, now)),
        ("Sent by", _sender(alert.ping)),
        ("Total pings", f"{check.n_pings:,}"),
    ]
    return [(label, value) for label, value in rows if value]


def _last_ping(alert: Alert, now: datetime) -> str:
    ping = alert.ping
    if ping is None:
        return "none is known"
    action = _ACTIONS[ping.action]
    if ping.exitstatus is not None:
        action += f" (exit status {ping.exitstatus})"
    when = moment(ping.created, alert.check.tz)
    return f"{action} at {when}, {ago(ping.created, now)}"


def _sender(ping: Ping | None) -> str:
    if ping is None:
        return ""
    ua = one_line(ping.ua)
    parts = (one_line(ping.remote_addr), ua and f"({ua[:LONGEST_TITLE]})")
    return " ".join(filter(None, parts))


def body_excerpt(ping: Ping | None) -> str:
    """Return the end of a ping's body as text, without control characters."""
    if ping is None:
        return ""
    kept = ping.body[-EXCERPT:]
    if len(kept) < len(ping.body):
        # The cut may go through a character: its remaining bytes say nothing.
        kept = kept[:4].lstrip(bytes(range(0x80, 0xC0))) + kept[4:]
    return _clean(kept.decode("utf-8", "replace"))


def duration(length: timedelta, units: int = len(_UNITS)) -> str:
    """Write a length of time in words: `1 hour 30 minutes`.

    `units` is how many units, counted from the largest one needed, are written.
    """
    left = max(0, int(length.total_seconds()))
    parts: list[tuple[int, str]] = []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count or parts:
            parts.append((count, unit))
    words = [
        f"{count:,} {unit}{'' if count == 1 else 's'}"
        for count, unit in parts[:units]
        if count
    ]
    return " ".join(words) or "0 seconds"


def ago(then: datetime, now: datetime) -> str:
    """Say roughly how long ago a moment was: `1 hour 30 minutes ago`."""
    # A clock that was set back is no reason to speak of the future.
    if now - then < timedelta(seconds=1):
        return "just now"
    return f"{duration(now - then, units=2)} ago"


def moment(when: datetime, tz: str = "UTC") -> str:
    """Write a moment in UTC, and in the zone `tz` too where that tells another time."""
    when = when.astimezone(UTC)
    text = f"{when:%Y-%m-%d %H:%M:%S} UTC"
    local = _local(when, tz)
    if local is None or not local.utcoffset():
        return text
    shown = "%H:%M:%S" if local.date() == when.date() else "%Y-%m-%d %H:%M:%S"
    return f"{text} ({local:{shown}} {one_line(tz)})"


def _local(when: datetime, tz: str) -> datetime | None:
    try:
        return when.astimezone(ZoneInfo(tz))
    # What ZoneInfo raises for names that are no zones; a directory's is an OSError.
    except (KeyError, ValueError, OSError):
        return None


def one_line(text: str) -> str:
    """Bring text into one line: runs of white space become one space."""
    return " ".join(filter(None, map(_clean, text.split())))


def _clean(text: str) -> str:
    """Drop control characters but line feed and tab."""
    return _CONTROL.sub("", text)
