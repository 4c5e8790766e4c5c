"""The incident card: what it says, for each way of being down or late, and to whom."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl.checks.why.explain import Known
from hcl.model import DECLARED, Flip, Status
from hcl.web.pages.check.incident import Outage, Reason, last_outage, reason
from tests.app import CONFIG, READ_KEY, App, running_app
from tests.build import DAY, HOUR, NOW, make_check, make_ping
from tests.store import put_check
from tests.web.api.calls import create
from tests.web.pages.browsing import Visitor, text_of

MINUTE = timedelta(minutes=1)


def flip(new: Any, old: Any, at: Any, why: Any = "") -> Flip:
    return Flip(at, old, new, why)


FAILED = flip("down", "up", NOW, "fail")
MISSED = flip("down", "up", NOW, "timeout")


@pytest.mark.parametrize(
    ("known", "status", "expected"),
    [
        (
            Known(make_check(status="down"), FAILED, ping=make_ping(action="fail")),
            "down",
            Reason("The job reported a failure."),
        ),
        (
            Known(
                make_check(status="down"),
                FAILED,
                ping=make_ping(action="fail", exitstatus=11),
            ),
            "down",
            Reason("The job failed with exit status 11."),
        ),
        (
            Known(make_check(status="down"), MISSED, ping=make_ping()),
            "down",
            Reason(
                "No ping came in time: one was due",
                NOW - HOUR,
                ", and the grace of 1 hour is over.",
            ),
        ),
        (
            Known(make_check(status="down", last_start=NOW - HOUR), MISSED),
            "down",
            Reason(
                "It ran too long: the run from",
                NOW - HOUR,
                " did not end within 1 hour.",
            ),
        ),
        (
            Known(make_check(status="up", last_ping=NOW - DAY, alert_after=NOW)),
            "down",
            Reason("No ping came in time, and the grace of 1 hour is over."),
        ),
        (
            Known(
                make_check(status="new", last_start=NOW - HOUR, alert_after=NOW),
            ),
            "down",
            Reason(
                "It ran too long: the run from",
                NOW - HOUR,
                " did not end within 1 hour.",
            ),
        ),
        (
            Known(make_check(status="up", alert_after=NOW + HOUR / 2)),
            "grace",
            Reason("No ping has come since", NOW - HOUR / 2, ", when one was due."),
        ),
    ],
)
def test_reason_is_a_sentence(known: Known, status: Any, expected: Reason) -> None:
    assert reason(known, status, NOW) == expected


@pytest.mark.parametrize(
    ("flips", "expected"),
    [
        ([], None),
        ([FAILED], None),
        (
            [
                FAILED,
                flip("up", "down", NOW - HOUR),
                flip("down", "up", NOW - 4 * HOUR),
            ],
            Outage(NOW - 4 * HOUR, 3 * HOUR),
        ),
        # A pause ends an outage too; a clock that was set back makes none negative.
        (
            [
                FAILED,
                flip("up", "paused", NOW - MINUTE),
                flip("paused", "down", NOW - 2 * HOUR),
                flip("down", "up", NOW - HOUR),
            ],
            Outage(NOW - HOUR, timedelta(0)),
        ),
    ],
)
def test_last_outage_is_the_one_before(
    flips: list[Flip], expected: Outage | None
) -> None:
    assert last_outage(make_check(), flips) == expected


def test_an_outage_that_went_on_out_of_the_file_is_no_other() -> None:
    """A declared check that was down left hcl.toml, and was put back."""
    moments = [NOW - hours * HOUR for hours in range(1, 6)]
    statuses: list[Status] = ["down", "paused", "down", "up", "down", "up"]
    flips = [
        Flip(at, old, new, "")
        for at, new, old in zip(moments, statuses, statuses[1:], strict=False)
    ]

    found = last_outage(make_check(origin=DECLARED), flips)

    assert found == Outage(NOW - 5 * HOUR, HOUR)


def card_of(page: str) -> str:
    assert 'class="incident' in page
    start = page.index('class="incident')
    return text_of("<" + page[start : page.index("</section>", start)])


async def test_card_shows_the_last_lines_and_who_is_told(app: App) -> None:
    check = await create(app, name="Off-site copy", channels="*")
    path = f"/ping/{check['uuid']}"
    await app.http.post(path)
    output = "\n".join(f"line {n} <b>" for n in range(1, 39))
    await app.http.post(f"{path}/11", content=output.encode())
    visitor = await Visitor.enter(app)

    page = await visitor.get(f"/checks/{check['uuid']}")

    card = card_of(page)
    assert "Down" in card
    assert "The job failed with exit status 11." in card
    assert "line 29 <b>" in card
    assert "line 28 <b>" not in card
    assert "The last 10 lines. All of ping #2" in card
    assert "Hook A is told soon" in card
    assert "Last success" in card
    assert "Mute 1 h" in card
    # A status stands once: the card says it.
    assert page.count('class="status is-down"') <= page.count("is-down")


async def test_readers_see_the_card_without_output_or_buttons(app: App) -> None:
    check = await create(app, channels="")
    await app.http.post(f"/ping/{check['uuid']}/1", content=b"secret output")
    visitor = await Visitor.look(app)
    listed = await app.api("GET", f"checks/{check['uuid']}")
    assert listed.json()["status"] == "down"
    [seen] = (await app.api("GET", "checks/", key=READ_KEY)).json()["checks"]

    page = await visitor.get(f"/checks/{seen['unique_key']}")

    card = card_of(page)
    # As the list and the log have it: the exit status is not for them either.
    assert "The job reported a failure." in card
    assert "exit status" not in page
    assert "Nobody: no integration is assigned." in card
    assert "secret output" not in page
    assert "Mute" not in card


async def test_late_check_tells_when_it_goes_down(app: App) -> None:
    now = app.clock.now()
    check = await put_check(
        app.database,
        status="up",
        n_pings=1,
        last_ping=now - DAY - HOUR / 2,
        alert_after=now + HOUR / 2,
    )
    visitor = await Visitor.enter(app)

    card = card_of(await visitor.get(f"/checks/{check.code}"))

    assert "Late" in card
    assert "goes down in" in card
    assert "No ping has come since" in card
    assert "Told if it goes down nobody" in card
    assert re.search(
        r"Goes down (today|tomorrow) \d\d:\d\d , unless a ping comes", card
    )


async def test_late_check_of_a_channel_that_is_switched_off_tells_nobody(
    tmp_path: Path,
) -> None:
    text = CONFIG.replace('name = "Hook A"', 'name = "Hook A"\nenabled = false')
    async with running_app(tmp_path, text) as app:
        now = app.clock.now()
        late = {"status": "up", "n_pings": 1, "last_ping": now - DAY - HOUR / 2}
        check = await put_check(app.database, 1, alert_after=now + HOUR / 2, **late)
        visitor = await Visitor.enter(app)

        card = card_of(await visitor.get(f"/checks/{check.code}"))

    told = "Told if it goes down nobody: no integration is assigned that tells of it"
    assert told in card


async def test_check_that_is_well_has_no_card(app: App) -> None:
    check = await create(app)
    await app.http.post(f"/ping/{check['uuid']}")
    visitor = await Visitor.enter(app)

    page = await visitor.get(f"/checks/{check['uuid']}")

    assert 'class="incident' not in page
    assert "Mute 1 h" in text_of(page)


@pytest.mark.parametrize("body", [b"", b"\0\xff" * 50, b"x" * 100_000, b"\n\n \n"])
async def test_card_takes_any_output(app: App, body: bytes) -> None:
    check = await create(app)
    await app.http.post(f"/ping/{check['uuid']}/1", content=body)
    visitor = await Visitor.enter(app)

    page = await visitor.get(f"/checks/{check['uuid']}")

    assert "The job failed with exit status 1." in card_of(page)
    assert len(card_of(page)) < 3000
