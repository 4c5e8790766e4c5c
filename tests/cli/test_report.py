"""`hcl report` prints what would be sent now, and sends nothing."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hcl import store
from hcl.cli import main
from hcl.model import Flip
from tests import toml
from tests.app import running_app
from tests.damage import damage
from tests.store import put_check

REPORTS = "".join(
    f'[[projects.reports]]\nevery = "{every}"\nchannels = ["Own"]\nquiet = true\n'
    for every in ("day", "month")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HCL_CONFIG", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", *arguments])


async def down_for_a_minute(folder: Path, reports: str) -> None:
    own = toml.webhook("Own", server=toml.post("http://127.0.0.1:1/", "$NAME"))
    now = datetime.now(UTC)
    async with running_app(folder, toml.project() + own + reports) as app:
        check = await put_check(app.database, status="up", name="Nightly backup")
        flips = [
            (check, Flip(now - timedelta(minutes=2), "up", "down", "fail")),
            (check, Flip(now - timedelta(minutes=1), "down", "up", "")),
        ]
        async with app.database.transaction() as conn:
            await store.flips.add(conn, flips)


def test_each_report_of_the_file_is_printed(folder: Path) -> None:
    asyncio.run(down_for_a_minute(folder, REPORTS))

    result = run("--html", "mail.html")

    assert result.exit_code == 0
    assert result.output.startswith("Daily report of Home: 1 check was down\n\n")
    assert "\n\nMonthly report of Home: 1 check was down\n\n" in result.output
    assert result.output.count("- Nightly backup: 1 minute\n") == 2
    assert 'bgcolor="#' in (folder / "mail.html").read_text()


def test_a_page_that_cannot_be_written_is_told(folder: Path) -> None:
    asyncio.run(down_for_a_minute(folder, REPORTS))

    result = run("--html", "nowhere/mail.html")

    assert result.exit_code == 1
    assert result.output == "Error: nowhere/mail.html: No such file or directory\n"


def test_a_project_without_reports_gets_a_weekly_one(folder: Path) -> None:
    asyncio.run(down_for_a_minute(folder, ""))

    result = run("--short", "--project", "Home")

    assert result.output.startswith("Weekly report of Home: 1 check was down\n\nFrom ")
    assert "Was down – Nightly backup: 1 minute." in result.output


def test_project_that_is_not_there_is_told(folder: Path) -> None:
    asyncio.run(down_for_a_minute(folder, ""))

    result = run("--project", "Nowhere")

    assert result.exit_code == 1
    assert "there is no project 'Nowhere'" in result.output


def test_what_a_report_cannot_read_it_says(folder: Path) -> None:
    asyncio.run(down_for_a_minute(folder, REPORTS))
    damage(folder / "hcl.sqlite", "flips")

    result = run()

    assert result.exit_code == 0, result.output
    assert "Daily report of Home: not all is known\n\n" in result.output
    assert "none went down" not in result.output
    assert "Not all can be read: hcl's database is damaged." in result.output
