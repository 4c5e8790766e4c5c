"""What pages keep in memory: one for all pages, made when the first is asked for."""

import asyncio
import subprocess
import sys

import pytest

from hcl.web.pages.visit.door import Door
from tests.app import App
from tests.web.pages.browsing import csrf, sign_in


async def test_reload_keeps_what_pages_remember(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    await sign_in(app)
    token, cookie = await csrf(app), app.http.cookies["hcl_session"]
    await app.http.post("/sign-out", data={"csrf": token})
    await app.http.post("/sign-in", data={"key": "wrong"})

    await app.use(app.config)

    again = await app.http.post("/sign-in", data={"key": "wrong"})
    app.http.cookies.set("hcl_session", cookie)
    signed_out = await app.http.get("/", follow_redirects=False)
    assert again.status_code == 403
    assert len([line for line in caplog.messages if "wrong key" in line]) == 1
    assert signed_out.headers["location"].startswith("/sign-in")


async def test_first_pages_at_once_share_one_dashboard(app: App) -> None:
    door = Door(app.parts)

    first, *others = await asyncio.gather(*(door.dashboard() for _ in range(5)))

    assert all(other is first for other in others)


def test_server_that_nobody_looks_at_imports_no_pages() -> None:
    code = (
        "import sys, hcl.server.serving, hcl.web.app\n"
        "print([m for m in sys.modules if m.startswith('hcl.web.pages.')])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "['hcl.web.pages.page', 'hcl.web.pages.routes']"
