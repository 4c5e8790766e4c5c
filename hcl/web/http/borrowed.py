"""What is borrowed of uvicorn: how it speaks HTTP, without the rest of it.

To import uvicorn as a whole brings its command, its ways to start processes, and how it
sets up logs, which take 1.6 MB of memory for nothing. Its minor version is pinned.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from starlette.types import ASGIApp


class Settings:
    """What uvicorn's protocols read of their config."""

    loaded = True
    ws_protocol_class = None
    root_path = ""
    asgi_version = "3.0"
    limit_concurrency = None
    timeout_keep_alive = 5
    reset_contextvars = False
    h11_max_incomplete_event_size = None

    def __init__(self, app: ASGIApp) -> None:
        self.loaded_app = app


class ServerState:
    """What the connections of a server have in common."""

    def __init__(self) -> None:
        self.total_requests = 0
        self.connections: set[Any] = set()
        self.tasks: set[asyncio.Task[None]] = set()


@contextmanager
def alone() -> Iterator[None]:
    """Have uvicorn's protocols be imported by themselves."""
    names = ("uvicorn", "uvicorn.config", "uvicorn.server", "uvicorn.logging")
    spec = find_spec("uvicorn")
    if spec is None or "uvicorn" in sys.modules:
        yield
        return
    package, config, server, logs = stand_ins = [ModuleType(name) for name in names]
    package.__path__ = list(spec.submodule_search_locations or ())
    vars(config)["Config"] = Settings
    vars(server)["ServerState"] = ServerState
    vars(logs)["TRACE_LOG_LEVEL"] = 5
    sys.modules |= dict(zip(names, stand_ins, strict=True))
    try:
        yield
    finally:
        # Whoever wants all of uvicorn gets it.
        for name in names:
            del sys.modules[name]
