"""hcl.toml.example and the table KEYS name the same keys, and all of them are read."""

import datetime
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hcl.config import KEYS, ConfigError, load, parse
from hcl.config.channels.apprise_urls import SCHEMES
from tests.config import FOLDER, PROJECT, read

EXAMPLE = Path(__file__).parent.parent.parent / "hcl.toml.example"
CHANNEL = set(KEYS["projects.channels"])


def uncommented_example() -> str:
    text = EXAMPLE.read_text(encoding="utf-8")
    # It is what users are for.
    text = text.replace('user_header = ""', 'user_header = "Remote-User"')
    return re.sub(r"(?m)^# (?=\[\[|[a-z_]+ = )", "", text)


def test_the_example_loads_without_apprise_too() -> None:
    [project] = load(EXAMPLE, {}).projects

    kinds = [channel.kind for channel in project.channels]
    assert kinds == ["email", "webhook", "shell", "group"]
    assert [tag.tag for tag in project.tags] == ["nightly", "critical"]


def test_the_examples_comments_load_too(tmp_path: Path) -> None:
    path = tmp_path / "hcl.toml"
    path.write_text(uncommented_example(), encoding="utf-8")

    [project] = load(path, {}).projects

    mail, _, _, phone, _ = project.channels
    assert [key.is_hmac for key in project.keys] == [False, False, True]
    assert phone.kind == "ntfy"
    assert mail.fallback == phone.id


def test_the_example_shows_the_defaults() -> None:
    example, default = read(EXAMPLE.read_text(encoding="utf-8")), read(PROJECT)

    sections = "server database pings api metrics web smtpd alerts standby"
    for section in sections.split():
        assert getattr(example, section) == getattr(default, section)
    assert example.smtp.host == "smtp.example.org"
    assert example.smtp.sender == default.smtp.sender
    assert (example.smtp.port, example.smtp.security) == (587, "starttls")
    assert example.projects[0].check_limit == default.projects[0].check_limit


def test_every_key_is_in_the_example() -> None:
    shown = keys_by_table(tomllib.loads(uncommented_example()))

    assert shown == {table: set(keys) for table, keys in KEYS.items()}


def keys_by_table(data: dict[str, Any]) -> dict[str, set[str]]:
    """Return the keys of each table as KEYS has them."""
    found = {"": set(data)}
    found |= {key: set(value) for key, value in data.items() if key != "projects"}
    found["web.users"] = set(data["web"]["users"][0])
    found["projects"] = {key for p in data["projects"] for key in p}
    [project] = data["projects"]
    found["projects.keys"] = {key for table in project["keys"] for key in table}
    found["projects.checks"] = {key for table in project["checks"] for key in table}
    found["projects.tags"] = {key for table in project["tags"] for key in table}
    windows = project["maintenance"]
    found["projects.maintenance"] = {key for table in windows for key in table}
    found["projects.pages"] = set(project["pages"][0])
    found["projects.reports"] = {key for table in project["reports"] for key in table}
    channels = {kind_of(channel): channel for channel in project["channels"]}
    found["projects.channels"] = CHANNEL & {key for c in channels.values() for key in c}
    for kind, channel in channels.items():
        found[f"projects.channels:{kind}"] = set(channel) - CHANNEL
    requests = [channels["webhook"][status] for status in ("down", "up")]
    found["projects.channels:webhook.request"] = {key for r in requests for key in r}
    hours = [table.get("quiet_hours", {}) for table in project["tags"]]
    found["priority"] = set(channels["apprise"]["priority"])
    found["quiet_hours"] = {key for table in hours for key in table}
    return found


def kind_of(channel: dict[str, Any]) -> str:
    return "apprise" if channel["kind"] in SCHEMES else str(channel["kind"])


@pytest.mark.parametrize(
    ("table", "key"), [(table, key) for table, keys in KEYS.items() for key in keys]
)
def test_every_key_is_read(table: str, key: str) -> None:
    data = tomllib.loads(uncommented_example())
    [project] = data["projects"]
    channels = {kind_of(channel): channel for channel in project["channels"]}
    targets = {
        "": data,
        "projects": project,
        "web.users": data["web"]["users"][0],
        "projects.keys": next(
            (k for k in project["keys"] if key in k), project["keys"][0]
        ),
        "projects.maintenance": next(
            (w for w in project["maintenance"] if key in w), project["maintenance"][0]
        ),
        "projects.pages": project["pages"][0],
        "projects.reports": project["reports"][0],
        "projects.channels": channels["webhook"],
        **{f"projects.channels:{kind}": channels[kind] for kind in channels},
        "projects.channels:webhook.request": channels["webhook"]["down"],
        "projects.tags": project["tags"][0],
        "projects.checks": next(c for c in project["checks"] if key in c)
        if table == "projects.checks"
        else {},
        "priority": channels["apprise"]["priority"],
        "quiet_hours": project["tags"][0]["quiet_hours"],
    }
    target = targets[table] if table in targets else data[table]
    # Nothing may be a date.
    target[key] = datetime.date(2020, 1, 1)

    with pytest.raises(ConfigError, match=rf"[ .]{key}: "):
        parse(data, FOLDER, "hcl.toml", {})
