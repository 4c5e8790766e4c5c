"""The page that shows every part of pages, and the style sheets that make them."""

import re
from pathlib import Path

import pytest

from hcl.web import docs
from hcl.web.pages import static_files
from tests.app import READ_KEY, WRITE_KEY, App
from tests.web.pages.browsing import sign_in
from tests.web.pages.overview.test_checks import page

STATIC = Path(static_files.__file__).parent / "static"
DOCS_STYLE = Path(docs.__file__).parent / "static" / "docs.css"


@pytest.mark.parametrize("key", [WRITE_KEY, READ_KEY])
async def test_look_shows_every_part_of_pages(app: App, key: str) -> None:
    await sign_in(app, key)

    text = (await app.http.get("/look")).text

    for status in ("down", "grace", "up", "new", "paused"):
        assert f'class="row is-{status}"' in text
    tokens = (STATIC / "tokens.css").read_text()
    for name in re.findall(r"--([\w-]+): light-dark", tokens):
        assert f"<code>--{name}</code>" in text, name
    assert 'href="/look"' not in await page(app)


def test_styles_name_only_tokens() -> None:
    known = {*re.findall(r"(--[\w-]+):", (STATIC / "tokens.css").read_text())}
    # What parts say to one another.
    known |= {"--i", "--ink", "--pick", "--i-mail", "--i-wait"}
    styles = {*STATIC.glob("*.css"), DOCS_STYLE} - {STATIC / "tokens.css"}
    for style in styles:
        text = style.read_text()

        assert {*re.findall(r"var\((--[\w-]+)", text)} <= known, style
        # Shadows of menus, and what is clear, are no colours of parts.
        colours = {*re.findall(r"#[0-9a-f]{3,8}\b(?=[\s;,)])", text)}
        assert colours <= {"#0002", "#0000"}, style
