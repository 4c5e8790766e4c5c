"""Clocks that a test drives: nothing passes but what it says."""

from dataclasses import dataclass

from hcl.clock import Clock
from tests.build import NOW


@dataclass
class Times:
    """A source of times; `boot` and the wall run together, until one is set.

    `late` is what passes between two looks at a clock, as when a process is stopped.
    """

    wall_: float = NOW.timestamp()
    boot_: float = 1000.0
    monotonic_: float = 1000.0
    synchronised: bool = True
    boot_id: str = "boot-1"
    late: float = 0.0

    def wall(self) -> float:
        return self.wall_

    def boot(self) -> float:
        self.boot_ += self.late
        self.monotonic_ += self.late
        self.wall_ += self.late
        return self.boot_

    def monotonic(self) -> float:
        return self.monotonic_

    def is_synchronised(self) -> bool:
        return self.synchronised

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.suspend(seconds)
        self.monotonic_ += seconds

    def suspend(self, seconds: float) -> None:
        """Let time pass in which the machine sleeps."""
        self.wall_ += seconds
        self.boot_ += seconds

    def set_wall(self, seconds: float) -> None:
        """Set the wall, by so much forward."""
        self.wall_ += seconds


def a_clock(**times: float | bool | str) -> tuple[Clock, Times]:
    """Make a clock that shows NOW, and what drives it."""
    source = Times(**times)  # type: ignore[arg-type]  # names and types are those above
    return Clock(source), source
