"""Bad outcomes of a job that only finer rules know, as they are said to people."""

from collections.abc import Iterator
from datetime import datetime

from hcl.model import Check, Ping
from hcl.words.lengths import duration, exact
from hcl.words.lines import counted


def in_a_row(check: Check) -> str:
    """Say how many bad outcomes came of those that it takes: `2 of 3 bad outcomes`."""
    # More stand already where it takes fewer since.
    if check.down_after == 1 or check.bad_outcomes > check.down_after:
        return f"{counted(check.bad_outcomes, 'bad outcome')} in a row"
    return f"{check.bad_outcomes} of {check.down_after} bad outcomes in a row"


def then(check: Check) -> str:
    """Say what the next bad outcome means: `goes down`, or `bad outcome 2 of 3`."""
    if check.bad_outcomes + 1 >= check.down_after:
        return "goes down"
    return f"bad outcome {check.bad_outcomes + 1} of {check.down_after}"


def too_soon(check: Check, at: datetime) -> str:
    """Say how soon a run ended: `ended after 2 seconds, sooner than 1 minute`.

    `at`: with this ping. Its length is known unless another outcome came since.
    """
    took = check.last_duration if check.last_ping == at else None
    limit = f"sooner than {duration(check.min_run)}" if check.min_run else "too soon"
    if took is None:
        return f"ended {limit}"
    if check.min_run is not None and took >= check.min_run:
        # It was changed since.
        limit = "too soon"
    return f"ended after {exact(took)}, {limit}"


def named(rid: str | None) -> str:
    """Name a run by its rid, if it has one: ` (0f34…)`."""
    return f" ({rid})" if rid else ""


def finer_rules(check: Check) -> Iterator[str]:
    """Name the settings that Healthchecks does not know."""
    if check.min_run is not None:
        shortest = duration(check.min_run)
        yield f"A success that ends its run sooner than {shortest} counts as a failure."
    if check.down_after > 1:
        yield f"It takes {check.down_after} bad outcomes in a row to call it down."
    if check.early and check.kind != "simple":
        early = duration(check.early)
        yield f"A success up to {early} before an occurrence counts for that."


def failure(ping: Ping | None) -> str:
    """Say what a ping that failed told; None: that is not known."""
    if ping is None or ping.action != "fail":
        return "the job reported a failure"
    number = f"ping {ping.n}"
    if ping.exitstatus:
        return f"the job failed with exit status {ping.exitstatus} ({number})"
    return f"the job reported a failure ({number})"
