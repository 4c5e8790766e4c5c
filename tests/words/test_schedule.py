import re
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hcl.model import Kind
from hcl.words.schedule import in_full, in_short, in_words, words_of
from tests.build import make_check

DAYS = ["Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays"]
DAYS.append("Sundays")
MONTHS = "January February March April May June July August September October"
MONTHS += " November December"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("5 * * * *", "every hour at :05"),
        ("15,45 * * * *", "every hour at :15 and :45"),
        ("0 */2 * * *", "every 2 hours at :00"),
        ("0 9-17 * * *", "every hour from 09:00 to 17:00"),
        ("*/10 9-17 * * mon-fri", "every 10 minutes from 09:00 to 17:50 on weekdays"),
        ("5 3 * * *", "every day at 03:05"),
        ("0 3,15 * * *", "every day at 03:00 and 15:00"),
        ("0 3 * * 1-5", "on weekdays at 03:00"),
        ("0 3 * * MON", "on Mondays at 03:00"),
        ("0 3 * * 7,6", "on Saturdays and Sundays at 03:00"),
        ("0 0 1,15 * *", "on days 1 and 15 of the month at 00:00"),
        ("0 0 L * *", "on the last day of the month at 00:00"),
        ("30 4 1 jan *", "every year on 1 January at 04:30"),
    ],
)
def test_common_forms_have_words(expression: str, words: str) -> None:
    assert in_words(expression) == words


@pytest.mark.parametrize(
    "expression",
    [
        "30 4 1,15 * 5",
        "0 3 */2 * *",
        "*/7 * * * *",
        "5/15 * * * *",
        "0 0 * * 5L",
        "0 0 * * 1#2",
        "5 0 * 8 *",
        "0 0 29 2 *",
        "0,5,10,15,20,25,30 * * * *",
        "0 3 * * *,1",
        "nonsense",
        "",
        "* * * * * *",
    ],
)
def test_other_forms_have_none(expression: str) -> None:
    assert in_words(expression) == ""


@pytest.mark.parametrize(
    ("kind", "schedule", "tz", "words", "full", "short"),
    [
        ("simple", "5 3 * * *", "Europe/Riga", *["every 2 hours"] * 3),
        (
            "cron",
            "5 3 * * *",
            "Europe/Riga",
            "every day at 03:05",
            "every day at 03:05 (5 3 * * *, Europe/Riga)",
            "every day at 03:05 Europe/Riga",
        ),
        (
            "cron",
            "5 * * * *",
            "UTC",
            "every hour at :05",
            "every hour at :05 (5 * * * *, UTC)",
            "every hour at :05",
        ),
        ("cron", "*/7 * * * *", "UTC", "", "*/7 * * * * (UTC)", "*/7 * * * *"),
        (
            "oncalendar",
            "Mon  08:00\n\n \x1b*-*-*\n",
            "A\nsia/Tokyo",
            "",
            "Mon 08:00; *-*-* (A sia/Tokyo)",
            "Mon 08:00; *-*-* A sia/Tokyo",
        ),
    ],
)
def test_schedule_is_said_in_words_in_full_and_in_short(
    kind: Kind, schedule: str, tz: str, words: str, full: str, short: str
) -> None:
    timeout = timedelta(hours=2)
    check = make_check(kind=kind, timeout=timeout, schedule=schedule, tz=tz)

    assert (words_of(check), in_full(check), in_short(check)) == (words, full, short)


def _field(low: int, high: int, *names: str) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str)
    if names:
        number |= st.sampled_from(names)
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(
        lambda pair: f"{min(pair)}-{max(pair)}"
    )
    term = number | span
    return st.one_of(
        st.just("*"),
        st.just("*"),
        number,
        st.integers(1, 35).map(lambda step: f"*/{step}"),
        st.lists(term, min_size=1, max_size=4).map(",".join),
        st.tuples(span, st.integers(1, 9)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    )


def _line(*fields: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*fields).map(" ".join)


MINUTE, HOUR, ANY = _field(0, 59), _field(0, 23), st.just("*")
DAY = _field(1, 31, "L")
MONTH = _field(1, 12, "JAN", "dec")
WEEKDAY = _field(0, 7, "sun", "MON", "Sat", "2L", "1#2")
# Most lines name one kind of days.
EXPRESSIONS = st.one_of(
    _line(MINUTE, HOUR, ANY, ANY, ANY),
    _line(MINUTE, HOUR, ANY, ANY, WEEKDAY),
    _line(MINUTE, HOUR, DAY, ANY, ANY),
    _line(MINUTE, HOUR, st.integers(1, 31).map(str), MONTH, ANY),
    _line(MINUTE, HOUR, DAY, MONTH, WEEKDAY),
)


def _minutes(words: str) -> set[time]:
    """Read at which times of a day words say that something happens."""
    # Only what the words say counts, so this knows nothing of cron.
    whole = [time(h, m) for h in range(24) for m in range(60)]
    begin, end = time(0, 0), time(23, 59)
    if span := re.search(r"from (\d\d:\d\d) to (\d\d:\d\d)", words):
        begin, end = time.fromisoformat(span[1]), time.fromisoformat(span[2])
    within = [when for when in whole if begin <= when <= end]
    if every := re.search(r"every (?:(\d+) )?minutes?", words):
        return {when for when in within if when.minute % int(every[1] or 1) == 0}
    if past := re.findall(r"(?<!\d):(\d\d)", words):
        hours = re.search(r"every (\d+) hours", words)
        step = int(hours[1]) if hours else 1
        return {
            when
            for when in within
            if f"{when.minute:02}" in past and when.hour % step == 0
        }
    if "every hour from" in words:
        return {when for when in within if when.minute == begin.minute}
    return {time.fromisoformat(found) for found in re.findall(r"\d\d:\d\d", words)}


def _is_on(words: str, day: date) -> bool:
    """Read whether words say that something happens on a day."""
    if "last day of the month" in words:
        return (day + timedelta(days=1)).day == 1
    if found := re.search(r"on days? ([\d, and]+) of the month", words):
        return str(day.day) in re.findall(r"\d+", found[1])
    if found := re.search(r"every year on (\d+) (\w+)", words):
        month = MONTHS.split().index(found[2]) + 1
        return (day.day, day.month) == (int(found[1]), month)
    if "on weekdays" in words:
        return day.weekday() < 5
    named = re.findall(r"\w+days\b", words.replace("days ", "days "))
    return not named or DAYS[day.weekday()] in named


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)
@given(EXPRESSIONS, st.dates(date(2024, 1, 1), date(2030, 12, 31)))
def test_words_mean_what_the_expression_does(expression: str, start: date) -> None:
    words = in_words(expression)
    assume(words)
    try:
        schedule = CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC))
    except CronSimError:
        return
    # From the minute before, as what comes next is after it.
    schedule.dt = datetime.combine(start, time(), UTC) - timedelta(seconds=1)
    end = schedule.dt + timedelta(days=3)

    found = set(takewhile(lambda moment: moment < end, schedule))

    days = [start + timedelta(days=n) for n in range(3)]
    assert found == {
        datetime.combine(day, when, UTC)
        for day in days
        if _is_on(words, day)
        for when in _minutes(words)
    }
