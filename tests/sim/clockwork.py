"""Time that only the world lets pass, and a loop that lives in it."""

import asyncio
import heapq
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from itertools import count
from typing import TypeVar, TypeVarTuple

# When every story begins, true time and wall alike.
BEGAN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()

# What one turn of a loop takes, in seconds.
_MOMENT = 2e-6

Act = Callable[[], object]

_Given = TypeVarTuple("_Given")
_Found = TypeVar("_Found")


class Machine:
    """The computer that hcl runs on: its clocks are a `hcl.clock.Source`.

    `now` is the true time in seconds since the story began, `offset` how far the wall
    is from it.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.offset = 0.0
        self.synchronised = True
        self.boots = 1
        self._booted = -1000.0
        self._slept = 0.0

    def wall(self) -> float:
        return BEGAN + self.now + self.offset

    def boot(self) -> float:
        return self.now - self._booted

    def monotonic(self) -> float:
        return self.now - self._booted - self._slept

    def is_synchronised(self) -> bool:
        return self.synchronised

    @property
    def is_wrong(self) -> bool:
        """Tell whether the wall is wrong, or may be."""
        return not self.synchronised or abs(self.offset) > 0.5

    @property
    def boot_id(self) -> str:
        return f"boot-{self.boots}"

    def sleep(self, seconds: float) -> None:
        """Have slept for so long: it is true time already."""
        self._slept += seconds

    def reboot(self) -> None:
        """Begin to count anew."""
        self.boots += 1
        self._booted, self._slept = self.now - 5.0, 0.0


class Agenda:
    """What is going to happen, in order; moves the machine's time along."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._heap: list[tuple[float, int, Act]] = []
        self._numbers = count()
        # Is called before the process goes on.
        self.before_each: Act = _nothing

    def at(self, when: float, act: Act) -> None:
        """Let something happen at a true time, now if that is over."""
        when = max(when, self.machine.now)
        heapq.heappush(self._heap, (when, next(self._numbers), act))

    def after(self, seconds: float, act: Act) -> None:
        """Let something happen after so long."""
        self.at(self.machine.now + seconds, act)

    def pass_to(self, until: float) -> bool:
        """Let the next thing happen, if it does up to `until`; else go there."""
        if self._heap and self._heap[0][0] <= until:
            self.machine.now, _, act = heapq.heappop(self._heap)
            act()
            return True
        self.machine.now = max(self.machine.now, until)
        return False

    def pass_all(self, until: float, goes_on: Callable[[], bool]) -> None:
        """Let all happen up to `until`, for as long as `goes_on`."""
        while goes_on() and self.pass_to(until):
            pass


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop whose waits let the world's time pass."""

    def __init__(self, agenda: Agenda) -> None:
        super().__init__()
        self._agenda = agenda
        self._selector = self
        # Of true times of years ago only so much is left.
        self._clock_resolution = 1e-5

    def time(self) -> float:
        """Return the machine's monotonic clock."""
        return self._agenda.machine.monotonic()

    def select(self, timeout: float | None) -> tuple[()]:
        """Let what is next happen, up to the loop's next timer."""
        if timeout is None or timeout > 0:
            longest = 1e9 if timeout is None else timeout
            self._agenda.pass_to(self._agenda.machine.now + longest)
            self._agenda.before_each()
        else:
            # Whatever is done takes a moment.
            self._agenda.machine.now += _MOMENT
        return ()

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*_Given], _Found],
        *args: *_Given,
    ) -> asyncio.Future[_Found]:
        """Do at once what a thread would: while one is at work a year may pass."""
        assert executor is None
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - is told to who waits
            future.set_exception(error)
        return future

    def _process_events(self, _events: tuple[()]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _nothing() -> None:
    pass
