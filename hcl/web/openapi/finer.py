"""The schemas of the rules that Healthchecks does not know."""

from hcl.checks import spec
from hcl.web.openapi.answers import Node


def _run_length(description: str) -> Node:
    return {
        "type": ["integer", "null"],
        "minimum": int(spec.SHORTEST_RUN.total_seconds()),
        "maximum": int(spec.LONGEST.total_seconds()),
        "default": None,
        "description": description,
    }


# What no client of Healthchecks knows: in answers only where it says something.
FINER: dict[str, Node] = {
    "max_run": _run_length(
        "Seconds within which a run must end; null: within `grace`. Not less than"
        " `min_run`."
    ),
    "min_run": _run_length(
        "A success that ends its run within fewer seconds is a failure; null: none is."
    ),
    "down_after": {
        "type": "integer",
        "minimum": 1,
        "maximum": spec.MOST_OUTCOMES,
        "default": 1,
        "description": "The check goes down at so many bad outcomes in a row: failures,"
        " missed pings, and runs that take too long.",
    },
    "early": {
        "type": "integer",
        "minimum": 0,
        "maximum": int(spec.EARLIEST.total_seconds()),
        "default": 0,
        "description": "A success up to so many seconds before an occurrence of the"
        " schedule counts for it.",
    },
}
