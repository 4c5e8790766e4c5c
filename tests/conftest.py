"""Fixtures for all tests."""

import gc
import os
import signal
import time
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from tests.app import App, running_app

# What hcl sends to receivers here must not go by a proxy of the machine's.
for _name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)

# Messages tell moments in the zone of the machine, wherever that stands.
os.environ["TZ"] = "UTC"
time.tzset()

# What starts here shall end by them, also where the tests run by nohup, or in the
# background of a script, whose children ignore them.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Have Python look for no garbage among the tests: all that is found here stays.

    A million objects are looked at each time, which is a tenth of what the tests take.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_sessionfinish() -> None:
    """Have all be found again: hypothesis asks who refers to what."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have each worker begin with what waits or works for long.

    At the end all would wait, or but one of them work.
    """
    early = [
        item
        for mark in ("waits", "works")
        for item in items
        if item.get_closest_marker(mark)
    ]
    begun = set(early)
    others = [item for item in items if item not in begun]
    # Each begins with a part of its own, in this order.
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = -(-len(others) // workers)
    items[:] = [
        item
        for n in range(workers)
        for item in (*early[n::workers], *others[n * share : (n + 1) * share])
    ]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def own_app(tmp_path: Path) -> AsyncIterator[App]:
    """The app with the projects, keys and channels of tests/app.py."""
    async with running_app(tmp_path) as running:
        yield running


@pytest.fixture
def app(own_app: App) -> App:
    """Return the test's own app; a module with many tests may have one for all."""
    return own_app


@pytest.fixture(scope="module")
async def module_app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    """An app that lives as long as the tests of a module."""
    async with running_app(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture
async def cleared_app(module_app: App) -> AsyncIterator[App]:
    """The module's app, without the checks of the test before.

    For tests that leave nothing behind but checks: it takes far longer to open an app
    than most of them take.
    """
    yield module_app
    await module_app.clear()
