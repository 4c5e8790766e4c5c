from pathlib import Path

import pytest

from hcl.config import ConfigError, load
from hcl.config.mistakes import mistakes
from tests.config import PROJECT

FILE = """\
[server]
listen = "nonsense"
site_root = "ftp://x"
bogus = 1

[smtp]
host = "a b"

# a comment with [[projects]], and a bracket [
[[projects]]
name = "Home"
ping_key = "pk"
[[projects.channels]]
name = "Chat"
kind = "discord"
webhook = "https://discord.com/api/webhooks/1/s3cret"

[[projects.channels]]
name = "Hook"
kind = "webhook"
down.method = "GIT"
down.url = "s3cret"
fold = '''
[[projects]]
'''

[[projects.channels]]
kind = "ntfi"

[[projects.channels]]
name = "All"
kind = "group"
channels = [
    "Chat",  # here is ] one
    "Nobody",
]

[[projects.channels]]
name = "Mail"
kind = "email"
to = ["ok@x.org", "bad"]
quiet_hours = { from = "25:00", to = "07:00" }

[[projects]]
name = "Work"
ping_key = "pk"
[[projects.keys]]
name = "k"
key = "s3cret"
[[projects.tags]]
tag = "x"
delay = "never"
"""


def told(folder: Path, text: str) -> list[str]:
    path = folder / "hcl.toml"
    path.write_text(text)
    return [line.removeprefix(f"{path}:") for line in mistakes(path, {})]


def test_each_mistake_is_told_once_by_its_line_and_name(tmp_path: Path) -> None:
    lines = told(tmp_path, FILE)

    expected = [
        "2: server.listen: ",
        "3: server.site_root: ",
        "4: server.bogus: unknown key",
        "7: smtp.host: ",
        '16: channel "Chat" of project "Home", webhook: unknown key; use url',
        '21: channel "Hook" of project "Home", down.method: ',
        '22: channel "Hook" of project "Home", down.url: ',
        '23: channel "Hook" of project "Home", fold: ',
        '28: channel 3 of project "Home", kind: ',
        '33: channel "All" of project "Home", channels[1]: ',
        '41: channel "Mail" of project "Home", to[1]: ',
        '42: channel "Mail" of project "Home", quiet_hours.from: ',
        '46: project "Work", ping_key: ',
        '49: key "k" of project "Work", key: ',
        '52: tag "x" of project "Work", delay: ',
    ]
    assert len(lines) == len(expected)
    for line, begin in zip(lines, expected, strict=True):
        assert line.startswith(begin), line
    assert "s3cret" not in "".join(lines)
    assert "stand-in" not in "".join(lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["projects: is missing; add [[projects]] with a name and a ping_key"]),
        ("projects = 1", ["projects: 1 is not an array of tables"]),
        ("[[projects]]", ["project 1, name: is missing", "project 1, ping_key: is m"]),
        (
            PROJECT + "[[projects.channels]]\nname = 1\n[[projects.keys]]\nkey = 1",
            ["channel 1 of project", "key 1 of project", "channel 1 of project"],
        ),
        ("server = 1\n" + PROJECT, ["server: 1 is not a table; use [server]"]),
        (
            PROJECT.replace('"Home"', '"Ho\\nme"'),
            ['project "Ho\\nme", name: has a contr'],
        ),
        ("[smtpd]\nlisten = 'x'\ntls_cert = 'a'\n" + PROJECT, ["smtpd.listen"]),
    ],
)
def test_any_mistake_comes_to_an_end(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    lines = told(tmp_path, text)

    for part in expected:
        assert any(part in line for line in lines), lines
    assert len(lines) <= len(expected) + 2


MAIL = "[[projects.channels]]\nname = 'M'\nkind = 'email'\nto = ['a@b.example']\n"
CHAT = "[[projects.channels]]\nname = 'C'\nkind = 'ntfy'\nurl = 'ntfys://x/y'\n"
HOOK = "[[projects.channels]]\nname = 'H'\nkind = 'webhook'\n"
REPORT = "[[projects.reports]]\nchannels = ['C']\n"
CHECK = "[[projects.checks]]\nslug = 'a'\ntz = 'Europe/Riga'\nearly = '1m'\n"
KEY = "[[projects.keys]]\nname = 'k'\n"
USERS = "[[web.users]]\nname = 'anna'\nprojects = ['Home']\n"
PROXY = "[web]\nuser_header = 'X-User'\n[server]\n"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", HOOK + "events = ['late']\nlate.url = 'nope'", "late.url: is not a URL"),
        ("", CHAT.replace("ntfy", "ntfi", 1) + "events = ['late']", "kind: "),
        ("", CHAT.replace("ntfy", "ntfi", 1) + REPORT, "kind: "),
        ("", CHAT.replace("name", "nmae") + REPORT, "nmae: unknown key (did you mean"),
        ("", CHAT.replace("'C'", "['C']") + REPORT, "name: an array is not a string"),
        ("[smtp]\nhots = 'x'\n", MAIL, "smtp.hots: unknown key (did you mean host?)"),
        ("[stmp]\nhost = 'x'\n", MAIL, "stmp: unknown key (did you mean smtp?)"),
        ("", KEY + "key_sha256 = '00'", "key_sha256: is not a SHA-256"),
        ("", CHECK + "schedule = '0 25 * * *'", "schedule: "),
        ("", CHECK + "shedule = '0 5 * * *'", "shedule: unknown key (did you mean sch"),
        ("[web]\nuser_header = 'a b'\n" + USERS, "", "web.user_header: "),
        (
            PROXY + "trusted_proxies = ['x']\n" + USERS,
            "",
            "server.trusted_proxies[0]: ",
        ),
        (PROXY + "trusted_proxy = []\n" + USERS, "", "server.trusted_proxy: unknown"),
        ("", USERS.replace("web.users", "projects.keys"), "key: is missing"),
    ],
)
def test_what_only_follows_from_a_mistake_is_not_told_and_hides_no_other(
    tmp_path: Path, before: str, after: str, expected: str
) -> None:
    other = "[[projects.tags]]\ntag = 'a b'\n"

    [first, second] = told(tmp_path, "\n".join([before, PROJECT, after, other]))

    assert expected in first
    assert "has a space" in second


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PROJECT + "[[projec]]", "4: projec: unknown key"),
        (PROJECT + "[[projects.chanels]]", '4: project "Home", chanels: unknown key'),
        (PROJECT + "[[server]]", "4: server: an array is not a table"),
        (PROJECT + "[[web.users]]\nname = 'a'", "4: web.users: needs user_header"),
        (PROJECT + "[tls]\nca_file = 'no.pem'", "5: tls.ca_file: cannot read "),
        (
            PROJECT + "[smtpd]\nlisten = ':1'\ntls_cert = 'a'\ntls_key = 'b'",
            "5: smtpd.listen: ",
        ),
        (
            PROJECT + CHAT + CHAT,
            '9: channel "C" of project "Home", name: is the same as that of channel "C"'
            ' of project "Home" in line 5; give each its own',
        ),
        (
            PROJECT + PROJECT.replace("Home", "Work"),
            '6: project "Work", ping_key: is the same as that of project "Home" in line'
            " 3; give each its own",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_wherever_it_is(
    tmp_path: Path, text: str, expected: str
) -> None:
    [line] = told(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "hcl.toml", {})

    assert line.startswith(expected)
    assert str(caught.value).endswith(line)


def test_a_value_is_shown_in_a_line_that_gives_a_terminal_no_orders(
    tmp_path: Path,
) -> None:
    wrong = f"check_limit = '\u009b2J\u2028'\nid = '{'x' * 70_000}'\n"

    [limit, id_] = told(tmp_path, PROJECT + wrong)

    assert '"\\u009b2J\\u2028" is not a whole number' in limit
    assert f'"{"x" * 200}"… of 70,000 characters is not a UUID' in id_


def test_files_that_are_named_are_told_with_all_else_that_is_wrong(
    tmp_path: Path,
) -> None:
    mail = "[smtpd]\nlisten = '[::1]:25'\ndomain = 'x'\n"
    pems = "tls_cert = 'a.pem'\ntls_key = 'b.pem'\n"

    lines = told(tmp_path, f"{mail}{pems}[tls]\nca_file = 'c.pem'\n{PROJECT}bogus = 1")

    expected = ["4: smtpd.tls_cert: cannot", "7: tls.ca_file: cannot", "11: project"]
    assert len(lines) == len(expected)
    for line, begin in zip(lines, expected, strict=True):
        assert line.startswith(begin)


def test_what_is_right_has_no_mistakes(tmp_path: Path) -> None:
    assert told(tmp_path, PROJECT) == []


def test_server_tells_the_line_of_the_first_mistake(tmp_path: Path) -> None:
    path = tmp_path / "hcl.toml"
    path.write_text(FILE.replace("\n", "\r\n"))

    with pytest.raises(ConfigError) as caught:
        load(path, {})

    assert str(caught.value).startswith(f"{path}:")
    assert "\n" not in str(caught.value)
