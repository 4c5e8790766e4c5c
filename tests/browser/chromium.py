"""Headless Chromium, as a person uses it: pages, keys, logs, and judgements of axe."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("selenium", reason="needs selenium, of the extra dev")

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.patience import ENDS
from tests.server.process import API_KEY

# Tests import all of selenium from here: where it is not installed, they are skipped.
__all__ = ["AXE", "ActionChains", "Browser", "By", "Keys", "chromium", "why_not"]

CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"

# Where scripts/install puts axe-core; it is never committed.
AXE = Path(
    os.environ.get("HCL_AXE", f"{sys.prefix}/axe/node_modules/axe-core/axe.min.js")
)

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--disable-extensions",
    "--disable-site-isolation-trials",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,900",
)


def why_not() -> str:
    """Say what is missing to drive Chromium, "" if nothing is."""
    for program in (CHROMIUM, DRIVER):
        if shutil.which(program) is None:
            return f"needs {program}: apt-get install chromium chromium-driver"
    return ""


@dataclass
class Browser:
    """One Chromium on one server. `asked` holds the hosts of all requests so far."""

    driver: webdriver.Chrome
    root: str
    asked: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str, first: str = "") -> None:
        """Open a page and wait until it is loaded; `first` runs before its scripts."""
        made = self.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": first}
        )
        self.driver.get(self.root + path)
        self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", made)

    def sign_in(self, key: str = API_KEY) -> None:
        """Sign in by hand."""
        self.open("/sign-in")
        self.one("#key").send_keys(key, Keys.ENTER)
        self.until("return location.pathname.startsWith('/projects/')")

    def leave(self) -> None:
        """Leave the page: nothing of it goes on."""
        self.driver.get("about:blank")

    def sign_out(self) -> None:
        """Forget who is signed in."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def one(self, selector: str) -> WebElement:
        """Return the first element that a CSS selector finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def button(self, text: str) -> WebElement:
        """Return the button or link with this text that is shown."""
        kinds = "[self::button or self::a or self::summary][not(@aria-hidden)]"
        path = f"//*{kinds}[normalize-space()='{text}']"
        elements = self.driver.find_elements(By.XPATH, path)
        return next(element for element in elements if element.is_displayed())

    def has(self, text: str) -> bool:
        """Tell whether the page shows a text."""
        return text in self.one("main").text

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page; return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str, *arguments: Any, seconds: float = ENDS) -> None:
        """Wait until a script returns true."""
        wait = WebDriverWait(self.driver, seconds, poll_frequency=0.05)
        wait.until(
            lambda _: self.run(script, *arguments),
            f"{script} {arguments}: {self.driver.current_url}",
        )

    def until_shown(self, text: str, seconds: float = ENDS) -> None:
        """Wait until the page shows a text."""
        script = (
            "return document.querySelector('main').innerText.includes(arguments[0])"
        )
        self.until(script, text, seconds=seconds)

    def until_reloaded(self, text: str) -> None:
        """Load the page again until it shows a text."""

        def shown(_: object) -> bool:
            self.driver.refresh()
            return self.has(text)

        WebDriverWait(self.driver, ENDS).until(shown, text)

    def until_read(self, text: str) -> None:
        """Wait until the page shows a text, where it runs no scripts."""
        wait = WebDriverWait(
            self.driver,
            ENDS,
            poll_frequency=0.05,
            # What is read may belong to a page that has just gone.
            ignored_exceptions=(WebDriverException,),
        )
        wait.until(lambda _: self.has(text), text)

    def size(self, width: int, height: int = 900) -> None:
        """Let the page be of this size, as on a phone where it is narrow."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    @contextmanager
    def blocked(self, *urls: str) -> Iterator[None]:
        """Have what matches one of `urls` never come, as from a line that is slow."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": urls})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})

    def scheme(self, name: str) -> None:
        """Have the system ask for colours: `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": features}
        )

    def scripts(self, on: bool) -> None:
        """Let pages run scripts, or not."""
        self.driver.execute_cdp_cmd(
            "Emulation.setScriptExecutionDisabled", {"value": not on}
        )

    def axe(self, *rules: str) -> list[str]:
        """Return what axe-core finds wrong with the page, by all its rules or these."""
        # Added by the protocol, which the page's policy for scripts does not bind.
        if not self.run("return 'axe' in window"):
            self.run(AXE.read_text())
        result = self.driver.execute_async_script(
            "axe.run(document, {resultTypes: ['violations'], selectors: false,"
            " ...(arguments[0].length && {runOnly: arguments[0]})}).then(arguments[1])",
            rules,
        )
        return [
            f"{rule['id']}: {node['html'][:200]} ({node['failureSummary']!r})"
            for rule in result["violations"]
            for node in rule["nodes"]
        ]

    def note(self) -> None:
        """Read the logs: what the console complains of, and who was asked."""
        for entry in self.driver.get_log("browser"):  # type: ignore[no-untyped-call]
            if entry["level"] in ("SEVERE", "WARNING"):
                self.complaints.append(entry["message"])
        for entry in self.driver.get_log("performance"):  # type: ignore[no-untyped-call]
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                parts = urlsplit(message["params"]["request"]["url"])
                if parts.scheme not in ("data", "chrome", "about", "blob"):
                    self.asked.add(parts.netloc)

    def judge(self) -> None:
        """Fail if the console complained, or another host was asked."""
        self.note()
        assert self.complaints == []
        assert self.asked == {urlsplit(self.root).netloc}


@contextmanager
def chromium(root: str, profile: Path) -> Iterator[Browser]:
    """Start Chromium with a fresh profile, and end it."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*_OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    # With the path of a driver selenium looks for none, and asks nobody.
    driver = webdriver.Chrome(options, Service(DRIVER))
    try:
        driver.set_script_timeout(ENDS)
        yield Browser(driver, root)
    finally:
        driver.quit()
