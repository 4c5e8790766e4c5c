"""Webhooks: an HTTP request of the user's own making for each status."""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

from hcl import __version__
from hcl.alerts.transports import NOTHING, DeliveryError, too_late
from hcl.alerts.transports.placeholders import Placeholders, status_of
from hcl.checks.check_json import Site
from hcl.config import ChannelConfig, Config, WebhookRequest, WebhookSettings
from hcl.model import Message
from hcl.outgoing import proxy, trust
from hcl.outgoing.asking import Answer, Asker
from hcl.outgoing.patience import Patience
from hcl.outgoing.reaching import trusted
from hcl.outgoing.reasons import is_certificate, lacks_tls, why
from hcl.outgoing.request import (
    NO_REQUEST,
    AskingError,
    Request,
    WebURL,
    make_request,
    parse_url,
)
from hcl.words.lines import clean, cut

# Bytes of an answer that are waited for; none of them is kept.
ANSWER_LIMIT = 65_536


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
        self._askers: dict[tuple[str, bool], Asker] = {}

    async def send(self, message: Message, now: datetime) -> str:
        """Send the request for the message's status; return `HTTP <status>`."""
        wanted = self._wanted(message)
        if wanted is None:
            return NOTHING
        host, way = _host(wanted.url), ""
        try:
            request = _request(wanted, Placeholders(message, now, self._site))
            way = proxy.proxy_for(str(request.url), os.environ)
            answer = await self._answer(request, host, way)
        except DeliveryError:
            raise
        # Whatever a user wrote and whatever a library raises, a try ends in words.
        except Exception as error:  # noqa: BLE001
            _fail(error, host, way)
        status = answer.status
        if not 200 <= status <= 299:
            problem = f"HTTP {status} from {host}{_hint(request, answer)}"
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
        names = [name.decode("latin-1") for name, _ in request.headers]
        lines = [f"{request.method} {_shown(request.url)}", *map("{}: …".format, names)]
        body = request.body.decode()
        return "\n".join([*lines, "", body] if body else lines)

    async def aclose(self) -> None:
        """Close the connections that wait for the next message."""
        while self._askers:
            self._askers.popitem()[1].close()

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

    async def _answer(self, request: Request, host: str, way: str) -> Answer:
        answer: Answer | None = None
        try:
            async with Patience(self._try_timeout):
                asker = await self._asker(way, request.url.scheme == "https")
                answer = await asker.ask(request, ANSWER_LIMIT)
                await answer.rest
        except TimeoutError:
            if answer is None:
                raise too_late(f"{host} did not answer", self._try_timeout) from None
        # The status is the answer. If what follows it breaks off or never ends, the
        # message has been taken all the same: a second one would be one too many.
        return answer

    async def _asker(self, way: str, uses_tls: bool) -> Asker:
        kept = self._askers.get((way, uses_tls))
        # Without TLS any context does, and the empty one takes no memory.
        tls = trust.nobody()
        if uses_tls or proxy.uses_tls(way):
            try:
                tls = await trusted(self._ca_file)
            except (OSError, AskingError, RuntimeError):
                # Whom it trusted before it trusts while that cannot be read.
                if kept is None:
                    raise
                return kept
        # Another message may have come first meanwhile.
        kept = self._askers.get((way, uses_tls))
        if kept is not None and kept.tls is tls:
            return kept
        if kept is not None:
            # It trusts whom a file named that was written anew since.
            kept.close()
        # The patience, for TCP and then for TLS, ends before the whole try does: so it
        # is told what took too long.
        asker = Asker(way, tls, self._try_timeout * 0.45)
        self._askers[way, uses_tls] = asker
        return asker


def _request(wanted: WebhookRequest, placeholders: Placeholders) -> Request:
    headers = [
        (name.encode("latin-1"), placeholders.in_header(value).encode("latin-1"))
        for name, value in wanted.headers
    ]
    if all(name.lower() != b"user-agent" for name, _ in headers):
        headers.append((b"User-Agent", f"hcl/{__version__}".encode()))
    return make_request(
        wanted.method,
        parse_url(placeholders.in_url(wanted.url)),
        headers,
        _body(wanted, placeholders),
    )


def _body(wanted: WebhookRequest, placeholders: Placeholders) -> bytes:
    # As Healthchecks does: a GET has none, whatever was written. Many servers refuse
    # one that has.
    if wanted.method == "GET":
        return b""
    return placeholders.in_body(wanted.body).encode("utf-8", "replace")


def _host(url: str) -> str:
    # All that a message may tell of a URL: path, query and user may be secrets.
    try:
        return urlsplit(url).hostname or "the webhook"
    except ValueError:
        return "the webhook"


def _shown(url: WebURL) -> str:
    # A path or a query may be a secret; that there is one may tell what is wrong.
    path, query, _ = url.target.partition("?")
    shown = "/" if path == "/" else "/…"
    return f"{url.scheme}://{url.place}{shown}{'?…' if query else ''}"


def _hint(request: Request, answer: Answer) -> str:
    """Say what to do about an answer that is no success; "" if only its owner knows."""
    if 300 <= answer.status <= 399 and answer.location:
        where = _led_to(str(request.url), answer.location)
        return f": it redirects to {where}, which is not followed; use that URL"
    if answer.status == 407:
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
        case AskingError():
            return str(error).format(place=place, host=host)
        case UnicodeError():
            return NO_REQUEST.format(host=host)
        case ValueError() if way:
            return f"cannot use the proxy {proxy.place_of(way)}; use one of http://…"
    return f"cannot send to {host}: {type(error).__name__}"
