"""What reports tell of: no more flips of a check than are read."""

from datetime import timedelta

from hcl import store
from hcl.alerts.reports.faring import faring
from hcl.model import Flip
from tests.app import App
from tests.build import DAY, HOUR, NOW
from tests.store import put_check

MINUTE = timedelta(minutes=1)


async def test_time_before_the_flips_that_are_read_is_not_known(app: App) -> None:
    check = await put_check(app.database, status="up")
    # Down for a minute of each four, for 20 hours.
    flips = []
    for number in range(300):
        went = NOW - 21 * HOUR + 4 * number * MINUTE
        flips += [
            (check, Flip(went, "up", "down", "fail")),
            (check, Flip(went + MINUTE, "down", "up", "")),
        ]
    # The oldest that is read ends an outage.
    came = Flip(NOW - 30 * MINUTE, "up", "paused", "")
    async with app.database.transaction() as conn:
        await store.flips.add(conn, [*flips, (check, came)])

    span = (NOW - 7 * DAY, NOW)
    read = await store.reporting.flips(app.database.committed, [check.id], span[0])
    found = faring(check._replace(status="paused"), read[check.id], [], span, NOW, 4)

    assert len(read[check.id]) == 200
    assert (found.outages, found.down) == (99, 99 * MINUTE)
    assert found.cells[:3] == (-1, -1, -1)
