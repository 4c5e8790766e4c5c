"""Pages for others: what anybody sees, and how often it is made."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from hcl import store
from hcl.web.pages.dashboard import kept
from tests.app import CONFIG, OTHER_WRITE_KEY, App, running_app
from tests.build import DAY, NOW
from tests.clocks import Times, a_clock
from tests.store import change, put_flip
from tests.web.api.calls import create
from tests.web.pages.browsing import sign_in, text_of

PAGES = """
[[projects.pages]]
slug = "all"
title = "Everything"
"""
TAGGED = """
[[projects.pages]]
slug = "home"
title = "At <home>"
tags = ["family", "shop"]
"""
# The last project of the file is Other, so that pages stand in it.
TEXT = CONFIG + PAGES + TAGGED
ATOM = "{http://www.w3.org/2005/Atom}"
SOON = kept.PACE + 0.1


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[App, Times]]:
    """The app with two pages of its project Other, and what drives its clock."""
    clock, times = a_clock()
    async with running_app(tmp_path, TEXT, clock=clock) as app:
        yield app, times


async def a_check(app: App, name: str, **fields: Any) -> str:
    """Create a check of the project with the pages; return its code."""
    asked = {"name": name, **fields}
    made = await app.api("POST", "checks/", json=asked, key=OTHER_WRITE_KEY)
    return str(made.json()["uuid"])


async def ping(app: App, code: str, signal: str = "") -> None:
    response = await app.http.get(f"/ping/{code}{signal}")
    assert response.status_code == 200


async def see(app: App, slug: str = "all") -> str:
    response = await app.http.get(f"/p/{slug}")
    assert response.status_code == 200
    return str(response.text)


async def test_page_tells_names_and_statuses_and_no_secrets(
    site: tuple[App, Times],
) -> None:
    app, times = site
    code = await a_check(app, "Mail", tags="family", desc="the cellar")
    await ping(app, code)
    times.run(60)
    down = await a_check(app, "Shop import", tags="shop")
    await app.http.post(f"/ping/{down}/fail", content=b"rsync: no space")
    times.run(38 * 60)

    page = await see(app)

    told = text_of(page)
    assert "1 of 2 is down Shop import, since today 12:01" in told
    assert "Mail up since today 100 %" in told
    assert "Shop import down 38 min" in told
    for secret in (code, down, "rsync", "cellar", OTHER_WRITE_KEY, "csrf", "sign-in"):
        assert secret not in page
    assert "Set-Cookie" not in (await app.http.get("/p/all")).headers


async def test_page_shows_checks_with_its_tags_in_groups(
    site: tuple[App, Times],
) -> None:
    app, _ = site
    for name, tags in (("A10", "shop x"), ("A2", "shop"), ("B", "family"), ("C", "x")):
        await a_check(app, name, tags=tags)
    await create(app, name="of another project", tags="shop")

    page = await see(app, "home")

    places = [page.index(f">{text}<") for text in ("family", "B", "shop", "A2", "A10")]
    assert places == sorted(places)
    assert ">C<" not in page
    assert "another" not in page
    assert "<h1>At &lt;home&gt;</h1>" in page


@pytest.mark.parametrize("slug", ["all", "all.atom"])
async def test_hostile_names_are_escaped(site: tuple[App, Times], slug: str) -> None:
    app, _ = site
    name = "<script>alert(1)</script>\"'&\x00\ufffe{{ 7*7 }}\u202e" + "宽" * 50
    await ping(app, await a_check(app, name), "/fail")

    page = await see(app, slug)

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert "\u202e" not in page


async def test_verdict_is_of_the_worst(site: tuple[App, Times]) -> None:
    app, times = site
    assert "Nothing is shown here yet" in await see(app)
    code = await a_check(app, "Mail", timeout=600, grace=600)
    times.run(SOON)
    assert "Nothing is down" in await see(app)
    await ping(app, code)
    await ping(app, await a_check(app, "Web"))
    times.run(SOON)
    assert "All 2 are up" in await see(app)

    # Nothing changes in the tables: what is shown does.
    times.run(601)
    late = await see(app)
    times.run(600)
    down = await see(app)

    assert "1 of 2 is late" in late
    assert "1 of 2 is down" in down


async def test_an_outage_goes_on_over_a_while_out_of_the_file(
    site: tuple[App, Times],
) -> None:
    app, times = site
    declared = '[[projects.checks]]\nslug = "nightly"\n'
    await app.reload(TEXT + declared)
    [check] = await store.checks.of_project(
        await app.database.current(), 2, slug="nightly"
    )
    await ping(app, check.code, "/fail")
    times.run(3600)
    await app.reload(TEXT)
    times.run(60)
    await app.reload(TEXT + declared)
    times.run(60)

    page, feed = await see(app), await see(app, "all.atom")
    assert "nightly, since today 12:00" in text_of(page)
    assert feed.count("<entry>") == 1

    await ping(app, check.code)
    times.run(SOON)
    assert "It was down for 1 hour 2 minutes." in await see(app, "all.atom")


@pytest.mark.parametrize(("signal", "told"), [("", "since"), ("/fail", "100 d")])
async def test_since_when_is_said_of_what_lasts_longer_than_the_bar_shows(
    site: tuple[App, Times], signal: str, told: str
) -> None:
    app, times = site
    asked = {"timeout": 31_536_000, "grace": 31_536_000}
    await ping(app, await a_check(app, "Web", **asked), signal)
    times.run(100 * DAY.total_seconds())

    assert told in text_of(await see(app)).replace("\N{NO-BREAK SPACE}", " ")


async def test_late_is_said_since_the_last_of_too_few_bad_outcomes(
    site: tuple[App, Times],
) -> None:
    app, times = site
    code = await a_check(app, "Mail", down_after=3)
    await ping(app, code)
    times.run(60)
    await ping(app, code, "/fail")
    times.run(38 * 60)

    told = text_of(await see(app))

    assert "Late Mail, since today 12:01 UTC" in told
    assert "Mail late 38 min" in told


async def test_outage_of_a_clock_that_was_ahead_is_not_to_come(
    site: tuple[App, Times],
) -> None:
    app, _ = site
    code = await a_check(app, "Mail")
    check = await store.checks.by_code(await app.database.current(), code)
    assert check is not None
    await put_flip(app.database, check, NOW + DAY)
    await change(app.database, "UPDATE check_states SET status = 'down'")

    told = text_of(await see(app))

    assert "Down Mail, since today 12:00 UTC" in told


async def test_maintenance_is_said_with_its_end(site: tuple[App, Times]) -> None:
    app, times = site
    await ping(app, await a_check(app, "Mail"))
    project = app.synced.projects[1]
    await see(app)

    now = app.clock.now()
    window = await app.parts.maintenance.open(project.id, timedelta(hours=2), now)
    times.run(SOON)

    told = text_of(await see(app))
    assert "Mail up in maintenance until today 14:00 UTC" in told
    await app.parts.maintenance.end(project.id, window.id, app.clock.now())
    times.run(SOON)
    assert "maintenance" not in await see(app)


async def test_unknown_pages_are_not_found_nor_those_that_a_reload_took_out(
    site: tuple[App, Times],
) -> None:
    app, _ = site
    await see(app)

    unknown = [await app.http.get(f"/p/{slug}") for slug in ("no", "ALL", "no.atom")]
    await app.reload(CONFIG + TAGGED.replace("At <home>", "Elsewhere"))
    gone = [await app.http.get(f"/p/{slug}") for slug in ("all", "all.atom")]

    assert {answer.status_code for answer in [*unknown, *gone]} == {404}
    assert "<h1>Elsewhere</h1>" in await see(app, "home")


async def test_headers_let_others_keep_it_for_a_moment(
    site: tuple[App, Times],
) -> None:
    app, _ = site

    first = await app.http.get("/p/all")
    again = await app.http.get(
        "/p/all", headers={"If-None-Match": f'"x", {first.headers["ETag"]}'}
    )
    bare = await app.http.get("/p/all", headers={"Accept-Encoding": "gzip;q=0, br"})
    packed = await app.http.get("/p/all", headers={"Accept-Encoding": "br, gzip"})

    assert first.headers["Cache-Control"] == "public, max-age=3"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert first.headers["X-Robots-Tag"] == "noindex"
    assert "default-src 'none'" in first.headers["Content-Security-Policy"]
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert "Content-Encoding" not in bare.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == bare.content


async def test_page_is_made_once_and_no_more_often_than_its_pace(
    site: tuple[App, Times],
) -> None:
    app, times = site
    codes = [await a_check(app, f"n{n}") for n in range(50)]
    first = await see(app)
    queries: list[str] = []
    await app.database.committed.set_trace_callback(queries.append)

    # Many at once, then one after another, while pings come.
    answers = await asyncio.gather(*(see(app) for _ in range(50)))
    await ping(app, codes[0])
    queries.clear()
    answers += [await see(app) for _ in range(20)]

    assert queries == []
    assert set(answers) == {first}
    times.run(SOON)
    together = await asyncio.gather(*(see(app) for _ in range(50)))
    assert len(set(together)) == 1
    assert 'n0</h3><p class="state is-up">' in together[0]
    # The lines, twice 50 checks and their flips in slices of 20.
    assert len(queries) <= 12


async def test_page_is_made_anew_after_a_minute_though_nothing_changed(
    site: tuple[App, Times],
) -> None:
    app, times = site
    await ping(app, await a_check(app, "Mail"), "/fail")
    before = await see(app)
    times.run(30)
    assert await see(app) == before

    times.run(31)

    assert "1\xa0min" in await see(app)


async def test_more_checks_than_fit_are_counted_and_trouble_stays(
    site: tuple[App, Times], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = site
    monkeypatch.setattr("hcl.web.pages.others.gathering.MOST_CHECKS", 3)
    for n in range(5):
        code = await a_check(app, f"n{n}")
    await ping(app, code, "/fail")

    page = await see(app)

    assert page.count('<li class="service">') == 3
    assert ">n4<" in page
    assert "and 2 more" in page
    assert "1 of 5 is down" in page


async def test_who_is_signed_in_sees_the_same(site: tuple[App, Times]) -> None:
    app, _ = site
    page = await see(app)

    await sign_in(app)

    assert await see(app) == page


async def test_feed_tells_what_went_down_and_came_up(
    site: tuple[App, Times],
) -> None:
    app, times = site
    code = await a_check(app, "Mail & more")
    await ping(app, code)
    times.run(60)
    await ping(app, code, "/fail")
    times.run(100 * 60)
    await ping(app, code)

    text = await see(app, "all.atom")
    feed = fromstring(text)
    times.run(61)
    again = fromstring(await see(app, "all.atom"))

    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == [
        "Mail & more is up again",
        "Mail & more is down",
    ]
    assert [entry.findtext(f"{ATOM}content") for entry in entries] == [
        "It was down for 1 hour 40 minutes.",
        "Down since 2026-06-15 12:01 UTC.",
    ]
    assert feed.findtext(f"{ATOM}updated") == "2026-06-15T13:41:00Z"
    assert feed.findtext(f"{ATOM}title") == "Everything"
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert ids == [e.findtext(f"{ATOM}id") for e in again.findall(f"{ATOM}entry")]
    assert len(set(ids)) == 2
    assert code not in text


async def test_feed_has_the_newest_changes_only(
    site: tuple[App, Times], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, times = site
    monkeypatch.setattr("hcl.web.pages.others.feeds.MOST_ENTRIES", 3)
    code = await a_check(app, "Mail")
    for _ in range(3):
        for signal in ("", "/fail"):
            await ping(app, code, signal)
            times.run(60)

    feed = fromstring(await see(app, "all.atom"))

    moments = [e.findtext(f"{ATOM}updated") for e in feed.findall(f"{ATOM}entry")]
    assert len(moments) == 3
    assert moments == sorted(map(str, moments), reverse=True)
