"""The real process is away: what people are told, and what the pages show then."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2

from tests import toml
from tests.patience import ENDS
from tests.server.process import API_KEY, Serve, curl, until
from tests.sinks import HttpSink, SmtpSink


def be_away(folder: Path, seconds: float) -> None:
    """Make the absence of a server that is stopped longer, as another boot does."""
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as connection, connection:
        for sql in (
            "UPDATE life SET boot_id = '', moment = moment - :ago",
            "UPDATE check_states SET last_ping = last_ping - :ago,"
            " alert_after = alert_after - :ago, look_at = look_at - :ago",
            "UPDATE pings SET created = created - :ago",
            "UPDATE inbox SET created = created - :ago",
        ):
            connection.execute(sql, {"ago": seconds})


def waiting(folder: Path) -> list[Any]:
    uri = f"file:{folder}/hcl.sqlite?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return connection.execute(
            "SELECT id FROM notifications WHERE next_try IS NOT NULL"
        ).fetchall()


def page_of(serve: Serve) -> str:
    """Sign in, and return the list."""
    with httpx2.Client(trust_env=False, verify=False, follow_redirects=True) as browser:
        browser.post(f"{serve.root}/sign-in", data={"key": API_KEY, "next": ""})
        return browser.get(f"{serve.root}/").text


async def test_absence_is_told_once_to_people_and_marks_what_it_cannot_know(
    tmp_path: Path,
) -> None:
    async with HttpSink() as own, HttpSink() as deaf, SmtpSink() as smtp:
        body = "$STATUS: $NAME / $BODY"
        channels = "\n".join(
            [
                toml.email("Mail"),
                toml.webhook("Own", server=toml.post(own.url, body)),
                toml.webhook("Deaf", down=deaf.url, up=deaf.url),
            ]
        )
        with Serve(tmp_path, channels, tables=toml.smtp(smtp.port)) as serve:
            check = serve.api(
                "POST", "checks/", name="Backup", timeout=60, grace=60, channels="*"
            )
            curl(check["ping_url"])
            assert serve.stop() == 0
            # Its deadline passes in the absence.
            be_away(tmp_path, 130)
            serve.start()

            (mail,) = await smtp.wait_for(1, timeout=10 + ENDS)
            (request,) = await own.wait_for(1)
            await until(lambda: not waiting(tmp_path))
            shown = page_of(serve)
            status = serve.api("GET", f"checks/{check['uuid']}")["status"]
            curl(check["ping_url"])
            heard = page_of(serve)
            assert serve.stop() == 0
            # So short an absence is not told.
            serve.start()
            curl(check["ping_url"])

        subject = str(mail.message["Subject"])
        assert subject.startswith("hcl was away from ")
        assert " min" in subject
        text = mail.message.get_body(("plain",))
        assert text is not None
        assert "hcl cannot know of 1 check: Backup." in text.get_content()
        assert request.text.startswith(f"server: {subject} / From ")
        assert "hcl cannot know of 1 check: Backup." in request.text
        assert (len(smtp.records), len(own.records), deaf.records) == (1, 1, [])
        assert status == "up"
        assert subject in shown
        assert "not heard since" in shown
        assert subject in heard
        assert "not heard since" not in heard


async def test_absence_is_judged_as_if_hcl_had_listened_where_that_is_asked(
    tmp_path: Path,
) -> None:
    async with SmtpSink() as smtp:
        tables = toml.table("alerts", after_absence="alert") + toml.smtp(smtp.port)
        with Serve(tmp_path, toml.email("Mail"), tables=tables) as serve:
            check = serve.api(
                "POST", "checks/", name="Backup", timeout=60, grace=60, channels="*"
            )
            curl(check["ping_url"])
            assert serve.stop() == 0
            be_away(tmp_path, 130)
            serve.start()

            (mail,) = await smtp.wait_for(1, timeout=10 + ENDS)
            await until(lambda: not waiting(tmp_path))
            shown = page_of(serve)

        assert str(mail.message["Subject"]) == "DOWN: Backup"
        assert len(smtp.records) == 1
        assert "hcl was away" not in shown
