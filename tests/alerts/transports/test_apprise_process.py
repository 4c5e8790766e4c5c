import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hcl.alerts.transports.apprise_check import WORKER
from hcl.alerts.transports.apprise_process import (
    NICENESS,
    Answer,
    Courier,
    courier_for,
    dismiss,
)
from tests.patience import ENDS
from tests.sinks import HttpSink


@pytest.fixture
async def courier() -> AsyncIterator[Courier]:
    courier = Courier(linger=2 * ENDS)
    yield courier
    await courier.close()
    assert workers() == []


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


def a_request(url: str, **more: Any) -> dict[str, Any]:
    values = {
        "url": url,
        "status": "down",
        "title": "DOWN: Nightly backup",
        "bodies": ["No ping came."],
        "format": "text",
        "arguments": {},
        "pace": 0.0,
    }
    return values | more


def to(sink: HttpSink, path: str = "") -> dict[str, Any]:
    return a_request(f"json://127.0.0.1:{sink.port}/{path}")


async def test_apprise_stands_back_behind_the_server(
    courier: Courier, sink: HttpSink
) -> None:
    await courier.send(to(sink), ENDS)

    [worker] = workers()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, worker) == min(own + NICENESS, 19)


def workers(parent: int | None = None) -> list[int]:
    """Return the pids of the workers of a process, by default of this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            arguments = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        ours = int(words[1]) == (parent or os.getpid())
        if ours and (words[0] == "Z" or str(WORKER).encode() in arguments):
            found.append(int(folder.name))
    return found


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def until_gone(pids: list[int]) -> None:
    async with asyncio.timeout(ENDS):
        # Another process tells nobody here of its end.
        while any(map(is_there, pids)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_hundreds_of_messages_use_one_process(
    courier: Courier, sink: HttpSink
) -> None:
    requests = [to(sink, str(i % 10)) for i in range(300)]

    answers = await asyncio.gather(*(courier.send(r, ENDS) for r in requests))

    assert set(answers) == {Answer(True, "HTTP 200 from 127.0.0.1", False)}
    assert len(sink.records) == 300
    assert len(workers()) == 1


async def test_process_ends_after_a_while_and_starts_again(sink: HttpSink) -> None:
    courier = Courier(linger=1.5)
    await courier.send(to(sink), ENDS)
    first = workers()
    await courier.send(to(sink), ENDS)
    same = workers()
    await until_gone(first)
    await courier.send(to(sink), ENDS)

    assert len(first) == 1
    assert same == first
    assert len(workers()) == 1
    assert workers() != first
    assert len(sink.records) == 3
    await courier.close()


async def test_closing_ends_the_process_at_once(sink: HttpSink) -> None:
    courier = Courier(linger=2 * ENDS)
    await courier.send(to(sink), ENDS)
    begun = time.monotonic()

    await courier.close()

    assert workers() == []
    assert time.monotonic() - begun < ENDS


def held_output(worker: int) -> int:
    """Hold what a process writes to, as it does itself while it cannot be ended."""
    for link in Path(f"/proc/{worker}/fd").iterdir():
        if int(link.name) > 2 and os.readlink(link).startswith("pipe:"):
            return os.open(link, os.O_WRONLY)
    raise LookupError(worker)


async def test_process_that_the_system_cannot_end_holds_up_no_reload(
    sink: HttpSink,
) -> None:
    courier = Courier(linger=2 * ENDS)
    await courier.send(to(sink), ENDS)
    [worker] = workers()
    held = held_output(worker)
    try:
        async with asyncio.timeout(ENDS):
            await courier.close()
    finally:
        os.close(held)
    await courier.close()

    assert workers() == []


async def test_closing_ends_what_is_under_way(sink: HttpSink) -> None:
    courier = Courier()
    sink.behave = "hang"
    sending = asyncio.create_task(courier.send(to(sink), 60.0))
    await sink.wait_for(1)

    await courier.close()

    problem = "the process that runs Apprise was killed by SIGKILL"
    assert await sending == Answer(False, problem, False)
    assert workers() == []


async def test_message_that_hangs_hinders_no_other(
    courier: Courier, sink: HttpSink
) -> None:
    async with HttpSink(behave="hang") as hanging, HttpSink() as slow:
        slow.may_answer.clear()
        late = asyncio.create_task(courier.send(to(hanging), 1.0))
        behind = asyncio.create_task(courier.send(to(hanging), ENDS))
        other = asyncio.create_task(courier.send(to(slow), ENDS))
        await hanging.wait_for(1)
        await slow.wait_for(1)
        first = workers()
        with pytest.raises(TimeoutError):
            await late
        # That process is given up, but it is still needed.
        prompt = await courier.send(to(sink), ENDS)

        assert prompt.ok
        assert len(workers()) == 2
        slow.may_answer.set()
        assert (await other).ok
        behind.cancel()
        await until_gone(first)
        assert len(slow.records) == len(sink.records) == len(hanging.records) == 1


async def test_message_that_cannot_begin_in_time_is_not_sent_later(
    courier: Courier, sink: HttpSink
) -> None:
    sink.delay = 2.0
    first = asyncio.create_task(courier.send(to(sink), ENDS))
    await sink.wait_for(1)

    with pytest.raises(TimeoutError):
        await courier.send(to(sink), 0.5)

    assert (await first).ok
    assert len(sink.records) == 1


async def test_killed_process_fails_its_messages_in_words(
    courier: Courier, sink: HttpSink
) -> None:
    sink.behave = "hang"
    sending = [asyncio.create_task(courier.send(to(sink, p), ENDS)) for p in "ab"]
    await sink.wait_for(2)
    [pid] = workers()

    os.kill(pid, signal.SIGKILL)
    answers = await asyncio.gather(*sending)
    sink.behave = "answer"
    after = await courier.send(to(sink), ENDS)

    problem = "the process that runs Apprise was killed by SIGKILL"
    assert answers == [Answer(False, problem, False)] * 2
    assert after.ok
    assert workers() != [pid]


async def test_process_that_cannot_start_tells_why(
    courier: Courier, sink: HttpSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requests.py").write_text("raise RuntimeError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    answer = await courier.send(to(sink), ENDS)

    problem = "the process that runs Apprise ended with status 1: RuntimeError: broken"
    assert answer == Answer(False, problem, False)


async def test_signals_for_all_processes_do_not_end_it(
    courier: Courier, sink: HttpSink
) -> None:
    sink.delay = 0.3
    sending = asyncio.create_task(courier.send(to(sink), ENDS))
    await sink.wait_for(1)
    [pid] = workers()

    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)

    assert (await sending).ok


async def test_cancelled_message_leaves_nothing_behind(
    courier: Courier, sink: HttpSink
) -> None:
    sink.behave = "hang"
    sending = asyncio.create_task(courier.send(to(sink), ENDS))
    await sink.wait_for(1)
    pids = workers()

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    await until_gone(pids)


async def test_message_may_be_cancelled_at_any_moment(sink: HttpSink) -> None:
    for i in range(12):
        courier = Courier()
        sending = asyncio.create_task(courier.send(to(sink), ENDS))
        await asyncio.sleep(i * 0.002)
        sending.cancel()
        await asyncio.wait([sending])
        await courier.close()

        assert workers() == []


async def test_large_messages_arrive(courier: Courier, sink: HttpSink) -> None:
    body = 'Ünï€ 😀 \\ " $x\n' * 20_000

    answer = await courier.send(to(sink) | {"bodies": [body]}, ENDS)

    # Apprise cuts what is longer than its service takes.
    assert answer.ok
    assert len(sink.records[0].body) > 32_000


async def test_users_share_a_process_until_the_last(sink: HttpSink) -> None:
    one, two = object(), object()
    await courier_for(one).send(to(sink), ENDS)
    await courier_for(two).send(to(sink), ENDS)
    shared = workers()

    await dismiss(one)
    await dismiss(one)
    left = workers()
    await dismiss(two)

    assert len(shared) == 1
    assert left == shared
    assert workers() == []


def test_faster_loop_does_as_well() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def use() -> list[bool]:
        async with HttpSink() as sink, HttpSink(behave="hang") as hanging:
            courier = Courier()
            late = asyncio.create_task(courier.send(to(hanging), 1.0))
            answer = await courier.send(to(sink), ENDS)
            await asyncio.wait([late])
            again = await courier.send(to(sink), ENDS)
            await courier.close()
            timed_out = isinstance(late.exception(), TimeoutError)
            return [answer.ok, again.ok, timed_out]

    assert uvloop.run(use()) == [True] * 3
    assert workers() == []


def test_each_loop_has_a_process_of_its_own() -> None:
    async def use() -> bool:
        async with HttpSink() as sink:
            user = object()
            answer = await courier_for(user).send(to(sink), ENDS)
            await dismiss(user)
            return answer.ok

    assert asyncio.run(use())
    assert asyncio.run(use())
    assert workers() == []


async def forget_to_dismiss(url: str) -> int:
    """Send, and leave the process to the loop; return its pid."""
    await courier_for(object()).send(a_request(url), ENDS)
    return workers()[0]


async def test_forgotten_process_ends_with_its_loop(sink: HttpSink) -> None:
    # In a process of its own, for what Python warns of.
    program = (
        "import asyncio;"
        "from tests.alerts.transports.test_apprise_process import forget_to_dismiss;"
        f"print(asyncio.run(forget_to_dismiss('json://127.0.0.1:{sink.port}/')))"
    )

    forgetful = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE
    )
    output, _ = await forgetful.communicate()

    await until_gone([int(output)])


async def test_process_ends_with_its_parent(sink: HttpSink) -> None:
    sink.behave = "hang"
    url = f"json://127.0.0.1:{sink.port}/"
    program = (
        "import asyncio;"
        "from hcl.alerts.transports.apprise_process import Courier;"
        "from tests.alerts.transports.test_apprise_process import a_request;"
        f"asyncio.run(Courier().send(a_request({url!r}), 60.0))"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    await sink.wait_for(1)
    pids = workers(parent.pid)

    parent.kill()
    await parent.wait()

    assert len(pids) == 1
    await until_gone(pids)


async def test_no_secret_is_on_show(
    courier: Courier, sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "t0ken")
    url = f"json://user:t0ken@127.0.0.1:{sink.port}/t0ken"
    await courier.send(a_request(url), ENDS)
    [pid] = workers()

    def shown(name: str) -> bytes:
        return Path(f"/proc/{pid}/{name}").read_bytes()

    assert str(WORKER).encode() in shown("cmdline")
    assert b"t0ken" not in shown("cmdline") + shown("environ")


def test_what_a_plugin_prints_is_not_an_answer(tmp_path: Path) -> None:
    # Whatever is read as JSON is preceded by some noise.
    (tmp_path / "sitecustomize.py").write_text(
        "import json\n"
        "loads = json.loads\n"
        "def chatty(*a, **o):\n"
        "    print('chatty ' * 20_000, flush=True)\n"
        "    return loads(*a, **o)\n"
        "json.loads = chatty\n"
    )
    line = (
        b'{"id": 7, "url": "foo://secret", "arguments": {}, "pace": 0, "until": 1e18}\n'
    )

    with subprocess.Popen(
        [sys.executable, "-P", str(WORKER)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        answer = process.stdout.readline()
        rest, errors = process.communicate()

    told = json.loads(answer)
    assert (told["id"], told["ok"], told["permanent"]) == (7, False, True)
    assert told["words"].startswith("the URL is not valid: ")
    assert (rest, errors, process.returncode) == (b"", b"", 0)
