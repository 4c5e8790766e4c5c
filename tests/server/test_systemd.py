"""The real process with what systemd hands over: sockets, and where to tell."""

import asyncio
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

from hcl.cli import systemd as cli
from hcl.config import parse
from hcl.server.systemd import Notifier
from hcl.server.units import Machine, units
from tests import toml
from tests.patience import ENDS
from tests.server.process import PING_KEY, Serve, curl, until

# Puts descriptors where systemd does, and becomes the server.
_LAUNCH = """
import os, sys
fds = [os.dup(int(fd)) for fd in sys.argv[1].split()]
high = [os.dup2(fd, 200 + n) for n, fd in enumerate(fds)]
for n, fd in enumerate(high):
    os.dup2(fd, 3 + n)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "hcl", "serve"])
"""


def launch(folder: Path, *sockets: socket.socket, **env: str) -> subprocess.Popen[str]:
    """Start a server as systemd does, with sockets of its own."""
    fds = [sock.fileno() for sock in sockets]
    given = {"LISTEN_FDS": str(len(fds)), **env}
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, " ".join(map(str, fds))],
            cwd=folder,
            env={**os.environ, **given},
            pass_fds=fds,
            stderr=log,
            text=True,
        )


@contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End a process at the end."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(ENDS)


@contextmanager
def listener() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(2048)
        yield sock


def answer(sock: socket.socket, path: str = "/api/v3/status/") -> httpx2.Response:
    port = sock.getsockname()[1]
    # Nobody is refused: the socket is there before the server is.
    return httpx2.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=ENDS)


class NotifySocket:
    """The socket that sd_notify(3) writes to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(ENDS)
        self.told: list[str] = []

    def wait_for(self, *lines: str) -> str:
        """Return the first message from now on with all these lines."""
        while True:
            message = self._socket.recv(4096).decode()
            self.told.append(message)
            if set(lines) <= set(message.splitlines()):
                return message

    def falls_silent(self) -> bool:
        """Tell whether nothing comes for a second, after what was under way."""
        self._socket.settimeout(1)
        try:
            for _ in range(20):
                self._socket.recv(4096)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(ENDS)
        return False

    def close(self) -> None:
        self._socket.close()
        self.path.unlink(missing_ok=True)


@pytest.fixture
def notify(tmp_path: Path) -> Iterator[NotifySocket]:
    sock = NotifySocket(tmp_path)
    yield sock
    sock.close()


def test_systemd_is_told_of_start_reload_and_end(
    tmp_path: Path, notify: NotifySocket
) -> None:
    serve = Serve(tmp_path)
    serve.env = {"NOTIFY_SOCKET": str(notify.path)}
    with serve:
        ready = notify.wait_for("READY=1")
        serve.process.send_signal(signal.SIGHUP)
        reloading = notify.wait_for("RELOADING=1")
        notify.wait_for("READY=1")
        serve.write_config("nonsense")
        serve.process.send_signal(signal.SIGHUP)
        notify.wait_for("RELOADING=1")
        kept = notify.wait_for("READY=1")
        serve.stop()
        notify.wait_for("STOPPING=1")

    assert f"STATUS=listens on {serve.root}" in ready.splitlines()
    assert re.search(r"^MONOTONIC_USEC=[0-9]+$", reloading, re.MULTILINE)
    assert "hcl.toml is wrong, the settings of before are used" in kept
    assert not any("WATCHDOG" in message for message in notify.told)


def test_watchdog_is_fed_on_time_even_while_the_disk_is_full(
    tmp_path: Path, notify: NotifySocket
) -> None:
    serve = Serve(tmp_path, tables=toml.table("pings", body_limit=10_000_000))
    serve.env = {"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "400000"}
    with serve:
        notify.wait_for("WATCHDOG=1")
        # As on a full disk: nothing can be written any more.
        limit = os.path.getsize(tmp_path / "hcl.sqlite-wal") + 4096
        subprocess.run(
            ["prlimit", f"--pid={serve.process.pid}", f"--fsize={limit}"], check=True
        )
        url = f"{serve.root}/ping/{PING_KEY}/full?create=1"
        refused = httpx2.post(url, content=b"x" * 100_000, trust_env=False)
        notify.wait_for("STATUS=the database cannot be written")
        for _ in range(3):
            notify.wait_for("WATCHDOG=1")

    assert refused.status_code == 503


def test_watchdog_is_not_fed_while_the_process_hangs(
    tmp_path: Path, notify: NotifySocket
) -> None:
    serve = Serve(tmp_path)
    serve.env = {"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "200000"}
    with serve:
        notify.wait_for("WATCHDOG=1")
        serve.process.send_signal(signal.SIGSTOP)
        assert notify.falls_silent()
        serve.process.send_signal(signal.SIGCONT)
        notify.wait_for("WATCHDOG=1")


async def test_watchdog_is_not_fed_while_a_loop_hangs(notify: NotifySocket) -> None:
    stuck = "the checker hangs"
    env = {"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "40000"}
    feeding = asyncio.create_task(Notifier(env).run(lambda: stuck, lambda: "well"))

    await asyncio.to_thread(notify.wait_for, "STATUS=the checker hangs")
    silent = await asyncio.to_thread(notify.falls_silent)
    stuck = ""
    await asyncio.to_thread(notify.wait_for, "WATCHDOG=1")
    feeding.cancel()

    assert silent


def test_environment_that_makes_no_sense_is_told_once_and_keeps_nobody_out(
    tmp_path: Path,
) -> None:
    serve = Serve(tmp_path)
    serve.env = {
        "NOTIFY_SOCKET": "/nowhere/notify",
        "WATCHDOG_USEC": "soon",
        # That of another process.
        "LISTEN_PID": "1",
        "LISTEN_FDS": "many",
    }
    with serve:
        curl(f"{serve.root}/ping/{PING_KEY}/a?create=1")
        assert serve.stop() == 0

    warnings = [line for line in serve.log.splitlines() if "WARNING" in line]
    assert warnings[1:] == [
        "WARNING WATCHDOG_USEC is no number: the watchdog is not fed",
        "WARNING cannot tell systemd how hcl fares: No such file or directory",
    ]


def test_notify_socket_of_another_kind_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Notifier({"NOTIFY_SOCKET": "vsock:2:1234"}).ready("well")

    assert caplog.messages == ["NOTIFY_SOCKET is no path: systemd is told nothing"]


def test_path_that_is_no_utf_8_is_told_as_well_as_can_be(
    tmp_path: Path, notify: NotifySocket
) -> None:
    # As an older machine wrote it on its disk.
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    serve = Serve(folder)
    serve.env = {"NOTIFY_SOCKET": str(notify.path)}
    with serve:
        (folder / "hcl.sqlite").unlink()
        with suppress(httpx2.HTTPError):
            httpx2.get(f"{serve.root}/ping/{PING_KEY}/x?create=1", trust_env=False)
        assert serve.process.wait(ENDS) == 1

    notify.wait_for("STOPPING=1")
    assert "Traceback" not in serve.log
    assert "caf\\udce9/hcl.sqlite: hcl.sqlite was deleted or moved away" in serve.log


def test_notify_socket_that_goes_away_disturbs_nobody(
    tmp_path: Path, notify: NotifySocket
) -> None:
    serve = Serve(tmp_path)
    serve.env = {"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "100000"}
    with serve:
        notify.wait_for("WATCHDOG=1")
        notify.close()
        for _ in range(3):
            curl(f"{serve.root}/ping/{PING_KEY}/a?create=1")
        assert serve.stop() == 0

    assert serve.log.count("cannot tell systemd how hcl fares") == 1


def test_sockets_are_told_apart_by_their_names(tmp_path: Path) -> None:
    Serve(
        tmp_path,
        tables=toml.table("smtpd", listen="127.0.0.1:1", domain="hc.test"),
    )
    with listener() as mail, listener() as first, listener() as second:
        process = launch(tmp_path, mail, first, second, LISTEN_FDNAMES="mail:http:http")
        with running(process):
            codes = [answer(sock).status_code for sock in (first, second)]
            with socket.create_connection(mail.getsockname(), ENDS) as client:
                greeting = client.recv(100)

    assert codes == [200, 200]
    assert greeting.startswith(b"220 ")


@pytest.mark.parametrize("names", [{}, {"LISTEN_FDNAMES": "hcl.socket"}])
def test_socket_without_a_name_is_for_http(
    tmp_path: Path, names: dict[str, str]
) -> None:
    Serve(tmp_path)
    with listener() as sock, running(launch(tmp_path, sock, **names)):
        assert answer(sock).status_code == 200


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"LISTEN_FDS": "many"}, "LISTEN_FDS is no number: 'many'"),
        ({"LISTEN_FDS": "-1"}, "LISTEN_FDS is no number: '-1'"),
        (
            {"LISTEN_FDS": "999999999", "LISTEN_FDNAMES": "http"},
            "cannot use descriptor 4, which systemd handed over: Socket operation on"
            " non-socket",
        ),
        (
            {"LISTEN_FDNAMES": "htpt"},
            "systemd handed over descriptor 3 as 'htpt': let FileDescriptorName be http"
            " or mail",
        ),
        (
            {"LISTEN_FDNAMES": "mail"},
            "systemd handed over a socket for mail, but smtpd.listen is not set: make"
            " the units anew (`hcl systemd`)",
        ),
    ],
)
def test_sockets_that_make_no_sense_are_told_in_one_line(
    tmp_path: Path, env: dict[str, str], said: str
) -> None:
    Serve(tmp_path)
    with listener() as sock, running(launch(tmp_path, sock, **env)) as process:
        assert process.wait(ENDS) == 1

    assert (tmp_path / "log").read_text() == f"Error: {said}\n"
    # Nothing is half-done: it was before the database was made.
    assert not (tmp_path / "hcl.sqlite").exists()


@pytest.mark.parametrize(
    "kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["datagram", "not listening"]
)
def test_descriptor_that_is_no_listener_is_told_in_one_line(
    tmp_path: Path, kind: socket.SocketKind
) -> None:
    Serve(tmp_path)
    with socket.socket(type=kind) as sock, running(launch(tmp_path, sock)) as process:
        assert process.wait(ENDS) == 1

    assert (tmp_path / "log").read_text() == (
        "Error: cannot use descriptor 3, which systemd handed over: it is no stream"
        " socket that listens\n"
    )


def has(answered: list[int], count: int) -> bool:
    return len(answered) >= count


async def test_socket_holds_pings_over_restarts_and_none_is_lost(
    tmp_path: Path,
) -> None:
    Serve(tmp_path)
    answered: list[int] = []
    ends = threading.Event()

    def ping() -> None:
        # As curl in a crontab does: each on a connection of its own, and no second try.
        while not ends.is_set():
            connection = http.client.HTTPConnection(place[0], place[1], timeout=ENDS)
            connection.request("GET", path)
            answered.append(connection.getresponse().status)
            connection.close()

    with listener() as sock, ExitStack() as stack:
        place, path = sock.getsockname(), f"/ping/{PING_KEY}/held?create=1"
        url = f"http://127.0.0.1:{place[1]}{path}"
        process = stack.enter_context(running(launch(tmp_path, sock)))
        curl(url)
        pinging = [asyncio.create_task(asyncio.to_thread(ping)) for _ in range(2)]
        try:
            for _ in range(2):
                before = len(answered)
                await until(partial(has, answered, before + 20))
                process.terminate()
                assert await asyncio.to_thread(process.wait, ENDS) == 0
                process = stack.enter_context(running(launch(tmp_path, sock)))
            before = len(answered)
            await until(partial(has, answered, before + 20))
        finally:
            ends.set()
            await asyncio.gather(*pinging)
        found = curl(url.replace("held?create=1", "held"))

    assert found == "OK"
    assert set(answered) == {200}


def test_connection_whose_ping_comes_at_the_end_is_answered(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        curl(f"{serve.root}/ping/{PING_KEY}/late?create=1")
        with socket.create_connection(serve.address, ENDS) as client:
            # Which is answered behind it: the server has taken the connection.
            curl(f"{serve.root}/ping/{PING_KEY}/late")
            serve.process.terminate()
            wait_until_refused(serve)
            client.sendall(
                f"GET /ping/{PING_KEY}/late HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            )
            received = b"".join(iter(lambda: client.recv(4096), b""))
        assert serve.process.wait(ENDS) == 0

    assert received.startswith(b"HTTP/1.1 200 OK")


def wait_until_refused(serve: Serve) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < ENDS:
        try:
            socket.create_connection(serve.address, ENDS).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.005)
    raise AssertionError("still listens")


def test_journal_gets_priorities_and_others_words(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    status = os.fstat(writer)
    Serve(tmp_path)
    texts = []
    for stream in (f"{status.st_dev}:{status.st_ino}", "1:2"):
        with os.fdopen(os.dup(reader), "rb") as lines:
            process = subprocess.Popen(
                [sys.executable, "-m", "hcl", "serve"],
                cwd=tmp_path,
                env={**os.environ, "JOURNAL_STREAM": stream},
                stderr=writer,
            )
            line = b""
            while b" listens on " not in line:
                line = lines.readline()
            texts.append(line.decode())
            process.terminate()
            process.wait(ENDS)
    os.close(reader)
    os.close(writer)

    assert texts[0].startswith("<6>hcl ")
    assert texts[1].startswith("INFO hcl ")


def test_what_comes_next_is_said_for_what_has_changed(tmp_path: Path) -> None:
    folder = tmp_path / "units"
    (folder / "sockets.target.wants").mkdir(parents=True)
    enabled = folder / "sockets.target.wants" / "hcl-mail.socket"
    enabled.symlink_to("../hcl-mail.socket")
    mail = toml.table("smtpd", listen="127.0.0.1:2525", domain="hc.test")

    def after(listen: str, more: str = "") -> str:
        text = toml.table("server", listen=f"127.0.0.1:{listen}") + more
        (tmp_path / "hcl.toml").write_text(text + toml.project())
        done = subprocess.run(
            [sys.executable, "-m", "hcl", "systemd", "--into", "units"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()[-1].removeprefix(
            "Next: systemctl daemon-reload && systemctl "
        )

    assert after("8000") == "enable --now hcl"
    assert after("8000") == "restart hcl"
    assert after("8001") == "restart hcl.socket hcl"
    assert after("8001", mail) == "restart hcl"
    assert after("8001", mail.replace("2525", "25")) == "restart hcl-mail.socket hcl"
    assert after("8001") == "stop hcl-mail.socket && systemctl restart hcl"
    # The one that follows another machine is not to serve.
    follower = folder / "multi-user.target.wants/hcl-standby.service"
    follower.parent.mkdir()
    follower.symlink_to("/etc/systemd/system/hcl-standby.service")
    assert after("8001") == "restart hcl-standby.service"
    follower.unlink()
    assert not (folder / "hcl-mail.socket").exists()
    assert not enabled.is_symlink()
    # One that somebody else has written stays.
    (folder / "hcl-mail.socket").write_text("[Socket]\n")
    assert after("8001") == "restart hcl"
    assert (folder / "hcl-mail.socket").exists()


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("there is no systemd-analyze")
    return found


STANDBY = toml.table(
    "standby", socket="/run/x/s", follow="file:///srv/b", fence="/srv/f"
)


@pytest.mark.parametrize(
    ("listen", "tables", "names"),
    [
        (
            "[::]:8000",
            toml.table("smtpd", listen="0.0.0.0:2525", domain="hc.test"),
            {"hcl.service", "hcl.socket", "hcl-mail.socket"},
        ),
        (
            "unix:/run/hcl.sock",
            STANDBY,
            {
                "hcl.service",
                "hcl.socket",
                "hcl-standby.service",
                "hcl-litestream.service",
            },
        ),
    ],
)
def test_units_are_clean_and_safe(
    tmp_path: Path, analyze: str, listen: str, tables: str, names: set[str]
) -> None:
    folder = tmp_path / "units"
    folder.mkdir()
    (tmp_path / "hcl.toml").write_text(
        toml.table("server", listen=listen) + tables + toml.project()
    )

    done = subprocess.run(
        [sys.executable, "-m", "hcl", "systemd", "--user", "root", "--into", "units"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    files = sorted(folder.iterdir())
    verified = subprocess.run(
        [analyze, "verify", *files], capture_output=True, text=True, check=False
    )

    assert {file.name for file in files} == names
    assert done.stdout.count(": written\n") == len(names)
    assert (verified.returncode, verified.stderr) == (0, "")
    for file in files:
        if file.suffix == ".service":
            assert exposure(analyze, file) < 2.0


def exposure(analyze: str, unit: Path) -> float:
    # As for the user that hcl has there.
    unit.write_text(unit.read_text().replace("=root\n", "=hcl\n"))
    said = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert found is not None
    return float(found[1])


@pytest.mark.parametrize(
    ("tables", "home"),
    [
        (toml.table("backup", folder="/mnt/usb/hcl"), "yes"),
        (
            toml.table("backup", folder="/mnt/a", second_folder="/home/me/b"),
            "read-only",
        ),
        (toml.table("standby", fence="/root/fence"), "read-only"),
    ],
)
def test_units_do_not_hide_what_the_config_names(tables: str, home: str) -> None:
    config = parse(tomllib.loads(tables + toml.project()), Path("/srv"), "hcl.toml", {})

    made = units(config, Machine("hcl", Path("/opt/hcl/bin/hcl"), Path("/opt/l")))

    service = made["hcl.service"].splitlines()
    assert f"ProtectHome={home}" in service
    for folder in config.backup.folders:
        assert f"ReadWritePaths=-{folder}" in service


def test_units_wait_for_the_share_of_the_fence_alone() -> None:
    def ordered(tables: str) -> set[str]:
        read = tomllib.loads(tables + toml.project())
        config = parse(read, Path("/srv"), "hcl.toml", {})
        made = units(config, Machine("hcl", Path("/opt/hcl/bin/hcl"), Path("/opt/l")))
        after = re.compile(r"(?m)^After=.* remote-fs\.target$")
        return {name for name, text in made.items() if after.search(text)}

    assert ordered(STANDBY) == {
        "hcl.service",
        "hcl-standby.service",
        "hcl-litestream.service",
    }
    # A NAS that is away delays no server that only backs up to it.
    assert ordered(toml.table("backup", folder="/mnt/nas/hcl")) == set()


def test_units_print_as_they_are_written(tmp_path: Path) -> None:
    Serve(tmp_path)
    command = [sys.executable, "-m", "hcl", "systemd"]

    shown = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout

    assert "# /etc/systemd/system/hcl.service\n[Unit]\n" in shown
    assert f"--config {tmp_path}/hcl.toml\n" in shown
    assert "ProtectClock=" not in shown.replace("# ", "")
    for line in (
        "Type=notify",
        "Restart=always",
        "StartLimitIntervalSec=0",
        "SystemCallFilter=adjtimex",
        "FileDescriptorName=http",
        "#LoadCredential=smtp-password:/etc/hcl/smtp-password",
    ):
        assert f"\n{line}\n" in shown


@pytest.mark.parametrize(
    ("mode", "is_same", "is_named"),
    # As by `python3.13 hcl.pyz`, where python3 is too old; and of a download.
    [(0o755, True, False), (0o755, False, True), (0o644, True, True)],
)
def test_units_call_the_single_file_so_that_it_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    is_same: bool,
    is_named: bool,
) -> None:
    Serve(tmp_path)
    pyz = tmp_path / "hcl.pyz"
    pyz.touch(mode)
    (tmp_path / "python3").symlink_to(sys.executable if is_same else "/bin/sh")
    monkeypatch.setenv("HCL_PYZ", str(pyz))
    monkeypatch.setattr(cli, "_PATH_OF_UNITS", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    shown = CliRunner().invoke(cli.systemd).output

    by = f"{sys.executable} " if is_named else ""
    assert f"\nExecStart={by}{pyz} serve --config {tmp_path}/hcl.toml" in shown


def test_units_let_hcl_write_where_a_link_leads(tmp_path: Path) -> None:
    # With the folder of the link alone the start ended: the file is read-only.
    Serve(tmp_path)
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "hcl.sqlite").symlink_to(disk / "hcl.sqlite")

    lines = subprocess.run(
        [sys.executable, "-m", "hcl", "systemd"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert f"ReadWritePaths={tmp_path}" in lines
    assert f"ReadWritePaths={disk}" in lines
    assert f"RequiresMountsFor={tmp_path} {disk}" in lines


def test_systemd_is_told_though_no_descriptor_is_left(
    tmp_path: Path, notify: NotifySocket
) -> None:
    serve = Serve(tmp_path)
    serve.env = {"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "400000"}
    with serve:
        notify.wait_for("READY=1")
        # No more than are open.
        subprocess.run(
            ["prlimit", f"--pid={serve.process.pid}", "--nofile=4:"], check=True
        )
        notify.falls_silent()
        for _ in range(3):
            notify.wait_for("WATCHDOG=1")

    assert "cannot tell systemd" not in serve.log
