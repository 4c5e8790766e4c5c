"""Memory that was needed once, given back to the system."""

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Give back what is free, after work that took much: to be called in its thread.

    The C library keeps it for later else, and such work comes once.
    """
    # Others than glibc have no such function.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
