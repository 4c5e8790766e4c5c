"""What a loop sleeps on: the time of its next work, or somebody's call."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

# The longest sleep in seconds before the clock is read again: a clock that is set
# (a Raspberry Pi has none that survives a power cut) does not move asyncio's timers.
LONGEST_SLEEP = 60.0

# So long a loop sleeps that has work at once, in seconds. If it finds none then, others
# go on, and so does time: a moment that a set clock has moved is kept finer than in the
# whole microseconds in which it is told.
SHORTEST_SLEEP = 0.001

# After so long a loop that must miss nothing looks again, whatever it has found.
LOOK_AGAIN = timedelta(minutes=1)


class Alarm:
    """Wake one loop at a time of its own, or when others have work for it."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Sleep by the time that `now` tells."""
        self._now = now
        self._rung = asyncio.Event()
        self._until: datetime | None = None
        self._asleep = False
        self._woke = time.monotonic()

    def ring(self, at: datetime | None = None) -> None:
        """Wake the loop now, or only if it would sleep past `at`.

        A loop that is at work just then looks again before it sleeps.
        """
        sleeps_past = self._until is None or at is None or at < self._until
        if sleeps_past or not self._asleep:
            self._rung.set()

    @property
    def awake(self) -> float:
        """Return for how many seconds the loop has been at work; 0: it sleeps."""
        return 0.0 if self._asleep else time.monotonic() - self._woke

    async def sleep(
        self, until: datetime | None, *, at_most: timedelta | None = None
    ) -> None:
        """Sleep until the alarm rings or `until` has come (None: it never does).

        `at_most`: but no longer than this; None: however long it takes.
        """
        if at_most is not None:
            latest = self._now() + at_most
            until = latest if until is None else min(until, latest)
        self._until, self._asleep = until, True
        try:
            while not self._rung.is_set():
                seconds = LONGEST_SLEEP
                if until is not None:
                    seconds = (until - self._now()).total_seconds()
                    if seconds <= 0:
                        await self._wait(SHORTEST_SLEEP)
                        break
                await self._wait(min(seconds, LONGEST_SLEEP))
        finally:
            self._asleep = False
            self._woke = time.monotonic()
            self._rung.clear()

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            pass
