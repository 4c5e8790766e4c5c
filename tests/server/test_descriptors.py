"""A server that has no descriptor left: its alerts go out all the same."""

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests import toml
from tests.server.process import Serve, until
from tests.sinks import HttpSink, SmtpSink

LIMIT = 160


@contextlib.contextmanager
def few_descriptors(serve: Serve) -> Iterator[None]:
    """Open as many connections as the server has descriptors left.

    None more: from this limit, which it was not started with, it does not know how many
    it may take, and those that still wait would take what an alert is lent.
    """
    resource.prlimit(serve.process.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    with contextlib.ExitStack() as stack:
        for _ in range(LIMIT - open_files(serve)):
            connection = stack.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex(serve.address)
        yield


def open_files(serve: Serve) -> int:
    return len(list(Path(f"/proc/{serve.process.pid}/fd").iterdir()))


@pytest.mark.parametrize("kind", ["webhook", "email", "shell", "ntfy"])
async def test_alert_goes_out_at_once_though_no_descriptor_is_left(
    kind: str, tmp_path: Path
) -> None:
    async with HttpSink() as hook, SmtpSink() as smtp:
        channels = {
            "webhook": toml.webhook("Out", down=toml.post(hook.url, "$NAME")),
            "email": toml.email("Out"),
            "shell": toml.channel("Out", "shell", down="touch told"),
            "ntfy": toml.channel("Out", "ntfy", url=f"ntfy://127.0.0.1:{hook.port}/t"),
        }
        tables = toml.smtp(smtp.port)
        with Serve(tmp_path, channels[kind], tables=tables) as serve:
            check = serve.api("POST", "checks/", name="Backup", channels="*")
            async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
                # This connection is there before the others, and stays.
                await client.get(check["ping_url"])
                with few_descriptors(serve):
                    # All, with the reserve; a file may have been open when it counted.
                    await until(lambda: open_files(serve) >= LIMIT - 3)
                    await client.get(f"{check['ping_url']}/fail")
                    await told(kind, hook, smtp, tmp_path)

            assert "a transport failed" not in serve.log
            failed = [line for line in serve.log.splitlines() if "next try in" in line]
            assert failed == []


async def told(kind: str, hook: HttpSink, smtp: SmtpSink, folder: Path) -> None:
    if kind == "shell":
        await until((folder / "told").exists)
        return
    await (smtp if kind == "email" else hook).wait_for(1)
