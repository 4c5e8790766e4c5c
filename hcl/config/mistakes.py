"""All that is wrong with hcl.toml at once, each with its line and a name."""

import copy
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hcl.config.keys import KEYS
from hcl.config.loading import check_files, parse, read_data
from hcl.config.places import described
from hcl.config.reading import ConfigError, Spot
from hcl.config.settings import Config

# More than anybody reads.
MOST = 50

# What stands in for a value that is wrong where others lean on it: without these each
# would seem to be wrong too.
_STAND_INS: dict[tuple[str, str], str | list[str]] = {
    ("smtp", "host"): "localhost",
    ("smtpd", "domain"): "localhost",
    ("server", "trusted_proxies"): [],
    ("web", "user_header"): "X-User",
    ("projects.checks", "schedule"): "* * * * *",
}
# Of a channel: it tells of all that one of another kind may have told.
_COMMANDS = dict.fromkeys(KEYS["projects.channels:shell"], "true")


def mistakes(path: Path, env: Mapping[str, str] = os.environ) -> list[str]:
    """Return a line for each mistake in a file, in the order in which they stand there.

    Raises ConfigError if it cannot be read, or is not TOML.
    """
    return judged(path, env)[1]


def judged(
    path: Path, env: Mapping[str, str] = os.environ
) -> tuple[Config | None, list[str]]:
    """Read a file once; return it if it is right, else its mistakes, `MOST` at most.

    Raises ConfigError as `mistakes` does.
    """
    text, original = read_data(path)
    data, base = copy.deepcopy(original), path.absolute().parent
    spots: list[Spot] = []
    told: set[tuple[str, str]] = set()
    # As many may follow from others.
    for _ in range(2 * MOST):
        try:
            config = parse(data, base, str(path), env)
            check_files(config, str(path))
        except ConfigError as error:
            if error.spot is None:
                raise
            spot = error.spot
            if (spot.table, spot.key) in told or _follows(spot, spots):
                # It is told already, and so it goes as a whole.
                _remove(data, spot)
                continue
            spots.append(_without_stand_ins(spot))
            if len(spots) == MOST:
                break
            told |= {(spot.table, spot.key), (spot.table, spot.meant)}
            _mend(data, spot)
        else:
            if not spots:
                return config, []
            break
    lines = [described(spot, text, original, str(path)) for spot in spots]
    return None, list(dict.fromkeys(line for _, line in sorted(lines)))


def _follows(spot: Spot, others: list[Spot]) -> bool:
    """Tell whether a mistake is there only since another was taken out."""
    lacks = spot.problem.startswith(("is missing", "has no url"))
    return any(
        (lacks and other.table.startswith(f"{spot.table}.") and spot.table)
        or (lacks and other.table == spot.table and "unknown key" in other.problem)
        # The table as a whole is misspelt.
        or (not other.table and f"needs {other.meant or ' '}." in spot.problem)
        or (other.key == "name" and _is_named(spot.problem, other.table))
        for other in others
    )


def _is_named(problem: str, table: str) -> bool:
    """Tell whether something is missed that may be what a table cannot name."""
    kind = re.sub(r".*\.|s?\[\d+\]", "", table)
    return bool(re.match(rf"no (other )?{kind}\b.* is named ", problem))


def _without_stand_ins(spot: Spot) -> Spot:
    """Keep from a list of what is allowed what nobody wrote."""
    problem = re.sub(r', "stand-in-[^"]*"|"stand-in-[^"]*"(, )?', "", spot.problem)
    return replace(spot, problem=problem)


def _mend(data: dict[str, Any], spot: Spot) -> None:
    """Take a mistake out of a file, so that the next one can be found."""
    table = _table(data, spot.table)
    stand_in = _stand_in(spot)
    if stand_in is not None:
        table[spot.key] = stand_in
    elif spot.meant and spot.meant not in table and not _is_table(table[spot.key]):
        # Of a word that is misspelt nothing else is wrong.
        table[spot.meant] = table.pop(spot.key)
    elif spot.key in table and not _names_check(spot):
        del table[spot.key]
    else:
        _remove(data, spot)


def _stand_in(spot: Spot) -> str | list[str] | None:
    """Return what to put in the place of a value; None: it may be missing."""
    kind = re.sub(r"\[\d+\]", "", spot.table)
    if kind == "projects.keys" and spot.key in ("key", "key_sha256", "key_hmac"):
        # No two keys may be the same.
        digest = hashlib.sha256(spot.table.encode()).hexdigest()
        return digest[:32] if spot.key == "key" else digest
    return _STAND_INS.get((kind, spot.key))


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, dict) for item in value)
    )


def _names_check(spot: Spot) -> bool:
    return spot.key == "slug" and ".checks[" in spot.table


def _remove(data: dict[str, Any], spot: Spot) -> None:
    """Put something in the place of a table that cannot be read as it is."""
    channel = re.fullmatch(r"projects\[\d+\]\.channels\[\d+\]", spot.table)
    table = _table(data, spot.table)
    name = table.get("name")
    unique = f"stand-in-{spot.table}".replace("[", "-").replace("]", "")
    if channel:
        # Others may refer to it by its name.
        is_name = isinstance(name, str) and name.strip() == name != ""
        stands = str(name) if is_name else unique
        # What every kind has is still read.
        kept = {key: table[key] for key in table if key in KEYS["projects.channels"]}
        table.clear()
        table |= kept
        table |= {"name": stands.replace(",", " "), "kind": "shell", **_COMMANDS}
    elif re.fullmatch(r"projects\[\d+\]\.checks\[\d+\]", spot.table):
        # What else is wrong with it is still to be told.
        table.pop(spot.key, None)
        table["slug"] = unique.replace(".", "-")
    elif re.fullmatch(r"projects\[\d+\]", spot.table):
        table[spot.key] = re.sub(r"\W", "-", unique)
    elif item := re.fullmatch(r"(.*)\.(\w+)\[(\d+)\]", spot.table):
        del _table(data, item[1])[item[2]][int(item[3])]
    elif spot.table:
        around, _, key = spot.table.rpartition(".")
        _table(data, around).pop(key, None)
    else:
        data.setdefault("projects", [{"name": unique, "ping_key": unique}])


def _table(data: dict[str, Any], path: str) -> dict[str, Any]:
    at: Any = data
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", path):
        at = at[int(index)] if index else at[name]
    return at  # type: ignore[no-any-return]  # the reader went the same way
