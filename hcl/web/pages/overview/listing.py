"""The list of a project's checks: how they are counted, named, found and ordered."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hcl.model import ShownStatus, split_tags
from hcl.store.tallies import Line
from hcl.web.pages.dashboard.boards import Shown
from hcl.web.pages.overview.query import STATUSES, Query
from hcl.web.pages.wording import STATUS_WORDS
from hcl.words.lines import clean, counted
from hcl.words.natural import natural

# What needs somebody comes first.
_RANKS: dict[ShownStatus, int] = {
    "down": 0,
    "grace": 1,
    "up": 2,
    "started": 2,
    "new": 3,
    "paused": 4,
}


def counts(statuses: Counter[str], running: int) -> dict[str, int]:
    """Tell how many checks there are by status, and in all; who runs counts twice."""
    known = dict.fromkeys(STATUSES, 0) | {"all": statuses.total()} | statuses
    return known | {"started": running}


def counts_of(items: Sequence[Shown]) -> dict[str, int]:
    """Count checks as `counts` does."""
    running = sum(item.check.last_start is not None for item in items)
    return counts(Counter(item.status for item in items), running)


class Tally(NamedTuple):
    """How the checks of a tag fare: of each status so many."""

    name: str
    counts: Mapping[ShownStatus, int]

    @property
    def checks(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    @property
    def worst(self) -> ShownStatus:
        """The status that needs somebody most."""
        return min(self.counts, key=_RANKS.__getitem__)

    @property
    def is_wrong(self) -> bool:
        """Tell whether one of them is down or late."""
        return self.worst in ("down", "grace")

    @property
    def words(self) -> str:
        """Say how many are up, and of which others there are some."""
        up = f"{self.counts.get('up', 0)} of {self.checks} up"
        others = [
            f"{count} {STATUS_WORDS[status]}"
            for status in ("grace", "new", "paused")
            if (count := self.counts.get(status, 0))
        ]
        return ", ".join([up, *others])


def tags_of(texts: Mapping[str, Counter[ShownStatus]], most: int = 40) -> list[Tally]:
    """Return the tags that most checks have, those in trouble first, then by name.

    So many checks of each status have each text.
    """
    found: dict[str, Counter[ShownStatus]] = {}
    for text, counts_of_it in texts.items():
        for tag in split_tags(text):
            found.setdefault(tag, Counter()).update(counts_of_it)
    tags = [Tally(tag, of_it) for tag, of_it in found.items() if clean(tag)]
    tags.sort(key=lambda tag: tag.checks, reverse=True)
    return in_order(tags[:most])


def group_of(tags: str) -> str:
    """Return the group of a check with these tags: the first of them; "" for none."""
    return next(iter(split_tags(tags)), "")


def in_order(tallies: Iterable[Tally]) -> list[Tally]:
    """Return tags in the order that people look for them; what has none comes last."""
    return sorted(
        tallies,
        key=lambda of: (min(_RANKS[of.worst], 2), not of.name, natural(of.name)),
    )


def trouble(statuses: Mapping[str, int]) -> tuple[str, str]:
    """Return the icon for all checks together, and what the title begins with."""
    for status, icon in (("down", "down"), ("grace", "late")):
        if count := statuses.get(status, 0):
            return icon, f"({count} {icon}) "
    return "up", ""


def answer(statuses: Mapping[str, int]) -> str:
    """Say how all checks together are, as the head of the list."""
    for status, word in (("down", "down"), ("grace", "late")):
        if count := statuses.get(status, 0):
            return f"{counted(count, 'check')} {'is' if count == 1 else 'are'} {word}"
    count, up = statuses.get("all", 0), statuses.get("up", 0)
    if not count:
        return "No checks yet"
    if not up:
        return "No check is up"
    if up == count and up > 1:
        return f"All {up:,} checks are up"
    return f"{counted(up, 'check')} {'is' if up == 1 else 'are'} up"


def is_wanted(
    line: Line, status: ShownStatus, query: Query, *, by_code: bool = True
) -> bool:
    """Tell whether a check is asked for, by codes only if `by_code`."""
    if query.status and not (
        line.is_running if query.status == "started" else status == query.status
    ):
        return False
    if query.tags and not set(query.tags) <= set(split_tags(line.tags)):
        return False
    if not query.text:
        return True
    code = line.code if by_code else line.unique_key
    text = f"{line.name} {line.tags} {line.slug} {code}".casefold()
    return all(word in text for word in query.words)


# What a list is ordered by, and then by ids.
Key = tuple[Any, ...]


def key(line: Line, status: ShownStatus, sort: str) -> Key:
    """Return what a check is ordered by."""
    if sort == "last":
        return (-line.last_ping if line.last_ping else 0.0,)
    # Those without a name have nothing to be ordered by.
    name = not line.name, natural(line.name)
    return name if sort == "name" else (_RANKS[status], *name)
