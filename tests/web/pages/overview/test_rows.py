"""The rows of the list: runs, mutes, and the way into the log."""

import re
from datetime import UTC, datetime, timedelta

from hcl import store
from hcl.model import Flip
from hcl.pings.arrival import Target
from hcl.words.moments import moment
from tests.app import App
from tests.build import DAY, HOUR, make_ping
from tests.store import put_pings, traced
from tests.web.pages.browsing import sign_in, text_of
from tests.web.pages.overview.test_checks import page, put_up

MINUTE = timedelta(minutes=1)


async def test_run_says_how_long_it_usually_takes(app: App) -> None:
    await sign_in(app)
    check = await put_up(app, "Dump", n_pings=10)
    now = datetime.now(UTC)
    for n, minutes in enumerate((12, 11, 60, 13, 12)):
        ended = now - (5 - n) * DAY
        start = make_ping(n=2 * n + 1, action="start", created=ended - minutes * MINUTE)
        end = make_ping(n=2 * n + 2, created=ended)
        await put_pings(app.database, (check.id, start), (check.id, end))
    fresh = await put_up(app, "Fresh", last_duration=timedelta(seconds=74))
    for one in (check, fresh):
        await app.parts.pinging.receive(
            Target(code=one.code), make_ping(action="start", created=now - 4 * MINUTE)
        )

    async with traced(app.database.committed) as statements:
        text = text_of(await page(app))

    assert "running for 4 min of ~12 min" in text
    assert "running for 4 min of ~74 s" in text
    assert sum("j CROSS JOIN pings p" in statement for statement in statements) == 1


async def test_muted_check_says_until_when(app: App) -> None:
    await sign_in(app)
    now = datetime.now(UTC)
    end = now + HOUR
    check = await put_up(app, "Quiet")
    async with app.database.transaction() as conn:
        await store.mutes.mute(conn, check.id, end, now)

    assert f"up muted until {moment(end)}" in text_of(await page(app))


async def test_row_of_trouble_leads_into_the_log(app: App) -> None:
    await sign_in(app)
    check = await put_up(app, "a", status="down", alert_after=None)
    await put_up(app, "well")
    flip = Flip(datetime.now(UTC) - 5 * HOUR, "up", "down", "timeout")
    async with app.database.transaction() as conn:
        await store.flips.add(conn, [(check, flip)])

    links = re.findall(r'class="days" href="([^"]+)"', await page(app))

    assert links == [f"/checks/{check.code}/log?kind=flip"]
    assert (await app.http.get(links[0])).status_code == 200
