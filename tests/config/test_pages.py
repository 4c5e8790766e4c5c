"""[[projects.pages]]: pages for others, and which are refused."""

import pytest

from hcl.config import PageConfig
from tests import toml
from tests.config import PROJECT, read, refusal

PAGE = "[[projects.pages]]\nslug = 'home'\ntitle = 'At home'\n"
PLACE = "projects[0].pages[0]"


def test_there_are_none_at_first() -> None:
    assert read(PROJECT).projects[0].pages == ()


def test_a_page_has_slug_title_and_tags_each_once() -> None:
    [page] = read(PROJECT + PAGE + "tags = ['nas', 'db', 'nas']\n").projects[0].pages

    assert page == PageConfig("home", "At home", ("nas", "db"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (PAGE.replace("home", "At home"), f"{PLACE}.slug: 'At home' does not fit"),
        (PAGE.replace("'home'", "''"), f"{PLACE}.slug: '' does not fit"),
        (PAGE.replace("'home'", "'x.atom'"), f"{PLACE}.slug: 'x.atom' does not fit"),
        (PAGE.replace("'At home'", "' '"), f"{PLACE}.title: is empty"),
        (PAGE + "tags = ['a b']", f"{PLACE}.tags[0]: 'a b' is not one tag"),
        (PAGE + "colour = 1", f"{PLACE}.colour: unknown key"),
        (PAGE * 2, f"projects[0].pages[1].slug: is the same as {PLACE}.slug"),
        (
            PAGE + toml.project("Work", "pk2") + PAGE,
            f"projects[1].pages[0].slug: is the same as {PLACE}.slug",
        ),
        (
            "".join(PAGE.replace("'home'", f"'p{n}'") for n in range(21)),
            "projects[0].pages[20].slug: is one too many",
        ),
    ],
)
def test_wrong_page_is_refused(text: str, problem: str) -> None:
    told = refusal(PROJECT + text).replace('"', "'")

    assert told.startswith(problem)
