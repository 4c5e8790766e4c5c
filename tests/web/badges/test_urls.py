"""URLs of badges: tags of any characters, wrong signatures, and what is no badge."""

from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import fromstring

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hcl.web.badges.badges import signature
from tests.app import CONFIG, OTHER_WRITE_KEY, App
from tests.server.process import Serve, curl
from tests.web.api.calls import create
from tests.web.badges.test_badges import FORMATS, KINDS, badges_of, check_with, get_json


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


# Tags of any characters

TAGS = [
    *("a/b", "/", "//a//", "a/../b", "..", ".", "a?b", "a#b", "a%2Fb", "%", "%25"),
    *('"', "'", "<b>", "a&b", "a\\b", "+", "{}", "a:b@c", "a.svg", ".json", "a\nb"),
    *(
        "ü",
        "u\u0308",
        "夜間",
        "😀",
        "👩‍👩‍👧",
        "שלום",
        "\u202ex",
        "\ufffd",
        "\U0010ffff",
    ),
    *("a\0b", "\x01", "\x7f", "x" * 490, "-2", "prod-2", "*a", "badge", "$", "^a|b"),
]


@pytest.mark.parametrize("tag", TAGS)
async def test_tag_of_any_characters_has_badges(app: App, tag: str) -> None:
    await check_with(app, "grace", tags=f"x {tag} y")
    await check_with(app, "down", tags="other")

    urls = (await badges_of(app))[tag]

    for kind in KINDS:
        response = await app.http.get(urls[kind])
        assert response.status_code == 200, kind
        if kind.startswith("json"):
            assert response.json()["total"] == 1
        elif kind.startswith("shields"):
            assert response.json()["label"] == tag
        else:
            fromstring(response.content)
    assert (await get_json(app, urls["json3"]))["status"] == "late"


async def test_badges_work_through_a_real_server(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        for tag in TAGS:
            serve.api("POST", "checks/", name=tag[:100], tags=tag)
        down = serve.api("POST", "checks/", name="Nightly", tags="last")
        curl(f"{down['ping_url']}/fail")
        badges = serve.api("GET", "badges/")["badges"]

        assert set(badges) == {*TAGS, "last", "*"}
        for tag in TAGS:
            shields = read(badges[tag]["shields"])
            assert (shields["label"], shields["message"]) == (tag, "up")
        assert read(badges["*"]["json"])["down"] == 1
        assert "Nightly: down" in curl(down["badge_url"])
        head = curl("--head", badges["last"]["svg3"])
        assert "content-type: image/svg+xml\n" in head.lower()
        assert "</svg>" not in head


def read(url: str) -> dict[str, Any]:
    response = httpx2.get(url, trust_env=False, verify=False)
    assert response.status_code == 200, url
    # curl and httpx2 each have ways of their own to mend URLs.
    assert curl(url) == response.text
    return dict(response.json())


async def test_slash_that_a_proxy_decoded_is_understood(app: App) -> None:
    await create(app, tags="a/b")

    url = (await badges_of(app))["a/b"]["json"].replace("%2F", "/")

    assert (await get_json(app, url))["total"] == 1


@pytest.mark.parametrize("tag", [tag for tag in TAGS if quote(tag, safe="") != tag])
async def test_tag_that_was_quoted_twice_is_found(app: App, tag: str) -> None:
    await create(app, tags=tag)

    urls = (await badges_of(app))[tag]
    twice = quote(quote(tag, safe=""), safe="")

    for kind in ("json", "json3"):
        start, _, _ = urls[kind].rpartition("/")
        assert (await get_json(app, f"{start}/{twice}.json"))["total"] == 1
        assert await wrong(app, f"{start}/{quote(twice)}.json")


async def test_tag_that_looks_quoted_is_found_before_the_other(app: App) -> None:
    await create(app, tags="a/b a%2Fb")
    await create(app, tags="a/b")

    urls = await badges_of(app)

    assert (await get_json(app, urls["a/b"]["json"]))["total"] == 2
    assert (await get_json(app, urls["a%2Fb"]["json"]))["total"] == 1


# What is no badge


async def wrong(app: App, url: str) -> bool:
    response = await app.http.get(url)
    return response.status_code == 404


async def test_wrong_signatures_are_not_found(app: App) -> None:
    await create(app, tags="a b")
    badges = await badges_of(app)
    other = await badges_of(app, key=OTHER_WRITE_KEY)
    url, all_checks = badges["a"]["json3"], badges["*"]["json3"]
    sign = url.split("/")[-2]

    flipped = ("B" if sign[0] == "A" else "A") + sign[1:]
    for part in (
        *(flipped, sign[:7], sign[1:], f"{sign}x", f"{sign}-3", f"{sign}-2-2"),
        *(f"{sign}-", f"{sign}2", sign.swapcase(), "%20" + sign, "a" * 8, "ü" * 8),
        all_checks.split("/")[-1].removesuffix(".json"),
        badges["b"]["json3"].split("/")[-2],
        other["*"]["json3"].split("/")[-1].removesuffix(".json"),
    ):
        assert await wrong(app, url.replace(sign, part)), part
    # One tag's signature shows neither another tag nor all checks.
    assert await wrong(app, url.replace("/a.json", "/b.json"))
    assert await wrong(app, url.replace("/a.json", "/A.json"))
    assert await wrong(app, url.replace("/a.json", "/.json"))
    assert await wrong(app, url.replace("/a.json", ".json"))
    assert not await wrong(app, url)


@pytest.mark.parametrize(
    "end", ["png", "SVG", "svg3", "", "svg.", "svg/", "svg%0A", "json%00", "svg.svgz"]
)
async def test_other_formats_are_not_found(app: App, end: str) -> None:
    check = await create(app, tags="a")
    badges = await badges_of(app)

    for url in (badges["a"]["svg"], badges["*"]["svg"], check["badge_url"]):
        assert await wrong(app, url.removesuffix("svg") + end)


async def test_url_without_a_format_is_not_found(app: App) -> None:
    check = await create(app, tags="a")
    badges = await badges_of(app)

    for url in (badges["a"]["svg"], badges["*"]["svg"], check["badge_url"]):
        assert await wrong(app, url.removesuffix(".svg"))


@pytest.mark.parametrize("states", ["0", "1", "4", "23", "02", "-2", "x", ""])
async def test_checks_have_badges_of_two_and_three_states(
    app: App, states: str
) -> None:
    check = await create(app)

    assert await wrong(app, check["badge_url"].replace("/b/2/", f"/b/{states}/"))


async def test_unknown_keys_are_not_found(app: App) -> None:
    check = await create(app, tags="a")
    badges = await badges_of(app)
    key = badges["a"]["svg"].split("/")[4]
    known = check["badge_url"].split("/")[-1]

    for other in ("x", "", key.upper(), f"{key}%0A", f"{key}%2Fx", "ü", "%ff", "%00"):
        sign = signature(app.parts.secret, other, "a")
        assert await wrong(app, f"/badge/{other}/{sign}/a.svg"), other
    unnamed = signature(app.parts.secret, "nobody", "*")
    assert await wrong(app, f"/badge/nobody/{unnamed}.json")
    # Neither by its UUID nor in capitals.
    for other in (check["uuid"] + ".svg", known.upper(), "x.svg", f"x{known}", ".svg"):
        assert await wrong(app, f"/b/2/{other}"), other


async def test_project_taken_out_of_the_file_has_no_badges(app: App) -> None:
    check = await create(app, tags="a")
    badges = await badges_of(app)
    urls = [badges["a"]["svg"], badges["*"]["json"], check["badge_url"]]
    home, _, rest = CONFIG.partition('[[projects]]\nname = "Other"')
    kept = home.partition("[[projects]]")[0] + '[[projects]]\nname = "Other"' + rest

    await app.reload(kept)
    without = [(await app.http.get(url)).status_code for url in urls]
    await app.reload(CONFIG)
    back = [(await app.http.get(url)).status_code for url in urls]

    assert (without, back) == ([404] * 3, [200] * 3)


@pytest.mark.parametrize("path", ["/badge", "/badge/", "/b", "/b/", "/b/2", "/b/2/"])
async def test_nothing_is_found_above_badges(app: App, path: str) -> None:
    assert await wrong(app, path)


HOSTILE = st.text(max_size=30).map(lambda text: quote(text, safe="/%.-_~"))
SIGNED = st.text(max_size=12).filter(lambda tag: tag not in ("", "*"))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=150,
)
@given(st.sampled_from(["/badge/", "/b/", "/b/2/"]), HOSTILE, HOSTILE)
async def test_no_url_below_badges_is_an_error(
    app: App, start: str, path: str, query: str
) -> None:
    response = await app.http.get(f"{start}{path}?{query}")

    assert response.status_code == 404


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=150,
)
@given(SIGNED, st.sampled_from(["", "-2"]), st.sampled_from(FORMATS))
async def test_every_signed_tag_is_a_badge(
    app: App, tag: str, states: str, fmt: str
) -> None:
    key = app.synced.projects[0].badge_key
    sign = signature(app.parts.secret, key, tag)

    url = f"/badge/{key}/{sign}{states}/{quote(tag, safe='')}.{fmt}"
    response = await app.http.get(url)

    assert response.status_code == 200
    if fmt == "svg":
        fromstring(response.content)
