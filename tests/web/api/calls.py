"""Calls of the Management API that many tests make, judged by their status."""

from typing import Any

from tests.app import App

# A check with every field set.
FULL: dict[str, Any] = {
    "name": "Nightly Backup",
    "slug": "nightly",
    "tags": "prod  db ü",
    "desc": "line\nline 😀",
    "grace": 60,
    "manual_resume": True,
    "methods": "POST",
    "start_kw": "BEGIN",
    "success_kw": "OK",
    "failure_kw": "ERROR",
    "filter_subject": True,
    "filter_body": True,
    "filter_http_body": True,
    "filter_default_fail": True,
    "timeout": 31_536_000,
}


async def create(app: App, version: int = 3, **fields: Any) -> dict[str, Any]:
    response = await app.api("POST", "checks/", json=fields, version=version)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def update(
    app: App, check: dict[str, Any], version: int = 3, **fields: Any
) -> dict[str, Any]:
    response = await app.api(
        "POST", f"checks/{check['uuid']}", json=fields, version=version
    )
    assert response.status_code == 200, response.text
    return dict(response.json())


async def names(app: App, query: str = "", version: int = 3) -> list[str]:
    """Return the names of the checks in the list."""
    response = await app.api("GET", f"checks/{query}", version=version)
    assert response.status_code == 200
    return [check["name"] for check in response.json()["checks"]]
