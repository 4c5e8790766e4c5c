"""What is remembered of checks between batches of pings."""

from collections.abc import Iterable

from hcl.model import Check

# So many checks are remembered, at about a kilobyte each.
LIMIT = 200_000


class Memory:
    """The checks that pings came for lately, as their last committed ping left them.

    `unsaved` are those whose state in the database is older: each of their pings is in
    the inbox, and from it the state can be worked out anew.
    """

    def __init__(self) -> None:
        self.checks: dict[int, Check] = {}
        self.by_code: dict[str, int] = {}
        self.by_slug: dict[tuple[str, str], list[int]] = {}
        self.unsaved: dict[int, Check] = {}

    @property
    def is_full(self) -> bool:
        """Tell whether it is time to forget."""
        return len(self.checks) >= LIMIT

    def forget(self) -> None:
        """Forget all that the database knows as well."""
        self.checks = dict(self.unsaved)
        self.by_code = {check.code: check.id for check in self.unsaved.values()}
        self.by_slug = {}

    def take(self, found: Iterable[Check]) -> None:
        """Remember checks that were read from the database."""
        for check in found:
            # What is unsaved is newer than what was read.
            self.checks.setdefault(check.id, check)
            self.by_code[check.code] = check.id
