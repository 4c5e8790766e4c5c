"""Sign in with an API key, and sign out."""

import asyncio
import time
from collections import OrderedDict
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from hcl.web.auth import digest_of
from hcl.web.pages.frame import render, see_other
from hcl.web.pages.visit import posted, session
from hcl.web.parts import Parts

# Wrong keys that may be tried in so many seconds, by one address, and by all together
# before every answer takes SLOWED seconds.
WINDOW = 600
BY_ONE = 10
BY_ALL = 1000
SLOWED = 2.0
# Addresses that are remembered; the oldest are forgotten first.
_MOST_ADDRESSES = 10_000


class Tries:
    """Counts wrong keys by address, and in all."""

    def __init__(self) -> None:
        # When the first of them was, and how many there were.
        self._by_address: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def seconds_left(self, address: str, now: float) -> int:
        """Return how long an address has to wait, 0 if it may try."""
        return self._left(_group(address), BY_ONE, now)

    def are_many(self, now: float) -> bool:
        """Tell whether so many wrong keys came, from anywhere, that all are slowed."""
        return self._left("all", BY_ALL, now) > 0

    def note(self, address: str, now: float) -> None:
        """Count a wrong key."""
        for name in (_group(address), "all"):
            since, count = self._by_address.pop(name, (now, 0))
            if now - since >= WINDOW:
                since, count = now, 0
            self._by_address[name] = (since, count + 1)
        while len(self._by_address) > _MOST_ADDRESSES:
            self._by_address.popitem(last=False)

    def _left(self, name: str, most: int, now: float) -> int:
        since, count = self._by_address.get(name, (now, 0))
        left = since + WINDOW - now
        return int(left) + 1 if count >= most and left > 0 else 0


def _group(address: str) -> str:
    """Return what stands for an address: of IPv6 one host has a whole network."""
    try:
        found = ip_address(address)
    except ValueError:
        return address or "here"
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else address


async def ask(request: Request, parts: Parts) -> Response:
    """GET /sign-in: the form; who is signed in has no need of it."""
    wanted = request.query_params.get("next", "")
    if request.state.visit.viewer is not None:
        return see_other(own_path(wanted))
    return _form(request, parts, wanted)


async def enter(request: Request, parts: Parts) -> Response:
    """POST /sign-in: try a key."""
    form = request.state.form
    wanted = form.get("next", [""])[0]
    tries, address = _tries(request), parts.proxies.nearest(request.scope)
    left = tries.seconds_left(address, time.monotonic())
    if left:
        problem = f"Too many wrong keys: try again in {-(-left // 60)} min."
        response = _form(request, parts, wanted, problem, 429)
        response.headers["Retry-After"] = str(left)
        return response
    if tries.are_many(time.monotonic()):
        # Not refused: who guesses from many places shall not shut others out.
        await asyncio.sleep(SLOWED)
    digest = digest_of(form.get("key", [""])[0].strip())
    if parts.keyring.by_digest(digest) is None:
        tries.note(address, time.monotonic())
        return _form(request, parts, wanted, "No key of this server is that.", 403)
    response = see_other(own_path(wanted))
    session.write(response, session.begin(digest), parts)
    return response


async def leave(request: Request, parts: Parts) -> Response:
    """POST /sign-out: forget who is signed in."""
    viewer = request.state.visit.viewer
    if viewer is not None:
        posted.refuse_forged(request, request.state.form, viewer.csrf)
    response = see_other("/sign-in", "You are signed out.")
    await session.end(request, response, parts)
    return response


def own_path(wanted: str) -> str:
    """Return a path of this site, or the first page where it is none.

    Browsers take `//host` and `/\\host` for other sites, and drop tabs and newlines.
    """
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    is_own = wanted.startswith("/") and not parts.scheme and not parts.netloc
    is_plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted
    if not is_own or not is_plain or wanted.startswith(("//", "/sign-")):
        return "/"
    return wanted


def _form(
    request: Request,
    parts: Parts,
    wanted: str,
    problem: str = "",
    status: int = 200,
) -> Response:
    return render(
        request,
        parts,
        None,
        "sign_in.html",
        status=status,
        wanted=wanted,
        problem=problem,
    )


def _tries(request: Request) -> Tries:
    state = request.app.state
    if not hasattr(state, "sign_in_tries"):
        state.sign_in_tries = Tries()
    tries: Tries = state.sign_in_tries
    return tries
