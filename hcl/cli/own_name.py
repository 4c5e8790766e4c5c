"""How the command `hcl` was called: so it is to be called again."""

import shlex
import shutil
import sys
from pathlib import Path


def own_name() -> str:
    """Return what to type for hcl: its path, where a shell would not find it."""
    typed = sys.argv[0]
    # Otherwise it was `python -m hcl`, or is the single file.
    if Path(typed).name != "hcl":
        return "hcl"
    found = shutil.which("hcl")
    is_found = found is not None and Path(found).resolve() == Path(typed).resolve()
    return "hcl" if is_found else shlex.quote(typed)
