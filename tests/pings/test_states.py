import asyncio
import gc
import tracemalloc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hcl.clock import Clock
from hcl.db import open_database
from hcl.model import Check
from hcl.pings import states as module
from hcl.pings.states import LIMIT, States
from tests.build import MICROSECOND, NOW, make_check

ONE, TWO = [make_check(id=n, code=f"code-{n}") for n in (1, 2)]


@pytest.fixture
async def states(tmp_path: Path) -> AsyncIterator[States]:
    database = await open_database(tmp_path / "hcl.sqlite", "normal")
    try:
        yield States(database, Clock())
    finally:
        await database.close()


async def test_what_is_taken_is_found_by_its_code(states: States) -> None:
    states.take([ONE, TWO])

    assert states.checks == {ONE.code: ONE, TWO.code: TWO}
    assert states.by_slug == {}
    assert states.unsaved == set()


async def test_what_is_remembered_is_not_replaced_by_what_was_read(
    states: States,
) -> None:
    newer = ONE._replace(n_pings=9)
    states.remember({ONE.code: newer}, are_saved=False)

    states.take([ONE, TWO])

    assert states.checks == {ONE.code: newer, TWO.code: TWO}
    assert states.unsaved == {ONE.code}


async def test_what_is_not_saved_is_not_forgotten(states: States) -> None:
    states.take([ONE, TWO])
    states.by_slug["key", "slug"] = [ONE.code, TWO.code]
    newer = TWO._replace(n_pings=9)
    states.remember({TWO.code: newer}, are_saved=False)

    states.forget()

    assert states.checks == {TWO.code: newer}
    assert states.unsaved == {TWO.code}
    # Slugs are settings: the database has them as they are.
    assert states.by_slug == {}


async def test_what_is_remembered_later_is_not_taken_for_unsaved(
    states: States,
) -> None:
    states.remember({TWO.code: TWO}, are_saved=False)
    states.forget()

    states.take([ONE])

    assert states.checks == {ONE.code: ONE, TWO.code: TWO}
    assert states.unsaved == {TWO.code}


async def test_it_is_full_at_its_limit_and_not_before(states: States) -> None:
    states.checks = dict.fromkeys(map(str, range(LIMIT - 1)), ONE)
    before = states.is_full

    states.checks["one more"] = ONE

    assert (before, states.is_full) == (False, True)
    states.forget()
    assert not states.is_full


async def test_the_garbage_collector_sees_a_check_once(states: States) -> None:
    states.take([ONE])
    states.remember({TWO.code: TWO}, are_saved=True)

    gc.collect(0)

    assert not any(map(gc.is_tracked, states.checks.values()))
    assert states.check(TWO.code) == TWO
    assert isinstance(states.check(TWO.code), Check)


async def test_the_garbage_collector_never_finds_very_many_at_once(
    states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 100)
    monkeypatch.setattr(module, "MANY", 100)
    looks: list[str] = []

    def note(phase: str, _: dict[str, int]) -> None:
        looks.append(phase)

    gc.callbacks.append(note)
    try:
        for n in range(30):
            after = {str(i): ONE._replace(id=i) for i in range(n * 10, n * 10 + 10)}
            states.remember(after, are_saved=True)
    finally:
        gc.callbacks.remove(note)

    assert looks.count("stop") >= 3


async def test_few_checks_are_none_of_the_garbage_collectors_business(
    states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 100)
    monkeypatch.setattr(gc, "collect", lambda _: pytest.fail("it was called"))

    for _ in range(300):
        states.remember({ONE.code: ONE}, are_saved=True)

    assert states.checks == {ONE.code: ONE}


class Thing:
    """What can be seen to be gone."""


async def test_very_many_that_are_forgotten_are_freed_bit_by_bit(
    states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    things = [Thing() for _ in range(5)]
    alive = weakref.WeakSet(things)
    states.checks = {str(n): (thing,) for n, thing in enumerate(things)}
    del things
    states.forget()

    left = []
    async with states.database.turn() as conn:
        while alive:
            left.append(len(alive))
            await states.catch_up(conn)

    # Slugs, of which there are none, come first.
    assert left == [5, 5, 3, 1]


async def test_others_have_their_turn_while_very_many_are_written(
    states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_AT_ONCE", 2)
    database = states.database
    after = {str(n): ONE._replace(id=n) for n in range(10)}
    states.remember(after, are_saved=False)

    async def look() -> int:
        async with database.turn():
            return len(states.unsaved)

    # Whoever comes first has the first turn.
    _, left = await asyncio.gather(database.settle(), look())

    assert 0 < left < 10
    assert not states.unsaved


async def test_a_check_is_remembered_in_about_a_kilobyte(states: States) -> None:
    codes = [f"{n:036}" for n in range(1000)]
    moments = [NOW + n * MICROSECOND for n in range(1000)]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for n, (code, moment) in enumerate(zip(codes, moments, strict=True)):
            check = ONE._replace(id=n, code=code, last_ping=moment)
            states.take([check])
            states.remember({code: check}, are_saved=False)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # Beside its texts and moments, which were there.
    assert (after - before) / 1000 < 1000


async def test_what_others_changed_is_renewed_and_the_rest_remembered(
    states: States,
) -> None:
    database = states.database
    states.take([ONE, TWO])
    changed: list[Check] = []
    down, unknown = ONE._replace(status="down"), make_check(id=3)

    async with database.transaction(changed=changed):
        changed += [down, unknown]
    async with database.turn() as conn:
        await states.catch_up(conn)

    assert states.checks == {ONE.code: down, TWO.code: TWO}


async def test_what_others_may_not_have_changed_after_all_is_read_anew(
    states: States,
) -> None:
    database = states.database
    states.take([ONE, TWO])

    with pytest.raises(KeyError):
        async with database.transaction(changed=[]):
            raise KeyError
    async with database.turn() as conn:
        await states.catch_up(conn)

    assert states.checks == {}


async def test_who_does_not_say_what_changed_has_all_forgotten(states: States) -> None:
    states.take([ONE, TWO])

    async with states.database.transaction():
        pass
    async with states.database.turn() as conn:
        await states.catch_up(conn)

    assert states.checks == {}
