"""The rows of the table, and how they are printed."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

NO_GOAL = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `goal` may have been made by `at_least` or `at_most`."""

    figure: str
    measured: str
    goal: str = NO_GOAL


def at_least(bound: float, value: float, unit: str = "") -> str:
    """Name a goal, and whether the value reaches it."""
    return _goal("≥", bound, unit, value >= bound)


def at_most(bound: float, value: float, unit: str = "") -> str:
    """Name a goal, and whether the value stays within it."""
    return _goal("≤", bound, unit, value <= bound)


def _goal(sign: str, bound: float, unit: str, met: bool) -> str:
    return f"{sign} {bound:g}{unit and ' '}{unit}: {'met' if met else '**missed**'}"


def render(rows: Iterable[Row]) -> str:
    """Write the rows as one Markdown table."""
    lines = ["| figure | measured | goal |", "| --- | --- | --- |"]
    for row in rows:
        cells = (
            cell.replace("|", r"\|") for cell in (row.figure, row.measured, row.goal)
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Write the median of some rounds, and the least and greatest of them."""
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return f"{median(values):.{digits}f} ({low}–{high})"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def delays(seconds: Sequence[float]) -> str:
    """Write what is worth knowing of delays, in milliseconds."""
    p50, p99 = percentile(seconds, 50) * 1000, percentile(seconds, 99) * 1000
    worst = max(seconds) * 1000
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {worst:.1f} ms"
