"""Print what the API answers: as a table for people, plain for scripts, or as JSON."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from hcl.client.stderr import printable

_PERIODS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def show(
    form: str, rows: Sequence[dict[str, Any]], columns: Sequence[str], document: Any
) -> None:
    """Print rows by their columns, or the whole document as JSON.

    `form` is table, plain (one row a line, tabs between) or json.
    """
    if form == "json":
        print(in_json(document))
        return
    cells = [[in_line(row.get(column)).strip() for column in columns] for row in rows]
    if form == "plain":
        for row in cells:
            print("\t".join(row))
        return
    _table([[column.upper().replace("_", " ") for column in columns], *cells])


def in_line(value: Any) -> str:
    """Put a value in one line that no terminal takes for orders."""
    return printable("" if value is None else str(value))


def in_json(document: Any) -> str:
    """Write JSON that people can read, and no terminal takes for orders."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "".join(
        sign if sign.isprintable() or sign == "\n" else _spelt(sign) for sign in text
    )


def _spelt(sign: str) -> str:
    # Such stand in strings alone, where it means the same.
    return json.dumps(sign)[1:-1] if sign > "\x7f" else f"\\u{ord(sign):04x}"


def in_lines(text: str) -> str:
    """Put blanks for what a terminal takes for orders, but line ends and tabs."""
    return "\n".join(
        "\t".join(map(printable, line.split("\t"))) for line in text.split("\n")
    )


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(_width, column)) for column in zip(*rows)]
    most = _terminal_width()
    for row in rows:
        line = "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths)
        ).rstrip()
        print(_cut(line, most))


def _terminal_width() -> int:
    """Return how many columns there are; no end of them where nobody looks."""
    if not sys.stdout.isatty():
        return 10**6
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return 80


def _width(text: str) -> int:
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cut(line: str, most: int) -> str:
    if _width(line) <= most:
        return line
    taken = 0
    for number, character in enumerate(line):
        taken += _columns(character)
        if taken > most - 1:
            return line[:number] + "…"
    return line


def moment(text: str | None) -> str:
    """Say when something was, by this machine's clock: 2026-11-28 07:15:00."""
    if not text:
        return ""
    at = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()
    return at.strftime("%Y-%m-%d %H:%M:%S")


def ago(text: str | None) -> str:
    """Say how long ago, or in how long, something is: 5 min ago, in 3 h."""
    if not text:
        return ""
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    apart = at - datetime.now(timezone.utc)
    past = apart < timedelta(0)
    words = _largest(abs(apart.total_seconds()))
    return f"{words} ago" if past else f"in {words}"


def _largest(seconds: float) -> str:
    return " ".join(length(seconds).split()[:2])


def length(seconds: float) -> str:
    """Say a length in all its units: 1 h 30 min."""
    words, rest = [], int(seconds)
    for size, unit in _PERIODS:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words) or "0 s"


def took(seconds: float) -> str:
    """Say how long a run took, as the pages do: 340 ms, 1.4 s, 24 min 3 s."""
    if seconds >= 10:
        return length(seconds)
    if seconds >= 1:
        return f"{min(seconds, 9.9):.1f} s"
    # The API tells hundredths.
    return f"{round(seconds * 1000)} ms" if seconds else "under 10 ms"
