"""QR codes (ISO/IEC 18004): a text as dark and light modules, and in a terminal.

Bytes, level L, versions 1 to 9: up to 230 bytes, enough for any link of ours.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, cycle, groupby, islice, product

# Of each version: data codewords in a block, error correction codewords of it, blocks,
# and the centres of alignment patterns (all pairs but those at the corners).
_VERSIONS: tuple[tuple[int, int, int, tuple[int, ...]], ...] = (
    (19, 7, 1, ()),
    (34, 10, 1, (6, 18)),
    (55, 15, 1, (6, 22)),
    (80, 20, 1, (6, 26)),
    (108, 26, 1, (6, 30)),
    (68, 18, 2, (6, 34)),
    (78, 20, 2, (6, 22, 38)),
    (97, 24, 2, (6, 24, 42)),
    (116, 30, 2, (6, 26, 46)),
)
_QUIET = 4

_MASKS: tuple[Callable[[int, int], int], ...] = (
    lambda y, x: (y + x) % 2,
    lambda y, _: y % 2,
    lambda _, x: x % 3,
    lambda y, x: (y + x) % 3,
    lambda y, x: (y // 2 + x // 3) % 2,
    lambda y, x: y * x % 2 + y * x % 3,
    lambda y, x: (y * x % 2 + y * x % 3) % 2,
    lambda y, x: ((y + x) % 2 + y * x % 3) % 2,
)

Modules = list[list[bool]]


class TooLongError(ValueError):
    """The text does not fit."""


def modules(data: bytes) -> Modules:
    """Return the rows of a code, True for dark, without its margin."""
    version = next(
        (
            number
            for number, (size, _, blocks, _) in enumerate(_VERSIONS, 1)
            if len(data) + 2 <= size * blocks
        ),
        0,
    )
    if not version:
        raise TooLongError(f"{len(data)} bytes do not fit")
    fixed = _fixed(version)
    bits = _bits(_interleaved(data, version))
    drawn = [_drawn(version, fixed, bits, mask) for mask in range(len(_MASKS))]
    return min(drawn, key=_penalty)


def lines(code: Modules) -> Iterator[str]:
    """Write a code with half blocks, two rows in a line, the dark ones being ink."""
    width = len(code) + 2 * _QUIET
    blank = [False] * width
    side = [False] * _QUIET
    rows = [blank] * _QUIET + [side + row + side for row in code] + [blank] * _QUIET
    rows += [blank] * (len(rows) % 2)
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        pairs = zip(upper, lower, strict=True)
        yield "".join(" ▄▀█"[2 * above + below] for above, below in pairs)


# Codewords


def _interleaved(data: bytes, version: int) -> list[int]:
    """Return all codewords: the data, padded, then the error correction."""
    size, corrections, count, _ = _VERSIONS[version - 1]
    # Mode 4, bytes; their number; the end, 4 bits of nothing.
    mode = 0x4 << (len(data) + 1) * 8
    whole = (mode | int.from_bytes(bytes([len(data)]) + data)) << 4
    words = list(whole.to_bytes(len(data) + 2))
    words += islice(cycle((0xEC, 0x11)), size * count - len(words))
    blocks = [words[at : at + size] for at in range(0, size * count, size)]
    checks = [_remainder(block, corrections) for block in blocks]
    rows = (*zip(*blocks, strict=True), *zip(*checks, strict=True))
    return list(chain.from_iterable(rows))


def _times(a: int, b: int) -> int:
    """Multiply in the field of 256 elements, by the polynomial 0x11D."""
    product_ = 0
    for bit in range(7, -1, -1):
        product_ = product_ << 1 ^ (product_ >> 7) * 0x11D
        product_ ^= (b >> bit & 1) * a
    return product_


def _remainder(block: Sequence[int], count: int) -> list[int]:
    """Return the Reed-Solomon codewords of a block."""
    divisor, root = [0] * (count - 1) + [1], 1
    for _ in range(count):
        divisor = [
            _times(here, root) ^ after
            for here, after in zip(divisor, [*divisor[1:], 0], strict=True)
        ]
        root = _times(root, 2)
    rest = [0] * count
    for word in block:
        factor = word ^ rest[0]
        rest = [
            before ^ _times(each, factor)
            for before, each in zip([*rest[1:], 0], divisor, strict=True)
        ]
    return rest


def _bits(words: Sequence[int]) -> list[bool]:
    return [bool(word >> bit & 1) for word in words for bit in range(7, -1, -1)]


# Modules


def _fixed(version: int) -> dict[tuple[int, int], bool]:
    """Return what every code of a version has, by row and column."""
    size = 17 + 4 * version
    # Timing; what is drawn after it wins.
    fixed = {place: at % 2 == 0 for at in range(size) for place in ((6, at), (at, 6))}
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        for dy, dx in product(range(-1, 8), repeat=2):
            if 0 <= top + dy < size and 0 <= left + dx < size:
                ring = max(abs(dy - 3), abs(dx - 3))
                fixed[top + dy, left + dx] = ring not in (2, 4)
    centres = _VERSIONS[version - 1][3]
    corners = {(6, 6), (6, size - 7), (size - 7, 6)}
    for y, x in {*product(centres, repeat=2)} - corners:
        for dy, dx in product(range(-2, 3), repeat=2):
            fixed[y + dy, x + dx] = max(abs(dy), abs(dx)) != 1
    if version >= 7:
        known = version << 12 | _bch(version, 12, 0x1F25)
        for bit in range(18):
            one = bool(known >> bit & 1)
            near, far = bit // 3, size - 11 + bit % 3
            fixed[near, far] = fixed[far, near] = one
    return fixed


def _bch(value: int, length: int, generator: int) -> int:
    """Return the check bits of a value."""
    rest = value << length
    while rest.bit_length() > length:
        rest ^= generator << rest.bit_length() - length - 1
    return rest


def _format(mask: int, size: int) -> dict[tuple[int, int], bool]:
    """Return the modules that tell level and mask, twice."""
    known = (0b01 << 3 | mask) << 10
    known = (known | _bch(known >> 10, 10, 0x537)) ^ 0x5412
    places: dict[tuple[int, int], bool] = {(size - 8, 8): True}
    down = [0, 1, 2, 3, 4, 5, 7, 8]
    for bit in range(15):
        one = bool(known >> bit & 1)
        if bit < 8:
            places[down[bit], 8] = places[8, size - 1 - bit] = one
        else:
            across = 14 - bit if bit > 8 else 7
            places[8, across] = places[size - 15 + bit, 8] = one
    return places


def _drawn(
    version: int, fixed: dict[tuple[int, int], bool], bits: list[bool], mask: int
) -> Modules:
    size, flips = 17 + 4 * version, _MASKS[mask]
    known = fixed | _format(mask, size)
    rest = iter(bits)
    code = [[known.get((y, x), False) for x in range(size)] for y in range(size)]
    upwards = True
    # Two columns at a time from the right; the timing column is left out.
    for right in [*range(size - 1, 6, -2), 5, 3, 1]:
        for y in range(size - 1, -1, -1) if upwards else range(size):
            for x in (right, right - 1):
                if (y, x) not in known:
                    # A few bits may be left over: they are light.
                    code[y][x] = next(rest, False) ^ (flips(y, x) == 0)
        upwards = not upwards
    return code


# What is hard to read: runs, blocks, what looks like a finder, too much of one colour.
_LIKE_FINDERS = tuple(
    tuple(char == "1" for char in text) for text in ("00001011101", "10111010000")
)


def _penalty(code: Modules) -> int:
    size, columns = len(code), [list(column) for column in zip(*code, strict=True)]
    total = 0
    for line in [*code, *columns]:
        lengths = (len(list(run)) for _, run in groupby(line))
        total += sum(length - 2 for length in lengths if length >= 5)
        windows = (tuple(line[at : at + 11]) for at in range(size - 10))
        total += 40 * sum(window in _LIKE_FINDERS for window in windows)
    for y, x in product(range(size - 1), repeat=2):
        four = {code[y][x], code[y][x + 1], code[y + 1][x], code[y + 1][x + 1]}
        total += 3 * (len(four) == 1)
    share = sum(map(sum, code)) * 100 / size**2
    return total + 10 * int(abs(share - 50) / 5)
