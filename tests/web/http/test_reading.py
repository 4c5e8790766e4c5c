"""What is a request and what is not, whatever reads it: by httptools, or by hand."""

import pytest

from tests.web.http.wire import Recorder, send_all, serving, statuses

CHUNKS = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"POST /a HTTP/1.1\r\nContent-Length: %b\r\n\r\nabc"


def head(*lines: bytes, line: bytes = b"GET /a HTTP/1.1") -> bytes:
    return b"\r\n".join([line, *lines, b"", b""])


# What is asked for, and what of it the application hears: path, query, body.
TAKEN: list[tuple[bytes, tuple[str, bytes, bytes]]] = [
    (head(), ("/a", b"", b"")),
    (head(line=b"GET  /a  HTTP/1.1"), ("/a", b"", b"")),
    (head(line=b"GET /a HTTP/1.0"), ("/a", b"", b"")),
    (head(line=b"GET /a HTTP/0.9"), ("/a", b"", b"")),
    (head(line=b"GET /a"), ("/a", b"", b"")),
    (head(line=b"GET /a?b=%00#c?d HTTP/1.1"), ("/a", b"b=%00", b"")),
    (head(line=b"GET /%C3%A9 HTTP/1.1"), ("/é", b"", b"")),
    (head(line=b"GET //a HTTP/1.1"), ("//a", b"", b"")),
    (head(line=b"GET http://u@h:1/a?b HTTP/1.1"), ("/a", b"b", b"")),
    (head(line=b"GET http://[::1]:1/a HTTP/1.1"), ("/a", b"", b"")),
    (head(line=b"OPTIONS * HTTP/1.1"), ("*", b"", b"")),
    (head(line=b"M-SEARCH /a HTTP/1.1"), ("/a", b"", b"")),
    (head(b"X:", b"Y:  caf\xe9\tz", b"Z_z: {"), ("/a", b"", b"")),
    (b"\r\n\r\n" + head(), ("/a", b"", b"")),
    (LENGTH % b"3", ("/a", b"", b"abc")),
    (LENGTH % b"0003 ", ("/a", b"", b"abc")),
    (CHUNKS + b"3\r\nabc\r\n0\r\n\r\n", ("/a", b"", b"abc")),
    (CHUNKS + b"01\r\na\r\n2;x=y;z\r\nbc\r\n000\r\n\r\n", ("/a", b"", b"abc")),
    (CHUNKS + b'3;x="y z"\r\nabc\r\n0\r\nX: y\r\n\r\n', ("/a", b"", b"abc")),
    (
        CHUNKS.replace(b"chunked", b"gzip, Chunked") + b"3\r\nabc\r\n0\r\n\r\n",
        ("/a", b"", b"abc"),
    ),
]

REFUSED = [
    # Bare newlines, as smugglers like them.
    b"GET /a HTTP/1.1\nHost: x\n\n",
    b"GET /a HTTP/1.1\r\nHost: x\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: x\r\n\n",
    CHUNKS + b"3\nabc\n0\n\n",
    head(b"X: a\rb"),
    # The line.
    head(line=b"get /a HTTP/1.1"),
    head(line=b"FOO /a HTTP/1.1"),
    head(line=b"GET a HTTP/1.1"),
    head(line=b"GET ?a HTTP/1.1"),
    head(line=b"GET http://h HTTP/1.1"),
    head(line=b"GET http:///a HTTP/1.1"),
    head(line=b"GET http://h:x/a HTTP/1.1"),
    head(line=b"CONNECT h:1 HTTP/1.1").replace(b"h:1", b"h"),
    head(line=b"GET /a\x01 HTTP/1.1"),
    head(line=b"GET /a HTTP/1.1 "),
    head(line=b"GET /a HTTP/1.10"),
    head(line=b"GET /a http/1.1"),
    head(line=b" GET /a HTTP/1.1"),
    # Headers.
    head(b"X : a"),
    head(b" X: a"),
    head(b"X: a", b" b"),
    head(b"X"),
    head(b": a"),
    head(b"X(: a"),
    head(b"X\xe9: a"),
    head(b"X: a\x00b"),
    head(b"X: a\x7fb"),
    # How long a body is.
    LENGTH % b"+3",
    LENGTH % b"-3",
    LENGTH % b"0x3",
    LENGTH % b"3, 3",
    LENGTH % b"3\r\nContent-Length: 3",
    LENGTH % b"99999999999999999999999",
    LENGTH % b"",
    LENGTH % b"3\r\nTransfer-Encoding: chunked",
    *[
        CHUNKS.replace(b"chunked", coding)
        for coding in (b"", b"identity", b"xchunked", b"chunked, gzip")
    ],
    CHUNKS.replace(b"chunked", b"chunked, chunked"),
    # Chunks.
    *[
        CHUNKS + chunk
        for chunk in (
            *(b"0x3\r\nabc\r\n", b"+3\r\nabc\r\n", b"3 \r\nabc\r\n", b" 3\r\nabc\r\n"),
            *(b"g\r\n", b"\r\n\r\n", b"f" * 20 + b"\r\n", b"3;\r\nabc\r\n"),
            *(b"3\r\nabcd\r\n", b"3;a b\r\nabc\r\n", b"3;a\x01\r\nabc\r\n"),
            *(b"0\r\nX\r\n\r\n", b"0\r\n X: y\r\n\r\n"),
        )
    ],
]


@pytest.mark.parametrize(("text", "heard"), TAKEN)
async def test_a_request_is_taken(text: bytes, heard: tuple[str, bytes, bytes]) -> None:
    app = Recorder()

    async with serving(app) as port:
        received = await send_all(port, text)

    [(_, path, body)] = app.requests
    assert statuses(received) == [200]
    assert (path, app.queries[0], body) == heard


@pytest.mark.parametrize("text", REFUSED)
async def test_what_is_no_request_is_refused(text: bytes) -> None:
    app = Recorder()

    async with serving(app) as port:
        received = await send_all(port, text, answers=0)

    assert statuses(received) == [400]
    assert received.endswith(b"Invalid HTTP request received.")
    assert app.requests == []


@pytest.mark.parametrize(
    "value", [b"close", b"Close , x", b"keep-alive, close", b"x\r\nConnection: close"]
)
async def test_connection_is_closed_where_a_client_asks_for_it(value: bytes) -> None:
    app = Recorder()

    async with serving(app) as port:
        received = await send_all(
            port, head(b"Connection: " + value) + head(), answers=0
        )

    assert statuses(received) == [200]
    assert b"connection: close\r\n" in received


@pytest.mark.parametrize("value", [b"keep-alive", b"xclose", b"x, y"])
async def test_connection_is_kept_otherwise(value: bytes) -> None:
    app = Recorder()

    async with serving(app) as port:
        received = await send_all(
            port, head(b"Connection: " + value) + head(), answers=2
        )

    assert statuses(received) == [200, 200]
    assert b"connection: close" not in received
