"""The dashboard as an app on a phone: what its browser is told."""

import re
import struct
from pathlib import Path

from tests.app import CONFIG, ROOT, App, running_app

PREFIXED = CONFIG.replace(ROOT, f"{ROOT}/watch")


async def test_pages_name_a_manifest_with_icons_of_the_sizes_that_they_have(
    app: App,
) -> None:
    page = (await app.http.get("/sign-in")).text
    [path] = re.findall(r'<link rel="manifest" href="([^"]+)"', page)
    [touch] = re.findall(r'<link rel="apple-touch-icon" href="([^"]+)"', page)

    answer = await app.http.get(path)
    icons = [(icon["src"], icon["sizes"]) for icon in answer.json()["icons"]]

    assert answer.headers["content-type"] == "application/manifest+json"
    assert (answer.json()["name"], answer.json()["start_url"]) == ("hcl", "/")
    assert "manifest-src 'self'" in answer.headers["content-security-policy"]
    assert {size for _, size in icons} == {"192x192", "512x512"}
    for src, size in (*icons, (touch, "180x180")):
        picture = await app.http.get(src)
        assert picture.headers["content-type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", picture.content[16:24])
        assert f"{width}x{height}" == size


async def test_app_stays_below_the_path_of_the_site(tmp_path: Path) -> None:
    async with running_app(tmp_path, PREFIXED) as app:
        manifest = (await app.http.get("/watch/manifest.webmanifest")).json()
        icon = await app.http.get(manifest["icons"][0]["src"])

    assert manifest["scope"] == manifest["start_url"] == "/watch/"
    assert icon.status_code == 200


async def test_there_are_no_other_icons(app: App) -> None:
    for name in ("app.svg", "none.png", "..%2froutes.py"):
        assert (await app.http.get(f"/icons/{name}")).status_code == 404


async def test_band_of_the_browser_has_the_colour_of_the_scheme(app: App) -> None:
    page = (await app.http.get("/sign-in")).text

    found = re.findall(r'"theme-color" content="([^"]+)" media="([^"]+)"', page)
    assert found == [
        ("#fff", "(prefers-color-scheme: light)"),
        ("#16191c", "(prefers-color-scheme: dark)"),
    ]
