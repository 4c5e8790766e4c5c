import pytest

from hcl.words import sizes


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1400, "1.4 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (3_500_000, "3.5 MB"),
        (999_950_000, "1.0 GB"),
        (7_000_000_000_000, "7000.0 GB"),
    ],
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert sizes.size(count) == words
