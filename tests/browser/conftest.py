"""One server with a made-up past, and one Chromium, for all tests of pages."""

import asyncio
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import toml
from tests.browser.made_up import HOSTILE, STORIES, Story, fill
from tests.browser.sink import Sink
from tests.server.process import Serve, curl

if TYPE_CHECKING:
    from tests.browser.chromium import Browser

READ_KEY = "hcr_" + "r" * 28
_ODD = Story(HOSTILE, "<b>x</b> a&b", 24 * STORIES[2].every, 5, runs=3)


@pytest.fixture(scope="session")
def sink() -> Iterator[Sink]:
    """What takes the tests of a channel."""
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Serve]:
    """A real `hcl serve` with checks of every status, and odd ones."""
    from tests.browser.chromium import why_not

    problem = why_not()
    if problem:
        pytest.skip(problem)
    # Neither selenium nor Chromium shall ask a proxy for what is here.
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    serve = Serve(tmp_path_factory.mktemp("serve"), _channels(sink.url))
    asyncio.run(fill(serve.folder, (*STORIES, _ODD)))
    _tell_of_an_absence(serve.folder)
    with serve:
        # So that there are messages: one is sent, one waits to go out with others.
        down = serve.api("GET", "checks/?slug=off-site-copy")["checks"][0]["ping_url"]
        curl(down)
        curl(f"{down}/fail")
        yield serve


@pytest.fixture(scope="session")
def window(
    server: Serve, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Browser]":
    """Chromium, started once: that takes a second."""
    from tests.browser.chromium import chromium

    with chromium(server.root, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(window: "Browser") -> "Iterator[Browser]":
    """Chromium where nobody is signed in yet; its logs are judged at the end."""
    window.sign_out()
    window.note()
    window.complaints.clear()
    window.asked.clear()
    window.size(1280)
    window.scheme("light")
    yield window
    window.scripts(on=True)
    window.judge()
    # A page that is live would hold up what comes next.
    window.leave()


@pytest.fixture
def signed_in(browser: "Browser") -> "Browser":
    """Chromium on the list of the project, by a read-write key."""
    browser.sign_in()
    return browser


def project_of(browser: "Browser") -> str:
    """Return where the project's pages are, by the page that is open."""
    path = re.search(r"/projects/[0-9a-f-]{36}/", browser.driver.current_url)
    assert path
    return path[0]


def _tell_of_an_absence(folder: Path) -> None:
    """Let hcl have been away, and a check not have been heard since."""
    story = [f"hcl cannot know of 1 check: {HOSTILE}.", "It has its time again."]
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as connection, connection:
        connection.execute(
            "INSERT INTO announcements (created, kind, subject, story)"
            " VALUES (?, 'absence', 'hcl was away from 02:55 to 03:10 UTC, 15 min', ?)",
            (time.time() - 3600, json.dumps(story)),
        )
        connection.execute(
            "UPDATE check_states SET excused = 1, counted_from = ? WHERE check_id ="
            " (SELECT id FROM checks WHERE name = 'Heating logger')",
            (time.time(),),
        )


def _channels(url: str) -> str:
    sink, nobody = toml.post(f"{url}secret"), "http://127.0.0.1:9/secret"
    names = ["Ops hook", "Nowhere <b>"]
    return "\n".join(
        [
            toml.key("wall", READ_KEY, access="read-only"),
            toml.webhook(names[0], remind_every="4h", down=sink, up=sink),
            toml.webhook(names[1], fold="1h", fallback=names[0], down=nobody),
            toml.channel("Both", "group", channels=names),
            # Of a tag that no check has: it opens for nobody.
            toml.table(
                "[projects.maintenance]",
                name=HOSTILE,
                tags=["none"],
                schedule="0 4 * * 0",
                length="2h",
                tz="Europe/Riga",
            ),
            toml.tag("prod", urgent=True, delay="5m"),
            "[[projects.pages]]\nslug = 'all'\ntitle = 'Everything'\n",
        ]
    )
