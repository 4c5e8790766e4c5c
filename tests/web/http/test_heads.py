"""Headers that have come before, and are not parsed again."""

import random
from dataclasses import dataclass, field

import pytest
from starlette.types import Scope

from hcl.web.http.answer import Answer
from hcl.web.http.heads import BY_NAME, LENGTH, LIMIT, Heads
from hcl.web.http.protocol import BODY, Respond
from hcl.web.http.reading import RequestError, read_head
from tests.app import App
from tests.leaping import LEAPING, Backend
from tests.web.http.wire import Recorder, get, post, send_all, serving, statuses


@pytest.fixture(scope="module")
def anyio_backend() -> Backend:
    return LEAPING


_SCOPE: Scope = {"headers": [(b"host", b"x"), (b"a", b"1"), (b"a", b"2")]}
_LONG = b"x" * LENGTH
_LINES = b"Host: x\r\nA: 1\r\na:\t2 \r\n\r\n"


def _learned(block: bytes = _LINES, scope: Scope = _SCOPE, body: bytes = b"") -> Heads:
    heads = Heads()
    heads.learn(b"GET /a HTTP/1.1\r\n" + block + body, scope)
    return heads


def test_known_headers_are_read_with_any_plain_line() -> None:
    known = _learned().read(
        b"HEAD /ping//b+1/0?rid=1&a=%b HTTP/1.1\r\n" % b"-" + _LINES
    )

    assert known is not None
    scope, body = known
    assert (scope["method"], scope["path"]) == ("HEAD", "/ping//b+1/0")
    assert (scope["query_string"], body) == (b"rid=1&a=-", b"")
    assert scope["headers"] == _SCOPE["headers"]
    assert scope[BY_NAME] == {b"host": b"x", b"a": b"1"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET /a HTTP/1.1\r\nHost: y\r\n\r\n", id="other headers"),
        pytest.param(b"GET /a HTTP/1.1\r\n" + _LINES[:-2], id="not at its end"),
        pytest.param(b"GET /a HTTP/1.1\r\n" + _LINES + b"G", id="more"),
        pytest.param(b"\r\nGET /a HTTP/1.1\r\n" + _LINES, id="an empty line before"),
        pytest.param(b"GET /a HTTP/1.0\r\n" + _LINES, id="version"),
        pytest.param(b"PUT /a HTTP/1.1\r\n" + _LINES, id="verb"),
        pytest.param(b"GET  /a HTTP/1.1\r\n" + _LINES, id="two blanks"),
        pytest.param(b"GET /a HTTP/1.1\n" + _LINES, id="bare newline"),
        pytest.param(b"GET /%61 HTTP/1.1\r\n" + _LINES, id="encoded"),
        pytest.param(b"GET /a?b%61 HTTP/1.1\r\n" + _LINES, id="encoded query"),
        pytest.param(b"GET /a#b HTTP/1.1\r\n" + _LINES, id="fragment"),
        pytest.param(b"GET http://x/a HTTP/1.1\r\n" + _LINES, id="whole address"),
        pytest.param(b"GET /" + b"a" * 300 + b" HTTP/1.1\r\n" + _LINES, id="long"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_not_the_same_is_for_the_parser(data: bytes) -> None:
    assert _learned().read(data) is None


@pytest.mark.parametrize(
    ("block", "headers", "body"),
    [
        pytest.param(b"Host: x\r\n\r\n", [(b"host", b"y")], b"", id="read otherwise"),
        pytest.param(
            b"Host: x\r\n a\r\n\r\n", [(b"host", b"x a")], b"", id="folded line"
        ),
        pytest.param(
            b"A: x\r\n\r\n", [(b"a", b"x")], b"GET /a HTTP/1.1\r\n\r\n", id="another"
        ),
        pytest.param(
            b"Content-Length: 2\r\n\r\n", [(b"content-length", b"2")], b"1", id="part"
        ),
        pytest.param(
            b"Content-Length: +1\r\n\r\n", [(b"content-length", b"+1")], b"1", id="sign"
        ),
        *(
            pytest.param(b"%b: x\r\n\r\n" % name, [(name, b"x")], b"", id=name.decode())
            for name in (b"transfer-encoding", b"expect", b"upgrade")
        ),
        pytest.param(
            b"A: " + b"x" * LENGTH + b"\r\n\r\n",
            [(b"a", b"x" * LENGTH)],
            b"",
            id="long",
        ),
    ],
)
def test_headers_that_say_more_are_not_kept(
    block: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    heads = _learned(block, {"headers": headers}, body)

    assert heads.read(b"GET /a HTTP/1.1\r\n" + block + body) is None


def test_only_so_many_are_kept() -> None:
    heads = Heads()
    blocks = [b"A: %d\r\n\r\n" % number for number in range(LIMIT + 1)]
    for number, block in enumerate(blocks):
        scope = {"headers": [(b"a", b"%d" % number)]}
        heads.learn(b"GET /a HTTP/1.1\r\n" + block, scope)

    known = [heads.read(b"GET /a HTTP/1.1\r\n" + block) for block in blocks]

    assert [scope is not None for scope in known] == [*[False] * LIMIT, True]


_NAMES = (b"Host", b"X", b"Connection", b"Content-Length", b"Expect", b"Upgrade")
_VALUES = (b"x", b"keep-alive", b"close", b"0", b"3", b"100-continue", b" a\t", b"")
_TARGETS = (b"/ping/a-b", b"/ping//a+1/0", b"/", b"//a", b"/a?b=1", b"/a?", b"*")


_READ = ("method", "path", "query_string", "headers")
_NEVER = (False, False)


def _request(chance: random.Random, blocks: list[bytes]) -> tuple[bytes, bytes]:
    """Return a request, maybe a bad one, and its headers, maybe some of before."""
    fields = [
        chance.choice(_NAMES) + chance.choice((b": ", b":", b" :")) + value
        for value in chance.choices(_VALUES, k=chance.randint(1, 3))
    ]
    block = b"".join(field + b"\r\n" for field in fields) + b"\r\n"
    if blocks and chance.random() < 0.7:
        block = chance.choice(blocks)
    verb, minor = chance.choice((b"GET", b"POST", b"PUT")), chance.choice(b"0111")
    line = b"%b %b HTTP/1.%c\r\n" % (verb, chance.choice(_TARGETS), minor)
    return line + block + chance.choice((b"", b"abc", b"\r\n\r\n")), block


def test_what_is_known_is_what_the_parser_reads() -> None:
    chance, heads, known = random.Random(0), Heads(), 0
    blocks: list[bytes] = []
    for _ in range(10_000):
        data, block = _request(chance, blocks)
        end = data.find(b"\r\n\r\n")
        try:
            head = read_head(data[:end])
        except RequestError:
            assert heads.read(data) is None
            continue
        found = heads.read(data)
        if found is not None:
            scope, body = found
            known += 1
            read = (head.method, head.path.decode(), head.query, head.headers)
            assert read == tuple(map(scope.get, _READ))
            assert (head.length, head.closes, head.expects_100) == (len(body), *_NEVER)
        elif not head.closes:
            heads.learn(data, {"headers": head.headers})
            blocks = [*blocks[-50:], block]

    assert known > 200


@dataclass
class Soon:
    """Answers soon what begins with /soon, and records what it was asked."""

    scopes: list[Scope] = field(default_factory=list)

    def __call__(self, scope: Scope, respond: Respond) -> bool | None:
        if not scope["path"].startswith("/soon"):
            return False
        if BODY not in scope:
            return None
        self.scopes.append(scope)
        respond(Answer(200, [(b"content-length", b"4")], b"soon"))
        return True


_ASKED = ("method", "path", "query_string", "headers", "client", "scheme", BODY)

_LATER = b"Host: x\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n"
_REQUESTS = [
    get("/soon/1", _LATER),
    get("/soon/1?rid=1", _LATER),
    post("/soon/2", b"FAILED", _LATER),
    get("/soon/3", b"Connection: keep-alive\r\n"),
    get("/soon/4", b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n"),
    b"HEAD /soon/5 HTTP/1.1\r\nHost: x\r\n\r\n",
]


async def test_what_comes_again_is_asked_alike_and_answered_alike() -> None:
    app, soon = Recorder(), Soon()
    async with serving(app, soon) as port:
        for request in _REQUESTS:
            first, again, third = [await send_all(port, request) for _ in range(3)]

            assert statuses(first) == [200]
            assert first.partition(b"date")[0] == again.partition(b"date")[0]
            assert first.partition(b"\r\n\r\n")[2] == third.partition(b"\r\n\r\n")[2]

    for asked in zip(*[iter(soon.scopes)] * 3, strict=True):
        told = [{key: scope[key] for key in _ASKED} for scope in asked]
        clients = [scope.pop("client") for scope in told]
        assert told[0] == told[1] == told[2]
        assert {client[0] for client in clients} == {"127.0.0.1"}
        assert BY_NAME in asked[-1]
    assert BY_NAME not in soon.scopes[0]


async def test_known_heads_on_one_connection_are_answered_in_order() -> None:
    app, soon = Recorder(), Soon()
    one, two = get("/soon/1", _LATER), post("/soon/2", b"FAILED", _LATER)
    async with serving(app, soon) as port:
        packets = [one, one, two, two, get("/b", _LATER), one + two, two[:-2], two[-2:]]
        received = await send_all(port, *packets, answers=8)

    assert statuses(received) == [200] * 8
    paths = [scope["path"] for scope in soon.scopes]
    assert [path[-1] for path in paths] == ["1", "1", "2", "2", "1", "2", "2"]
    assert app.requests == [("GET", "/b", b"")]


@pytest.mark.parametrize(
    ("begins", "ends", "asked"),
    [
        (b"X: ", b"", b""),
        (b"Content-Length: %d\r\n\r\n", b"", get("/soon/1", _LATER)),
    ],
    ids=["header", "body"],
)
async def test_what_looks_known_inside_another_request_is_none(
    begins: bytes, ends: bytes, asked: bytes
) -> None:
    """The other one begins in the packet of a request before it."""
    app, soon = Recorder(), Soon()
    known = get("/soon/1", _LATER)
    if b"%d" in begins:
        begins %= len(known)
    path = b"/early" if asked else b"/b"
    other = b"POST %b HTTP/1.1\r\nHost: x\r\n%b" % (path, begins)
    async with serving(app, soon) as port:
        await send_all(port, known)
        received = await send_all(port, known + other, known, answers=2)

    assert statuses(received) == [200, 200]
    assert len(soon.scopes) == 2
    assert [path for _, path, _ in app.requests] == [other.split()[1].decode()]


async def test_connection_of_a_known_head_is_closed_when_it_is_idle() -> None:
    soon, request = Soon(), get("/soon/1", _LATER)
    async with serving(Recorder(), soon, idle_timeout=1) as port:
        # Both are answered while they are read.
        received = await send_all(port, request, request, answers=0)

    assert statuses(received) == [200, 200]


async def test_known_head_whose_client_closes_after_it_is_answered() -> None:
    app, soon = Recorder(), Soon()
    request = get("/soon/1", _LATER)
    async with serving(app, soon) as port:
        await send_all(port, request)
        closes = get("/soon/1", _LATER + b"Connection: close\r\n")
        received = [await send_all(port, closes, answers=0) for _ in range(2)]

    assert [statuses(answer) for answer in received] == [[200], [200]]
    assert all(b"connection: close" in answer for answer in received)


async def test_pings_with_a_known_head_are_recorded_alike(app: App) -> None:
    created = (await app.api("POST", "checks/", json={"name": "a"})).json()
    code, long_way = created["uuid"], Recorder()

    async with serving(long_way, app.assembly.ping.answer_soon) as port:
        for signal, body in (("", b"1"), ("/fail", b"2"), ("/log", b"3"), ("/7", b"4")):
            ping = post(f"/ping/{code}{signal}", body, _LATER)
            assert (await send_all(port, ping)).endswith(b"\r\n\r\nOK")
        await send_all(port, post(f"/ping/{code}/Log", b"5", _LATER))

    pings = (await app.api("GET", f"checks/{code}/pings/")).json()["pings"]
    assert [ping["type"] for ping in pings] == ["fail", "log", "fail", "success"]
    assert {ping["ua"] for ping in pings} == {"curl/8.5.0"}
    path = f"checks/{code}/pings"
    bodies = [await app.api("GET", f"{path}/{n}/body") for n in range(1, 5)]
    assert [body.content for body in bodies] == [b"1", b"2", b"3", b"4"]
    assert [path for _, path, _ in long_way.requests] == [f"/ping/{code}/Log"]
