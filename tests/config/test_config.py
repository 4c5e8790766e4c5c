import hashlib
import ipaddress
import re
import stat
import tomllib
import uuid
from pathlib import Path

import pytest

from hcl.config import (
    ConfigError,
    Event,
    HostPort,
    UnixPath,
    WebhookRequest,
    WebhookSettings,
    exposed,
    find,
    load,
    parse,
    reading,
)
from hcl.config.fresh import fresh_text, write_fresh
from tests.certificates import Authority
from tests.config import FOLDER, HOOK, PROJECT, UUID, read, refusal

KEY = "[[projects.keys]]\nname = 'me'\n"
K32 = "k" * 32


# Defaults


def test_whatever_is_left_out_takes_its_default() -> None:
    config = read(PROJECT)

    local = (ipaddress.ip_network("127.0.0.1"), ipaddress.ip_network("::1"))
    assert config.path == FOLDER / "hcl.toml"
    assert config.server.listen == HostPort("127.0.0.1", 8000)
    assert config.server.site_root == "http://127.0.0.1:8000"
    assert config.server.ping_endpoint == "http://127.0.0.1:8000/ping/"
    assert config.server.site_name == "hcl"
    assert config.server.trusted_proxies == local
    assert config.server.secret == ""
    assert config.database.path == FOLDER / "hcl.sqlite"
    assert config.database.synchronous == "full"
    assert (config.pings.body_limit, config.pings.log_limit) == (10000, 1000)
    assert (config.api.flips, config.api.body_limit) == ("object", 1_048_576)
    assert config.api.metrics_key == ""
    assert config.metrics.allow == local
    assert (config.web.enabled, config.web.user_header) == (True, "")
    assert (config.smtp.host, config.smtp.port) == ("", 587)
    assert (config.smtp.username, config.smtp.password) == ("", "")
    assert (config.smtp.security, config.smtp.sender) == ("starttls", "hcl@localhost")
    assert (config.smtpd.listen, config.smtpd.domain) == (None, "")
    assert config.smtpd.size_limit == 1_000_000
    assert (config.smtpd.tls_cert, config.smtpd.tls_key) == (None, None)
    [project] = config.projects
    assert (project.name, project.ping_key) == ("Home", "pk")
    assert (project.badge_key, project.check_limit) == (None, 10000)
    assert (project.keys, project.channels, project.tags) == ((), (), ())


def test_derived_ids_depend_on_the_names_alone() -> None:
    other = HOOK.replace("Hook", "Other")

    [project] = read(PROJECT + HOOK).projects
    [again] = read("[api]\nflips = 'list'\n" + PROJECT + other + HOOK).projects

    # Spelled out: another namespace would make new projects of everybody's old ones.
    assert project.id == "81e46fe6-6bc5-5e3a-9df6-6aba12c47cf9"
    assert again.id == project.id
    assert project.channels[0].id == str(uuid.uuid5(uuid.UUID(project.id), "Hook"))
    assert again.channels[1].id == project.channels[0].id


# Values


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("127.0.0.1:0", HostPort("127.0.0.1", 0)),
        ("0.0.0.0:8000", HostPort("0.0.0.0", 8000)),
        ("localhost:65535", HostPort("localhost", 65535)),
        ("[::1]:8000", HostPort("::1", 8000)),
        ("[fe80::1%eth0]:80", HostPort("fe80::1%eth0", 80)),
        ("unix:/run/hcl.sock", UnixPath(Path("/run/hcl.sock"))),
        ("unix:hcl.sock", UnixPath(FOLDER / "hcl.sock")),
    ],
)
def test_addresses_to_listen_on_are_read(
    value: str, address: HostPort | UnixPath
) -> None:
    assert read(f"[server]\nlisten = '{value}'\n{PROJECT}").server.listen == address


@pytest.mark.parametrize(
    ("root", "endpoint", "expected_root", "expected_endpoint"),
    [
        ("https://x.org", "", "https://x.org", "https://x.org/ping/"),
        ("https://x.org/hcl/", "", "https://x.org/hcl", "https://x.org/hcl/ping/"),
        ("http://[::1]:80", "http://p.org", "http://[::1]:80", "http://p.org/"),
        ("http://x.org", "http://p.org/a/", "http://x.org", "http://p.org/a/"),
        ("http://ü.org/ž", "", "http://ü.org/%C5%BE", "http://ü.org/%C5%BE/ping/"),
        ("http://x.org/%41~", "http://x.org", "http://x.org/%41~", "http://x.org/"),
    ],
)
def test_urls_end_as_promised(
    root: str, endpoint: str, expected_root: str, expected_endpoint: str
) -> None:
    text = f"[server]\nsite_root = '{root}'\nping_endpoint = '{endpoint}'\n"

    server = read(text + PROJECT).server

    assert server.site_root == expected_root
    assert server.ping_endpoint == expected_endpoint


def test_networks_and_single_addresses_are_read() -> None:
    text = "[server]\ntrusted_proxies = ['10.0.0.0/8', 'fd00::/8', '192.0.2.1']\n"

    proxies = read(text + PROJECT).server.trusted_proxies

    assert [str(p) for p in proxies] == ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"]


@pytest.mark.parametrize("proxies", ["[]", "['127.0.0.1']", "['::1', '127.0.0.1']"])
def test_user_header_counts_once_it_is_written_who_may_send_it(proxies: str) -> None:
    text = f"[web]\nuser_header = 'X-U'\n[server]\ntrusted_proxies = {proxies}\n"

    assert read(text + PROJECT).web.user_header == "X-U"


@pytest.mark.parametrize("secret", ["", "x" * 32, "ä" * 32])
def test_secret_of_32_characters_is_long_enough(secret: str) -> None:
    assert read(f"[server]\nsecret = '{secret}'\n{PROJECT}").server.secret == secret


def test_short_secret_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a word\n")

    for place in ("{ file = 'secret' }", "{ env = 'SHORT' }"):
        data = tomllib.loads(f"[server]\nsecret = {place}\n{PROJECT}")
        with pytest.raises(ConfigError) as error:
            parse(data, tmp_path, "hcl.toml", {"SHORT": "a word"})
        assert "server.secret: is too short" in str(error.value)
        assert "a word" not in str(error.value)


def test_a_path_of_its_own_is_kept() -> None:
    assert read("[database]\npath = '/var/x.db'\n" + PROJECT).database.path == Path(
        "/var/x.db"
    )


def test_smtpd_listens_when_it_has_an_address_and_a_domain() -> None:
    text = """
        [smtpd]
        listen = "[::]:2525"
        domain = "hc.example.org"
        tls_cert = "cert.pem"
        tls_key = "/etc/key.pem"
    """

    smtpd = read(text + PROJECT).smtpd

    assert (smtpd.listen, smtpd.domain) == (HostPort("::", 2525), "hc.example.org")
    assert smtpd.tls_cert == FOLDER / "cert.pem"
    assert smtpd.tls_key == Path("/etc/key.pem")


@pytest.mark.parametrize("sender", ["hcl@x.org", "Home jobs <hcl@x.org>"])
def test_mail_may_come_from_an_address_with_a_name(sender: str) -> None:
    assert read(f"[smtp]\nfrom = '{sender}'\n{PROJECT}").smtp.sender == sender


def test_a_key_is_known_by_its_hash() -> None:
    digest = hashlib.sha256(K32.encode()).hexdigest()
    other = hashlib.sha256(b"other").hexdigest()
    text = (
        PROJECT
        + f"{KEY}key = '{K32}'\n"
        + f"{KEY}key_sha256 = '{other.upper()}'\naccess = 'read-only'\n"
    )

    first, second = read(text).projects[0].keys

    assert (first.name, first.sha256, first.access) == ("me", digest, "read-write")
    assert (second.sha256, second.access) == (other, "read-only")


def test_a_key_that_moved_is_known_by_its_hmac() -> None:
    secret = 'healthchecks_secret = "old"\n'
    hashed = f"{KEY}key_hmac = '{'A' * 64}'\n"

    project = read(PROJECT + secret + hashed).projects[0]

    assert project.healthchecks_secret == "old"
    assert (project.keys[0].sha256, project.keys[0].is_hmac) == ("a" * 64, True)
    assert refusal(PROJECT + hashed).startswith(
        "projects[0].healthchecks_secret: is missing; a key_hmac needs the SECRET_KEY"
    )


def test_a_channel_that_is_off_tells_of_nothing() -> None:
    on, off = (
        read(PROJECT + HOOK + more).projects[0].channels[0]
        for more in ("", "\nenabled = false\n")
    )

    events: list[Event] = ["down", "up"]
    assert [on.tells_of(event) for event in events] == [True, False]
    assert [off.tells_of(event) for event in events] == [False, False]


def test_the_same_names_may_stand_in_two_projects() -> None:
    second = '[[projects]]\nname = "Work"\nping_key = "pk2"\n'

    home, work = read(PROJECT + HOOK + second + HOOK).projects

    assert home.channels[0].name == work.channels[0].name
    assert home.channels[0].id != work.channels[0].id


# Secrets


@pytest.mark.parametrize(
    ("content", "value"), [("s3\n", "s3"), ("s3\r\n", "s3"), ("s3", "s3"), ("ž", "ž")]
)
def test_a_secret_may_stand_in_a_file(tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "pw").write_bytes(content.encode())
    data = tomllib.loads("[smtp]\npassword = { file = 'pw' }\n" + PROJECT)

    config = parse(data, tmp_path, "hcl.toml", {})

    assert config.smtp.password == value


def test_a_secret_may_stand_in_the_environment() -> None:
    text = """
        [server]
        secret = { env = "A" }
        [api]
        metrics_key = { env = "B" }
        [smtp]
        username = { env = "C" }
        [[projects]]
        name = "Home"
        ping_key = { env = "D" }
        badge_key = { env = "E" }
        [[projects.keys]]
        name = "me"
        key = { env = "F" }
        [[projects.channels]]
        name = "Hook"
        kind = "webhook"
        [projects.channels.down]
        url = { env = "G" }
        body = { env = "H" }
        headers = { X = { env = "I" } }
    """
    env = dict(zip("ABCDE", "abcde", strict=True)) | {"F": K32, "G": "http://g"}

    config = read(text, env | {"A": K32, "H": "h", "I": "i"})

    [project] = config.projects
    assert config.server.secret == K32
    assert config.api.metrics_key == "b"
    assert config.smtp.username == "c"
    assert (project.ping_key, project.badge_key) == ("d", "e")
    assert project.keys[0].sha256 == hashlib.sha256(K32.encode()).hexdigest()
    assert project.channels[0].settings == WebhookSettings(
        WebhookRequest("GET", "http://g", "h", (("X", "i"),)), None
    )


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("{ env = 'NO' }", "the environment variable NO is not set"),
        ("{ env = 'BAD' }", "the environment variable BAD is not UTF-8"),
        ("{ file = 'no' }", "cannot read {}/no: No such file or directory"),
        ("{ file = '.' }", "cannot read {}: Is a directory"),
        ("{ file = 'latin' }", "cannot read {}/latin: it is not UTF-8"),
        ("{ file = '' }", "is not a string; use "),
        ("{ file = 'a', env = 'b' }", "is not a string; use "),
        ("{ flie = 'a' }", "is not a string; use "),
        ("{ env = 3 }", "is not a string; use "),
        ("12345678", "is not a string; use "),
        ('"""a\nb"""', "has a control character; use one line of text"),
    ],
)
def test_a_bad_secret_is_told_without_its_value(
    tmp_path: Path, secret: str, problem: str
) -> None:
    (tmp_path / "latin").write_bytes(b"\xe9")
    data = tomllib.loads(f"[smtp]\npassword = {secret}\n{PROJECT}")

    with pytest.raises(ConfigError) as caught:
        parse(data, tmp_path, "hcl.toml", {"BAD": "\udce9"})

    message = str(caught.value)
    assert message.startswith(f"hcl.toml: smtp.password: {problem.format(tmp_path)}")
    assert "12345678" not in message


# What is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[sever]", "sever: unknown key (did you mean server?); use one of server, "),
        ("[server]\nlisen = 'x'", "server.lisen: unknown key (did you mean listen?); "),
        ("[server]\n'ö x' = 1", 'server."\\u00f6 x": unknown key; use one of listen, '),
        ("server = 3", "server: 3 is not a table; use [server]"),
        ("[[server]]", "server: an array is not a table; use [server]"),
        ("[server]\nlisten = 8000", "server.listen: 8000 is not a string; put it in"),
        ("[server]\nsite_name = ''", "server.site_name: is empty; give it a name"),
        ("[server]\nsite_name = '  '", "server.site_name: is empty; give it a name"),
        ("[server]\nsite_name = ' a'", 'server.site_name: " a" begins or ends with a'),
        ('[server]\nsite_name = "a\\nb"', "server.site_name: has a control character"),
        ("[database]\npath = ''", "database.path: is empty; use a path"),
        ('[database]\npath = "\\u0000"', "database.path: has a control character"),
        (
            "[database]\nsynchronous = 'off'",
            'database.synchronous: "off" is not allowed; use one of full, normal',
        ),
        ("[api]\nflips = true", "api.flips: true is not allowed; use one of object, l"),
        ("[web]\nenabled = 'no'", 'web.enabled: "no" is not a boolean; use true or fa'),
        ("[web]\nenabled = 1", "web.enabled: 1 is not a boolean; use true or false"),
        ("[web]\nuser_header = 'a b'", 'web.user_header: "a b" is not the name of a h'),
        ("[web]\nuser_header = 'X-U'", "web.user_header: needs server.trusted_proxies"),
        (
            "[web]\nuser_header = 'X-U'\n[server]\nlisten = 'unix:/x'",
            "web.user_header: needs server.trusted_proxies; write there which proxies",
        ),
        (
            "[server]\nsecret = 'a'",
            "server.secret: is too short; use 32 characters at ",
        ),
        (
            f"[server]\nsecret = '{'x' * 31}'",
            'server.secret: is too short; use 32 characters at least, or "" to have',
        ),
        (
            "[smtp]\nsecurity = 'ssl'",
            'smtp.security: "ssl" is not allowed; use one of starttls, tls, none',
        ),
        ("[smtp]\nhost = 'a:25'", 'smtp.host: "a:25" is not a host; use a name or an '),
        ("[smtp]\nhost = '1.2.3'", 'smtp.host: "1.2.3" is not a host; use a name or a'),
        ("[smtp]\nfrom = 'me'", 'smtp.from: "me" is not a mail address; use one like '),
        ("[smtp]\nfrom = ''", 'smtp.from: "" is not a mail address; use one like hcl@'),
        ("[smtpd]\nlisten = 'a:25'", "smtpd.domain: is missing; smtpd.listen needs th"),
        ("[smtpd]\nlisten = 'unix:'", 'smtpd.listen: "unix:" has no path; use unix:/p'),
        ("[smtpd]\ntls_key = 'k'", "smtpd.tls_cert: is missing; tls_cert and tls_key "),
        ("[smtpd]\ntls_cert = 'k'", "smtpd.tls_key: is missing; tls_cert and tls_key "),
        ("[backup]\nevery = '1s'", 'backup.every: "1s" is too often; use 10m at least'),
        ("[backup]\nevery = '400d'", 'backup.every: "400d" is too long; use 365d at m'),
        ("[backup]\nevery = 60", "backup.every: 60 is not a length of time; use one l"),
        (
            "[backup]\nsecond_folder = 'b'",
            "backup.folder: is missing; second_folder is",
        ),
        (
            "[backup]\nfolder = 'b'\nsecond_folder = 'b'",
            "backup.second_folder: is the same as folder; use another one",
        ),
        (
            "[watchdog]\nurl = 'hc.example'",
            "watchdog.url: is not a URL; use http://… or",
        ),
        (
            "[watchdog]\nevery = '1s'",
            'watchdog.every: "1s" is too often; use 10s ',
        ),
        (
            "[alerts]\ntest_every = 'hour'",
            'alerts.test_every: "hour" is not allowed; use one of day, week, month',
        ),
    ],
)
def test_a_bad_setting_is_told_with_its_place(text: str, message: str) -> None:
    assert refusal(f"{text}\n{PROJECT}").startswith(message)


@pytest.mark.parametrize(
    ("key", "least", "most"),
    [
        ("pings.body_limit", 0, 1_000_000_000),
        ("pings.log_limit", 1, 1_000_000_000),
        ("api.body_limit", 1, 1_000_000_000),
        ("backup.keep", 1, 10_000),
        ("smtp.port", 1, 65535),
        ("smtpd.size_limit", 1, 25_000_000),
    ],
)
def test_a_number_must_be_whole_and_in_range(key: str, least: int, most: int) -> None:
    allowed = f"use one from {least} to {most}"

    for good in (least, most):
        read(f"{key} = {good}\n{PROJECT}")
    for bad in (least - 1, most + 1):
        told = refusal(f"{key} = {bad}\n{PROJECT}")
        assert told == f"{key}: {bad} is out of range; {allowed}"
    for bad_type in ("1.0", "true", '"1"', "inf"):
        told = refusal(f"{key} = {bad_type}\n{PROJECT}")
        assert told == f"{key}: {bad_type} is not a whole number; {allowed}"
    # More digits than Python writes.
    told = refusal(f"{key} = 0x{'f' * 5000}\n{PROJECT}")
    assert told == f"{key}: a number that large is out of range; {allowed}"


def test_a_name_of_thousands_of_slashes_is_no_zone() -> None:
    told = refusal(f'alerts.tz = "{"a/" * 20_000}b"\n{PROJECT}')

    assert told.endswith("is not a time zone; use one like Europe/Riga")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", '"" is not an address to listen on; use host:port, [v6]:port, unix:/path'),
        (":8000", '":8000" is not an address to listen on; use host:port'),
        ("8000", '"8000" is not an address to listen on; use host:port'),
        ("::1:8000", '"::1:8000" is not an address to listen on; use host:port'),
        ("[127.0.0.1]:80", '"[127.0.0.1]:80" is not an address to listen on; use'),
        ("300.0.0.1:80", '"300.0.0.1:80" is not an address to listen on; use host'),
        ("a b:80", '"a b:80" is not an address to listen on; use host:port'),
        ("http://a:80", '"http://a:80" is not an address to listen on; use host:port'),
        ("localhost:", '"" is not a port; use a number from 0 to 65535'),
        ("localhost:http", '"http" is not a port; use a number from 0 to 65535'),
        ("localhost:65536", '"65536" is not a port; use a number from 0 to 65535'),
        ("localhost:+1", '"+1" is not a port; use a number from 0 to 65535'),
        ("unix:", '"unix:" has no path; use unix:/path'),
    ],
)
def test_a_bad_address_to_listen_on_is_refused(value: str, problem: str) -> None:
    told = refusal(f"[server]\nlisten = '{value}'\n{PROJECT}")

    assert told.startswith(f"server.listen: {problem}")


@pytest.mark.parametrize("key", ["site_root", "ping_endpoint"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("example.org", "is not a URL; use http://… or https://…"),
        ("ftp://example.org", "is not a URL; use http://… or https://…"),
        ("https://", "is not a URL; use http://… or https://…"),
        ("https://a b", "is not a URL; use http://… or https://…"),
        ("https://[::1", "is not a URL; use http://… or https://…"),
        ("https://a:70000", "is not a URL; use http://… or https://…"),
        ("http://a/?b", '"http://a/?b" has a query or a fragment; drop it'),
        ("http://a/#b", '"http://a/#b" has a query or a fragment; drop it'),
    ],
)
def test_a_bad_url_is_refused(key: str, value: str, problem: str) -> None:
    told = refusal(f"[server]\n{key} = '{value}'\n{PROJECT}")

    assert told == f"server.{key}: {problem}"


@pytest.mark.parametrize("key", ["server.trusted_proxies", "metrics.allow"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("'::1'", ': "::1" is not an array; use [ … ]'),
        ("['::1', 1]", "[1]: 1 is not a string; put it in quotes"),
        ("['host']", '[0]: "host" is not an address or a network; use one like 10.0.'),
        ("['10.0.0.1/8']", '[0]: "10.0.0.1/8" is not an address or a network; use one '
         "like 10.0.0.1 or 10.0.0.0/8"),
        ("['fd00::1/8']", '[0]: "fd00::1/8" is not an address or a network; use one '
         "like 10.0.0.1 or fd00::/8"),
    ],
)  # fmt: skip
def test_a_bad_network_is_refused(key: str, value: str, problem: str) -> None:
    assert refusal(f"{key} = {value}\n{PROJECT}").startswith(f"{key}{problem}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "projects: is missing; add [[projects]] with a name and a ping_key"),
        ("projects = []", "projects: is missing; add [[projects]] with a name and a "),
        ("[projects]", "projects: a table is not an array of tables; use [[projects]]"),
        ("projects = [1]", "projects: an array is not an array of tables; use [[proje"),
        ("[[projects]]", "projects[0].name: is missing"),
        ("[[projects]]\nname = ''", "projects[0].name: is empty; give it a name"),
        ("[[projects]]\nname = 'a'", "projects[0].ping_key: is missing"),
        (
            "[[projects]]\nname = 'a'\nping_key = ''",
            "projects[0].ping_key: is empty; use 22 random letters and digits",
        ),
        (
            "[[projects]]\nname = 'a'\nping_key = 'a/b'",
            "projects[0].ping_key: does not fit in a URL; use 1 to 100 of A-Z a-z 0-9 ",
        ),
        (
            f"[[projects]]\nname = 'a'\nping_key = '{'a' * 101}'",
            "projects[0].ping_key: does not fit in a URL; use 1 to 100 of A-Z a-z 0-9 ",
        ),
        (
            f"[[projects]]\nname = 'a'\nping_key = '{UUID.upper()}'",
            "projects[0].ping_key: looks like a UUID; use another text",
        ),
        (PROJECT + "pingkey = 'a'", "projects[0].pingkey: unknown key (did you mean "),
        (PROJECT + "badge_key = 'ä'", "projects[0].badge_key: does not fit in a URL;"),
        (PROJECT + "id = '7'", 'projects[0].id: "7" is not a UUID; use 32 hex digits'),
        (PROJECT + "check_limit = 0", "projects[0].check_limit: 0 is out of range; u"),
        (PROJECT + PROJECT, "projects[1].name: is the same as projects[0].name; give "),
        (
            PROJECT + "[[projects]]\nname = 'a'\nping_key = 'pk'",
            "projects[1].ping_key: is the same as projects[0].ping_key; give each its ",
        ),
        (
            f"{PROJECT}id = '{UUID}'\n"
            f"[[projects]]\nname = 'a'\nping_key = 'pk2'\nid = '{UUID.upper()}'",
            "projects[1].id: is the same as projects[0].id; give each its own",
        ),
        (
            f"{PROJECT}badge_key = 'b'\n"
            "[[projects]]\nname = 'a'\nping_key = 'pk2'\nbadge_key = 'b'",
            "projects[1].badge_key: is the same as projects[0].badge_key; give each i",
        ),
    ],
)
def test_a_bad_project_is_refused(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (KEY, "projects[0].keys[0].key: is missing"),
        (KEY + "key = 'short'", "projects[0].keys[0].key: has 5 characters; use exac"),
        (KEY + f"key = '{K32}3'", "projects[0].keys[0].key: has 33 characters; use e"),
        (KEY + "key_sha256 = '0'", "projects[0].keys[0].key_sha256: is not a SHA-256"),
        (KEY + "key_hmac = '0'", "projects[0].keys[0].key_hmac: is not an HMAC-SHA256"),
        (
            KEY + f"key = '{K32}'\nkey_sha256 = '{'0' * 64}'",
            "projects[0].keys[0].key: stands beside key_sha256; use one of them",
        ),
        (
            KEY + f"key = '{K32}'\naccess = 'write'",
            'projects[0].keys[0].access: "write" is not allowed; use one of read-write',
        ),
        (
            f"[[projects.keys]]\nkey = '{K32}'",
            "projects[0].keys[0].name: is missing",
        ),
        (
            "[projects.keys]",
            "projects[0].keys: a table is not an array of tables; use [[projects.keys]",
        ),
    ],
)
def test_a_bad_key_is_refused(text: str, message: str) -> None:
    assert refusal(PROJECT + text).startswith(message)


def test_a_key_may_stand_only_once_in_all_projects() -> None:
    digest = hashlib.sha256(K32.encode()).hexdigest()
    second = '[[projects]]\nname = "Work"\nping_key = "pk2"\n'
    text = f"{PROJECT}{KEY}key = '{K32}'\n{second}{KEY}key_sha256 = '{digest}'\n"

    told = refusal(text)

    place = "projects[1].keys[0].key_sha256"
    assert told == f"{place}: is the same as projects[0].keys[0].key; give each its own"


# Files


def test_a_file_of_an_editor_of_windows_is_read(tmp_path: Path) -> None:
    text = f"[smtp]\r\npassword = {{ file = 'password' }}\r\n{PROJECT}"
    path = tmp_path / "hcl.toml"
    path.write_text(text, encoding="utf-8-sig")
    (tmp_path / "password").write_text("s3cret\r\n", encoding="utf-8-sig")
    path.chmod(0o644)

    config = load(path)

    assert config.smtp.password == "s3cret"
    assert len(exposed(config)) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[server\n", "is not TOML: "),
        (b"a = 1\na = 2\n", "is not TOML: "),
        (b"a = " + b"9" * 5000, "cannot be read as TOML: Exceeds the limit"),
        (b"a = " + b"[" * 5000, "cannot be read as TOML: maximum recursion depth"),
        (b"a = '\xe9'\n", "is not UTF-8, from byte 5 on"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_a_line(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "hcl.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert str(caught.value).startswith(f"{path}: {problem}")
    assert "\n" not in str(caught.value)


def test_paths_are_relative_to_the_file_and_absolute_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/my.toml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)

    config = load(Path("conf/my.toml"))

    assert config.path == tmp_path / "conf/my.toml"
    assert config.database.path == tmp_path / "conf/hcl.sqlite"


def test_the_first_file_of_the_list_counts(tmp_path: Path) -> None:
    here, system = tmp_path / "hcl.toml", tmp_path / "etc/hcl.toml"
    env = {"HCL_CONFIG": "/env.toml"}

    assert find("/given.toml", env, tmp_path, system) == Path("/given.toml")
    assert find("given.toml", env, tmp_path, system) == tmp_path / "given.toml"
    assert find(None, env, tmp_path, system) == Path("/env.toml")
    state = tmp_path / "state.toml"
    assert find(None, {"HCL_CONFIG": ""}, tmp_path, system, state) is None
    state.touch()
    assert find(None, {}, tmp_path, system, state) == state
    system.parent.mkdir()
    system.touch()
    assert find(None, {}, tmp_path, system, state) == system
    here.touch()
    assert find(None, {}, tmp_path, system) == here


def test_folder_that_may_not_be_looked_into_hides_no_other_file(tmp_path: Path) -> None:
    system, none = tmp_path / "etc.toml", tmp_path / "none.toml"
    system.touch()
    # Root too cannot tell what is there; others cannot in people's homes.
    hidden = tmp_path / ("x" * 300)

    assert find(None, {}, hidden, system, none) == system
    assert find(None, {}, hidden, none, system) == system
    # Else the error names the folder.
    assert find(None, {}, hidden, none, none) == hidden / "hcl.toml"


# A fresh file


def test_fresh_keys_have_their_form_and_are_never_the_same() -> None:
    first, second = (tomllib.loads(fresh_text())["projects"] for _ in range(2))

    [project] = first
    assert project["name"] == "Home"
    assert re.fullmatch(r"[a-z0-9]{22}", project["ping_key"])
    [key] = project["keys"]
    assert re.fullmatch(r"hcw_[A-Za-z0-9]{28}", key["key"])
    assert key["access"] == "read-write"
    assert second[0]["ping_key"] != project["ping_key"]
    assert second[0]["keys"][0]["key"] != key["key"]


def test_a_fresh_file_loads_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "hcl.toml"

    config = write_fresh(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert config == load(path)
    assert [project.name for project in config.projects] == ["Home"]


def test_the_fresh_files_comments_are_right_too() -> None:
    text = re.sub(r"(?m)^# (?=\[\[|[a-z]+ = )", "", fresh_text())

    [project] = read(text).projects

    assert [channel.name for channel in project.channels] == ["Phone"]


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "hcl.toml"
    path.write_text("mine")

    with pytest.raises(ConfigError, match="is there already, and stays as it is"):
        write_fresh(path)
    with pytest.raises(ConfigError, match="cannot be written: No such file or"):
        write_fresh(tmp_path / "no/hcl.toml")

    assert path.read_text() == "mine"


def test_credential_of_systemd_is_read(tmp_path: Path) -> None:
    (tmp_path / "smtp").write_text("s3cret\n")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    text = "[smtp]\npassword = { credential = 'smtp' }\n" + PROJECT

    assert read(text, env).smtp.password == "s3cret"
    told = refusal(text)
    assert "run hcl by systemd, with LoadCredential= in its unit" in told
    assert "let CREDENTIALS_DIRECTORY name the folder" in told
    gone = refusal(text.replace("'smtp'", "'gone'"), env)
    assert gone.endswith("gone: No such file or directory")
    for name in ("../smtp", "..", "/etc/passwd"):
        told = refusal(text.replace("'smtp'", f"'{name}'"), env)
        assert "is not the name of a credential; use one without /" in told


def test_commands_find_the_credentials_of_the_unit_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "OF_UNIT", tmp_path / "hcl.service")
    (tmp_path / "hcl.service").mkdir()
    (tmp_path / "hcl.service/smtp").write_text("s3cret\n")
    (tmp_path / "smtp").write_text("another\n")
    text = "[smtp]\npassword = { credential = 'smtp' }\n" + PROJECT

    own = read(text, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert read(text).smtp.password == "s3cret"
    assert own.smtp.password == "another"


def test_credentials_that_may_not_be_looked_for_are_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # To root too; units hide /run/credentials from who has none of his own.
    monkeypatch.setattr(reading, "OF_UNIT", tmp_path / ("x" * 300))

    told = refusal("[smtp]\npassword = { credential = 'smtp' }\n" + PROJECT)

    assert "CREDENTIALS_DIRECTORY is not set" in told


def test_any_string_may_stand_elsewhere() -> None:
    env = {"HOST": "mail.example.org", "TO": "ops@example.org", "HOW": "none"}
    text = (
        "[smtp]\nhost = { env = 'HOST' }\nsecurity = { env = 'HOW' }\n"
        + PROJECT
        + "[[projects.channels]]\nname = 'Mail'\nkind = 'email'\n"
        + "to = [{ env = 'TO' }]\n"
    )

    config = read(text, env)

    assert (config.smtp.host, config.smtp.security) == ("mail.example.org", "none")
    assert config.projects[0].channels[0].place == "ops@example.org"


def test_host_of_mail_may_have_other_letters() -> None:
    text = "[smtp]\nhost = 'mail.bücher.example'\n" + PROJECT

    assert read(text).smtp.host == "mail.xn--bcher-kva.example"


def test_file_of_authorities_has_to_hold_one(tmp_path: Path) -> None:
    path = tmp_path / "hcl.toml"
    path.write_text("[tls]\nca_file = 'ca.pem'\n" + PROJECT)

    with pytest.raises(ConfigError, match=r"tls\.ca_file: cannot read .*ca\.pem: No"):
        load(path, {})
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(ConfigError, match=r"tls\.ca_file: no certificate in PEM form"):
        load(path, {})
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnone\n")
    with pytest.raises(ConfigError, match=r"tls\.ca_file: .* cannot be used"):
        load(path, {})
    authority = Authority(tmp_path)
    assert load(path, {}).tls.ca_file == authority.file
