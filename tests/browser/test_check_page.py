"""A check's page at seven in the morning: what it answers, in how many clicks."""

import re
from collections.abc import Iterator

import pytest

from hcl.checks.spec import slugify
from tests.browser.chromium import AXE, Browser, By, Keys
from tests.browser.conftest import project_of
from tests.browser.sink import Sink
from tests.browser.test_dashboard import press
from tests.server.process import API_KEY, Serve, curl

# A name that cannot break, and far too many tags.
WIDE = "漢" * 100
TAGS = " ".join(f"tag-{n}" for n in range(60))
OUTPUT = "\n".join(f"line {n}" for n in range(1, 40)) + "\nNo space left on device"

# Words that are broken over two lines; what machines wrote may break anywhere.
_BROKEN = """
const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
const broken = [], range = document.createRange();
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  if (node.parentElement.closest('pre, code, .path, .out, h1, [hidden], textarea, option')) continue;
  for (const word of node.data.matchAll(/(?<!\\S)[A-Za-z]{2,16}[.,:;]?(?!\\S)/g)) {
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].length);
    if (new Set([...range.getClientRects()].map((r) => r.top)).size > 1) broken.push(word[0]);
  }
}
return broken
"""  # noqa: E501

# The bottom of the first element that a selector finds, in pixels from the top.
_BOTTOM = (
    "return document.querySelector(arguments[0]).getBoundingClientRect().bottom"
    " + scrollY"
)


@pytest.fixture
def down(signed_in: Browser, server: Serve, sink: Sink) -> Iterator[str]:
    """The path of a check that has just gone down, with a name that is hard to show."""
    check = server.api("POST", "checks/", name=WIDE, tags=TAGS, channels="*")
    url = f"{server.root}/ping/{check['uuid']}"
    sink.bodies.clear()
    curl(f"{url}/start")
    curl(url)
    curl("--data-binary", OUTPUT, f"{url}/11")
    sink.wait_for(f"{WIDE} is down")
    yield f"/checks/{check['uuid']}"
    signed_in.leave()
    server.api("DELETE", f"checks/{check['uuid']}")


@pytest.mark.parametrize("width", [1280, 375])
def test_what_is_asked_is_answered_without_a_click(
    signed_in: Browser, down: str, width: int
) -> None:
    browser = signed_in
    browser.size(width)
    browser.open(down)
    browser.until_shown("Ops hook got it today")

    card = browser.one(".incident").text
    # What broke, since when, why, what it printed, who was told.
    assert card.startswith("Down ")
    assert re.search(r"since today \d\d:\d\d\n", card)
    assert "The job failed with exit status 11." in card
    assert "line 31\n" in card
    assert "line 30\n" not in card
    assert "No space left on device" in card
    assert "Nowhere <b> is told" in card
    title = browser.run("return document.querySelector('.incident h2 ~ p time').title")
    assert re.search(r"\d\d?:\d\d:\d\d", title)
    # On the first screen, whatever the name and the tags are; and not too wide.
    assert browser.run(_BOTTOM, ".reason") < 900
    if width == 1280:
        assert browser.run(_BOTTOM, ".incident") < 900
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run(_BROKEN) == []

    # All of the output, and silence, are a click away.
    click(browser, "Mute 1 h")
    until = r"Muted until (today|tomorrow) \d\d:\d\d"
    assert re.search(until, browser.one(".incident header").text)
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        assert not AXE.exists() or browser.axe() == []
    click(browser, "Unmute")
    click(browser, "All of ping #3")
    assert "line 1\n" in browser.one("pre").text


def click(browser: Browser, text: str) -> None:
    """Press what leads to another page, in one step: the page is live."""
    browser.run("window.before = true")
    browser.run(
        "[...document.querySelectorAll('main :is(button, a)')]"
        ".find((e) => e.innerText.trim() === arguments[0]).click()",
        text,
    )
    browser.until("return !window.before && document.readyState === 'complete'")


def test_the_card_is_read_and_pressed_by_keyboard(
    signed_in: Browser, down: str
) -> None:
    browser = signed_in
    browser.open(down)
    name = (
        "const e = document.activeElement; return (e.ariaLabel || e.innerText).trim()"
    )
    reached = []
    for _ in range(80):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        label = browser.run(name)
        reached.append(label)
        if label == "More":
            browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
            browser.until("return document.querySelector('.check-head .menu').open")
        if label.startswith("All of ping"):
            break

    wanted = [
        "Ping now",
        "Pause",
        "Edit",
        "More",
        "Copy this check",
        "Clear the log…",
        "Delete…",
        "Mute 1 h",
        "Mute 4 h",
        "The end of what the job printed",
        "All of ping #3",
    ]
    assert [label for label in reached if label in wanted] == wanted
    heads = [h.text for h in browser.driver.find_elements(By.CSS_SELECTOR, "h2")]
    assert heads[0].startswith("Down ")
    assert heads[1:5] == [
        "When it is due",
        "How long it runs",
        "Availability",
        "Why it is down",
    ]


def test_no_page_breaks_words_or_jumps(signed_in: Browser, server: Serve) -> None:
    browser = signed_in
    project = project_of(browser)
    checks = {c["name"]: c["uuid"] for c in server.api("GET", "checks/")["checks"]}
    log = f"/checks/{checks['Mail queue']}/log"
    for width in (1280, 768, 375):
        browser.size(width)
        for path in (
            f"{project}integrations",
            f"{project}integrations?add=email",
            f"/checks/{checks['Nightly backup']}",
            f"/checks/{checks['Nightly backup']}/edit",
            "/server",
            log,
        ):
            browser.open(path)
            assert (path, width, browser.run(_BROKEN)) == (path, width, [])
        heights = []
        for part in (0, 0.25, 0.5, 0.75, 1):
            browser.run("scrollTo(0, document.body.scrollHeight * arguments[0])", part)
            height = "return document.documentElement.scrollHeight"
            heights.append(browser.run(height))
        assert len(set(heights)) == 1


def test_days_of_the_log_begin_where_they_do_for_the_viewer(
    signed_in: Browser, server: Serve
) -> None:
    browser = signed_in
    checks = {c["name"]: c["uuid"] for c in server.api("GET", "checks/")["checks"]}
    rows = """
        return [...document.querySelectorAll('.by-days .log > li')].map((row) => [
            row.closest('ol').previousElementSibling.textContent,
            new Date(row.querySelector('time').dateTime).toDateString(),
            row.querySelector('time').textContent,
            new Date(row.querySelector('time').dateTime).toTimeString().slice(0, 5)])
    """
    for zone in ("Pacific/Auckland", "America/Los_Angeles"):
        browser.driver.execute_cdp_cmd(
            "Emulation.setTimezoneOverride", {"timezoneId": zone}
        )
        browser.open(f"/checks/{checks['Database dump']}/log")
        for head, date, shown, time in browser.run(rows):
            weekday, month, day, _ = date.split()
            assert head.endswith(f"{weekday} {int(day)} {month}")
            assert shown == time
    browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


def test_the_form_proposes_a_slug_and_fills_a_schedule(signed_in: Browser) -> None:
    browser = signed_in
    browser.driver.execute_cdp_cmd(
        "Emulation.setTimezoneOverride", {"timezoneId": "Europe/Riga"}
    )
    browser.open(f"{project_of(browser)}new")
    ticked = "return [...document.querySelectorAll('[name=channel]:checked')].length"
    assert browser.run(ticked) == 1

    browser.one("[name=name]").send_keys("Nightly copy (NAS)")
    slug = "return document.querySelector('[name=slug]').value"
    browser.until(f"{slug} === 'nightly-copy-nas'")
    browser.button("Nightly").click()
    browser.until_shown("Every day at 03:00.")
    browser.until_shown("Next times in Europe/Riga:")
    browser.one("[name=slug]").send_keys("-2")
    browser.one("[name=name]").send_keys(" again")
    browser.one("[name=channel]:not(:checked)").click()

    # The group went as one of its members came.
    assert browser.run(ticked) == 1
    press(browser, "Create")
    assert browser.has("every day at 03:00")
    assert "/nightly-copy-nas-2" in browser.one("main").text
    code = browser.driver.current_url[-36:]
    browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})
    browser.open(f"/checks/{code}/delete")
    press(browser, "Delete")


def test_length_that_is_no_number_is_not_taken_for_none(
    signed_in: Browser, server: Serve
) -> None:
    browser = signed_in
    code = server.api("POST", "checks/", name="Long run", max_run=3600)["uuid"]
    browser.open(f"/checks/{code}/edit")
    field = browser.one("[name=max_run]")

    # Firefox lets any letter into a field for numbers, Chromium these alone.
    field.clear()
    field.send_keys("2-")
    press(browser, "Save")

    assert browser.has("Write a whole number")
    assert browser.one("[name=max_run]").get_attribute("value") == "2-"
    browser.leave()
    assert server.api("GET", f"checks/{code}")["max_run"] == 3600
    server.api("DELETE", f"checks/{code}")
    # The console tells of each form that is refused.
    browser.note()
    browser.complaints = [c for c in browser.complaints if code not in c]


def test_what_was_typed_outlasts_the_session(signed_in: Browser, server: Serve) -> None:
    browser = signed_in
    code = server.api("POST", "checks/", name="Typed")["uuid"]
    browser.open(f"/checks/{code}/edit")
    browser.one("[name=desc]").send_keys("one", Keys.ENTER, "two")

    browser.sign_out()
    press(browser, "Save")
    browser.one("#key").send_keys(API_KEY)
    press(browser, "Sign in")
    assert browser.has("What you typed is not saved yet")
    press(browser, "Save")

    assert browser.has("Changes saved.")
    browser.leave()
    assert server.api("GET", f"checks/{code}")["desc"] == "one\ntwo"
    server.api("DELETE", f"checks/{code}")
    browser.note()
    browser.complaints = [c for c in browser.complaints if "403" not in c]


@pytest.mark.parametrize(
    "name", ["Nightly copy", " Größe & <b>_", "Foo.bar_Baz -- ﬁx\u00a0½", "日本"]
)
def test_who_presses_enter_behind_a_name_has_its_slug(
    signed_in: Browser, server: Serve, name: str
) -> None:
    browser = signed_in
    browser.open(f"{project_of(browser)}new")

    browser.one("[name=name]").send_keys(name, Keys.ENTER)

    browser.until("return /^.checks.[0-9a-f-]{36}$/.test(location.pathname)")
    check = server.api("GET", f"checks/{browser.driver.current_url[-36:]}")
    browser.leave()
    server.api("DELETE", f"checks/{check['uuid']}")
    assert (check["name"], check["slug"]) == (name, slugify(name))
