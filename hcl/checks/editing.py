"""What an edit makes of a check, and what is different since somebody looked; pure."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hcl.checks import runs, schedule, spec
from hcl.checks.spec import CheckSpec, SpecError
from hcl.checks.windows import holding, late
from hcl.checks.windows.calendar import Calendar
from hcl.model import SETTINGS, Check

_COPY_SUFFIX = " (copy)"


def edited(check: Check, wanted: CheckSpec) -> Check:
    """Return the check with the fields that a request names.

    Raises SpecError if what it says of runs and what the check has go ill together.
    """
    changes = {
        name: value
        for name in SETTINGS
        if (value := getattr(wanted, name, None)) is not None
    }
    named = sorted(changes.keys() & {"max_run", "min_run"})
    for name in named:
        changes[name] = changes[name] or None
    renamed = wanted.name is not None and wanted.name != check.name
    if wanted.slug_follows_name and renamed and wanted.slug is None:
        changes["slug"] = spec.slugify(wanted.name or "")
    if wanted.schedule is not None:
        changes["kind"] = schedule.kind_of(wanted.schedule)
        # It wins over the period, which stays as it was.
        changes.pop("timeout", None)
    elif wanted.timeout is not None:
        changes["kind"] = "simple"
    after = check._replace(**(changes | _keywords(check, wanted)))
    # One that has been so before may keep it: an edit of its name is none of that. And
    # where grace is the limit, that may be what is edited next.
    if named and after.max_run is not None and runs.are_impossible(after):
        problem = _IMPOSSIBLE[named[0]]
        raise SpecError(named[0], problem, None)
    return after


# What a deadline is worked out from, but for how the check fares and windows.
_DUE = (
    *("kind", "timeout", "grace", "schedule", "tz"),
    *("max_run", "min_run", "down_after", "early"),
)


def moves_deadline(before: Check, after: Check) -> bool:
    """Tell whether an edit has to have the deadline worked out anew.

    Else it stays: a clock that was set has moved it, and a schedule that is read by
    that clock may call down too early who is in time. Scripts post the same each hour.
    """
    return any(getattr(before, name) != getattr(after, name) for name in _DUE)


def reckoned(
    before: Check,
    after: Check,
    now: datetime,
    calendar: Calendar | None,
    *,
    loose: bool = False,
) -> Check:
    """Return an edited check with its deadline of now; and late no more, if it is not.

    `calendar` as in `holding.held`, `loose` as in `schedule.expected_after`.
    """
    if moves_deadline(before, after):
        after = holding.edited(after, now, calendar, loose=loose)
    else:
        # Its tags may be others, and so its windows.
        after = holding.reckoned(after, now, calendar)
    return late.edited(before, after, now)


# Each by the field that was named, or came first.
_IMPOSSIBLE = {
    "max_run": "is less than min_run",
    "min_run": "is more than max_run",
}


def _keywords(check: Check, wanted: CheckSpec) -> dict[str, Any]:
    """Work out the keywords and filter_subject, old names and new.

    The old names (subject, subject_fail) turn the filter on or off; then the new ones
    win.
    """
    success, failure = check.success_kw, check.failure_kw
    filtering = check.filter_subject
    if wanted.subject is not None or wanted.subject_fail is not None:
        success = success if wanted.subject is None else wanted.subject
        failure = failure if wanted.subject_fail is None else wanted.subject_fail
        filtering = bool(success or failure)
    if wanted.success_kw is not None:
        success = wanted.success_kw
    if wanted.failure_kw is not None:
        failure = wanted.failure_kw
    if wanted.filter_subject is not None:
        filtering = wanted.filter_subject
    return {
        "success_kw": success,
        "failure_kw": failure,
        "filter_subject": filtering,
    }


def copied(check: Check, fresh: Check) -> Check:
    """Give a new check the settings of another, and a name that tells so.

    It has no slug, since a slug that two share leads to neither.
    """
    settings = {name: getattr(check, name) for name in SETTINGS}
    # A code stands for no name here: read-only keys see names.
    if check.name:
        kept = check.name[: spec.NAME_LENGTH - len(_COPY_SUFFIX)]
        settings["name"] = kept + _COPY_SUFFIX
    return fresh._replace(**(settings | {"slug": ""}))


def fingerprint(check: Check, codes: Sequence[str]) -> str:
    """Stand for all that an edit may change: a short digest of each, in order."""
    digests = [_digest(getattr(check, name)) for name in SETTINGS]
    return ".".join([*digests, seen_channels(codes)])


def seen_channels(codes: Sequence[str]) -> str:
    """Stand for the channels that a check uses."""
    return _digest(sorted(codes))


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]


def differences(seen: str, check: Check, codes: Sequence[str]) -> list[str]:
    """Name what is different from what a fingerprint stands for."""
    now = fingerprint(check, codes).split(".")
    before = seen.split(".")
    if len(before) != len(now):
        # It is of another version of hcl, or made up.
        before = [""] * len(now)
    names = (*SETTINGS, "channels")
    return [
        name for name, old, new in zip(names, before, now, strict=True) if old != new
    ]
