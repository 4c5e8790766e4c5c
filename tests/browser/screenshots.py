"""Screenshots of the list and of a check that is down: `scripts/screenshots`."""

import asyncio
import os
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests import toml
from tests.browser.chromium import Browser, chromium, why_not
from tests.browser.made_up import STORIES, fill
from tests.server.process import Serve

_SHOWN = "Off-site copy"
_SINCE = timedelta(hours=2, minutes=10)
_CHANNELS = ("Phone", "Ops chat")
# In pixels, which GitHub shows at about two thirds.
_WIDTH = 1200
_PHONE = (375, 780)

_TELL = """
INSERT INTO notifications (flip_id, check_id, channel_id, created, sent)
SELECT f.id, c.id, h.id, f.created, f.created + h.id
FROM checks c JOIN flips f ON f.id = (SELECT max(id) FROM flips WHERE check_id = c.id)
JOIN channels h WHERE c.name = ?
"""
_TRY = """
INSERT INTO tries (notification_id, created, seconds, sent, answer)
SELECT id, sent, 0.4, 1, '' FROM notifications
"""


def main(folder: Path) -> None:
    """Write list.png, check.png, their dark twins and phone.png into a folder."""
    problem = why_not()
    if problem:
        sys.exit(problem)
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        # It has nothing to tell: all that is made up was told long ago.
        nobody = "http://127.0.0.1:9/"
        channels = [toml.webhook(name, down=nobody) for name in _CHANNELS]
        # The moments between the past and the start excuse nobody.
        alerts = toml.table("alerts", after_absence="alert")
        serve = Serve(Path(made), "\n".join(channels), tables=alerts)
        # The browser's own, so that the pages show a zone that is not UTC.
        os.environ["TZ"] = "Europe/Riga"
        _make_up(serve.folder)
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
                _take(browser, f"/checks/{code}", folder / f"check{end}.png", 900)
            browser.scheme("light")
            _take(browser, project, folder / "phone.png", _PHONE[1], _PHONE[0])


def _make_up(folder: Path) -> None:
    """Write a past in which a check is down, and all were told of that."""
    stories = (replace(s, ago=_SINCE) if s.name == _SHOWN else s for s in STORIES)
    asyncio.run(fill(folder, tuple(stories)))
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as connection, connection:
        connection.execute(_TELL, (_SHOWN,))
        connection.execute(_TRY)


def _take(
    browser: Browser, path: str, file: Path, height: int, width: int = _WIDTH
) -> None:
    browser.size(width, height)
    browser.open(path)
    browser.driver.save_screenshot(str(file))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
