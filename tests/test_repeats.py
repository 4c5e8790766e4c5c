"""Log lines that strangers can cause."""

import asyncio
import logging

import pytest

from hcl.repeats import PAUSE, Repeats
from tests.leaping import LEAPING, Backend


@pytest.fixture(scope="module")
def anyio_backend() -> Backend:
    return LEAPING


@pytest.fixture
def logger(request: pytest.FixtureRequest) -> logging.Logger:
    """A logger of this test alone."""
    logger = logging.getLogger(f"tests.{request.node.name}")
    logger.addFilter(Repeats())
    return logger


async def test_a_line_is_logged_once_and_counted_each_minute(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(10):
        logger.warning("from %d", number)
        logger.warning("another line")
        await asyncio.sleep(1)
    await asyncio.sleep(PAUSE)
    logger.warning("from %d", 10)
    await asyncio.sleep(PAUSE * 3)
    logger.warning("from %d", 11)

    assert caplog.messages == [
        "from 0",
        "another line",
        "from 9 (and 8 more like it in 60 s)",
        "another line (and 8 more like it in 60 s)",
        "from 10",
        "from 11",
    ]


async def test_exceptions_are_told_apart_by_where_they_were_raised(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    def one() -> None:
        raise ValueError("one")

    def two() -> None:
        raise ValueError("two")

    for function in (one, two) * 3:
        try:
            function()
        except ValueError:
            logger.exception("failed")

    assert [
        str(record.exc_info and record.exc_info[1]) for record in caplog.records
    ] == [
        "one",
        "two",
    ]


def test_without_a_loop_all_is_logged(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        logger.warning("again")

    assert caplog.messages == ["again"] * 3
