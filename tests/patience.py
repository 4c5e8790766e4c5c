"""How late this machine is, for limits of time to be measured by.

A limit that only means "it ends at all" is ENDS.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

# Far more seconds than anything takes, on a machine that is busy with other things too,
# and less than the minute after which each loop looks again uncalled.
ENDS = 30.0

_NAP = 0.01


async def idle() -> None:
    """Let everything run that can run now."""
    for _ in range(10):
        await asyncio.sleep(0)


@dataclass
class Lateness:
    """By how many seconds, in all, a sleeper of this loop was woken too late so far."""

    seconds: float = 0.0


@asynccontextmanager
async def watched() -> AsyncIterator[Lateness]:
    """Sleep beside what is measured, and tell how late each waking was."""
    late, loop = Lateness(), asyncio.get_running_loop()

    async def sleep() -> None:
        while True:
            due = loop.time() + _NAP
            await asyncio.sleep(_NAP)
            late.seconds += max(0.0, loop.time() - due)

    sleeper = asyncio.create_task(sleep())
    try:
        yield late
    finally:
        sleeper.cancel()
