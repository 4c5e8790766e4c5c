"""What a server is told of a run."""

from __future__ import annotations

import os
import time

from hcl.client.courier import Courier
from hcl.client.output import MOST, Output
from hcl.client.settings import Target
from hcl.client.signals import Signal

# As most servers keep; one that keeps another number of bytes says so. No more than
# MOST is ever sent.
_USUAL_LIMIT = 10_000


class Report:
    """Tells of one run: that it started, and how it ended.

    `output` is where its output is kept; None: it is not told. `only_failures`:
    nothing else is told. `patience`: seconds to try on at the end.
    """

    def __init__(
        self,
        target: Target,
        courier: Courier,
        *,
        output: Output | None,
        create: bool,
        only_failures: bool,
        patience: float,
    ) -> None:
        self._output = output
        self._target = target
        self._courier = courier
        self._create = create
        self._only_failures = only_failures
        self._patience = patience
        self._rid = _new_rid()

    def started(self, at: float) -> None:
        """Tell that the command has started; returns at once."""
        if not self._only_failures:
            self._add("start", at)

    def ended(self, exit_status: int, note: str = "") -> None:
        """Tell how it ended, with what it wrote; `note`: and why."""
        at = time.time()
        if self._only_failures and not (exit_status or note):
            # An older failure may wait still.
            self._courier.sweep(self._target.origin)
        else:
            self._tell_end(at, exit_status, note)
        self._courier.finish(self._patience)

    def _tell_end(self, at: float, exit_status: int, note: str) -> None:
        limit = min(self._courier.body_limit or _USUAL_LIMIT, MOST)
        # A name that is no UTF-8 is told as it is written.
        last = note.encode("utf-8", "surrogateescape")[:limit]
        # A line of its own, but only where there is something before it.
        body = self._output.within(limit - len(last) - 1) if self._output else b""
        if last and body and not body.endswith(b"\n"):
            last = b"\n" + last
        # A command that was ended, and ended well then, failed.
        word = "fail" if note and not exit_status else str(exit_status)
        self._add(word, at, body + last)

    def _add(self, word: str, at: float, body: bytes = b"") -> None:
        signal = Signal(self._target, word, at, self._rid, body, self._create)
        self._courier.add(signal)


def _new_rid() -> str:
    # As uuid4, whose module takes longer to import than all of this.
    digits = bytearray(os.urandom(16))
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
