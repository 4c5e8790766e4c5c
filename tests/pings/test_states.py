from hcl.pings.states import LIMIT, Memory
from tests.build import make_check

ONE, TWO = [make_check(id=n, code=f"code-{n}") for n in (1, 2)]


def test_what_is_taken_is_found_by_its_code() -> None:
    memory = Memory()

    memory.take([ONE, TWO])

    assert memory.checks == {1: ONE, 2: TWO}
    assert memory.by_code == {ONE.code: 1, TWO.code: 2}
    assert memory.by_slug == {}
    assert memory.unsaved == {}


def test_what_is_remembered_is_not_replaced_by_what_was_read() -> None:
    memory = Memory()
    newer = ONE._replace(n_pings=9)
    memory.checks[1] = memory.unsaved[1] = newer

    memory.take([ONE, TWO])

    assert memory.checks == {1: newer, 2: TWO}
    assert memory.by_code == {ONE.code: 1, TWO.code: 2}
    assert memory.unsaved == {1: newer}


def test_what_is_not_saved_is_not_forgotten() -> None:
    memory = Memory()
    memory.take([ONE, TWO])
    memory.by_slug["key", "slug"] = [1, 2]
    newer = TWO._replace(n_pings=9)
    memory.checks[2] = memory.unsaved[2] = newer

    memory.forget()

    assert memory.checks == memory.unsaved == {2: newer}
    assert memory.by_code == {TWO.code: 2}
    # Slugs are settings: the database has them as they are.
    assert memory.by_slug == {}


def test_what_is_remembered_later_is_not_taken_for_unsaved() -> None:
    memory = Memory()
    memory.unsaved[2] = TWO
    memory.forget()

    memory.take([ONE])

    assert memory.checks == {1: ONE, 2: TWO}
    assert memory.unsaved == {2: TWO}


def test_it_is_full_at_its_limit_and_not_before() -> None:
    memory = Memory()
    memory.checks = dict.fromkeys(range(LIMIT - 1), ONE)
    before = memory.is_full

    memory.checks[LIMIT] = ONE

    assert (before, memory.is_full) == (False, True)
    memory.forget()
    assert not memory.is_full
