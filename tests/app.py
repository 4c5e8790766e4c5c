"""The real app on a real database, without a process, for tests of web and loops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from hcl import config as configuration
from hcl.alarm import Alarm
from hcl.alerts.sender import Sender
from hcl.changes import Changes
from hcl.checks.checker import Checker
from hcl.checks.managing import Managing
from hcl.config import Config
from hcl.counters import Counters
from hcl.db import Database, open_database
from hcl.pings.filer import Filer
from hcl.pings.pinging import Pinging
from hcl.pings.pruner import Pruner
from hcl.server.syncing import Synced, sync
from hcl.web.app import create_app
from hcl.web.parts import Parts
from hcl.web.ping import PingEndpoint

ROOT = "http://hcl.example"
PING_KEY = "homehomehomehomehome22"
WRITE_KEY = "hcw_" + "w" * 28
READ_KEY = "hcr_" + "r" * 28
OTHER_PING_KEY = "otherotherotherother22"
OTHER_WRITE_KEY = "hcw_" + "o" * 28
OTHER_READ_KEY = "hcr_" + "p" * 28
METRICS_KEY = "m" * 20

CONFIG = f"""
[server]
listen = "127.0.0.1:0"
site_root = "{ROOT}"

[api]
metrics_key = "{METRICS_KEY}"

[[projects]]
name = "Home"
ping_key = "{PING_KEY}"
check_limit = 10

[[projects.keys]]
name = "rw"
key = "{WRITE_KEY}"
access = "read-write"

[[projects.keys]]
name = "ro"
key = "{READ_KEY}"
access = "read-only"

[[projects.channels]]
name = "Hook A"
kind = "webhook"
down = {{ url = "http://127.0.0.1:9/a/down" }}
up = {{ url = "http://127.0.0.1:9/a/up" }}

[[projects.channels]]
name = "Hook B"
kind = "webhook"
down = {{ url = "http://127.0.0.1:9/b/down" }}

[[projects]]
name = "Other"
ping_key = "{OTHER_PING_KEY}"

[[projects.keys]]
name = "rw"
key = "{OTHER_WRITE_KEY}"
access = "read-write"

[[projects.keys]]
name = "ro"
key = "{OTHER_READ_KEY}"
access = "read-only"
"""


@dataclass
class App:
    """What a test drives: `http` speaks to the app through ASGI, loops by `once`."""

    config: Config
    synced: Synced
    database: Database
    parts: Parts
    checker: Checker
    sender: Sender
    filer: Filer
    pruner: Pruner
    alarms: dict[str, Alarm]
    http: httpx2.AsyncClient

    async def use(self, config: Config) -> None:
        """Bring other settings to the app, as a reload does."""
        synced = await sync(self.database, config)
        self.parts.use(config, synced.projects, synced.secret)

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
    folder: Path, text: str = CONFIG, peer: str = "192.0.2.1"
) -> AsyncIterator[App]:
    """Open the app on a database in `folder`; requests come from the address `peer`."""
    path = folder / "hcl.toml"
    path.write_text(text)
    config = configuration.load(path)
    # No power is cut here: a sync at each commit would only take time.
    database = await open_database(config.database.path, "normal")
    alarms = {name: Alarm() for name in ("checker", "sender", "filer", "pruner")}
    counters, changes = Counters(), Changes()
    sender = Sender(
        database, alarm=alarms["sender"], counters=counters, jitter=lambda: 1.0
    )
    limit = config.pings.log_limit
    filer = Filer(
        database, alarm=alarms["filer"], pruner=alarms["pruner"], log_limit=limit
    )
    pinging = Pinging(
        database,
        checker=alarms["checker"],
        sender=alarms["sender"],
        received=filer.note,
        counters=counters,
        changes=changes,
    )
    try:
        await pinging.recover()
        synced = await sync(database, config)
        await sender.use(config, synced.channels)
        parts = Parts(
            database,
            pinging,
            Managing(database, checker=alarms["checker"], changes=changes),
            counters,
            changes,
        )
        parts.use(config, synced.projects, synced.secret)
        transport = httpx2.ASGITransport(
            create_app(parts, PingEndpoint(parts)), client=(peer, 1234)
        )
        async with httpx2.AsyncClient(transport=transport, base_url=ROOT) as http:
            yield App(
                config=config,
                synced=synced,
                database=database,
                parts=parts,
                checker=Checker(
                    database,
                    alarm=alarms["checker"],
                    sender=alarms["sender"],
                    changes=changes,
                ),
                sender=sender,
                filer=filer,
                pruner=Pruner(database, alarm=alarms["pruner"], log_limit=limit),
                alarms=alarms,
                http=http,
            )
    finally:
        await sender.close()
        await database.close()
