"""What tests of pages share: somebody who is signed in, and what they see."""

import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

import httpx2

from tests.app import READ_KEY, WRITE_KEY, App


async def sign_in(app: App, key: str = WRITE_KEY) -> None:
    """Sign in; the client keeps the cookie, and whoever was before is not any more."""
    app.http.cookies.clear()
    response = await app.http.post("/sign-in", data={"key": key, "next": ""})
    assert response.status_code == 303, response.text


def csrf_of(page: str) -> str:
    """Return the token that the page's forms bear."""
    match = re.search(r'name="csrf" value="([^"]+)"', page)
    assert match, page
    return match[1]


async def csrf(app: App, path: str = "/") -> str:
    """Return the token that forms of the page at a path bear."""
    return csrf_of((await app.http.get(path, follow_redirects=True)).text)


async def post(
    app: App, path: str, token: str | None = None, **fields: str | list[str]
) -> httpx2.Response:
    """Send a form as a page would; `token`: another one than the right one."""
    data = {"csrf": await csrf(app) if token is None else token, **fields}
    return await app.http.post(path, data=data)


def text_of(page: str) -> str:
    """Return what people read of a page, with single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def project_path(app: App, index: int = 0) -> str:
    """Return where a project's list is."""
    return f"/projects/{app.synced.projects[index].code}/"


class Visitor:
    """Somebody who is signed in, and who expects a status of each answer."""

    def __init__(self, app: App) -> None:
        self.http = app.http
        self.project = app.synced.projects[0].code

    @classmethod
    async def enter(cls, app: App, key: str = WRITE_KEY) -> "Visitor":
        """Sign in by a key."""
        await sign_in(app, key)
        return cls(app)

    @classmethod
    async def look(cls, app: App) -> "Visitor":
        """Sign in by the read-only key."""
        return await cls.enter(app, READ_KEY)

    async def get(self, path: str, status: int = 200) -> str:
        """Return a page."""
        response = await self.http.get(path)
        assert response.status_code == status, response.text
        return str(response.text)

    async def csrf(self) -> str:
        """Return the token that this viewer's forms bear."""
        return csrf_of(await self.get(f"/projects/{self.project}/"))

    async def post(
        self, path: str, status: int = 303, **fields: Any
    ) -> httpx2.Response:
        """Send a form, with the token unless another is given."""
        fields.setdefault("csrf", await self.csrf())
        response = await self.http.post(
            path,
            content=urlencode(fields, doseq=True),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert response.status_code == status, response.text
        return response
