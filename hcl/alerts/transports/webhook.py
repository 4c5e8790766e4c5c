"""Webhooks: an HTTP request of the user's own making for each status."""

import asyncio
import logging
import os
import re
import ssl
from datetime import datetime
from functools import cache
from typing import NoReturn
from urllib.parse import urlsplit

import httpx2

from hcl import __version__
from hcl.alerts.transports import NOTHING, DeliveryError, too_late, why
from hcl.alerts.transports.placeholders import Placeholders, status_of
from hcl.checks.check_json import Site
from hcl.config import ChannelConfig, Config, WebhookRequest, WebhookSettings
from hcl.model import Message

# Bytes of an answer that are waited for; none of them is kept.
ANSWER_LIMIT = 65_536

# What OpenSSL looks for in a folder of certificates.
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")

# httpx2 logs every URL at INFO, and what is secret about a webhook stands in its URL.
logging.getLogger("httpx2").setLevel(logging.WARNING)


def open_transport(channel: ChannelConfig, config: Config) -> "Webhook":
    """Make the transport of a channel of the kind webhook."""
    if not isinstance(channel.settings, WebhookSettings):
        raise TypeError(f"{channel.name} has no settings of a webhook")
    server = config.server
    return Webhook(channel.settings, Site(server.site_root, server.ping_endpoint))


class Webhook:
    """Request what the user wrote for this status; any 2xx is success.

    `try_timeout` is the limit in seconds of one try, from name lookup to answer.
    """

    def __init__(
        self, settings: WebhookSettings, site: Site, try_timeout: float = 20.0
    ) -> None:
        self._settings = settings
        self._site = site
        self._try_timeout = try_timeout
        self._client: httpx2.AsyncClient | None = None
        wanted = filter(None, (settings.down, settings.up))
        self._uses_tls = any(_is_secure(request.url) for request in wanted)

    async def send(self, message: Message, now: datetime) -> str:
        """Send the request for the message's status; return `HTTP <status>`."""
        wanted = self._wanted(message)
        if wanted is None:
            return NOTHING
        host = _host(wanted.url)
        try:
            request = _request(wanted, Placeholders(message, now, self._site))
            status = await self._status(request, host)
        except DeliveryError:
            raise
        # Whatever a user wrote and whatever a library raises, a try ends in words.
        except Exception as error:  # noqa: BLE001
            _fail(error, host)
        if not 200 <= status <= 299:
            raise DeliveryError(f"HTTP {status} from {host}", status in (404, 410))
        return f"HTTP {status}"

    def preview(self, message: Message, now: datetime) -> str:
        """Show the request: no path, no query, no values of headers; the whole body."""
        wanted = self._wanted(message)
        if wanted is None:
            return NOTHING
        try:
            request = _request(wanted, Placeholders(message, now, self._site))
        except Exception as error:  # noqa: BLE001 as in send
            _fail(error, _host(wanted.url))
        names = [name.decode("latin-1") for name, _ in request.headers.raw]
        lines = [f"{request.method} {_shown(request.url)}", *map("{}: …".format, names)]
        body = request.content.decode()
        return "\n".join([*lines, "", body] if body else lines)

    async def aclose(self) -> None:
        """Close the connections that wait for the next message."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _wanted(self, message: Message) -> WebhookRequest | None:
        status = status_of(message)
        if status == "server":
            return self._settings.request("server")
        requests = {"down": self._settings.down, "up": self._settings.up}
        return requests.get(status)

    async def _status(self, request: httpx2.Request, host: str) -> int:
        status: int | None = None
        try:
            async with asyncio.timeout(self._try_timeout):
                response = await self._opened().send(request, stream=True)
                status = response.status_code
                try:
                    await _drain(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            if status is None:
                raise too_late(f"{host} did not answer", self._try_timeout) from None
        except httpx2.HTTPError:
            if status is None:
                raise
        # The status is the answer. If what follows it breaks off or never ends, the
        # message has been taken all the same: a second one would be one too many.
        return status

    def _opened(self) -> httpx2.AsyncClient:
        if self._client is None:
            # The limit of the whole try would cancel a TLS handshake, and httpx2 then
            # leaves its socket open. This one, for TCP and then for TLS, comes earlier.
            connect = self._try_timeout * 0.45
            self._client = httpx2.AsyncClient(
                verify=_tls() if self._uses_tls else _no_tls(),
                trust_env=False,
                follow_redirects=False,
                timeout=httpx2.Timeout(None, connect=connect),
            )
        return self._client


@cache
def _tls() -> ssl.SSLContext:
    """Return what verifies servers: one for all webhooks, since it takes memory."""
    folder = ssl.get_default_verify_paths().capath
    said = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    if said or not folder or not any(map(_HASHED.fullmatch, os.listdir(folder))):
        return httpx2.create_ssl_context()
    # There a certificate is read when it is needed. All together take 2 MB.
    return ssl.create_default_context(capath=folder)


@cache
def _no_tls() -> ssl.SSLContext:
    """Return what trusts nobody, for webhooks that use no TLS."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _is_secure(url: str) -> bool:
    # No placeholder stands in the scheme, and redirects are not followed.
    return url.lower().startswith("https:")


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
        content=placeholders.in_body(wanted.body).encode("utf-8", "replace") or None,
    )


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


def _fail(error: Exception, host: str) -> NoReturn:
    """Raise the DeliveryError that tells of an error in a few safe words."""
    # The text of an error is never shown: it may hold the URL or a header.
    if isinstance(error, httpx2.ConnectError):
        problem = f"cannot connect to {host}"
    elif isinstance(error, httpx2.ConnectTimeout):
        problem = f"cannot connect to {host} in time"
    elif isinstance(error, httpx2.RemoteProtocolError):
        problem = _protocol_problem(error, host)
    elif isinstance(error, httpx2.NetworkError):
        problem = f"{host} broke off the connection"
    elif isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
        problem = "the URL is not valid once its placeholders are filled in"
    elif isinstance(error, httpx2.LocalProtocolError | UnicodeError):
        problem = f"the request to {host} is not valid HTTP"
    else:
        problem = f"cannot send to {host}: {type(error).__name__}"
    cause = why(error)
    raise DeliveryError(f"{problem}: {cause}" if cause else problem) from error


def _protocol_problem(error: httpx2.RemoteProtocolError, host: str) -> str:
    if "disconnected" in str(error) or "closed" in str(error):
        return f"{host} closed the connection without an answer"
    return f"{host} did not answer in HTTP"
