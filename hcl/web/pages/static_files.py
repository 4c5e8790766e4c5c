"""Style sheets, scripts and icons: read once."""

import hashlib
from functools import cache
from importlib.resources import files

_KINDS = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


@cache
def _contents() -> dict[str, bytes]:
    folder = files("hcl.web.pages") / "static"
    return {
        file.name: file.read_bytes()
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.rpartition(".")[2] in _KINDS
    }


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


def content(name: str) -> bytes:
    """Return a file's bytes."""
    return _contents()[name]
