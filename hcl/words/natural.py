"""The order in which people expect names: disk 2 before disk 10."""

import re

_DIGITS = re.compile(r"([0-9]+)")

# Of longer numbers the rest is text: int() would take long.
_LONGEST = 18


def natural(text: str) -> tuple[str | tuple[int, str], ...]:
    """Return what a text is sorted by: letters of any case, numbers by their value."""
    parts = _DIGITS.split(text.casefold())
    # At odd places there are numbers.
    return tuple(
        (int(part[:_LONGEST]), part) if number % 2 else part
        for number, part in enumerate(parts)
    )
