"""What is said on standard error, which may be closed, full, or read by nobody.

And what a terminal may be shown of what others say.
"""

from __future__ import annotations

import os
import sys


def printable(text: str) -> str:
    """Put blanks for what a terminal takes for orders, line ends among it."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def say(line: str) -> None:
    """Write a line, if that can be."""
    if sys.stderr is None:
        return
    text = line.encode(sys.stderr.encoding or "utf-8", "backslashreplace") + b"\n"
    try:
        # Not by print: what that could not write it tries again when the process ends,
        # whose exit status is 120 then.
        os.write(2, text)
    except OSError:
        pass
