"""What else the loop does meanwhile: a guard against holding it, without a clock."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def turns_while(work: Awaitable[T]) -> tuple[T, int]:
    """Await something; return it, and how often the loop came round meanwhile."""
    turns = 0
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    return task.result(), turns
