"""How long the last runs took, as the geometry of a small chart; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hcl.checks import trends
from hcl.model import Ping
from hcl.words.lengths import brief, took

# Runs that are drawn, and signals that have to be read for as many.
RUNS = 50
SIGNALS = 150

_MINUTE = timedelta(minutes=1)

# In the chart's own units; the page stretches it.
HEIGHT = 100
STEP = 12


@dataclass(frozen=True, slots=True)
class Bar:
    """One run: where it is drawn, and what it was."""

    x: int
    y: float
    height: float
    ping: Ping
    words: str
    failed: bool
    slowest: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars, oldest first, and what there is to say of them.

    `usual` is the median as a length, `median` in words.
    """

    bars: tuple[Bar, ...]
    width: int
    median_y: float
    median: str
    usual: timedelta
    slowest: Bar
    last: Bar

    @property
    def failed(self) -> int:
        """Return how many of the runs failed."""
        return sum(bar.failed for bar in self.bars)


def chart(signals: Sequence[Ping], lengths: Mapping[int, timedelta]) -> Chart | None:
    """Draw the last runs of signals that come oldest first; None: there are too few."""
    runs = [(ping, lengths[ping.n]) for ping in signals if ping.n in lengths][-RUNS:]
    if len(runs) < 2:
        return None
    longest = max(length for _, length in runs)
    slowest_n = next(ping.n for ping, length in runs if length == longest)
    bars = tuple(
        _bar(number, ping, length, longest, ping.n == slowest_n)
        for number, (ping, length) in enumerate(runs)
    )
    middle = trends.median([length for _, length in runs])
    return Chart(
        bars=bars,
        width=len(bars) * STEP,
        median_y=round(HEIGHT - _height(middle, longest), 1),
        median=took(middle) if middle < _MINUTE else brief(middle),
        usual=middle,
        slowest=next(bar for bar in bars if bar.slowest),
        last=bars[-1],
    )


def _bar(
    number: int, ping: Ping, length: timedelta, longest: timedelta, slowest: bool
) -> Bar:
    # A run of no time at all is a run.
    height = round(max(_height(length, longest), 1.5), 1)
    return Bar(
        x=number * STEP,
        y=round(HEIGHT - height, 1),
        height=height,
        ping=ping,
        words=took(length),
        failed=ping.action == "fail",
        slowest=slowest,
    )


def _height(length: timedelta, longest: timedelta) -> float:
    return HEIGHT * (length / longest) if longest else 0.0
