"""Somebody who looks at the pages of a check through ASGI, as a browser would."""

import re
from typing import Any
from urllib.parse import urlencode

import httpx2

from tests.app import READ_KEY, WRITE_KEY, App


class Visitor:
    """A signed-in viewer with cookies of their own."""

    def __init__(self, app: App, http: httpx2.AsyncClient) -> None:
        self.app = app
        self.http = http
        self.project = app.synced.projects[0].code

    @classmethod
    async def enter(cls, app: App, key: str = WRITE_KEY) -> "Visitor":
        """Sign in by a key."""
        app.http.cookies.clear()
        response = await app.http.post("/sign-in", data={"key": key, "next": ""})
        assert response.status_code == 303, response.text
        return cls(app, app.http)

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
        page = await self.get(f"/projects/{self.project}/")
        match = re.search(r'name="csrf" value="([^"]+)"', page)
        assert match is not None
        return match[1]

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
