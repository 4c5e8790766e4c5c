"""What to paste into a job so that it pings its check; pure."""

from datetime import timedelta
from typing import NamedTuple

from hcl.model import Check
from hcl.words.lengths import every

# Patient, silent when all is well, and never in the way of the job.
_CURL = "curl -fsS -m 10 --retry 5 -o /dev/null"


class Snippet(NamedTuple):
    """Lines to copy: `key` names them in the page, `label` for people."""

    key: str
    label: str
    note: str
    text: str


def snippets(check: Check, url: str, body_limit: int) -> list[Snippet]:
    """Return snippets that ping a URL as the check takes it."""
    curl = f"{_CURL} -X POST" if check.methods == "POST" else _CURL
    return [
        Snippet(
            "crontab",
            "Crontab",
            "One line: runs the job, then tells its exit status.",
            _crontab(check, curl, url),
        ),
        Snippet(
            "shell",
            "Shell",
            "Tells start, exit status and the end of the output; five retries.",
            _shell(curl, url, body_limit),
        ),
        Snippet(
            "systemd",
            "systemd",
            "In the .service file of a job that a timer starts.",
            _systemd(curl, url),
        ),
        Snippet("python", "Python", "Standard library only.", _python(url)),
        Snippet(
            "powershell",
            "PowerShell",
            "Windows PowerShell 5 and PowerShell 7.",
            _powershell(url),
        ),
    ]


def _crontab(check: Check, curl: str, url: str) -> str:
    # A line of a crontab has no line feeds, and a percent sign would be one.
    return f'{_cron_times(check)} /path/to/job; {curl} "{url}/$?"'


def _cron_times(check: Check) -> str:
    """Write when the job runs as a crontab does; in a comment, if that cannot."""
    if check.kind == "cron":
        return " ".join(check.schedule.split())
    if check.kind == "oncalendar":
        return f"# {' and '.join(filter(None, check.schedule.splitlines()))}:"
    for length, whole, times in _CRON_TIMES:
        count, rest = divmod(check.timeout, length)
        # What does not divide the hour or the day would run early at its end.
        if count and not rest and whole % count == 0:
            return times[0] if count == 1 else times[1].format(count)
    return f"# {every(check.timeout)}:"


# A length, how many of them begin anew with the next longer one, and how a crontab
# writes one of them, and several.
_CRON_TIMES = [
    (timedelta(weeks=1), 1, ("0 4 * * 1",)),
    (timedelta(days=1), 1, ("0 4 * * *",)),
    (timedelta(hours=1), 24, ("0 * * * *", "0 */{} * * *")),
    (timedelta(minutes=1), 60, ("* * * * *", "*/{} * * * *")),
]


def _shell(curl: str, url: str, body_limit: int) -> str:
    return f"""\
#!/bin/sh
url={url}

{curl} "$url/start"
output=$(/path/to/job 2>&1)
status=$?
printf '%s' "$output" | tail -c {body_limit} |
  {_CURL} --data-binary @- "$url/$status"
exit $status"""


def _systemd(curl: str, url: str) -> str:
    # systemd gives the name of a signal as EXIT_STATUS where no status was given.
    return f"""\
[Service]
Type=oneshot
ExecStartPre=-/usr/bin/{curl} {url}/start
ExecStart=/path/to/job
ExecStopPost=-/bin/sh -c '[ "$$EXIT_CODE" = exited ] || EXIT_STATUS=fail; \\
  {curl} "{url}/$$EXIT_STATUS"'"""


def _python(url: str) -> str:
    return f"""\
import urllib.request

URL = "{url}"


def ping(signal: str = "", output: str = "") -> None:
    try:
        urllib.request.urlopen(URL + signal, data=output.encode(), timeout=10).close()
    except Exception as error:  # the job matters more than its monitor
        print(f"ping failed: {{error}}")


ping("/start")
try:
    main()  # the job
except SystemExit as end:
    ping("/fail" if end.code else "", repr(end))
    raise
except BaseException as error:
    ping("/fail", repr(error))
    raise
ping()"""


def _powershell(url: str) -> str:
    return f"""\
$url = '{url}'
$options = @{{ Method = 'Post'; TimeoutSec = 10; UseBasicParsing = $true }}

Invoke-RestMethod "$url/start" @options | Out-Null
& 'C:\\path\\to\\job.exe'
$signal = if ($LASTEXITCODE -eq 0) {{ '' }} else {{ '/fail' }}
Invoke-RestMethod "$url$signal" @options | Out-Null"""
