"""Bad outcomes, as they are said."""

import pytest

from hcl.words.outcomes import in_a_row
from tests.build import make_check


@pytest.mark.parametrize(
    ("bad", "down_after", "text"),
    [
        (1, 3, "1 of 3 bad outcomes in a row"),
        (3, 3, "3 of 3 bad outcomes in a row"),
        # It takes fewer since.
        (3, 2, "3 bad outcomes in a row"),
        (1, 1, "1 bad outcome in a row"),
    ],
)
def test_no_more_are_counted_than_it_takes(
    bad: int, down_after: int, text: str
) -> None:
    assert in_a_row(make_check(bad_outcomes=bad, down_after=down_after)) == text
