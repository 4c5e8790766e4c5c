"""What Apprise would say of the URLs in a config, asked before anything is sent."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hcl.alerts.transports.children import for_python
from hcl.config import AppriseSettings, Config
from hcl.config.channels.apprise_urls import SCHEMES, as_apprise, not_for, problem_of

# The program that runs Apprise. It is started, never imported.
WORKER = Path(__file__).parent / "apprise_worker.py"

NEEDED = "needs Apprise, which comes with hcl and is not here; install hcl again"

# Seconds that Apprise may take to look at all URLs.
_PATIENCE = 60.0


def doubts(config: Config) -> list[str]:
    """Ask Apprise which of its URLs it would not take, a line for each with its place.

    It is asked in a process of its own, if there is any URL, which takes a second. Its
    releases differ in what they take, so that none of this is an error.
    """
    places = list(_places(config))
    problems = check_urls([(kind, url) for _, kind, url in places])
    return [
        f"{place}: {problem}"
        for (place, _, _), problem in zip(places, problems, strict=True)
        if problem
    ]


def _places(config: Config) -> Iterator[tuple[str, str, str]]:
    """Yield where each URL of Apprise's stands, its channel's kind, and the URL."""
    for project in config.projects:
        for channel in project.channels:
            if isinstance(channel.settings, AppriseSettings):
                place = f'channel "{channel.name}" of project "{project.name}", url'
                yield place, channel.kind, channel.settings.url


def check_urls(urls: Sequence[tuple[str, str]]) -> list[str]:
    """Ask Apprise what is wrong with each URL, given with its channel's kind; "": fine.

    It takes a second or so, however many they are.
    """
    problems = [problem_of(kind, url) for kind, url in urls]
    if all(problems):
        return problems
    if find_spec("apprise") is None:
        return [problem or NEEDED for problem in problems]
    verdicts = _ask([as_apprise(url) for _, url in urls])
    if isinstance(verdicts, str):
        return [problem or verdicts for problem in problems]
    return [
        problem or _judged(kind, verdict)
        for problem, verdict, (kind, _) in zip(problems, verdicts, urls, strict=True)
    ]


def _judged(kind: str, verdict: dict[str, Any]) -> str:
    if verdict["problem"]:
        return str(verdict["problem"])
    if kind == "apprise" or set(verdict["schemes"]) & set(SCHEMES[kind]):
        return ""
    return not_for(kind, verdict["service"])


def _ask(urls: list[str]) -> list[dict[str, Any]] | str:
    """Run Apprise over URLs; return its verdicts, or in words why there are none."""
    # By path and with -P, so that no module of the working folder is in the way. The
    # URLs are secrets, so they go in by the back door.
    try:
        done = subprocess.run(  # noqa: S603 - both are our own
            [sys.executable, "-P", str(WORKER), "check"],
            input=json.dumps(urls).encode(),
            capture_output=True,
            env=for_python(),
            timeout=_PATIENCE,
        )
        verdicts: list[dict[str, Any]] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return f"cannot be checked: Apprise did not answer within {_PATIENCE:g} s"
    except OSError as error:
        return f"cannot be checked: cannot start Apprise: {error.strerror}"
    except ValueError:
        told = last_line(done.stderr)
        return f"cannot be checked: Apprise failed: {told}".rstrip(": ")
    return verdicts


def last_line(stderr: bytes) -> str:
    """Return the last line that the worker wrote there.

    It says nothing any more once it has read a URL, so this is no secret.
    """
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""
