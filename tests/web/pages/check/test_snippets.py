"""Snippets that people paste: they have to work as they stand."""

import ast
import asyncio
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE
from datetime import timedelta
from typing import Any

import pytest

from hcl.web.pages.check.snippets import snippets
from tests.build import make_check
from tests.sinks import HttpSink

URL = "http://hcl.example/ping/f618072a-7bde-4eee-af63-71a77c5723bc"


def text_of(key: str, **fields: Any) -> str:
    """Return one snippet of a check."""
    found = snippets(make_check(**fields), URL, 10_000)
    return next(snippet.text for snippet in found if snippet.key == key)


def test_crontab_line_has_the_checks_own_schedule() -> None:
    line = text_of("crontab", kind="cron", schedule="*/5  * * *\t*\n")

    assert line.startswith("*/5 * * * * /path/to/job; curl ")
    assert line.endswith(f'"{URL}/$?"')
    # A percent sign would be a line feed to cron.
    assert "%" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("period", "times"),
    [
        (timedelta(minutes=1), "* * * * *"),
        (timedelta(minutes=2), "*/2 * * * *"),
        (timedelta(minutes=15), "*/15 * * * *"),
        (timedelta(minutes=30), "*/30 * * * *"),
        (timedelta(hours=1), "0 * * * *"),
        (timedelta(hours=6), "0 */6 * * *"),
        (timedelta(hours=12), "0 */12 * * *"),
        (timedelta(days=1), "0 4 * * *"),
        (timedelta(weeks=1), "0 4 * * 1"),
        (timedelta(hours=7), "# every 7 hours:"),
        (timedelta(minutes=7), "# every 7 minutes:"),
        (timedelta(minutes=45), "# every 45 minutes:"),
        (timedelta(minutes=90), "# every 1 hour 30 minutes:"),
        (timedelta(seconds=90), "# every 1 minute 30 seconds:"),
        (timedelta(hours=48), "# every 2 days:"),
        (timedelta(days=14), "# every 14 days:"),
        (timedelta(days=30), "# every 30 days:"),
        (timedelta(days=365), "# every 365 days:"),
    ],
    ids=str,
)
def test_crontab_line_has_the_period_of_a_simple_check(
    period: timedelta, times: str
) -> None:
    line = text_of("crontab", timeout=period)

    assert line.startswith(f"{times} /path/to/job; curl ")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("schedule", "times"),
    [
        ("Mon..Fri 08:00", "# Mon..Fri 08:00:"),
        ("08:00\n\nSat 10:00\n", "# 08:00 and Sat 10:00:"),
    ],
)
def test_crontab_line_of_a_calendar_runs_at_no_wrong_time(
    schedule: str, times: str
) -> None:
    line = text_of("crontab", kind="oncalendar", schedule=schedule)

    assert line.startswith(f"{times} /path/to/job; curl ")
    assert "\n" not in line


def test_methods_that_do_not_count_are_not_used() -> None:
    for key in ("crontab", "systemd"):
        assert "-X POST" in text_of(key, methods="POST")
        assert "-X POST" not in text_of(key)
    shell = text_of("shell", methods="POST")
    assert shell.count("-X POST") == shell.count("curl") - 1
    assert "--data-binary" in shell


@pytest.mark.parametrize("key", ["shell", "crontab"])
def test_shell_lines_parse(key: str) -> None:
    text = text_of(key).removeprefix("0 4 * * * ")

    subprocess.run(["sh", "-n"], input=text.encode(), check=True)


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("exited", "0", "0"),
        ("exited", "3", "3"),
        ("killed", "TERM", "fail"),
        ("", "", "fail"),
    ],
)
def test_systemd_line_tells_how_the_job_ended(
    code: str, status: str, told: str
) -> None:
    unit = text_of("systemd").replace("\\\n", "")
    [line] = [row for row in unit.splitlines() if row.startswith("ExecStopPost")]
    # What systemd does: $$ is a dollar sign.
    script = line.partition("sh -c '")[2].removesuffix("'").replace("$$", "$")

    ran = subprocess.run(
        ["sh", "-c", script.replace("curl", "echo")],
        env={"EXIT_CODE": code, "EXIT_STATUS": status, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.split()[-1] == f"{URL}/{told}"


def test_python_parses_and_has_a_timeout() -> None:
    text = text_of("python")

    ast.parse(text)
    assert "timeout=10" in text


async def run_python(url: str, end: str) -> tuple[int, str]:
    """Run the Python snippet around a job; return its exit status, and what it said."""
    found = snippets(make_check(), url, 10_000)
    text = next(snippet.text for snippet in found if snippet.key == "python")
    job = f"import sys\n\n\ndef main() -> None:\n    print('ran')\n    {end}\n\n\n"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", job + text, stdout=PIPE, stderr=DEVNULL
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [
        ("return", 0, ""),
        # As many scripts end that have done their work.
        ("sys.exit()", 0, ""),
        ("sys.exit(0)", 0, ""),
        ("sys.exit(3)", 3, "/fail"),
        ("sys.exit('no space left')", 1, "/fail"),
        ("raise KeyboardInterrupt", -2, "/fail"),
        ("1 / 0", 1, "/fail"),
    ],
)
async def test_python_tells_how_the_job_ended(end: str, status: int, told: str) -> None:
    async with HttpSink() as sink:
        url = f"{sink.url}ping"
        code, said = await run_python(url, end)
        records = sink.records

    assert (code, said) == (status, "ran\n")
    assert [record.target for record in records] == ["/ping/start", f"/ping{told}"]


async def test_python_does_its_job_whatever_answers_its_pings() -> None:
    async with HttpSink(behave="garbage") as sink:
        code, said = await run_python(f"{sink.url}ping", "return")

    assert code == 0
    assert "\nran\n" in said


def test_powershell_names_the_signals() -> None:
    text = text_of("powershell")

    assert f"$url = '{URL}'" in text
    assert "TimeoutSec = 10" in text
