"""What the URL of a list asks for, and what the list says of all checks and of tags."""

from collections import Counter
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from hcl.model import ShownStatus
from hcl.web.pages.overview import listing
from hcl.web.pages.overview.query import asked
from hcl.web.preferences import Preferences

BY_NAME = Preferences(sort="name", group="tag")


def test_url_holds_all_that_is_asked_for() -> None:
    text = "q=a+b&tag=%26y&tag=x&status=up&sort=name&group=tag&select=1"

    query = asked(QueryParams(f"{text}&page=3"), Preferences())

    assert query.href(page=3) == f"?{text}&page=3"
    assert query.href() == f"?{text}"
    assert query.words == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "kept", "sort", "group", "href"),
    [
        ("", Preferences(), "status", "none", "?"),
        # What is remembered counts where the URL says nothing, and links say it.
        ("", BY_NAME, "name", "tag", "?sort=name&group=tag"),
        # A link shows everybody the same, and stays so.
        ("sort=status", BY_NAME, "status", "tag", "?sort=status&group=tag"),
        ("group=none", BY_NAME, "name", "none", "?sort=name&group=none"),
        ("sort=last", Preferences(), "last", "none", "?sort=last"),
        ("sort=x&group=y", BY_NAME, "name", "tag", "?sort=name&group=tag"),
    ],
)
def test_order_is_that_of_the_url_or_the_one_remembered(
    text: str, kept: Preferences, sort: str, group: str, href: str
) -> None:
    query = asked(QueryParams(text), kept)

    assert (query.sort, query.group, query.href()) == (sort, group, href)
    assert asked(QueryParams(href[1:]), Preferences()).sort == sort


@pytest.mark.parametrize(
    ("counts", "answer"),
    [
        ({}, "No checks yet"),
        ({"all": 1, "down": 1}, "1 check is down"),
        ({"all": 1200, "down": 1100, "grace": 3}, "1,100 checks are down"),
        ({"all": 3, "grace": 1, "up": 2}, "1 check is late"),
        ({"all": 12, "up": 12, "started": 2}, "All 12 checks are up"),
        ({"all": 1, "up": 1}, "1 check is up"),
        ({"all": 3, "up": 1, "new": 1, "paused": 1}, "1 check is up"),
        ({"all": 2, "new": 1, "paused": 1}, "No check is up"),
    ],
)
def test_head_of_the_list_answers(counts: dict[str, int], answer: str) -> None:
    assert listing.answer(counts) == answer


def tally(**counts: int) -> listing.Tally:
    return listing.Tally("t", counts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("of", "worst", "words"),
    [
        (tally(up=4, down=1), "down", "4 of 5 up"),
        (tally(up=2, grace=1), "grace", "2 of 3 up, 1 late"),
        (tally(down=1, new=1), "down", "0 of 2 up, 1 new"),
        (tally(up=1, new=1), "up", "1 of 2 up, 1 new"),
        (tally(paused=2), "paused", "0 of 2 up, 2 paused"),
    ],
)
def test_tag_tells_its_worst_status(
    of: listing.Tally, worst: ShownStatus, words: str
) -> None:
    assert (of.worst, of.words) == (worst, words)
    assert of.is_wrong is (worst in ("down", "grace"))


def test_tags_in_trouble_come_first_then_by_name() -> None:
    texts: dict[str, Counter[Any]] = {
        "disk10 a": Counter(up=3),
        "disk2": Counter(up=1, new=1),
        "z a": Counter(down=1),
        "late": Counter(grace=1),
        "\u202e": Counter(up=9),
    }

    tags = listing.tags_of(texts, most=5)

    assert [(tag.name, tag.checks) for tag in tags] == [
        ("a", 4), ("z", 1), ("late", 1), ("disk2", 2), ("disk10", 3),
    ]  # fmt: skip
    assert len(listing.tags_of(texts, most=2)) == 2
