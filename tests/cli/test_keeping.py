"""`hcl health`, `hcl status` and `hcl test-alert`, beside a real server."""

import asyncio
import resource
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests import toml
from tests.patience import ENDS
from tests.server.process import Serve, curl
from tests.sinks import HttpSink, SmtpSink


def hcl(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run a command; return its exit status and all that it says."""
    done = subprocess.run(
        [sys.executable, "-m", "hcl", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=ENDS,
    )
    return done.returncode, done.stdout


def test_health_follows_the_server(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        assert hcl(tmp_path, "health") == (0, "OK\n")
        # No file grows any more, as on a disk without room.
        limit = (tmp_path / "hcl.sqlite-wal").stat().st_size, resource.RLIM_INFINITY
        resource.prlimit(serve.process.pid, resource.RLIMIT_FSIZE, limit)
        assert httpx2.get(check["ping_url"], trust_env=False).status_code == 503

        assert hcl(tmp_path, "health") == (1, "the database cannot be written\n")
        status, page = hcl(tmp_path, "status")
        assert status == 1
        assert f":{serve.port}: the database cannot be written\n" in page

        serve.stop()
        name = f"127.0.0.1:{serve.port}"
        refused = f"hcl at {name} does not answer: Connection refused\n"
        assert hcl(tmp_path, "health") == (1, refused)


def test_health_asks_by_a_unix_socket_and_where_all_addresses_are_listened_on(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        config = (tmp_path / "hcl.toml").read_text()
        listen = f"127.0.0.1:{serve.port}"
        (tmp_path / "any.toml").write_text(
            config.replace(f'"{listen}"', f'"0.0.0.0:{serve.port}"', 1)
        )
        assert hcl(tmp_path, "health", "--config", "any.toml") == (0, "OK\n")
    path = tmp_path / "unix.toml"
    path.write_text(config.replace(f'"{listen}"', '"unix:hcl.sock"', 1))
    assert hcl(tmp_path, "health", "--config", "unix.toml") == (
        1,
        f"hcl at unix:{tmp_path}/hcl.sock does not answer: No such file or directory\n",
    )
    with subprocess.Popen(
        [sys.executable, "-m", "hcl", "serve", "--config", "unix.toml"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while "listens on" not in process.stderr.readline():
            assert process.poll() is None

        assert hcl(tmp_path, "health", "--config", "unix.toml") == (0, "OK\n")
        process.terminate()


@pytest.mark.parametrize(
    ("behave", "told"),
    [("answer", "what answers at {} is no hcl"), ("hang", "{} does not answer within")],
)
async def test_health_is_not_content_with_another_server(
    tmp_path: Path, behave: str, told: str
) -> None:
    async with HttpSink(body=b"Welcome") as sink:
        sink.behave = behave  # type: ignore[assignment] # one of those it knows
        address = f"127.0.0.1:{sink.port}"
        (tmp_path / "hcl.toml").write_text(
            toml.table("server", listen=address) + toml.project()
        )

        status, line = await asyncio.to_thread(
            hcl, tmp_path, "health", "--timeout", "2"
        )

    assert status == 1
    assert told.format(address) in line


@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1", "soon"])
def test_health_takes_no_odd_timeout(tmp_path: Path, seconds: str) -> None:
    status, told = hcl(tmp_path, "health", "--timeout", seconds)

    assert status == 2
    assert "Invalid value for '--timeout'" in told
    assert "Traceback" not in told


async def test_status_tells_of_parts_backups_absences_channels_and_messages(
    tmp_path: Path,
) -> None:
    (tmp_path / "disk").mkdir()
    async with HttpSink(status=404) as sink:
        hook = toml.webhook("Gone", down=sink.url)
        backup = toml.table("backup", folder="disk")
        with Serve(tmp_path, hook, tables=backup) as serve:
            check = serve.api("POST", "checks/", name="Backup", channels="*")
            curl(check["ping_url"] + "/fail")
            await sink.wait_for(1)
            # All of it is written down.
            assert serve.stop() == 0
            serve.start()
            serve.api("GET", "checks/")

            status, page = await asyncio.to_thread(hcl, tmp_path, "status")

    assert status == 0
    told = page.splitlines()
    well = f" at 127.0.0.1:{serve.port}: well, but 1 channel does not deliver"
    assert told[0].endswith(well)
    assert told[1].startswith(f"Database    {tmp_path}/hcl.sqlite, ")
    assert "Checks      Home: 1 check (1 down)" in told
    assert f"Backups     {tmp_path}/disk/hcl-" in page
    assert ": stopped" in page
    assert "Channels    Gone has not delivered since " in page
    assert "Messages    1 to deliver, the oldest " in page
    assert "last sign of life " in page


async def test_status_names_projects_of_which_nobody_is_told(tmp_path: Path) -> None:
    idle = toml.project("Idle", "idle")
    with Serve(tmp_path, idle) as serve:
        _, before = await asyncio.to_thread(hcl, tmp_path, "status")
        serve.api("POST", "checks/", name="Backup")

        status, page = await asyncio.to_thread(hcl, tmp_path, "status")

    # Of what has no checks there is nothing to tell.
    assert before.splitlines()[0].endswith(": well")
    told = ": well, but nobody is told of the checks of Home"
    assert (status, page.splitlines()[0].endswith(told)) == (0, True)
    assert "no channel of Idle tells when a check goes down\n" in page


def test_status_says_that_another_machine_has_taken_over(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        serve.stop()
    (tmp_path / "hcl.sqlite.fenced").write_text("epoch 2, raised by beta\n")

    status, page = hcl(tmp_path, "status")

    assert status == 1
    head = f" at 127.0.0.1:{serve.port}: does not answer: Connection refused\n"
    assert head in page
    assert "another machine has taken over (epoch 2, raised by beta): " in page
    assert "Channels    no channel of Home tells when a check goes down\n" in page


async def test_test_alert_goes_over_each_channel_that_tells_of_hcl(
    tmp_path: Path,
) -> None:
    async with SmtpSink() as smtp, HttpSink(status=404) as dead, HttpSink() as lamp:
        text = "\n".join(
            [
                toml.smtp(smtp.port),
                toml.project(),
                toml.email("Mail"),
                toml.webhook("Lamp", down=lamp.url),
                toml.webhook("Off", server=lamp.url, enabled=toml.Raw("false")),
            ]
        )
        path = tmp_path / "hcl.toml"
        path.write_text(text)
        status, told = await asyncio.to_thread(hcl, tmp_path, "test-alert")
        path.write_text(text + toml.webhook("Dead", server=dead.url))
        broken, more = await asyncio.to_thread(hcl, tmp_path, "test-alert")
        [mail, _] = await smtp.wait_for(2)

    assert (status, broken) == (0, 1)
    assert "Mail (email)\n  delivered in " in told
    assert 'Lamp (webhook)\n  left out: its events do not name "server"' in told
    assert "Off (webhook)\n  left out: it is switched off, by enabled = fa" in told
    assert "Dead (webhook)\n  not delivered after " in more
    assert "1 of 2 arrived" in more
    assert mail.message["Subject"] == "All is well: a test message of hcl"
    assert lamp.records == []
