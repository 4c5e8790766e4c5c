"""Memory: taken from one place, and what was needed once given back."""

import ctypes
from contextlib import suppress

# glibc's M_ARENA_MAX.
_ARENA_MAX = -8


def share_one_place() -> None:
    """Have all threads take memory from one place: to be called before there are any.

    The C library gives each its own else, of which none is ever full.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Give back what is free, after work that took much: may take milliseconds.

    The C library keeps it for later else, and such work comes once.
    """
    # Others than glibc have no such function.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


async def give_back_apart() -> None:
    """Do so in a thread, if there is one to be had."""
    # Imported here: who has no loop yet can do without.
    import asyncio

    with suppress(RuntimeError):
        await asyncio.to_thread(give_back)
