"""That what sends takes little memory, and Apprise only while it has to send."""

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from bench import proc
from hcl.alerts.transports.apprise_process import LINGER
from tests import toml
from tests.server.process import API_KEY, Serve, until
from tests.sinks import HttpSink, SmtpSink

logger = logging.getLogger(__name__)

LIMIT = 50_000_000

N_CHECKS = 100

# What a message over a webhook or by mail needs as little, each of half a MB or more.
LATE = {"anyio._backends", "httpx2", "jinja2"}

# `hcl serve`, telling at its end what it has imported.
SERVE = """
import atexit, json, sys
from hcl.cli import main

atexit.register(lambda: print(json.dumps(sorted(sys.modules))))
main(["serve"])
"""


def is_alone(pid: int) -> bool:
    """Tell whether a process has no others below it."""
    try:
        return list(proc.family(pid)) == [pid]
    except FileNotFoundError:
        # One of them has just gone.
        return False


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's /proc")
async def test_messages_leave_nothing_in_memory_that_the_next_ones_do_without(
    tmp_path: Path,
) -> None:
    async with HttpSink() as phone, HttpSink() as hook, SmtpSink() as mailbox:
        url = f"ntfy://127.0.0.1:{phone.port}/alerts"
        channels = (
            toml.channel("Phone", "ntfy", url=url)
            + toml.webhook("Hook", down=toml.post(hook.url))
            + toml.email("Mail")
        )
        smtp = toml.smtp(mailbox.port, **{"from": "hcl@example.org"})
        serve = Serve(tmp_path, channels, tables=smtp)
        with (tmp_path / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-c", SERVE],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        try:
            pid = process.pid
            await until(lambda: "listens on" in serve.log, seconds=20)
            checks = await asyncio.to_thread(create_checks, serve)

            at_start = proc.resident_bytes(pid)
            await asyncio.to_thread(fail, checks[0])
            for receiver in (phone, hook, mailbox):
                await receiver.wait_for(1)
            was_alone = is_alone(pid)
            await until(lambda: is_alone(pid), seconds=LINGER + 10)
            at_rest = proc.resident_bytes(pid)
        finally:
            process.terminate()
            output, _ = await process.communicate()

    modules = set(json.loads(output))
    packages = {name.partition(".")[0] for name in modules}
    figures = f"{at_start:,} bytes before the alert, {at_rest:,} at rest after it"
    logger.info(figures)
    assert not was_alone
    assert packages & {"apprise", "requests", "urllib3", "yaml"} == set()
    assert modules & LATE == set()
    assert at_rest < LIMIT, figures


def create_checks(serve: Serve) -> list[str]:
    """Make checks that use the channel; return where to ping them."""
    url, key = f"{serve.root}/api/v3/checks/", {"X-Api-Key": API_KEY}
    with httpx2.Client(trust_env=False, headers=key) as client:
        answers = [client.post(url, json={"channels": "*"}) for _ in range(N_CHECKS)]
    return [answer.json()["ping_url"] for answer in answers]


def fail(url: str) -> None:
    """Let a check go down."""
    httpx2.get(f"{url}/fail", trust_env=False).raise_for_status()
