"""One signal of a job, and the request that tells it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from hcl.client.settings import Target, is_uuid

# Seconds that a signal may be old: an hcl takes no older ones.
OLDEST = 7 * 86_400.0

_BOOT = "/proc/sys/kernel/random/boot_id"


class Signal(NamedTuple):
    """What is told of a check, when it was so (unix time), and what came with it.

    `word` is start, fail, log, an exit status, or "": success. `boot` and `uptime` tell
    the time without a clock: which boot of the machine, and seconds since then.
    """

    target: Target
    word: str
    at: float
    rid: str = ""
    body: bytes = b""
    create: bool = False
    boot: str = ""
    uptime: float = 0.0

    @property
    def url(self) -> str:
        """The address that tells it."""
        query = {"rid": self.rid} if self.rid else {}
        if self.create:
            query["create"] = "1"
        word = f"/{self.word}" if self.word else ""
        return self.target.url + word + ("?" + urlencode(query) if query else "")

    def dump(self) -> bytes:
        """Write it down, for another process to send."""
        target = self.target
        document = {**self._asdict(), "target": [target.url, target.key, target.root]}
        del document["body"]
        return json.dumps(document).encode() + b"\n" + self.body

    @classmethod
    def load(cls, text: bytes) -> Signal:
        """Read what `dump` wrote. Raises ValueError."""
        head, _, body = text.partition(b"\n")
        try:
            document: dict[str, Any] = json.loads(head)
            target = Target(*document.pop("target"))
            # Of a newer hcl there may be others.
            known = {name: document[name] for name in cls._fields if name in document}
            return cls(target=target, body=body, **known)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(str(error)) from error


def dated(signal: Signal) -> Signal:
    """Return a signal with what tells its time if the clock is set meanwhile."""
    return signal._replace(boot=_boot(), uptime=_uptime())


def happened(signal: Signal) -> float:
    """Return when it was, in unix time: as its clock had it, if that can be."""
    now = time.time()
    if now - OLDEST < signal.at <= now:
        return signal.at
    if not signal.boot or signal.boot != _boot():
        return signal.at
    # The clock was wrong then, and was set since: of a machine that keeps no time while
    # it is off, and had no network yet.
    return now - (_uptime() - signal.uptime)


def _boot() -> str:
    try:
        with open(_BOOT, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _uptime() -> float:
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except AttributeError:
        # Not Linux: no boot is known there either.
        return 0.0


def stamped(signal: Signal, method: str) -> dict[str, str]:
    """Return the headers that give a signal its own time: an hcl believes them.

    They are signed with what only those have who may ping the check.
    """
    at = f"{happened(signal):.3f}"
    path = urlsplit(signal.url).path
    # What stands before is the server's, or a proxy's, which may have cut it off.
    path = path[path.find("/ping/") :] if "/ping/" in path else f"/ping{_rest(signal)}"
    head = f"{method}\n{path}\n{at}\n".encode()
    key = signal.target.key.encode()
    signature = hmac.new(key, head + signal.body, hashlib.sha256).hexdigest()
    return {"X-Ping-At": at, "X-Ping-Signature": signature}


def _rest(signal: Signal) -> str:
    """Return what the address of a signal says behind the endpoint of pings."""
    path, whole = urlsplit(signal.target.url).path, urlsplit(signal.url).path
    words = path.split("/")[-1 if is_uuid(signal.target.key) else -2 :]
    return "/" + "/".join(words) + whole[len(path) :]


def as_log(signal: Signal) -> Signal:
    """Return the log ping that tells of it late, to a server that takes no times."""
    # Imported here: nobody needs it while the server is there.
    from datetime import datetime, timezone

    moment = datetime.fromtimestamp(happened(signal), timezone.utc)
    word = f"exit status {signal.word}" if signal.word.isdigit() else signal.word
    line = f"{word or 'success'} at {moment:%Y-%m-%d %H:%M:%S} UTC, told late\n"
    return signal._replace(word="log", body=line.encode() + signal.body)
