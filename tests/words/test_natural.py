"""The order in which people expect names."""

from hcl.words.natural import natural


def test_numbers_go_by_their_value_and_letters_by_no_case() -> None:
    names = ["disk 10", "Disk 2", "disk 1", "10", "9", "", "a01", "a1", "é", "a"]

    assert sorted(names, key=natural) == [
        *("", "9", "10", "a", "a01", "a1", "disk 1", "Disk 2", "disk 10", "é")
    ]


def test_endless_numbers_have_an_order_too() -> None:
    assert natural("9" * 10_000) < natural("9" * 10_001)
