"""What reports say, in short and in full."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from hcl.alerts.messages.letter import write_letter
from hcl.alerts.messages.rendering import in_brief, in_html, in_markdown, in_text
from hcl.alerts.reports.faring import Delivery, Faring, Slow
from hcl.alerts.reports.wording import Told, of_report
from hcl.config import ReportConfig
from hcl.model import Announcement, Message
from tests.build import HOUR

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SPAN = (NOW - timedelta(days=7), NOW)
WEEKLY = ReportConfig("week", time(9), 0, "", ("c",))
DOWN = Faring("Nightly backup", "b", 3, 125 * MINUTE, cells=(0, 30, -1, 4))
STILL = Faring("Mail queue", "q", 1, 5 * HOUR, is_down=True, cells=(0, 0, 0, 100))
SILENT = Faring(
    "Old server", "o", 1, 7 * 24 * HOUR, silent_since=NOW - timedelta(days=30)
)
SLOW = Faring(
    "Sync",
    "s",
    longest=40 * MINUTE,
    slow=(Slow(NOW - HOUR, 40 * MINUTE, 10 * MINUTE),) * 2,
)
CHANGED = Faring("Scrub", "c", longest=HOUR, change=(10 * MINUTE, 20 * MINUTE))
FAILED = Delivery("Phone", 12, 5, 2, NOW - HOUR)


def report(
    *farings: Faring, deliveries: tuple[Delivery, ...] = (), quiet: bool = False
) -> Announcement | None:
    told = Told(farings, 34, deliveries)
    wanted = replace(WEEKLY, quiet=quiet)
    return of_report((1, "Home"), wanted, SPAN, told, NOW, "Europe/Riga")


def written(*farings: Faring, deliveries: tuple[Delivery, ...] = ()) -> Announcement:
    found = report(*farings, deliveries=deliveries)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("farings", "deliveries", "subject", "paragraph"),
    [
        ([], [], "nothing was down", ""),
        (
            [DOWN],
            [],
            "1 check was down",
            "Was down – Nightly backup: 3 outages, 2 hours 5 minutes.",
        ),
        (
            [DOWN, STILL],
            [],
            "2 checks were down",
            "Was down – Mail queue: 5 hours, and still is; Nightly backup: 3 outages,"
            " 2 hours 5 minutes.",
        ),
        (
            [replace(DOWN, went=3, flaps=True)],
            [],
            "1 check was down",
            "Flapped (3 times or more within a day) – Nightly backup: went down"
            " 3 times.",
        ),
        (
            [SILENT],
            [],
            "1 check is silent",
            "Nobody pings any more – Old server: last heard at 2025-12-06 12:00:00"
            " Europe/Riga.",
        ),
        (
            [SLOW],
            [],
            "nothing was down",
            "Runs far longer than usual – Sync: 40 minutes instead of 10 minutes, at"
            " 2026-01-05 11:00:00 Europe/Riga, and 1 other run.",
        ),
        (
            [CHANGED],
            [],
            "nothing was down",
            "Run times that changed – Scrub: usually 20 minutes, 10 minutes before.",
        ),
        (
            [DOWN],
            [FAILED],
            "1 check was down, 1 channel failed",
            "Channels that failed – Phone: 5 of 12 messages failed, 2 given up, has"
            " not delivered since 2026-01-05 11:00:00 Europe/Riga.",
        ),
    ],
)
def test_report_says_it_in_a_paragraph(
    farings: list[Faring], deliveries: list[Delivery], subject: str, paragraph: str
) -> None:
    found = written(*farings, deliveries=tuple(deliveries))

    assert found.subject == f"Weekly report of Home: {subject}"
    assert not paragraph or paragraph in found.story


def test_report_begins_with_from_when_to_when_and_how_many() -> None:
    first, *_ = written(DOWN, STILL).story

    assert first == (
        "From 2025-12-29 12:00 to 2026-01-05 12:00 Europe/Riga: 34 checks,"
        " of which 2 were down: 4 outages, 7 hours 5 minutes in all."
    )
    assert written().story[0].endswith("34 checks; none went down.")


@pytest.mark.parametrize(
    ("farings", "deliveries", "comes"),
    [
        ([], [], False),
        # How long runs take is no news.
        ([Faring("Sync", "s", longest=HOUR)], [], False),
        ([DOWN], [], True),
        ([SILENT], [], True),
        ([SLOW], [], True),
        ([CHANGED], [], True),
        ([], [FAILED], True),
    ],
)
def test_quiet_report_comes_only_with_news(
    farings: list[Faring], deliveries: list[Delivery], comes: bool
) -> None:
    found = report(*farings, deliveries=tuple(deliveries), quiet=True)

    assert (found is not None) is comes


def message(announcement: Announcement) -> Message:
    return Message(
        "hcl",
        "https://hcl.example.org",
        "Home",
        (),
        announcement=announcement,
        project_code="p",
    )


def test_mail_has_charts_without_images_and_scripts() -> None:
    name = "<b>Nightly</b> & co"
    told = written(replace(DOWN, title=name), SLOW, CHANGED, deliveries=(FAILED,))

    html = in_html(write_letter(message(told), NOW))

    assert "&lt;b&gt;Nightly&lt;/b&gt; &amp; co" in html
    assert 'href="https://hcl.example.org/checks/b"' in html
    for colour in ("#1b7f3b", "#b3261e", "#9aa0a6", "#d9822b"):
        assert html.count(f'bgcolor="{colour}"') == 1
    assert html.count('bgcolor="#3367b0"') == 2
    assert 'width="67%"' in html
    assert "<img" not in html
    assert "<script" not in html
    # The rest of the story says the same in short.
    assert "Was down –" not in html


def test_text_of_a_mail_says_it_in_full() -> None:
    told = written(DOWN, STILL, SLOW)

    text = in_text(write_letter(message(told), NOW))

    assert "\nWas down:\n- Mail queue: 5 hours, and still is\n- Nightly" in text
    assert "\nLongest runs:\n- Sync: 40 minutes\n" in text


@pytest.mark.parametrize("render", [in_markdown, in_brief])
def test_chats_get_few_names_of_many(render: object) -> None:
    many = [replace(DOWN, title=f"Job {n}", down=(99 - n) * HOUR) for n in range(60)]
    told = written(*many)

    assert callable(render)
    text = render(write_letter(message(told), NOW))

    assert "Job 4" in text
    assert "Job 5" not in text
    assert "and 55 more" in text
    assert len(text) < 1000
    assert [section.more for section in told.sections] == [40]


def test_moments_are_in_the_zone_of_the_report() -> None:
    wanted = replace(WEEKLY, tz="Asia/Kolkata")
    found = of_report((1, "Home"), wanted, SPAN, Told([], 1, ()), NOW, "Europe/Riga")

    assert found is not None
    [story] = found.story
    assert "to 2026-01-05 15:30 Asia/Kolkata: 1 check; it did not go down." in story
