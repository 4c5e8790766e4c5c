from datetime import timedelta

from hcl.web.links import LIFETIME, SignInLinks
from tests.alerts import NOW


def test_link_works_once() -> None:
    links = SignInLinks()
    link = links.make("digest", NOW)

    assert links.take(link, NOW) == "digest"
    assert links.take(link, NOW) == ""


def test_link_ends_by_itself() -> None:
    links = SignInLinks()
    old, young = (links.make("digest", NOW) for _ in range(2))

    assert links.take(old, NOW + LIFETIME) == ""
    assert links.take(young, NOW + LIFETIME - timedelta(seconds=1)) == "digest"


def test_nobody_guesses_a_link() -> None:
    links = SignInLinks()

    assert len({links.make("digest", NOW) for _ in range(100)}) == 100
    assert links.take("", NOW) == links.take("a" * 22, NOW) == ""
