"""The real app on a real database, without a process, for tests of web and loops."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from hcl import config as configuration
from hcl.clock import Clock
from hcl.config import Config
from hcl.db import open_database
from hcl.server.parts import Assembly, assemble
from hcl.server.syncing import Synced
from tests import toml

ROOT = "http://hcl.example"
PING_KEY = "homehomehomehomehome22"
WRITE_KEY = "hcw_" + "w" * 28
READ_KEY = "hcr_" + "r" * 28
OTHER_PING_KEY = "otherotherotherother22"
OTHER_WRITE_KEY = "hcw_" + "o" * 28
OTHER_READ_KEY = "hcr_" + "p" * 28
METRICS_KEY = "m" * 20

_A, _B = "http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"

CONFIG = "\n".join(
    [
        toml.table("server", listen="127.0.0.1:0", site_root=ROOT),
        toml.table("api", metrics_key=METRICS_KEY),
        toml.project("Home", PING_KEY, check_limit=10),
        toml.key("rw", WRITE_KEY, access="read-write"),
        toml.key("ro", READ_KEY, access="read-only"),
        toml.webhook("Hook A", down=f"{_A}down", up=f"{_A}up"),
        toml.webhook("Hook B", down=f"{_B}down"),
        toml.project("Other", OTHER_PING_KEY),
        toml.key("rw", OTHER_WRITE_KEY, access="read-write"),
        toml.key("ro", OTHER_READ_KEY, access="read-only"),
    ]
)


class App:
    """What a test drives: `http` speaks to the app through ASGI, loops by `once`."""

    def __init__(self, assembly: Assembly, http: httpx2.AsyncClient) -> None:
        self.assembly = assembly
        self.http = http
        self.database = assembly.database
        self.parts = assembly.parts
        self.watch = assembly.watch
        self.checker = assembly.checker
        self.sender = assembly.sender
        self.filer = assembly.filer
        self.pruner = assembly.pruner
        self.alarms = assembly.alarms

    @property
    def config(self) -> Config:
        """The settings that are in use."""
        return self.assembly.config

    @property
    def synced(self) -> Synced:
        """What these settings mean in rows."""
        return self.assembly.synced

    @property
    def clock(self) -> Clock:
        """What tells the time."""
        return self.assembly.clock

    async def use(self, config: Config) -> None:
        """Bring other settings to the app, as a reload does."""
        await self.assembly.use(config)

    async def reload(self, text: str) -> None:
        """Bring another hcl.toml to the app, as a reload does."""
        self.config.path.write_text(text)
        await self.use(configuration.load(self.config.path))

    async def clear(self) -> None:
        """Delete all checks; forget answers, wrong keys and cookies."""
        for key in (WRITE_KEY, OTHER_WRITE_KEY):
            for check in (await self.api("GET", "checks/", key=key)).json()["checks"]:
                await self.api("DELETE", f"checks/{check['uuid']}", key=key)
        self.parts.changes.tell()
        self.parts.wrong_keys.sum_up()
        self.http.cookies.clear()

    async def api(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        key: str = WRITE_KEY,
        version: int = 3,
    ) -> httpx2.Response:
        """Call the Management API; `path` comes after /api/v3/."""
        return await self.http.request(
            method, f"/api/v{version}/{path}", json=json, headers={"X-Api-Key": key}
        )


@asynccontextmanager
async def running_app(
    folder: Path,
    text: str = CONFIG,
    peer: str = "192.0.2.1",
    clock: Clock | None = None,
) -> AsyncIterator[App]:
    """Open the app on a database in `folder`; requests come from the address `peer`.

    `clock` None: that of the machine.
    """
    path = folder / "hcl.toml"
    path.write_text(text)
    async with assembled(path, clock) as assembly:
        transport = httpx2.ASGITransport(assembly.app, client=(peer, 1234))
        async with httpx2.AsyncClient(transport=transport, base_url=ROOT) as http:
            yield App(assembly, http)


_FOLDER = tempfile.TemporaryDirectory(prefix="hcl-empty-")
_EMPTY = Path(_FOLDER.name) / "hcl.sqlite"


async def _lay_down(path: Path) -> None:
    """Put an empty database there; it is made once: that takes most of a start."""
    if not _EMPTY.exists():
        await (await open_database(_EMPTY, "normal")).close()
    shutil.copy(_EMPTY, path)


@asynccontextmanager
async def assembled(path: Path, clock: Clock | None = None) -> AsyncIterator[Assembly]:
    """Open the parts of the server that an hcl.toml describes; none of them runs."""
    config = configuration.load(path)
    if not config.database.path.exists():
        await _lay_down(config.database.path)
    # No power is cut here: a sync at each commit would only take time.
    database = await open_database(config.database.path, "normal")
    try:
        async with assemble(
            config, database, clock=clock, jitter=lambda: 1.0
        ) as assembly:
            yield assembly
    finally:
        await database.close()
