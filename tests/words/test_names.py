from typing import get_args

import pytest

from hcl.model import Action, Hold
from hcl.words import names
from tests.build import make_check

CODE = "f618072a-7bde-4eee-af63-71a77c5723bc"
NAMES = [
    ("Backup", "Backup"),
    (" Nightly\n backup ", "Nightly backup"),
    ("a\u202eb", "ab"),
    ("日本 ✓", "日本 ✓"),
]


@pytest.mark.parametrize(("name", "shown"), NAMES)
def test_check_is_called_by_its_name_in_one_line(name: str, shown: str) -> None:
    assert names.check_name(name) == shown
    assert names.check_name(name, "other") == shown
    assert names.title(make_check(name=name)) == shown
    assert names.title(make_check(name=name), readonly=True) == shown


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\n\t", "\x1b", "\u202e \u200b"])
def test_name_that_nobody_can_see_is_none(name: str) -> None:
    assert names.check_name(name) == "unnamed check"
    assert names.check_name(name, "other") == "other"


def test_check_without_a_name_is_called_by_its_code_where_that_may_be_known() -> None:
    check = make_check(name="\u200b", code=CODE)

    assert names.title(check) == CODE
    assert names.title(check, readonly=True) == "unnamed check"


def test_every_signal_and_every_hold_has_words() -> None:
    assert set(names.ACTIONS) == set(get_args(Action))
    assert set(names.HELD) == set(get_args(Hold))
