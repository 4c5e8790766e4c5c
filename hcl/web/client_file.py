"""The client as one file, so that a machine gets it with curl: /client/hcl."""

import asyncio
import hashlib
import io
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

import hcl
from hcl import client

# By a shell, since no first line takes options everywhere. -I: what jobs set for a
# Python of their own (PYTHONPATH, PYTHONHOME) would keep this one from starting, and
# the job with it.
_BEGINNING = b'#!/bin/sh\nexec python3 -I "$0" "$@"\n'

# The same for all files, so that one release is one file: the first that zip knows.
_MOMENT = (1980, 1, 1, 0, 0, 0)

_MAIN = """\
import sys

if sys.version_info < (3, 9):
    sys.exit("hcl needs Python 3.9 or newer, this is " + sys.version.split()[0])

from hcl.client.command import main

sys.exit(main(sys.argv[1:]))
"""


@cache
def build() -> bytes:
    """Make the file: a zip of hcl/client that Python runs as a program."""
    # Imported here: few servers are ever asked for it.
    import zipfile

    folder = Path(client.__file__).parent
    files = {
        "__main__.py": _MAIN,
        "hcl/__init__.py": f'__version__ = "{hcl.__version__}"\n',
    }
    for path in sorted(folder.rglob("*.py")):
        name = f"hcl/client/{path.relative_to(folder).as_posix()}"
        files[name] = path.read_text("utf-8")
    buffer = io.BytesIO(_BEGINNING)
    buffer.seek(len(_BEGINNING))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


async def get_file(_request: Request) -> Response:
    """GET /client/hcl: the program itself."""
    content = await asyncio.to_thread(build)
    return Response(content, media_type="application/octet-stream")


async def get_digest(_request: Request) -> Response:
    """GET /client/hcl.sha256: its SHA-256, as sha256sum prints it."""
    digest = hashlib.sha256(await asyncio.to_thread(build)).hexdigest()
    return PlainTextResponse(f"{digest}  hcl\n")
