"""The OpenAPI document: valid, complete, and of the same mind as the code."""

import re
import subprocess
import sys
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from hcl.checks import spec
from hcl.config import Event
from hcl.web import ping as pinging
from hcl.web.api import lists
from hcl.web.app import api_routes, badge_routes, docs_routes, metrics_routes
from tests.app import (
    CONFIG,
    OTHER_WRITE_KEY,
    PING_KEY,
    READ_KEY,
    ROOT,
    App,
    running_app,
)
from tests.build import make_check
from tests.web.api.calls import FULL, create, update

URL = "/api/v3/openapi.json"
SAMPLES = {
    "code": "f618072a-7bde-4eee-af63-71a77c5723bc",
    "unique_key": "0" * 40,
    "n": "1",
    "key": "f618072a-7bde-4eee-af63-71a77c5723bc",
    "signature": "12345678",
    "tag": "a",
    "fmt": "svg",
    "states": "2",
}


async def get_document(app: App) -> dict[str, Any]:
    response = await app.http.get(URL)
    assert response.status_code == 200
    return dict(response.json())


@pytest.fixture
async def document(app: App) -> dict[str, Any]:
    return await get_document(app)


def methods(item: dict[str, Any]) -> set[str]:
    return {name.upper() for name in item if name != "parameters"}


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    return dict(document["components"]["schemas"][name])


async def test_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


async def test_document_is_read_without_a_key_from_any_site(app: App) -> None:
    response = await app.http.get(URL)

    assert response.headers["content-type"] == "application/json"
    assert response.headers["access-control-allow-origin"] == "*"


async def test_head_and_other_methods_of_the_document(app: App) -> None:
    assert (await app.http.head(URL)).status_code == 200
    assert (await app.http.post(URL)).status_code == 405


async def test_other_versions_have_no_document(app: App) -> None:
    assert (await app.http.get("/api/v1/openapi.json")).status_code == 404


async def test_other_versions_are_named_in_the_description(
    document: dict[str, Any],
) -> None:
    assert not [path for path in document["paths"] if re.search("/v[12]/", path)]
    assert {"`v1`", "`v2`"} <= set(document["info"]["description"].split())


# Routes


async def routes_of_app(app: App) -> dict[str, set[str]]:
    """Return the methods of each URL, those with the same form as one."""
    found: dict[str, set[str]] = {}
    services = app.parts
    for route in [
        *api_routes(services, 3),
        *docs_routes(services),
        *badge_routes(services),
        *metrics_routes(services),
    ]:
        path = re.sub(
            r"{(\w+):\w+}", lambda m: SAMPLES.get(m[1], "nothing"), route.path
        )
        response = await app.http.options(path)
        is_redirect = (await app.http.get(path)).status_code == 301
        # The page is made of the document, and not in it; nor are redirects.
        if (
            response.status_code == 204
            and not is_redirect
            and not path.startswith("/docs")
        ):
            form = re.sub("{.*?}", "{}", route.path)
            allowed = response.headers["allow"].split(", ")
            found.setdefault(form, set()).update(set(allowed) - {"OPTIONS"})
    return found


async def test_routes_are_in_the_document_and_no_others(
    app: App, document: dict[str, Any]
) -> None:
    documented = {
        re.sub("{.*?}", "{}", path): methods(item)
        for path, item in document["paths"].items()
        if not path.startswith("/ping/")
    }

    assert documented == await routes_of_app(app)


async def test_forms_of_pings_are_in_the_document_and_no_others(
    document: dict[str, Any],
) -> None:
    documented = {path for path in document["paths"] if path.startswith("/ping/")}

    signals = [f"/{signal}" for signal in pinging._ACTIONS if signal]
    by_uuid = {"/ping/{uuid}" + end for end in ["", *signals]}
    by_slug = {
        "/ping/{ping_key}/{slug}" + end for end in ["", *signals, "/{exitstatus}"]
    }
    assert documented == by_uuid | by_slug


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
)
async def test_documented_pings_are_answered_whatever_the_method(
    app: App, document: dict[str, Any], method: str
) -> None:
    check = await create(app, slug="nightly")
    values = {
        "uuid": check["uuid"],
        "ping_key": PING_KEY,
        "slug": "nightly",
        "exitstatus": "3",
    }

    for path, item in document["paths"].items():
        if path.startswith("/ping/"):
            response = await app.http.request(method, path.format(**values))
            assert response.status_code == 200
            assert {"GET", "HEAD", "POST"} == methods(item)

    # An exit status by UUID has the form of a slug's URL.
    url = "/ping/{ping_key}/{slug}".format(ping_key=check["uuid"], slug="3")
    assert (await app.http.request(method, url)).status_code == 200
    text = next(tag for tag in document["tags"] if tag["name"] == "Pinging")
    assert "Any HTTP method counts" in text["description"]


# Figures and fields

# What the version of the API says is no field of a request.
FIELDS = [f.name for f in fields(spec.CheckSpec) if f.name != "slug_follows_name"]


async def test_fields_of_requests_are_those_of_the_spec(
    document: dict[str, Any],
) -> None:
    known = set(FIELDS)

    assert set(schema(document, "NewCheck")["properties"]) == known | {"api_key"}
    changes = set(schema(document, "CheckChanges")["properties"])
    assert changes == (known - {"unique"}) | {"api_key"}


def refusal(name: str, value: Any) -> str:
    """Return what the API says to a value, "" if it takes it."""
    try:
        spec.parse({name: value})
    except spec.SpecError as error:
        return str(error).removeprefix(f"json validation error: {name} ")
    return ""


@pytest.mark.parametrize("name", FIELDS)
async def test_bounds_are_those_of_the_spec(
    document: dict[str, Any], name: str
) -> None:
    for request in ("NewCheck", "CheckChanges"):
        node = schema(document, request)["properties"].get(name, {})
        if node.get("type") == "string" and "enum" not in node:
            limit = node.get("maxLength", 10_000)
            assert refusal(name, "a" * limit) != "is too long"
            too_long = refusal(name, "a" * (limit + 1)) == "is too long"
            assert too_long == ("maxLength" in node)
        elif "integer" in node.get("type", ""):
            assert refusal(name, node["minimum"] - 1) == "is too small"
            assert refusal(name, node["minimum"]) == ""
            assert refusal(name, node["maximum"]) == ""
            assert refusal(name, node["maximum"] + 1) == "is too large"
        elif node.get("type") == "boolean":
            assert refusal(name, True) == ""
        elif "enum" in node:
            assert [refusal(name, value) for value in node["enum"]] == ["", ""]
            assert refusal(name, "GET") == "has unexpected value"


async def test_items_of_unique_are_those_of_the_spec(document: dict[str, Any]) -> None:
    unique = schema(document, "NewCheck")["properties"]["unique"]

    assert unique["items"]["enum"] == list(spec.UNIQUE_FIELDS)


async def test_defaults_are_those_of_a_new_check(
    app: App, document: dict[str, Any]
) -> None:
    simple = await create(app)
    cron = await create(app, schedule="5 3 * * *")

    for name, node in schema(document, "NewCheck")["properties"].items():
        if name in spec.FINER_FIELDS:
            # Left out of an answer it is what a new check has.
            assert name not in {**cron, **simple}
            seconds = getattr(make_check(), name)
            if isinstance(seconds, timedelta):
                seconds = seconds.total_seconds()
            assert node["default"] == seconds
        elif "default" in node and name != "unique":
            assert node["default"] == {**cron, **simple}[name]


async def test_members_of_answers_are_those_of_the_document(
    app: App, document: dict[str, Any]
) -> None:
    simple = await create(app)
    await app.http.get(f"/ping/{simple['uuid']}/start")
    await app.http.post(f"/ping/{simple['uuid']}", content=b"done")
    path = f"checks/{simple['uuid']}/mute"
    await app.api("POST", "maintenance/", json={"seconds": 60})
    answers = [
        (await app.api("POST", path, json={"seconds": 60})).json(),
        await update(app, simple),
        await create(app, **FULL),
        await create(app, max_run=1, min_run=1, down_after=2, early=1),
        await create(app, schedule="5 3 * * *", tz="Europe/Riga"),
        (await app.api("GET", "checks/", key=READ_KEY)).json()["checks"][0],
    ]
    await app.reload(CONFIG + '\n[[projects.checks]]\nslug = "declared"\n')
    answers += (await app.api("GET", "checks/", key=OTHER_WRITE_KEY)).json()["checks"]
    pings = (await app.api("GET", f"checks/{simple['uuid']}/pings/")).json()["pings"]

    members = {name for answer in answers for name in answer}
    assert members == set(schema(document, "Check")["properties"])
    members = {name for ping in pings for name in ping}
    assert members == set(schema(document, "Ping")["properties"])


async def test_every_event_of_a_check_is_in_the_document(
    document: dict[str, Any],
) -> None:
    told = document["components"]["schemas"]["Message"]["properties"]["event"]["enum"]

    # What concerns hcl itself is no check's.
    assert {*told} == {*get_args(Event), "reminder"} - {"server"}


@pytest.mark.parametrize("name", ["seconds", "start", "end"])
async def test_bounds_of_flips_are_those_of_the_api(
    app: App, document: dict[str, Any], name: str
) -> None:
    code = (await create(app))["uuid"]
    parameters = document["paths"]["/api/v3/checks/{uuid}/flips/"]["get"]["parameters"]
    greatest = next(p for p in parameters if p["name"] == name)["schema"]["maximum"]

    for value, status in ((0, 200), (greatest, 200), (greatest + 1, 400)):
        response = await app.api("GET", f"checks/{code}/flips/?{name}={value}")
        assert response.status_code == status


# Settings


async def test_settings_are_in_the_document(tmp_path: Path) -> None:
    text = CONFIG.replace("[api]", '[api]\nflips = "list"\nbody_limit = 4321')
    text += "\n[pings]\nbody_limit = 1234\nlog_limit = 77\n"

    async with running_app(tmp_path, text) as app:
        document = await get_document(app)

    assert document["servers"] == [{"url": ROOT}]
    paths = document["paths"]
    answers = paths["/ping/{uuid}"]["get"]["responses"]
    assert answers["200"]["headers"]["Ping-Body-Limit"]["schema"]["const"] == 1234
    answers = paths["/api/v3/checks/"]["post"]["responses"]
    assert "4321 bytes" in answers["413"]["description"]
    answers = paths["/api/v3/checks/{uuid}/flips/"]["get"]["responses"]
    flips = answers["200"]["content"]["application/json"]["schema"]
    assert flips["type"] == "array"
    answers = paths["/api/v3/checks/{uuid}/pings/"]["get"]["responses"]
    pings = answers["200"]["content"]["application/json"]["schema"]
    assert pings["properties"]["pings"]["maxItems"] == 77 < lists.PINGS_LIMIT


@pytest.mark.parametrize("key", ["ann.b+c@example.org", "a~b_c-1"])
async def test_badge_key_of_a_project_may_be_what_hcl_toml_takes(
    tmp_path: Path, key: str
) -> None:
    text = CONFIG.replace("ping_key", f'badge_key = "{key}"\nping_key', 1)

    async with running_app(tmp_path, text) as app:
        paths = (await get_document(app))["paths"]

    [parameter] = [
        parameter
        for parameter in paths["/badge/{badge_key}/{signature}.{format}"]["parameters"]
        if parameter["name"] == "badge_key"
    ]
    assert re.search(parameter["schema"]["pattern"], key)


def test_nothing_of_it_is_loaded_at_the_start() -> None:
    program = (
        "import sys, hcl.server.serving;"
        "print([m for m in sys.modules if 'openapi' in m or 'docs_page' in m"
        " or m == 'jinja2'])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout == "[]\n"
