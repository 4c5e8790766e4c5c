"""The loop that tells another monitor that hcl is well, by a ping while it is."""

import asyncio
import logging
import os
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hcl import __version__
from hcl.alarm import Alarm
from hcl.clock import Clock
from hcl.config import WatchdogConfig
from hcl.web.figures import health
from hcl.web.parts import Parts

if TYPE_CHECKING:
    from hcl.outgoing.asking import Answer

logger = logging.getLogger(__name__)

# Seconds that an answer may take.
TIMEOUT = 10.0

# Seconds that are waited for what follows on an answer's head.
_BODY_PATIENCE = 2.0

# What healthchecks.io says with a 200 of a check that there is not.
_UNKNOWN = b"OK (not found)"

# While hcl is not well it is looked so often whether it is again: what waited over a
# restart is late only for seconds, and the other monitor has no patience for a round.
AGAIN = timedelta(seconds=5)


class Watchdog:
    """Asks a URL as long as hcl is well; who waits for that notices if hcl is gone.

    `trouble` is why the last round came to nothing; "": it did not.
    """

    def __init__(
        self, parts: Parts, config: WatchdogConfig, *, clock: Clock, alarm: Alarm
    ) -> None:
        self.trouble = ""
        self._parts = parts
        self._config = config
        self._clock = clock
        self._alarm = alarm

    def use(self, config: WatchdogConfig) -> None:
        """Ask by these settings from now on."""
        if config != self._config:
            self._config = config
            self._alarm.ring()

    async def run(self) -> None:
        """Repeat: 1. ask if hcl is well, 2. sleep."""
        while True:
            until = None
            if self._config.url:
                # From its begin, lest the rounds drift.
                begun, every = self._clock.now(), self._config.every
                is_well = await self.ask_once()
                until = begun + (every if is_well else min(every, AGAIN))
            await self._alarm.sleep(until)

    async def ask_once(self) -> bool:
        """Ask the URL, if hcl is well, and tell whether it is; log what changes."""
        # A reload may take it away meanwhile.
        url = self._config.url
        trouble = await health.find_trouble(self._parts, self._clock.now())
        is_well = not trouble
        if trouble:
            trouble = f"the watchdog is not asked, since {trouble}"
        else:
            ca_file = str(self._parts.config.tls.ca_file or "")
            trouble = await _ask(url, ca_file)
        if trouble and trouble != self.trouble:
            logger.warning("%s", trouble)
        elif self.trouble and not trouble:
            logger.info("the watchdog hears of hcl again")
        self.trouble = trouble
        return is_well


async def _ask(url: str, ca_file: str) -> str:
    """Ask a URL, as a webhook would; return what is wrong, "" if nothing is."""
    # Imported now: few have one.
    from hcl.outgoing.request import AskingError

    host = urlsplit(url).hostname or "?"
    try:
        async with asyncio.timeout(TIMEOUT):
            answer = await _answer(url, ca_file)
    except TimeoutError:
        return f"the watchdog {host} did not answer within {TIMEOUT:g} s"
    except (AskingError, ValueError, OSError, RuntimeError) as error:
        # Not its text, which may hold the URL, a secret.
        return f"the watchdog {host} cannot be reached: {_why(error, host)}"
    if 200 <= answer.status <= 299:
        said = bytes(answer.body).strip()
        return f"the watchdog {host} knows no such check" if said == _UNKNOWN else ""
    to = urlsplit(answer.location).hostname if answer.location else None
    leads = f", which leads to {to}: let watchdog.url name that" if to else ""
    return f"the watchdog {host} answers HTTP {answer.status}{leads}"


async def _answer(url: str, ca_file: str) -> "Answer":
    from hcl.outgoing import proxy
    from hcl.outgoing.asking import Asker
    from hcl.outgoing.reaching import trusted
    from hcl.outgoing.request import make_request, parse_url

    way = proxy.proxy_for(url, os.environ)
    tls = await trusted(ca_file)
    headers = [(b"User-Agent", f"hcl/{__version__} watchdog".encode())]
    request = make_request("GET", parse_url(url), headers)
    asker = Asker(way, tls, TIMEOUT)
    try:
        answer = await asker.ask(request, len(_UNKNOWN) + 2)
        # Its body may be slow.
        with suppress(TimeoutError):
            async with asyncio.timeout(_BODY_PATIENCE):
                await answer.rest
        return answer
    finally:
        asker.close()


def _why(error: Exception, host: str) -> str:
    from hcl.outgoing.reasons import NO_THREAD, why
    from hcl.outgoing.request import AskingError

    if isinstance(error, RuntimeError):
        return NO_THREAD
    if isinstance(error, AskingError):
        return why(error) or str(error).format(host=host, place=host)
    return why(error) or type(error).__name__
