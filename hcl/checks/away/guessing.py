"""A start without the time: hcl goes on from what is known, until the wall is right."""

from datetime import datetime, timedelta

from hcl.clock import Clock
from hcl.store.life import Guess, Sign

# For so many seconds after a start nobody is called down while the wall, which was
# right once, is not known to be right.
UNSYNCHRONISED = 600.0

# A start goes on so long after the last moment known. That is mostly one of a ping, and
# that this one was heard before the start is told by its moment alone.
NEXT = timedelta(milliseconds=1)

_NOTHING = timedelta(0)


class Guessing:
    """Whether hcl's time is guessed, since when, and by how much it may be wrong.

    A start goes on with what an earlier one of the same boot has guessed, so that all
    that both hear is of one time, and moves together; and guesses nothing once the wall
    has counted in that boot: its absence is as long as the boot clock says.
    """

    def __init__(self, clock: Clock) -> None:
        self.guess = Guess(clock.source.boot_id, clock.boot(), _NOTHING, 0)
        self._clock = clock
        # Until when the wall is waited for, by the boot clock; None: it is not.
        self._waits_until: float | None = None

    @property
    def is_on(self) -> bool:
        """Tell whether the time is guessed."""
        return self._waits_until is not None

    @property
    def began(self) -> datetime:
        """Return since when, in hcl's time as it is now."""
        return self._clock.at(self.guess.boot)

    def begin(
        self, sign: Sign, before: Guess | None, flip: int, *, was_synchronised: bool
    ) -> None:
        """Tell hcl's time from the last sign, as far as the wall cannot be believed.

        `before` is what an earlier start guessed, `flip` the id of the last one;
        `was_synchronised`: whether the wall ever was.
        """
        clock, known, boot = self._clock, sign.moment, self._clock.boot()
        is_same_boot = bool(sign.boot_id) and sign.boot_id == clock.source.boot_id
        if is_same_boot and boot >= sign.boot:
            # Whatever the wall did meanwhile: that is a step, and looked at as one.
            known += timedelta(seconds=boot - sign.boot)
            clock.go_on(known)
            if before is not None and before.boot_id == sign.boot_id:
                clock.hold_on(before.boot)
                # In all: restarts make nobody deaf.
                self.guess, self._waits_until = before, before.boot + UNSYNCHRONISED
            elif was_synchronised and not clock.source.is_synchronised():
                # The wall that counts is as it was: nothing is guessed, but how long
                # ago began what may be of before this boot.
                clock.guessed_at = clock.now()
            return
        if clock.source.is_synchronised():
            return
        if was_synchronised or clock.source.wall() < known.timestamp():
            clock.hold(known + NEXT)
            leapt = clock.now() - known
            # After that: nothing that is known is of since.
            self.guess = Guess(clock.source.boot_id, clock.boot(), leapt, flip)
            self._waits_until = boot + UNSYNCHRONISED

    def is_over(self, *, is_synchronised: bool, was_synchronised: bool) -> bool:
        """Tell whether the wall counts: right, caught up, or waited for too long."""
        has_caught_up = not was_synchronised and self._clock.step > _NOTHING
        is_over = self._clock.boot() >= (self._waits_until or 0.0)
        return is_synchronised or is_over or has_caught_up

    def moves_windows(self, *, is_wrong: bool) -> timedelta:
        """Return by how much windows move that people opened before.

        They last as long as was said, by whatever time that `is_wrong` and is to be set
        still; what is over begins not again by a right one that is behind.
        """
        behind = self.guess.leapt + self._clock.step
        return behind if is_wrong else min(behind, _NOTHING)

    def doubt_lengths(self, step: timedelta, *, is_wrong: bool) -> None:
        """Note of which runs nobody knows how long they take, after a step.

        What lay in the future of a wall that is behind was cut: by one that `is_wrong`
        up to now, by a right one what was before the guess began.
        """
        at = self._clock.now() if is_wrong else self.began
        is_known = step >= _NOTHING and not is_wrong
        self._clock.guessed_at = None if is_known else at + NEXT

    def end(self) -> None:
        """Let the wall count."""
        self._waits_until = None
