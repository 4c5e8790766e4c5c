"""A real `hcl serve` process on a free port, and what its users run beside it."""

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx2

from tests import toml
from tests.patience import ENDS

PING_KEY = "homehomehomehomehomeho"
API_KEY = "hcw_" + "k" * 28


# So many ports each process of the tests has for itself. They lie below those that the
# kernel gives: while a server is away no other takes its port and answers in its place.
_PORTS_EACH = 500


def _own_ports() -> tuple[socket.socket, range]:
    """Return ports that no other test run of this machine uses, and what keeps them."""
    for first in range(20_000, 32_500, _PORTS_EACH):
        guard = socket.socket()
        try:
            guard.bind(("127.0.0.1", first))
        except OSError:
            guard.close()
            continue
        return guard, range(first + 1, first + _PORTS_EACH)
    raise RuntimeError("too many tests run on this machine")


_GUARD, _OWN_PORTS = _own_ports()
_PORTS = itertools.cycle(_OWN_PORTS)


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    for port in _PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


class Serve:
    """`hcl serve` in a folder, with one project and the tables that a test adds."""

    def __init__(self, folder: Path, channels: str = "", *, tables: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        self.root = f"http://127.0.0.1:{self.port}"
        # How long the last start took. It is all work, so this tells how busy the
        # machine is: what limits of time are to be measured by.
        self.start_seconds = 0.0
        # What the process finds in its environment beside our own.
        self.env: dict[str, str] = {}
        # hcl itself.
        self.program = [sys.executable, "-m", "hcl"]
        # The command that starts it, such as prlimit.
        self.starter: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self.write_config(channels, tables=tables)

    def write_config(self, channels: str, *, tables: str = "") -> None:
        """Write hcl.toml; a running server reads it on SIGHUP."""
        address = {"listen": f"127.0.0.1:{self.port}", "site_root": self.root}
        home = toml.project("Home", PING_KEY), toml.key("me", API_KEY)
        path = self.folder / "hcl.toml"
        path.write_text(
            "\n".join([toml.table("server", **address), tables, *home, channels])
        )
        path.chmod(0o600)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    @property
    def log(self) -> str:
        """What all processes so far wrote to standard error."""
        return (self.folder / "log").read_text()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.starter, *self.program, "serve"],
                cwd=self.folder,
                env={**os.environ, **self.env},
                stdout=subprocess.PIPE,
                stderr=log,
            )
        begun = time.monotonic()
        while True:
            try:
                # With verify each client would read all the roots of the machine, which
                # takes longer than all the rest.
                httpx2.get(f"{self.root}/api/v3/status/", trust_env=False, verify=False)
            except httpx2.TransportError:
                # It is all work, and ten may start at a time on a busy machine.
                late = time.monotonic() - begun > 4 * ENDS
                if late or self.process.poll() is not None:
                    raise RuntimeError(self.log) from None
                time.sleep(0.02)
            else:
                self.start_seconds = time.monotonic() - begun
                return

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, return the exit status."""
        self.process.send_signal(number)
        try:
            return self.process.wait(ENDS)
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop(signal.SIGKILL)
        elif self.process.stdout is not None:
            self.process.stdout.close()

    def api(self, method: str, path: str, **document: Any) -> Any:
        """Call the API and return its document."""
        response = httpx2.request(
            method,
            f"{self.root}/api/v3/{path}",
            headers={"X-Api-Key": API_KEY},
            json=document if method == "POST" else None,
            trust_env=False,
            verify=False,
        )
        if response.status_code >= 400:
            raise RuntimeError(f"{response.status_code} {response.text}")
        return response.json()


def curl(*arguments: str) -> str:
    """Run curl as a crontab line would, and return what it prints."""
    return subprocess.run(
        ["curl", "-fsS", "-m", "30", "--retry", "3", *arguments],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


async def until(condition: Callable[[], bool], seconds: float = ENDS) -> None:
    """Wait for a condition that only a process outside of this one can bring about."""
    async with asyncio.timeout(seconds):
        # Another process sets no Event.
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
