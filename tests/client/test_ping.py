"""`hcl ping`: one signal of a check."""

import asyncio
import base64
import fcntl
import os
import signal
import sys
import termios
from pathlib import Path

import pytest

from tests.client.running import KEY, environment, hcl, kept
from tests.patience import ENDS
from tests.sinks import HttpSink

CODE = "3b4c1f6e-9a2d-4f0b-8c5e-1d2e3f4a5b6c"


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (["job"], f"/ping/{KEY}/job"),
        (["job", "success"], f"/ping/{KEY}/job"),
        (["job", "start"], f"/ping/{KEY}/job/start"),
        (["job", "fail"], f"/ping/{KEY}/job/fail"),
        (["job", "log"], f"/ping/{KEY}/job/log"),
        (["job", "17"], f"/ping/{KEY}/job/17"),
        (["--create", "job"], f"/ping/{KEY}/job?create=1"),
        (["--rid", CODE, "job", "start"], f"/ping/{KEY}/job/start?rid={CODE}"),
        ([CODE.upper()], f"/ping/{CODE}"),
    ],
)
async def test_each_signal_has_its_url(
    tmp_path: Path, arguments: list[str], target: str
) -> None:
    async with HttpSink() as sink:
        ran = await hcl(environment(tmp_path, sink.url), "ping", *arguments)

        assert (ran.status, ran.out, ran.err) == (0, b"", "")
        assert [record.target for record in sink.records] == [target]


@pytest.mark.parametrize("prefix", ["ping/", "hcl/ping/", ""])
async def test_a_ping_url_needs_no_settings(tmp_path: Path, prefix: str) -> None:
    async with HttpSink() as sink:
        url = f"{sink.url}{prefix}{CODE}"

        ran = await hcl(environment(tmp_path), "ping", f"{url}/", "fail")

        assert ran.status == 0
        assert [record.target for record in sink.records] == [f"/{prefix}{CODE}/fail"]


@pytest.mark.parametrize("end", ["?create=1", "#here"])
async def test_a_ping_url_with_more_behind_it_is_refused(
    tmp_path: Path, end: str
) -> None:
    ran = await hcl(
        environment(tmp_path), "ping", f"http://127.0.0.1:9/ping/{CODE}{end}"
    )

    assert ran.status == 64
    assert "give the ping URL without" in ran.err


async def test_standard_input_goes_with_it(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)

        await hcl(env, "ping", "job", "log", stdin=b"said\n" * 10_000)

        body = sink.records[0].text
        assert body.startswith("said\nsaid\n")
        assert body.endswith("said\nsaid\n")
        assert 9_900 < len(body) <= 10_000


async def test_ctrl_c_ends_who_waits_for_standard_input(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    job = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hcl", "ping", "--patience", "0", "job", "log"),
        stdin=reader,
        stderr=asyncio.subprocess.PIPE,
        env=environment(tmp_path, "http://127.0.0.1:9"),
    )
    # It has read that by then, and waits for more.
    os.write(writer, b"x")
    async with asyncio.timeout(ENDS):
        while fcntl.ioctl(reader, termios.FIONREAD, bytes(4)) != bytes(4):  # noqa: ASYNC110 - another process reads
            await asyncio.sleep(0.01)
    job.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(job.communicate(), ENDS)
    os.close(reader)
    os.close(writer)

    assert (job.returncode, err) == (-signal.SIGINT, b"")


@pytest.mark.parametrize("word", ["256", "-1", "Start", "oops"])
async def test_what_is_no_signal_is_told(tmp_path: Path, word: str) -> None:
    env = environment(tmp_path, "http://127.0.0.1:9")

    ran = await hcl(env, "ping", "job", "--", word)

    assert ran.status == 64
    assert f"'{word}' is no signal" in ran.err
    assert kept(tmp_path) == []


async def test_what_could_not_be_told_is_an_exit_status(tmp_path: Path) -> None:
    env = environment(tmp_path, "http://127.0.0.1:9")

    ran = await hcl(env, "ping", "--patience", "0", "job")

    assert ran.status == 1
    assert "it is kept" in ran.err
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize(
    ("result", "status", "told"),
    [
        ("success", "0", ""),
        ("success", "24", ""),  # by SuccessExitStatus=
        ("success", "TERM", "/143"),
        ("exit-code", "3", "/3"),
        ("signal", "KILL", "/137"),
        ("timeout", "TERM", "/143"),
        ("timeout", "0", "/fail"),
        ("protocol", "", "/fail"),
        ("start-limit-hit", "", "/fail"),
        ("exec-condition", "1", "/log"),
        ("", "", "/fail"),
    ],
)
async def test_a_service_is_told_of_as_systemd_saw_it_end(
    tmp_path: Path, result: str, status: str, told: str
) -> None:
    async with HttpSink() as sink:
        ended = {"SERVICE_RESULT": result, "EXIT_STATUS": status}
        env = environment(tmp_path, sink.url, **ended)

        assert (await hcl(env, "ping", "job", "systemd")).status == 0

        assert [record.target for record in sink.records] == [f"/ping/{KEY}/job{told}"]


async def test_a_proxy_is_told_who_asks(tmp_path: Path) -> None:
    known = "Basic " + base64.b64encode(b"me:p@ss").decode()
    async with HttpSink() as proxy:
        through = proxy.url.replace("://", "://me:p%40ss@")
        env = environment(tmp_path, http_proxy=through, https_proxy=through)
        plain = await hcl(env, "ping", f"http://hc.test/ping/{KEY}/job")
        await hcl(env, "ping", "--patience", "3s", f"https://hc.test/ping/{KEY}/job")

        assert (plain.status, plain.err) == (0, "")
        asked = [(record.method, record.target) for record in proxy.records[:2]]
        assert asked == [
            ("POST", f"http://hc.test/ping/{KEY}/job"),
            ("CONNECT", "hc.test:443"),
        ]
        told = {record.headers["proxy-authorization"] for record in proxy.records}
        assert told == {known}
