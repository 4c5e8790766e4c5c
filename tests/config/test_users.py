"""[[web.users]], and keys that open several projects."""

import pytest

from hcl.config import UserConfig
from tests import toml
from tests.config import read, refusal

HEADER = toml.table("web", user_header="Remote-User")
TRUSTED = toml.table("server", trusted_proxies=["192.0.2.9"])
KEY = toml.key("me", "k" * 32)
PROJECTS = toml.project("Home", "a") + KEY + toml.project("Work", "b")


def user(name: str, **keys: toml.Value) -> str:
    return toml.table("[web.users]", name=name, **keys)


def test_users_are_read() -> None:
    ben = user("ben", access="read-only", projects=["Work"])

    config = read(TRUSTED + HEADER + user("anna") + ben + PROJECTS)

    assert config.web.users == (
        UserConfig("anna", "read-write", ()),
        UserConfig("ben", "read-only", ("Work",)),
    )


def test_key_may_open_other_projects() -> None:
    text = PROJECTS.replace(KEY, toml.key("me", "k" * 32, projects=["Work"]))

    assert read(text).projects[0].keys[0].projects == ("Work",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            TRUSTED + HEADER + user("a", projects=["Wrk"]) + PROJECTS,
            'users[0].projects[0]: no project is named "Wrk" (did you mean "Work"?)',
        ),
        (
            TRUSTED + HEADER + user("a") + user("a") + PROJECTS,
            'web.users[1].name: "a" is there twice; use one table',
        ),
        (user("a") + PROJECTS, "web.users: needs user_header, by which a proxy"),
        (
            TRUSTED + HEADER + user("a", access="all") + PROJECTS,
            'web.users[0].access: "all" is not allowed; use one of read-write, read-',
        ),
        (
            TRUSTED + HEADER + user("a", project="x") + PROJECTS,
            "web.users[0].project: unknown key (did you mean projects?)",
        ),
        (
            PROJECTS.replace(KEY, toml.key("me", "k" * 32, projects=["Shed"])),
            'keys[0].projects[0]: no project is named "Shed"; use one of "Home", "W',
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text: str, told: str) -> None:
    assert told in refusal(text)
