"""Fetch a project from a server by its API, into a document as `hcl export` writes.

So that a server which stops half way leaves nothing half-done here.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, cast

from hcl.clock import Clock
from hcl.config.settings import Window
from hcl.model import Check, Flip, Ping, Status, split_tags
from hcl.moving import documents
from hcl.moving.exported import Exported
from hcl.moving.healthchecks import columns
from hcl.moving.moved import (
    NO_CODE,
    MovedChannel,
    MovedCheck,
    MovedFlip,
    MovedKey,
    MovedProject,
    MovingError,
)
from hcl.moving.remote import Remote

_TELL_EVERY = 5.0
_FIVE_FIELDS = 5

# Where healthchecks.io is pinged: nobody else can have that name lead to their server.
_HOSTED = "hc-ping.com"

_SAME = (
    "name",
    "slug",
    "tags",
    "desc",
    "methods",
    "manual_resume",
    "start_kw",
    "success_kw",
    "failure_kw",
    "filter_subject",
    "filter_body",
    "filter_http_body",
    "filter_default_fail",
    "n_pings",
)


def fetch(
    url: str,
    api_key: str | None,
    names: Sequence[str],
    say: Callable[[str], None],
    ca_file: str = "",
) -> Exported:
    """Fetch the project that a key is for. Raises MovingError.

    It is called as the only one of `names`, or else by the server's host: the API does
    not tell its name. `ca_file` is whom it trusts besides the system's store.
    """
    api_key = (api_key or "").strip()
    if not api_key:
        raise MovingError(f"{url}: needs --api-key with a read-write key")
    if not (api_key.isascii() and api_key.isprintable()):
        # Else the way to the server says what it cannot send: the key.
        raise MovingError(f"{url}: the API key is none: write it as the server did")
    if len(names) > 1:
        raise MovingError(f"{url}: an API key is for one project: name one")
    with Remote(url, api_key, say, ca_file) as remote:
        lines = _lines(remote, names[0] if names else remote.host, say)
        fetched = Exported(_kept(lines), remote.root)
    # It works there: whoever has it goes on using it.
    fetched.projects[0].keys.append(MovedKey("read-write", key=api_key))
    fetched.remarks.append(
        f"what {remote.host} does not tell by its API: the project's name, id and"
        " keys, where channels lead, why checks went down, exit statuses, and all"
        " that is older than its log"
    )
    if remote.pinged_at == _HOSTED:
        fetched.remarks.append(
            f"where jobs ping: {_HOSTED} stays with its owner, so that their URLs have"
            " to name this server: docs/moving.md says how"
        )
    return fetched


def _kept(lines: Iterator[str]) -> BinaryIO:
    """Return lines as a document in a file that has no name: a kill leaves none."""
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - its reader closes it
        try:
            count = 0
            for line in lines:
                file.write(line.encode(errors="replace"))
                count += 1
            file.write(documents.end(count).encode())
            file.flush()
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise MovingError(
            f"{tempfile.tempdir or 'the system'}: what is fetched cannot be written:"
            f" {error.strerror}: make room, or let $TMPDIR name another folder;"
            " nothing was changed"
        ) from error
    return cast(BinaryIO, file)


def _lines(remote: Remote, name: str, say: Callable[[str], None]) -> Iterator[str]:
    told, now = time.monotonic(), Clock().now()
    checks = remote.checks()
    # Its moments are by its clock: by that of this machine all would seem to be late
    # that it has heard in time.
    as_of = min(now, remote.moment or now)
    yield documents.header(remote.root, as_of)
    with _making_sense(remote, "the project"):
        yield documents.project(_project(remote, name, len(checks)))
    for count, described in enumerate(checks):
        if time.monotonic() - told > _TELL_EVERY:
            told = time.monotonic()
            say(f"{count:,} of {len(checks):,} checks fetched")
        shown = described.get("uuid") or described.get("name")
        with _making_sense(remote, f"the check {shown}"):
            for line in _check(remote, described):
                # Here its check can be told, and later the line of a file that is gone.
                documents.examine(line)
                yield line


@contextmanager
def _making_sense(remote: Remote, what: str) -> Iterator[None]:
    """Tell in a line that a server says what cannot be."""
    try:
        yield
    except (
        LookupError,
        TypeError,
        ValueError,
        ArithmeticError,
        AttributeError,
    ) as error:
        raise MovingError(
            f"{remote.root}: tells something of {what} that makes no sense: {error}"
        ) from error


def _project(remote: Remote, name: str, checks: int) -> MovedProject:
    channels = [
        MovedChannel(columns.code(c["id"]), str(c.get("name") or ""), str(c["kind"]))
        for c in remote.things("channels/", "channels")
        if "id" in c and "kind" in c
    ]
    key = re.search(r"/badge/([^/]+)/", str(remote.badges().get("*", "")))
    return MovedProject(
        id=1,
        code=NO_CODE,
        name=name,
        badge_key=key[1] if key else "",
        channels=channels,
        # Those of its hcl.toml have no id: they are for the file here to say.
        windows=[_window(of) for of in remote.windows() if of.get("id")],
        checks=checks,
    )


def _window(described: dict[str, Any]) -> Window:
    return Window(
        str(described.get("reason") or ""),
        frozenset(split_tags(str(described.get("tags") or ""))),
        start=datetime.fromisoformat(described["start"]).astimezone(UTC),
        end=datetime.fromisoformat(described["end"]).astimezone(UTC),
    )


def _check(remote: Remote, described: dict[str, Any]) -> Iterator[str]:
    code = columns.code(described.get("uuid") or described["ping_url"][-36:])
    # All as it was when the checks were told: what came since comes whole next time.
    most = described.get("n_pings")
    pings = [p for p in _pings(remote, code) if most is None or p[0].n <= most]
    check = _state(_settings(code, described), described, pings)
    channels = tuple(filter(None, str(described.get("channels", "")).split(",")))
    yield documents.check(MovedCheck(check, channels), NO_CODE)
    told = remote.things(f"checks/{code}/flips/", "flips")
    then = remote.moment
    flips = [flip for flip in told if then is None or _changed(flip) <= then]
    for flip in _flips(flips, check, pings):
        yield documents.flip(flip)
    for ping, has_body in pings:
        body = remote.body(code, ping.n) if has_body else b""
        yield documents.ping(ping._replace(body=body))


def _settings(code: str, described: dict[str, Any]) -> Check:
    badge = re.search(r"/b/\d/([0-9a-f-]{36})\.", str(described.get("badge_url", "")))
    named = {name: described[name] for name in _SAME if name in described}
    check = Check(0, 0, code, badge[1] if badge else "", **named)
    check = _keywords(check, described)
    check = check._replace(grace=timedelta(seconds=described["grace"]))
    check = _finer(check, described)
    if "timeout" in described:
        return check._replace(timeout=timedelta(seconds=described["timeout"]))
    schedule = str(described["schedule"])
    is_cron = "\n" not in schedule and len(schedule.split()) == _FIVE_FIELDS
    return check._replace(
        kind="cron" if is_cron else "oncalendar",
        schedule=schedule,
        tz=str(described.get("tz") or "UTC"),
    )


def _keywords(check: Check, described: dict[str, Any]) -> Check:
    """Add keywords by the names that older servers alone have for them."""
    if "filter_subject" in described:
        return check
    success, failure = (
        str(described.get(n) or "") for n in ("subject", "subject_fail")
    )
    return check._replace(
        success_kw=success, failure_kw=failure, filter_subject=bool(success or failure)
    )


def _finer(check: Check, described: dict[str, Any]) -> Check:
    """Add the rules that only another hcl has."""
    lengths: dict[str, Any] = {
        name: timedelta(seconds=described[name])
        for name in ("max_run", "min_run", "early")
        if described.get(name)
    }
    down_after = described.get("down_after", check.down_after)
    muted = described.get("muted_until")
    until = datetime.fromisoformat(muted).astimezone(UTC) if muted else None
    return check._replace(down_after=down_after, muted_until=until, **lengths)


def _state(
    check: Check, described: dict[str, Any], pings: Sequence[tuple[Ping, bool]]
) -> Check:
    """Add how the check fares, to the second, or as its log has it."""
    status = described["status"]
    started = described.get("started", status == "started")
    if status in ("grace", "started"):
        status = "up" if described.get("last_ping") else "new"
    start = None
    for ping, _ in pings:
        if ping.action == "start":
            start = ping
    length = described.get("last_duration")
    return check._replace(
        status=status,
        last_ping=_exact(described.get("last_ping"), pings),
        last_start=start.created if started and start else None,
        last_start_rid=start.rid if started and start else None,
        last_duration=None if length is None else timedelta(seconds=length),
    )


def _exact(text: str | None, pings: Sequence[tuple[Ping, bool]]) -> datetime | None:
    """Return a moment that is told in whole seconds as the log has it."""
    if not text:
        return None
    told = datetime.fromisoformat(text).astimezone(UTC)
    for ping, _ in reversed(pings):
        if ping.created.replace(microsecond=0) == told.replace(microsecond=0):
            return ping.created
    return told


def _pings(remote: Remote, code: str) -> Iterator[tuple[Ping, bool]]:
    """Yield the pings in the log, oldest first, and whether each has a body."""
    for described in reversed(remote.things(f"checks/{code}/pings/", "pings")):
        yield (
            Ping(
                int(described["n"]),
                datetime.fromisoformat(described["date"]).astimezone(UTC),
                described["type"],
                described.get("scheme") or "http",
                described.get("remote_addr") or "",
                described.get("method") or "",
                described.get("ua") or "",
                described.get("rid"),
                None,
                b"",
            ),
            bool(described.get("body_url")),
        )


def _flips(
    described: Sequence[dict[str, Any]],
    check: Check,
    pings: Sequence[tuple[Ping, bool]],
) -> Iterator[MovedFlip]:
    """Yield the flips, oldest first: the API tells whether each was to up or not."""
    before: Status = "new"
    oldest_first = described[::-1]
    statuses = _statuses([bool(flip["up"]) for flip in oldest_first], check.status)
    for flip, after in zip(oldest_first, statuses, strict=True):
        created = _changed(flip)
        n = max((p.n for p, _ in pings if _is_by(p, created)), default=0)
        yield MovedFlip(Flip(created, before, after, ""), n)
        before = after


# What a check mostly becomes that does not come up. No flip is to what it was before:
# who is not up twice in a row was paused, or resumed, in between.
_NOT_UP: dict[Status, Status] = {
    "new": "down",
    "up": "down",
    "down": "paused",
    "paused": "new",
}


def _statuses(ups: Sequence[bool], now: Status) -> list[Status]:
    """Tell what each flip was to, of those that were to up or not; `now` is the last's.

    It is not if the check is up by now, which that flip was not to.
    """
    found: list[Status] = []
    for up in ups:
        before = found[-1] if found else "new"
        found.append("up" if up else _NOT_UP[before])
    if found and not ups[-1] and now != "up":
        found[-1] = now
        if found[-2:-1] not in ([], ["up"]):
            others: tuple[Status, ...] = ("paused", "down", "new")
            found[-2] = next(s for s in others if s not in (now, *found[-3:-2]))
    return found


def _changed(flip: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(flip["timestamp"]).astimezone(UTC)


def _is_by(ping: Ping, moment: datetime) -> bool:
    # Flips are told in whole seconds.
    return ping.created.replace(microsecond=0) <= moment
