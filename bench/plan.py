"""How much is measured, and where."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path


class BenchError(Exception):
    """Something cannot be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What every group is told: databases are made in `folder`, on a real disk.

    `goals`: measure only what has a goal.
    """

    folder: Path
    quick: bool
    goals: bool
    rounds: int

    def pick(self, full: int, quick: int) -> int:
        """Return the one of two numbers that counts for this run."""
        return quick if self.quick else full

    def rounds_of(self, most: int) -> int:
        """Return how many rounds there are of what takes long: `most` at most."""
        return min(self.rounds, most)

    def new_folder(self) -> Path:
        """Make an empty folder for one database."""
        return Path(tempfile.mkdtemp(dir=self.folder))


def say(text: str) -> None:
    """Tell whoever waits what is being measured; the table alone goes to stdout."""
    print(f"… {text}", file=sys.stderr, flush=True)
