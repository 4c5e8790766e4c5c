"""The text format of Prometheus, version 0.0.4, which all its readers take."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from starlette.responses import Response

from hcl.counters import Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric, with its samples. `text` says what it is, in one line."""

    name: str
    kind: Literal["counter", "gauge"]
    text: str
    samples: Sequence[tuple[Labels, float]]

    def lines(self) -> Iterator[str]:
        """Yield it as text."""
        yield f"# HELP {self.name} {self.text}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.samples:
            yield f"{self.name}{_labels(labels)} {_number(value)}"


@dataclass(frozen=True, slots=True)
class HistogramFamily:
    """A histogram."""

    name: str
    text: str
    histogram: Histogram

    def lines(self) -> Iterator[str]:
        """Yield it as text."""
        yield f"# HELP {self.name} {self.text}"
        yield f"# TYPE {self.name} histogram"
        *counts, total = self.histogram.cumulated()
        for bound, count in zip(self.histogram.bounds, counts, strict=True):
            yield f'{self.name}_bucket{{le="{float(bound)}"}} {count}'
        yield f'{self.name}_bucket{{le="+Inf"}} {total}'
        yield f"{self.name}_sum {_number(self.histogram.sum)}"
        yield f"{self.name}_count {total}"


def gauge(name: str, text: str, value: float | None) -> Family:
    """Make a gauge without labels; None: it has no sample now."""
    return Family(name, "gauge", text, [] if value is None else [({}, value)])


def answer(families: Iterable[Family | HistogramFamily]) -> Response:
    """Answer a scraper."""
    lines = [line for family in families for line in family.lines()]
    return Response("\n".join([*lines, ""]), headers={"Content-Type": CONTENT_TYPE})


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
