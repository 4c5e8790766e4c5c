"""Style sheets, scripts and icons: read once, and written as briefly as can be."""

import gzip
import hashlib
import re
from functools import cache
from pathlib import Path

_KINDS = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


@cache
def _contents() -> dict[str, bytes]:
    # By their path: importlib.resources would bring zipfile, which takes memory.
    folder = Path(__file__).parent / "static"
    return {
        file.name: _brief(file.name, file.read_bytes())
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.rpartition(".")[2] in _KINDS
    }


def _brief(name: str, content: bytes) -> bytes:
    """Leave out what only people need: comments and indents; a script keeps its lines.

    Of scripts only lines are left out that are a comment as a whole. No text in quotes
    in these files may hold a `/*`, nor spaces beside braces, commas and semicolons.
    """
    text = content.decode()
    if name.endswith(".css"):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        text = re.sub(r"\s*([{};,\n])\s*", r"\1", text).replace("\n", "")
        text = re.sub(r":\s+", ":", text).replace(";}", "}")
    elif name.endswith(".js"):
        lines = map(str.strip, text.splitlines())
        text = "\n".join(line for line in lines if line and not line.startswith("//"))
    return text.encode()


@cache
def version() -> str:
    """Return what changes with any of the files: part of their URLs."""
    digest = hashlib.sha256()
    for name, content in _contents().items():
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:10]


def kind(name: str) -> str:
    """Return a file's media type, "" if there is no such file."""
    return _KINDS[name.rpartition(".")[2]] if name in _contents() else ""


@cache
def compressed(name: str) -> bytes:
    """Return a file's bytes in gzip's format."""
    # Without a time of its own, so that each start says the same.
    return gzip.compress(content(name), mtime=0)


def content(name: str) -> bytes:
    """Return a file's bytes."""
    return _contents()[name]
