"""What is compressed, for whom, and that it holds nobody up."""

import asyncio
import gzip
import zlib
from typing import Any

import pytest
from starlette.types import Message

from hcl.web import compression
from hcl.web.compression import LEAST, Packer, compressing, is_taken
from tests.app import ROOT, WRITE_KEY, App
from tests.web.api.calls import create
from tests.web.pages.browsing import sign_in

TEXT = b"".join(b"line %d of a list\n" % n for n in range(20_000))
JSON, HTML = "application/json", "text/html; charset=utf-8"
OWN = {"Sec-Fetch-Site": "same-origin"}


async def answered(
    kind: str,
    *pieces: bytes,
    length: int | None = None,
    asked: dict[str, str] | None = None,
    status: int = 200,
    method: str = "GET",
    version: str = "1.1",
    **headers: str,
) -> tuple[dict[str, str], list[bytes]]:
    """Send an answer through; return its headers and the parts of its body."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    wanted = {"Accept-Encoding": "gzip"} if asked is None else asked
    scope: dict[str, Any] = {
        "method": method,
        "http_version": version,
        "headers": [(k.lower().encode(), v.encode()) for k, v in wanted.items()],
    }
    told = {"content-type": kind, **headers}
    if length is not None:
        told["content-length"] = str(length)
    through = compressing(scope, send)
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in told.items()]
    await through({"type": "http.response.start", "status": status, "headers": pairs})
    for number, piece in enumerate(pieces, 1):
        part = {"type": "http.response.body", "body": piece}
        await through({**part, "more_body": number < len(pieces)})
    found = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return found, [message["body"] for message in sent[1:]]


@pytest.mark.parametrize("kind", [JSON, "text/plain", "text/css", "image/svg+xml"])
async def test_long_text_is_compressed(kind: str) -> None:
    headers, parts = await answered(kind, TEXT, length=len(TEXT))

    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == "Accept-Encoding"
    assert "content-length" not in headers
    assert gzip.decompress(b"".join(parts)) == TEXT
    assert len(b"".join(parts)) < len(TEXT) / 4


async def test_client_that_knows_no_chunks_is_told_the_length() -> None:
    headers, parts = await answered(JSON, TEXT, length=len(TEXT), version="1.0")

    assert headers["content-length"] == str(len(TEXT))
    assert "content-encoding" not in headers
    assert parts == [TEXT]


async def test_answer_of_unknown_length_is_compressed_as_it_comes() -> None:
    pieces = [TEXT[at : at + 70_000] for at in range(0, len(TEXT), 70_000)]

    headers, parts = await answered(JSON, *pieces, b"")

    assert headers["content-encoding"] == "gzip"
    assert len(parts) > 1
    assert gzip.decompress(b"".join(parts)) == TEXT


SMALL = TEXT[: LEAST - 1]


@pytest.mark.parametrize(
    ("kind", "body", "rest"),
    [
        (JSON, SMALL, {}),
        ("image/png", TEXT, {}),
        ("application/octet-stream", TEXT, {}),
        ("text/event-stream", TEXT, {}),
        (JSON, TEXT, {"content_encoding": "br"}),
        (JSON, TEXT, {"method": "HEAD"}),
        (JSON, b"", {"status": 304}),
        (JSON, TEXT, {"asked": {}}),
        (JSON, TEXT, {"asked": {"Accept-Encoding": "br, gzip;q=0"}}),
        # Another site has led here, or nobody says who has.
        (HTML, TEXT, {}),
        (HTML, TEXT, {"site": "cross-site"}),
        (HTML, TEXT, {"site": "same-site"}),
    ],
)
async def test_the_rest_stays_as_it_is(
    kind: str, body: bytes, rest: dict[str, Any]
) -> None:
    if site := rest.pop("site", ""):
        rest["asked"] = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": site}
    headers, parts = await answered(kind, body, length=len(body), **rest)

    assert headers.get("content-encoding", "") in ("", "br")
    assert headers["content-length"] == str(len(body))
    assert b"".join(parts) == body


async def test_page_is_compressed_to_no_exact_length() -> None:
    lengths = set()
    for _ in range(20):
        asked = {"Accept-Encoding": "gzip", **OWN}
        headers, parts = await answered(HTML, TEXT, length=len(TEXT), asked=asked)
        assert headers["content-encoding"] == "gzip"
        packed = b"".join(parts)
        # As browsers read it, by zlib.
        assert zlib.decompress(packed, wbits=31) == TEXT
        lengths.add(len(packed))

    assert len(lengths) > 5


@pytest.mark.parametrize(
    ("header", "is_so"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("br;q=1.0, gzip; q=0.001", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("gzipped", False),
    ],
)
def test_client_says_whether_it_takes_gzip(header: str, is_so: bool) -> None:
    assert is_taken(header) is is_so


async def test_a_long_piece_is_compressed_in_slices() -> None:
    turns, is_over = 0, False

    async def count() -> None:
        nonlocal turns
        while not is_over:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await Packer().pack(TEXT)
    is_over = True
    await counting

    assert turns >= len(TEXT) // compression._SLICE


async def test_piece_that_was_cancelled_and_comes_again_is_there_once() -> None:
    packer, piece = Packer(), TEXT
    packing = asyncio.create_task(packer.pack(piece))
    await asyncio.sleep(0)
    packing.cancel()
    await asyncio.wait([packing])
    assert packing.cancelled()

    await packer.pack(piece)
    packer.end()

    assert gzip.decompress(bytes(packer.packed)) == TEXT


async def test_list_is_compressed_once_for_all_who_ask(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(10):
        await create(app, name=f"check {n}", desc="the same as the others " * 30)
    ends: list[Packer] = []

    class Counted(Packer):
        def end(self) -> None:
            ends.append(self)
            super().end()

    monkeypatch.setattr(compression, "Packer", Counted)

    plain = await asked_for(app, "identity")
    both = await asyncio.gather(*(asked_for(app, "gzip") for _ in range(5)))

    assert "content-encoding" not in plain.headers
    for answer in both:
        assert answer.headers["content-encoding"] == "gzip"
        assert int(answer.headers["content-length"]) < len(plain.content) / 5
        assert answer.content == plain.content
    assert len(ends) == 1


async def asked_for(app: App, encoding: str) -> Any:
    headers = {"X-Api-Key": WRITE_KEY, "Accept-Encoding": encoding}
    return await app.http.get(f"{ROOT}/api/v3/checks/", headers=headers)


async def test_pages_are_compressed_for_who_comes_from_the_site_itself(
    app: App,
) -> None:
    await sign_in(app)
    path = f"/checks/{(await create(app))['uuid']}"

    own = await app.http.get(path, headers=OWN)
    other = await app.http.get(path, headers={"Sec-Fetch-Site": "cross-site"})

    assert own.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in other.headers
    assert "csrf" in own.text
