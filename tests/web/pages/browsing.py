"""What tests of pages share: somebody who is signed in, and what they see."""

import re

import httpx2

from tests.app import WRITE_KEY, App


async def sign_in(app: App, key: str = WRITE_KEY) -> None:
    """Sign in; the client keeps the cookie."""
    response = await app.http.post("/sign-in", data={"key": key})
    assert response.status_code == 303, response.text


async def csrf(app: App, path: str = "/") -> str:
    """Return the token that forms of a page bear."""
    response = await app.http.get(path, follow_redirects=True)
    return str(re.findall(r'name="csrf" value="([^"]+)"', response.text)[0])


async def post(
    app: App, path: str, token: str | None = None, **fields: str | list[str]
) -> httpx2.Response:
    """Send a form as a page would; `token`: another one than the right one."""
    data = {"csrf": await csrf(app) if token is None else token, **fields}
    return await app.http.post(path, data=data)


def project_path(app: App, index: int = 0) -> str:
    """Return where a project's list is."""
    return f"/projects/{app.synced.projects[index].code}/"
