"""Moving in by the API of a server, which may answer as it likes."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit
from threading import Event, Thread
from typing import Any

import httpx2
import pytest

from hcl import config
from tests import toml
from tests.moving.commands import EXPECTED, checks_of, hcl
from tests.moving.serving import Served, judged, read
from tests.patience import ENDS
from tests.sinks import HttpSink

PROJECT = EXPECTED["projects"][0]
KEY = "k" * 32


def test_a_project_comes_from_a_server(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    with Served(moved("here")) as server:
        arguments = ("import", f"{server.root}/api/v3/", "--project", "Moved")
        # The line's end as a container's secret has it that was made of a file.
        env = {"HCL_API_KEY": PROJECT["api_key_plain"] + "\n"}

        done = hcl(there, *arguments, env=env)
        again = hcl(there, *arguments, env=env)

        assert done.returncode == again.returncode == 0, done.stderr + again.stderr
        assert "0 checks came" in again.stdout
        assert " 0 pings and 0 flips" in again.stdout
    [project] = config.load(there / "hcl.toml").projects
    assert project.name == "Moved"
    assert project.badge_key == PROJECT["badge_key"]
    digest = hashlib.sha256(PROJECT["api_key_plain"].encode()).hexdigest()
    assert [(key.sha256, key.access) for key in project.keys] == [
        (digest, "read-write")
    ]
    # A group's members are not told.
    assert {(c.id, c.enabled) for c in project.channels} == {
        (c["uuid"], False) for c in PROJECT["channels"] if c["kind"] != "group"
    }
    for check in checks_of(PROJECT):
        code = check["uuid"]
        [[n_pings, last, kind, tags, badge, pings, bodies, flips, serving]] = read(
            there,
            "SELECT n_pings, last_ping, kind, tags, badge_key,"
            " (SELECT count(*) FROM pings WHERE check_id = c.id),"
            " (SELECT count(*) FROM pings WHERE check_id = c.id AND body != x''),"
            " (SELECT count(*) FROM flips WHERE check_id = c.id),"
            " (SELECT count(*) FROM checks_channels WHERE check_id = c.id)"
            f" FROM checks c JOIN check_states s ON s.check_id = id"
            f" WHERE code = '{code}'",
        )
        groups = [c for c in check["channels"] if c.startswith("Group")]
        assert (n_pings, kind, tags) == tuple(
            check[name] for name in ("n_pings", "kind", "tags")
        )
        assert badge == check["badge_key"]
        assert last == pytest.approx(check["last_ping"], abs=1e-5)
        assert pings == len(check["pings"])
        assert flips == len(check["flips"])
        kept = [p for p in check["pings"] if p["body_sha256"] and not p["object_size"]]
        assert bodies == len(kept)
        assert serving == len(check["channels"]) - len(groups)


def test_project_is_known_by_its_key_whatever_it_is_called_here(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Behind) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        arguments = ("import", url, "--api-key", KEY)
        first = hcl(tmp_path, *arguments)
        path = tmp_path / "hcl.toml"
        text = path.read_text().replace('name = "127.0.0.1"', 'name = "Home"')
        path.write_text(text)

        again = hcl(tmp_path, *arguments)
        server.shutdown()

    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert "in another project" not in again.stdout
    assert path.read_text() == text
    assert 'name = "Home"' in text


def test_windows_that_people_opened_come_from_another_hcl(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    night = toml.table(
        "[projects.maintenance]", name="Night", schedule="0 4 * * *", length="2h"
    )
    with Served(moved("here"), tables=night) as server:
        env = {"HCL_API_KEY": PROJECT["api_key_plain"]}
        opened = httpx2.post(
            f"{server.root}/api/v3/maintenance/",
            json={"seconds": 7200, "tags": "nas disk\u00a02", "reason": "new disk"},
            headers={"X-Api-Key": PROJECT["api_key_plain"]},
            trust_env=False,
        ).json()

        done = [hcl(there, "import", server.root, env=env) for _ in "ab"]

    assert [d.returncode for d in done] == [0, 0], done[0].stderr
    columns = 'reason, tags, "end"'
    assert read(there, f"SELECT {columns} FROM windows") == [
        (
            "new disk",
            "disk\u00a02 nas",
            datetime.fromisoformat(opened["end"]).timestamp(),
        )
    ]


CHECK = {
    "name": "a",
    "slug": "a",
    "tags": "",
    "desc": "",
    "grace": 60,
    "n_pings": 0,
    "status": "new",
    "last_ping": None,
    "next_ping": None,
    "manual_resume": False,
    "methods": "",
    "uuid": "58a2c6bd-e7f9-463c-89c5-87592b8b2dac",
    "channels": "",
    "timeout": 60,
}

TWICE: dict[str, Any] = {
    "checks": [CHECK, CHECK],
    "channels": [],
    "badges": {},
    "pings": [],
    "flips": [],
}

ENDLESS = {**TWICE, "checks": [{**CHECK, "grace": 1e300}]}


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (401, (), b'{"error": "wrong api key"}', "refuses the API key (401)"),
        (200, (), b"<!doctype html><html>", "something else than JSON"),
        (200, (), b'{"checks": 1}', "something else than checks"),
        (302, (("Location", "https://x.example/"),), b"", "redirects to https://x"),
        (404, (), b"", "has no API there"),
        (429, (("Retry-After", "3600"),), b"", "asks to wait for 3600 s"),
        (429, (("Retry-After", "9" * 999),), b"", "asks to wait for 999999999 s"),
        (200, (), b'{"checks": [{"unique_key": "x"}]}', "is read-only"),
        (200, (), b'{"checks": [{"uuid": "x"}], "channels": []}', "makes no sense"),
        (
            200,
            (),
            b'{"checks": [], "channels": [{"id": "x", "kind": "email"}]}',
            "something of the project that makes no sense: 'x' is no UUID",
        ),
        (200, (), json.dumps(TWICE).encode(), f"{CHECK['uuid']} is there twice"),
        (
            200,
            (),
            json.dumps(ENDLESS).encode(),
            f"the check {CHECK['uuid']} that makes",
        ),
    ],
)
async def test_a_server_that_answers_otherwise_is_told_in_a_line(
    tmp_path: Path,
    status: int,
    headers: tuple[tuple[str, str], ...],
    body: bytes,
    words: str,
) -> None:
    async with HttpSink(status, headers=headers, body=body) as sink:
        url = f"http://127.0.0.1:{sink.port}"

        done = await apart(tmp_path, "import", url, "--api-key", KEY)

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"Error: {url}: ")
    assert words in line
    assert is_empty(tmp_path)


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


async def apart(folder: Path, *arguments: str) -> Any:
    """Run a command while a sink of this loop answers."""
    return await asyncio.to_thread(hcl, folder, *arguments)


class Busy(BaseHTTPRequestHandler):
    """Asks for patience first, then has one check, and for its log no answer."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        if "/pings/" in self.path:
            self.close_connection = True
            return
        body = json.dumps({"checks": [CHECK], "channels": [], "badges": {}}).encode()
        self.send_response(429 if self.asked == 1 else 200)
        if self.asked == 1:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_stops_half_way_leaves_nothing(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"

        done = hcl(tmp_path, "import", url, "--api-key", KEY)
        server.shutdown()

    assert done.returncode == 1
    patience, error = done.stderr.splitlines()
    assert patience == "127.0.0.1 asks to wait for 0 s"
    assert error.startswith(f"Error: {url}: ")
    assert error.endswith("nothing was changed")
    assert is_empty(tmp_path)


class Behind(BaseHTTPRequestHandler):
    """Has a clock that is an hour behind, and a check that was pinged just now."""

    endpoint = "https://hc.example.org/ping/"

    def do_GET(self) -> None:
        now = datetime.now(UTC) - timedelta(hours=1)
        pinged = {**CHECK, "status": "up", "last_ping": now.isoformat(), "n_pings": 1}
        pinged["ping_url"] = f"{self.endpoint}{CHECK['uuid']}"
        things = {"checks": [pinged], "channels": [], "pings": [], "flips": []}
        body = json.dumps(things).encode()
        self.send_response_only(200)
        self.send_header("Date", self.date_time_string(now.timestamp()))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_what_was_heard_by_a_clock_that_is_behind_is_not_late(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Behind) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"

        done = hcl(tmp_path, "import", url, "--api-key", KEY)
        server.shutdown()

    assert done.returncode == 0, done.stderr
    with Served(tmp_path):
        judged(tmp_path)

        states = "SELECT status, excused FROM check_states"
        assert read(tmp_path, states) == [("up", 1)]


class Hosted(Behind):
    """Is pinged at the host of healthchecks.io."""

    endpoint = "https://hc-ping.com/"


@pytest.mark.parametrize("kind", [Behind, Hosted])
def test_jobs_of_healthchecks_io_have_to_ping_elsewhere(
    tmp_path: Path, kind: type[Behind]
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"

        done = hcl(tmp_path, "import", url, "--api-key", KEY)
        server.shutdown()

    said = "where jobs ping: hc-ping.com stays with its owner"
    assert (said in done.stdout) == (kind is Hosted)


class Live(BaseHTTPRequestHandler):
    """Has a check that is pinged, and fails, while its log is fetched first."""

    now = datetime.now(UTC)
    clock = now - timedelta(minutes=90)

    def do_GET(self) -> None:
        pinged, failed = ((self.now - timedelta(hours=h)).isoformat() for h in (2, 1))
        status = {"status": "up", "last_ping": pinged, "n_pings": 1}
        if self.clock == self.now:
            status = {"status": "down", "last_ping": failed, "n_pings": 2}
        pings = [
            {"n": 2, "date": failed, "type": "fail"},
            {"n": 1, "date": pinged, "type": "success"},
        ]
        flips = [{"timestamp": failed, "up": 0}, {"timestamp": pinged, "up": 1}]
        check = {**CHECK, "timeout": 86400, **status}
        things = {"checks": [check], "channels": [], "pings": pings, "flips": flips}
        body = json.dumps(things).encode()
        self.send_response_only(200)
        self.send_header("Date", self.date_time_string(self.clock.timestamp()))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_what_came_while_it_was_fetched_comes_whole_the_next_time(
    tmp_path: Path,
) -> None:
    states = (
        "SELECT status, n_pings, (SELECT count(*) FROM pings),"
        " (SELECT group_concat(new_status) FROM flips) FROM check_states"
    )
    found = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Live) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for _ in range(2):
            done = hcl(tmp_path, "import", url, "--api-key", KEY)
            assert done.returncode == 0, done.stderr
            found += read(tmp_path, states)
            Live.clock = Live.now
        server.shutdown()

    assert found == [("up", 1, 1, "up"), ("down", 2, 2, "up,down")]


def test_no_room_for_what_is_fetched_is_told_in_a_line(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Behind) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"

        done = subprocess.run(
            [sys.executable, "-m", "hcl", "import", url, "--api-key", KEY],
            cwd=tmp_path,
            # No file may have more bytes: bytecode would be cut too, and stay so.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            preexec_fn=lambda: setrlimit(RLIMIT_FSIZE, (100, 100)),
            capture_output=True,
            text=True,
            timeout=ENDS,
            check=False,
        )
        server.shutdown()

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "what is fetched cannot be written: File too large: make room" in line
    assert is_empty(tmp_path)


class Endless(Busy):
    """Has a check, and tells for its log for ever that there will be one."""

    is_asked = Event()

    def do_GET(self) -> None:
        if "/pings/" in self.path:
            self.is_asked.set()
            self.rfile.read()
            return
        type(self).asked = 1
        super().do_GET()


def test_nothing_is_left_of_what_is_fetched_if_it_is_killed(tmp_path: Path) -> None:
    there, folder = tmp_path / "there", tmp_path / "tmp"
    there.mkdir()
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        process = subprocess.Popen(
            [sys.executable, "-m", "hcl", "import", url, "--api-key", KEY],
            cwd=there,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        try:
            assert Endless.is_asked.wait(ENDS)
        finally:
            process.kill()
            process.wait(ENDS)
        server.shutdown()

    assert is_empty(folder)
    assert is_empty(there)


def test_no_server_and_no_key_are_told_in_a_line(tmp_path: Path) -> None:
    without = hcl(tmp_path, "import", "http://127.0.0.1:9/")
    two = hcl(
        tmp_path, "import", "http://x/", "--api-key", KEY, "--project", "a",
        "--project", "b",
    )  # fmt: skip

    odd = hcl(tmp_path, "import", "http://127.0.0.1:9/", "--api-key", "secret\nkey")

    assert without.returncode == two.returncode == odd.returncode == 1
    assert "the API key is none" in odd.stderr
    assert "secret" not in odd.stderr
    assert "needs --api-key with a read-write key" in without.stderr
    assert "an API key is for one project" in two.stderr
