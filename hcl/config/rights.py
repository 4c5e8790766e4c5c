"""What files hold, whose they are, whether they are there, why they may not be read."""

import os
from pathlib import Path

_DEVICES = Path("/dev")


def why_not(error: OSError, path: Path, otherwise: str = "run hcl as it") -> str:
    """Say why a file or a folder cannot be had, and the cure where rights are amiss.

    `otherwise` is what can be done instead of giving it to whom hcl runs as.
    """
    if not isinstance(error, PermissionError):
        return error.strerror or str(error)
    kept, owner = _nearest(path.absolute())
    user = os.geteuid()
    if owner == user:
        return f"the mode of {kept} forbids it; chmod it"
    problem = f"{kept} belongs to the user {owner}, and hcl runs as {user}"
    return f"{problem}; chown it, or {otherwise}"


def may_exist(path: Path) -> bool:
    """Tell whether something is there, or may be: who may not look cannot tell.

    Whoever opens it then hears why it cannot be read.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def is_no_file(path: Path) -> bool:
    """Tell whether a file is not to take a path's place: a pipe is there, or a folder.

    Or a link of the system's to what is open, as /dev/stdout. Raises OSError.
    """
    return path.exists() and not (path.is_file() and path.absolute().parent != _DEVICES)


def leave_to_owner_of(other: Path, fd: int) -> None:
    """Have root leave an open file to whose another one, or a folder, is.

    The server mostly runs as that user, and could not open it. Raises OSError.
    """
    if os.geteuid() == 0:
        owner = other.stat()
        os.fchown(fd, owner.st_uid, owner.st_gid)


def text_of(path: Path) -> str:
    """Return what a file holds. Raises OSError and UnicodeDecodeError.

    Editors of Windows put a mark before the first letter, which is left out.
    """
    return path.read_text(encoding="utf-8").removeprefix("\ufeff")


def not_utf8(error: UnicodeDecodeError, path: Path) -> str:
    """Say where a file is not UTF-8."""
    line = error.object[: error.start].count(b"\n") + 1
    return f"{path}:{line}: is not UTF-8; have your editor save it as that"


def _nearest(path: Path) -> tuple[Path, int]:
    """Return a path, or the lowest above it that may be asked about, and its owner."""
    try:
        return path, path.stat().st_uid
    except OSError:
        # It is in a folder that may not be entered.
        return _nearest(path.parent)
