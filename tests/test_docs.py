"""Docs and code say the same: README knows every command, kind, key and route."""

import re
import tomllib
from pathlib import Path

import pytest

from hcl.alerts.lines import PAUSES
from hcl.alerts.transports.placeholders import Placeholders
from hcl.checks.check_json import Site
from hcl.cli import COMMANDS
from hcl.config import parse
from hcl.config.apprise_urls import SCHEMES, problem_of
from hcl.config.channels import KINDS
from hcl.config.keys import CALM
from hcl.web.app import api_routes
from tests.alerts import NOW, a_message, an_alert
from tests.app import App
from tests.config import PROJECT

README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_in_readme(command: str) -> None:
    assert f"`hcl {command}" in README


@pytest.mark.parametrize("kind", KINDS)
def test_channel_kind_is_in_readme(kind: str) -> None:
    assert f"\n| `{kind}` | " in README


@pytest.mark.parametrize("kind", SCHEMES)
def test_url_of_each_service_has_the_form_that_readme_shows(kind: str) -> None:
    row = re.search(rf"(?m)^\| `{kind}` \|.*\| `(.*?)`[^|]*\|$", README)

    assert row
    assert problem_of(kind, row[1]) == ""


@pytest.mark.parametrize("key", [*CALM, "fold", "fallback"])
def test_key_of_every_channel_is_in_readme(key: str) -> None:
    assert f"\n| `{key} = " in README


def test_placeholders_are_in_readme() -> None:
    message = a_message(an_alert(tags="one"))
    site = Site("https://example.org", "https://example.org/ping/")

    names = Placeholders(message, NOW, site).everything()

    assert [name for name in names if f"`${name}`" not in README] == []


def test_pauses_are_in_readme() -> None:
    *others, last = [int(pause.total_seconds()) for pause in PAUSES]
    units = {"h": 3600, "m": 60, "s": 1}

    words = [
        next(f"{pause // size} {unit}" for unit, size in units.items() if pause >= size)
        for pause in others
    ]

    told = " ".join(README.split())
    assert last == 24 * 3600
    assert f"after {', '.join(words)} and then daily" in told


def test_toml_in_readme_is_right(tmp_path: Path) -> None:
    blocks = re.findall(r"(?ms)^```toml\n(.*?)^```$", README)
    (tmp_path / "smtp-password").touch()

    # A table of its own would end the project's.
    blocks.sort(key=lambda block: not block.startswith("[alerts]"))
    head, *rest = blocks
    data = tomllib.loads(head + PROJECT + "".join(rest))
    [project] = parse(data, tmp_path, "hcl.toml", {}).projects

    assert [channel.kind for channel in project.channels] == ["email", "ntfy", "shell"]
    assert [tag.tag for tag in project.tags] == ["nightly"]


async def test_routes_of_the_api_are_in_readme(app: App) -> None:
    routes = [route.path for route in api_routes(app.parts, 3)]
    paths = {path for path in routes if f"{path}/" not in routes and "rest" not in path}

    for path in paths:
        shown = re.sub(r"{(\w+):\w+}", r"<\1>", path).replace("<code>", "<uuid>")
        assert f"{shown}`" in README
