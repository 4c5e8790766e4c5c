"""Sizes, as they are said to people."""

from hcl.words.lines import counted


def size(count: int) -> str:
    """Write a number of bytes: `312 bytes`, `1.4 MB`."""
    if count < 1000:
        return counted(count, "byte")
    # What would be rounded to 1000.0 of a unit is 1.0 of the next.
    if count < 999_950:
        return f"{count / 1e3:.1f} kB"
    if count < 999_950_000:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e9:.1f} GB"
