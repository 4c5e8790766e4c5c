"""What tests of hcl.toml share: a small file to add to, and what is told of it."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from hcl.config import ChannelConfig, Config, ConfigError, parse
from tests import toml

FOLDER = Path("/srv/hcl")
PROJECT = toml.project("Home", "pk")
CHANNEL = "[[projects.channels]]\nname = 'Hook'\nkind = 'webhook'\n"
HOOK = CHANNEL + "down = { url = 'https://example.org' }\n"
KEY = "[[projects.keys]]\nname = 'me'\n"
K32 = "k" * 32
UUID = "0c5c1a4e-8a55-4f0e-8c1e-0f4b5e7d2a10"


def read(text: str, env: Mapping[str, str] | None = None) -> Config:
    """Make a Config of a text."""
    return parse(tomllib.loads(text), FOLDER, "hcl.toml", env or {})


def refusal(text: str, env: Mapping[str, str] | None = None) -> str:
    """Return in what words a text is refused: one line, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        read(text, env)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("hcl.toml: ")
    return message.removeprefix("hcl.toml: ")


def channels_of(text: str) -> dict[str, ChannelConfig]:
    """Return the channels of the first project of a text, by name."""
    project, *_ = read(text).projects
    return {channel.name: channel for channel in project.channels}
