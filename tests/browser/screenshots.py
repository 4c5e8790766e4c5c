"""Screenshots of the list and of a check's page: `scripts/screenshots`."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests import toml
from tests.browser.chromium import Browser, chromium, why_not
from tests.browser.made_up import fill
from tests.server.process import Serve

_SHOWN = "Nightly backup"
# In pixels, which GitHub shows at about two thirds.
_WIDTH = 1200


def main(folder: Path) -> None:
    """Write list.png, check.png and their dark twins into a folder."""
    problem = why_not()
    if problem:
        sys.exit(problem)
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        # It has nothing to tell: all that is made up was told long ago.
        serve = Serve(Path(made), toml.webhook("Phone", down="http://127.0.0.1:9/"))
        # The browser's own, so that the pages show a zone that is not UTC.
        os.environ["TZ"] = "Europe/Riga"
        asyncio.run(fill(serve.folder))
        with serve, chromium(serve.root, Path(made) / "profile") as browser:
            browser.driver.execute_cdp_cmd(
                "Emulation.setScrollbarsHidden", {"hidden": True}
            )
            browser.driver.execute_cdp_cmd(
                "Emulation.setLocaleOverride", {"locale": "en-GB"}
            )
            browser.sign_in()
            project = browser.driver.current_url.removeprefix(serve.root)
            checks = serve.api("GET", "checks/")["checks"]
            code = next(c["uuid"] for c in checks if c["name"] == _SHOWN)
            for scheme, end in (("light", ""), ("dark", "-dark")):
                browser.scheme(scheme)
                _take(browser, project, folder / f"list{end}.png", 612)
                _take(browser, f"/checks/{code}", folder / f"check{end}.png", 1150)


def _take(browser: Browser, path: str, file: Path, height: int) -> None:
    browser.size(_WIDTH, height)
    browser.open(path)
    browser.driver.save_screenshot(str(file))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
