"""QR codes: the same modules as of others' programs, and as a terminal shows them.

The digests were compared with what the libraries qrcode 8 and segno 1.6 make of the
same texts with the same mask.
"""

import hashlib

import pytest

from hcl.words.qr_code import TooLongError, lines, modules

# A text of each version that fills it, so that each block and pattern counts.
DIGESTS = {
    17: "99a8de0f32da4291",
    18: "5709646a89a0924c",
    32: "9a71154718cf6f9c",
    53: "155478f6789a4055",
    60: "6f60952ba40ceed1",
    78: "603d82ddc671ad39",
    106: "db69bac510d3dfc8",
    134: "a40f20d9ca42e8c6",
    154: "642ff2cd994719db",
    192: "e5b2bbb43a30b77f",
    200: "826e3ce6c2934cb6",
    230: "bd2bb407f2c329ce",
}


def text(length: int) -> bytes:
    return ("https://hcl.example/sign-in/" + "0123456789-abcdefg_" * 12)[
        :length
    ].encode()


@pytest.mark.parametrize(("length", "digest"), DIGESTS.items())
def test_modules_are_those_of_other_programs(length: int, digest: str) -> None:
    code = modules(text(length))

    bits = "".join(str(int(dark)) for row in code for dark in row)
    assert hashlib.sha256(bits.encode()).hexdigest()[:16] == digest


def test_smallest_version_that_fits_is_taken() -> None:
    assert [len(modules(b"x" * length)) for length in (17, 18, 230)] == [21, 25, 53]
    with pytest.raises(TooLongError):
        modules(b"x" * 231)


def test_terminal_shows_each_module_and_a_margin_of_four() -> None:
    code = modules(text(60))

    shown = list(lines(code))

    rows = []
    for line in shown:
        rows.append([char in "▀█" for char in line])
        rows.append([char in "▄█" for char in line])
    size = len(code) + 8
    assert {len(line) for line in shown} == {size}
    assert [row[4:-4] for row in rows[4 : size - 4]] == code
    assert not any(map(any, rows[:4] + rows[size - 4 :]))
    assert not any(any(row[:4]) or any(row[-4:]) for row in rows)
