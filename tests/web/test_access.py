"""Who may do what: every URL, every kind of key, both projects, every method.

The rows are held against the tables of routes: a URL without a row fails. What a caller
may not do changes nothing.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.types import Message

from hcl import store
from hcl.checks import mute_links
from hcl.web import wrong_keys
from hcl.web.app import VERSIONS, routes
from hcl.web.badges.badges import signature
from tests import app as setting
from tests import toml
from tests.app import App, running_app
from tests.store import writer_of
from tests.web.pages.browsing import csrf, sign_in

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
KEYS = {
    ("ro", 0): setting.READ_KEY,
    ("rw", 0): setting.WRITE_KEY,
    ("ro", 1): setting.OTHER_READ_KEY,
    ("rw", 1): setting.OTHER_WRITE_KEY,
}


class Caller(NamedTuple):
    """Somebody with a key: what it is `access` to, of which project, and how it comes.

    `way`: by header, signed in, or signed in without the token that forms bear.
    """

    name: str
    access: str = ""
    project: int = -1
    way: str = "header"
    key: str = "none"


CALLERS = [
    Caller("nobody"),
    Caller("a wrong key", "wrong", key="x" * 32),
    Caller("a ping key", "ping", key=setting.PING_KEY),
    Caller("the metrics key", "metrics", key=setting.METRICS_KEY),
    *(Caller(f"{a} of {p}", a, p, key=key) for (a, p), key in KEYS.items()),
    *(Caller(f"signed in: {a} of {p}", a, p, "signed in") for a, p in KEYS),
    *(Caller(f"forged: {a} of {p}", a, p, "forged") for a, p in KEYS),
]


@dataclass(frozen=True)
class Row:
    """What a URL is: `needs` says of each method what it takes, `good` what it answers.

    `kind`: api, page, script (a page that is no place to sign in), typed (a page that
    keeps what was typed), open, slash (leads to the one with the slash), nothing.
    `foreign` answers for another project.
    """

    kind: str
    needs: dict[str, str] = field(default_factory=dict)
    good: dict[str, int] = field(default_factory=dict)
    foreign: int = 403


def api(foreign: int = 403, good: dict[str, int] | None = None, **needs: str) -> Row:
    return Row("api", needs, good or {}, foreign)


def page(good: dict[str, int] | None = None, kind: str = "page", **needs: str) -> Row:
    if "GET" in needs:
        needs["HEAD"] = needs["GET"]
    return Row(kind, needs, {"POST": 303, **(good or {})}, 404)


SLASH, NOTHING = Row("slash"), Row("nothing")
OPEN = Row("open", {"GET": "", "HEAD": ""})
CODE, KEY = "{code:code}", "{unique_key:unique_key}"
API = {
    "checks/": api(GET="ro", POST="rw", good={"POST": 201}),
    f"checks/{CODE}": api(GET="ro", POST="rw", DELETE="rw"),
    f"checks/{KEY}": api(GET="ro", foreign=404),
    f"checks/{CODE}/pause": api(POST="rw"),
    f"checks/{CODE}/resume": api(POST="rw", good={"POST": 409}),
    f"checks/{CODE}/pings/": api(GET="rw"),
    f"checks/{CODE}/pings/{{n:number}}/body": api(GET="rw"),
    f"checks/{CODE}/flips/": api(GET="ro"),
    f"checks/{KEY}/flips/": api(GET="ro", foreign=404),
    "channels/": api(GET="rw"),
    "badges/": api(GET="ro"),
    "metrics/": api(GET="metrics"),
    "status/": OPEN,
    "checks": SLASH,
    f"checks/{CODE}/pings": SLASH,
    f"checks/{CODE}/flips": SLASH,
    f"checks/{KEY}/flips": SLASH,
    "channels": SLASH,
    "badges": SLASH,
    "metrics": SLASH,
    "status": SLASH,
    "{rest:path}": NOTHING,
}
# What no peer has is not in the versions before.
API_V3 = {
    f"checks/{CODE}/mute": api(POST="rw", good={"POST": 400}),
    f"checks/{CODE}/messages/": api(GET="rw"),
    f"checks/{CODE}/messages": SLASH,
    f"checks/{CODE}/explain/": api(GET="rw"),
    f"checks/{CODE}/explain": SLASH,
    "maintenance/": api(GET="ro", POST="rw", good={"POST": 400}),
    "maintenance": SLASH,
    # Nobody has opened one.
    "maintenance/{n:number}": api(DELETE="rw", good={"DELETE": 404}, foreign=404),
}
PROJECT, CHECK, BY_KEY = "{project:code}", "{code:code}", "{code:unique_key}"
ROWS = {
    **{f"/api/v{v}/{path}": row for v in VERSIONS for path, row in API.items()},
    **{f"/api/v3/{path}": row for path, row in API_V3.items()},
    "/api/v3/openapi.json": OPEN,
    "/docs/": OPEN,
    "/docs": SLASH,
    "/docs/style.css": OPEN,
    "/client/hcl": OPEN,
    "/client/hcl.sha256": OPEN,
    "/badge/{key}/{signature:signature}.{fmt:format}": OPEN,
    "/badge/{key}/{signature:signature}/{tag:tag}.{fmt:format}": OPEN,
    "/b/{states:states}/{key:code}.{fmt:format}": OPEN,
    f"/projects/{CODE}/metrics/": Row("bearer", {"GET": "", "HEAD": ""}),
    f"/projects/{CODE}/metrics": SLASH,
    f"/projects/{CODE}/metrics/{{key:path}}": Row(
        "key in URL", {"GET": "", "HEAD": ""}
    ),
    # By address alone: see test_only_allowed_addresses_read_the_servers_metrics.
    "/metrics": Row("refused", {"GET": "", "HEAD": ""}),
    "/": page(GET="ro", good={"GET": 303}),
    "/static/{name}": Row("static", {"GET": "", "HEAD": ""}),
    "/sign-in": Row("sign in", {"GET": "", "HEAD": "", "POST": ""}),
    # One that nobody made; what a made one does: test_link_signs_in_once.
    "/sign-in/{link}": Row("link", {"GET": "", "HEAD": ""}),
    "/sign-out": Row("sign out", {"POST": ""}),
    # It changes but a cookie of the caller's.
    "/preferences": page(POST="own"),
    "/look": page(GET="ro"),
    "/server": page(GET="ro"),
    "/manifest.webmanifest": Row("static", {"GET": "", "HEAD": ""}),
    "/icons/{name}": Row("static", {"GET": "", "HEAD": ""}),
    # Whoever has no key sees no more there than anybody.
    "/p/{slug}": Row("for others", {"GET": "", "HEAD": ""}),
    "/p/{slug}.atom": Row("for others", {"GET": "", "HEAD": ""}),
    f"/projects/{PROJECT}/": page(GET="ro"),
    f"/projects/{PROJECT}/live": page(GET="ro", kind="script"),
    f"/projects/{PROJECT}/many": page(POST="rw", good={"POST": 422}),
    f"/projects/{PROJECT}/wall": page(GET="ro"),
    f"/projects/{PROJECT}/favicon.svg": page(GET="ro", kind="script"),
    f"/projects/{PROJECT}/new": page({"POST": 422}, "typed", GET="rw", POST="rw"),
    f"/projects/{PROJECT}/schedule": page(POST="rw", kind="script", good={"POST": 200}),
    f"/projects/{PROJECT}/integrations": page(GET="ro"),
    f"/projects/{PROJECT}/integrations/{{channel:code}}/test": page(POST="rw"),
    f"/projects/{PROJECT}/badges": page(GET="ro"),
    f"/projects/{PROJECT}/maintenance": page(GET="ro", POST="rw", good={"POST": 422}),
    f"/projects/{PROJECT}/maintenance/{{n:number}}/end": page(POST="rw"),
    f"/projects/{PROJECT}/checks/": page(GET="ro", good={"GET": 303}),
    f"/checks/{CHECK}": page(GET="ro"),
    f"/checks/{CHECK}/log": page(GET="ro"),
    f"/checks/{CHECK}/pings/{{n:number}}": page(GET="bodies"),
    f"/checks/{CHECK}/edit": page({"POST": 422}, "typed", GET="rw", POST="rw"),
    f"/checks/{CHECK}/pause": page(POST="rw"),
    f"/checks/{CHECK}/resume": page(POST="rw", good={"POST": 409}),
    f"/checks/{CHECK}/mute": page(POST="rw", good={"POST": 422}),
    # Its signature is all that it takes.
    f"/mute/{CHECK}/{{seconds:number}}/{{signature}}": Row(
        "signed", {"GET": "", "HEAD": "", "POST": ""}
    ),
    f"/checks/{CHECK}/ping": page(POST="rw"),
    f"/checks/{CHECK}/delete": page(GET="rw", POST="rw"),
    f"/checks/{CHECK}/copy": page(POST="rw"),
    f"/checks/{CHECK}/clear": page(GET="rw", POST="rw"),
    f"/checks/{CHECK}/integrations": page(POST="rw"),
    f"/checks/{BY_KEY}": page(GET="ro"),
    f"/checks/{BY_KEY}/log": page(GET="ro"),
    f"/checks/{BY_KEY}/pings/{{n:number}}": page(GET="bodies"),
    f"/checks/{CHECK}/": page(GET="ro", good={"GET": 303}),
    f"/checks/{CHECK}/details": page(GET="ro", good={"GET": 303}),
    f"/checks/{CHECK}/details/": page(GET="ro", good={"GET": 303}),
    f"/checks/{CHECK}/log/": page(GET="ro", good={"GET": 303}),
    f"/cloaked/{BY_KEY}/": page(GET="ro", good={"GET": 303}),
    "/{rest:path}": NOTHING,
}


# What each row means


def expected(row: Row, method: str, caller: Caller, project: int) -> int | str:
    """Return the status that a caller gets, or "sign in" if that is asked first."""
    if row.kind == "nothing":
        return 404
    if method == "OPTIONS" and row.kind not in PAGES:
        return 204
    if row.kind == "slash":
        return 301
    if method not in row.needs:
        return 405
    return RULES[row.kind](row, method, caller, project)


def of_api(row: Row, method: str, caller: Caller, project: int) -> int | str:
    need, good = row.needs[method], row.good.get(method, 200)
    if need == "metrics":
        return good if caller.access == "metrics" else 403
    if caller.way != "header" or caller.access not in ("ro", "rw"):
        return 401
    if need == "rw" and caller.access == "ro":
        return 401
    return good if project in (caller.project, -1) else row.foreign


def of_page(row: Row, method: str, caller: Caller, project: int) -> int | str:
    if caller.way == "header":
        return 401 if row.kind == "script" else "sign in"
    need = row.needs[method]
    if caller.access == "ro" and (need == "rw" or (method == "POST" and need != "own")):
        return 403
    if method == "POST" and caller.way == "forged":
        return 403
    if caller.access == "ro" and row.needs[method] == "bodies":
        return 403 if project == caller.project else row.foreign
    good = row.good.get("GET" if method == "HEAD" else method, 200)
    return good if project in (caller.project, -1) else row.foreign


def of_typed(row: Row, method: str, caller: Caller, project: int) -> int | str:
    found = of_page(row, method, caller, project)
    if method == "POST" and found == "sign in":
        # In the place of the form, which the answer holds.
        return 403
    is_forged = method == "POST" and caller.way == "forged" and caller.access == "rw"
    # It is shown to whom it is of.
    return row.foreign if is_forged and project != caller.project else found


def of_bearer(_row: Row, _method: str, caller: Caller, project: int) -> int | str:
    if caller.way != "header" or not caller.access or caller.access == "metrics":
        return 401
    return of_key(_row, _method, caller, project)


def of_key(_row: Row, _method: str, caller: Caller, project: int) -> int | str:
    if len(caller.key) != 32:
        return 400
    is_good = caller.access == "ro" and caller.project == project
    return 200 if is_good else 403


def to_sign_in(_row: Row, method: str, caller: Caller, _project: int) -> int | str:
    if method == "POST":
        return 403
    return 200 if caller.way == "header" else 303


def to_sign_out(_row: Row, _method: str, caller: Caller, _project: int) -> int | str:
    return 403 if caller.way == "forged" else "sign in"


PAGES = (
    "page",
    "typed",
    "signed",
    "script",
    "static",
    "sign in",
    "link",
    "sign out",
    "for others",
)
RULES = {
    "api": of_api,
    "page": of_page,
    "typed": of_typed,
    "script": of_page,
    "open": lambda *_: 200,
    "for others": lambda *_: 200,
    "static": lambda *_: 200,
    "signed": lambda _row, method, *_: 303 if method == "POST" else 200,
    "refused": lambda *_: 403,
    "bearer": of_bearer,
    "key in URL": of_key,
    "sign in": to_sign_in,
    "link": lambda _row, method, *_: 200 if method == "HEAD" else "sign in",
    "sign out": to_sign_out,
}


# How they are asked


@dataclass
class Things:
    """A project's own: what the names in a URL stand for."""

    project: str
    channel: str
    badge_key: str
    signed: dict[str, str]
    secret: str
    code: str = ""
    unique_key: str = ""
    check_badge: str = ""

    def fill(self, path: str, caller: Caller) -> str:
        is_of_project = path.startswith("/projects")
        named = {
            "code": self.project if is_of_project else self.code,
            "unique_key": self.unique_key,
            "project": self.project,
            "channel": self.channel,
            "n": "1",
            "key": self.check_badge if path.startswith("/b/") else self.badge_key,
            "signature": self.signed["x" if "tag" in path else "*"],
            "tag": "x",
            "fmt": "svg",
            "states": "2",
            "name": "app.css",
            "link": "a" * 22,
            "rest": "nothing",
            "slug": "home",
        }
        if path.startswith("/icons/"):
            named["name"] = "app-192.png"
        if path.startswith("/mute/"):
            link = mute_links.path(self.secret, self.code, timedelta(minutes=1))
            named["seconds"], named["signature"] = link.split("/")[3:]
        if "unique_key}" in path:
            named["code"] = self.unique_key
        if path.startswith("/projects/{code:code}/metrics/"):
            named["key"] = caller.key
        return re.sub(r"{(\w+)(:\w+)?}", lambda match: named[match[1]], path)


class Stage:
    """The app with a check in each project, and all callers at its door."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.things: list[Things] = []
        self.cookies: dict[tuple[str, int], tuple[str, str]] = {}

    async def open(self) -> None:
        secret = self.app.parts.secret
        for number, project in enumerate(self.app.synced.projects):
            conn = self.app.database.committed
            channels = await store.channels.of_project(conn, project.id)
            channel = channels[0].code if channels else project.code
            signed = {t: signature(secret, project.badge_key, t) for t in ("*", "x")}
            things = Things(project.code, channel, project.badge_key, signed, secret)
            self.things.append(things)
            await self.renew(number)
        for name in KEYS:
            await self.enter(*name)

    async def enter(self, access: str, project: int) -> None:
        await sign_in(self.app, KEYS[access, project])
        cookie = f"hcl_session={self.app.http.cookies['hcl_session']}"
        self.cookies[access, project] = cookie, await csrf(self.app)
        self.app.http.cookies.clear()

    async def renew(self, number: int) -> None:
        """Make a check with one ping, since the one before may be changed or gone."""
        things, key = self.things[number], KEYS["rw", number]
        made = await self.app.api("POST", "checks/", json={"tags": "x"}, key=key)
        check = made.json()
        things.code = check["uuid"]
        digits = things.code.replace("-", "")[:16]
        things.unique_key = hashlib.sha1(digits.encode()).hexdigest()
        things.check_badge = check["badge_url"].rpartition("/")[2].partition(".")[0]
        await self.app.http.post(f"/ping/{things.code}", content=b"body")

    async def ask(self, method: str, path: str, caller: Caller) -> int | str:
        """Return the status of an answer, without waiting for its end."""
        headers, body = [(b"host", b"hcl.example")], b""
        if caller.way == "header" and caller.access:
            metrics = caller.access in ("metrics", "wrong")
            names = ["x-metrics-key"] if metrics else []
            names += [] if caller.access == "metrics" else ["x-api-key"]
            headers += [(name.encode(), caller.key.encode()) for name in names]
            if caller.access != "metrics":
                headers.append((b"authorization", f"Bearer {caller.key}".encode()))
        elif caller.way != "header":
            cookie, token = self.cookies[caller.access, caller.project]
            headers.append((b"cookie", cookie.encode()))
            body = f"csrf={token if caller.way == 'signed in' else 'forged'}".encode()
        if method == "POST" and path.startswith("/api/"):
            body = b""
        elif method == "POST":
            headers.append((b"content-type", b"application/x-www-form-urlencoded"))
        start = await begun(self.app, method, path, headers, body)
        location = dict(start["headers"]).get(b"location", b"")
        asked = start["status"] == 303 and location.startswith(b"/sign-in")
        return "sign in" if asked else int(start["status"])


async def begun(
    app: App, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> Message:
    """Ask, and return how the answer begins: a live page's never ends."""
    started: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    request: Message = {"type": "http.request", "body": body, "more_body": False}
    sent = iter([request])
    never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    async def receive() -> Message:
        for message in sent:
            return message
        return await never

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.set_result(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("192.0.2.1", 1234),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }

    async def answer() -> None:
        await app.assembly.app(scope, receive, send)

    answering = asyncio.create_task(answer())
    waiting: set[asyncio.Future[Any]] = {answering, started}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if not started.done():
        await answering
    answering.cancel()
    await asyncio.wait({answering})
    return started.result()


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("access")
    text = setting.CONFIG.replace("check_limit = 10", "check_limit = 100000")
    text += toml.webhook("Hook C", down="http://127.0.0.1:9/c/")
    text += "[[projects.pages]]\nslug = 'home'\ntitle = 'At home'\n"
    async with running_app(folder, text) as app:
        stage = Stage(app)
        await stage.open()
        yield stage


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have wrong keys answered at once."""
    monkeypatch.setattr(wrong_keys, "SLOWED", 0.0)


def cells(path: str, row: Row) -> Iterator[tuple[str, Caller, int]]:
    """Yield all there is to ask of a URL: a method, by whom, and of which project."""
    has_things = any(name in path for name in ("code}", "project", "unique_key}"))
    for method in METHODS:
        # What a URL has no method for is refused before it is looked who asks.
        whom = CALLERS if method in row.needs else CALLERS[:8:5]
        for caller in whom:
            for project in (0, 1) if has_things else (-1,):
                yield method, caller, project


async def test_every_url_has_a_row_and_every_row_a_url(stage: Stage) -> None:
    paths = [route.path for route in routes(stage.app.parts)]

    assert set(paths) == set(ROWS)
    assert len(paths) == len(ROWS)


@pytest.mark.parametrize("path", ROWS)
async def test_caller_may_do_what_the_row_says_and_no_more(
    stage: Stage, path: str
) -> None:
    row, wrong = ROWS[path], []
    writer = await writer_of(stage.app.database)
    for method, caller, project in cells(path, row):
        before = writer.total_changes
        filled = stage.things[max(project, 0)].fill(path, caller)

        got = await stage.ask(method, filled, caller)

        wanted = expected(row, method, caller, project)
        signs_out = row.kind == "sign out" and caller.way == "signed in"
        is_let_in = signs_out or (isinstance(wanted, int) and wanted < 400)
        if got != wanted or (not is_let_in and writer.total_changes != before):
            wrong.append((method, caller.name, project, got, wanted))
        if is_let_in and method in ("POST", "DELETE") and project >= 0:
            await stage.renew(project)
        if signs_out and method == "POST":
            await stage.enter(caller.access, caller.project)
    assert wrong == []


# Pings need no key but the one that is part of their URL

PINGS = [
    ("/ping/{code}", 200),
    ("/ping/{code}/start", 200),
    ("/ping/{code}/fail", 200),
    ("/ping/{code}/3", 200),
    ("/ping/{own_key}/{slug}", 200),
    ("/ping/{other_key}/{slug}", 404),
    ("/ping/{read_key}/{slug}", 404),
    ("/ping/{write_key}/{slug}?create=1", 404),
    ("/ping/{unique_key}", 404),
]


@pytest.mark.parametrize(("path", "status"), PINGS)
async def test_ping_is_taken_from_whoever_knows_its_url(
    stage: Stage, path: str, status: int
) -> None:
    things = stage.things[0]
    made = await stage.app.api("POST", f"checks/{things.code}", json={"slug": "job"})
    filled = path.format(
        code=things.code,
        unique_key=things.unique_key,
        own_key=setting.PING_KEY,
        other_key=setting.OTHER_PING_KEY,
        read_key=setting.READ_KEY,
        write_key=setting.WRITE_KEY,
        slug=made.json()["slug"],
    )

    got = {
        await stage.ask(method, filled, caller)
        for method in METHODS
        for caller in CALLERS
    }

    assert got == {status}
