from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hcl.clock import Clock
from hcl.db import open_database
from hcl.pings.states import LIMIT, States
from tests.build import make_check

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

    assert states.checks == {1: ONE, 2: TWO}
    assert states.by_code == {ONE.code: 1, TWO.code: 2}
    assert states.by_slug == {}
    assert states.unsaved == {}


async def test_what_is_remembered_is_not_replaced_by_what_was_read(
    states: States,
) -> None:
    newer = ONE._replace(n_pings=9)
    states.checks[1] = states.unsaved[1] = newer

    states.take([ONE, TWO])

    assert states.checks == {1: newer, 2: TWO}
    assert states.by_code == {ONE.code: 1, TWO.code: 2}
    assert states.unsaved == {1: newer}


async def test_what_is_not_saved_is_not_forgotten(states: States) -> None:
    states.take([ONE, TWO])
    states.by_slug["key", "slug"] = [1, 2]
    newer = TWO._replace(n_pings=9)
    states.checks[2] = states.unsaved[2] = newer

    states.forget()

    assert states.checks == states.unsaved == {2: newer}
    assert states.by_code == {TWO.code: 2}
    # Slugs are settings: the database has them as they are.
    assert states.by_slug == {}


async def test_what_is_remembered_later_is_not_taken_for_unsaved(
    states: States,
) -> None:
    states.unsaved[2] = TWO
    states.forget()

    states.take([ONE])

    assert states.checks == {1: ONE, 2: TWO}
    assert states.unsaved == {2: TWO}


async def test_it_is_full_at_its_limit_and_not_before(states: States) -> None:
    states.checks = dict.fromkeys(range(LIMIT - 1), ONE)
    before = states.is_full

    states.checks[LIMIT] = ONE

    assert (before, states.is_full) == (False, True)
    states.forget()
    assert not states.is_full
