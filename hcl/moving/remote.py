"""Ask a server that speaks the Management API, patiently, and say what is wrong."""

import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from hcl.moving.healthchecks.translated import host_of
from hcl.moving.moved import MovingError
from hcl.outgoing import clients, proxy, trust
from hcl.outgoing.reasons import is_certificate, why

# Newer first: what an older server does not know is asked of the one before.
_VERSIONS = (3, 2, 1)

_TIMEOUT = 30.0
_TRIES = 3

# A server may ask for so many seconds of patience, so often in a row.
_LONGEST_WAIT = 120.0
_MOST_WAITS = 20
_MOST_DIGITS = 9


class Remote:
    """One project on a server, by an API key. Raises MovingError; a context manager.

    `say` hears what takes long; `ca_file` is whom it trusts besides the system's store.
    `moment` is when it told its checks, by its own clock; None: it does not say.
    `pinged_at` is the host that those are pinged at, "": it does not say.
    """

    def __init__(
        self, url: str, api_key: str, say: Callable[[str], None], ca_file: str = ""
    ) -> None:
        self.root = url.partition("/api/v")[0].rstrip("/")
        self.host = urlsplit(url).hostname or url
        self.version = _VERSIONS[0]
        self.moment: datetime | None = None
        self.pinged_at = ""
        self._say = say
        self._way = proxy.proxy_for(self.root, os.environ)
        self._client = self._opened(api_key, ca_file)

    def _opened(self, api_key: str, ca_file: str) -> httpx2.Client:
        try:
            # A redirect is not followed: it may take the key elsewhere.
            return httpx2.Client(
                **clients.outward(self._way, trust.context(ca_file)),
                headers={"X-Api-Key": api_key},
                timeout=_TIMEOUT,
                follow_redirects=False,
            )
        except (ImportError, ValueError) as error:
            place = proxy.place_of(self._way)
            raise self._error(
                f"cannot use the proxy {place}; use one of http://…"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def checks(self) -> list[dict[str, Any]]:
        """Return all checks, in the newest version that the server knows."""
        for self.version in _VERSIONS:
            response = self._get("checks/")
            if response.status_code != 404:
                break
        checks = self._json(response, "checks")
        self.moment = _date_of(response)
        self.pinged_at = next((host_of(str(c.get("ping_url"))) for c in checks), "")
        if any("uuid" not in c and "unique_key" in c for c in checks):
            raise self._error("the API key is read-only: a read-write key is needed")
        for code, count in Counter(str(c.get("uuid")) for c in checks).items():
            if count > 1:
                raise self._error(f"check {code} is there twice; nothing was changed")
        return checks

    def things(self, path: str, key: str) -> list[dict[str, Any]]:
        """Return a list that the server has; empty if an older one knows none."""
        response = self._get(path)
        return [] if response.status_code == 404 else self._json(response, key)

    def badges(self) -> dict[str, Any]:
        """Return the URLs of badges by tag; empty if there are none."""
        badges = self._extra("badges/", "badges")
        return badges if isinstance(badges, dict) else {}

    def windows(self) -> list[dict[str, Any]]:
        """Return the windows of maintenance, which only another hcl has."""
        windows = self._extra("maintenance/", "windows")
        found = windows if isinstance(windows, list) else []
        return [window for window in found if isinstance(window, dict)]

    def _extra(self, path: str, key: str) -> Any:
        """Return what not every server has; None: this one has not."""
        response = self._get(path)
        try:
            return response.json()[key] if response.status_code == 200 else None
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    def body(self, code: str, n: int) -> bytes:
        """Return the body of a ping; empty if it is gone meanwhile."""
        response = self._get(f"checks/{code}/pings/{n}/body")
        if response.status_code == 404:
            return b""
        self._judge(response)
        return response.content

    def _json(self, response: httpx2.Response, key: str) -> list[dict[str, Any]]:
        self._judge(response)
        try:
            document = response.json()
        except (ValueError, RecursionError) as error:
            raise self._error(
                "answers with something else than JSON: is this the address of its"
                " first page?"
            ) from error
        found = document.get(key) if isinstance(document, dict) else document
        if not isinstance(found, list) or not all(isinstance(f, dict) for f in found):
            raise self._error(f"answers with something else than {key}")
        return found

    def _judge(self, response: httpx2.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        if status in (401, 403):
            raise self._error(
                f"refuses the API key ({status}): a read-write key of the project is"
                " needed"
            )
        if 300 <= status < 400:
            target = response.headers.get("Location", "elsewhere")
            raise self._error(f"redirects to {target}: give the address it has there")
        if status == 404:
            raise self._error("has no API there (404): give the address of its pages")
        raise self._error(f"answers {status}: try again later; nothing was changed")

    def _get(self, path: str) -> httpx2.Response:
        url, waits, failures = f"{self.root}/api/v{self.version}/{path}", 0, 0
        while True:
            try:
                response = self._client.get(url)
            except httpx2.InvalidURL as error:
                raise self._error(f"is not an address: {error}") from error
            except httpx2.HTTPError as error:
                failures += 1
                if failures == _TRIES:
                    raise self._error(self._why(error)) from error
                time.sleep(failures / 2)
                continue
            if response.status_code == 429 and waits < _MOST_WAITS:
                waits += 1
                self._wait(response)
            elif response.status_code >= 500 and failures < _TRIES - 1:
                failures += 1
                time.sleep(failures / 2)
            else:
                return response

    def _why(self, error: httpx2.HTTPError) -> str:
        """Say why the server was not reached, and the cure."""
        # The text of some holds a proxy's password.
        words = why(error) or ("" if self._way else str(error)) or type(error).__name__
        if self._way and not is_certificate(error):
            # It is the proxy, or lies behind it.
            words = f"through the proxy {proxy.place_of(self._way)}: {words}"
        return f"{words}: nothing was changed"

    def _wait(self, response: httpx2.Response) -> None:
        """Wait for as long as the server asks."""
        text = response.headers.get("Retry-After", "")
        # Of hundreds of digits there is no float, or one without end.
        seconds = float(text[:_MOST_DIGITS]) if text.isdecimal() else 5.0
        if seconds > _LONGEST_WAIT:
            raise self._error(
                f"asks to wait for {int(seconds)} s (429): try again then; nothing was"
                " changed"
            )
        self._say(f"{self.host} asks to wait for {int(seconds)} s")
        time.sleep(max(seconds, 0.1))

    def _error(self, problem: str) -> MovingError:
        return MovingError(f"{self.root}: {problem}")


def _date_of(response: httpx2.Response) -> datetime | None:
    """Return when a server answered, by its own clock; None: it does not say."""
    try:
        return parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None
