"""Make hcl's things of the rows that Healthchecks keeps."""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, get_args

from hcl.model import Action, Check, Flip, Kind, Ping, Reason, Status
from hcl.moving.healthchecks import columns
from hcl.moving.moved import MovedKey
from hcl.words.lengths import every

_PLAIN_KEY = 32
_HASHED_KEY = 73
_HASHED = re.compile(r".{8}\.[0-9a-fA-F]{64}", re.DOTALL)

# A year, in microseconds.
_LONGEST_NAG = 366 * 86400 * 1_000_000

# As many as hcl.toml takes.
_MOST_CHECKS = 1_000_000_000

# More than a check ever had; what is kept of a ping begins with it.
_LARGEST_N = 2**31

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
    if profile["reports"] not in ("off", "", None):
        often = columns.text(profile["reports"])
        yield (
            f"{owner} had {often} reports by mail: `[[projects.reports]]` sends such"
            " over a channel"
        )
    if 0 < (nag := columns.number(profile["nag_period"])) < _LONGEST_NAG:
        often = every(timedelta(microseconds=nag))
        yield (
            f"{owner} was reminded of what is down {often}: `remind_every` does that"
            " for a channel"
        )


def check_limit_of(profile: sqlite3.Row | None) -> int:
    """Return how many checks a project may have, as hcl.toml takes it; 0: as many."""
    limit = columns.number(profile["check_limit"]) if profile else 0
    return min(max(limit, 0), _MOST_CHECKS)


def keys_of(column: Any, access: Any) -> Iterator[MovedKey]:
    """Read the column of an API key: plain, or hashed behind its first 8 characters."""
    kept = columns.text(column)
    if len(kept) == _PLAIN_KEY and kept.isprintable():
        yield MovedKey(access, key=kept)
    elif len(kept) == _HASHED_KEY and _HASHED.fullmatch(kept):
        yield MovedKey(access, hmac=kept.partition(".")[2].lower())


def check_of(row: sqlite3.Row) -> Check:
    """Read a check; these raise ValueError, TypeError and OverflowError."""
    code = columns.code(row["code"])
    status, kind = row["status"], row["kind"]
    if status not in get_args(Status):
        raise ValueError(f"its status is {status!r}")
    if kind not in get_args(Kind):
        raise ValueError(f"its kind is {kind!r}")
    same: dict[str, Any] = {name: columns.text(row[name]) for name in columns.TEXTS}
    same["schedule"] = columns.schedule(row["schedule"])
    switches: dict[str, Any] = {name: bool(row[name]) for name in columns.SWITCHES}
    start = columns.heard(row["last_start"])
    took = columns.number(row["last_duration"], -1)
    return Check(
        id=row["id"],
        project_id=row["project_id"],
        code=code,
        badge_key=columns.code(row["badge_key"]) if row["badge_key"] else "",
        kind=kind,
        timeout=columns.length(row["timeout"], timedelta(days=1)),
        grace=columns.length(row["grace"], timedelta(hours=1)),
        status=status,
        n_pings=_n(columns.number(row["n_pings"])),
        last_ping=columns.heard(row["last_ping"]),
        last_start=start,
        last_start_rid=columns.rid(row["last_start_rid"]) if start else None,
        last_duration=timedelta(microseconds=took)
        if 0 <= took < _LONGEST_NAG
        else None,
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


def last_ns(
    check: Check, heard: Iterable[tuple[int, str]], moments: Sequence[datetime]
) -> list[int]:
    """Return for each moment the number of the last ping up to it.

    `heard` are numbers and moments of pings, oldest first: there may be millions.
    """
    # The text of a moment without a fraction sorts before the others of its second.
    kept = [moment.strftime("%Y-%m-%d %H:%M:%S.%f") for moment in moments]
    left = sorted(range(len(kept)), key=kept.__getitem__, reverse=True)
    first, last, found = None, None, dict[int, int | None]()
    for n, created in heard:
        while left and kept[left[-1]] < created:
            found[left.pop()] = last
        if first is None:
            first = n
        elif not left:
            break
        last = n
    found |= dict.fromkeys(left, last)

    def before(moment: datetime) -> int:
        if first is not None:
            return max(first - 1, 0)
        at = check.last_ping
        return check.n_pings if at is not None and moment >= at else 0

    numbers = [found[index] for index in range(len(kept))]
    return [
        before(moment) if n is None else n
        for n, moment in zip(numbers, moments, strict=True)
    ]


def ping_of(row: sqlite3.Row) -> Ping:
    """Read a ping."""
    created = columns.moment(row["created"])
    if created is None:
        raise ValueError("has no time")
    body = row["body_raw"]
    if body is None:
        body = row["body"] or b""
    return Ping(
        n=_n(int(row["n"])),
        created=created,
        action=_ACTIONS.get(row["kind"], "log"),
        scheme=columns.text(row["scheme"]) or "http",
        remote_addr=columns.text(row["remote_addr"]),
        method=columns.text(row["method"]),
        ua=columns.text(row["ua"]),
        rid=columns.rid(row["rid"]),
        exitstatus=row["exitstatus"] if isinstance(row["exitstatus"], int) else None,
        body=body if isinstance(body, bytes) else columns.text(body).encode(),
    )


def _n(number: int) -> int:
    if not 0 <= number < _LARGEST_N:
        raise ValueError(f"{number} is no number of a ping")
    return number
