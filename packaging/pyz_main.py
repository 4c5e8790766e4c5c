"""What hcl.pyz does first: unpack itself, once for each release, and run from there.

hcl reads files beside its modules, and starts a process by the path of one: neither can
be within an archive.
"""

import os
import sys
import tempfile
import zipfile
from pathlib import Path


def main() -> None:
    """Become hcl."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts it may have any
        sys.exit(
            "Error: hcl needs Python 3.11 or newer, and this is"
            f" {sys.version.split()[0]}; start it with another: python3.11 hcl.pyz"
        )
    archive = Path(sys.argv[0]).resolve()
    with zipfile.ZipFile(archive) as unpacked:
        name = unpacked.comment.decode()
        folder = _cache() / name
        if not folder.is_dir():
            _unpack(unpacked, folder)
    given = os.environ.get("PYTHONPATH", "")
    env = os.environ | {
        # The modules of this archive count before whatever else is installed.
        "PYTHONPATH": os.pathsep.join(filter(None, (str(folder / "site"), given))),
        # As which it is to be called again, by units and jobs; those get neither.
        "HCL_PYZ": str(archive),
    }
    os.execve(sys.executable, [sys.executable, "-P", "-m", "hcl", *sys.argv[1:]], env)


def _cache() -> Path:
    """Return a folder of the user's own: nobody else may put modules there."""
    told = os.environ.get("XDG_CACHE_HOME") or os.environ.get("CACHE_DIRECTORY")
    folder = Path(told or Path.home() / ".cache") / "hcl"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        sys.exit(f"Error: {folder}: {error.strerror}; set XDG_CACHE_HOME to a folder")
    return folder


def _unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        whole = Path(beside) / "whole"
        archive.extractall(whole)
        try:
            whole.rename(folder)
        except OSError:
            # Another one has been quicker.
            if not folder.is_dir():
                raise


if __name__ == "__main__":
    main()
