"""Seven in the morning: what the list answers at once, on a screen and on a phone."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import AXE, Browser, By, Keys
from tests.browser.conftest import READ_KEY, project_of
from tests.server.process import Serve, curl

# What somebody can press, and how high and wide it is.
_TARGETS = """
const link = (element) => {
  const own = element.getBoundingClientRect();
  const over = getComputedStyle(element, '::after');
  if (over.position !== 'absolute') return [own.width, own.height];
  const row = element.closest('.row').getBoundingClientRect();
  return [row.width, row.height];
};
return [...document.querySelectorAll('main a, main button, main input, main summary')]
  .filter((element) => element.checkVisibility() && element.offsetParent)
  .map((element) => [element.outerHTML.slice(0, 80), ...link(element)])
  .filter(([, width, height]) => width < 24 || height < 24);
"""
_IN_SIGHT = """
return [...document.querySelectorAll('.row')].filter((row) => {
  const { top, bottom } = row.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}).length;
"""
# Where all that is not a row stands.
_STANDS = """
return [...document.querySelectorAll('body, main > *, .stick *, #announced *, #checks')]
  .filter((element) => element.checkVisibility() && element.tagName !== 'TIME')
  .map((element) => [element.tagName, element.id, element.getBoundingClientRect()])
  .map(([name, id, { top, height }]) => `${name} ${id} ${top} ${height}`);
"""
# What was not in sight before has been drawn then.
_HEIGHT = """
const done = arguments[0];
requestAnimationFrame(() => requestAnimationFrame(
  () => done(document.documentElement.scrollHeight)));
"""
_ROW = """
return [...document.querySelectorAll('.row')]
  .find((row) => row.querySelector('.name').textContent.trim() === arguments[0]);
"""


@pytest.fixture(scope="module")
def fillers(server: Serve) -> Iterator[list[str]]:
    """Fill the list up to 50 checks; return the codes of those made for that."""
    have = len(server.api("GET", "checks/")["checks"])
    made = [
        server.api("POST", "checks/", name=f"Filler {n}", tags="filler")["uuid"]
        for n in range(50 - have)
    ]
    yield made
    for code in made:
        server.api("DELETE", f"checks/{code}")


def test_what_somebody_asks_who_wakes_up_is_answered_at_once(
    signed_in: Browser, server: Serve, fillers: list[str]
) -> None:
    browser, failed = signed_in, fillers[0]
    body = "copying\n/dev/sdb: No space left"
    curl("--data-raw", body, f"{server.root}/ping/{failed}/11")
    server.api("POST", f"checks/{failed}/mute", seconds=3600)
    browser.driver.refresh()
    # Of this server only: that it was away is told above the list.
    browser.run("document.querySelector('#announced').remove()")

    # What broke, since when, why, and what it printed: by no click.
    for width, height, fit in ((1280, 900, 17), (375, 812, 7)):
        browser.size(width, height)
        assert browser.one("h1").text.endswith("checks are down")
        assert "down)" in browser.driver.title
        row = browser.run(_ROW, "Filler 0")
        for words in ("down", "Exit 11", "/dev/sdb: No space left"):
            assert words in row.text
        said = browser.run("return arguments[0].textContent", row)
        assert "muted until" in said
        assert browser.run(_IN_SIGHT) >= fit
        assert browser.run(_TARGETS) == []
        assert browser.run("return document.documentElement.scrollWidth") <= width
    assert not AXE.exists() or browser.axe() == []
    # All that it printed: by one, wherever on the card that is.
    browser.run("arguments[0].scrollIntoView({block: 'center'})", row)
    corner = "const { left, bottom } = arguments[0].getBoundingClientRect();"
    corner += "return document.elementFromPoint(left + 4, bottom - 4).closest('a').href"
    assert browser.run(corner, row).endswith(f"/checks/{failed}")

    # Heads and chips stay in sight.
    browser.size(1280, 900)
    browser.run("scrollTo(0, 600)")
    for selector in ("#counts", ".heads"):
        assert 0 <= browser.one(selector).location["y"] - 600 < 150


def test_the_list_is_light(signed_in: Browser, fillers: list[str]) -> None:
    browser = signed_in
    assert browser.run("return document.querySelectorAll('.row').length") == 50
    browser.driver.refresh()

    weight = browser.run("""
        return [...performance.getEntriesByType('navigation'),
                ...performance.getEntriesByType('resource')]
            .filter(entry => !entry.name.includes('/live'))
            .reduce((sum, entry) => sum + entry.decodedBodySize, 0)
    """)
    icon = len(browser.run("return document.querySelector('link[rel=icon]').outerHTML"))

    assert 0 < weight + icon < 60_000


@pytest.mark.parametrize("width", [1280, 375])
def test_nothing_of_the_list_jumps(
    signed_in: Browser, fillers: list[str], width: int
) -> None:
    browser = signed_in
    browser.size(width)

    # Neither when the scripts come, nor while it goes by.
    assert len(fillers) > 20
    for _ in range(3):
        with browser.blocked("*.js"):
            browser.driver.refresh()
            at_first = browser.run(_STANDS)
        browser.driver.refresh()
        then = browser.run(_STANDS)
        # What hcl tells in between moves it too, and only then.
        if at_first == then:
            break
    assert at_first == then
    heights = set()
    for part in (0, 0.25, 0.5, 0.75, 1):
        browser.run("scrollTo(0, document.body.scrollHeight * arguments[0])", part)
        heights.add(browser.driver.execute_async_script(_HEIGHT))
    assert len(heights) == 1


def test_all_of_the_list_goes_by_keyboard(signed_in: Browser, server: Serve) -> None:
    browser = signed_in
    codes = [
        server.api("POST", "checks/", name=f"{name} by key", tags="keys")["uuid"]
        for name in ("Alpha", "Omega")
    ]
    browser.open(f"{project_of(browser)}?tag=keys")
    # What "/" does: the search has the focus, and nothing is typed.
    press(browser, "/")
    assert browser.run("return document.activeElement.name") == "q"
    press(browser, "omega")
    browser.until("return document.querySelectorAll('.row').length === 1")

    # A group that somebody opens stays open, whatever comes live.
    browser.open(f"{project_of(browser)}?tag=keys&group=tag")
    browser.one(".group summary").send_keys(Keys.ENTER)
    group = "const group = document.querySelector('.group'); return group.open"
    browser.until(group)
    curl(f"{server.root}/ping/{codes[0]}")
    browser.until(f"{group} && /1 of 2 up/.test(group.innerText)")
    assert browser.run("return document.activeElement.tagName") == "SUMMARY"

    browser.open(f"{project_of(browser)}?tag=keys&select=1")
    for box in browser.driver.find_elements(By.CSS_SELECTOR, ".pick input"):
        box.send_keys(Keys.SPACE)
    assert browser.one("[data-chosen]").text == "2 selected"
    assert not AXE.exists() or browser.axe() == []
    browser.size(320)
    assert browser.run("return document.documentElement.scrollWidth") <= 320
    # What changes meanwhile takes nothing away.
    curl(f"{server.root}/ping/{codes[1]}/start")
    browser.until("return document.querySelectorAll('.row .run').length === 1")
    assert browser.one("[data-chosen]").text == "2 selected"
    assert browser.run("return document.querySelectorAll('.pick :checked').length") == 2
    browser.button("Delete…").send_keys(Keys.ENTER)
    browser.until_shown("Delete these 2 checks?")
    browser.button("Delete").send_keys(Keys.ENTER)
    browser.until_shown("Deleted 2 checks.")


def test_what_somebody_chose_stays_without_a_flash(browser: Browser) -> None:
    browser.sign_in(READ_KEY)
    browser.run("document.querySelectorAll('.menu').forEach(d => d.open = true)")
    browser.button("Dark").click()
    theme = "return [document.documentElement.dataset.theme,"
    theme += " getComputedStyle(document.documentElement).colorScheme]"
    browser.until("return document.documentElement.dataset.theme === 'dark'")
    # On a phone these are behind one button.
    browser.size(375, 812)
    browser.button("Tags, view").click()
    browser.button("View").click()
    browser.button("By tag").click()
    browser.until("return location.search.includes('group=tag')")

    browser.scripts(on=False)
    browser.open(project_of(browser))

    # It comes so from the server: no script has to mend it.
    source = browser.driver.page_source
    assert 'data-theme="dark"' in source
    assert '<details class="group' in source
    browser.scripts(on=True)
    browser.open(project_of(browser))
    assert browser.run(theme) == ["dark", "dark"]
    browser.driver.delete_all_cookies()


def test_many_are_selected_without_javascript(
    signed_in: Browser, server: Serve
) -> None:
    browser = signed_in
    for n in range(2):
        server.api("POST", "checks/", name=f"Plain {n}", tags="plain")
    browser.scripts(on=False)
    browser.size(375, 812)
    browser.open(f"{project_of(browser)}?tag=plain")
    browser.button("Tags, view").click()
    browser.button("Select").click()
    browser.until_read("With those selected:")
    for box in browser.driver.find_elements(By.CSS_SELECTOR, ".pick"):
        box.click()
    browser.button("Delete…").click()
    browser.until_read("Delete these 2 checks?")
    browser.button("Delete").click()
    browser.until_read("Deleted 2 checks.")


def test_search_outlasts_what_is_done_to_those_it_found(
    signed_in: Browser, server: Serve
) -> None:
    browser = signed_in
    code = server.api("POST", "checks/", name="Sought")["uuid"]
    browser.open(f"{project_of(browser)}?select=1")
    browser.one("[name=q]").send_keys("sought")
    browser.until("return document.querySelectorAll('.row').length === 1")

    done = browser.one(".bulk a").get_attribute("href")
    browser.one(".pick").click()
    browser.button("Pause").click()
    browser.until_shown("Paused 1 check.")
    by_bulk = browser.driver.current_url
    browser.one("[name=q]").send_keys(" too")
    browser.until("return document.querySelectorAll('.row').length === 0")
    browser.run("document.querySelector('[name=theme][value=light]').click()")
    browser.until("return document.documentElement.dataset.theme === 'light'")

    assert "q=sought" in (done or "")
    assert by_bulk.endswith("?q=sought")
    assert browser.driver.current_url.endswith("?q=sought+too")
    browser.leave()
    browser.driver.delete_all_cookies()
    server.api("DELETE", f"checks/{code}")


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        browser.driver.switch_to.active_element.send_keys(key)
