"""Answers for everybody: made once, compressed once, and given to all who ask."""

import asyncio
import gzip
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from hcl.config import Config
from hcl.web.parts import Parts
from hcl.web.shared import Until

# For so many seconds an answer is given whatever changes: it is made no more often,
# however many ask, and however many pings come.
PACE = 3.0
# And no longer than so, as it says how long ago things were.
LONGEST = 60.0

Make = Callable[[Until], Awaitable[str]]
# The slug of a page, and which of its answers.
Key = tuple[str, str]


class Answer(NamedTuple):
    """A document, as it is and in gzip's format, and what changes with it."""

    plain: bytes
    gzipped: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    version: int
    # By the boot clock, which nobody sets.
    made: float
    until: datetime | None

    def is_good(self, parts: Parts) -> bool:
        """Tell whether it may be given still."""
        age = parts.clock.boot() - self.made
        if age < PACE or age >= LONGEST:
            return age < PACE
        is_over = self.until is not None and self.until <= parts.clock.shown()
        return not is_over and not parts.changes.is_over(self.version)


class KeptAnswers:
    """What was made under the settings that count now."""

    def __init__(self) -> None:
        self._config: Config | None = None
        self._kept: dict[Key, _Kept] = {}
        self._makings: dict[Key, asyncio.Task[Answer]] = {}

    async def get(self, key: Key, make: Make, parts: Parts) -> Answer:
        """Return an answer that is a few seconds old at most, or true still."""
        if self._config is not parts.config:
            self._config, self._kept, self._makings = parts.config, {}, {}
        kept = self._kept.get(key)
        if kept is not None and kept.is_good(parts):
            return kept.answer
        making = self._makings.get(key)
        if making is None or making.done():
            making = asyncio.create_task(self._make(key, make, parts))
            making.add_done_callback(_retrieve)
            self._makings[key] = making
        # Who leaves takes nothing from the others.
        return await asyncio.shield(making)

    async def _make(self, key: Key, make: Make, parts: Parts) -> Answer:
        config, until = parts.config, Until()
        async with parts.answers.turns:
            # Before anything is read.
            version, now = parts.changes.begin(), parts.clock.boot()
            text = await make(until)
            answer = await asyncio.to_thread(_answer, text)
        if config is self._config:
            self._kept[key] = _Kept(answer, version, now, until.moment)
        return answer


def _answer(text: str) -> Answer:
    plain = text.encode("utf-8", "replace")
    etag = hashlib.sha256(plain).hexdigest()[:20]
    return Answer(plain, gzip.compress(plain, 6, mtime=0), etag)


def _retrieve(task: asyncio.Task[Answer]) -> None:
    """Have an error be known, though all who waited for it have left."""
    if not task.cancelled():
        task.exception()
