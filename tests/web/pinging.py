"""What tests of pings ask the API before and after them."""

from typing import Any

from tests.app import App

UNKNOWN = "b7a6d9c2-5c3e-4c51-9b2e-3c7f0d1e2f3a"
RID = "123e4567-e89b-12d3-a456-426614174000"
METHODS = (
    *("HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"),
    *("PROPFIND", "PURGE"),
)


async def new_check(app: App, **fields: Any) -> str:
    """Create a check and return its UUID."""
    response = await app.api("POST", "checks/", json=fields)
    assert response.status_code == 201, response.text
    return str(response.json()["uuid"])


async def get_check(app: App, code: str) -> dict[str, Any]:
    response = await app.api("GET", f"checks/{code}")
    assert response.status_code == 200
    return dict(response.json())


async def get_checks(app: App) -> list[dict[str, Any]]:
    return list((await app.api("GET", "checks/")).json()["checks"])


async def get_log(app: App, code: str) -> list[dict[str, Any]]:
    """Return the check's pings, the oldest first."""
    response = await app.api("GET", f"checks/{code}/pings/")
    assert response.status_code == 200
    return list(reversed(response.json()["pings"]))


async def get_body(app: App, code: str, n: int = 1) -> bytes:
    response = await app.api("GET", f"checks/{code}/pings/{n}/body")
    assert response.status_code == 200
    return response.content
