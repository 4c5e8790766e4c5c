"""Links that people bring along from Healthchecks, to pages that lie elsewhere here."""

import pytest

from tests.app import OTHER_WRITE_KEY, READ_KEY, WRITE_KEY, App
from tests.store import put_check
from tests.web.pages.browsing import Visitor, project_path

LINKS = [
    ("/checks/{code}/details/", ""),
    ("/checks/{code}/details/?urls=slug", ""),
    ("/checks/{code}/details", ""),
    ("/checks/{code}/", ""),
    ("/cloaked/{key}/", ""),
    ("/checks/{code}/log/", "/log"),
]


@pytest.mark.parametrize(("link", "end"), LINKS)
async def test_link_leads_to_the_page_of_the_check(
    app: App, link: str, end: str
) -> None:
    check = await put_check(app.database)
    path = link.format(code=check.code, key=check.unique_key)

    await Visitor.enter(app, WRITE_KEY)
    writer = await app.http.get(path)
    await Visitor.enter(app, READ_KEY)
    reader = await app.http.get(path)
    followed = await app.http.get(path, follow_redirects=True)
    await Visitor.enter(app, OTHER_WRITE_KEY)
    foreign = await app.http.get(path)

    assert writer.headers["Location"] == f"/checks/{check.code}{end}"
    assert reader.headers["Location"] == f"/checks/{check.unique_key}{end}"
    assert followed.status_code == 200
    assert foreign.status_code == 404


async def test_who_is_not_signed_in_is_asked_to_and_led_on(app: App) -> None:
    check = await put_check(app.database)

    asked = await app.http.get(f"/checks/{check.code}/details/")
    entered = await app.http.post(
        "/sign-in", data={"key": WRITE_KEY, "next": f"/checks/{check.code}/details/"}
    )

    assert asked.headers["Location"] == f"/sign-in?next=/checks/{check.code}/details/"
    assert entered.headers["Location"] == f"/checks/{check.code}/details/"


async def test_link_to_a_projects_list_leads_there(app: App) -> None:
    await Visitor.enter(app)

    response = await app.http.get(f"{project_path(app)}checks/")

    assert response.headers["Location"] == project_path(app)
