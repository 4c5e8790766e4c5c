"""Descriptors that are kept for alerts: the last of them must not go to connections."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

# What one try needs: a connection and its name's lookup, or the pipes to a process, and
# the files of what is imported or trusted for the first time.
FOR_A_TRY = 12

# How many tries at a time are provided for.
_TRIES = 4

# Of a low limit no more than this part is kept.
_SHARE = 8


class Reserve:
    """Hold descriptors open, and give some back while an alert goes out."""

    def __init__(self) -> None:
        self._held: list[int] = []
        self._lent = 0

    def fill(self) -> None:
        """Take what is missing, as far as there is any."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = FOR_A_TRY * _TRIES
        size = most if limit == resource.RLIM_INFINITY else min(most, limit // _SHARE)
        while len(self._held) < size - FOR_A_TRY * self._lent:
            try:
                self._held.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                # Others have them for now: the next one that fills tries again.
                return

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let an alert have what it needs for a while."""
        self._lent += 1
        for descriptor in self._held[:FOR_A_TRY]:
            os.close(descriptor)
        del self._held[:FOR_A_TRY]
        try:
            yield
        finally:
            self._lent -= 1
            self.fill()

    def close(self) -> None:
        """Give all back."""
        while self._held:
            os.close(self._held.pop())
