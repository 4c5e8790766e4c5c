"""What hcl's database knows of starts without the time."""

from dataclasses import dataclass

from tests.sim.clockwork import Machine
from tests.sim.moments import NOTICED

# hcl waits for the right time for so long after such a start; and sees its end a little
# later.
_WAITS, _LATE = 600.0, 15.0


@dataclass(frozen=True)
class Guessed:
    """The boot of the last sign of life, and until when its time is guessed.

    From its first start without the time on it `waits` so long at most.
    """

    boot: int = 1
    until: float = -1e9
    waits: float = -1e9

    def at_start(
        self, machine: Machine, since: float, right: float
    ) -> tuple["Guessed", bool]:
        """Return what is known after a start, and whether that guesses the time.

        The process before ended at `since`; the wall is right again at `right`. In one
        boot the length of an absence is exact, and the time goes on as it was.
        """
        now, boot = machine.now, machine.boots
        is_same_boot = self.boot == boot
        if machine.synchronised or (is_same_boot and since > self.until + _LATE):
            return Guessed(boot), False
        # A second start waits no longer than the first would have.
        waits = self.waits if is_same_boot else now + _WAITS
        return Guessed(boot, max(now, min(waits, right)), waits), True

    def last_set(self, now: float, was_set: float) -> float:
        """Return when the wall was set last, or is to count, where it was guessed.

        Until then hcl's time is the later of the wall and of the last moment known.
        """
        return max(was_set, self.until) if now < self.until + NOTICED else was_set
