"""When schedules fire in a story, and which moments nobody can tell apart."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim
from oncalendar import OnCalendar

from tests.sim.clockwork import BEGAN

NEVER = float("inf")

# What nobody can tell apart: a look at a clock, and the next.
SLACK = 1.5

# So many seconds after a return all is judged at last: what waits is let in first.
PATIENCE = 13.0

# A step of the clock is noticed within a minute.
NOTICED = 65.0


def occurrences(schedule: str, tz: str, days: int) -> list[float]:
    """List when a schedule fires in a story, and a while before and after."""
    # Of few lengths, so that stories of several have one list.
    return _occurrences(schedule, tz, -(-days // 600) * 600)


@cache
def _occurrences(schedule: str, tz: str, days: int) -> list[float]:
    start = datetime.fromtimestamp(BEGAN, UTC) - timedelta(days=40)
    local = start.astimezone(ZoneInfo(tz))
    simple = len(schedule.split()) == 5 and "\n" not in schedule
    moments = CronSim(schedule, local) if simple else OnCalendar(schedule, local)
    end, found = BEGAN + days * 86_400, []
    for moment in moments:
        stamp = moment.astimezone(UTC).timestamp()
        found.append(stamp - BEGAN)
        if stamp > end:
            break
    return sorted(found)


@cache
def longest_pause(schedule: str, tz: str, days: int) -> float:
    """Return how far two occurrences of a story are apart at most."""
    return max(b - a for a, b in pairwise(occurrences(schedule, tz, days)))


def occurrence_at(moments: list[float], place: int) -> float:
    """Return the occurrence at a place; NEVER: it is after all that a story may see.

    By a wall that is wrong again and again a ping may seem to be of years ahead.
    """
    return moments[place] if place < len(moments) else NEVER
