"""What hcl.toml makes of a check that it declares; pure."""

from collections.abc import Mapping
from datetime import datetime

from hcl.checks import editing, rules, spec
from hcl.checks.deadlines import Transition
from hcl.model import DECLARED, LEFT, SETTINGS, Check, Flip, Reason, Status

# Fields that are kept though they do not count, since the check is of the other kind.
_KEPT: dict[str, tuple[str, ...]] = {
    "simple": ("schedule", "tz"),
    "cron": ("timeout",),
    "oncalendar": ("timeout",),
}


def as_declared(check: Check, fields: Mapping[str, object]) -> Check:
    """Return a check as the file has it: what that does not say has its default."""
    blank = rules.new_check(check.project_id, check.code, check.badge_key)
    wanted = editing.edited(blank, spec.parse(fields))
    settings = {name: getattr(wanted, name) for name in SETTINGS}
    kept = {name: getattr(check, name) for name in _KEPT[wanted.kind]}
    return check._replace(**(settings | kept), origin=DECLARED)


def changed(check: Check, declared: Check) -> list[str]:
    """Name the settings that are others in the file, as keys there are named."""
    names = [n for n in SETTINGS if getattr(check, n) != getattr(declared, n)]
    # No key of the file: the schedule or the timeout tells.
    return [_due(declared) if name == "kind" else name for name in names]


def _due(check: Check) -> str:
    return "timeout" if check.kind == "simple" else "schedule"


def on_pause(check: Check, now: datetime) -> Transition:
    """Pause a check as people do: it stays so, also if it is back in the file."""
    transition = rules.on_pause(check, now)
    if check.origin != LEFT:
        return transition
    return transition._replace(check=transition.check._replace(origin=""))


def on_left(check: Check, now: datetime) -> tuple[Check, Flip | None]:
    """Pause a check that left the file; what people have paused stays so for good."""
    if check.status == "paused":
        return check._replace(origin=""), None
    check, flip, *_ = rules.on_pause(check, now)
    return check._replace(origin=LEFT), flip


def on_back(
    check: Check,
    before: Status,
    now: datetime,
    *,
    reason: Reason = "",
    loose: bool = False,
) -> tuple[Check, Flip | None]:
    """Have a check that left the file live again; `before` is what it was then.

    What was up has a whole period from now on, and nobody is told again of what was
    down, for that `reason`: the flip is for the statistics.
    """
    check = check._replace(origin=DECLARED)
    if before not in ("up", "down"):
        check, flip, *_ = rules.on_resume(check, now)
        return check, flip
    counted_from = now if before == "up" else None
    check = check._replace(status=before, counted_from=counted_from)
    check = rules.on_edit(check, now, loose=loose).check
    return check, Flip(now, "paused", before, reason)
