"""What tests of pages share: signing in, and reading what a page says."""

import re
from html import unescape

from tests.app import App


async def sign_in(app: App, key: str) -> None:
    """Sign in; whoever was before is not any more."""
    app.http.cookies.clear()
    answer = await app.http.post("/sign-in", data={"key": key, "next": ""})
    assert answer.status_code == 303, answer.text


def csrf_of(page: str) -> str:
    """Return the token that the page's forms bear."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, page
    return found[1]


def text_of(page: str) -> str:
    """Return what people read of a page, with single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())
