"""Tells signals in their order while the job runs, and before them what was left."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from signal import SIG_IGN, SIGHUP, SIGINT, SIGQUIT, SIGTERM, getsignal
from signal import signal as handle
from typing import TYPE_CHECKING

from hcl.client import spool as spools
from hcl.client.signals import Signal, as_log, dated, happened
from hcl.client.spool import Kept, Spool

if TYPE_CHECKING:
    from hcl.client.sending import Answer

# Pauses between two tries, in seconds: each twice as long as the one before.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0

# A signal that is told so many seconds late is told with its own time.
_LATE = 2.0

# Who sends one of these need not wait for a server that is away.
_ENDING = (SIGINT, SIGTERM, SIGHUP, SIGQUIT)


class Courier:
    """A thread that sends; the job waits for it at its end alone.

    `tell` takes lines for people. `whole`: what was left for other servers than that
    of the signals added is told too. `body_limit`: bytes of a body that the server
    keeps; 0: it has not said. `all_told`: whether the server has all that was to be
    told.
    """

    def __init__(
        self, spool: Spool, tell: Callable[[str], None], *, whole: bool = False
    ) -> None:
        self.body_limit = 0
        self.all_told = True
        self._spool = spool
        self._tell = tell
        self._whole = whole
        self._waiting: deque[tuple[Signal, Kept | None]] = deque()
        # Where the signals of this run go; "": there are none.
        self._origin = ""
        self._condition = threading.Condition()
        # Until when to go on trying, by the monotonic clock; None: for ever.
        self._until: float | None = None
        self._has_flushed = False
        self._thread: threading.Thread | None = None
        # Why the last try failed, and for how long the server wants to be left alone.
        self._why = ""
        self._retry_after = 0.0
        # What was said last of a signal that is lost: its start and its end are one.
        self._said = ""
        # Which servers believe a signal its own time.
        self._takes_times: dict[str, bool] = {}
        # Whether the server took one of ours; and whether it did not say what it is: a
        # proxy may let pings through, and nothing else.
        self._is_there = False
        self._asked_in_vain = False

    def add(self, signal: Signal) -> None:
        """Tell a signal soon; it is written down first."""
        signal = dated(signal)
        self._origin = signal.target.origin
        with self._condition:
            self._waiting.append((signal, self._spool.keep(signal)))
            self._condition.notify()
        self.start()

    def sweep(self, origin: str) -> None:
        """Tell what was left for a server, if anything was, and add nothing."""
        self._origin = origin
        if self._spool.trim():
            self.start()

    def start(self) -> None:
        """Begin to send; what was left before is told even if nothing is added."""
        if self._thread is None:
            # A daemon: it must not outlive what it works for.
            self._thread = threading.Thread(target=self._run, daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:
                # No more threads are allowed: what is kept is told by the next.
                self._thread, self._why = None, str(error)

    def finish(self, patience: float) -> None:
        """Wait for what is not told yet, so many seconds at most; leave the rest.

        A signal that asks the process to end has it wait no longer.
        """
        with self._condition:
            self._until = time.monotonic() + patience
            self._condition.notify()
        if self._thread is not None:
            with _hurried():
                self._thread.join(patience + 0.2)
        with self._condition:
            left = list(self._waiting)
            self._waiting.clear()
        for _, kept in left:
            if kept is not None:
                spools.leave(kept)
        if left:
            self._spool.trim()
            self._say_dropped()
        if left or self._why:
            self.all_told = False
        if left:
            self._say_left(left)
        elif self._why:
            self._tell(f"could not send what is kept: {self._why}")

    def _say_left(self, left: list[tuple[Signal, Kept | None]]) -> None:
        url = left[0][0].target.shown
        why = self._why or "it did not answer in time"
        if all(kept for _, kept in left):
            fate = "it is kept, and sent with the next signal from here"
        else:
            fate = f"it is lost, since it cannot be kept ({self._spool.why_not})"
        self._tell(f"could not tell {url}: {why}; {fate}")

    def _run(self) -> None:
        try:
            self._tell_all()
        except Exception as error:  # noqa: BLE001 - a Python without ssl, say: the job goes on
            self._why = " ".join(str(error).split()) or type(error).__name__

    def _tell_all(self) -> None:
        pause = _FIRST_PAUSE
        while self._seconds_left() > 0:
            if self._has_flushed or self._flush() or self._may_go_first():
                first = self._first()
                if first is None:
                    return
                if self._send(*first):
                    pause = _FIRST_PAUSE
                    continue
            if not self._rest(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _may_go_first(self) -> bool:
        """Tell whether one of ours is to show if the server is there at all."""
        return self._asked_in_vain and bool(self._waiting) and not self._is_there

    def _rest(self, pause: float) -> bool:
        """Wait before the next try; return False if there is no time for one."""
        wanted, self._retry_after = self._retry_after, 0.0
        began = time.monotonic()
        # A second sooner, so that one who is as patient as a server wants has a try.
        until = began + max(wanted - 1, 0)
        with self._condition:
            if not wanted:
                # That the job has ended is a good moment to try.
                self._condition.wait(min(pause, self._seconds_left()))
                return True
            while (left := until - time.monotonic()) > 0:
                if left > self._seconds_left():
                    # What a server wanted long ago may be other by now.
                    return time.monotonic() - began >= _LONGEST_PAUSE
                self._condition.wait(left)
        return True

    def _seconds_left(self) -> float:
        return 1e6 if self._until is None else self._until - time.monotonic()

    def _first(self) -> tuple[Signal, Kept | None] | None:
        """Return what is to be told next; None: that was all."""
        with self._condition:
            while not self._waiting:
                if self._until is not None:
                    return None
                self._condition.wait()
            return self._waiting[0]

    def _send(self, signal: Signal, kept: Kept | None) -> bool:
        """Send one; return whether it is settled."""
        # Imported here, while the job starts: it takes as long as all the rest.
        from hcl.client import sending

        timeout = min(sending.TRY_TIMEOUT, max(0.1, self._seconds_left()))
        late = time.time() - happened(signal) > _LATE
        answer = sending.send(signal, timeout, late)
        if late and answer.final and sending.NOT_BELIEVED in answer.why:
            # One of the clocks is wrong, or was set: better now than never.
            answer = sending.send(signal, timeout)
        if not (answer.taken or answer.final):
            self._why, self._retry_after = answer.why, answer.retry_after
            return False
        self._why = ""
        self._is_there = self._is_there or answer.taken
        self.body_limit = answer.body_limit or self.body_limit
        with self._condition:
            is_ours = bool(self._waiting)
            if is_ours:
                self._waiting.popleft()
        if is_ours and kept is not None:
            spools.done(kept)
        if answer.final:
            self.all_told = False
            line = f"could not tell {signal.target.shown}: {answer.why}"
            if line != self._said:
                self._said = line
                self._tell(line)
        return True

    def _flush(self) -> bool:
        """Tell what was left before; return False if the server is away.

        Another server that is away holds nothing up.
        """
        from http.client import HTTPException

        from hcl.client import sending

        self._asked_in_vain = False
        refused: dict[str, str] = {}
        ours, away = self._origin, dict[str, str]()
        for kept in self._spool.left():
            origin = kept.signal.target.origin
            if origin in away or not (self._whole or origin == ours):
                spools.leave(kept, is_new=False)
                continue
            try:
                answer = self._send_late(kept.signal)
            except (OSError, HTTPException, ValueError) as error:
                answer = sending.Answer(False, sending.reason(error))
            if not (answer.taken or answer.final):
                spools.leave(kept)
                if not answer.is_alone:
                    away[origin] = answer.why
                    if self._whole or origin == ours:
                        self._retry_after = answer.retry_after
                continue
            if answer.final:
                refused[kept.signal.target.shown] = answer.why
            spools.done(kept)
        self._why = away.get(ours, "") if ours else next(iter(away.values()), "")
        self._has_flushed = not self._why
        for url, why in refused.items():
            self._tell(f"dropped what was kept for {url}: {why}")
        self._say_dropped()
        return self._has_flushed

    def _say_dropped(self) -> None:
        dropped, self._spool.dropped = self._spool.dropped, 0
        if dropped:
            most = f"{spools.MOST_FILES} signals, 20 MB and a week"
            self._tell(f"dropped {dropped} of what was kept: that is {most} at most")

    def _send_late(self, signal: Signal) -> Answer:
        """Send what was left before. Raises OSError, HTTPException, ValueError."""
        from hcl.client import sending

        if self._seconds_left() <= 0:
            raise TimeoutError
        if not self._has_times(signal.target.root):
            return sending.send(as_log(signal))
        answer = sending.send(signal, late=True)
        if answer.final and sending.NOT_BELIEVED in answer.why:
            # The clock of this machine, or of that one, was set since.
            return sending.send(as_log(signal))
        return answer

    def _has_times(self, root: str) -> bool:
        """Tell whether a server is an hcl: only that believes signals their own time.

        Raises OSError, HTTPException, ValueError.
        """
        if not root:
            return False
        if root not in self._takes_times:
            self._takes_times[root] = self._is_hcl(root)
        return self._takes_times[root]

    def _is_hcl(self, root: str) -> bool:
        """Ask a server what only an hcl knows; of one that takes pings alone: no.

        Raises OSError, HTTPException, ValueError.
        """
        from http.client import HTTPException

        from hcl.client import sending

        url, timeout = f"{root}/client/hcl.sha256", sending.TRY_TIMEOUT
        try:
            status, _, body = sending.request("GET", url, b"", {}, timeout)
            if status >= 500:
                raise ValueError(f"it answered {status}")
        except (OSError, HTTPException, ValueError):
            if root == self._origin and self._is_there:
                return False
            self._asked_in_vain = root == self._origin
            raise
        return status == 200 and b"hcl" in body


class _HurriedError(Exception):
    """Somebody wants the process to end."""


@contextlib.contextmanager
def _hurried() -> Iterator[None]:
    """Wait no longer once a signal asks us to end."""
    before = {
        number: handler
        for number in _ENDING
        if (handler := getsignal(number)) is not SIG_IGN
    }

    def hurry(*_: object) -> None:
        # Once: whoever is in a hurry sends several, and all that is left is to say it.
        for number in before:
            handle(number, lambda *_: None)
        raise _HurriedError

    try:
        for number in before:
            handle(number, hurry)
        yield
        for number, handler in before.items():
            handle(number, handler)
    except _HurriedError:
        return
