import pytest

from hcl.words import lines


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_names_in_a_row(names: list[str], text: str) -> None:
    assert lines.listed(names) == text
