"""That checks may have changed, told to whoever looks at pages just now."""

import asyncio


class Changes:
    """Wakes those who wait for changes; while nobody does, telling costs one test.

    `wanted`: somebody wants to know of the next change.
    """

    def __init__(self) -> None:
        self.wanted = False
        self.is_closed = False
        self._version = 0
        self._waiting: set[asyncio.Event] = set()

    def begin(self) -> int:
        """Be told of changes from now on; return what `wait` is to be given.

        To be called before what may change is read.
        """
        self.wanted = True
        return self._version

    def is_over(self, version: int) -> bool:
        """Tell whether something has changed since a `begin`."""
        return self._version != version

    def tell(self) -> None:
        """Wake all who wait, if anybody does: checks may have changed."""
        if self.wanted:
            self._wake()

    def close(self) -> None:
        """Wake all who wait for good: the server stops."""
        self.is_closed = True
        self._wake()

    async def wait(self, version: int, seconds: float) -> None:
        """Wait for a change since a `begin`, or the end, but no longer than this."""
        if self.is_closed or self.is_over(version):
            return
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(event)

    def _wake(self) -> None:
        self.wanted = False
        self._version += 1
        for event in self._waiting:
            event.set()
