"""Docs and code say the same: README knows every command, kind and route."""

import re
from pathlib import Path

import pytest

from hcl.cli import COMMANDS
from hcl.config.channels import KINDS
from hcl.web.app import api_routes
from tests.app import App

README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_in_readme(command: str) -> None:
    assert f"`hcl {command}" in README


@pytest.mark.parametrize("kind", KINDS)
def test_channel_kind_is_in_readme(kind: str) -> None:
    assert f"`{kind}`" in README


async def test_routes_of_the_api_are_in_readme(app: App) -> None:
    routes = [route.path for route in api_routes(app.services, 3)]
    paths = {path for path in routes if f"{path}/" not in routes and "rest" not in path}

    for path in paths:
        shown = re.sub(r"{(\w+):\w+}", r"<\1>", path).replace("<code>", "<uuid>")
        assert f"{shown}`" in README
