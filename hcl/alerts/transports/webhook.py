"""Webhooks: an HTTP request of the user's own making for each status."""

import asyncio
import logging
import os
import re
from contextlib import suppress
from contextvars import Context
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

import httpx2

from hcl import __version__
from hcl.alerts.transports import (
    NOTHING,
    DeliveryError,
    outward,
    proxy,
    too_late,
    trust,
)
from hcl.alerts.transports.placeholders import Placeholders, status_of
from hcl.alerts.transports.reasons import is_certificate, lacks_tls, why
from hcl.checks.check_json import Site
from hcl.config import ChannelConfig, Config, WebhookRequest, WebhookSettings
from hcl.model import Message
from hcl.words.lines import clean, cut

# Bytes of an answer that are waited for; none of them is kept.
ANSWER_LIMIT = 65_536

# httpx2 logs every URL at INFO, and what is secret about a webhook stands in its URL.
logging.getLogger("httpx2").setLevel(logging.WARNING)


@cache
def prepare() -> None:
    """Have the libraries import all that a first request would: in another thread."""
    httpx2.AsyncClient(verify=trust.nobody(), trust_env=False)
    # What httpx2 connects by. A context of its own, lest it takes this thread for the
    # loop's.
    with suppress(ImportError):
        import anyio

        Context().run(anyio.run, anyio.sleep, 0)


def open_transport(channel: ChannelConfig, config: Config) -> "Webhook":
    """Make the transport of a channel of the kind webhook."""
    if not isinstance(channel.settings, WebhookSettings):
        raise TypeError(f"{channel.name} has no settings of a webhook")
    server = config.server
    site = Site(server.site_root, server.ping_endpoint)
    return Webhook(channel.settings, site, ca_file=config.tls.ca_file)


class Webhook:
    """Request what the user wrote for this status; any 2xx is success.

    `try_timeout` is the limit in seconds of one try, from name lookup to answer.
    `ca_file` is whom it trusts besides the system's store.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        site: Site,
        try_timeout: float = 20.0,
        ca_file: Path | None = None,
    ) -> None:
        self._settings = settings
        self._site = site
        self._try_timeout = try_timeout
        self._ca_file = str(ca_file or "")
        # One for each proxy, and for TLS or not.
        self._clients: dict[tuple[str, bool], httpx2.AsyncClient] = {}

    async def send(self, message: Message, now: datetime) -> str:
        """Send the request for the message's status; return `HTTP <status>`."""
        wanted = self._wanted(message)
        if wanted is None:
            return NOTHING
        host, way = _host(wanted.url), ""
        try:
            request = _request(wanted, Placeholders(message, now, self._site))
            way = proxy.proxy_for(str(request.url), os.environ)
            response = await self._response(request, host, way)
        except DeliveryError:
            raise
        # Whatever a user wrote and whatever a library raises, a try ends in words.
        except Exception as error:  # noqa: BLE001
            _fail(error, host, way)
        status = response.status_code
        if not 200 <= status <= 299:
            problem = f"HTTP {status} from {host}{_hint(request, response)}"
            raise DeliveryError(problem, status in (404, 410))
        return f"HTTP {status}"

    def preview(self, message: Message, now: datetime) -> str:
        """Show the request: no path, no query, no values of headers; the whole body."""
        wanted = self._wanted(message)
        if wanted is None:
            return NOTHING
        try:
            request = _request(wanted, Placeholders(message, now, self._site))
        except Exception as error:  # noqa: BLE001 as in send
            _fail(error, _host(wanted.url), "")
        names = [name.decode("latin-1") for name, _ in request.headers.raw]
        lines = [f"{request.method} {_shown(request.url)}", *map("{}: …".format, names)]
        body = request.content.decode()
        return "\n".join([*lines, "", body] if body else lines)

    async def aclose(self) -> None:
        """Close the connections that wait for the next message."""
        while self._clients:
            await self._clients.popitem()[1].aclose()

    def _wanted(self, message: Message) -> WebhookRequest | None:
        status = status_of(message)
        if status == "server":
            return self._settings.request("server")
        settings = self._settings
        requests = {
            "down": settings.down,
            "up": settings.up,
            "late": settings.late,
            "slow": settings.slow,
        }
        return requests.get(status)

    async def _response(
        self, request: httpx2.Request, host: str, way: str
    ) -> httpx2.Response:
        response: httpx2.Response | None = None
        try:
            async with asyncio.timeout(self._try_timeout):
                client = await self._opened(way, request.url.scheme == "https")
                response = await client.send(request, stream=True)
                try:
                    await _drain(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            if response is None:
                raise too_late(f"{host} did not answer", self._try_timeout) from None
        except httpx2.HTTPError:
            if response is None:
                raise
        # The status is the answer. If what follows it breaks off or never ends, the
        # message has been taken all the same: a second one would be one too many.
        return response

    async def _opened(self, way: str, uses_tls: bool) -> httpx2.AsyncClient:
        if (way, uses_tls) in self._clients:
            return self._clients[way, uses_tls]
        # Without TLS any context does, and the empty one takes no memory.
        tls = trust.nobody()
        if uses_tls or outward.uses_tls(way):
            # To read a whole store of certificates takes longer than the loop may wait.
            tls = await asyncio.to_thread(trust.context, self._ca_file)
        # Another message may have come first meanwhile.
        if (way, uses_tls) not in self._clients:
            # The limit of the whole try would cancel a TLS handshake, and httpx2 then
            # leaves its socket open. This one, for TCP and then for TLS, comes earlier.
            connect = self._try_timeout * 0.45
            self._clients[way, uses_tls] = httpx2.AsyncClient(
                **outward.outward(way, tls),
                follow_redirects=False,
                timeout=httpx2.Timeout(None, connect=connect),
            )
        return self._clients[way, uses_tls]


def _request(wanted: WebhookRequest, placeholders: Placeholders) -> httpx2.Request:
    headers = [
        # Encoded here, since httpx2 takes text for ASCII.
        (name.encode("latin-1"), placeholders.in_header(value).encode("latin-1"))
        for name, value in wanted.headers
    ]
    if all(name.lower() != b"user-agent" for name, _ in headers):
        headers.append((b"User-Agent", f"hcl/{__version__}".encode()))
    # Made without the client, which would add headers and cookies of its own.
    return httpx2.Request(
        wanted.method,
        placeholders.in_url(wanted.url),
        headers=headers,
        content=_body(wanted, placeholders) or None,
    )


def _body(wanted: WebhookRequest, placeholders: Placeholders) -> bytes:
    # As Healthchecks does: a GET has none, whatever was written. Many servers refuse
    # one that has.
    if wanted.method == "GET":
        return b""
    return placeholders.in_body(wanted.body).encode("utf-8", "replace")


async def _drain(response: httpx2.Response) -> None:
    # Some servers drop their work when the client leaves before their last word.
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > ANSWER_LIMIT:
            break


def _host(url: str) -> str:
    # All that a message may tell of a URL: path, query and user may be secrets.
    try:
        return urlsplit(url).hostname or "the webhook"
    except ValueError:
        return "the webhook"


def _shown(url: httpx2.URL) -> str:
    # A path or a query may be a secret; that there is one may tell what is wrong.
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = f":{url.port}" if url.port else ""
    path = "/" if url.path in ("", "/") else "/…"
    query = "?…" if url.query else ""
    return f"{url.scheme}://{host}{port}{path}{query}"


def _hint(request: httpx2.Request, response: httpx2.Response) -> str:
    """Say what to do about an answer that is no success; "" if only its owner knows."""
    location = response.headers.get("location", "")
    if 300 <= response.status_code <= 399 and location:
        where = _led_to(str(request.url), location)
        return f": it redirects to {where}, which is not followed; use that URL"
    if response.status_code == 407:
        return ": the proxy wants a user and a password in its URL"
    return ""


def _led_to(url: str, location: str) -> str:
    """Show where a redirect leads; what it takes over of the URL stays secret."""
    try:
        before, after = urlsplit(url), urlsplit(urljoin(url, location))
        host, port = after.hostname or "?", after.port
    except ValueError:
        return "a place that is no URL"
    known = set(filter(None, before.path.split("/")))
    path = "/".join("…" if part in known else part for part in after.path.split("/"))
    path = re.sub(r"(…/)+(?=…)", "", path) or "/"
    query = "?…" if after.query else ""
    name = f"[{host}]" if ":" in host else host
    shown = f"{after.scheme}://{name}{f':{port}' if port else ''}{path}{query}"
    return cut(clean(shown), 200)


def _fail(error: Exception, host: str, way: str) -> NoReturn:
    """Raise the DeliveryError that tells of an error in a few safe words."""
    # The text of an error is never shown: it may hold the URL or a header.
    problem, cause = _problem(error, host, way), why(error)
    if lacks_tls(error):
        cause += "; use another port, or http://"
    raise DeliveryError(f"{problem}: {cause}" if cause else problem) from error


def _problem(error: Exception, host: str, way: str) -> str:
    place = host
    if way and not is_certificate(error) and not lacks_tls(error):
        # It is the proxy, or lies behind it.
        place = f"{host} through the proxy {proxy.place_of(way)}"
    match error:
        case httpx2.ConnectError():
            return f"cannot connect to {place}"
        case httpx2.ConnectTimeout():
            return f"cannot connect to {place} in time"
        case httpx2.ProxyError():
            return f"cannot connect to {place}: it refuses{_refusal(error)}"
        case httpx2.RemoteProtocolError():
            return _protocol_problem(error, host)
        case httpx2.NetworkError():
            return f"{host} broke off the connection"
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol():
            return "the URL is not valid once its placeholders are filled in"
        case httpx2.LocalProtocolError() | UnicodeError():
            return f"the request to {host} is not valid HTTP"
    if way and isinstance(error, ImportError | ValueError):
        return f"cannot use the proxy {proxy.place_of(way)}; use one of http://…"
    return f"cannot send to {host}: {type(error).__name__}"


def _refusal(error: httpx2.ProxyError) -> str:
    # Its text is the proxy's status and reason.
    status = str(error)[:3]
    if status == "407":
        return ": it wants a user and a password in its URL"
    return f" with HTTP {status}" if status.isdigit() else ""


def _protocol_problem(error: httpx2.RemoteProtocolError, host: str) -> str:
    if "disconnected" in str(error) or "closed" in str(error):
        return f"{host} closed the connection without an answer"
    return f"{host} did not answer in HTTP"
