"""hcl behind nginx and Caddy, by the files of docs/proxies.md as they stand."""

import contextlib
import json
import re
import tomllib
from collections.abc import Iterator
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx2
import pytest
import yaml

from hcl.config import parse
from tests import toml
from tests.config import PROJECT
from tests.patience import ENDS
from tests.server.process import API_KEY, PING_KEY, Serve
from tests.server.proxies import DOCS, FILES, Proxy, program

READ_KEY = "hcr_" + "r" * 28

PATHS = {"root": "", "stripped": "/hcl", "unstripped": "/hcl"}

installed = [
    pytest.param(
        kind, marks=pytest.mark.skipif(not program(kind), reason=f"needs {kind}")
    )
    for kind in ("nginx", "caddy")
]


@contextlib.contextmanager
def proxied(folder: Path, kind: str, name: str) -> Iterator[str]:
    """Serve behind a proxy; yield where the site is."""
    serve = Serve(folder)
    with Proxy(folder, kind, name, hcl=serve.port) as proxy:
        site = proxy.root + PATHS[name]
        path = folder / "hcl.toml"
        text = path.read_text().replace(f'"{serve.root}"', f'"{site}"')
        path.write_text(text)
        with serve:
            yield site


def client(**headers: str) -> httpx2.Client:
    return httpx2.Client(trust_env=False, verify=False, headers=headers, timeout=ENDS)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("kind", installed)
def test_all_of_it_works_behind_a_proxy(tmp_path: Path, kind: str, name: str) -> None:
    with proxied(tmp_path, kind, name) as site, client() as http:
        # Jobs.
        ping = f"{site}/ping/{PING_KEY}/job"
        created = http.get(f"{ping}?create=1")
        forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        pinged = http.post(ping, content=b"x" * 2_000_000, headers=forged)

        # Programs: an address without its slash leads within the site.
        key = {"X-Api-Key": API_KEY}
        moved = http.get(f"{site}/api/v3/checks", headers=key, follow_redirects=True)
        [check] = moved.json()["checks"]
        pings = http.get(f"{check['update_url']}/pings/", headers=key).json()["pings"]
        badge = http.get(check["badge_url"])

        # People.
        asked = http.get(f"{site}/", follow_redirects=True)
        entered = http.post(
            f"{site}/sign-in",
            data={"key": API_KEY, "next": "/"},
            headers={"Origin": site.removesuffix(PATHS[name])},
            follow_redirects=True,
        )
        style = http.get(f"{site}/static/app.css")

        # What is live.
        with http.stream("GET", f"{entered.url}live") as stream:
            lines = stream.iter_lines()
            first = next(lines)
            http.get(f"{ping}/fail")
            told = next(line for line in lines if line.startswith("data: "))

    assert (created.text, pinged.text) == ("Created", "OK")
    assert {(p["remote_addr"], p["scheme"]) for p in pings} == {("127.0.0.1", "http")}
    assert moved.history[0].status_code == 301
    assert check["ping_url"].startswith(f"{site}/ping/")
    assert badge.status_code == 200
    assert str(asked.url).startswith(f"{site}/sign-in")
    assert str(entered.url).startswith(f"{site}/projects/")
    assert "job" in entered.text
    assert entered.headers["content-encoding"] == "gzip"
    assert style.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in stream.headers
    assert first.startswith((":", "retry"))
    assert "rows" in json.loads(told.removeprefix("data: ")) or "anew" in told


@pytest.mark.parametrize("kind", installed)
def test_a_host_for_pings_alone_has_no_path_in_its_urls(
    tmp_path: Path, kind: str
) -> None:
    serve = Serve(tmp_path)
    with Proxy(tmp_path, kind, "pings", hcl=serve.port) as proxy:
        path = tmp_path / "hcl.toml"
        endpoint = f'[server]\nping_endpoint = "{proxy.root}/"\n'
        path.write_text(path.read_text().replace("[server]\n", endpoint))
        with serve, client() as http:
            created = http.get(f"{proxy.root}/{PING_KEY}/job?create=1")
            [check] = serve.api("GET", "checks/")["checks"]
            failed = http.post(f"{check['ping_url']}/3", content=b"why")
            [ping, _] = serve.api("GET", f"checks/{check['uuid']}/pings/")["pings"]

    assert (created.text, failed.text) == ("Created", "OK")
    assert check["ping_url"] == f"{proxy.root}/{check['uuid']}"
    assert (ping["type"], ping["remote_addr"]) == ("fail", "127.0.0.1")


class Portal(BaseHTTPRequestHandler):
    """A portal as Authelia: whoever has the cookie `user` has signed in as that."""

    def do_GET(self) -> None:
        user = SimpleCookie(self.headers.get("Cookie", "")).get("user")
        asks = self.path.startswith("/api/authz/")
        # nginx takes no redirect for an answer, and Caddy hands it on.
        sends = 401 if self.path.endswith("/auth-request") else 302
        self.send_response(sends if asks and not user else 200)
        if user:
            self.send_header("Remote-User", user.value)
        elif asks:
            port = self.connection.getsockname()[1]
            self.send_header("Location", f"http://127.0.0.1:{port}/")
        self.end_headers()
        self.wfile.write(b"" if asks else b"Sign in here")

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextlib.contextmanager
def portal() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize("kind", installed)
def test_whom_the_proxy_names_is_signed_in_and_nobody_else(
    tmp_path: Path, kind: str
) -> None:
    serve = Serve(tmp_path)
    with (
        portal() as port,
        Proxy(tmp_path, kind, "sign-in", hcl=serve.port, portal=port) as proxy,
        client() as http,
    ):
        config = "\n".join(
            [
                toml.table("web", user_header="Remote-User"),
                toml.table("[web.users]", name="anna"),
                toml.table("[web.users]", name="ben", access="read-only"),
            ]
        )
        page = toml.table("[projects.pages]", slug="home", title="At home")
        reader = toml.key("Prometheus", READ_KEY, access="read-only")
        serve.write_config(f"{page}\n{reader}", tables=config)
        path = tmp_path / "hcl.toml"
        trusted = f'site_root = "{proxy.root}"\ntrusted_proxies = ["127.0.0.1"]'
        text = path.read_text().replace(f'site_root = "{serve.root}"', trusted)
        path.write_text(text)
        with serve:

            def look(user: str, path: str = "/", **headers: str) -> httpx2.Response:
                http.cookies.clear()
                if user:
                    http.cookies.set("user", user)
                url = f"{proxy.root}{path}"
                return http.get(url, headers=headers, follow_redirects=True)

            anna, ben, carl = look("anna"), look("ben"), look("carl")
            forged = look("", **{"Remote-User": "anna"})
            raised = look("ben", **{"Remote-User": "anna"})
            # Jobs and programs need not sign in, and are nobody there.
            pinged = look("", f"/ping/{PING_KEY}/job?create=1")
            listed = look("", "/api/v3/checks/", **{"X-Api-Key": API_KEY})
            # By this `hcl run` knows that late signals may bear their own time.
            asked = look("", "/client/hcl.sha256")
            # Nor do those that a page is for, and Prometheus.
            shown = look("", "/p/home")
            found = re.search(r'href="([^"]*others.css[^"]*)"', shown.text)
            style = look("", found[1] if found else "")
            code = re.search(r"/projects/([0-9a-f-]{36})/", str(anna.url))
            scraped = look(
                "", f"/projects/{code[1] if code else ''}/metrics/{READ_KEY}"
            )

    assert anna.status_code == ben.status_code == raised.status_code == 200
    assert "/new" in anna.text
    assert "/new" not in ben.text + raised.text
    assert "/projects/" not in carl.text
    assert forged.text == "Sign in here"
    assert pinged.text == "Created"
    assert asked.text.endswith("  hcl\n")
    assert "At home" in shown.text
    assert style.headers["content-type"].startswith("text/css")
    assert "hc_checks_total 1" in scraped.text
    assert [check["slug"] for check in listed.json()["checks"]] == ["job"]


def test_every_file_of_the_docs_is_run() -> None:
    names = [*PATHS, "pings", "sign-in"]

    assert set(FILES) == {(kind, name) for kind in ("nginx", "caddy") for name in names}


def test_toml_and_yaml_of_the_docs_are_right(tmp_path: Path) -> None:
    configs = [
        parse(tomllib.loads(block + PROJECT), tmp_path, "hcl.toml", {})
        for block in re.findall(r"(?ms)^```toml\n(.*?)^```$", DOCS)
    ]
    [labels] = re.findall(r"(?ms)^```yaml\n(.*?)^```$", DOCS)
    traefik = yaml.safe_load(labels)

    assert configs[0].server.site_root == "https://hc.example.org"
    assert configs[1].server.ping_endpoint == "https://ping.example.org/"
    assert [user.name for user in configs[2].web.users] == ["anna", "ben"]
    assert len(traefik["labels"]) == 5
