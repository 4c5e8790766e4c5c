"""A loop for tests of waits: nobody waits, and no load of the machine counts.

    @pytest.fixture(scope="module")
    def anyio_backend() -> Backend:
        return LEAPING

For what has no thread and no process beside the loop: it cannot tell their work from
idleness.
"""

import asyncio
import selectors
from typing import Any

# For how long, in seconds, the machine may take to hand over what was sent to itself.
_HANDED_OVER = 0.05

Backend = tuple[str, dict[str, Any]]


class _Leaping(selectors.DefaultSelector):
    """Tells at once of what is there; when nothing is, time leaps to the next timer."""

    leapt = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready; `timeout` is when the next timer is due."""
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(min(timeout, _HANDED_OVER))
        if not ready:
            self.leapt += timeout
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still while it works, and leaps while it waits."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Return the seconds that were leapt over."""
        return self._leaping.leapt


LEAPING: Backend = ("asyncio", {"loop_factory": LeapingLoop})
