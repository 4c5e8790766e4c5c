"""Make hcl's things of the rows that Healthchecks keeps."""

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, get_args

from hcl.model import Action, Check, Flip, Kind, Ping, Reason, Status
from hcl.moving import columns
from hcl.moving.moved import MovedKey
from hcl.words.lengths import every

_PLAIN_KEY = 32
_HASHED_KEY = 73

_ACTIONS: dict[str | None, Action] = {
    None: "success",
    "": "success",
    **{action: action for action in get_args(Action)},
}


def text_of(raw: bytes) -> str:
    """Read text that may be no UTF-8 in a file that other programs wrote."""
    return raw.decode("utf-8", "replace")


def members_left(members: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Say who else saw a project: here they need a key."""
    for who, role in members:
        may, key = ("look at", "read-only") if role == "r" else ("change", "read-write")
        yield f"{who} could {may} it: give out a {key} API key"


def profile_left(owner: str, profile: sqlite3.Row | None) -> Iterator[str]:
    """Say what a project's owner was sent by mail beside alerts."""
    if profile is None:
        return
    if profile["reports"] not in ("off", None):
        yield f"{owner} had {profile['reports']} reports by mail"
    if profile["nag_period"]:
        often = every(timedelta(microseconds=profile["nag_period"]))
        yield (
            f"{owner} was reminded of what is down {often}: `remind_every` does that"
            " for a channel"
        )


def keys_of(kept: str | None, access: Any) -> Iterator[MovedKey]:
    """Read the column of an API key: plain, or hashed behind its first 8 characters."""
    if kept and len(kept) == _PLAIN_KEY:
        yield MovedKey(access, key=kept)
    elif kept and len(kept) == _HASHED_KEY:
        yield MovedKey(access, hmac=kept.partition(".")[2].lower())


def check_of(row: sqlite3.Row) -> Check:
    """Read a check; these raise ValueError, TypeError and OverflowError."""
    code = columns.code(row["code"])
    status, kind = row["status"], row["kind"]
    if status not in get_args(Status):
        raise ValueError(f"its status is {status!r}")
    if kind not in get_args(Kind):
        raise ValueError(f"its kind is {kind!r}")
    same: dict[str, Any] = {name: row[name] or "" for name in columns.TEXTS}
    switches: dict[str, Any] = {name: bool(row[name]) for name in columns.SWITCHES}
    start = columns.moment(row["last_start"])
    return Check(
        id=row["id"],
        project_id=row["project_id"],
        code=code,
        badge_key=columns.code(row["badge_key"]) if row["badge_key"] else "",
        kind=kind,
        timeout=timedelta(microseconds=row["timeout"]),
        grace=timedelta(microseconds=row["grace"]),
        status=status,
        n_pings=int(row["n_pings"]),
        last_ping=columns.moment(row["last_ping"]),
        last_start=start,
        last_start_rid=columns.rid(row["last_start_rid"]) if start else None,
        last_duration=None
        if row["last_duration"] is None
        else timedelta(microseconds=row["last_duration"]),
        **same,
        **switches,
    )


def flip_of(row: sqlite3.Row) -> Flip:
    """Read a flip."""
    created, old, new = (
        columns.moment(row["created"]),
        row["old_status"],
        row["new_status"],
    )
    statuses = get_args(Status)
    if created is None or old not in statuses or new not in statuses:
        raise ValueError("is no flip")
    reason: Reason = row["reason"] if row["reason"] in ("fail", "timeout") else ""
    return Flip(created, old, new, reason if new == "down" else "")


def last_n(
    check: Check, numbers: list[int], moments: list[str], created: datetime
) -> int:
    """Return the number of the last ping up to a moment."""
    # The text of a moment without a fraction sorts before the others of its second.
    kept = created.strftime("%Y-%m-%d %H:%M:%S.%f")
    at = bisect_right(moments, kept)
    if at:
        return numbers[at - 1]
    if numbers:
        return max(numbers[0] - 1, 0)
    heard = check.last_ping
    return check.n_pings if heard is not None and created >= heard else 0


def ping_of(row: sqlite3.Row) -> Ping:
    """Read a ping."""
    created = columns.moment(row["created"])
    if created is None:
        raise ValueError("has no time")
    body = row["body_raw"]
    if body is None:
        body = row["body"] or b""
    return Ping(
        n=int(row["n"]),
        created=created,
        action=_ACTIONS.get(row["kind"], "log"),
        scheme=row["scheme"] or "http",
        remote_addr=row["remote_addr"] or "",
        method=row["method"] or "",
        ua=row["ua"] or "",
        rid=columns.rid(row["rid"]),
        exitstatus=row["exitstatus"],
        body=body.encode() if isinstance(body, str) else bytes(body),
    )
