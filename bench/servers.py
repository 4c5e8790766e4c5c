"""The processes that are measured: started on their core, ended on every way out."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from bench.machine import SERVER_CORE, on_core
from bench.plan import BenchError
from tests import toml

PING_KEY = "benchbenchbenchbenchbe"
API_KEY = "hcw_" + "b" * 28
READ_KEY = "hcr_" + "b" * 28
PROJECT = "b0b0b0b0-0000-4000-8000-000000000000"

_START_TIMEOUT = 120.0
_STOP_TIMEOUT = 15.0
ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process that serves HTTP on `port`; a context manager that runs it."""

    # What is asked for to see that it serves.
    path = "/"

    def __init__(self, folder: Path, command: list[str], port: int) -> None:
        self.folder = folder
        self.port = port
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: Sequence[Path] = ()
        # Is told the number of the process as soon as there is one.
        self.when_started: Callable[[int], None] | None = None

    def enter(self, groups: Sequence[Path]) -> None:
        """Have the process belong to cgroups from its first moment on."""
        self._groups = groups

    @property
    def pid(self) -> int:
        """The number of the process that was started last."""
        return self._running.pid

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise BenchError("not started")
        return self._process

    def start(self) -> float:
        """Start it, and return the seconds until it first answered 200."""
        with (
            (self.folder / "log").open("ab") as log,
            on_core(SERVER_CORE),
        ):
            begun = time.perf_counter()
            self._process = subprocess.Popen(
                [*self._entering(), *self._command],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if self.when_started is not None:
            self.when_started(self.pid)
        try:
            while not self._answers():
                late = time.perf_counter() - begun > _START_TIMEOUT
                if late or self._running.poll() is not None:
                    raise BenchError(f"{' '.join(self._command)}: {self._log_end()}")
                time.sleep(0.001)
        except BaseException:
            self.kill()
            raise
        return time.perf_counter() - begun

    def _entering(self) -> list[str]:
        if not self._groups:
            return []
        # A shell that becomes the server.
        writes = "".join(f'echo $$ > "{group}"; ' for group in self._groups)
        return ["/bin/sh", "-c", f'{writes}exec "$0" "$@"']

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _log_end(self) -> str:
        lines = (self.folder / "log").read_text("utf-8", "replace").splitlines()
        return lines[-1] if lines else "it did not start"

    def stop(self) -> None:
        """Ask it to end, and make it if it does not."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()

    def halt(self) -> None:
        """Ask it to end, but leave its entry in /proc, which `stop` then removes."""
        self._running.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT
        flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
        while os.waitid(os.P_PID, self.pid, flags) is None:
            if time.monotonic() > deadline:
                raise BenchError("the server did not end")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it with kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Hcl(Server):
    """`hcl serve` with one project; its config is written at once."""

    path = "/api/v3/status/"

    def __init__(
        self,
        folder: Path,
        *,
        hook: int = 0,
        smtp: int = 0,
        channels: str = "",
        lacks: Sequence[str] = (),
    ) -> None:
        """Prepare to serve; `hook` and `smtp` are ports of receivers, 0: no channel.

        `channels` holds the tables of others, as hcl.toml does. `lacks` are packages
        that it is to do without.
        """
        command = [sys.executable, "-m", "hcl", "serve"]
        if lacks:
            command[2:3] = ["bench.without", ",".join(lacks)]
        super().__init__(folder, command, free_port())
        config = self._config(hook, smtp) + channels
        (folder / "hcl.toml").write_text(config, "utf-8")

    def _config(self, hook: int, smtp: int) -> str:
        root = f"http://127.0.0.1:{self.port}"
        tables = [
            toml.table("server", listen=f"127.0.0.1:{self.port}", site_root=root),
            toml.smtp(smtp, **{"from": "hcl@example.org"}) if smtp else "",
            toml.project("Bench", PING_KEY, id=PROJECT),
            toml.key("bench", API_KEY),
            toml.key("scraper", READ_KEY, access="read-only"),
        ]
        if hook:
            down = toml.post(f"http://127.0.0.1:{hook}/$CODE")
            tables.append(toml.webhook("Hook", down=down))
        if smtp:
            tables.append(toml.email("Mail"))
        return "".join(tables)


class Yardstick(Server):
    """One of the servers of bench.yardsticks; `folder` is where it keeps its data."""

    def __init__(self, folder: Path, name: str) -> None:
        port = free_port()
        command = [sys.executable, "-m", "bench.yardsticks", name, str(port)]
        super().__init__(folder, command, port)


def badge_of_all(hcl: Hcl) -> str:
    """Return the path of the badge of all checks."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{hcl.port}/api/v3/badges/", headers={"X-Api-Key": READ_KEY}
    )
    with urllib.request.urlopen(request) as response:
        url: str = json.load(response)["badges"]["*"]["svg"]
    return urlsplit(url).path
