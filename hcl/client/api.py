"""Ask a server's Management API."""

from __future__ import annotations

import argparse
import json
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode

from hcl.client.sending import AGENT, reason, request
from hcl.client.settings import Settings, SettingsError, is_uuid

_TIMEOUT = 30.0
_LONGEST = 1 << 30


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
            raise SettingsError(
                "no server is set: set HCL_SERVER=https://… or --server"
            )
        if not settings.server.startswith(("http://", "https://")):
            raise SettingsError(
                f"the server {settings.server!r} must begin with http:// or https://"
            )
        if not settings.api_key:
            raise SettingsError("no API key is set: set HCL_API_KEY or --api-key")
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
            said = json.loads(answer) if answer else {}
        except ValueError:
            said = answer.decode("utf-8", "replace")
        if status >= 400:
            raise APIError(_refusal(status, said), status)
        if isinstance(said, str):
            raise APIError(f"{url} is no API: it answered {status} with no JSON")
        return said

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
        checks = self.get("checks/", slug=check)["checks"]
        if not checks:
            checks = self.get("checks/")["checks"]
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
            status, _, answer = request(
                method, url, body, headers, self._timeout, most=_LONGEST
            )
        except (OSError, HTTPException, ValueError) as error:
            raise APIError(f"{self._root}: {reason(error)}") from error
        return status, answer


def _refusal(status: int, said: Any) -> str:
    why = said.get("error") if isinstance(said, dict) else said
    text = " ".join(str(why or "").split())
    if status == 401:
        return f"{text}: see HCL_API_KEY"
    if status == 404 and (not text or text.startswith("<")):
        return "the server has no such thing"
    return text[:200] or f"the server answered {status}"
