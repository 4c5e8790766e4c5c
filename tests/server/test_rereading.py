"""A reload that cannot be done now, or reads what makes no sense."""

import asyncio
import errno
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hcl import config as configuration
from hcl.config import AlertsConfig, CheckConfig, Config, ConfigError
from hcl.server.rereading import Rereader
from hcl.server.systemd import Notifier
from tests import toml
from tests.app import CONFIG, WRITE_KEY, App, running_app
from tests.patience import ENDS
from tests.server.process import PING_KEY, Serve, curl, until
from tests.server.test_systemd import NotifySocket
from tests.sinks import make_certificate
from tests.web.pages.browsing import sign_in, text_of

# The last project of CONFIG has no channels.
MORE = CONFIG + toml.webhook("Hook C", down="http://127.0.0.1:9/c")

PATIENCE = 0.05


@asynccontextmanager
async def rereading(
    app: App, read: Callable[[], Config] | None = None
) -> AsyncIterator[Rereader]:
    """Have the app read its file again when that is called for."""

    def reread() -> Config:
        return configuration.load(app.config.path)

    rereader = Rereader(app.assembly, read or reread, Notifier({}), lambda: "")
    rereader.patience = PATIENCE
    running = asyncio.create_task(rereader.run())
    try:
        yield rereader
        assert not running.done()
    finally:
        running.cancel()


async def met(condition: Callable[[], bool]) -> None:
    """Wait for what a loop of this process brings about."""
    async with asyncio.timeout(ENDS):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def rename(app: App, table: str, name: str) -> None:
    async with app.database.turn() as conn:
        await conn.execute(f"ALTER TABLE {table} RENAME TO {name}")


# What the first holds is written with all the rest, the second is read after that.
@pytest.mark.parametrize("table", ["announcements", "windows"])
async def test_a_reload_that_the_database_stops_is_tried_again_until_it_is_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    async with running_app(tmp_path) as app, rereading(app) as rereader:
        app.config.path.write_text(MORE.replace('"Hook A"', '"Hook D"'))
        await rename(app, table, "away")
        rereader.call()
        await met(lambda: "not reloaded yet: no such table" in caplog.text)
        waits = rereader.trouble
        await asyncio.sleep(5 * PATIENCE)
        await rename(app, "away", table)
        await met(lambda: not rereader.trouble)

        names = [c.name for project in app.config.projects for c in project.channels]
        assert names == ["Hook D", "Hook B", "Hook C"]
        assert waits == "; hcl.toml was read, and waits for a database that can be used"
        assert caplog.text.count("not reloaded yet") == 1


async def test_what_waits_for_the_database_gives_way_to_what_is_read_after_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_app(tmp_path) as app, rereading(app) as rereader:
        app.config.path.write_text(MORE.replace("Hook C", "Hook D"))
        await rename(app, "windows", "away")
        rereader.call()
        await met(lambda: "not reloaded yet" in caplog.text)
        app.config.path.write_text(MORE)
        await rename(app, "away", "windows")
        rereader.call()
        await met(lambda: bool(app.config.projects[1].channels))
        await asyncio.sleep(2 * PATIENCE)

        assert [c.name for c in app.config.projects[1].channels] == ["Hook C"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConfigError("hcl.toml: is wrong"), "not reloaded: hcl.toml: is wrong"),
        (RuntimeError("a mistake"), "RuntimeError: a mistake"),
    ],
)
async def test_what_cannot_be_read_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, told: str
) -> None:
    def fail() -> Config:
        raise error

    async with running_app(tmp_path) as app:
        async with rereading(app, fail) as rereader:
            rereader.call()
            await met(lambda: told in caplog.text)
            rereader.call()
            await met(lambda: caplog.text.count(told) >= 2)

        assert rereader.trouble == (
            "; hcl.toml is wrong, the settings of before are used"
        )


async def test_what_was_read_and_makes_no_sense_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def read() -> Config:
        # As if a mistake in reading had let it pass.
        first, *others = configuration.load(tmp_path / "hcl.toml").projects
        check = CheckConfig("nightly", {"slug": "nightly", "timeout": 0}, ())
        projects = (replace(first, checks=(check,)), *others)
        return replace(used, alerts=AlertsConfig("alert"), projects=projects)

    async with running_app(tmp_path) as app:
        used = app.config
        async with rereading(app, read) as rereader:
            rereader.call()
            await met(lambda: "timeout is too small" in caplog.text)

        assert app.config is used
        assert rereader.trouble == (
            "; hcl.toml is wrong, the settings of before are used"
        )


def no_thread(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    return monkeypatch.undo


def no_descriptor(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:

    def refuse(_: Path, encoding: str = "") -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "read_text", refuse)
    return monkeypatch.undo


@pytest.mark.parametrize("scarce", [no_thread, no_descriptor])
async def test_a_file_that_cannot_be_read_just_now_is_read_again(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    scarce: Callable[[pytest.MonkeyPatch], Callable[[], None]],
) -> None:
    async with running_app(tmp_path) as app, rereading(app) as rereader:
        app.config.path.write_text(MORE)
        end = scarce(monkeypatch)
        rereader.call()
        await met(lambda: "not reloaded: " in caplog.text)
        cannot = rereader.trouble
        await asyncio.sleep(3 * PATIENCE)
        end()
        await met(lambda: bool(app.config.projects[1].channels))

        assert cannot.startswith("; hcl.toml cannot be read just now")
        assert caplog.text.count("not reloaded") == 1
        assert rereader.trouble == ""


async def test_a_file_that_hangs_holds_up_neither_pings_nor_the_end(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "password")
    with Serve(tmp_path) as serve:
        mail = '[smtp]\nhost = "127.0.0.1"\npassword = { file = "password" }\n'
        serve.write_config("", tables=mail)
        serve.process.send_signal(signal.SIGHUP)
        # It is opened for reading once somebody is there.
        opened = await asyncio.to_thread(os.open, tmp_path / "password", os.O_WRONLY)

        assert curl(f"{serve.root}/ping/{PING_KEY}/job?create=1") == "Created"
        assert serve.stop() == 0
        os.close(opened)


async def test_what_waits_for_a_restart_is_told_at_each_reload_and_not_shown_as_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with running_app(tmp_path) as app, rereading(app) as rereader:
        used = app.config

        async def reloaded(text: str) -> list[str]:
            app.config.path.write_text(text)
            caplog.clear()
            rereader.call()
            await met(lambda: "reloaded" in caplog.text)
            return [r.message for r in caplog.records if r.levelname == "WARNING"]

        other = CONFIG.replace("127.0.0.1:0", "127.0.0.1:9") + "\n".join(
            [
                toml.table("database", path="other.sqlite", synchronous="normal"),
                toml.table("smtpd", listen="127.0.0.1:9", domain="hcl.example"),
                toml.table("standby", socket="litestream.sock"),
            ]
        )
        told = [await reloaded(other), await reloaded(other), await reloaded(CONFIG)]

        keys = ["server.listen", "database", "smtpd.listen", "standby"]
        waits = [f"{key} has changed: restart hcl to use it" for key in keys]
        assert told == [waits, waits, []]
        assert app.parts.unused == []
        await reloaded(other)
        assert app.config == used
        assert app.parts.unused == waits


async def test_the_page_of_the_server_tells_that_hcl_toml_is_wrong_until_it_is_right(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path) as app, rereading(app) as rereader:
        await sign_in(app, WRITE_KEY)

        async def reloaded(text: str, *, lines: int) -> str:
            app.config.path.write_text(text)
            rereader.call()
            await met(lambda: len(app.parts.unused) == lines)
            return text_of((await app.http.get("/server")).text)

        wrong = await reloaded(CONFIG + "bogus = 1", lines=1)
        right = await reloaded(CONFIG, lines=0)

    assert "not all is well What stands in hcl.toml now is not used" in wrong
    told = "Not used hcl.toml is wrong, the settings of before are used: hcl check-conf"
    assert told in wrong
    assert "bogus" not in wrong
    assert "Not used" not in right


async def test_address_that_systemd_listens_on_is_that_of_its_unit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    async with running_app(tmp_path) as app, rereading(app) as rereader:
        app.config.path.write_text(CONFIG.replace("127.0.0.1:0", "127.0.0.1:9"))
        rereader.call()
        await met(lambda: "server.listen has changed: make the units" in caplog.text)


async def test_mail_goes_on_by_the_settings_of_before_if_it_is_taken_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mail = toml.table("smtpd", listen="127.0.0.1:0", domain="hcl.example")
    async with running_app(tmp_path, CONFIG + mail) as app, rereading(app) as rereader:
        used = app.config.smtpd
        app.config.path.write_text(CONFIG)
        rereader.call()
        await met(lambda: "smtpd.listen has changed: restart" in caplog.text)
        taken_out = app.config.smtpd
        app.config.path.write_text(CONFIG + mail.replace("hcl.", "other."))
        rereader.call()
        await met(lambda: app.config.smtpd.domain == "other.example")

        assert taken_out == used


async def test_a_certificate_that_went_with_the_mail_holds_no_reload_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    make_certificate(tmp_path)
    tls = {"tls_cert": "certificate.pem", "tls_key": "key.pem"}
    mail = toml.table("smtpd", listen="127.0.0.1:0", domain="hcl.example", **tls)
    async with running_app(tmp_path, CONFIG + mail) as app, rereading(app) as rereader:
        (tmp_path / "certificate.pem").unlink()
        app.config.path.write_text(MORE)
        rereader.call()
        await met(lambda: "reloaded" in caplog.text)

        assert "not reloaded" not in caplog.text
        assert app.assembly.mail is not None
        assert app.assembly.mail.tls is not None
        assert "Hook C" in [c.name for p in app.config.projects for c in p.channels]


async def test_a_reload_that_is_asked_for_before_hcl_listens_is_done_then(
    tmp_path: Path,
) -> None:
    serve = Serve(tmp_path)
    (tmp_path / "sitecustomize.py").write_text(
        # As if asked for in the first moment of the command.
        "import os, signal, threading\n"
        "from hcl import memory\n"
        "before = memory.share_one_place\n"
        "def share():\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    before()\n"
        "memory.share_one_place = share\n"
    )
    notify = NotifySocket(tmp_path)
    serve.env = {
        "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}",
        "NOTIFY_SOCKET": str(notify.path),
    }
    with serve:
        await until(lambda: "INFO reloaded" in serve.log)
        await asyncio.to_thread(notify.wait_for, "RELOADING=1")
        notify.close()

    assert notify.told[0].startswith("READY=1")
