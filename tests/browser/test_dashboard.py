"""What people do every day, in a real browser on a real server."""

import os
import re
import signal

from tests.browser.chromium import ActionChains, Browser, By, Keys
from tests.browser.conftest import READ_KEY, project_of
from tests.browser.made_up import HOSTILE
from tests.browser.sink import Sink
from tests.patience import ENDS
from tests.server.process import API_KEY, PING_KEY, Serve, curl

# The word of a check's status in the list.
_STATUS = """
const row = [...document.querySelectorAll('#checks li')]
    .find(row => row.querySelector('.name').textContent.trim() === arguments[0]);
return row?.querySelector('p').textContent.trim().split(' ')[0]
"""


def status_is(browser: Browser, name: str, word: str, seconds: float = ENDS) -> None:
    """Wait until the list shows a check with this status."""
    script = f"const status = (function () {{{_STATUS}}})(arguments[0]);"
    browser.until(
        f"{script} return status === arguments[1]", name, word, seconds=seconds
    )


def create(browser: Browser, name: str, **fields: str) -> str:
    """Make a check by the form; return its code."""
    browser.button("New check").click()
    for field, value in {"name": name, **fields}.items():
        element = browser.one(f"[name={field}]")
        element.clear()
        element.send_keys(value)
    browser.button("Create").click()
    browser.until("return /^.checks.[0-9a-f-]{36}$/.test(location.pathname)")
    return browser.driver.current_url[-36:]


def press(browser: Browser, text: str) -> None:
    """Press a button that sends a form; wait for the page that follows."""
    browser.run("window.before = true")
    browser.button(text).click()
    browser.until("return !window.before && document.readyState === 'complete'")


def test_sign_in_and_out(browser: Browser) -> None:
    browser.open("/")
    assert browser.driver.current_url.startswith(f"{browser.root}/sign-in")

    browser.one("#key").send_keys("wrong", Keys.ENTER)
    browser.until_shown("key")
    assert "/sign-in" in browser.driver.current_url
    browser.one("#key").send_keys(API_KEY, Keys.ENTER)
    browser.until("return location.pathname.startsWith('/projects/')")
    cookie = next(c for c in browser.driver.get_cookies() if "session" in c["name"])
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")

    browser.button("me").click()
    press(browser, "Sign out")
    browser.open("/server")
    assert "/sign-in" in browser.driver.current_url
    # The page that tells of a wrong key bears its status, which the console notes.
    browser.note()
    browser.complaints = [c for c in browser.complaints if "/sign-in" not in c]


def test_a_check_from_its_making_to_its_end(signed_in: Browser) -> None:
    browser = signed_in
    code = create(browser, "Journey", slug="journey", tags="new trip")
    assert browser.has("Created Journey.")
    assert code in browser.one("main").text

    edit(browser)
    press(browser, "Pause")
    assert browser.one(".standing .status").text.startswith("Paused")
    press(browser, "Resume")
    press(browser, "Ping now")
    assert browser.one(".standing .status").text.startswith("Up for")

    browser.button("More").click()
    press(browser, "Copy this check")
    assert browser.has("Copied: this is the new check.")
    copy = browser.driver.current_url[-36:]
    assert copy != code
    delete(browser)
    browser.open(f"/checks/{code}")
    delete(browser)
    assert browser.has("Deleted ")
    assert browser.driver.find_elements(By.LINK_TEXT, "Journey’s end") == []


def test_who_clicks_twice_makes_one_check(signed_in: Browser, server: Serve) -> None:
    browser = signed_in
    browser.open(f"{project_of(browser)}new")
    browser.one("[name=name]").send_keys("Twice")
    browser.until("return document.querySelector('[name=slug]').value === 'twice'")
    clicks = ActionChains(browser.driver, duration=0)
    clicks.move_to_element(browser.button("Create"))

    clicks.click().pause(0.05).click().perform()

    browser.until_shown("Created Twice.")
    made = server.api("GET", "checks/?slug=twice")["checks"]
    assert len(made) == 1
    browser.leave()
    server.api("DELETE", f"checks/{made[0]['uuid']}")


def edit(browser: Browser) -> None:
    """Change the schedule, with its preview, and the name."""
    browser.button("Edit").click()
    browser.until("return location.pathname.endsWith('/edit')")
    browser.one("[name=kind][value=cron]").click()
    cron = browser.one("[name=cron]")
    cron.send_keys("61 * * * *")
    preview = (
        "return document.querySelector('.preview').innerText.includes(arguments[0])"
    )
    browser.until(
        "return document.querySelector('.preview .problem')?.innerText.length > 10"
    )
    cron.clear()
    cron.send_keys("5 3 * * *")
    browser.until(preview, "03:05")
    name = browser.one("[name=name]")
    name.clear()
    name.send_keys("Journey’s end")
    press(browser, "Save")
    assert browser.one("h1").text == "Journey’s end"
    assert browser.has("5 3 * * *")


def delete(browser: Browser) -> None:
    browser.button("More").click()
    browser.button("Delete…").click()
    browser.until("return location.pathname.endsWith('/delete')")
    press(browser, "Delete")


def test_the_list_is_live(signed_in: Browser, server: Serve) -> None:
    browser = signed_in
    project = project_of(browser)
    code = server.api("POST", "checks/", name="Live one", slug="live-one")["uuid"]
    status_is(browser, "Live one", "new")

    browser.run("window.here = true")
    browser.run("document.querySelector('#checks').marked = true")
    assert curl(f"{server.root}/ping/{PING_KEY}/live-one") == "OK"
    status_is(browser, "Live one", "up")
    # A start shows in its row and the counts: the list is not loaded for it.
    browser.until("return !document.querySelector('#checks').marked")
    browser.run("document.querySelector('#checks').marked = true")
    curl(f"{server.root}/ping/{code}/start")
    browser.until(
        "return /running [1-9]/.test(document.querySelector('#counts').innerText)"
    )
    assert browser.run("return document.querySelector('#checks').marked") is True
    browser.until(
        "return [...document.querySelectorAll('#checks li')].some(row =>"
        " row.innerText.includes('Live one') && /running/.test(row.innerText))"
    )
    curl(f"{server.root}/ping/{code}/fail")
    status_is(browser, "Live one", "down")
    browser.until("return /down/.test(document.title)")
    server.api("DELETE", f"checks/{code}")
    browser.until(
        "return !document.querySelector('main').innerText.includes('Live one')"
    )

    assert browser.run("return window.here") is True
    assert project == project_of(browser)


def test_a_check_page_is_live(signed_in: Browser, server: Serve) -> None:
    browser = signed_in
    code = server.api("POST", "checks/", name="Watched")["uuid"]
    browser.open(f"/checks/{code}")
    browser.run("window.here = true")

    curl("--data-raw", "all went <b>well</b>", f"{server.root}/ping/{code}")
    head = "return document.querySelector('.standing .status')?.textContent.trim()"
    browser.until(f"{head}?.startsWith('Up')")
    browser.until_shown("all went <b>well</b>")
    curl(f"{server.root}/ping/{code}/7")
    # What is wrong has a card, which says the status in the place of the head.
    card = "return document.querySelector('.incident h2')?.textContent.trim()"
    browser.until(f"{card}.startsWith('Down')")
    browser.until_shown("The job failed with exit status 7.")
    browser.until_shown("Why it is down")

    assert browser.run("return window.here") is True
    # The page may be about to ask for it again.
    browser.leave()
    server.api("DELETE", f"checks/{code}")


def test_page_of_a_check_that_is_deleted_says_so(
    signed_in: Browser, server: Serve
) -> None:
    browser = signed_in
    code = server.api("POST", "checks/", name="Short-lived")["uuid"]
    browser.open(f"/checks/{code}")

    server.api("DELETE", f"checks/{code}")

    browser.until("return document.title.startsWith('No such check')")
    # The console tells of it too.
    browser.note()
    browser.complaints = [c for c in browser.complaints if code not in c]


def test_a_page_becomes_live_again_after_the_server_was_gone(
    signed_in: Browser, server: Serve
) -> None:
    browser = signed_in
    code = server.api("POST", "checks/", name="Patient")["uuid"]
    status_is(browser, "Patient", "new")
    browser.run("window.here = true")

    assert server.stop() == 0
    server.start()
    curl(f"{server.root}/ping/{code}")

    status_is(browser, "Patient", "up")
    assert browser.run("return window.here") is True
    server.api("DELETE", f"checks/{code}")
    # That the connection was lost is what this is about.
    browser.note()
    browser.complaints = [c for c in browser.complaints if "/live" not in c]


# The first stream is refused for good, as by a proxy; half a minute takes 0.3 s.
_REFUSED = """
const Real = EventSource, repeat = setInterval;
window.streams = 0;
window.setInterval = (run, wait) => repeat(run, wait === 30000 ? 300 : wait);
window.EventSource = class extends Real {
  constructor(url) { super(window.streams++ ? url : "/no-such-page"); }
};
"""


# It is looked more often whether anything has come.
_QUICK = """
const repeat = setInterval;
window.setInterval = (run, wait) => repeat(run, wait === 5000 ? 300 : wait);
"""


def test_a_page_that_hears_nothing_says_that_it_may_be_old(
    signed_in: Browser, server: Serve
) -> None:
    browser = signed_in
    code = server.api("POST", "checks/", name="Silent")["uuid"]
    browser.open(project_of(browser), first=_QUICK)
    curl(f"{server.root}/ping/{code}")
    status_is(browser, "Silent", "up")

    # As a machine that lost its power: its connections stay, and nothing comes.
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        browser.run("const now = Date.now; Date.now = () => now() + 60000")
        browser.until("return document.querySelector('.offline') !== null")
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    browser.until("return document.querySelector('.offline') === null")

    curl(f"{server.root}/ping/{code}/fail")
    status_is(browser, "Silent", "down")
    server.api("DELETE", f"checks/{code}")
    browser.note()
    browser.complaints = [c for c in browser.complaints if "/live" not in c]


def test_a_page_becomes_live_again_after_a_proxy_refused_it(
    signed_in: Browser, server: Serve
) -> None:
    browser = signed_in
    code = server.api("POST", "checks/", name="Refused")["uuid"]
    browser.open(project_of(browser), first=_REFUSED)

    browser.until("return window.streams === 2")
    curl(f"{server.root}/ping/{code}")

    status_is(browser, "Refused", "up")
    assert browser.run("return window.streams") == 2
    server.api("DELETE", f"checks/{code}")
    browser.note()
    browser.complaints = [c for c in browser.complaints if "/no-such" not in c]


def test_a_test_shows_its_outcome(signed_in: Browser, sink: Sink) -> None:
    browser = signed_in
    sink.bodies.clear()
    browser.button("Integrations").click()
    browser.until("return location.pathname.endsWith('/integrations')")

    press(browser, "Send a test over Ops hook")

    assert sink.bodies == ["TEST is down"]
    assert browser.has("The test over Ops hook has arrived.")
    assert re.search(
        r"Arrived in (\d\.\d\d s|\d+ ms): HTTP 200", browser.one("main").text
    )

    press(browser, "Send a test over Nowhere <b>")
    assert browser.has("cannot connect to 127.0.0.1: connection refused")


def test_an_alert_is_delivered_or_waits_in_the_queue(
    signed_in: Browser, server: Serve, sink: Sink
) -> None:
    browser = signed_in
    project = project_of(browser)
    code = server.api("POST", "checks/", name="Alerting", channels="*")["uuid"]

    curl(f"{server.root}/ping/{code}/fail")
    sink.wait_for("Alerting is down")
    browser.open(f"{project}integrations")
    # The other channel may have been told first.
    browser.until_reloaded("held to go out with others")

    rows = browser.driver.find_elements(By.CSS_SELECTOR, ".queue > li")
    queue = [row.text for row in rows if "Alerting" in row.text]
    [held] = [row for row in queue if "Nowhere <b>" in row]
    assert "held to go out with others" in held
    browser.until_reloaded("down: Alerting over Ops hook")
    server.api("DELETE", f"checks/{code}")


def test_search_and_filters_are_in_the_url(signed_in: Browser) -> None:
    browser = signed_in
    shown = "return [...document.querySelectorAll('#checks .name')]"
    shown += ".filter(name => name.offsetParent).map(name => name.textContent.trim())"

    search = browser.one("[name=q]")
    search.send_keys("backup")
    browser.until(f"{shown}.length === 3")
    browser.until("return location.search.includes('q=backup')")
    found = set(browser.run(shown))
    browser.driver.refresh()

    assert found == {"Nightly backup", "Database dump", "Off-site copy"}
    assert set(browser.run(shown)) == found
    browser.open(f"{project_of(browser)}?status=down")
    assert "Off-site copy" in browser.run(shown)
    assert "Nightly backup" not in browser.run(shown)


def test_who_may_only_look_finds_no_button_that_changes_anything(
    browser: Browser, server: Serve
) -> None:
    browser.sign_in(READ_KEY)
    project = project_of(browser)
    code = next(iter(server.api("GET", "checks/")["checks"]))["uuid"]
    link = browser.one("#checks .name").get_attribute("href") or ""

    for path in (project, link.removeprefix(browser.root), f"{project}integrations"):
        browser.open(path)
        # But for how their own browser shows it.
        forms = browser.driver.find_elements(
            By.CSS_SELECTOR, "main form[method=post]:not([action$='/preferences'])"
        )
        assert forms == []
        assert code not in browser.driver.page_source


def test_names_and_bodies_run_nothing(signed_in: Browser, server: Serve) -> None:
    browser = signed_in
    code = next(
        check["uuid"]
        for check in server.api("GET", "checks/")["checks"]
        if check["name"] == HOSTILE[:100]
    )
    curl("-A", HOSTILE, "--data-raw", HOSTILE * 20, f"{server.root}/ping/{code}")
    project = project_of(browser)
    # An alert would make every call to the driver raise.
    for path in (
        project,
        f"{project}wall",
        f"{project}badges",
        f"/checks/{code}",
        f"/checks/{code}/log",
        f"/checks/{code}/edit",
        f"/checks/{code}/delete",
        f"/checks/{code}/pings/7",
    ):
        browser.open(path)
        assert browser.run("return document.querySelectorAll('img[src=x]').length") == 0


def test_page_for_others_is_right_again_when_somebody_comes_back(
    browser: Browser,
) -> None:
    browser.open("/p/all")
    icon = "document.querySelector('link[rel=icon]')"

    # As it was when nothing was down.
    browser.run(f"{icon}.href = '/static/icon-up.svg'; document.title = 'old'")
    browser.run("document.dispatchEvent(new Event('visibilitychange'))")

    browser.until("return document.title !== 'old'")
    assert "/static/icon-down.svg" in browser.run(f"return {icon}.href")


def test_all_of_it_works_without_javascript(browser: Browser) -> None:
    browser.scripts(on=False)
    browser.open("/sign-in")
    browser.one("#key").send_keys(API_KEY, Keys.ENTER)
    browser.until_read("Nightly backup")
    # Nobody puts them into the zone of who looks.
    assert browser.has("Times without a zone are in UTC.")
    browser.button("New check").click()
    browser.until_read("When it is due")
    browser.one("[name=name]").send_keys("Plain")

    for text, shown in (
        ("Create", "Created Plain."),
        ("Pause", "Paused."),
        ("Resume", "Resumed"),
        ("Ping now", "a success was recorded"),
        ("More", "Delete…"),
        ("Delete…", "cannot be undone"),
        ("Delete", "Deleted Plain."),
        ("Integrations", "Where alerts go"),
        ("Send a test over Ops hook", "has arrived"),
    ):
        browser.button(text).click()
        browser.until_read(shown)
