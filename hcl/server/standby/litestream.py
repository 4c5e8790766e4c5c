"""Litestream, as a program: how it is called to bring a replica here."""

import re
import shutil
import sys
from pathlib import Path


class LitestreamError(Exception):
    """It cannot be called, or could not do it; the text says why."""


def program() -> str:
    """Find it beside this Python, or where a shell would. Raises LitestreamError."""
    beside = Path(sys.executable).with_name("litestream")
    found = str(beside) if beside.exists() else shutil.which("litestream")
    if found is None:
        raise LitestreamError(
            "there is no program litestream: install it (docs/standby.md)"
        )
    return found


def restore(follow: str, database: Path, into: Path, *options: str) -> list[str]:
    """Return the command that brings a replica into a file that is not there yet.

    `follow` is as in hcl.toml, `database` the path that a config of Litestream's names.
    Raises LitestreamError.
    """
    # The name of what is restored comes last.
    source = _source(follow, database)
    return [program(), "restore", *options, "-o", str(into), *source]


def listing(follow: str, database: Path) -> list[str]:
    """Return the command that lists what a replica has, for `newest` to read.

    Raises LitestreamError.
    """
    return [program(), "ltx", "-level", "all", *_source(follow, database)]


def _source(follow: str, database: Path) -> list[str]:
    return [follow] if "://" in follow else ["-config", follow, str(database)]


# A line of such a list: its level, and from which transaction to which it goes.
_LISTED = re.compile(r"^\d+ +[0-9a-f]{16} +([0-9a-f]{16}) ", re.MULTILINE)


def newest(listed: str) -> int:
    """Return the number of the last transaction that is listed; 0: none is."""
    return max((int(number, 16) for number in _LISTED.findall(listed)), default=0)


def reason(output: str) -> str:
    """Return why it failed, of all that it wrote."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
