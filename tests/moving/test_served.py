"""What was imported lives on in the real server: old URLs, badges and keys."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.moving.commands import AS_OF, EXPECTED, SOURCE, checks_of, hcl, moved_in
from tests.moving.serving import Served


@pytest.fixture(scope="module", params=["with its SECRET_KEY", "which came later"])
def server(
    request: pytest.FixtureRequest,
    imported: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served") / "moved"
    if request.param == "which came later":
        folder.mkdir()
        hcl(folder, "import", SOURCE, "--as-of", AS_OF.isoformat())
        moved_in(folder)
    else:
        shutil.copytree(imported, folder)
    with Served(folder) as server:
        yield server


def test_every_old_key_signs_in_and_sees_its_project(server: Served) -> None:
    for project in EXPECTED["projects"]:
        for column in ("api_key_plain", "api_key_readonly_plain"):
            if not (key := project[column]):
                continue
            answer = server.get("/api/v3/checks/", headers={"X-Api-Key": key})
            names = [check["name"] for check in answer.json()["checks"]]
            page = httpx2.post(
                f"{server.root}/sign-in",
                data={"key": key},
                headers={"Origin": server.root},
                trust_env=False,
                verify=False,
            )

            assert names == [check["name"] for check in checks_of(project)]
            assert ("uuid" in answer.text) == (column == "api_key_plain")
            assert page.status_code == 303
            first = server.get("/", cookies=dict(page.cookies))
            assert "sign-in" not in first.headers.get("Location", "")

    wrong = server.get("/api/v3/checks/", headers={"X-Api-Key": "hcw_" + "x" * 28})
    assert wrong.status_code == 401


def test_every_old_badge_opens(server: Served) -> None:
    for project in EXPECTED["projects"]:
        for tag, url in project["badge_urls"].items():
            path = url.removeprefix(EXPECTED["site_root"])
            answer = server.get(path)

            assert answer.status_code == 200, (tag, path)
            assert "<svg" in answer.text
            other = "A" if "/_" in path else "_"
            forged = re.sub(r"(/badge/[^/]+/).", rf"\g<1>{other}", path)
            assert server.get(forged).status_code == 404
    for check in EXPECTED["checks"]:
        assert server.get(f"/b/2/{check['badge_key']}.svg").status_code == 200


def test_every_old_url_pings(server: Served) -> None:
    for check in EXPECTED["checks"]:
        assert server.get(f"/ping/{check['uuid']}/log").text == "OK"
    for project in EXPECTED["projects"]:
        slugs = [check["slug"] for check in checks_of(project)]
        for slug in {slug for slug in slugs if slug and project["ping_key"]}:
            answer = server.get(f"/ping/{project['ping_key']}/{slug}/log")

            assert answer.status_code == (200 if slugs.count(slug) == 1 else 409)

    key = EXPECTED["projects"][0]["api_key_plain"]
    for check in checks_of(EXPECTED["projects"][0]):
        path = f"/api/v3/checks/{check['uuid']}"
        found = server.get(path, headers={"X-Api-Key": key}).json()
        assert found["n_pings"] > check["n_pings"]


def test_an_edit_that_changes_nothing_is_taken(server: Served) -> None:
    key = EXPECTED["projects"][0]["api_key_plain"]
    for check in checks_of(EXPECTED["projects"][0]):
        url = f"{server.root}/api/v3/checks/{check['uuid']}"
        headers = {"X-Api-Key": key}
        before = httpx2.get(url, headers=headers, trust_env=False, verify=False).json()
        fields = ("tags", "desc", "name")
        same = {name: before[name] for name in fields}

        after = httpx2.post(
            url, headers=headers, json=same, trust_env=False, verify=False
        )

        assert after.status_code == 200
        assert {name: after.json()[name] for name in fields} == same
