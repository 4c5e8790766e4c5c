"""Time in which hcl stands still is none of its receivers'.

It is stopped by blocking the loop: threads and other processes go on meanwhile.
"""

import asyncio
import socket
import time
from pathlib import Path
from threading import Thread, Timer

import pytest

from hcl.alerts.transports.shell import Shell
from hcl.alerts.transports.webhook import Webhook
from hcl.checks.check_json import Site
from hcl.config import ShellSettings, WebhookRequest, WebhookSettings
from hcl.outgoing.patience import Patience
from tests.alerts import NOW, a_message

SITE = Site("https://hcl.example.org", "https://hcl.example.org/ping/")

# What is under way answers after so many seconds; its limit; how long hcl stands still.
ANSWERS, LIMIT, STILL = 0.2, 0.6, 2.0


async def stand_still() -> None:
    """Stop soon, before anything is answered, and go on after the limit."""
    await asyncio.sleep(ANSWERS / 2)
    # The loop is meant to be blocked.
    time.sleep(STILL)  # noqa: ASYNC251


async def test_what_takes_too_long_is_broken_off() -> None:
    begun = time.monotonic()

    with pytest.raises(TimeoutError):
        async with Patience(LIMIT):
            await asyncio.Event().wait()

    assert time.monotonic() - begun >= LIMIT


async def test_what_is_done_has_no_limit_any_more() -> None:
    async with Patience(LIMIT / 10) as limit:
        limit.end()
        await asyncio.sleep(LIMIT / 2)


async def test_what_came_while_it_stood_still_is_there_in_time() -> None:
    loop, answer = asyncio.get_running_loop(), asyncio.Event()
    timer = Timer(2 * ANSWERS, loop.call_soon_threadsafe, [answer.set])
    timer.start()

    async with Patience(LIMIT), asyncio.TaskGroup() as group:
        group.create_task(stand_still())
        await answer.wait()
    timer.join()


async def test_who_does_not_answer_though_it_stood_still_is_too_late() -> None:
    still = asyncio.create_task(stand_still())

    with pytest.raises(TimeoutError):
        async with Patience(LIMIT):
            await asyncio.Event().wait()
    await still


async def test_webhook_that_answered_meanwhile_was_delivered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=answer_once, args=(server,))
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        down = WebhookRequest("POST", url, "", ())
        webhook = Webhook(WebhookSettings(down, None), SITE, try_timeout=LIMIT)
        still = asyncio.create_task(stand_still())

        assert await webhook.send(a_message(), NOW) == "HTTP 200"

        await still
        await webhook.aclose()
        thread.join()


def answer_once(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65_536)
        time.sleep(2 * ANSWERS)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


async def test_command_that_ended_meanwhile_was_run(tmp_path: Path) -> None:
    settings = ShellSettings(f"sleep {ANSWERS}", "")
    shell = Shell(settings, SITE, tmp_path, try_timeout=LIMIT, kill_after=1.0)
    still = asyncio.create_task(stand_still())

    assert await shell.send(a_message(), NOW) == "exit status 0"

    await still
