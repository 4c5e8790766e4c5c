from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from hcl.alerts.reports import occurrences
from hcl.config import ReportConfig

RIGA = "Europe/Riga"


def report(every: str, at: str, day: int = 0, tz: str = RIGA) -> ReportConfig:
    return ReportConfig(every, time.fromisoformat(at), day, tz, ("c",))  # type: ignore[arg-type]  # the table's words


def moment(text: str, zone: str = RIGA) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("wanted", "now", "last", "coming"),
    [
        (report("day", "09:00"), "2026-01-05T09:00", "01-05T09:00", "01-06T09:00"),
        (report("day", "09:00"), "2026-01-05T08:59", "01-04T09:00", "01-05T09:00"),
        (report("week", "09:00", 0), "2026-01-05T08:59", "2025-12-29", "01-05T09:00"),
        (report("week", "09:00", 6), "2026-01-05T09:00", "01-04T09:00", "01-11T09:00"),
        (report("month", "09:00", 1), "2026-03-01T09:00", "03-01T09:00", "04-01T09:00"),
        # The month is too short.
        (
            report("month", "09:00", 31),
            "2026-02-28T09:00",
            "02-28T09:00",
            "03-31T09:00",
        ),
        (
            report("month", "09:00", 30),
            "2026-02-28T08:00",
            "01-30T09:00",
            "02-28T09:00",
        ),
        # 03:30 is left out on 29 March: 04:00 follows on 02:59.
        (report("day", "03:30"), "2026-03-29T04:00", "03-29T04:00", "03-30T03:30"),
        (report("day", "03:30"), "2026-03-29T02:59", "03-28T03:30", "03-29T04:00"),
        # 03:30 comes twice on 25 October: the first counts.
        (report("day", "03:30"), "2026-10-25T03:40", "10-25T03:30", "10-26T03:30"),
        (report("day", "03:30"), "2026-10-25T03:20", "10-24T03:30", "10-25T03:30"),
    ],
)
def test_report_is_due_by_the_clock_of_its_zone(
    wanted: ReportConfig, now: str, last: str, coming: str
) -> None:
    def written(text: str) -> datetime:
        text = "2025-12-29T09:00" if text == "2025-12-29" else f"2026-{text}"
        return moment(text)

    at = moment(now).astimezone(UTC)

    assert occurrences.last(wanted, at) == written(last).astimezone(UTC)
    assert occurrences.coming(wanted, at) == written(coming).astimezone(UTC)


def test_hour_that_comes_twice_makes_one_report() -> None:
    daily = report("day", "03:30")
    second = moment("2026-10-25T03:30").replace(fold=1).astimezone(UTC)

    assert occurrences.last(daily, second) == moment("2026-10-25T03:30").astimezone(UTC)
    assert occurrences.coming(daily, second) == moment("2026-10-26T03:30").astimezone(
        UTC
    )


def test_day_that_is_left_out_ends_at_the_first_moment_after() -> None:
    # Samoa had no 30 December 2011.
    daily = report("day", "09:00", tz="Pacific/Apia")
    at = moment("2011-12-31T01:00", "Pacific/Apia").astimezone(UTC)

    assert occurrences.last(daily, at) == moment(
        "2011-12-31T00:00", "Pacific/Apia"
    ).astimezone(UTC)


def test_report_without_a_zone_is_in_that_of_messages() -> None:
    daily, now = report("day", "09:00", tz=""), datetime(2026, 1, 5, 12, tzinfo=UTC)

    assert occurrences.last(daily, now, RIGA) == datetime(2026, 1, 5, 7, tzinfo=UTC)
