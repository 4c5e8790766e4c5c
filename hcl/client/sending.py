"""Send a signal over HTTP, and understand what the server says to it."""

from __future__ import annotations

import os
import socket
import ssl
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from hcl.client.connecting import connect
from hcl.client.settings import is_uuid
from hcl.client.signals import Signal, stamped
from hcl.client.stderr import printable

AGENT = "hcl-client"

# Seconds that one try may take.
TRY_TIMEOUT = 5.0

# What a ping is answered with; anything else was not said by a Healthchecks server.
_TAKEN = (b"OK", b"Created")
_LONGEST_ANSWER = 1000

# What healthchecks.io says with a 200 to URLs with a UUID, and whether that is final:
# it knows no such check, or got more than five a minute of it. It took nothing.
_NOT_TAKEN = {"OK (not found)": True, "OK (rate limited)": False}

# What an hcl says of a time that it does not believe.
NOT_BELIEVED = "invalid ping time"

# What no later try will change, in the words of Healthchecks servers: a proxy whose
# server is away says 404 or 400 too, in others.
_FINAL = {
    "not found",
    "ambiguous slug",
    "invalid url format",
    "invalid uuid format",
    f"{NOT_BELIEVED} or signature",
}

# What is said of the server, or of the moment, and not of one signal.
_OF_ALL = (408, 425, 429)

# Of another answer so many characters are told.
_TOLD = 60

_MOST_DIGITS = 9


class Answer(NamedTuple):
    """What became of a try: `taken`, or else `why` not.

    `final`: no later try will fare better. `is_alone`: others may. `retry_after`:
    seconds that the server wants to be left alone. `body_limit`: bytes of a body that
    it keeps; 0: it did not say.
    """

    taken: bool
    why: str = ""
    final: bool = False
    retry_after: float = 0.0
    body_limit: int = 0
    is_alone: bool = False


def send(signal: Signal, timeout: float = TRY_TIMEOUT, late: bool = False) -> Answer:
    """Tell the server a signal; `late`: with the time that it is of."""
    if not signal.target.is_address:
        # Older versions kept such: it would hold up all that is kept after it.
        return Answer(False, "it is no address", final=True)
    headers = stamped(signal, "POST") if late else {}
    headers["User-Agent"] = AGENT
    try:
        status, said, body = request("POST", signal.url, signal.body, headers, timeout)
    except (OSError, HTTPException, ValueError) as error:
        return Answer(False, reason(error))
    text = plain(body.decode("utf-8", "replace"))
    if status == 200 and text in _NOT_TAKEN:
        final = _NOT_TAKEN[text]
        return Answer(False, f"it answered 200 {text}", final, is_alone=not final)
    if status in (200, 201) and body.startswith(_TAKEN):
        limit = said.get("ping-body-limit", "")
        # int() would choke on thousands of digits.
        is_limit = limit.isdecimal() and len(limit) <= _MOST_DIGITS
        return Answer(True, body_limit=int(limit) if is_limit else 0)
    where = plain(said.get("location", ""))
    after = said.get("retry-after", "")
    hide = signal.target.hide
    answer = _refused(status, hide(text), hide(where), after)
    hint = _hint(signal, text) if answer.final else ""
    return answer._replace(why=f"{answer.why}: {hint}") if hint else answer


def _hint(signal: Signal, text: str) -> str:
    """Say what is wrong with how a check was named; "": that is not why."""
    if text == "ambiguous slug":
        return "several checks have this slug; name the one by its UUID"
    if text != "not found":
        return ""
    if is_uuid(signal.target.key):
        return "no check has this UUID"
    no_key = "no project has this ping key"
    if signal.create:
        return no_key
    return f"no check has this slug (--create makes one), or {no_key}"


def _refused(status: int, text: str, where: str, after: str) -> Answer:
    told = text if len(text) <= _TOLD else text[:_TOLD] + "…"
    if status in (400, 404, 409) and text in _FINAL:
        return Answer(False, f"it answered {status} {told}", final=True)
    if status < 400:
        told = f"{told} to {where[:_TOLD]}".strip() if where else told
        return Answer(False, f"something else answered for it ({status} {told})")
    return Answer(
        False,
        f"it answered {status} {told}",
        retry_after=float(after) if after.isdecimal() else 0.0,
        is_alone=status < 500 and status not in _OF_ALL,
    )


def reason(error: Exception) -> str:
    """Say in words why a request failed."""
    # On Python 3.9 they are two.
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "it did not answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, HTTPException):
        return "its answer is no HTTP"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return plain(str(error)) or type(error).__name__


def plain(text: str) -> str:
    """Put what a server said in one line that no terminal takes for orders."""
    return " ".join(printable(text).split())


def request(
    method: str,
    url: str,
    body: bytes,
    headers: dict[str, str],
    timeout: float,
    most: int = _LONGEST_ANSWER,
) -> tuple[int, dict[str, str], bytes]:
    """Make one request; return status, headers in lower case, and `most` of the body.

    Raises OSError, HTTPException, ValueError.
    """
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.netloc, timeout)
    # In place of socket.create_connection, which gives each address all of the time.
    connection._create_connection = connect  # type: ignore[attr-defined]
    try:
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        if isinstance(connection, _Proxied):
            path, headers = url, {**headers, **connection.passes}
        connection.request(method, path, body or None, headers)
        response: HTTPResponse = connection.getresponse()
        said = {name.lower(): value for name, value in response.getheaders()}
        return response.status, said, response.read(most)
    finally:
        connection.close()


class _Proxied(HTTPConnection):
    """A connection to a proxy, which wants whole URLs; `passes`: headers for itself."""

    passes: dict[str, str]


def _connection(scheme: str, netloc: str, timeout: float) -> HTTPConnection:
    host = netloc.rpartition("@")[2]
    proxy = _proxy(scheme, host)
    user, _, proxy = proxy.rpartition("@")
    if scheme == "https":
        context = ssl.create_default_context()
        if not proxy:
            return HTTPSConnection(host, timeout=timeout, context=context)
        tunnel = HTTPSConnection(proxy, timeout=timeout, context=context)
        tunnel.set_tunnel(host, headers=_passes(user))
        return tunnel
    if proxy:
        connection = _Proxied(proxy, timeout=timeout)
        connection.passes = _passes(user)
        return connection
    return HTTPConnection(host, timeout=timeout)


def _passes(user: str) -> dict[str, str]:
    """Return the headers that have a proxy let this user, as name:password, pass."""
    if not user:
        return {}
    # Imported here: few have such a proxy.
    from base64 import b64encode
    from urllib.parse import unquote_to_bytes

    known = b64encode(unquote_to_bytes(user)).decode()
    return {"Proxy-Authorization": f"Basic {known}"}


def _proxy(scheme: str, host: str) -> str:
    """Return [user@]host:port of the proxy that the environment names; "": none."""
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    found = next((os.environ[name] for name in names if os.environ.get(name)), "")
    if not found:
        return ""
    # Imported here: it is large, and most have no proxy.
    from urllib.request import proxy_bypass

    if proxy_bypass(host):
        return ""
    return urlsplit(found if "://" in found else f"http://{found}").netloc
