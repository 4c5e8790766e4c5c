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
        yield from _samples(self.name, self.samples)


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
    return Response(lines_of(families), headers={"Content-Type": CONTENT_TYPE})


def lines_of(families: Iterable[Family | HistogramFamily]) -> bytes:
    """Write families as lines."""
    return _joined(line for family in families for line in family.lines())


def samples_of(name: str, samples: Iterable[tuple[Labels, float]]) -> bytes:
    """Write more samples of a family whose first lines are written."""
    return _joined(_samples(name, samples))


def _joined(lines: Iterable[str]) -> bytes:
    return "".join([f"{line}\n" for line in lines]).encode()


def _samples(name: str, samples: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    for labels, value in samples:
        yield f"{name}{_labels(labels)} {_number(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
