"""Write tables of TOML, and put some into a file that people wrote."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hcl.words.lines import one_line

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")


def value(of: Any) -> str:
    """Write a value: text, a number, a switch, a list or a table within a line."""
    if isinstance(of, bool):
        return "true" if of else "false"
    if isinstance(of, Mapping):
        inner = ", ".join(f"{_key(key)} = {value(part)}" for key, part in of.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(of, list | tuple):
        return f"[{', '.join(map(value, of))}]"
    if isinstance(of, int):
        return str(of)
    # JSON's strings are TOML's, but for DEL.
    return json.dumps(of, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else value(key)


def table(header: str, keys: Mapping[str, Any], comments: Iterable[str] = ()) -> str:
    """Write a table below its header; comments stand above."""
    above = "".join(f"# {one_line(line)}\n" for line in comments)
    return f"{above}{header}\n{lines(keys)}"


def lines(keys: Mapping[str, Any]) -> str:
    """Write keys with their values, a line each."""
    return "".join(f"{_key(key)} = {value(of)}\n" for key, of in keys.items())


def headed(text: str, project: int, block: str) -> str:
    """Put a block below the header of the so manieth [[projects]] of a file.

    Raises ValueError if it cannot be told where that is.
    """
    parts = _parts(text)
    begin, _ = _span(parts, project)
    return "".join([*parts[:begin], _ended(parts[begin]), block, *parts[begin + 1 :]])


def inserted(text: str, project: int, block: str) -> str:
    """Put a block at the end of the so manieth [[projects]] of a file.

    Raises ValueError if it cannot be told where that is.
    """
    parts = _parts(text)
    _, end = _span(parts, project)
    if end == len(parts):
        return _ended(text) + "\n" + block
    return "".join([*parts[:end], block, "\n", *parts[end:]])


def _parts(text: str) -> list[str]:
    # Not by splitlines, which knows more ends of lines than TOML does.
    return re.split(r"(?<=\n)", text)


def _span(parts: list[str], project: int) -> tuple[int, int]:
    """Return the line of a project's header, and the one behind all that is its own."""
    seen, begin = -1, None
    for number, line in _outside_strings(parts):
        header = _HEADER.match(line)
        if header is None:
            continue
        name = header[2].replace(" ", "")
        if name == "projects" and header[1] == "[[":
            seen += 1
        if seen == project and begin is None:
            begin = number
        elif begin is not None and not name.startswith("projects."):
            return begin, number
    if begin is None:
        raise ValueError("there is no such project")
    return begin, len(parts)


def _outside_strings(parts: list[str]) -> Iterable[tuple[int, str]]:
    """Yield the lines that do not begin within a string of several lines."""
    quotes = ""
    for number, line in enumerate(parts):
        if not quotes:
            yield number, line
        for mark in re.findall(r'"""|\'\'\'', line):
            if not quotes:
                quotes = mark
            elif quotes == mark:
                quotes = ""


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def appended(text: str, block: str) -> str:
    """Put a block at the end of a file."""
    return f"{_ended(text)}\n{block}" if text else block
