"""Why a service did not take a message, in a line without a secret.

For Apprise's own process only.
"""

import re
from http.client import HTTPException
from urllib.parse import unquote

import requests

from hcl.alerts.transports.apprise_requests import Redirected, Trace
from hcl.outgoing import reasons


def reason(trace: Trace, secrets: list[str]) -> str:
    """Say in one line, without a secret, why a message was not taken."""
    host = trace.host
    if trace.error is not None:
        return _connection_problem(trace.error, host)
    said = scrubbed(trace.said, secrets)
    if trace.status and not 200 <= trace.status <= 299:
        return f"HTTP {trace.status} from {host}" + (f": {said}" if said else "")
    if said and trace.status:
        return f"{host} refused the message: {said}"
    warned = scrubbed(trace.warnings[-1] if trace.warnings else "", secrets)
    hint = f": {trace.hint}" if trace.hint not in warned.lower() else ""
    return (warned.rstrip(".") or "Apprise could not send it, it says not why") + hint


def _connection_problem(error: Exception, host: str) -> str:
    links = list(reasons.links(error))
    if isinstance(error, Redirected):
        problem = f"HTTP {error.status} from {host}: it redirects to {error.place}"
        return f"{problem}, which is not followed; use that address in the URL"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"cannot connect to {host} in time"
    if isinstance(error, requests.exceptions.Timeout):
        return f"{host} did not answer in time"
    for link in links:
        if type(link).__name__ == "RemoteDisconnected":
            return f"{host} closed the connection without an answer"
        if isinstance(link, HTTPException):
            return f"{host} did not answer in HTTP"
    through = " through the proxy" if "Proxy" in type(error).__name__ else ""
    if isinstance(links[-1], ConnectionResetError | BrokenPipeError):
        return f"{host} broke off the connection"
    cause = reasons.why(error)
    if reasons.lacks_tls(error):
        cause += "; use the scheme without the s at its end, or another port"
    return f"cannot connect to {host}{through}" + (f": {cause}" if cause else "")


def secrets_of(url: str) -> list[str]:
    """Return all pieces of a URL that may be secret, longest first."""
    rest = url.partition("://")[2] or url
    pieces = set(re.split(r"[/:@?&=#,;+\s]+", rest))
    pieces |= {unquote(piece) for piece in pieces}
    pieces |= set(re.split(r"[/:@?&=#,;+\s]+", unquote(rest)))
    pieces.add(rest)
    return sorted(filter(None, pieces), key=len, reverse=True)


def scrubbed(text: str, secrets: list[str]) -> str:
    """Return a text as one short line, with none of the secrets."""
    for secret in secrets:
        pattern = re.escape(secret)
        if len(secret) < 5:
            # As part of a word it tells nothing.
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, "…", text, flags=re.IGNORECASE)
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= 200 else f"{line[:199]}…"
