"""All the SQL, one module a table; functions read with their module.

Others import the whole (`from hcl import store`, `store.checks.by_code`), so that
`checks` and `flips` stay free for lists of them. Functions that write take the
connection that `Database.transaction` hands out, and commit with it.
"""

from hcl.store import (
    announcements,
    backups,
    channels,
    checks,
    declared,
    epoch,
    fixed,
    flips,
    inbox,
    latenesses,
    life,
    moved,
    mutes,
    notifications,
    outages,
    outbox,
    paces,
    pings,
    projects,
    reporting,
    restored,
    settings,
    tallies,
    tries,
    waiting,
    windows,
)

__all__ = [
    "announcements",
    "backups",
    "channels",
    "checks",
    "declared",
    "epoch",
    "fixed",
    "flips",
    "inbox",
    "latenesses",
    "life",
    "moved",
    "mutes",
    "notifications",
    "outages",
    "outbox",
    "paces",
    "pings",
    "projects",
    "reporting",
    "restored",
    "settings",
    "tallies",
    "tries",
    "waiting",
    "windows",
]
