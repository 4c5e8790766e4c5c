"""Big answers: made in slices, a few at a time, and shared until something changes."""

import asyncio
from asyncio import FIRST_COMPLETED
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import aclosing, suppress
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from hcl import memory
from hcl.changes import Changes
from hcl.clock import Clock
from hcl.web.compression import LEAST, packed, takes_gzip

# So many bytes of finished answers are kept. What is larger is sent while it is made.
KEPT_BYTES = 2_000_000

# How long an answer is kept that nobody asks for again, in seconds.
KEPT_FOR = 20.0

# So many bytes of finished answers may be on their way to clients that are slow to
# read; while they are, others are sent as they are made.
SENDING_BYTES = 8_000_000

# Answers that are made at a time.
AT_ONCE = 4

# What is kept beside an answer, and how long a query may be to be kept, in bytes.
_OVERHEAD = 2000
_LONGEST_QUERY = 500

# A client that takes nothing for so long gives up its turn, in seconds.
_PATIENCE = 1.0

# What is sent in one go.
_PIECE = 65_536


class Until:
    """The first moment at which what is being told changes by the passing of time."""

    def __init__(self) -> None:
        self.moment: datetime | None = None

    def note(self, moment: datetime | None) -> None:
        """Take note of a moment at which a part of it changes; None: it never does."""
        if moment is not None and (self.moment is None or moment < self.moment):
            self.moment = moment


# Yields an answer in pieces (b"": nothing to send yet), each of which is made in so
# short a time that pings can wait for it; between them it may await.
Make = Callable[[Until], AsyncIterator[bytes]]


class _Made:
    """An answer, or the beginning of one, which `rest` goes on with."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.until = Until()
        self.pieces: list[bytes] = []
        self.size = 0
        self.rest: AsyncIterator[bytes] | None = None
        # The same in gzip's format, made when the first asks for it.
        self.packing: asyncio.Task[bytes] | None = None
        # How many clients it is being sent to.
        self.sent_to = 0
        # When somebody asked for it last, by the loop's time.
        self.asked = 0.0

    def add(self, piece: bytes) -> None:
        if piece:
            self.pieces.append(piece)
        self.size += len(piece)

    async def packed(self) -> bytes:
        """Compress it, once for all."""
        if self.packing is None:
            self.packing = asyncio.create_task(packed(self.pieces))
        return await asyncio.shield(self.packing)

    @property
    def kept_size(self) -> int:
        """How many bytes are kept of it."""
        task = self.packing
        if task is None or not task.done() or task.cancelled():
            return self.size
        return self.size + len(task.result())


class _Making:
    def __init__(self, number: int, task: asyncio.Task[_Made]) -> None:
        self.number = number
        self.task = task


class SharedAnswers:
    """Makes big answers; those that are finished are shared with all who ask alike.

    Who asks gets what is true at that time or later: one that was begun before counts
    only if no check has changed since.
    """

    def __init__(self, changes: Changes, clock: Clock) -> None:
        self._changes = changes
        self._clock = clock
        self._kept: OrderedDict[Hashable, _Made] = OrderedDict()
        self._makings: dict[Hashable, _Making] = {}
        self._begun = self._settings = 0
        self.sending_bytes = 0
        self.turns = asyncio.Semaphore(AT_ONCE)
        # The slices of all answers take turns too, so that there is but one between
        # two looks of the loop at what pings want.
        self._slice = asyncio.Lock()
        self._sweeping: asyncio.TimerHandle | None = None

    @property
    def kept_bytes(self) -> int:
        """Tell how many bytes of finished answers are kept."""
        return sum(made.kept_size + _OVERHEAD for made in self._kept.values())

    def forget(self) -> None:
        """Forget all answers: the settings have changed."""
        self._kept.clear()
        # What is being made by the old ones is not to be found either.
        self._settings += 1

    async def answer(
        self,
        request: Request,
        key: Hashable,
        make: Make,
        headers: Mapping[str, str],
    ) -> Response:
        """Answer a request; `key` is all that an answer depends on but the checks.

        None: it depends on more.
        """
        if len(request.scope["query_string"]) > _LONGEST_QUERY:
            key = None
        if self.sending_bytes < SENDING_BYTES:
            made = await self._get((self._settings, key), make, is_shared=bool(key))
        else:
            made = _Made(self._changes.begin())
            made.rest = self._slices(make, made.until)
        if made.rest is not None and request.scope["http_version"] == "1.0":
            # It knows no chunks, and has to be told the length before.
            made = await self._whole(make)
        if made.rest is None:
            return _Finished(self, made, headers)
        beginning, rest = made.pieces, made.rest
        # There is one rest for all who waited: the first goes on with it, and the
        # others begin anew.
        made.pieces, made.rest = [], self._slices(make, Until())
        return _Streamed(self, beginning, rest, headers)

    async def _get(self, key: Hashable, make: Make, *, is_shared: bool) -> _Made:
        if not is_shared:
            async with self.turns:
                return await self._gather(make, KEPT_BYTES)
        asked = self._begun
        while True:
            if (kept := self._fresh(key)) is not None:
                return kept
            making = self._makings.get(key)
            if making is None:
                self._begun += 1
                task = asyncio.create_task(self._make(key, make))
                task.add_done_callback(_retrieve)
                making = self._makings[key] = _Making(self._begun, task)
            # Who leaves takes nothing from the others.
            made = await asyncio.shield(making.task)
            if making.number > asked:
                return made

    def _fresh(self, key: Hashable) -> _Made | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        until = kept.until.moment
        is_over = until is not None and until <= self._clock.shown()
        if is_over or self._changes.is_over(kept.version):
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        kept.asked = asyncio.get_running_loop().time()
        return kept

    async def _make(self, key: Hashable, make: Make) -> _Made:
        try:
            async with self.turns:
                made = await self._gather(make, KEPT_BYTES)
        finally:
            self._makings.pop(key, None)
        if made.rest is None:
            self._keep(key, made)
        return made

    async def _whole(self, make: Make) -> _Made:
        async with self.turns:
            return await self._gather(make, None)

    async def _gather(self, make: Make, most: int | None) -> _Made:
        """Make an answer, up to so many bytes (None: all of it)."""
        # Before anything is read.
        made = _Made(self._changes.begin())
        slices = self._slices(make, made.until)
        async for piece in slices:
            made.add(piece)
            if most is not None and made.size > most:
                made.rest = slices
                break
        return made

    async def _slices(self, make: Make, until: Until) -> AsyncIterator[bytes]:
        slices = make(until)
        async with aclosing(slices):  # type: ignore[type-var]  # a generator
            while True:
                async with self._slice:
                    try:
                        piece = await anext(slices)
                    except StopAsyncIteration:
                        return
                    # Whoever waits with a ping comes first.
                    await asyncio.sleep(0)
                yield piece

    def _keep(self, key: Hashable, made: _Made) -> None:
        # What has changed meanwhile serves those who wait, and nobody else.
        if self._changes.is_over(made.version):
            return
        self._kept[key] = made
        self._kept.move_to_end(key)
        while self.kept_bytes > KEPT_BYTES:
            self._kept.popitem(last=False)
        made.asked = asyncio.get_running_loop().time()
        self._sweep_later()

    def _sweep_later(self) -> None:
        if self._kept and self._sweeping is None:
            loop = asyncio.get_running_loop()
            self._sweeping = loop.call_later(KEPT_FOR, self._sweep)

    def _sweep(self) -> None:
        """Forget what nobody has asked for lately, or will get again."""
        self._sweeping = None
        loop = asyncio.get_running_loop()
        since = loop.time() - KEPT_FOR
        left = [
            key
            for key, made in self._kept.items()
            if made.asked <= since or self._changes.is_over(made.version)
        ]
        for key in left:
            del self._kept[key]
        if left:
            # Not in the loop. Where no thread can be had, at the next time.
            with suppress(RuntimeError):
                loop.run_in_executor(None, memory.give_back)
        self._sweep_later()


class _Finished(Response):
    """An answer whose length is known, sent in pieces: a client may be slow."""

    def __init__(
        self, answers: SharedAnswers, made: _Made, headers: Mapping[str, str]
    ) -> None:
        super().__init__(headers={**headers, "Content-Length": str(made.size)})
        self._answers = answers
        self._made = made

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,  # noqa: ARG002 - as ASGI calls it
        send: Send,
    ) -> None:
        """Send it."""
        answers, made = self._answers, self._made
        pieces = made.pieces
        if made.size >= LEAST and scope["method"] != "HEAD" and takes_gzip(scope):
            pieces = [await made.packed()]
            self.headers["Content-Encoding"] = "gzip"
            self.headers["Vary"] = "Accept-Encoding"
            self.headers["Content-Length"] = str(len(pieces[0]))
        if made.sent_to == 0:
            answers.sending_bytes += made.size
        made.sent_to += 1
        start = {"type": "http.response.start", "status": self.status_code}
        try:
            await send({**start, "headers": self.raw_headers})
            for piece in pieces:
                for at in range(0, len(piece), _PIECE):
                    part = piece[at : at + _PIECE]
                    await send(_part(part))
            await send({"type": "http.response.body", "body": b""})
        finally:
            made.sent_to -= 1
            if made.sent_to == 0:
                answers.sending_bytes -= made.size


class Streaming(StreamingResponse):
    """Starlette's, without anyio, which takes 30 ms to import."""

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - as ASGI calls it
        receive: Receive,
        send: Send,
    ) -> None:
        """Send it, or as much as the client stays for."""
        sending = asyncio.create_task(self.stream_response(send))
        leaving = asyncio.create_task(self.listen_for_disconnect(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            outcome, _ = await asyncio.gather(sending, leaving, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome


class _Streamed(Streaming):
    """An answer that is sent while it is made."""

    def __init__(
        self,
        answers: SharedAnswers,
        beginning: list[bytes],
        rest: AsyncIterator[bytes],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(rest, headers=headers)
        self._turns = answers.turns
        self._beginning = beginning
        self._rest = rest

    async def stream_response(self, send: Send) -> None:
        """Send it; others may go on while the client does not read."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        await self._turns.acquire()
        is_held = True
        try:
            async for piece in self._all():
                if not piece:
                    continue
                try:
                    # uvicorn waits before it writes: what is cancelled is not written.
                    async with asyncio.timeout(_PATIENCE):
                        await send(_part(piece))
                except TimeoutError:
                    self._turns.release()
                    is_held = False
                    await send(_part(piece))
                    await self._turns.acquire()
                    is_held = True
        finally:
            if is_held:
                self._turns.release()
        await send({"type": "http.response.body", "body": b""})

    async def _all(self) -> AsyncIterator[bytes]:
        async with aclosing(self._rest):  # type: ignore[type-var]  # a generator
            while self._beginning:
                yield self._beginning.pop(0)
            async for piece in self._rest:
                yield piece


def _retrieve(task: asyncio.Task[_Made]) -> None:
    """Have an error be known, though all who waited for it have left."""
    if not task.cancelled():
        task.exception()


def _part(body: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": True}
