"""Ask a server's Management API."""

from __future__ import annotations

import argparse
import json
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode

from hcl.client.sending import AGENT, plain, reason, request
from hcl.client.settings import Settings, SettingsError, is_uuid, unset

_TIMEOUT = 30.0

_LONGEST = 1 << 30

# Of where a redirect leads so many characters are told.
_TOLD = 100


class APIError(Exception):
    """The server did not do what was asked; its text says why.

    `status`: what it answered; 0: nothing, or nothing that could be understood.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


def add_options(parser: argparse.ArgumentParser, default: str = "") -> None:
    """Describe the options of whoever asks it; `default` as argparse has it."""
    add = parser.add_argument
    add("--server", default=default, metavar="URL", help="the server (or HCL_SERVER)")
    add("--api-key", default=default, metavar="KEY", help="(or HCL_API_KEY)")
    add(
        "--format",
        default=default or "table",
        choices=("table", "plain", "json"),
        help="how to print (default: table)",
    )


class API:
    """The API v3 of one server, with the key of one project.

    Its calls raise APIError.
    """

    def __init__(self, settings: Settings, timeout: float = _TIMEOUT) -> None:
        """Raise SettingsError if the server or the key is not set."""
        if not settings.server:
            raise unset("server", "HCL_SERVER=https://…", "--server")
        if not settings.server.startswith(("http://", "https://")):
            raise SettingsError(
                f"the server {settings.server!r} must begin with http:// or https://"
            )
        if not settings.api_key:
            raise unset("API key", "HCL_API_KEY", "--api-key")
        if not (settings.api_key.isascii() and settings.api_key.isprintable()):
            raise SettingsError("HCL_API_KEY is no API key: write it as the server did")
        # `hcl run` takes it with what ping URLs begin with, too.
        self._root = settings.server.removesuffix("/ping")
        self._key = settings.api_key
        self._timeout = timeout

    def get(self, path: str, **query: str) -> Any:
        """Return the document at a path."""
        return self.call("GET", path + ("?" + urlencode(query) if query else ""))

    def call(self, method: str, path: str, document: Any = None) -> Any:
        """Make one call, with a document if there is one; return what it answers."""
        body = b"" if document is None else json.dumps(document).encode()
        url = self._url(path)
        status, answer = self._asked(method, url, body)
        try:
            said = json.loads(answer)
        except (ValueError, RecursionError):
            said = answer.decode("utf-8", "replace")
        if status >= 400:
            raise APIError(_refusal(status, said), status)
        if not isinstance(said, (dict, list)):
            raise APIError(f"{url} is no API: it answered {status} with no JSON")
        return said

    def thing(
        self, method: str, path: str, key: str, document: Any = None
    ) -> dict[str, Any]:
        """Make one call; return what it answers, which tells a key at least."""
        found = self.call(method, path, document)
        if not isinstance(found, dict) or key not in found:
            raise APIError(f"{self._url(path)} is no API: it answered with no {key}")
        return found

    def things(self, path: str, key: str, **query: str) -> list[dict[str, Any]]:
        """Return what a document at a path lists."""
        document = self.get(path, **query)
        found = document.get(key) if isinstance(document, dict) else None
        return self.listed(found, path, key)

    def listed(self, found: Any, path: str, key: str) -> list[dict[str, Any]]:
        """Return what was found under a key, if that is a list of things."""
        if not isinstance(found, list) or not all(isinstance(f, dict) for f in found):
            raise APIError(f"{self._url(path)} is no API: it answered with no {key}")
        return found

    def text(self, path: str) -> bytes:
        """Return bytes at a path, a ping's body say."""
        status, body = self._asked("GET", self._url(path))
        if status == 404:
            raise APIError("there is no such ping, or it brought nothing")
        if status >= 400:
            raise APIError(_refusal(status, body.decode("utf-8", "replace")))
        return body

    def code(self, check: str, *, reads: bool = False) -> str:
        """Return the UUID of a check that is named by UUID, slug or name.

        `reads`: what else names it to those who may only read will do.
        """
        if is_uuid(check):
            return check.lower()
        checks = self.things("checks/", "checks", slug=check)
        if not checks:
            checks = self.things("checks/", "checks")
            checks = [one for one in checks if one["name"] == check]
        if not checks:
            raise APIError(f"there is no check {check!r}")
        if len(checks) > 1:
            raise APIError(f"several checks are called {check!r}: give the UUID")
        if reads and "unique_key" in checks[0]:
            return str(checks[0]["unique_key"])
        if "uuid" not in checks[0]:
            raise APIError("the API key may only read: give one that may write")
        return str(checks[0]["uuid"])

    def check(self, check: str, rest: str = "", *, reads: bool = False) -> str:
        """Return the path of a check, or of what it has; `reads` as `code` has it."""
        return f"checks/{quote(self.code(check, reads=reads))}{rest}"

    def _url(self, path: str) -> str:
        return f"{self._root}/api/v3/{path}"

    def _asked(self, method: str, url: str, body: bytes = b"") -> tuple[int, bytes]:
        headers = {"X-Api-Key": self._key, "User-Agent": AGENT}
        try:
            status, said, answer = request(
                method, url, body, headers, self._timeout, most=_LONGEST
            )
        except (OSError, HTTPException, ValueError) as error:
            raise APIError(f"{self._root}: {reason(error)}") from error
        if 300 <= status < 400:
            # It is not followed: that would take the key elsewhere.
            raise APIError(f"{self._root} {_elsewhere(said)}", status)
        return status, answer


def _elsewhere(said: dict[str, str]) -> str:
    """Say where a redirect leads, and what to set."""
    where = plain(said.get("location", ""))
    place, is_api, _ = where.partition("/api/v3/")
    if not place.startswith(("http://", "https://")):
        return "redirects elsewhere: see HCL_SERVER"
    if not is_api or "?" in place:
        # Where people sign in, say: whoever set that would give it the key.
        return f"redirects to {where[:_TOLD]}: see HCL_SERVER"
    return f"redirects to {place}: set HCL_SERVER to that"


def _refusal(status: int, said: Any) -> str:
    why = said.get("error") if isinstance(said, dict) else said
    text = plain(str(why or ""))
    if status == 401:
        # A key of another length is none to a server.
        return f"{text.replace('missing', 'wrong')}: see HCL_API_KEY"
    if status == 404 and (not text or text.startswith("<")):
        return "the server has no such thing"
    return text[:200] or f"the server answered {status}"
