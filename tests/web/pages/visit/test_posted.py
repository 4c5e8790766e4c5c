"""Forms: who may have how much read, and what is said of those that came by http."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hcl.web.pages.routes import PAGES
from hcl.web.pages.visit.posted import UNKNOWN_LIMIT
from tests.app import CONFIG, READ_KEY, ROOT, WRITE_KEY, App, running_app
from tests.web.api.calls import create
from tests.web.pages.browsing import Visitor, csrf, project_path, sign_in, text_of


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CODE = "b7a6d9c2-5c3e-4c51-9b2e-3c7f0d1e2f3a"
CLOSED = [path for path, page in PAGES.items() if page.post and not page.is_open]
HTTPS = CONFIG.replace("http://hcl.example", "https://hcl.example")
USER = HTTPS.replace("[api]", '[web]\nuser_header = "Remote-User"\n\n[api]').replace(
    'listen = "127.0.0.1:0"', 'listen = "127.0.0.1:0"\ntrusted_proxies = ["192.0.2.1"]'
)


class Body:
    """A body that counts how much of it was asked for."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.read < self.size:
            self.read += 4096
            yield b"key=" + b"%" * 4092


def filled(path: str) -> str:
    for name in ("code:code", "project:code", "channel:code"):
        path = path.replace(f"{{{name}}}", CODE)
    return path.replace("{n:number}", "1")


@pytest.mark.parametrize("size", [3_000_000, 30_000_000])
@pytest.mark.parametrize("path", CLOSED)
async def test_form_of_nobody_is_not_read(app: App, path: str, size: int) -> None:
    body = Body(size)

    response = await app.http.post(filled(path), content=body, headers=FORM)

    assert response.status_code in (303, 401)
    assert body.read <= 2 * 65_536


@pytest.mark.parametrize("size", [3_000_000, 30_000_000])
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
async def test_form_to_sign_in_is_read_up_to_64_kb(
    app: App, path: str, size: int
) -> None:
    body = Body(size)

    response = await app.http.post(path, content=body, headers=FORM)

    assert response.status_code == 413
    assert body.read <= UNKNOWN_LIMIT + 65_536


async def test_form_to_sign_in_may_be_64_kb(app: App) -> None:
    form = f"key={WRITE_KEY}&next=/&x=".encode().ljust(UNKNOWN_LIMIT, b"%")

    over = await app.http.post("/sign-in", content=form + b"%", headers=FORM)
    fits = await app.http.post("/sign-in", content=form, headers=FORM)

    assert (fits.status_code, over.status_code) == (303, 413)


async def test_form_of_who_may_only_look_is_not_read(app: App) -> None:
    await sign_in(app, READ_KEY)
    body = Body(3_000_000)

    response = await app.http.post(
        f"{project_path(app)}new", content=body, headers=FORM
    )

    assert response.status_code == 403
    assert body.read <= 2 * 65_536


async def test_long_form_of_who_signed_in_is_read(app: App) -> None:
    check = await create(app, name="x")
    visitor = await Visitor.enter(app)

    page = await visitor.post(
        f"/checks/{check['uuid']}/edit", 422, name="y", desc="é" * 300_000
    )

    assert "10,000 characters at most" in text_of(page.text)


# Over http where the site is https


async def test_sign_in_over_http_names_the_address_to_use(tmp_path: Path) -> None:
    async with running_app(tmp_path, HTTPS) as app:
        asked = await app.http.get("/sign-in")
        entered = await app.http.post("/sign-in", data={"key": WRITE_KEY})
        wrong = await app.http.post("/sign-in", data={"key": "x" * 32})

    assert (asked.status_code, entered.status_code) == (200, 403)
    for page in (asked.text, entered.text):
        assert "Use https://hcl.example/ instead" in text_of(page)
    assert "set-cookie" not in entered.headers
    assert "Wrong key." in wrong.text


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}),
        ("192.0.2.1", {"Origin": "https://hcl.example", "Host": "hcl.example"}),
        ("192.0.2.1", {"Sec-Fetch-Site": "same-origin"}),
    ],
)
async def test_sign_in_behind_a_proxy_that_speaks_https_is_as_ever(
    tmp_path: Path, peer: str, headers: dict[str, str]
) -> None:
    async with running_app(tmp_path, HTTPS, peer=peer) as app:
        entered = await app.http.post(
            "/sign-in", data={"key": WRITE_KEY}, headers=headers
        )

    assert entered.status_code == 303
    assert "Secure" in entered.headers["set-cookie"]


async def test_form_of_a_proxied_user_over_http_names_the_address(
    tmp_path: Path,
) -> None:
    user = {"Remote-User": "ann"}
    async with running_app(tmp_path, USER, peer="192.0.2.1") as app:
        response = await app.http.post(
            f"{project_path(app)}new",
            data={"csrf": "of a cookie that was not kept"},
            headers=user,
        )

    assert response.status_code == 403
    assert "Use https://hcl.example/ instead" in text_of(response.text)


async def test_form_that_is_too_old_says_what_to_do(app: App) -> None:
    await sign_in(app)
    await csrf(app)

    response = await app.http.post(f"{project_path(app)}many", data={"csrf": "old"})

    assert "Go back, reload the page and try again." in text_of(response.text)
    assert ROOT not in text_of(response.text)
