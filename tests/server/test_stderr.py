"""A log that nobody reads."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.server.process import PING_KEY, Serve, curl

Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe that takes nothing more until it is read."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(write, True)
    yield read, write
    os.close(read)
    os.close(write)


def test_log_that_nobody_reads_holds_up_nothing(tmp_path: Path, pipe: Pipe) -> None:
    read, write = pipe
    serve = Serve(tmp_path)
    serve.starter = ["sh", "-c", f'exec "$@" 2>/proc/{os.getpid()}/fd/{write}', "sh"]
    with serve:
        assert curl(f"{serve.root}/ping/{PING_KEY}/job?create=1") == "Created"
        said_before = drained(read)

        assert serve.stop() == 0

    assert said_before == b""
    lost, stopped = drained(read).decode().splitlines()
    # That a new database is made, and where it listens.
    assert lost == "WARNING 2 lines of this log are lost: nobody has read it"
    assert stopped == "INFO stopped"


def drained(read: int) -> bytes:
    """Return what is in a pipe, without what filled it."""
    os.set_blocking(read, False)
    said = b""
    with suppress(BlockingIOError):
        while piece := os.read(read, 65_536):
            said += piece
    return said.lstrip(b"x")
