"""The requests of Apprise: by hcl's rules, and watched. For its own process only."""

import contextlib
import json
import os
import ssl
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import requests.adapters

from hcl.outgoing import proxy, trust

# Bytes of an answer that are read; a service's own are far shorter.
_ANSWER_LIMIT = 1_048_576

# Seconds that an answer may take once it has begun.
_ANSWER_TIME = 3.0


@dataclass(slots=True)
class Trace:
    """What became of the requests for one message, and what Apprise said of it.

    `moved_to` is the number that a group of Telegram has now, "" if it has its own.
    """

    host: str = ""
    status: int = 0
    said: str = ""
    error: Exception | None = None
    warnings: list[str] = field(default_factory=list)
    hint: str = ""
    ca_file: str = ""
    moved_to: str = ""


trace_now: ContextVar[Trace | None] = ContextVar("trace_now", default=None)


class WatchedAdapter(requests.adapters.HTTPAdapter):
    """Send requests by hcl's rules, and note how each ends: Apprise tells yes or no."""

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Trust whom all of hcl trusts, not a list that requests brings along."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if verify is True:
            pool["ssl_context"] = _trusted()
        return host, pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave to the context whom to trust."""
        super().cert_verify(conn, url, verify, cert)
        if verify is True:
            conn.ca_certs = conn.ca_cert_dir = None

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        """Send a request; read its answer within limits."""
        trace = trace_now.get() or Trace()
        failed = trace.error is not None or trace.status >= 400
        host = urlsplit(request.url).hostname or ""
        way = proxy.proxy_for(request.url, os.environ)
        options["proxies"] = {"all": way} if way else {}
        try:
            response = super().send(request, *args, **options)
            _refuse_redirect(request, response)
        except (requests.RequestException, OSError) as error:
            trace.host, trace.status, trace.error, trace.said = host, 0, error, ""
            raise
        if not options.get("stream") and hasattr(response.raw, "read1"):
            # Apprise waits for the end of every answer, however far that is.
            response._content = _read(response)
            response._content_consumed = True
            if again := _moved(request, response, trace):
                return self.send(again, *args, **options)
        # The first failure is the reason, even if others of its targets took it.
        if not failed or response.status_code >= 400:
            trace.host, trace.status, trace.error = host, response.status_code, None
            trace.said = "" if options.get("stream") else _said(response.content)
        return response


class Redirected(requests.RequestException):
    """The other side wants the message elsewhere; `place` is where."""

    def __init__(self, status: int, place: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.place = place


def _refuse_redirect(request: Any, response: Any) -> None:
    # What follows these asks with GET and without the message, and a page that answers
    # would count as success.
    asks = request.method in ("GET", "HEAD")
    if response.status_code in (301, 302, 303) and not asks:
        location = urlsplit(urljoin(request.url, response.headers.get("location", "")))
        port = f":{location.port}" if location.port else ""
        place = f"{location.scheme}://{location.hostname}{port}"
        raise Redirected(response.status_code, place)


def _moved(request: Any, response: Any, trace: Trace) -> Any:
    """Return a message to a group of Telegram, to the number that it has now.

    Whoever makes more of a group than it was gives it another one, and sees nothing of
    that. None: it has its own.
    """
    host = urlsplit(request.url).hostname
    if response.status_code != 400 or host != "api.telegram.org":
        return None
    try:
        told, asked = json.loads(response.content), json.loads(request.body)
        number = int(told["parameters"]["migrate_to_chat_id"])
        if str(asked["chat_id"]) == str(number):
            return None
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    trace.moved_to = str(number)
    again = request.copy()
    again.prepare_body(json.dumps({**asked, "chat_id": number}), None)
    return again


def _trusted() -> Any:
    return trust.context((trace_now.get() or Trace()).ca_file)


def _read(response: Any) -> bytes:
    content, ended, end = bytearray(), False, time.monotonic() + _ANSWER_TIME
    # The status is the answer: what follows it may break off.
    with contextlib.suppress(Exception):
        while len(content) < _ANSWER_LIMIT and time.monotonic() < end and not ended:
            some = response.raw.read1(65_536, decode_content=True)
            content += some
            ended = not some
    if not ended:
        response.raw.close()
    return bytes(content)


def _said(content: bytes) -> str:
    """Return the words for people that an answer holds, "" for none."""
    text = content[:65_536].decode("utf-8", "replace")
    try:
        return _words(json.loads(text))
    except (ValueError, RecursionError):
        return text if "<" not in text and "\ufffd" not in text else ""


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(_words, value)))
    if isinstance(value, dict):
        names = "description errorDescription message msg error errors reason detail"
        for name in names.split():
            if words := _words(value.get(name)):
                return words
    return ""


def trust_as_hcl_does() -> None:
    """Have what connects without requests trust whom all of hcl trusts, too."""
    original = ssl.create_default_context

    def default_context(
        purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH,
        *,
        cafile: Any = None,
        capath: Any = None,
        cadata: Any = None,
    ) -> ssl.SSLContext:
        made = original(purpose, cafile=cafile, capath=capath, cadata=cadata)
        if purpose is ssl.Purpose.SERVER_AUTH and (trace := trace_now.get()):
            # A plugin may change what it gets, so that it is a new one.
            made.load_default_certs()
            if trace.ca_file:
                made.load_verify_locations(trace.ca_file)
        return made

    ssl.create_default_context = default_context
