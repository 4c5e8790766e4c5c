"""What systemd is told, and what it hands over: sd_notify(3), the watchdog, priorities.

Away from systemd, or when its socket is gone, all of it does nothing.
"""

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping

from hcl.server.stderr import StderrHandler, open_what_is_closed

logger = logging.getLogger(__name__)

# What `hcl serve` exits with when another machine has taken over: the unit names it, so
# that systemd does not start it again.
FENCED_EXIT = 3

# Of the time after which systemd takes hcl for hung, it is fed each so manieth part.
_FEEDS = 4

# So often what hcl does is told, if there is no watchdog.
_STATUS_EVERY = 60.0

# The longest that systemd shows of it.
_LONGEST_STATUS = 200

# syslog's priorities, by the least level that has them.
_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
_DEBUG = 7


class Notifier:
    """Tells systemd how hcl fares, if it asked for that."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._path = _address(env.get("NOTIFY_SOCKET", ""))
        self._is_gone = False
        self._sender: socket.socket | None = None
        self._feed_every = _watchdog(env)

    def ready(self, status: str) -> None:
        """Tell that connections are taken, or that a reload is over."""
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def reloading(self) -> None:
        """Tell that hcl.toml is read again; `ready` ends it."""
        # systemd wants to know that this is not the answer to an earlier reload.
        moment = time.monotonic_ns() // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={moment}\nSTATUS=reads hcl.toml again")

    def stopping(self, why: str) -> None:
        """Tell that hcl ends."""
        self._send(f"STOPPING=1\nSTATUS={_line(why)}")

    async def run(self, stuck: Callable[[], str], status: Callable[[], str]) -> None:
        """Feed the watchdog while nothing is stuck, and tell what hcl does.

        `stuck` names what is; "" if nothing is. That this runs shows that the loop
        does. What cannot be helped by a restart (a full disk, a dead receiver) is to be
        told by `status` alone: each restart is an absence. Nothing is told after it.
        """
        if self._path is None:
            return
        try:
            await self._feed(stuck, status)
        finally:
            if self._sender is not None:
                self._sender.close()

    async def _feed(self, stuck: Callable[[], str], status: Callable[[], str]) -> None:
        told = ""
        while True:
            if problem := stuck():
                logger.error("%s: systemd is left to restart hcl", problem)
            elif self._feed_every is not None:
                self._send("WATCHDOG=1")
            if (now := problem or status()) != told:
                told = now
                self._send(f"STATUS={_line(told)}")
            await asyncio.sleep(self._feed_every or _STATUS_EVERY)

    def _send(self, text: str) -> None:
        if self._path is None:
            return
        try:
            if self._sender is None:
                # It is kept: where no descriptor is left, hcl is not to be killed too.
                self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                # Whoever does not read must not hold up a ping.
                self._sender.setblocking(False)
            # A path in it may be no UTF-8.
            self._sender.sendto(text.encode(errors="replace"), self._path)
        except OSError as error:
            if not self._is_gone:
                logger.warning("cannot tell systemd how hcl fares: %s", error.strerror)
            self._is_gone = True
        else:
            self._is_gone = False


def _address(name: str) -> str | None:
    """Return where to send; None: nobody asked, or by a way that is not known."""
    if name.startswith("@"):
        return f"\0{name[1:]}"
    if name.startswith("/"):
        return name
    if name:
        logger.warning("NOTIFY_SOCKET is no path: systemd is told nothing")
    return None


def _watchdog(env: Mapping[str, str]) -> float | None:
    """Return how often the watchdog is to be fed, in seconds; None: there is none."""
    if env.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    usec = env.get("WATCHDOG_USEC", "")
    if not usec:
        return None
    if not (usec.isascii() and usec.isdigit() and 0 < int(usec) < 2**63):
        logger.warning("WATCHDOG_USEC is no number: the watchdog is not fed")
        return None
    return int(usec) / 1e6 / _FEEDS


def _line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_STATUS]


class JournalFormatter(logging.Formatter):
    """Puts before each line the priority that the journal is to keep it with."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; each line of a traceback has its priority too."""
        level = record.levelno
        priority = next((p for least, p in _PRIORITIES if level >= least), _DEBUG)
        lines = super().format(record).splitlines() or [""]
        return "\n".join(f"<{priority}>{line}" for line in lines)


def log_to_stderr() -> None:
    """Have the log go to standard error: in words, or as the journal has it."""
    open_what_is_closed()
    handler = StderrHandler()
    if writes_to_journal():
        # Which knows when, and keeps the level apart.
        handler.setFormatter(JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def writes_to_journal(env: Mapping[str, str] = os.environ) -> bool:
    """Tell whether standard error goes to the journal, and not to a file or a pipe."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return env.get("JOURNAL_STREAM", "") == f"{status.st_dev}:{status.st_ino}"
