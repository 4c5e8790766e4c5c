import logging

import pytest

from hcl.db.trouble import AGAIN, CALM, Trouble

logger = logging.getLogger(__name__)


class Watched(Trouble):
    """A trouble in a time that its test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(lambda: self.now)

    def met(self, times: int = 1, why: str = "database or disk is full") -> None:
        for _ in range(times):
            self.tell(logger, "no ping can be written", why)


def test_trouble_is_told_once_and_then_with_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trouble = Watched()

    trouble.met(1000)
    trouble.now = AGAIN
    trouble.met(2)
    trouble.now = 2 * AGAIN - 1
    trouble.met()

    line = "no ping can be written: database or disk is full"
    assert caplog.messages == [line, f"{line} (1001 times so far)"]


def test_another_reason_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Watched()

    trouble.met(2)
    trouble.met(2, "database is locked")

    assert caplog.messages == [
        "no ping can be written: database or disk is full",
        "no ping can be written: database is locked",
    ]


def test_end_is_told_with_the_count_and_what_comes_next_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trouble = Watched()

    trouble.written()
    trouble.met(3)
    trouble.now = CALM
    trouble.written()
    trouble.written()
    trouble.met()

    line = "no ping can be written: database or disk is full"
    end = "the database can be used again (no ping can be written: 3 times)"
    assert caplog.messages == [line, end, line]


def test_disk_that_takes_one_and_refuses_the_next_is_one_trouble(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trouble = Watched()

    for second in range(100):
        trouble.now = second
        trouble.met()
        trouble.written()

    assert len(caplog.messages) == 1


def test_damage_does_not_end(caplog: pytest.LogCaptureFixture) -> None:
    trouble = Watched()
    trouble.is_damage = True

    trouble.met()
    trouble.now = 2 * CALM
    trouble.written()
    trouble.met()

    assert len(caplog.messages) == 1


def test_what_is_told_otherwise_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trouble = Watched()
    trouble.is_told = True

    trouble.met()

    assert caplog.messages == []
