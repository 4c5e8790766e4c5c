"""Who may what: users whom a proxy names, and keys that open several projects."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import toml
from tests.app import CONFIG, OTHER_READ_KEY, READ_KEY, WRITE_KEY, App, running_app
from tests.web.pages.browsing import project_path, sign_in

PROXY = "192.0.2.9"
USERS = "".join(
    [
        toml.table("web", user_header="Remote-User"),
        toml.table("[web.users]", name="anna"),
        toml.table("[web.users]", name="ben", access="read-only"),
        toml.table("[web.users]", name="eva", projects=["Other"]),
    ]
)
TEXT = USERS + CONFIG.replace(
    "[server]\n", f'[server]\ntrusted_proxies = ["{PROXY}"]\n', 1
)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with running_app(tmp_path, TEXT, peer=PROXY) as app:
        yield app


async def status(app: App, user: str, path: str) -> int:
    headers = {"Remote-User": user}
    return int((await app.http.get(path, headers=headers)).status_code)


async def test_users_see_their_projects(app: App) -> None:
    home, other = project_path(app), project_path(app, 1)

    seen = {
        user: [await status(app, user, path) for path in (home, other)]
        for user in ("anna", "ben", "eva")
    }

    assert seen == {"anna": [200, 200], "ben": [200, 200], "eva": [404, 200]}


async def test_user_who_may_only_look_changes_nothing(app: App) -> None:
    path = project_path(app) + "new"

    form = {"csrf": "x", "name": "x"}
    sent = await app.http.post(path, data=form, headers={"Remote-User": "ben"})

    assert await status(app, "anna", path) == 200
    assert await status(app, "ben", path) == 403
    assert sent.status_code == 403


async def test_whom_the_file_does_not_name_is_asked_for_a_key(app: App) -> None:
    for user in ("carl", "Anna", "anna "):
        answer = await app.http.get("/", headers={"Remote-User": f"x{user}"})

        assert answer.headers["location"].startswith("/sign-in")

    await sign_in(app)
    assert await status(app, "carl", project_path(app)) == 200


@pytest.mark.parametrize("mark", ["\u200e", "\u202c", "\u00a0", "\u0085", "\u061c"])
async def test_name_with_a_mark_that_nobody_sees_is_another(
    app: App, mark: str
) -> None:
    for user in (f"anna{mark}", f"{mark}anna", f"an{mark}na"):
        headers = {b"Remote-User": user.encode()}
        answer = await app.http.get("/", headers=headers)

        assert answer.headers["location"].startswith("/sign-in")


async def test_list_that_a_reload_shortens_counts_at_once(app: App) -> None:
    ben = toml.table("[web.users]", name="ben", access="read-only")

    await app.reload(TEXT.replace(ben, ""))

    assert await status(app, "ben", project_path(app)) == 303


def opening(key: str, *projects: str) -> str:
    line = f'key = "{key}"\n'
    names = ", ".join(f'"{name}"' for name in projects)
    return CONFIG.replace(line, f"{line}projects = [{names}]\n")


async def test_key_opens_other_projects_on_pages(tmp_path: Path) -> None:
    async with running_app(tmp_path, opening(WRITE_KEY, "Other", "Home")) as app:
        await sign_in(app)
        pages = [
            await app.http.get(project_path(app, number) + "new") for number in (0, 1)
        ]
        listed = await app.api("GET", "channels/")

    assert [page.status_code for page in pages] == [200, 200]
    # The API knows it as its own project's.
    assert [c["name"] for c in listed.json()["channels"]] == ["Hook A", "Hook B"]


async def test_key_opens_other_projects_for_prometheus(tmp_path: Path) -> None:
    async with running_app(tmp_path, opening(READ_KEY, "Other")) as app:
        other = project_path(app, 1)
        statuses = [
            (await app.http.get(f"{path}metrics/{key}")).status_code
            for path, key in (
                (other, READ_KEY),
                (project_path(app), READ_KEY),
                (project_path(app), OTHER_READ_KEY),
            )
        ]

    assert statuses == [200, 200, 403]
