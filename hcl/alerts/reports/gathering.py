"""Read what a report tells, a slice of checks at a time."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from aiosqlite import Connection

from hcl import store
from hcl.alerts.reports.faring import Delivery, Faring, faring
from hcl.alerts.reports.wording import Told
from hcl.checks import trends
from hcl.config import ReportConfig
from hcl.db import Gaps
from hcl.model import Flip, Ping
from hcl.store.reporting import Signals

logger = logging.getLogger(__name__)

# So many checks are read at once: no more than what the loop may wait for.
_SLICE = 20

# So many signals before the time of a report tell what was usual then.
_BEFORE = 2 * trends.MOST

# Into how many parts charts divide the time.
_PARTS = {"day": 24, "week": 28, "month": 31}

Reader = Callable[[], Coroutine[Any, Any, Connection]]


async def gather(
    reader: Reader,
    project_id: int,
    report: ReportConfig,
    span: tuple[datetime, datetime],
    now: datetime,
) -> Told:
    """Read how the checks of a report fared, and the channels of its project.

    `reader` returns what is read by, for each slice anew.
    """
    found: list[Faring] = []
    count, after, gaps = 0, 0, Gaps(logger)
    while checks := await store.checks.of_project(
        await reader(), project_id, after=after, limit=_SLICE
    ):
        after = checks[-1].id
        meant = [c for c in checks if not report.tags or report.tags & {*c.tag_list}]
        count += len(meant)
        ids = [check.id for check in meant]
        flips, signals = await _read(reader, ids, span[0], now, gaps)
        for check in meant:
            pings = await _pings(reader, check.id, signals[check.id], span[0], gaps)
            fared = faring(
                check, flips[check.id], pings, span, now, _PARTS[report.every]
            )
            if fared.slow:
                fared = await _without_own_doing(reader, fared, gaps)
            if _has_news(fared):
                found.append(fared)
            # One that has run often takes a millisecond or two.
            await asyncio.sleep(0)
    rows = store.reporting.deliveries(await reader(), project_id, *span)
    deliveries = [Delivery(*row) for row in await gaps.readable(rows, [])]
    return Told(found, count, deliveries, gaps.found)


async def _read(
    reader: Reader, ids: Sequence[int], start: datetime, now: datetime, gaps: Gaps
) -> tuple[dict[int, list[Flip]], dict[int, Signals]]:
    """Read the flips and signals of checks; of damaged ones nothing is known."""

    async def flips(ids: Sequence[int]) -> dict[int, list[Flip]]:
        return await store.reporting.flips(await reader(), ids, start)

    async def signals(ids: Sequence[int]) -> dict[int, Signals]:
        return await store.reporting.signals(await reader(), ids)

    return (
        await gaps.of_each(flips, ids, [Flip(now, "new", "new", "")]),
        await gaps.of_each(signals, ids, Signals("[]", "[]")),
    )


async def _without_own_doing(reader: Reader, fared: Faring, gaps: Gaps) -> Faring:
    """Leave out slow runs in which hcl was away, or its clock was set, as alerts do."""
    sure = []
    for run in fared.slow:
        began = run.ended - run.length
        asked = store.paces.may_be_wrong(await reader(), began, run.ended)
        if not await gaps.readable(asked, False):
            sure.append(run)
    return replace(fared, slow=tuple(sure))


async def _pings(
    reader: Reader, check_id: int, signals: Signals, start: datetime, gaps: Gaps
) -> list[Ping]:
    """Return the signals that tell of runs since a moment, and those before it.

    Of a check that pings often more are read; of one that never starts there are none.
    """
    pings = signals.pings()
    if all(ping.action != "start" for ping in pings):
        return []
    if len(pings) < store.reporting.SIGNALS or pings[_BEFORE].created < start:
        return pings
    most = store.reporting.MOST_SIGNALS
    more = store.reporting.signals(await reader(), [check_id], most)
    pings = (await gaps.readable(more, {check_id: signals}))[check_id].pings()
    await asyncio.sleep(0)
    return pings


def _has_news(fared: Faring) -> bool:
    return bool(fared.outages or fared.slow or fared.change or fared.longest)
