"""The page of the APIs: all that the document says, and nothing from elsewhere."""

import re
import sys
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from hcl.web.docs import page as docs_page
from tests.app import CONFIG, ROOT, App, running_app
from tests.turns import turns_while

CSS = (files("hcl.web.docs") / "static/docs.css").read_text()
TOKENS = (files("hcl.web.pages") / "static/tokens.css").read_text()


class Page(HTMLParser):
    """What a test asks of a page: its tags with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [found[attribute] or "" for _, found in self.tags if attribute in found]


async def get_page(app: App) -> Page:
    response = await app.http.get("/docs/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return Page(response.text)


@pytest.fixture
async def page(app: App) -> Page:
    return await get_page(app)


async def test_page_tells_of_each_operation(app: App, page: Page) -> None:
    document: dict[str, Any] = (await app.http.get("/api/v3/openapi.json")).json()
    ids = page.values("id")

    for path, item in document["paths"].items():
        assert path in page.text
        first = next(found for name, found in item.items() if name != "parameters")
        assert first["operationId"] in ids
        parameters = [*item.get("parameters", []), *first.get("parameters", [])]
        for parameter in parameters:
            assert parameter["description"].replace("`", "") in page.text
    for schema in document["components"]["schemas"].values():
        for name, node in schema["properties"].items():
            assert name in page.text
            assert node["description"].replace("`", "") in page.text


async def test_examples_are_for_the_configured_addresses(tmp_path: Path) -> None:
    text = CONFIG.replace(
        "[server]", '[server]\nping_endpoint = "https://p.example/"', 1
    )

    async with running_app(tmp_path, text) as app:
        page = await get_page(app)

    assert 'curl -H "X-Api-Key: $KEY"' in page.text
    assert f"{ROOT}/api/v3/checks/" in page.text
    assert "https://p.example/homehomehomehomehome22/nightly-backup" in page.text
    assert f"{ROOT}/ping/" not in page.text


async def test_page_asks_nothing_of_other_hosts_and_runs_nothing(
    app: App, page: Page
) -> None:
    response = await app.http.get("/docs/")

    policy = response.headers["content-security-policy"]
    assert "default-src 'none'; style-src 'self'; img-src data:;" in policy
    assert "unsafe" not in policy
    assert not {"script", "img", "iframe", "style", "form"} & {t for t, _ in page.tags}
    assert not page.values("style")
    assert not page.values("src")
    assert [href for href in page.values("href") if not href.startswith("#")] == [
        "style.css",
        "../",
        "../",
        "./",
        "../api/v3/openapi.json",
    ]
    assert "url(" not in CSS
    assert not re.search(r"url\((?!\"data:)|@import", TOKENS)
    assert "@import" not in CSS


async def test_links_within_the_page_lead_somewhere(page: Page) -> None:
    ids = page.values("id")

    assert len(ids) == len(set(ids))
    for href in page.values("href") + [f"#{i}" for i in page.values("aria-labelledby")]:
        if href.startswith("#"):
            assert href[1:] in ids


async def test_style_sheet_is_served(app: App) -> None:
    response = await app.http.get("/docs/style.css")

    assert response.headers["content-type"] == "text/css; charset=utf-8"
    assert response.text == TOKENS + CSS


async def test_style_sheet_names_what_the_pages_have() -> None:
    used = set(re.findall(r"var\((--[\w-]+)\)", CSS))

    assert used <= set(re.findall(r"(--[\w-]+):", TOKENS + CSS))
    assert not re.search(r"#[0-9a-f]{3,6}\b", CSS)


async def test_dashboard_that_is_off_is_not_led_to(tmp_path: Path) -> None:
    text = f"[web]\nenabled = false\n{CONFIG}"

    async with running_app(tmp_path, text) as app:
        page = await get_page(app)

    assert "Checks" not in page.text.partition("API")[0]


async def test_page_without_its_slash_is_redirected(app: App) -> None:
    response = await app.http.get("/docs?a=1")

    assert response.status_code == 301
    assert response.headers["location"] == "/docs/?a=1"


@pytest.mark.parametrize("url", ["/docs/", "/docs/style.css"])
async def test_methods_of_the_page(app: App, url: str) -> None:
    assert (await app.http.head(url)).status_code == 200
    assert (await app.http.post(url)).status_code == 405


async def test_name_of_the_site_is_quoted(tmp_path: Path) -> None:
    text = CONFIG.replace("[server]", '[server]\nsite_name = "<b>&"', 1)

    async with running_app(tmp_path, text) as app:
        html = (await app.http.get("/docs/")).text

    assert "<b>" not in html
    assert unescape("&lt;b&gt;&amp;") in Page(html).text


async def test_page_follows_a_reload(app: App, tmp_path: Path) -> None:
    before = await get_page(app)
    text = CONFIG.replace(ROOT, "http://elsewhere.example")
    (tmp_path / "second").mkdir()

    async with running_app(tmp_path / "second", text) as other:
        app.parts.use(other.config, other.synced.projects, other.synced.secret)
        after = await get_page(app)

    assert "http://elsewhere.example/api/v3/" in after.text
    assert "http://elsewhere.example/api/v3/" not in before.text


# Colours


def colours(scheme: str) -> dict[str, str]:
    pattern = r"--([\w-]+): light-dark\((#[0-9a-f]{3,6}), (#[0-9a-f]{3,6})\)"
    column = {"light": 1, "dark": 2}[scheme]
    return {row[0]: _long(row[column]) for row in re.findall(pattern, TOKENS)}


def _long(colour: str) -> str:
    return colour if len(colour) == 7 else "#" + "".join(c * 2 for c in colour[1:])


def luminance(colour: str) -> float:
    """Work out WCAG's relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_seen_on_every_ground(scheme: str) -> None:
    found = colours(scheme)

    inks = ["text", "text-2", "accent", "up", "down", "late"]
    for ink, ground in product(inks, ["page", "surface", "sunken"]):
        pair = sorted([luminance(found[ink]), luminance(found[ground])])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (ink, ground)


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    """Have threads hand over to one another soon, on a busy machine too."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hurried_threads")
async def test_pings_need_not_wait_until_it_is_made(app: App) -> None:
    docs_page.render.cache_clear()

    response, turns = await turns_while(app.http.get("/docs/"))

    assert response.status_code == 200
    # Else there are four or five.
    assert turns > 10
