"""Links of `hcl sign-in`: they let in once, by their key, and for a while."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from hcl.cli import main
from hcl.web.auth import digest_of
from hcl.web.pages.visit import signed_links
from hcl.web.pages.visit.signed_links import LIFETIME
from tests.alerts import NOW
from tests.app import CONFIG, READ_KEY, WRITE_KEY, App, running_app
from tests.store import pragma
from tests.web.pages.browsing import project_path

SECRET, DIGEST = "s" * 32, digest_of(WRITE_KEY)


def link(app: App, key: str = WRITE_KEY) -> str:
    made = signed_links.make(app.parts.secret, digest_of(key), app.clock.now())
    return f"/sign-in/{made}"


async def location(app: App, path: str) -> str:
    app.http.cookies.clear()
    answer = await app.http.get(path)
    assert answer.headers["cache-control"] == "no-store"
    return str(answer.headers["location"])


def test_link_ends_and_is_none_of_another_secret() -> None:
    token = signed_links.make(SECRET, DIGEST, NOW)

    known = signed_links.read(SECRET, token, NOW)
    assert known is not None
    assert DIGEST.startswith(known.digest)
    almost = LIFETIME - timedelta(seconds=1)
    assert signed_links.read(SECRET, token, NOW + almost) == known
    for secret, moment in (
        ("t" * 32, NOW),
        (SECRET, NOW + LIFETIME),
        (SECRET, NOW - timedelta(hours=1)),
    ):
        assert signed_links.read(secret, token, moment) is None


def test_link_that_was_changed_is_none() -> None:
    token = signed_links.make(SECRET, DIGEST, NOW)

    changed = [
        token[:at] + ("1" if token[at] != "1" else "2") + token[at + 1 :]
        for at in range(len(token))
    ]

    for wrong in (*changed, "", token + "\n", token[:-1], "é" * 60):
        assert signed_links.read(SECRET, wrong, NOW) is None, wrong


async def test_link_signs_in_once_though_two_come_at_once(app: App) -> None:
    path = link(app)
    await app.http.head(path)

    both = await asyncio.gather(*(app.http.get(path) for _ in range(2)))

    locations = sorted(answer.headers["location"] for answer in both)
    assert locations == ["/", "/sign-in"]
    assert (await app.http.get(project_path(app))).status_code == 200
    assert await location(app, path) == "/sign-in"


async def test_used_link_is_used_after_a_restart_too(tmp_path: Path) -> None:
    async with running_app(tmp_path, CONFIG) as app:
        path = link(app)
        assert await location(app, path) == "/"

    async with running_app(tmp_path, CONFIG) as app:
        assert await location(app, path) == "/sign-in"


async def test_link_ends_with_its_key(app: App) -> None:
    path = link(app)
    await app.reload(CONFIG.replace(WRITE_KEY, "hcw_" + "n" * 28))

    assert await location(app, path) == "/sign-in"


@pytest.mark.parametrize(
    ("arguments", "may_write"), [((), True), (("--key", "ro"), False)]
)
async def test_command_prints_a_link_by_the_servers_own_secret(
    app: App, arguments: tuple[str, ...], may_write: bool
) -> None:
    command = ["sign-in", "--config", str(app.config.path), *arguments]
    result = await asyncio.to_thread(CliRunner().invoke, main, command)

    found = re.fullmatch(r"http://hcl\.example(/sign-in/\S+)\n", result.stdout)
    assert found
    assert "once, until " in result.stderr
    assert WRITE_KEY not in result.output
    assert READ_KEY not in result.output
    assert await location(app, found[1]) == "/"
    status = (await app.http.get(f"{project_path(app)}new")).status_code
    assert status == (200 if may_write else 403)


@pytest.mark.parametrize(
    ("text", "arguments", "problem"),
    [
        (CONFIG, ["--key", "none"], "there is no key 'none'"),
        (CONFIG + "[web]\nenabled = false\n", [], "there are no pages"),
        (
            CONFIG.replace('"read-write"', '"read-only"'),
            [],
            "hcl.toml has no read-write key; use --key",
        ),
    ],
)
def test_command_says_why_it_makes_none(
    tmp_path: Path, text: str, arguments: list[str], problem: str
) -> None:
    path = tmp_path / "hcl.toml"
    path.write_text(text)

    result = CliRunner().invoke(main, ["sign-in", "--config", str(path), *arguments])

    assert result.exit_code == 1
    assert problem in result.output


async def test_link_is_not_used_up_while_nothing_can_be_written(app: App) -> None:
    path = link(app)
    await pragma(app.database, "query_only = ON")

    refused = await app.http.get(path)
    await pragma(app.database, "query_only = OFF")

    assert refused.status_code == 503
    assert await location(app, path) == "/"
    assert await location(app, path) == "/sign-in"
