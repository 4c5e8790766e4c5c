"""Pings with a body: the short way, once all of it is there."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from starlette.types import Scope

from hcl.web.http.answer import Answer
from hcl.web.http.protocol import BODY, Respond
from tests.app import App
from tests.leaping import LEAPING, Backend
from tests.web.http.wire import UPGRADE, Recorder, get, post, send_all, serving


@pytest.fixture(scope="module")
def anyio_backend() -> Backend:
    return LEAPING


@dataclass
class Bodies:
    """Answers soon what begins with /soon, once its body is there; records bodies."""

    bodies: list[bytes] = field(default_factory=list)

    def __call__(self, scope: Scope, respond: Respond) -> bool | None:
        if not scope["path"].startswith("/soon"):
            return False
        if BODY not in scope:
            return None
        self.bodies.append(scope[BODY])
        respond(Answer(200, [(b"content-length", b"4")], b"soon"))
        return True


_WHOLE = post("/soon", b"FAILED")
_CHUNKS = (
    b"POST /soon HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nFAI\r\n3\r\nLED\r\n0\r\n\r\n"
)


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param((_WHOLE,), id="in one packet"),
        pytest.param((_WHOLE[:-6], _WHOLE[-6:]), id="head and body"),
        pytest.param((_WHOLE[:20], _WHOLE[20:-2], _WHOLE[-2:]), id="in pieces"),
        pytest.param((_CHUNKS,), id="chunked"),
        pytest.param((_CHUNKS[:-12], _CHUNKS[-12:]), id="chunked, in pieces"),
        pytest.param((post("/soon", b"FAILED", UPGRADE),), id="upgrade"),
        pytest.param((_WHOLE[:-2], b"ED" + get("/a")), id="and another in the packet"),
    ],
)
async def test_a_body_goes_the_short_way_once_it_is_there(
    packets: tuple[bytes, ...],
) -> None:
    app, bodies = Recorder(), Bodies()
    async with serving(app, bodies) as port:
        received = await send_all(port, *packets, answers=1 + (b"/a" in packets[-1]))

    assert b"soon" in received
    assert bodies.bodies == [b"FAILED"]
    assert ("POST", "/soon", b"FAILED") not in app.requests


async def test_bodies_that_come_together_are_answered_in_order() -> None:
    app, bodies = Recorder(), Bodies()
    async with serving(app, bodies) as port:
        packet = post("/soon", b"1") + post("/b", b"2") + post("/soon", b"3")
        received = await send_all(port, packet, answers=3)

    assert re.findall(rb"\r\n\r\n(soon|1 bytes)", received) == [
        b"soon",
        b"1 bytes",
        b"soon",
    ]
    assert bodies.bodies == [b"1", b"3"]
    assert app.requests == [("POST", "/b", b"2")]


async def test_a_long_body_goes_the_long_way() -> None:
    app, bodies = Recorder(), Bodies()
    async with serving(app, bodies) as port:
        body = b"x" * 300_000
        await send_all(port, post("/soon", body), post("/soon", b"short"), answers=2)

    assert app.requests == [("POST", "/soon", body)]
    assert bodies.bodies == [b"short"]


async def test_a_body_that_does_not_come_is_no_request() -> None:
    app, bodies = Recorder(), Bodies()
    async with serving(app, bodies, body_timeout=0.2) as port:
        received = await send_all(port, _WHOLE[:-1], answers=0)

    assert received == b""
    assert (app.requests, bodies.bodies) == ([], [])


async def test_pings_with_bodies_take_the_short_way(app: App) -> None:
    created = (await app.api("POST", "checks/", json={"name": "a"})).json()
    path = urlsplit(created["ping_url"]).path
    long_way = Recorder()

    async with serving(long_way, app.assembly.ping.answer_soon) as port:
        for size in (0, 1, 1000, 20_000):
            received = await send_all(port, post(path, b"x" * size))
            assert received.endswith(b"\r\n\r\nOK")
        expecting = post(path, b"x", b"Expect: 100-continue\r\n")
        await send_all(port, expecting)

    pings = (await app.api("GET", f"checks/{created['uuid']}/pings/")).json()["pings"]
    assert [bool(ping["body_url"]) for ping in pings] == [True, True, True, False]
    body = await app.api("GET", f"checks/{created['uuid']}/pings/4/body")
    assert body.content == b"x" * 10_000
    assert long_way.requests == [("POST", path, b"x")]
