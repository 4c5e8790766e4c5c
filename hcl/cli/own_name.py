"""How the command `hcl` was called: so it is to be called again."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def single_file() -> Path | None:
    """Return the path of the single file hcl.pyz, if that is what runs."""
    path = os.environ.get("HCL_PYZ")
    return Path(path) if path else None


def own_name() -> str:
    """Return what to type for hcl: its path, where a shell would not find it."""
    if archive := single_file():
        words = [archive] if os.access(archive, os.X_OK) else [sys.executable, archive]
        return shlex.join(map(str, words))
    typed = sys.argv[0]
    # Otherwise it was `python -m hcl`.
    if Path(typed).name != "hcl":
        return "hcl"
    found = shutil.which("hcl")
    is_found = found is not None and Path(found).resolve() == Path(typed).resolve()
    return "hcl" if is_found else shlex.quote(typed)
