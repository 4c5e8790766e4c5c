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
    lines = "".join(f"{_key(key)} = {value(of)}\n" for key, of in keys.items())
    return f"{above}{header}\n{lines}"


def inserted(text: str, project: int, block: str) -> str:
    """Put a block at the end of the so manieth [[projects]] of a file.

    Raises ValueError if it cannot be told where that is.
    """
    # Not by splitlines, which knows more ends of lines than TOML does.
    lines = re.split(r"(?<=\n)", text)
    seen, at = -1, None
    for number, line in _outside_strings(lines):
        header = _HEADER.match(line)
        if header is None:
            continue
        name = header[2].replace(" ", "")
        if name == "projects" and header[1] == "[[":
            seen += 1
        if seen == project and at is None:
            at = len(lines)
        elif seen >= project and not name.startswith("projects."):
            return "".join([*lines[:number], block, "\n", *lines[number:]])
    if at is None:
        raise ValueError("there is no such project")
    return _ended(text) + "\n" + block


def _outside_strings(lines: list[str]) -> Iterable[tuple[int, str]]:
    """Yield the lines that do not begin within a string of several lines."""
    quotes = ""
    for number, line in enumerate(lines):
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
