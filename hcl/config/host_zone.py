"""The time zone of this machine, by its name."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

# Its other names; people know this one.
_UTC = ("Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu")


def host_zone(env: Mapping[str, str], etc: Path = Path("/etc")) -> str:
    """Name the zone of this machine as the system does; UTC if nobody names it.

    $TZ counts before what stands in `etc`.
    """
    name = next(filter(_is_zone, _candidates(env, etc)), "UTC")
    return "UTC" if name in _UTC else name


def _candidates(env: Mapping[str, str], etc: Path) -> Iterator[str]:
    # What begins with a colon is a file of zoneinfo, too.
    yield env.get("TZ", "").removeprefix(":").rpartition("zoneinfo/")[2]
    try:
        yield os.path.realpath(etc / "localtime").rpartition("zoneinfo/")[2]
        # Debian has it, also where localtime is a copy and no link.
        yield (etc / "timezone").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return


def _is_zone(name: str) -> bool:
    try:
        return bool(name) and bool(ZoneInfo(name))
    # What ZoneInfo raises for names that are no zones; a directory's is an OSError.
    except (KeyError, ValueError, OSError):
        return False
