"""Many items in one transaction, and those that fail."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.db import (
    Database,
    UnwritableError,
)
from hcl.db.group_commit import BATCH_LIMIT, GroupCommit
from tests.db.writing import names
from tests.patience import ENDS
from tests.store import pragma, rows, traced, writer_of


class Writing:
    """What a group commits: each item is a setting; some items are troublesome."""

    def __init__(self, database: Database) -> None:
        self.batches: list[list[str]] = []
        self.group: GroupCommit[str, str] = GroupCommit(self._write)
        self._database = database

    async def _write(self, items: Sequence[str]) -> list[str]:
        self.batches.append(list(items))
        async with self._database.transaction() as conn:
            for item in items:
                await store.settings.put(conn, item, "1")
            for item in items:
                if item.startswith("bad"):
                    raise ValueError(item)
                if item.startswith("twin"):
                    await conn.execute("INSERT INTO settings VALUES (?, '')", (item,))
        return [item.upper() for item in items]


@pytest.fixture
def writing(database: Database) -> Writing:
    return Writing(database)


async def submit_all(writing: Writing, items: Sequence[str]) -> list[Any]:
    async with asyncio.timeout(ENDS):
        return await asyncio.gather(
            *(writing.group.submit(item) for item in items), return_exceptions=True
        )


async def test_many_items_share_few_transactions(
    database: Database, writing: Writing
) -> None:
    items = [f"item{n:04}" for n in range(2 * BATCH_LIMIT + 1)]

    async with traced(await writer_of(database)) as statements:
        results = await submit_all(writing, items)

    assert results == [item.upper() for item in items]
    assert await names(database) == items
    assert statements.count("COMMIT") == 3
    assert max(map(len, writing.batches)) <= BATCH_LIMIT
    assert [item for batch in writing.batches for item in batch] == items


async def test_result_comes_after_the_commit(
    database: Database, writing: Writing
) -> None:
    await writing.group.submit("a")

    assert await names(database) == ["a"]


async def test_items_that_come_during_a_commit_share_the_next(
    database: Database, writing: Writing
) -> None:
    async with database.transaction():
        first = writing.group.submit("a")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        rest = [writing.group.submit(name) for name in "bcd"]
        await asyncio.sleep(0)
        assert not any(task.done() for task in (first, *rest))

    async with asyncio.timeout(ENDS):
        await asyncio.gather(first, *rest)
    assert writing.batches == [["a"], ["b", "c", "d"]]


@pytest.mark.parametrize(
    ("name", "error"), [("bad", ValueError), ("twin", sqlite3.IntegrityError)]
)
async def test_failing_item_does_not_take_the_others_down(
    database: Database, writing: Writing, name: str, error: type[Exception]
) -> None:
    results = await submit_all(writing, ["a", f"{name}1", "b", f"{name}2", "c"])

    assert [type(result) for result in results] == [str, error, str, error, str]
    assert await names(database) == ["a", "b", "c"]


async def test_item_on_a_damaged_page_does_not_take_the_others_down(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def write(items: Sequence[str]) -> list[str]:
        if "bad" in items:
            raise UnwritableError("malformed", code=sqlite3.SQLITE_CORRUPT)
        return [item.upper() for item in items]

    group = GroupCommit[str, str](write)

    async with asyncio.timeout(ENDS):
        results = await asyncio.gather(
            *map(group.submit, ["a", "bad", "b"]), return_exceptions=True
        )

    assert [str(result) for result in results] == ["A", "malformed", "B"]
    assert caplog.messages == []


async def test_single_failing_item_fails_and_the_next_one_does_not(
    database: Database, writing: Writing
) -> None:
    with pytest.raises(ValueError, match="bad"):
        await writing.group.submit("bad")

    assert await writing.group.submit("a") == "A"
    assert writing.batches == [["bad"], ["a"]]


async def test_cancelled_submitter_harms_nobody(
    database: Database, writing: Writing
) -> None:
    tasks = [writing.group.submit(name) for name in "abc"]
    await asyncio.sleep(0)

    tasks[1].cancel()
    async with asyncio.timeout(ENDS):
        await asyncio.wait(tasks)

    assert tasks[1].cancelled()
    assert (await tasks[0], await tasks[2]) == ("A", "C")
    # A caller that is cancelled takes nothing back.
    assert await names(database) == ["a", "b", "c"]
    assert await writing.group.submit("d") == "D"


@pytest.mark.parametrize("item", ["a", "bad"])
async def test_item_whose_only_submitter_is_cancelled_leaves_a_group_that_works(
    database: Database, writing: Writing, item: str
) -> None:
    task = writing.group.submit(item)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    async with asyncio.timeout(ENDS):
        assert await writing.group.submit("b") == "B"


async def test_full_disk_reaches_every_waiter_and_works_again_after(
    database: Database, writing: Writing
) -> None:
    items = [f"{n:04}" + "x" * 4000 for n in range(50)]
    [limit] = await rows(database, "PRAGMA page_count")
    await pragma(database, f"max_page_count = {limit + 10}")

    results = await submit_all(writing, items)

    assert {type(result) for result in results} == {UnwritableError}
    assert {str(result) for result in results} == {"database or disk is full"}
    assert await names(database) == []
    assert len(writing.batches) == 1

    await pragma(database, "max_page_count = 100000")
    assert await submit_all(writing, items) == [item.upper() for item in items]
    assert await names(database) == items


async def test_database_locked_by_another_program_is_told_and_works_again_after(
    tmp_path: Path, database: Database, writing: Writing
) -> None:
    await pragma(database, "busy_timeout = 10")
    with closing(sqlite3.connect(tmp_path / "hcl.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")

        results = await submit_all(writing, ["a", "b"])

    assert [str(result) for result in results] == ["database is locked"] * 2
    assert await writing.group.submit("c") == "C"
    assert await names(database) == ["c"]
