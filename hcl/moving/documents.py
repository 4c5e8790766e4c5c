"""The document that hcl moves by: JSON Lines, one thing a line.

First a header; then all projects with their channels; then each check, followed by its
flips and its pings, oldest first; at last a line that says how many came before it, so
that half a document is known for one. What has its default value is left out. Bodies
that are UTF-8 stand there as text, others in Base64.
"""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_type_hints

from hcl import bounds
from hcl.config.settings import Window
from hcl.model import (
    LEFT,
    SETTINGS,
    STATE,
    Action,
    Check,
    Flip,
    Kind,
    Ping,
    Reason,
    Run,
    Status,
)
from hcl.moving.healthchecks import columns
from hcl.moving.moved import MovedChannel, MovedCheck, MovedFlip, MovedProject

VERSION = 1

# All of a check that has a default.
_FIELDS = (*SETTINGS, "muted_until", *STATE)

# Nobody reckons with what lies beyond. A clock that was never set begins with 1970, and
# what counted by the right one may lie a while before. An OnCalendar may wait for 2199,
# and grace and windows come after that.
_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)
# Windows may have put a check off for very long.
_LONGEST = timedelta(days=36525)
# More than there ever was of anything: the number of a ping has 32 bits of its key.
_MOST = 2**31

# Servers of other kinds may have other bounds.
_SETTINGS: dict[str, tuple[Any, Any]] = {
    "timeout": (bounds.SHORTEST, bounds.LONGEST),
    "grace": (bounds.SHORTEST, bounds.LONGEST),
    "max_run": (bounds.SHORTEST_RUN, bounds.LONGEST),
    "min_run": (bounds.SHORTEST_RUN, bounds.LONGEST),
    "early": (timedelta(0), bounds.EARLIEST),
    "down_after": (1, bounds.MOST_OUTCOMES),
}

_DEFAULTS = Check._field_defaults
_HINTS = get_type_hints(Check)
_LITERALS: dict[Any, tuple[str, ...]] = {
    kind: get_args(kind) for kind in (Kind, Status, Action, Reason)
}


def line(document: Mapping[str, Any]) -> str:
    """Write a document in a line."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def header(made_by: str, as_of: datetime) -> str:
    """Write the first line: who wrote the document, and until when it tells."""
    return line(
        {
            "type": "hcl",
            "version": VERSION,
            "made_by": made_by,
            "as_of": as_of.isoformat(),
        }
    )


def end(lines: int) -> str:
    """Write the last line; `lines` stand before it."""
    return line({"type": "end", "lines": lines})


def project(of: MovedProject) -> str:
    """Write a project with its channels, but no secrets."""
    document: dict[str, Any] = {
        "type": "project",
        "id": of.code,
        "name": of.name,
        "badge_key": of.badge_key,
        "check_limit": of.check_limit,
        "channels": [_channel(channel) for channel in of.channels],
    }
    if of.windows:
        document["windows"] = [_window(window) for window in of.windows]
    return line(document)


def _window(of: Window) -> dict[str, Any]:
    return {
        "reason": of.name,
        "tags": sorted(of.tags),
        "start": _written(of.start),
        "end": _written(of.end),
    }


def _channel(of: MovedChannel) -> dict[str, Any]:
    document: dict[str, Any] = {"id": of.code, "name": of.name, "kind": of.kind}
    if of.kind == "group":
        document["channels"] = (of.value or "").split(",")
    if of.events:
        document["events"] = list(of.events)
    return document


def check(of: MovedCheck, project_code: str) -> str:
    """Write a check with its state."""
    document: dict[str, Any] = {
        "type": "check",
        "id": of.check.code,
        "project": project_code,
        "badge_key": of.check.badge_key,
        "channels": sorted(of.channels),
    }
    for name in _FIELDS:
        value = getattr(of.check, name)
        if value != _DEFAULTS[name]:
            document[name] = _written(value)
    # What the file declares where it comes to is told by that file, but not what has
    # left one: else nothing would bring it back to life.
    if of.check.origin == LEFT:
        document["origin"] = LEFT
    return line(document)


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, tuple):
        return [[run.started.isoformat(), run.rid, run.is_told] for run in value]
    return value


def flip(of: MovedFlip) -> str:
    """Write a flip of the check before it."""
    document: dict[str, Any] = {
        "type": "flip",
        "at": of.flip.created.isoformat(),
        "from": of.flip.old_status,
        "to": of.flip.new_status,
        "n_pings": of.n_pings,
    }
    if of.flip.reason:
        document["reason"] = of.flip.reason
    if not of.is_told:
        document["is_told"] = False
    if of.untold:
        document["untold"] = list(of.untold)
    return line(document)


def ping(of: Ping) -> str:
    """Write a ping of the check before it."""
    document: dict[str, Any] = {
        "type": "ping",
        "n": of.n,
        "at": of.created.isoformat(),
        "action": of.action,
        "scheme": of.scheme,
    }
    for name in ("remote_addr", "method", "ua", "rid", "exitstatus"):
        value = getattr(of, name)
        if value not in ("", None):
            document[name] = value
    if of.body:
        try:
            document["body"] = of.body.decode()
        except UnicodeDecodeError:
            document["body_base64"] = base64.b64encode(of.body).decode()
    return line(document)


def read_project(document: Mapping[str, Any], id_: int) -> MovedProject:
    """Read a project; all these raise ValueError, KeyError and TypeError."""
    return MovedProject(
        id=id_,
        code=columns.code(document["id"]),
        name=_text(document["name"]),
        badge_key=_text(document.get("badge_key", "")),
        check_limit=int(document.get("check_limit", 0)),
        channels=[_read_channel(channel) for channel in document.get("channels", ())],
        windows=[_read_window(window) for window in document.get("windows", ())],
    )


def _read_window(document: Mapping[str, Any]) -> Window:
    return Window(
        _text(document.get("reason", "")),
        frozenset(map(_text, document.get("tags", ()))),
        start=moment(document["start"]),
        end=moment(document["end"]),
    )


def _read_channel(document: Mapping[str, Any]) -> MovedChannel:
    members = document.get("channels")
    return MovedChannel(
        code=columns.code(document["id"]),
        name=_text(document["name"]),
        kind=_text(document["kind"]),
        value=None if members is None else ",".join(map(_text, members)),
        events=tuple(map(_text, document.get("events", ()))),
    )


def read_check(document: Mapping[str, Any], project_id: int) -> MovedCheck:
    """Read a check; what is left out has its default."""
    named = {
        name: _bounded(name, _READERS[name](document[name]))
        for name in _FIELDS
        if name in document
    }
    moved = Check(
        0,
        project_id,
        columns.code(document["id"]),
        columns.code(document["badge_key"]) if document.get("badge_key") else "",
        LEFT if document.get("origin") == LEFT else "",
        **named,
    )
    channels = tuple(columns.code(code) for code in document.get("channels", ()))
    return MovedCheck(moved, channels)


def _bounded(name: str, value: Any) -> Any:
    """Bring what people set to what it may be here."""
    if value is None or name not in _SETTINGS:
        return value
    least, most = _SETTINGS[name]
    return min(max(value, least), most)


def read_flip(document: Mapping[str, Any]) -> MovedFlip:
    """Read a flip."""
    read = Flip(
        moment(document["at"]),
        _one_of(Status)(document["from"]),
        _one_of(Status)(document["to"]),
        _one_of(Reason)(document.get("reason", "")),
    )
    untold = tuple(columns.code(code) for code in document.get("untold", ()))
    is_told = _switch(document.get("is_told", True))
    return MovedFlip(read, _whole(document["n_pings"]), is_told, untold)


def read_ping(document: Mapping[str, Any]) -> Ping:
    """Read a ping."""
    get = document.get
    if "body_base64" in document:
        body = base64.b64decode(document["body_base64"], validate=True)
    else:
        body = get("body", "").encode()
    n, exitstatus = document["n"], get("exitstatus")
    if type(n) is not int or not 0 < n < _MOST:
        raise ValueError(f"n is {n!r}")
    if exitstatus is not None and (
        type(exitstatus) is not int or abs(exitstatus) > _MOST
    ):
        raise ValueError(f"exitstatus is {exitstatus!r}")
    return Ping(
        n,
        moment(document["at"]),
        _ACTION(document["action"]),
        _text(get("scheme", "http")),
        _text(get("remote_addr", "")),
        _text(get("method", "")),
        _text(get("ua", "")),
        columns.rid(get("rid")),
        exitstatus,
        body,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    # Half a character, which JSON can say, is nothing that can be kept.
    value.encode()
    return value


def moment(value: Any) -> datetime:
    """Read a moment; as what reads a project, it raises ValueError and TypeError."""
    read = datetime.fromisoformat(value)
    if read.tzinfo is None:
        raise ValueError(f"{value!r} has no zone")
    if not _FIRST <= read <= _LAST:
        raise ValueError(f"{value!r} is no moment of a log")
    return read.astimezone(UTC)


def _length(value: Any) -> timedelta:
    length = timedelta(seconds=float(value))
    if not timedelta(0) <= length <= _LONGEST:
        raise ValueError(f"{value!r} is no length of time")
    return length


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST:
        raise ValueError(f"{value!r} is no number of anything")
    return value


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _runs(value: Any) -> tuple[Run, ...]:
    return tuple(
        Run(moment(started), columns.rid(rid), _switch(is_told))
        for started, rid, is_told in value
    )


def _one_of(kind: Any) -> Callable[[Any], Any]:
    allowed = _LITERALS[kind]

    def read(value: Any) -> Any:
        if value not in allowed:
            raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
        return value

    return read


_ACTION = _one_of(Action)

_BY_TYPE: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (bool, _switch),
    (int, _whole),
    (str, _text),
    (timedelta, _length),
    (datetime, moment),
    (tuple[Run, ...], _runs),
)


def _reader(hint: Any) -> Callable[[Any], Any]:
    if hint in _LITERALS:
        return _one_of(hint)
    for kind, read in _BY_TYPE:
        if hint == kind:
            return read
        if hint == kind | None:
            return lambda value: None if value is None else read(value)
    raise TypeError(f"no check can be read with a field of {hint}")


_READERS = {name: _reader(_HINTS[name]) for name in _FIELDS}
_READERS["schedule"] = lambda value: columns.schedule(_text(value))


def examine(text: str) -> None:
    """See that a check, a flip or a ping can be read; raises as they do."""
    document = json.loads(text)
    if document["type"] == "check":
        read_check(document, 0)
    elif document["type"] == "flip":
        read_flip(document)
    elif document["type"] == "ping":
        read_ping(document)
