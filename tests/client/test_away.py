"""`hcl run` and servers that are away, or not as they should be: nothing is lost."""

import asyncio
import signal
import stat
import time
import uuid
from pathlib import Path

import pytest

from hcl.client.settings import Target
from hcl.client.signals import Signal
from hcl.client.spool import Spool, leave
from tests.client.running import (
    KEY,
    Ran,
    ended,
    environment,
    hcl,
    kept,
    start,
    told,
    until_kept,
)
from tests.patience import ENDS
from tests.sinks import HttpSink


async def test_without_a_server_the_job_runs_and_its_signals_are_kept(
    tmp_path: Path,
) -> None:
    async with HttpSink() as sink:
        url = sink.url
    env = environment(tmp_path, url)

    ran = await hcl(env, "run", "--patience", "0", "job", "--", "sh", "-c", "exit 6")

    assert ran.status == 6
    assert ran.err.count("\n") == 1
    # On a busy machine the job may be over before anybody was asked.
    assert "; it is kept" in ran.err
    files = kept(tmp_path)
    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_what_was_kept_is_told_before_the_next(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        url, port = sink.url, sink.port
    env = environment(tmp_path, url)
    for script in ("exit 1", "exit 0"):
        command = ["sh", "-c", script]
        await hcl(env, "run", "--patience", "0", "job", "--", *command)

    async with HttpSink(port=port) as sink:
        ran = await hcl(env, "run", "job", "--", "true")

        assert (ran.status, ran.err) == (0, "")
        # The first asks whether it is an hcl; it is not, so that late signals are logs.
        assert told(sink.records)[1:] == ["/log"] * 4 + ["/start", "/0"]
        firsts = [record.text.split(" at ")[0] for record in sink.records[1:5]]
        assert firsts == ["start", "exit status 1", "start", "exit status 0"]
        assert kept(tmp_path) == []


async def test_a_failure_that_was_kept_is_told_by_a_run_that_tells_nothing(
    tmp_path: Path,
) -> None:
    async with HttpSink() as sink:
        url, port = sink.url, sink.port
    env = environment(tmp_path, url)
    run = ["run", "--only-failures", "--patience", "0.5s", "job", "--", "sh", "-c"]
    await hcl(env, *run, "exit 6")
    assert len(kept(tmp_path)) == 1

    away = await hcl(env, *run, "exit 0")
    async with HttpSink(port=port) as sink:
        run[3] = "10s"
        back = await hcl(env, *run, "exit 0")
        again = await hcl(env, *run, "exit 0")

    assert (away.status, back.status, back.err, again.err) == (0, 0, "", "")
    assert away.err.startswith("hcl run: could not send what is kept: ")
    assert told(sink.records)[1:] == ["/log"]
    assert sink.records[1].text.startswith("exit status 6 at ")
    assert kept(tmp_path) == []


@pytest.mark.parametrize("behave", ["hang", "close", "garbage", "head"])
async def test_a_server_that_answers_badly_does_not_hold_the_job_up(
    tmp_path: Path, behave: str
) -> None:
    async with HttpSink(behave=behave) as sink:  # type: ignore[arg-type]
        env = environment(tmp_path, sink.url)

        ran = await hcl(
            env, "run", "--patience", "0.5s", "job", "--", "sh", "-c", "exit 6"
        )

        assert ran.status == 6
        assert ran.err.count("\n") == 1
        assert "it is kept" in ran.err
        assert len(kept(tmp_path)) == 2


async def refused(env: dict[str, str], sink: HttpSink) -> Ran:
    """Run a job that ends once the server has refused its start, and is asked again."""
    over = Path(env["HOME"], "over")
    job = "sh", "-c", 'until [ -e "$0" ]; do sleep 0.05; done', str(over)
    running = await start(env, "run", "--patience", "0", "job", "--", *job)
    await sink.wait_for(2)
    await asyncio.to_thread(over.touch)
    return await ended(running)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b"boom", "it answered 500 boom; it is kept"),
        (503, b"database locked", "it answered 503 database locked; it is kept"),
        (200, b"<html>Sign in to Wi-Fi</html>", "something else answered for it"),
        (302, b"", "something else answered for it"),
        (500, b"\x1b[2Jgone\xc2\x9b", "it answered 500 [2Jgone; it is kept"),
    ],
)
async def test_a_server_in_trouble_is_told_later(
    tmp_path: Path, status: int, body: bytes, said: str
) -> None:
    async with HttpSink(status, body=body) as sink:
        env = environment(tmp_path, sink.url)

        ran = await refused(env, sink)

        assert ran.status == 0
        assert said in ran.err
        assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"not found"),
        (409, b"ambiguous slug"),
        (200, b"OK (not found)"),  # healthchecks.io, of a UUID
    ],
)
async def test_what_no_server_will_take_is_said_and_dropped(
    tmp_path: Path, status: int, body: bytes
) -> None:
    async with HttpSink(status, body=body) as sink:
        env = environment(tmp_path, sink.url)

        ran = await hcl(env, "run", "job", "--", "sh", "-c", "exit 9")

        assert ran.status == 9
        # Once, though both the start and the end were refused.
        assert ran.err.count(f"it answered {status} {body.decode()}") == 1
        assert len(sink.records) == 2
        assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "body", "check", "why"),
    [
        (
            404,
            b"not found",
            ["job"],
            "no check has this slug (--create makes one), or no project has this ping"
            " key",
        ),
        (404, b"not found", ["--create", "job"], "no project has this ping key"),
        (404, b"not found", [str(uuid.uuid4())], "no check has this UUID"),
        (
            409,
            b"ambiguous slug",
            ["job"],
            "several checks have this slug; name the one by its UUID",
        ),
    ],
)
async def test_a_check_that_is_not_there_is_said_with_what_to_do(
    tmp_path: Path, status: int, body: bytes, check: list[str], why: str
) -> None:
    async with HttpSink(status, body=body) as sink:
        ran = await hcl(environment(tmp_path, sink.url), "ping", *check)

    assert ran.err.endswith(f": it answered {status} {body.decode()}: {why}\n")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"404 page not found\n"),  # Traefik, while its server is away
        (400, b"Client sent an HTTP request to an HTTPS server.\n"),
        (403, b"blocked"),
        (200, b"OK (rate limited)"),  # healthchecks.io, of a UUID
    ],
)
async def test_what_a_proxy_says_loses_nothing(
    tmp_path: Path, status: int, body: bytes
) -> None:
    async with HttpSink(status, body=body) as sink:
        env = environment(tmp_path, sink.url)

        ran = await refused(env, sink)

        assert f"it answered {status} {body.decode().strip()}; it is kept" in ran.err
        assert KEY not in ran.err
        assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize(
    ("status", "body"), [(301, ""), (404, f"Cannot POST /ping/{KEY}/job/start")]
)
async def test_no_answer_has_the_ping_key_said(
    tmp_path: Path, status: int, body: str
) -> None:
    # As servers that send to https, and those that say what they were asked for.
    where = (("Location", f"https://hc.test/ping/{KEY}/job/start"),)
    async with HttpSink(status, headers=where, body=body.encode()) as sink:
        ran = await refused(environment(tmp_path, sink.url), sink)

        assert "/ping/…/job/start" in ran.err
        assert KEY not in ran.err


async def test_another_server_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    gone = environment(tmp_path, "http://127.0.0.1:9")
    await hcl(gone, "ping", "--patience", "0", "job")
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)

        ran = await hcl(env, "run", "job", "--", "true")

        assert (ran.status, ran.err) == (0, "")
        assert told(sink.records) == ["/start", "/0"]
        assert len(kept(tmp_path)) == 1
        ran = await hcl(env, "ping", "--flush", "--patience", "0.3s")
        assert ran.status == 1
        assert "could not send what is kept: connection refused" in ran.err


@pytest.mark.parametrize(
    "key", ["…22 characters…", "two words", "with\ttab", "\x7f", "%C3%B6ö"]
)
async def test_a_key_that_no_address_takes_is_said_and_holds_nothing_up(
    tmp_path: Path, key: str
) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)
        wrong = await hcl(env | {"HCL_PING_KEY": key}, "ping", "job")
        job = await hcl(
            env | {"HCL_PING_KEY": key}, "run", "job", "--", "sh", "-c", "exit 3"
        )

        ran = await hcl(env, "ping", "job")

        assert (wrong.status, job.status) == (64, 3)
        assert "HCL_PING_KEY is no ping key" in wrong.err
        assert "nothing can be told: HCL_PING_KEY is no ping key" in job.err
        assert (ran.status, ran.err) == (0, "")
        assert told(sink.records) == [""]


async def test_what_is_kept_for_no_address_holds_no_other_up(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)
        # As a version that looked at no key kept it.
        root, key = sink.url.rstrip("/"), "…22 characters…"
        spool = Spool(str(tmp_path / "spool"))
        target = Target(f"{root}/ping/{key}/job", key, root)
        signal_ = spool.keep(Signal(target, "start", time.time()))
        assert signal_ is not None
        leave(signal_)

        ran = await hcl(env, "run", "job", "--", "true")

        assert ran.status == 0
        assert "dropped what was kept for" in ran.err
        assert told(sink.records)[1:] == ["/start", "/0"]
        assert kept(tmp_path) == []


@pytest.mark.parametrize("answer", [302, 200, 503])
async def test_another_server_at_the_same_host_holds_nothing_up(
    tmp_path: Path, answer: int
) -> None:
    async with HttpSink() as sink:
        sink.answers = lambda record: (
            (200, b"OK")
            if record.target.startswith("/hcl/ping/")
            else (answer, b"<html>Sign in")
        )
        # Whoever runs hcl below a path, and forgot that at first.
        root = sink.url.rstrip("/")
        await hcl(environment(tmp_path, root), "ping", "--patience", "0", "job")
        env = environment(tmp_path, f"{root}/hcl")

        ran = await hcl(env, "run", "job", "--", "true")

        assert (ran.status, ran.err) == (0, "")
        last = [record.target.partition("?")[0] for record in sink.records][-2:]
        assert last == [f"/hcl/ping/{KEY}/job/start", f"/hcl/ping/{KEY}/job/0"]


async def test_one_signal_that_a_proxy_blocks_holds_no_other_up(tmp_path: Path) -> None:
    async with HttpSink(403, body=b"blocked") as sink:
        env = environment(tmp_path, sink.url)
        await hcl(env, "ping", "--patience", "0", "job", stdin=b"<script>")
        sink.answers = lambda record: (
            (403, b"blocked") if b"<script>" in record.body else (200, b"OK")
        )

        ran = await hcl(env, "ping", "job")

        assert (ran.status, ran.err) == (0, "")
        assert len(kept(tmp_path)) == 1


async def test_a_proxy_that_takes_pings_alone_holds_nothing_up(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        port = sink.port
    env = environment(tmp_path, f"http://127.0.0.1:{port}")
    await hcl(env, "ping", "--patience", "0", "job")
    async with HttpSink(port=port) as sink:
        # What signs people in before all else is out of order, say.
        sink.answers = lambda record: (
            (200, b"OK") if record.target.startswith("/ping/") else (502, b"")
        )

        ran = await hcl(env, "run", "job", "--", "true")

        assert (ran.status, ran.err) == (0, "")
        asked = "/client/hcl.sha256"
        assert told(sink.records) == [asked, "/start", asked, "/log", "/0"]
        assert kept(tmp_path) == []


async def test_a_time_that_is_not_believed_loses_no_signal(tmp_path: Path) -> None:
    async with HttpSink(500) as sink:
        env = environment(tmp_path, sink.url)
        job = await start(env, "run", "--patience", "60s", "job", "--", "true")
        await sink.wait_for(3)
        sink.answers = lambda record: (
            (400, b"invalid ping time or signature")
            if "x-ping-at" in record.headers
            else (200, b"OK")
        )

        ran = await ended(job)

        assert (ran.status, ran.err) == (0, "")
        assert kept(tmp_path) == []


async def test_a_server_that_wants_to_be_left_alone_is(tmp_path: Path) -> None:
    async with HttpSink(429, headers=(("Retry-After", "600"),)) as sink:
        env = environment(tmp_path, sink.url)

        ran = await hcl(env, "run", "--patience", "1s", "job", "--", "true")

        assert ran.status == 0
        assert len(sink.records) == 1
        assert len(kept(tmp_path)) == 2


async def test_a_server_is_left_alone_as_long_as_it_wants(tmp_path: Path) -> None:
    async with HttpSink(429, headers=(("Retry-After", "86400"),)) as sink:
        env = environment(tmp_path, sink.url)
        over = tmp_path / "over"
        script = f"until [ -e {over} ]; do sleep 0.05; done"
        patient = "run", "--patience", "60s", "job", "--"

        job = await start(env, *patient, "sh", "-c", script)
        await sink.wait_for(1)
        over.touch()
        ran = await ended(job)
        again = await hcl(env, *patient, "true")

        assert (ran.status, again.status) == (0, 0)
        # The start; and of what is left, whether the server is an hcl, and the first.
        assert [target for target in told(sink.records) if target[:1] == "/"] == [
            "/start",
            "/client/hcl.sha256",
            "/log",
        ]
        assert len(kept(tmp_path)) == 4


@pytest.mark.parametrize(
    "arguments", [["run", "job", "--", "true"], ["ping", "job"]], ids=["run", "ping"]
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
async def test_nobody_has_to_wait_for_a_server_that_is_away(
    tmp_path: Path, arguments: list[str], number: int
) -> None:
    name, *rest = arguments
    async with HttpSink(behave="hang") as sink:
        env = environment(tmp_path, sink.url)
        job = await start(env, name, "--patience", "60s", *rest)
        await until_kept(tmp_path, 2 if name == "run" else 1)
        await sink.wait_for(1)
        assert job.stderr is not None
        said = asyncio.create_task(job.stderr.readline())
        async with asyncio.timeout(ENDS):
            while not said.done():
                # Again, if it was not waiting yet.
                job.send_signal(number)
                await asyncio.wait([said], timeout=1)
        ran = await ended(job)

        assert ran.status == (0 if name == "run" else 1)
        assert b"it is kept" in said.result()
        assert ran.err == ""
        assert len(kept(tmp_path)) == (2 if name == "run" else 1)


async def test_ten_at_once_lose_nothing(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        url, port = sink.url, sink.port
    env = environment(tmp_path, url)
    job = "run", "--patience", "0", "job", "--", "sh", "-c"
    away = [hcl(env, *job, f"exit {number}") for number in range(10)]
    assert [ran.status for ran in await asyncio.gather(*away)] == list(range(10))
    assert len(kept(tmp_path)) == 20

    async with HttpSink(port=port) as sink:
        there = [hcl(env, *job[:1], *job[3:], "exit 0") for _ in range(10)]
        assert {ran.err for ran in await asyncio.gather(*there)} == {""}

        assert told(sink.records).count("/log") == 20
        assert told(sink.records).count("/0") == 10
        assert kept(tmp_path) == []


async def test_what_kill_9_interrupted_is_told_by_the_next(tmp_path: Path) -> None:
    async with HttpSink(behave="hang") as sink:
        port = sink.port
        env = environment(tmp_path, sink.url)
        job = await start(env, "run", "job", "--", "true")
        await sink.wait_for(1)
        await until_kept(tmp_path, 2)
        job.kill()
        await ended(job)

    async with HttpSink(port=port) as sink:
        ran = await hcl(env, "ping", "--flush")

        assert (ran.status, ran.err) == (0, "")
        assert told(sink.records)[1:] == ["/log", "/log"]
        assert kept(tmp_path) == []
