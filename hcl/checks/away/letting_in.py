"""How long pings are let in that were waiting, before anybody is judged."""

from collections.abc import Callable

from hcl.clock import Clock

# Until so many seconds pass without one, and for so many in all.
QUIET = 2.0
MOST_PATIENCE = 10.0


class LettingIn:
    """Begins now. `heard` returns when the last ping came, by the boot clock."""

    def __init__(
        self,
        clock: Clock,
        heard: Callable[[], float],
        quiet: float,
        most_patience: float,
    ) -> None:
        self._clock = clock
        self._heard = heard
        self._quiet = quiet
        self._most = most_patience
        self._begun = clock.boot()

    @property
    def left(self) -> float:
        """Return for how many seconds to wait until that is asked again."""
        quiet_at = max(self._begun, self._heard()) + self._quiet
        return min(quiet_at, self._begun + self._most) - self._clock.boot()
