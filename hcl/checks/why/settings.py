"""The settings that count for a check's status, in words; pure."""

from collections.abc import Iterator
from datetime import datetime

from hcl.checks import runs
from hcl.model import Check
from hcl.words.lengths import duration
from hcl.words.outcomes import finer_rules
from hcl.words.schedule import in_full


def rules_of(
    check: Check, now: datetime, *, in_window: bool, is_alone: bool
) -> Iterator[str]:
    """Name the settings that counted.

    `in_window`: it is in maintenance. `is_alone`: it has no channel that tells when it
    goes down.
    """
    grace = duration(check.grace)
    yield f"A ping is expected {in_full(check)}, with a grace of {grace}."
    if check.last_start is not None or check.open_runs or check.max_run is not None:
        yield f"A run has to end within {duration(check.run_limit)} of its start."
    yield from finer_rules(check)
    if runs.are_impossible(check):
        yield "No run can be right: what is not too short is too long."
    if check.methods == "POST":
        yield "Only pings by POST count."
    if check.filter_http_body or check.filter_body or check.filter_subject:
        otherwise = "a failure" if check.filter_default_fail else "ignored"
        yield f"Keywords decide what a ping is; without any it is {otherwise}."
    if check.status == "paused":
        resumes = "only somebody" if check.manual_resume else "a success or failure"
        yield f"While paused {resumes} resumes it."
    if check.is_muted(now):
        yield "It is muted: it is watched, and nobody is told."
    if in_window:
        yield "It is in maintenance: it is watched, and nobody is called down."
    if is_alone:
        yield "Nobody is told when it goes down: it has no channel for that."


def zone_of(check: Check, home: str) -> str:
    """Return the zone of a check's explanation; `home` is that of messages.

    That of its schedule. A period counts in none: UTC stands there if nobody chose one.
    """
    is_unset = check.kind == "simple" and check.tz == "UTC"
    return home if is_unset else check.tz
