"""Wrong keys: slowed, told and forgotten; the right one always gets in."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import httpx2
import pytest

from hcl.web import wrong_keys
from hcl.web.wrong_keys import (
    BY_ALL,
    BY_ONE,
    MOST_ADDRESSES,
    MOST_LINES,
    SLOWED,
    WINDOW,
    WrongKeys,
)
from tests.app import METRICS_KEY, READ_KEY, WRITE_KEY, App, running_app

WRONG = "x" * 32
PEER = "192.0.2.1"


class Seconds:
    """A clock that tests set."""

    now = 1.0

    def __call__(self) -> float:
        return self.now


def test_wrong_keys_are_counted_by_network_and_time() -> None:
    clock = Seconds()
    keys = WrongKeys(clock)

    first = [keys.note(f"2001:db8::{i:x}", f"2001:db8::{i:x}") for i in range(BY_ONE)]
    next_one = keys.note("2001:db8::ffff", "2001:db8::ffff")
    elsewhere = keys.note("2001:db8:0:1::1", "2001:db8:0:1::1")
    clock.now += WINDOW
    later = keys.note("2001:db8::ffff", "2001:db8::ffff")

    assert first == [0] * BY_ONE
    assert (next_one, elsewhere, later) == (SLOWED, 0, 0)


def test_wrong_keys_of_all_together_are_slowed() -> None:
    keys = WrongKeys(Seconds())
    for i in range(BY_ALL):
        assert keys.note(f"10.{i // 256}.{i % 256}.1", "") == (SLOWED if i >= 10 else 0)

    assert keys.note("192.0.2.7", "192.0.2.7") == SLOWED


def test_address_that_is_forged_does_not_help() -> None:
    keys = WrongKeys(Seconds())

    delays = [keys.note("127.0.0.1", f"198.51.100.{i}") for i in range(BY_ONE + 1)]

    assert delays == [0] * BY_ONE + [SLOWED]


def test_addresses_that_are_remembered_and_told_are_bounded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Seconds()
    keys = WrongKeys(clock)
    for i in range(3 * MOST_ADDRESSES):
        address = f"10.{i // 65536}.{i // 256 % 256}.{i % 256}"
        keys.note(address, address)
    clock.now += WINDOW

    keys.note(PEER, PEER)

    assert len(vars(keys)["_counts"]) <= MOST_ADDRESSES
    lines = caplog.messages
    assert len(lines) == MOST_LINES + 2
    assert lines[MOST_LINES].startswith(
        f"{3 * MOST_ADDRESSES:,} wrong keys in 10 min: "
    )


def test_log_has_one_line_of_an_address_and_then_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Seconds()
    keys = WrongKeys(clock)
    for _ in range(1530):
        keys.note(PEER, "203.0.113.5")
    first = list(caplog.messages)
    clock.now += WINDOW

    keys.note(PEER, "203.0.113.6")

    assert first == ["1 wrong key from 203.0.113.5; more are told with a count"]
    assert caplog.messages[1] == "1,530 wrong keys in 10 min: 1,530 from 203.0.113.5"


def test_one_wrong_key_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    keys = WrongKeys(Seconds())
    keys.note(PEER, PEER)

    keys.sum_up()
    keys.sum_up()

    assert len(caplog.messages) == 1


# What is slowed, and what is not

Try = Callable[[App, str], Coroutine[None, None, httpx2.Response]]


async def by_header(app: App, key: str) -> httpx2.Response:
    return await app.http.get("/api/v1/checks/", headers={"X-Api-Key": key})


async def by_body(app: App, key: str) -> httpx2.Response:
    return await app.http.post("/api/v3/checks/", json={"api_key": key})


async def by_pausing(app: App, key: str) -> httpx2.Response:
    path = "/api/v2/checks/b7a6d9c2-5c3e-4c51-9b2e-3c7f0d1e2f3a/pause"
    return await app.http.post(path, headers={"X-Api-Key": key})


async def by_form(app: App, key: str) -> httpx2.Response:
    return await app.http.post("/sign-in", data={"key": key})


async def by_prometheus(app: App, key: str) -> httpx2.Response:
    code = app.synced.projects[0].code
    return await app.http.get(f"/projects/{code}/metrics/{key}")


async def by_token(app: App, key: str) -> httpx2.Response:
    code = app.synced.projects[0].code
    headers = {"Authorization": f"Bearer {key}"}
    return await app.http.get(f"/projects/{code}/metrics/", headers=headers)


async def for_figures(app: App, key: str) -> httpx2.Response:
    return await app.http.get("/api/v3/metrics/", headers={"X-Metrics-Key": key})


WAYS = [
    (by_header, WRITE_KEY, 200, 401),
    (by_body, WRITE_KEY, 201, 401),
    (by_pausing, WRITE_KEY, 404, 401),
    (by_form, WRITE_KEY, 303, 403),
    (by_prometheus, READ_KEY, 200, 403),
    (by_token, READ_KEY, 200, 403),
    (for_figures, METRICS_KEY, 200, 403),
]


@pytest.mark.parametrize(("attempt", "right", "good", "bad"), WAYS)
async def test_wrong_key_is_slowed_and_the_right_one_gets_in(
    app: App,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    attempt: Try,
    right: str,
    good: int,
    bad: int,
) -> None:
    monkeypatch.setattr(wrong_keys, "SLOWED", 3600.0)
    answers = [await attempt(app, WRONG) for _ in range(BY_ONE)]

    waiting = [asyncio.create_task(attempt(app, WRONG)) for _ in range(3)]
    entered = await attempt(app, right)
    still = [task for task in waiting if not task.done()]
    for task in waiting:
        task.cancel()

    assert [answer.status_code for answer in answers] == [bad] * BY_ONE
    assert entered.status_code == good
    assert still == waiting
    assert caplog.messages == ["1 wrong key from 192.0.2.1; more are told with a count"]


async def test_wrong_keys_of_all_ways_count_together(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrong_keys, "SLOWED", 0.0)
    for _ in range(4):
        for attempt, _, _, _ in WAYS:
            await attempt(app, WRONG)

    assert vars(app.parts.wrong_keys)["_total"] == 4 * len(WAYS)


async def test_slowed_answer_comes_in_the_end(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrong_keys, "SLOWED", 0.01)
    for _ in range(BY_ONE):
        await by_header(app, WRONG)

    answer = await by_header(app, WRONG)

    assert answer.json() == {"error": "wrong api key"}


async def test_key_that_may_less_or_is_none_is_no_wrong_key(app: App) -> None:
    code = app.synced.projects[1].code
    await app.api("POST", "checks/", key=READ_KEY)
    await app.api("GET", "checks/", key="short")
    await app.http.get("/api/v3/checks/")
    await app.http.get("/api/v3/metrics/")
    await app.http.get(f"/projects/{code}/metrics/{READ_KEY}")

    assert vars(app.parts.wrong_keys)["_total"] == 0


async def test_line_names_the_address_that_the_trusted_proxy_tells(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_app(tmp_path, peer="127.0.0.1") as app:
        headers = {"X-Forwarded-For": "203.0.113.66, 198.51.100.7", "X-Api-Key": WRONG}
        await app.http.get("/api/v3/checks/", headers=headers)

    assert "1 wrong key from 198.51.100.7;" in caplog.text
