"""Every page, in both colour schemes and on a phone: can all people use it?"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from hcl.checks import mute_links
from tests.browser.chromium import AXE, Browser, Keys
from tests.browser.conftest import project_of
from tests.browser.made_up import HOSTILE
from tests.server.process import API_KEY, Serve

# In the second only colours are others: what else there is has been judged.
SCHEMES: dict[str, tuple[str, ...]] = {"light": (), "dark": ("color-contrast",)}

# Which element has the focus, and whether that can be seen.
_FOCUS = """
const element = document.activeElement;
// Of a row that is a link as a whole the row is outlined.
const own = getComputedStyle(element), over = getComputedStyle(element, '::after');
const style = over.outlineStyle !== 'none' ? over : own;
return [
    element.tagName.toLowerCase(),
    (element.ariaLabel || element.innerText || element.name || '').trim(),
    style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1
        || style.boxShadow !== 'none',
]
"""


def pages(browser: Browser, server: Serve) -> dict[str, str]:
    """Return where each page is, by what it shows; the browser is on the list."""
    project = project_of(browser)
    codes = {c["name"]: c["uuid"] for c in server.api("GET", "checks/")["checks"]}
    nightly, down = codes["Nightly backup"], codes["Off-site copy"]
    unheard = codes["Heating logger"]
    return {
        "list": project,
        "list, nothing found": f"{project}?q=zzz",
        "list, in groups": f"{project}?group=tag",
        "mute by a link": mute_links.path(secret_of(server), down, timedelta(hours=1)),
        "no such page": "/0000-4000",
        "wall": f"{project}wall",
        "look": "/look",
        "new": f"{project}new",
        "integrations": f"{project}integrations",
        "integrations, one more": f"{project}integrations?add=email",
        "integrations, of a check": f"{project}integrations?check={down}",
        "docs": "/docs/",
        "maintenance": f"{project}maintenance",
        "badges": f"{project}badges",
        "server": "/server",
        "check": f"/checks/{nightly}",
        "check, down": f"/checks/{down}",
        "check, unheard": f"/checks/{unheard}",
        "check, new": f"/checks/{codes['Invoice run']}",
        "check, odd": f"/checks/{codes[HOSTILE[:100]]}",
        "log": f"/checks/{nightly}/log",
        "log, filtered": f"/checks/{down}/log?kind=fail&from=2020-01-01",
        "clear": f"/checks/{nightly}/clear",
        "ping": f"/checks/{nightly}/pings/240",
        "edit": f"/checks/{nightly}/edit",
        "delete": f"/checks/{nightly}/delete",
        "for others": "/p/all",
        "no such check": "/checks/00000000-0000-4000-8000-000000000000",
    }


def secret_of(server: Serve) -> str:
    """Return what the server signs links with."""
    with closing(sqlite3.connect(server.folder / "hcl.sqlite")) as connection:
        found = connection.execute("SELECT value FROM settings WHERE name = 'secret'")
        return str(found.fetchone()[0])


@pytest.fixture
def places(signed_in: Browser, server: Serve) -> Iterator[dict[str, str]]:
    yield pages(signed_in, server)
    # A page that is not there is told of by the console too.
    signed_in.note()
    signed_in.complaints = [
        complaint for complaint in signed_in.complaints if "0000-4000" not in complaint
    ]


def test_axe_finds_nothing_wrong(signed_in: Browser, places: dict[str, str]) -> None:
    browser = signed_in
    if not AXE.exists():
        pytest.skip(f"needs {AXE}: scripts/install gets it, if there is npm")
    wrongs = []
    for name, path in places.items():
        browser.open(path)
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        for scheme, rules in SCHEMES.items():
            browser.scheme(scheme)
            wrongs += [f"{name}, {scheme}: {wrong}" for wrong in browser.axe(*rules)]
    browser.sign_out()
    browser.open("/sign-in")
    for scheme, rules in SCHEMES.items():
        browser.scheme(scheme)
        wrongs += [f"sign-in, {scheme}: {wrong}" for wrong in browser.axe(*rules)]

    assert not wrongs, "\n".join(wrongs)


def test_no_page_scrolls_sideways(signed_in: Browser, places: dict[str, str]) -> None:
    browser = signed_in
    wide = []
    for width in (320, 1280):
        browser.size(width)
        for name, path in places.items():
            browser.open(path)
            taken = browser.run("return document.documentElement.scrollWidth")
            if taken > width:
                wide.append((name, width, taken))

    assert wide == []


# What a header shows who has long names, and a check that was down for long, and runs
# for longer than its like.
_LONG = """
const menu = `<details class="menu"><summary>${'W'.repeat(100)}</summary></details>`;
document.querySelector('.top .brand').insertAdjacentHTML('afterend', menu);
document.querySelector('.top > .menu.end').outerHTML = menu;
document.querySelector('.three .facts').insertAdjacentHTML('beforeend',
    `<dt>Running</dt><dd><p class="running"><span class="run">Running
    <time>1&nbsp;h 12&nbsp;min</time> of about 1&nbsp;min&nbsp;25&nbsp;s</span></dd>`);
for (const cell of document.querySelectorAll('.shares td:last-child'))
    cell.textContent = '58\u00a0min\u00a025\u00a0s';
"""


def test_what_may_be_long_leaves_a_page_as_wide_as_the_screen(
    signed_in: Browser, places: dict[str, str]
) -> None:
    browser = signed_in
    browser.size(320)
    browser.open(places["check, down"])

    browser.run(_LONG)

    assert browser.run("return document.documentElement.scrollWidth") <= 320


def test_sign_in_and_the_list_go_by_keyboard(browser: Browser) -> None:
    browser.open("/sign-in")
    # The field has the focus already.
    browser.driver.switch_to.active_element.send_keys(API_KEY)
    press(browser, Keys.TAB)
    assert browser.run(_FOCUS)[1:] == ["Sign in", True]
    press(browser, Keys.ENTER)
    browser.until("return location.pathname.startsWith('/projects/')")

    reached, unseen = [], []
    for _ in range(60):
        press(browser, Keys.TAB)
        tag, label, is_seen = browser.run(_FOCUS)
        if tag == "body":
            break
        reached.append(label)
        if not is_seen:
            unseen.append(label)

    assert reached[0] == "Skip to the content"
    for label in ("Integrations", "Server", "New check", "Nightly backup"):
        assert label in reached
    assert any(label.startswith("Search") for label in reached)
    assert unseen == []


def test_the_way_to_the_content_is_short(signed_in: Browser) -> None:
    press(signed_in, Keys.TAB, Keys.ENTER)

    assert signed_in.run("return document.activeElement.id") == "main"


def test_a_menu_that_is_closed_gives_the_focus_back(signed_in: Browser) -> None:
    signed_in.one("#view > summary").send_keys(Keys.ENTER)
    press(signed_in, Keys.TAB, Keys.ESCAPE)

    left = signed_in.run(
        "return [document.querySelector('#view').open, document.activeElement.tagName]"
    )
    assert left == [False, "SUMMARY"]


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        browser.driver.switch_to.active_element.send_keys(key)
