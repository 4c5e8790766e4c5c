"""The real Litestream beside a server, and two machines made of two folders."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from hcl.server.standby.litestream import program
from tests import toml
from tests.patience import ENDS
from tests.server.process import Serve


class Litestream:
    """`litestream replicate` for the database in a folder, as in docs/standby.md."""

    def __init__(self, folder: Path, replica: Path) -> None:
        self.folder = folder
        self._replica = replica
        self.socket = folder / "ls.sock"
        self._config = folder / "litestream.yml"
        self._config.write_text(
            f"socket:\n  enabled: true\n  path: {self.socket}\n"
            f"dbs:\n  - path: {folder / 'hcl.sqlite'}\n"
            "    monitor-interval: 200ms\n    replica:\n"
            f"      url: file://{replica}\n      sync-interval: 200ms\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def forget_soon(self) -> None:
        """Have it keep for seconds what it keeps for a day, or for minutes."""
        text = "snapshot:\n  interval: 2s\n  retention: 2s\nl0-retention: 1s\n"
        text += "l0-retention-check-interval: 1s\nlevels:\n  - interval: 1s\n"
        self._config.write_text(text + self._config.read_text())

    def has_snapshot(self) -> bool:
        """Tell whether the replica has a copy of all."""
        return any(self._replica.glob("ltx/9/*.ltx"))

    def has_gap(self, after: int) -> bool:
        """Tell whether the replica lacks the change after a transaction."""
        spans = [
            [int(number, 16) for number in file.stem.split("-")]
            for file in self._replica.glob("ltx/[0-8]/*.ltx")
        ]
        return all(not first <= after + 1 <= last for first, last in spans)

    def certain(self) -> float:
        """Return until when all that was committed is in the replica.

        By the monotonic clock: what a file there holds was read after the file before
        it was made here.
        """
        [newest, *_] = sorted(self._replica.glob("ltx/0/*.ltx"), reverse=True)
        made = sorted(self.folder.glob(".hcl.sqlite-litestream/ltx/0/*.ltx"))
        before = made[[file.name for file in made].index(newest.name) - 1]
        return before.stat().st_mtime - time.time() + time.monotonic()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    def start(self) -> None:
        """Start it, and wait until it has brought something to the replica."""
        with (self.folder / "litestream.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program(), "replicate", "-config", self._config],
                stdout=log,
                stderr=log,
            )
        self.wait_for_sync()

    def wait_for_sync(self) -> None:
        """Wait until all that is committed by now is in the replica."""
        begun = time.monotonic()
        path = str(self.folder / "hcl.sqlite")
        while time.monotonic() - begun < ENDS:
            try:
                answer = self._ask("POST", "/sync", {"path": path, "wait": True})
            except OSError:
                answer = {}
            if "replicated_txid" in answer:
                return
            time.sleep(0.02)
        raise RuntimeError((self.folder / "litestream.log").read_text())

    def _ask(self, method: str, path: str, document: object) -> Any:
        connection = http.client.HTTPConnection("litestream")
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(ENDS)
            connection.sock.connect(str(self.socket))
            connection.request(method, path, json.dumps(document))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(ENDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop(signal.SIGKILL)


class Machine(Serve):
    """One of two machines: a server, its Litestream, and the other's replica."""

    def __init__(self, root: Path, name: str, other: str) -> None:
        folder = root / name
        folder.mkdir()
        (root / "replica").mkdir(exist_ok=True)
        self.fence = root / "replica" / "fence"
        self._standby = toml.table(
            "standby",
            socket=str(folder / "ls.sock"),
            follow=f"file://{root / 'replica' / other}",
            fence=str(self.fence),
        )
        super().__init__(folder, tables=self._standby)
        self.litestream = Litestream(folder, root / "replica" / name)

    def have_told(self, channels: str) -> None:
        """Give the project channels."""
        self.write_config(channels, tables=self._standby)

    def hcl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of hcl's by this machine's config."""
        return subprocess.run(
            [sys.executable, "-m", "hcl", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            check=False,
            timeout=ENDS,
        )

    def crash(self) -> None:
        """End the server and its Litestream as a power cut does."""
        self.process.kill()
        self.litestream.process.kill()
        self.process.wait(ENDS)
        self.litestream.process.wait(ENDS)

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(self, *exc: object) -> None:
        self.litestream.__exit__(*exc)
        if self._process is not None:
            super().__exit__(*exc)
