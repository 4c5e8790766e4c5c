"""Big answers: made in slices, shared until something changes, a few at a time."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from hcl.changes import Changes
from hcl.clock import Clock
from hcl.web import shared
from hcl.web.shared import SharedAnswers, Until
from tests.app import READ_KEY, App, running_app
from tests.build import NOW
from tests.clocks import Times, a_clock
from tests.patience import ENDS, idle
from tests.store import put_check, put_copies
from tests.web.api.calls import create

N_CHECKS = 1000
HEADERS = {"Content-Type": "application/json"}


class Kitchen:
    """Answers whose pieces a test hands out, and what asks for them."""

    def __init__(self) -> None:
        self.clock: Clock
        self.times: Times
        self.clock, self.times = a_clock()
        self.changes = Changes()
        self.answers = SharedAnswers(self.changes, self.clock)
        self.made = 0
        # Set: pieces may be made.
        self.gate = asyncio.Event()
        self.gate.set()

    def make(self, *pieces: bytes, until: Any = None) -> Callable[[Until], Any]:
        async def pieces_of(told: Until) -> AsyncIterator[bytes]:
            self.made += 1
            told.note(until)
            number = self.made
            for piece in pieces:
                await self.gate.wait()
                yield piece.replace(b"#", str(number).encode())

        return pieces_of

    async def ask(self, key: object, *pieces: bytes, **rest: Any) -> Response:
        request = a_request(rest.pop("http_version", "1.1"))
        make = self.make(*pieces, **rest)
        return await self.answers.answer(request, key, make, HEADERS)

    async def body(self, *pieces: bytes, key: object = "a", **rest: Any) -> bytes:
        client = Client()
        await client.take(await self.ask(key, *pieces, **rest))
        return client.body


class Client:
    """Takes an answer as uvicorn does; it may be one that does not read."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def take(self, response: Response) -> None:
        await response(a_request().scope, self._receive, self._send)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    async def _receive(self) -> Any:
        await asyncio.Event().wait()

    async def _send(self, message: Any) -> None:
        await self.reads.wait()
        self.messages.append(message)


def a_request(http_version: str = "1.1", query: bytes = b"") -> Request:
    return Request(
        {
            "type": "http",
            "http_version": http_version,
            "query_string": query,
            "headers": [],
            "asgi": {"spec_version": "2.3"},
        }
    )


async def test_an_answer_is_made_once_until_something_changes() -> None:
    kitchen = Kitchen()

    first = await kitchen.body(b"#")
    again = await kitchen.body(b"#")
    kitchen.changes.tell()
    after = await kitchen.body(b"#")

    assert (first, again, after) == (b"1", b"1", b"2")


async def test_an_answer_is_made_anew_when_a_status_changes_by_time() -> None:
    kitchen = Kitchen()
    due = NOW + timedelta(minutes=1)

    first = await kitchen.body(b"#", until=due)
    kitchen.times.run(59)
    before = await kitchen.body(b"#", until=due)
    kitchen.times.run(1)
    after = await kitchen.body(b"#", until=due)

    assert (first, before, after) == (b"1", b"1", b"2")


async def test_those_who_ask_meanwhile_share_the_next_one_if_something_changed() -> (
    None
):
    kitchen = Kitchen()
    kitchen.gate.clear()

    first = asyncio.create_task(kitchen.body(b"#"))
    await idle()
    kitchen.changes.tell()
    later = [asyncio.create_task(kitchen.body(b"#")) for _ in range(10)]
    await idle()
    kitchen.gate.set()

    assert await first == b"1"
    assert await asyncio.gather(*later) == [b"2"] * 10
    assert kitchen.made == 2


async def test_who_leaves_takes_nothing_from_those_who_wait_too() -> None:
    kitchen = Kitchen()
    kitchen.gate.clear()

    leaving = asyncio.create_task(kitchen.body(b"#"))
    staying = asyncio.create_task(kitchen.body(b"#"))
    await idle()
    leaving.cancel()
    kitchen.gate.set()

    assert await staying == b"1"


async def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    kitchen = Kitchen()

    async def broken(_until: Until) -> AsyncIterator[bytes]:
        yield b"x"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        await kitchen.answers.answer(a_request(), "a", broken, HEADERS)

    assert await kitchen.body(b"#") == b"1"


async def test_what_is_kept_stays_within_its_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "KEPT_BYTES", 10_000)
    kitchen = Kitchen()

    for key in range(20):
        await kitchen.body(b"x" * 1000, key=key)
        assert kitchen.answers.kept_bytes <= 10_000

    await kitchen.body(b"#", key=19)
    assert kitchen.made == 20
    await kitchen.body(b"#", key=0)
    assert kitchen.made == 21


async def test_what_nobody_asks_for_again_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "KEPT_FOR", 0.02)
    kitchen = Kitchen()
    await kitchen.body(b"#")

    async with asyncio.timeout(ENDS):
        # Nobody is told of it.
        while kitchen.answers.kept_bytes:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    assert await kitchen.body(b"#") == b"2"


async def test_what_is_over_is_forgotten_though_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "KEPT_FOR", 1000)
    kitchen = Kitchen()
    await kitchen.body(b"#", key="a")
    kitchen.changes.tell()
    await kitchen.body(b"#", key="b")

    kitchen.answers._sweep()

    assert await kitchen.body(b"#", key="b") == b"2"
    assert kitchen.answers.kept_bytes < 2 * shared._OVERHEAD


async def test_what_is_larger_is_sent_while_it_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "KEPT_BYTES", 100)
    kitchen, client = Kitchen(), Client()

    await client.take(await kitchen.ask("a", *[b"0123456789"] * 50))

    assert client.body == b"0123456789" * 50
    assert b"content-length" not in client.headers
    assert kitchen.answers.kept_bytes == 0


async def test_http_1_0_is_told_the_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "KEPT_BYTES", 100)
    kitchen, client = Kitchen(), Client()

    response = await kitchen.ask("a", *[b"0123456789"] * 50, http_version="1.0")
    await client.take(response)

    assert client.body == b"0123456789" * 50
    assert client.headers[b"content-length"] == b"500"


async def test_who_does_not_read_gives_up_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "KEPT_BYTES", 100)
    monkeypatch.setattr(shared, "_PATIENCE", 0.01)
    kitchen = Kitchen()
    slow = [Client() for _ in range(2 * shared.AT_ONCE)]
    pieces = [b"0123456789"] * 50

    async with asyncio.timeout(ENDS), asyncio.TaskGroup() as group:
        for key, client in enumerate(slow):
            client.reads.clear()
            group.create_task(client.take(await kitchen.ask(key, *pieces)))
        quick = Client()
        await quick.take(await kitchen.ask("quick", *pieces))
        assert quick.body == b"".join(pieces)
        for client in slow:
            client.reads.set()

    assert all(client.body == b"".join(pieces) for client in slow)


async def test_answers_that_nobody_reads_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "SENDING_BYTES", 5000)
    kitchen, slow = Kitchen(), [Client() for _ in range(20)]

    async with asyncio.timeout(ENDS), asyncio.TaskGroup() as group:
        for client in slow:
            client.reads.clear()
            # Each is given another, since something changes.
            kitchen.changes.tell()
            group.create_task(client.take(await kitchen.ask("a", b"x" * 1000)))
            await idle()
            assert kitchen.answers.sending_bytes <= 5000
        for client in slow:
            client.reads.set()

    assert kitchen.answers.sending_bytes == 0
    assert all(client.body == b"x" * 1000 for client in slow)


# The real lists


async def many(app: App) -> None:
    """Make checks as many as take several slices."""
    check = await put_check(app.database, 1, status="up", last_ping=NOW)
    await put_copies(app.database, check, N_CHECKS - 1)


async def test_a_long_list_is_read_in_slices_and_whole(tmp_path: Path) -> None:
    async with running_app(tmp_path) as app:
        await many(app)
        queries: list[str] = []
        await app.database.committed.set_trace_callback(queries.append)

        response = await app.api("GET", "checks/")
        asked = len(queries)
        again = await app.api("GET", "checks/")

        checks = response.json()["checks"]
        assert len({check["uuid"] for check in checks}) == N_CHECKS
        assert all(check["channels"] for check in checks)
        # Checks and their channels, 400 at a time.
        assert asked == 2 * 3
        assert again.content == response.content
        assert len(queries) == asked


async def test_figures_of_many_checks_are_whole(tmp_path: Path) -> None:
    async with running_app(tmp_path) as app:
        await many(app)
        code = app.synced.projects[0].code

        response = await app.http.get(f"/projects/{code}/metrics/{READ_KEY}")

        lines = response.text.splitlines()
        assert sum(line.startswith("hc_check_up{") for line in lines) == N_CHECKS
        assert f"hc_checks_total {N_CHECKS}" in lines


async def test_lists_are_written_as_the_peer_writes_them(tmp_path: Path) -> None:
    async with running_app(tmp_path) as app:
        check = await create(app, name='Bäckup "x": 1, 2')
        await app.http.get(check["ping_url"])

        for path in (
            "checks/",
            f"checks/{check['uuid']}",
            f"checks/{check['uuid']}/pings/",
            f"checks/{check['uuid']}/flips/",
            "channels/",
            "badges/",
            "checks/?tag=none",
        ):
            text = (await app.api("GET", path)).text

            assert text == json.dumps(json.loads(text)), path
        text = (await app.api("GET", "checks/")).text
        assert '"status": "up"' in text


async def test_a_list_of_v1_tells_when_a_run_of_a_down_check_is_too_long(
    tmp_path: Path,
) -> None:
    """It was `started` there for as long as nothing else happened."""
    clock, times = a_clock()
    async with running_app(tmp_path, clock=clock) as app:
        code = (await create(app, max_run=60))["uuid"]
        for signal in ("fail", "start"):
            await app.http.post(f"/ping/{code}/{signal}")

        statuses = []
        for _ in range(2):
            listed = (await app.api("GET", "checks/", version=1)).json()["checks"]
            statuses += [check["status"] for check in listed]
            times.run(60)

        assert statuses == ["started", "down"]


async def test_a_list_tells_of_each_ping_and_edit_at_once(tmp_path: Path) -> None:
    async with running_app(tmp_path) as app:
        check = await create(app, name="a")

        for number in range(1, 4):
            await app.http.get(check["ping_url"])
            response = await app.api("GET", "checks/")
            assert response.json()["checks"][0]["n_pings"] == number
        await app.api("POST", f"checks/{check['uuid']}", json={"name": "b"})
        response = await app.api("GET", "checks/")
        assert response.json()["checks"][0]["name"] == "b"
        await app.api("DELETE", f"checks/{check['uuid']}")
        assert (await app.api("GET", "checks/")).json() == {"checks": []}
