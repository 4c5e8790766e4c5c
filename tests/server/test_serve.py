"""The real server process: real curl, real receivers, signals, kill -9."""

import asyncio
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests import toml
from tests.patience import ENDS
from tests.server.process import API_KEY, PING_KEY, Serve, curl, free_port, until
from tests.sinks import HttpSink, SmtpSink


def hook_to(url: str) -> str:
    """Write a webhook."""
    down = toml.post(f"{url}down?name=$NAME", "$NAME is $STATUS: $BODY")
    return toml.webhook("Hook", down=down, up=toml.post(f"{url}up"))


@pytest.mark.waits
async def test_a_run_that_overruns_its_grace_alerts_by_webhook_and_mail(
    tmp_path: Path,
) -> None:
    async with HttpSink() as hook, SmtpSink() as smtp:
        channels = hook_to(hook.url) + toml.email("Mail")
        tables = toml.smtp(smtp.port, **{"from": "hcl@example.org"})
        with Serve(tmp_path, channels, tables=tables) as serve:
            check = serve.api(
                "POST", "checks/", name="Backup", timeout=60, grace=60, channels="*"
            )

            assert curl(check["ping_url"]) == "OK"
            begun = time.time()
            curl("--data-raw", "copying", f"{check['ping_url']}/start")
            # The shortest grace that the protocol knows has to pass.
            (request,) = await hook.wait_for(1, timeout=60 + ENDS)
            (mail,) = await smtp.wait_for(1)
            shown = serve.api("GET", f"checks/{check['uuid']}")
            curl(check["ping_url"])
            recovery = (await hook.wait_for(2))[1]
            await smtp.wait_for(2)

        assert 60 <= request.arrived - begun < 61.5 + serve.start_seconds
        assert (request.method, request.target) == ("POST", "/down?name=Backup")
        assert request.text == "Backup is down: copying"
        assert (shown["status"], shown["started"]) == ("down", True)
        assert mail.rcpt_tos == ["ops@example.org"]
        assert "Backup" in str(mail.message["Subject"])
        for kind in ("plain", "html"):
            part = mail.message.get_body((kind,))
            assert part is not None
            assert "did not finish within 1 minute" in part.get_content()
            assert "copying" in part.get_content()
        assert (recovery.target, recovery.text) == ("/up", "Backup is up")


async def test_an_alert_survives_kill_9_between_the_flip_and_its_delivery(
    tmp_path: Path,
) -> None:
    async with HttpSink(behave="hang") as hook:
        with Serve(tmp_path, hook_to(hook.url)) as serve:
            check = serve.api("POST", "checks/", name="Backup", channels="*")
            curl(f"{check['ping_url']}/fail")
            await hook.wait_for(1)

            serve.stop(signal.SIGKILL)
            hook.behave = "answer"
            serve.start()
            requests = await hook.wait_for(2)
            await until(lambda: waiting(tmp_path) == 0)

            assert requests[1].text == "Backup is down: "
            assert serve.api("GET", f"checks/{check['uuid']}")["status"] == "down"


async def test_what_failed_is_tried_again_after_a_restart(tmp_path: Path) -> None:
    async with HttpSink(status=500) as hook:
        with Serve(tmp_path, hook_to(hook.url)) as serve:
            check = serve.api("POST", "checks/", name="Backup", channels="*")
            curl(f"{check['ping_url']}/fail")
            await until(lambda: "failed, next try in" in serve.log)

            assert serve.stop() == 0
            hook.status = 200
            serve.start()
            await hook.wait_for(2)
            await until(lambda: waiting(tmp_path) == 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_what_a_failing_channel_owes_goes_out_after_a_restart(
    tmp_path: Path, number: int
) -> None:
    async with HttpSink(status=500) as hook:
        with Serve(tmp_path, hook_to(hook.url)) as serve:
            for name in ("a", "b", "c"):
                check = serve.api("POST", "checks/", name=name, channels="*")
                curl(f"{check['ping_url']}/fail")
            await until(lambda: waiting(tmp_path) == 3)
            await until(lambda: "next try in" in serve.log)
            serve.stop(number)
            put_off(tmp_path)
            hook.status = 200
            hook.records.clear()

            serve.start()
            await hook.wait_for(3)
            await until(lambda: waiting(tmp_path) == 0)

            assert sorted({r.text for r in hook.records}) == [
                "a is down: ",
                "b is down: ",
                "c is down: ",
            ]


def put_off(folder: Path) -> None:
    """Have what waits wait for most of a day, as after days of failing."""
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as connection:
        connection.execute(
            "UPDATE notifications SET next_try = next_try + 80000"
            " WHERE next_try IS NOT NULL"
        )
        connection.commit()


def waiting(folder: Path) -> int:
    """Count what waits in the outbox, as somebody with the sqlite3 shell would."""
    with sqlite3.connect(f"file:{folder}/hcl.sqlite?mode=ro", uri=True) as connection:
        ((count,),) = connection.execute(
            "SELECT count(*) FROM notifications WHERE next_try IS NOT NULL"
        ).fetchall()
    connection.close()
    return int(count)


async def test_a_missed_ping_alerts_at_its_deadline(tmp_path: Path) -> None:
    async with HttpSink() as hook:
        with Serve(tmp_path, hook_to(hook.url)) as serve:
            check = serve.api("POST", "checks/", name="Backup", channels="*")
            serve.stop()
            # Only the database allows so little.
            with sqlite3.connect(tmp_path / "hcl.sqlite") as connection:
                connection.execute("UPDATE checks SET timeout = 2, grace = 1")
            connection.close()

            serve.start()
            begun = time.time()
            curl(check["ping_url"])
            (request,) = await hook.wait_for(1)
            flips = serve.api("GET", f"checks/{check['uuid']}/flips/")["flips"]

        assert 3 <= request.arrived - begun < 3.5 + 2 * serve.start_seconds
        assert [flip["up"] for flip in flips] == [0, 1]


def test_no_acknowledged_ping_is_lost_to_kill_9(tmp_path: Path) -> None:
    acknowledged = 0
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        for _ in range(3):
            with subprocess.Popen(
                [sys.executable, "-m", "tests.server.pinger", check["ping_url"]],
                stdout=subprocess.PIPE,
                text=True,
            ) as pinger:
                assert pinger.stdout is not None
                assert pinger.stdout.readline() == "going\n"
                serve.stop(signal.SIGKILL)
                acknowledged += int(pinger.communicate(timeout=ENDS)[0])
            serve.start()
        shown = serve.api("GET", f"checks/{check['uuid']}")
    with sqlite3.connect(tmp_path / "hcl.sqlite") as connection:
        ((kept, last),) = connection.execute("SELECT count(*), max(n) FROM log")
    connection.close()

    assert acknowledged > 100
    assert kept >= acknowledged
    assert kept == last == shown["n_pings"]


def test_sigterm_ends_it_cleanly_and_soon(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        curl(f"{serve.root}/ping/{PING_KEY}/backup?create=1")
        # A client that keeps its connection open must not hold it up.
        with socket.create_connection(serve.address) as idle:
            idle.sendall(b"GET /ping/x HTTP/1.1\r\nHost: x\r\n\r\n")
            idle.recv(1000)
            begun = time.monotonic()

            status = serve.stop()

            took = time.monotonic() - begun
    assert status == 0
    assert took < 4.5 + serve.start_seconds
    assert "Traceback" not in serve.log


def test_sigterm_answers_what_is_under_way(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        path = check["ping_url"].removeprefix(serve.root)
        with socket.create_connection(serve.address) as client:
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
            client.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
            client.sendall(b"bo")
            serve.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)

            client.sendall(b"dy")
            answer = client.recv(1000)

        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert serve.process.wait(ENDS) == 0


async def test_sighup_takes_a_new_config_and_keeps_the_old_if_it_is_wrong(
    tmp_path: Path,
) -> None:
    async with HttpSink() as hook:
        with Serve(tmp_path) as serve:
            assert serve.api("GET", "channels/") == {"channels": []}

            serve.write_config(hook_to(hook.url))
            serve.process.send_signal(signal.SIGHUP)
            await until(lambda: len(serve.api("GET", "channels/")["channels"]) == 1)
            serve.write_config(toml.channel("x", "emial"))
            serve.process.send_signal(signal.SIGHUP)
            await until(lambda: '"emial" is not a kind' in serve.log)

            (channel,) = serve.api("GET", "channels/")["channels"]
            assert channel["name"] == "Hook"
            check = serve.api("POST", "checks/", name="Backup", channels="Hook")
            curl(f"{check['ping_url']}/fail")
            await hook.wait_for(1)


async def test_channel_that_came_through_another_project_alerts_again(
    tmp_path: Path,
) -> None:
    async with HttpSink() as hook:
        ours = toml.webhook(
            "Hook",
            id="0c9b4c0e-3c8b-4f6e-9d76-0d6a7c3a8e11",
            down=toml.post(f"{hook.url}down", "$NAME is $STATUS"),
        )
        with Serve(tmp_path, ours) as serve:
            check = serve.api("POST", "checks/", name="Backup", channels="*")
            assert check["channels"]

            serve.write_config(toml.project("Pasted", "p" * 22) + ours)
            told = await asyncio.to_thread(check_config, tmp_path)
            serve.process.send_signal(signal.SIGHUP)
            await until(lambda: serve.log.count("INFO reloaded") == 1)
            without = serve.api("GET", f"checks/{check['uuid']}")
            serve.write_config(ours)
            serve.process.send_signal(signal.SIGHUP)
            await until(lambda: serve.log.count("INFO reloaded") == 2)
            curl(f"{check['ping_url']}/fail")
            [request] = await hook.wait_for(1)

            left = '1 check of project "Home" is left without a channel: Backup'
            assert left in told
            assert f"WARNING {left}\n" in serve.log
            assert without["channels"] == ""
            assert request.text == "Backup is down"
            again = serve.api("GET", f"checks/{check['uuid']}")
            assert again["channels"] == check["channels"]


def check_config(folder: Path) -> str:
    """Return what `hcl check-config` says on standard error, beside the server."""
    return subprocess.run(
        [sys.executable, "-m", "hcl", "check-config"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stderr


def test_without_a_config_it_writes_one_and_prints_what_works(tmp_path: Path) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    env = {"HCL_LISTEN": address, "HCL_SITE_ROOT": f"http://{address}"}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "hcl", "serve"],
            cwd=tmp_path,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout)
        line = next(line for line in lines if "curl" in line)
        link = next(line for line in lines if "/sign-in/" in line).strip()

        answer = subprocess.run(
            line.replace("curl", "curl -fsS --retry 5 --retry-connrefused", 1),
            shell=True,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        with httpx2.Client(follow_redirects=True, trust_env=False) as browser:
            page = browser.get(link)

        assert answer == "Created"
        assert "my-first-job" in page.text
        assert (tmp_path / "hcl.toml").stat().st_mode & 0o777 == 0o600
    finally:
        process.terminate()
        process.communicate(timeout=ENDS)


def test_no_config_is_written_beside_a_database_whose_own_is_gone(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        curl(f"{serve.root}/ping/{PING_KEY}/backup?create=1")
        serve.stop()
    (tmp_path / "hcl.toml").rename(tmp_path / "hcl.toml.edited")

    started = subprocess.run(
        [sys.executable, "-m", "hcl", "serve"],
        cwd=tmp_path,
        env={**os.environ, "HCL_LISTEN": "127.0.0.1:0"},
        capture_output=True,
        text=True,
        timeout=ENDS,
    )

    assert started.returncode == 1
    assert started.stderr.startswith("Error: hcl.toml is not here, but its database")
    assert started.stdout == ""
    assert not (tmp_path / "hcl.toml").exists()


def test_first_steps_are_kept_in_another_folder(tmp_path: Path) -> None:
    first, second = tmp_path / "clone", tmp_path / "state"
    first.mkdir()
    second.mkdir()
    with Serve(first) as serve:
        curl(f"{serve.root}/ping/{PING_KEY}/backup?create=1")
        serve.stop()

    # As docs tell: all of it, in any order.
    for name in ("hcl.toml", "hcl.sqlite"):
        (first / name).rename(second / name)
    moved = Serve(second)
    (second / "hcl.toml").write_text(
        (second / "hcl.toml").read_text().replace(str(serve.port), str(moved.port))
    )

    with moved:
        [check] = moved.api("GET", "checks/")["checks"]
        assert (check["slug"], check["status"]) == ("backup", "up")


def test_a_url_that_apprise_dislikes_keeps_no_server_from_starting(
    tmp_path: Path,
) -> None:
    phone = toml.channel("Phone", "gotify", url="gotify://gotify.example.org")
    with Serve(tmp_path, phone) as serve:
        serve.api("GET", "checks/")

    line, made = [line for line in serve.log.splitlines() if "WARNING" in line]
    assert made == (
        f"WARNING {tmp_path}/hcl.sqlite: there is no database, a new one is made"
    )
    place = f'WARNING {tmp_path}/hcl.toml: channel "Phone" of project "Home", url'
    assert line.startswith(f"{place}: is not a URL that Apprise can load")


def test_an_address_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with Serve(tmp_path) as serve:
        shutil.copy(tmp_path / "hcl.toml", tmp_path / "other")
        second = subprocess.run(
            [sys.executable, "-m", "hcl", "serve"],
            cwd=tmp_path / "other",
            capture_output=True,
            text=True,
            check=False,
            timeout=ENDS,
        )

        assert second.returncode == 1
        address = f"127.0.0.1:{serve.port}"
        told = f"cannot listen on {address}: Address already in use; stop what"
        assert told in second.stderr
        assert "Traceback" not in second.stderr
        assert serve.process.poll() is None


def test_a_database_that_cannot_be_written_is_503_and_nothing_is_half_written(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        with sqlite3.connect(tmp_path / "hcl.sqlite", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")

            ping = httpx2.get(check["ping_url"], timeout=ENDS, trust_env=False)
            create = httpx2.post(
                f"{serve.root}/api/v3/checks/",
                headers={"X-Api-Key": API_KEY},
                timeout=ENDS,
                trust_env=False,
            )
            other.execute("ROLLBACK")
        other.close()

        assert ping.status_code == create.status_code == 503
        assert int(ping.headers["Retry-After"]) > 0
        assert int(create.headers["Retry-After"]) > 0
        assert curl(check["ping_url"]) == "OK"
        (shown,) = serve.api("GET", "checks/")["checks"]
        assert shown["n_pings"] == 1


async def test_it_listens_on_a_unix_socket_whose_peers_are_trusted(
    tmp_path: Path,
) -> None:
    address = {
        "listen": f"unix:{tmp_path}/hcl.sock",
        "site_root": "https://hcl.example",
    }
    (tmp_path / "hcl.toml").write_text(
        toml.table("server", **address)
        + toml.project("Home", PING_KEY)
        + toml.key("me", API_KEY)
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hcl", "serve", cwd=tmp_path, stderr=subprocess.PIPE
    )
    try:
        await until((tmp_path / "hcl.sock").exists)
        unix = ["--unix-socket", f"{tmp_path}/hcl.sock", "--retry-connrefused"]
        forwarded = [
            "-H",
            "X-Forwarded-For: 192.0.2.7",
            "-H",
            "X-Forwarded-Proto: https",
        ]
        created = await asyncio.to_thread(
            curl, *unix, *forwarded, f"http://hcl/ping/{PING_KEY}/backup?create=1"
        )
        key = ["-H", f"X-Api-Key: {API_KEY}"]
        checks = await asyncio.to_thread(curl, *unix, *key, "http://hcl/api/v3/checks/")
        (code,) = re.findall(r'"uuid": "([^"]+)"', checks)
        pings = await asyncio.to_thread(
            curl, *unix, *key, f"http://hcl/api/v3/checks/{code}/pings/"
        )

        assert created == "Created"
        assert '"remote_addr": "192.0.2.7"' in pings
        assert '"scheme": "https"' in pings
    finally:
        process.terminate()
        await process.communicate()
    assert not (tmp_path / "hcl.sock").exists()


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        pytest.param("GET {path} HTTP/1.0\r\n\r\n", b"200", id="HTTP/1.0"),
        pytest.param("PURGE {path} HTTP/1.1\r\nHost: x\r\n\r\n", b"200", id="PURGE"),
        pytest.param("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n", b"200", id="HEAD"),
        pytest.param(
            "POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n0\r\n\r\n",
            b"200",
            id="chunked",
        ),
        pytest.param("nonsense\r\n\r\n", b"400", id="nonsense"),
        pytest.param(
            "GET {path} HTTP/1.1\r\nHost: x\r\nX: " + "y" * 100_000,
            b"400",
            id="a head without end",
        ),
    ],
)
def test_what_comes_over_the_wire_is_answered(
    tmp_path: Path, request_text: str, status: bytes
) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        path = check["ping_url"].removeprefix(serve.root)
        with socket.create_connection(
            ("127.0.0.1", serve.port), timeout=ENDS
        ) as client:
            client.sendall(request_text.format(path=path).encode())
            answer = client.recv(1000)

        shown = serve.api("GET", f"checks/{check['uuid']}")
        assert answer.split()[1] == status
        assert shown["n_pings"] == int(status == b"200")


# What the parser knows, but for CONNECT, whose target is no path.
METHODS = [
    "DELETE",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "OPTIONS",
    "TRACE",
    "COPY",
    "LOCK",
    "MKCOL",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "SEARCH",
    "UNLOCK",
    "BIND",
    "REBIND",
    "UNBIND",
    "ACL",
    "REPORT",
    "MKACTIVITY",
    "CHECKOUT",
    "MERGE",
    "M-SEARCH",
    "NOTIFY",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "PATCH",
    "PURGE",
    "MKCALENDAR",
    "LINK",
    "UNLINK",
]


def test_no_method_of_http_loses_a_ping(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        path = check["ping_url"].removeprefix(serve.root)
        for method in METHODS:
            with socket.create_connection(serve.address, timeout=ENDS) as client:
                client.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert client.recv(1000).startswith(b"HTTP/1.1 200 "), method

        pings = serve.api("GET", f"checks/{check['uuid']}/pings/")["pings"]
        assert [ping["method"] for ping in reversed(pings)] == METHODS


def test_a_post_cut_off_in_its_body_is_not_recorded(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        path = check["ping_url"].removeprefix(serve.root)
        with socket.create_connection(serve.address) as client:
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
            client.sendall(head.encode() + b"half")
        shown = serve.api("GET", f"checks/{check['uuid']}")

        assert shown["n_pings"] == 0
        assert "Traceback" not in serve.log


def test_send_test_tells_by_its_exit_status_whether_it_arrived(tmp_path: Path) -> None:
    serve = Serve(tmp_path, hook_to("http://127.0.0.1:9/"))

    refused = subprocess.run(
        [sys.executable, "-m", "hcl", "send-test", "Hook"],
        cwd=serve.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 1
    assert "not delivered" in refused.stdout


async def test_send_test_sends_a_message_that_says_it_is_a_test(tmp_path: Path) -> None:
    async with HttpSink() as hook:
        serve = Serve(tmp_path, hook_to(hook.url))

        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hcl",
            "send-test",
            "Hook",
            cwd=serve.folder,
            stdout=subprocess.PIPE,
        )
        output, _ = await process.communicate()

        (request,) = await hook.wait_for(1)
        assert process.returncode == 0
        assert b"HTTP 200" in output
        assert request.text.startswith("TEST is down")


def test_client_that_has_finished_sending_gets_its_answer(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        path = check["ping_url"].removeprefix(serve.root)
        with socket.create_connection(
            ("127.0.0.1", serve.port), timeout=ENDS
        ) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            client.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: client.recv(1000), b""))

        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.endswith(b"OK")


def test_client_that_sends_without_reading_does_not_fill_the_memory(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        path = check["ping_url"].removeprefix(serve.root)
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 2000
        with socket.create_connection(serve.address) as client:
            client.settimeout(0.5)
            deadline = time.monotonic() + 4
            while time.monotonic() < deadline:
                try:
                    client.sendall(request)
                except TimeoutError:
                    break
            status = Path(f"/proc/{serve.process.pid}/status").read_text()

        assert int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) < 100_000
        assert curl(check["ping_url"]) == "OK"


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_it_serves_though_its_parent_has_closed_standard_files(
    tmp_path: Path, closed: str
) -> None:
    serve = Serve(tmp_path)
    serve.starter = ["sh", "-c", f'exec "$@" {closed}', "sh"]
    with serve:
        assert curl(f"{serve.root}/ping/{PING_KEY}/job?create=1") == "Created"
        opened = Path(f"/proc/{serve.process.pid}/fd")
        standard = {os.readlink(opened / str(fd)) for fd in range(3)}

        assert serve.stop() == 0

    assert os.devnull in standard
    assert not any("socket" in name or "sqlite" in name for name in standard)


def test_it_serves_though_its_welcome_cannot_be_printed(tmp_path: Path) -> None:
    serve = Serve(tmp_path)
    (tmp_path / "hcl.toml").unlink()
    serve.starter = ["sh", "-c", 'exec "$@" >/dev/full', "sh"]
    serve.env = {"HCL_LISTEN": f"127.0.0.1:{serve.port}", "HCL_SITE_ROOT": serve.root}
    with serve:
        assert "WARNING no welcome is printed: No space left on device" in serve.log
