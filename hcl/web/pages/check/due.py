"""When a check is due, and what its status means, in words; pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from hcl.checks import rules, schedule
from hcl.model import Check, Kind
from hcl.words.lengths import rough
from hcl.words.lines import clean, one_line
from hcl.words.moments import zone
from hcl.words.outcomes import in_a_row, then
from hcl.words.schedule import words_of

# So many of the next times are shown.
TIMES = 5


@dataclass(frozen=True, slots=True)
class Due:
    """What is due of a check.

    `words` say its schedule, `expression` as it was written ("" for simple).
    `expected` is when the next ping is, `deadline` when its next bad outcome is without
    one; None: never, or not yet known. `times` are the next moments of its schedule.
    `running` is how long the open run has taken, "" if none is. `then` is what the next
    bad outcome means. `problem`: the schedule fails.
    """

    words: str
    expression: str
    meaning: str
    expected: datetime | None
    deadline: datetime | None
    times: tuple[datetime, ...]
    running: str
    then: str = ""
    problem: str = ""


def due(check: Check, now: datetime) -> Due:
    """Work out what is due of a check."""
    times: list[datetime] = []
    expected, problem = None, ""
    try:
        if check.status == "up":
            expected = schedule.due_ping(check)
        if check.kind != "simple":
            times = schedule.next_occurrences(
                check.kind, check.schedule, check.tz, now, TIMES
            )
    except schedule.ScheduleError as error:
        problem = one_line(str(error))
    if expected is not None:
        # A success that came early has counted for one that is to come.
        times = [time for time in times if time >= expected]
    running = "" if check.last_start is None else rough(now - check.last_start)
    return Due(
        words=words_of(check) or _BY[check.kind],
        expression="" if check.kind == "simple" else clean(check.schedule).strip(),
        meaning=meaning(check, now),
        expected=expected,
        deadline=check.alert_after,
        times=tuple(times),
        running=running,
        then=then(check),
        problem=problem,
    )


# What has no words is called by its kind; its expression is shown below.
_BY: dict[Kind, str] = {"cron": "by a cron expression", "oncalendar": "by OnCalendar"}


def meaning(check: Check, now: datetime) -> str:
    """Say in a sentence what the check's status means for what comes next."""
    status = rules.shown_status(check, now)
    if status == "paused":
        then = (
            "Pings are ignored until somebody resumes it."
            if check.manual_resume
            else "The next success or failure ends the pause."
        )
        return f"Nothing is expected, and nobody is alerted. {then}"
    if status == "new":
        return "Waits for its first ping; until then it cannot be late."
    if status == "down":
        return "Comes up again with the next success."
    if status == "grace":
        if check.bad_outcomes:
            return f"Shown as late: {in_a_row(check)}."
        return "Late: the ping is overdue, but still within grace."
    return ""


def zone_of(check: Check) -> tzinfo:
    """Return a check's time zone; UTC if it is none any more."""
    return zone(check.tz) or UTC
