"""What the server counts of itself while it runs, for /metrics."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from hcl.model import Action


class Histogram:
    """How often a value was at most each bound, and the sum of all values."""

    def __init__(self, *bounds: float) -> None:
        self.bounds = bounds
        self.sum = 0.0
        # One more than there are bounds: for what is above the last.
        self._counts = [0] * (len(bounds) + 1)

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulated(self) -> Sequence[int]:
        """Return how many values were at most each bound, and last how many came."""
        total = 0
        return [total := total + count for count in self._counts]


class Counters:
    """Counts since the start; a restart begins anew."""

    def __init__(self) -> None:
        # By what they counted as.
        self.pings: Counter[Action] = Counter()
        # By kind of the channel, and sent, failed or given_up.
        self.deliveries: Counter[tuple[str, str]] = Counter()
        self.batch_pings = Histogram(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
        # In seconds, the wait for the disk included.
        self.commit_seconds = Histogram(
            0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5
        )

    def committed(self, actions: Sequence[Action], seconds: float) -> None:
        """Count a batch of pings, and how long it took."""
        self.pings.update(actions)
        self.batch_pings.observe(len(actions))
        self.commit_seconds.observe(seconds)
