"""What time it is: the wall, watched against a clock that nobody sets.

A Raspberry Pi has no clock that survives a power cut, and any clock is set at times.
What hcl calls now comes from here and from nowhere else.
"""

import ctypes
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

# A change of the wall by more than so many seconds is a step; less is slewing.
STEP = 2.0

# The watch wakes so many seconds late at most, where hcl was there all the time.
GAP = 10.0

# By so many seconds the boot clock runs ahead of the monotonic one without a suspend.
SUSPENDED = 1.0

# Two looks at the boot clock, this many seconds apart at most, were at the same time.
_AT_ONCE = 0.010
_LOOKS = 9

# The kernel's word for how wrong its wall may be, in microseconds: it grows to this
# while nobody synchronises it (NTP_PHASE_LIMIT in the kernel's timex.h).
_UNSYNCHRONISED = 16_000_000

# What systemd-timesyncd leaves where it has set the wall, for those who may not ask.
_SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# By so much a clock may have been ahead, and what was sent then is not sent once more.
A_BIT = timedelta(hours=1)

# Returns what time it is.
Now = Callable[[], datetime]


class Source(Protocol):
    """Where a clock takes its times from; a test gives it times of its own."""

    def wall(self) -> float:
        """Return CLOCK_REALTIME: unix seconds, as somebody has set them."""
        ...

    def boot(self) -> float:
        """Return CLOCK_BOOTTIME: seconds since the boot, suspend included."""
        ...

    def monotonic(self) -> float:
        """Return CLOCK_MONOTONIC: seconds since the boot, without suspend."""
        ...

    def is_synchronised(self) -> bool:
        """Tell whether the wall is known to be right."""
        ...

    @property
    def boot_id(self) -> str:
        """Name the boot that the boot clock counts from; "": it is not known."""
        ...


class SystemSource:
    """The clocks of the machine."""

    def __init__(self) -> None:
        # Each ping asks the time: no function of ours is between.
        self.wall: Callable[[], float] = time.time
        self.boot: Callable[[], float] = partial(
            time.clock_gettime, time.CLOCK_BOOTTIME
        )
        self.monotonic: Callable[[], float] = time.monotonic

    def is_synchronised(self) -> bool:
        """Ask the kernel, or else look what systemd says."""
        error = _greatest_error()
        if error is None:
            return _SYNCHRONISED.exists()
        return error < _UNSYNCHRONISED

    @cached_property
    def boot_id(self) -> str:
        """Return the kernel's name for this boot; "" where it is not shown."""
        try:
            return _BOOT_ID.read_text().strip()
        except OSError:
            return ""


def _greatest_error() -> int | None:
    """Return how wrong the wall may be in microseconds; None: it may not be asked."""
    # struct timex begins with modes (0: only read), offset, freq and maxerror; modes
    # takes the room of a long, whatever the machine. The rest is as long as it likes.
    timex = (ctypes.c_long * 128)()
    try:
        status = ctypes.CDLL(None).adjtimex(timex)
    except (AttributeError, OSError):
        return None
    return None if status < 0 else int(timex[3])


class Clock:
    """hcl's time: the wall, but a step of it counts only once it is taken.

    Between the moment that somebody sets the wall and the moment that all which was
    counted from the old time has been moved, hcl's time goes on by the boot clock.
    `on_step` is called when a step, or that the machine slept, is noticed by whoever
    asked the time.
    """

    def __init__(self, source: Source | None = None) -> None:
        self.source: Source = SystemSource() if source is None else source
        self._wall, self._boot = self.source.wall, self.source.boot
        self.on_step: Callable[[], None] = _nothing
        self._least = self._most = self._ahead = 0.0
        self._is_held = False
        self._has_stepped = False
        # hcl's time less the boot clock.
        self._follow(self._wall() - self._boot())
        # When anybody asked last, by the boot clock: hcl was there then. And when
        # before the last long while in which nobody did.
        self.asked = self.gap_from = self._boot()
        # When the watch looked, and by when it was to wake, by the boot clock.
        self.looked = self.asked
        self.wakes_by = math.inf
        # By how much the boot clock was ahead of the monotonic one at that look.
        self.lead = self.looked - self.source.monotonic()
        # The monotonic clock less how long hcl has run.
        self._ran_from = self.source.monotonic()
        # As of when people are shown how checks are; None: now.
        self.shown_as_of: datetime | None = None
        # The same while nothing that comes can be kept; None: it can.
        self.deaf_as_of: datetime | None = None
        # The wall was right once and is not known to be now.
        self.is_doubtful = False
        # No length from before this to after it is known: hcl's time was guessed.
        self.guessed_at: datetime | None = None
        # The steps that were taken, in order.
        self.steps: list[timedelta] = []

    def now(self) -> datetime:
        """Return hcl's time, aware and in UTC."""
        # Each ping comes by here: nothing but the two looks that it takes.
        boot = self._boot()
        if boot - self.asked > GAP:
            self._note_gap(boot)
        self.asked = boot
        wall = self._wall()
        if self._least <= wall - boot <= self._most:
            return datetime.fromtimestamp(wall, UTC)
        return self._look()

    def _note_gap(self, boot: float) -> None:
        """Keep since when nobody asked; wake the watch if the machine slept."""
        self.gap_from = self.asked
        if boot - self.source.monotonic() - self.lead > SUSPENDED:
            self.on_step()

    def _look(self) -> datetime:
        """Return hcl's time; follow a slewing wall, and notice a step."""
        # Two looks around the one that counts: whoever is put to sleep between them
        # has not seen a step.
        before, wall, boot = self._boot(), self._wall(), self._boot()
        moved = wall - boot - self._ahead
        is_step = not -STEP <= moved <= STEP
        if boot - before <= _AT_ONCE and not self._is_held:
            if not is_step:
                self._follow(self._ahead + moved)
            elif not self._has_stepped:
                self._has_stepped = True
                self.on_step()
        if is_step or self._is_held:
            wall = boot + self._ahead
        return datetime.fromtimestamp(wall, UTC)

    def _follow(self, ahead: float) -> None:
        self._ahead = ahead
        # Half of what a step is, so that a wall that slews is followed in time.
        self._least, self._most = ahead - STEP / 2, ahead + STEP / 2
        if self._is_held:
            self._least = math.inf

    def shown(self) -> datetime:
        """Return as of when people are shown how checks are.

        It is now, but while hcl has been away and has not judged what that means, or
        can keep nothing that comes: then it is when it went, lest anything be called
        down that could not be heard.
        """
        if times := [*filter(None, (self.shown_as_of, self.deaf_as_of))]:
            return min(times)
        now = self.now()
        if self._boot() - self.wakes_by <= GAP:
            return now
        return self.at(max(self.looked, self.gap_from))

    def timestamp(self) -> float:
        """Return hcl's time in unix seconds."""
        return self.now().timestamp()

    def boot(self) -> float:
        """Return the boot clock, in seconds: lengths by it are true."""
        return self._boot()

    def monotonic(self) -> float:
        """Return the monotonic clock, in seconds: it stands still in a suspend."""
        return self.source.monotonic()

    @property
    def ran(self) -> float:
        """Return for how many seconds hcl has run since the database was made.

        While there was no process, or the machine slept, it did not run.
        """
        return self.source.monotonic() - self._ran_from

    def has_run(self, seconds: float) -> None:
        """Go on from how long hcl had run before this start."""
        self._ran_from = self.source.monotonic() - seconds

    def at(self, boot: float) -> datetime:
        """Return what hcl's time was, or will be, when the boot clock shows this."""
        return datetime.fromtimestamp(boot + self._ahead, UTC)

    @property
    def is_held(self) -> bool:
        """Tell whether hcl's time goes by the boot clock: the wall may be wrong."""
        return self._is_held

    @property
    def may_be_behind(self) -> bool:
        """Tell whether hcl's time may be far behind: it is guessed, or a wall's."""
        return self._is_held or self.is_doubtful

    def hold(self, known: datetime) -> None:
        """Go by the boot clock from now on: from the wall, or from `known` if later."""
        self._is_held = True
        self._has_stepped = False
        self._follow(max(self._wall(), known.timestamp()) - self._boot())
        self.guessed_at = self.now()

    def hold_on(self, since: float) -> None:
        """Go by the boot clock still: the time was guessed since then, by that."""
        self._is_held = True
        self._follow(self._ahead)
        self.guessed_at = self.at(since)

    @property
    def step(self) -> timedelta:
        """Return how far the wall is ahead of hcl's time; 0: it is no step.

        Where it cannot be told, since the machine is busy, the next who asks the time
        wakes the watch again.
        """
        for _ in range(_LOOKS):
            before, wall, boot = self._boot(), self._wall(), self._boot()
            if boot - before <= _AT_ONCE:
                break
        else:
            self._has_stepped = False
            return timedelta(0)
        moved = wall - boot - self._ahead
        return timedelta(seconds=0 if -STEP <= moved <= STEP else moved)

    def go_on(self, known: datetime) -> None:
        """Go on from what hcl's time is known to be: the wall may have been set."""
        self._has_stepped = False
        self._follow(known.timestamp() - self._boot())

    def set_since(self, steps: int) -> timedelta:
        """Return by how much it was set since so many steps had been taken."""
        return sum(self.steps[steps:], timedelta(0))

    def as_set(self, now: datetime) -> Now:
        """Return what calls `now` as the clock does, however it is set meanwhile."""
        steps = len(self.steps)
        return lambda: now + self.set_since(steps)

    def take(self, step: timedelta) -> None:
        """Let the wall count again: what was counted by the old time has been moved."""
        if step:
            self.steps.append(step)
        if self.guessed_at is not None:
            self.guessed_at += step
        self._is_held = False
        self._has_stepped = False
        self._follow(self._ahead + step.total_seconds())


def _nothing() -> None:
    pass
