"""How long a try may take, by the time in which hcl itself ran."""

import asyncio
from types import TracebackType
from typing import Self

# How often it is looked how much is left, in seconds.
_TICK = 1.0

# Who wakes so many seconds late stood still: stopped, frozen with its container, or
# given no time to run.
_LATE = 1.0

# So often one that stood still when the time was over is given another tick.
_MOST_SPARED = 3


class Patience:
    """Raise TimeoutError out of a block that takes longer than `seconds`.

    While hcl stands still its receivers go on, and what they answered is there to be
    read: whoever took that for silence would send the message a second time.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._spared = 0
        self._limit = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self._wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        await self._limit.__aexit__(kind, error, trace)

    def end(self) -> None:
        """Let the rest of the block take as long as it likes."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._nap = min(self._left, _TICK)
        self._since = loop.time()
        self._timer = loop.call_later(self._nap, self._look)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        passed = now - self._since
        stood_still = passed - self._nap > _LATE
        self._left -= self._nap if stood_still else passed
        if self._left <= 0 and stood_still and self._spared < _MOST_SPARED:
            self._spared += 1
            self._left = _TICK
        if self._left > 0:
            self._wait()
        else:
            self._limit.reschedule(now)
