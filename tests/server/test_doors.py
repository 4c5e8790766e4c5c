"""Unix sockets whose files are removed while hcl serves, by who tidies up, say."""

import asyncio
import logging
import shutil
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hcl.config.settings import UnixPath
from hcl.server.doors import Doors, listening
from tests import toml
from tests.patience import ENDS
from tests.server.process import PING_KEY, curl


def look(doors: Doors) -> None:
    """Look once, and serve nobody."""

    async def leave(_: socket.socket) -> None:
        pass

    asyncio.run(doors.look_once(leave))


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for what only another process can bring about."""
    end = time.monotonic() + ENDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run" / "hcl.sock"


@pytest.fixture
def doors(path: Path) -> Iterator[Doors]:
    with listening(UnixPath(path), []) as doors:
        yield doors


class Mailer(smtplib.SMTP):
    """Sends mail to a unix socket."""

    def _get_socket(self, host: str, *_: object) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(ENDS)
        made.connect(host)
        return made


def test_sockets_that_were_removed_are_made_again_and_served(
    path: Path, tmp_path: Path
) -> None:
    post = path.with_name("mail.sock")
    (tmp_path / "hcl.toml").write_text(
        toml.table("server", listen=f"unix:{path}")
        + toml.table("smtpd", listen=f"unix:{post}", domain="hcl.example")
        + toml.project("Home", PING_KEY)
    )
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "hcl", "serve"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
    try:
        wait_for(post.exists)
        path.unlink()
        post.unlink()
        wait_for(lambda: log.read_text().count("and is made again") == 2)

        ping = ["--unix-socket", str(path), f"http://hcl/ping/{PING_KEY}/job?create=1"]
        created = curl(*ping)
        with Mailer(str(post), 1) as mailer:
            mailer.sendmail("a@b.example", f"{PING_KEY}+job@hcl.example", "Hello")
        process.terminate()

        assert created == "Created"
        assert process.wait(ENDS) == 0
        assert list(path.parent.iterdir()) == []
    finally:
        process.kill()
        process.wait()


def test_a_folder_that_is_gone_is_told_once_until_it_is_back(
    doors: Doors, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(path.parent)
    look(doors)
    look(doors)
    trouble, told = doors.trouble, [record.message for record in caplog.records]
    path.parent.mkdir()
    look(doors)

    assert told == [trouble]
    assert trouble == (
        f"unix:{path} was removed: nobody can connect to it, and it cannot be made"
        " again: No such file or directory"
    )
    assert doors.trouble == ""
    assert path.is_socket()


def test_what_another_has_made_in_its_place_is_left_alone(
    doors: Doors, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(path))
        other.listen()
        look(doors)

        assert doors.trouble.endswith("cannot be made again: Address already in use")
        doors.close()
        assert path.is_socket()


def test_the_unit_is_named_of_a_socket_that_systemd_has_made(path: Path) -> None:
    given = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    given.bind(str(path))
    with listening(UnixPath(path), [given]) as doors:
        path.unlink()
        look(doors)

        assert doors.trouble == (
            f"unix:{path} was removed: nobody can connect to it; restart the unit of"
            " its socket"
        )
