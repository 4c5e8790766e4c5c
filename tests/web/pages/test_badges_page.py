import re
from html import unescape

import pytest

from tests.app import READ_KEY, ROOT, WRITE_KEY, App
from tests.store import put_check
from tests.web.pages.browsing import sign_in, text_of


def path_of(app: App, query: str = "", project: int = 0) -> str:
    return f"/projects/{app.synced.projects[project].code}/badges{query}"


def pasted(page: str) -> list[str]:
    """Return the texts to copy."""
    return [unescape(text) for text in re.findall(r'data-copy="([^"]*)"', page)]


def pictures(page: str) -> list[str]:
    return [unescape(text) for text in re.findall(r'<img src="([^"]*)"', page)]


async def test_there_is_one_for_all_for_each_tag_and_for_each_check(app: App) -> None:
    await sign_in(app, WRITE_KEY)
    check = await put_check(app.database, name="Backup", tags="db prod")

    page = (await app.http.get(path_of(app))).text

    every, db, prod, single = pasted(page)
    assert every.startswith(f"![hcl]({ROOT}/badge/")
    assert db.startswith(f"![db]({ROOT}/badge/")
    assert prod.endswith("/prod.svg)")
    assert single == f"![Backup]({ROOT}/b/3/{check.badge_key}.svg)"


async def test_of_many_tags_the_first_are_shown_and_others_found(app: App) -> None:
    await sign_in(app, READ_KEY)
    await put_check(app.database, tags=" ".join(f"t{i:05}" for i in range(13_000)))

    page = (await app.http.get(path_of(app))).text
    found = (await app.http.get(path_of(app, "?q=t12345"))).text

    assert len(pictures(page)) == 202
    assert "and 12,800 more: find them by their names." in text_of(page)
    assert "![t12345]" in pasted(found)[1]


async def test_every_picture_and_address_works(app: App) -> None:
    await sign_in(app, WRITE_KEY)
    await put_check(app.database, name="Backup", tags="a/b? <&> ü")

    for query in ("", "?format=json&states=2", "?syntax=url&states=2"):
        page = (await app.http.get(path_of(app, query))).text
        assert len(pictures(page)) == 5
        for picture in pictures(page):
            assert picture.startswith("/b")
            answer = await app.http.get(picture)
            assert answer.headers["Content-Type"] == "image/svg+xml"
        if query:
            for url in pasted(page):
                assert (await app.http.get(url)).status_code == 200


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "![Backup]({root}/b/3/{key}.svg)"),
        ("?states=2", "![Backup]({root}/b/2/{key}.svg)"),
        ("?syntax=html", '<img src="{root}/b/3/{key}.svg" alt="Backup">'),
        ("?syntax=url", "{root}/b/3/{key}.svg"),
        ("?format=json", "{root}/b/3/{key}.json"),
        ("?format=json&syntax=html", "{root}/b/3/{key}.json"),
        (
            "?format=shields&syntax=url",
            "https://img.shields.io/endpoint?url={quoted}%2Fb%2F3%2F{key}.shields",
        ),
        ("?format=x&states=9&syntax=%00&page=-1", "![Backup]({root}/b/3/{key}.svg)"),
    ],
)
async def test_what_is_asked_for_is_shown(app: App, query: str, text: str) -> None:
    await sign_in(app, WRITE_KEY)
    check = await put_check(app.database, name="Backup")

    page = (await app.http.get(path_of(app, query))).text

    quoted = ROOT.replace(":", "%3A").replace("/", "%2F")
    expected = text.format(root=ROOT, key=check.badge_key, quoted=quoted)
    assert pasted(page)[-1] == expected


async def test_names_can_break_neither_the_page_nor_what_is_pasted(app: App) -> None:
    await sign_in(app, WRITE_KEY)
    await put_check(app.database, name='<script>"x](y)\n!', tags='"><b>')

    page = (await app.http.get(path_of(app))).text
    html = (await app.http.get(path_of(app, "?syntax=html"))).text

    assert "<script>" not in page
    assert "<b>" not in page
    assert pasted(page)[-1].startswith('![\\<script\\>"x\\](y) \\!](')
    assert pasted(html)[-1].endswith('alt="&lt;script&gt;&quot;x](y) !">')


async def test_many_checks_come_in_pages_and_are_searched(app: App) -> None:
    await sign_in(app, WRITE_KEY)
    for number in range(60):
        await put_check(app.database, name=f"Check {number}", tags=f"t{number % 2}")

    first = (await app.http.get(path_of(app))).text
    second = (await app.http.get(path_of(app, "?page=2"))).text
    beyond = (await app.http.get(path_of(app, "?page=99999"))).text
    found = (await app.http.get(path_of(app, "?q=CHECK+17"))).text
    none = text_of((await app.http.get(path_of(app, "?q=nothing"))).text)

    assert len(pictures(first)) == 1 + 2 + 50
    assert len(pictures(second)) == len(pictures(beyond)) == 1 + 2 + 10
    assert "Page 1 of 2" in text_of(first)
    assert len(pictures(found)) == 2
    assert "No checks match." in none


async def test_rights(app: App) -> None:
    nameless = await put_check(app.database, name="")

    assert (await app.http.get(path_of(app))).status_code == 303
    await sign_in(app, READ_KEY)
    page = await app.http.get(path_of(app))
    assert page.status_code == 200
    assert nameless.badge_key in page.text
    assert nameless.code not in page.text
    assert (await app.http.get(path_of(app, project=1))).status_code == 404


async def test_code_cannot_be_found_out_by_the_search(app: App) -> None:
    nameless = await put_check(app.database, name="")
    await sign_in(app, READ_KEY)

    guesses = [nameless.code, nameless.code[:8], nameless.code[:4]]
    pages = [await app.http.get(path_of(app, f"?q={guess}")) for guess in guesses]
    found = await app.http.get(path_of(app, "?q=unnamed"))

    assert [nameless.badge_key in page.text for page in pages] == [False] * 3
    assert nameless.badge_key in found.text


async def test_who_may_change_a_check_finds_it_by_its_code(app: App) -> None:
    nameless = await put_check(app.database, name="")
    await sign_in(app, WRITE_KEY)

    page = await app.http.get(path_of(app, f"?q={nameless.code[:8]}"))

    assert nameless.badge_key in page.text
