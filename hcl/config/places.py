"""Where things stand in hcl.toml: their lines, and names in the place of numbers."""

import re
from collections.abc import Mapping
from typing import Any

from hcl.config.reading import Spot, shown

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*[^=\s]+)*)\s*=")
# What may hold brackets, quotes and line ends that are none.
_TEXT = re.compile(
    r"\"\"\"(?:\\.|[^\\])*?\"\"\"|'''.*?'''"
    r"|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|#[^\n]*",
    re.DOTALL,
)


def described(
    spot: Spot, text: str, data: Mapping[str, Any], file_name: str
) -> tuple[int, str]:
    """Tell of a mistake in a line that names it; and the number of its own line."""
    number = line_of(text, spot.place) or line_of(text, spot.table) or 0
    where = f"{file_name}:{number}" if number else file_name
    problem = spot.problem
    if spot.twin:
        table, line = spot.twin.rpartition(".")[0], line_of(text, spot.twin)
        other = f"that of {named(table, data)}" + (f" in line {line}" if line else "")
        problem = problem.replace(spot.twin, other)
    return number, f"{where}: {named(spot.place, data)}: {problem}"


def line_of(text: str, path: str) -> int | None:
    """Return the line of a table or key, named as messages do; None: not found.

    What stands within a value is where that begins.
    """
    lines = _lines(text)
    while path:
        if path in lines:
            return lines[path]
        path = re.sub(r"(\[\d+\]|\.?[^.\[\]]+)$", "", path) if path[-1:] else ""
    return None


def _lines(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table, depth = "", 0
    for number, line in enumerate(_bare(text).split("\n"), 1):
        if depth == 0 and (header := _HEADER.fullmatch(line)):
            table = _table(header[2], header[1] == "[[", counts)
            found.setdefault(table, number)
            # What is wrong with all of an array of tables is told at the first.
            found.setdefault(re.sub(r"\[\d+\]$", "", table), number)
            continue
        if depth == 0 and (key := _KEY.match(line)):
            name = re.sub(r"\s*\.\s*", ".", key[1])
            found.setdefault(f"{table}.{name}" if table else name, number)
        depth += sum(map(line.count, "[{")) - sum(map(line.count, "]}"))
    return found


def _bare(text: str) -> str:
    """Blank out strings and comments, but for the names of keys in quotes."""

    def blank(found: re.Match[str]) -> str:
        rest = text[found.end() : found.end() + 20]
        if re.match(r"\s*[.=\]]", rest) and "\n" not in found[0]:
            return found[0].replace("[", "(").replace("{", "(")
        return "_" * (found[0][:1] != "#") + "\n" * found[0].count("\n")

    return _TEXT.sub(blank, text.replace("\r\n", "\n"))


def _table(header: str, is_array: bool, counts: dict[str, int]) -> str:
    """Name a table as messages do: `projects[1].channels[0]`."""
    path, parts = "", header.split(".")
    for index, part in enumerate(parts, 1):
        path = f"{path}.{part.strip()}" if path else part.strip()
        if is_array and index == len(parts):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = f"{path}[{counts[path]}]"
    return path


def named(path: str, data: Mapping[str, Any]) -> str:
    """Name a place by what its owner calls it: `channel "Phone", url`."""
    words: list[str] = []
    at: Any = data
    rest = path
    while step := re.match(r"\.?(\w+)\[(\d+)\]", rest):
        try:
            at = at[step[1]][int(step[2])]
        except (LookupError, TypeError):
            break
        if not isinstance(at, Mapping):
            break
        name = at.get("name", at.get("tag", at.get("slug")))
        word = step[1].removesuffix("s")
        said = shown(name) if isinstance(name, str) else f"{int(step[2]) + 1}"
        words.insert(0, f"{word} {said}")
        rest = rest[step.end() :]
    place = " of ".join(words)
    rest = rest.lstrip(".")
    return f"{place}, {rest}" if place and rest else place or rest
