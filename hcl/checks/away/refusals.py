"""When pings could not be kept: what is refused is not heard either."""

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Refusals:
    """The boot clock at the first and last ping that could not be kept; None: none."""

    first: float | None = None
    last: float = -math.inf

    def note(self, boot: float) -> None:
        """Note that one was refused."""
        self.first, self.last = boot if self.first is None else self.first, boot
