"""A check that hcl.toml declares: where it stands, in the place of a form."""

from typing import Any

from hcl.model import Check, Project
from hcl.web.pages.visit.visit import Visit
from hcl.words.lines import one_line
from hcl.words.names import title

# What is told where a form wants a slug for itself.
SLUG_TAKEN = "A check that is declared in hcl.toml has this slug."


def facts(visit: Visit, project: Project, check: Check, wanted: str) -> dict[str, Any]:
    """Return what tells where to change the check; `wanted` is what is to be done."""
    return {
        # What was sent is refused.
        "status": 409 if visit.request.method == "POST" else 200,
        "project": project,
        "nav": "checks",
        "check": check,
        "title": title(check),
        "one_line": one_line,
        "wanted": wanted,
        "file": str(visit.parts.config.path),
    }
