"""How Healthchecks keeps what in SQLite, and what stands for missing columns."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hcl import bounds

# Columns of a check that are kept as hcl has them.
TEXTS = (
    "name",
    "slug",
    "tags",
    "desc",
    "schedule",
    "tz",
    "methods",
    "start_kw",
    "success_kw",
    "failure_kw",
)
SWITCHES = (
    "manual_resume",
    "filter_subject",
    "filter_body",
    "filter_http_body",
    "filter_default_fail",
)

# Where the newest moment of a database may stand.
MOMENTS = (
    ("api_ping", "created"),
    ("api_flip", "created"),
    ("api_check", "created"),
    ("api_check", "last_ping"),
    ("api_check", "last_start"),
    ("api_notification", "created"),
    ("api_channel", "last_notify"),
)

_NULL, _EMPTY, _NO = "NULL", "''", "0"

# Which columns are read of each table, with what stands in the place of a missing one.
WANTED: dict[str, dict[str, str]] = {
    "auth_user": {"id": _NULL, "username": _EMPTY, "email": _EMPTY},
    "accounts_profile": {
        "user_id": _NULL,
        "check_limit": _NO,
        "reports": "'off'",
        "nag_period": _NO,
    },
    "accounts_member": {"user_id": _NULL, "project_id": _NULL, "role": "'w'"},
    "accounts_project": {
        "id": _NULL,
        "code": _NULL,
        "name": _EMPTY,
        "owner_id": _NULL,
        "ping_key": _NULL,
        "badge_key": _NULL,
        "api_key": _EMPTY,
        "api_key_readonly": _EMPTY,
    },
    "api_channel": {
        "code": _NULL,
        "name": _EMPTY,
        "kind": _NULL,
        "value": _EMPTY,
        "disabled": _NO,
        "email_verified": "1",
    },
    "api_check": {
        "id": _NULL,
        "project_id": _NULL,
        "code": _NULL,
        "badge_key": _NULL,
        **dict.fromkeys(TEXTS, _EMPTY),
        "kind": "'simple'",
        "timeout": "86400000000",
        "grace": "3600000000",
        "schedule": "'* * * * *'",
        "tz": "'UTC'",
        **dict.fromkeys(SWITCHES, _NO),
        "status": "'new'",
        "n_pings": _NO,
        "last_ping": _NULL,
        "last_start": _NULL,
        "last_start_rid": _NULL,
        "last_duration": _NULL,
    },
    "api_flip": {
        "created": _NULL,
        "processed": _EMPTY,
        "old_status": _NULL,
        "new_status": _NULL,
        "reason": _EMPTY,
    },
    "api_ping": {
        "n": _NULL,
        "created": _NULL,
        "kind": _NULL,
        "scheme": "'http'",
        "remote_addr": _NULL,
        "method": _EMPTY,
        "ua": _EMPTY,
        "rid": _NULL,
        "exitstatus": _NULL,
        "body_raw": _NULL,
        "body": _NULL,
        "object_size": _NULL,
    },
}


# What an older version had in the place of a column, by the older ones that it takes.
_SUBJECT, _SUBJECT_FAIL = "coalesce(subject, '')", "coalesce(subject_fail, '')"
OLDER: dict[str, dict[str, tuple[tuple[set[str], str], ...]]] = {
    "accounts_member": {"role": (({"rw"}, "iif(rw, 'w', 'r')"),)},
    "accounts_profile": {
        "reports": (({"reports_allowed"}, "iif(reports_allowed, 'monthly', 'off')"),)
    },
    "api_check": {
        "success_kw": (({"subject"}, _SUBJECT),),
        "failure_kw": (({"subject_fail"}, _SUBJECT_FAIL),),
        "filter_subject": (
            ({"subject", "subject_fail"}, f"{_SUBJECT} || {_SUBJECT_FAIL} != ''"),
            ({"subject"}, f"{_SUBJECT} != ''"),
        ),
    },
}


def expressions(table: str, there: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the columns that are wanted of a table, each with the SQL that reads it."""
    older = OLDER.get(table, {})
    for name, default in WANTED[table].items():
        if name in there:
            yield name, f'"{name}"'
            continue
        ways = (sql for needed, sql in older.get(name, ()) if needed <= {*there})
        yield name, next(ways, default)


# There was no Healthchecks before, and nobody reckons with what lies beyond.
_FIRST, _LAST = datetime(2010, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def moment(kept: str | None) -> datetime | None:
    """Read a moment: text, in UTC. Raises ValueError."""
    if kept is None:
        return None
    # One with a zone is no moment of this column; astimezone would hide that.
    read = datetime.fromisoformat(kept).replace(tzinfo=UTC)
    if not _FIRST <= read <= _LAST:
        raise ValueError(f"{kept} is no moment of a log")
    return read


def text(kept: Any) -> str:
    """Read text; SQLite keeps anything in a column of any type."""
    if isinstance(kept, bytes):
        return kept.decode("utf-8", "replace")
    return "" if kept is None else str(kept)


# Five times what hcl and Healthchecks take.
_LONGEST_SCHEDULE = 5 * bounds.SCHEDULE_LENGTH


def schedule(kept: Any) -> str:
    """Read an expression. Raises ValueError for one far beyond what any server takes.

    Each ping asks when it fires next, and of thousands of lines that takes seconds.
    """
    read = text(kept)
    if len(read) > _LONGEST_SCHEDULE:
        raise ValueError(f"its schedule has {len(read):,} characters")
    return read


def number(kept: Any, default: int = 0) -> int:
    """Read a whole number, or the default where there is none."""
    return int(kept) if isinstance(kept, int | float) else default


def length(kept: Any, default: timedelta) -> timedelta:
    """Read a period or a grace: microseconds, within what either may be."""
    seconds = number(kept, -1) / 1_000_000
    if seconds < 0:
        return default
    shortest, longest = bounds.SHORTEST, bounds.LONGEST
    return max(shortest, timedelta(seconds=min(seconds, longest.total_seconds())))


def heard(kept: Any) -> datetime | None:
    """Read a moment of how a check fares; what is none was never."""
    try:
        return moment(kept)
    except (ValueError, TypeError):
        return None


def code(kept: Any) -> str:
    """Read a UUID: 32 hex digits, or text with hyphens. Raises ValueError."""
    digits = text(kept).replace("-", "").lower()
    if len(digits) != 32 or not set(digits) <= set("0123456789abcdef"):
        raise ValueError(f"{kept!r} is no UUID")
    return "-".join(
        (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    )


def rid(kept: str | None) -> str | None:
    """Read the UUID of a run, if there is one. Raises ValueError."""
    return code(kept) if kept else None
