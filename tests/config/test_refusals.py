"""What is refused in an hcl.toml, with its place."""

import hashlib

import pytest

from tests.config import K32, KEY, PROJECT, UUID, read, refusal


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
        # Which sockets would refuse with an error that is no OSError, or has no words.
        (f"{'a' * 64}.example:80", f'"{"a" * 64}.example:80" is not an address to'),
        (f"{'a.' * 127}a:80", f'"{"a." * 100}"… of 258 characters is not an address'),
        (f"unix:/{'a' * 107}", f'is too long for a socket, "/{"a" * 107}": 108 bytes'),
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
        ("https://a..example", "is not a URL; use http://… or https://…"),
        (f"https://{'a' * 64}", "is not a URL; use http://… or https://…"),
        ("http://a/?b", '"http://a/?b" has a query or a fragment; drop it'),
        ("http://a/#b", '"http://a/#b" has a query or a fragment; drop it'),
    ],
)
def test_a_bad_url_is_refused(key: str, value: str, problem: str) -> None:
    told = refusal(f"[server]\n{key} = '{value}'\n{PROJECT}")

    assert told == f"server.{key}: {problem}"


def test_hosts_and_sockets_that_nothing_reaches_are_refused() -> None:
    long = "a" * 64
    channel = "[[projects.channels]]\nname = 'M'\n"
    smtp = "[smtp]\nhost = 'localhost'\n"

    for text, key in (
        (f"[smtp]\nhost = '{long}.example'\n{PROJECT}", "smtp.host"),
        (f"[watchdog]\nurl = 'http://{long}.example'\n{PROJECT}", "watchdog.url"),
        (f"[standby]\nsocket = '/{long * 2}'\n{PROJECT}", "standby.socket"),
        (
            f"{PROJECT}{channel}kind = 'webhook'\ndown.url = 'http://{long}.example'",
            "projects[0].channels[0].down.url",
        ),
        (
            f"{smtp}{PROJECT}{channel}kind = 'email'\nto = ['a@{long}.example']",
            "projects[0].channels[0].to[0]",
        ),
    ):
        assert refusal(text).startswith(f"{key}: ")


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
            f"keys = '{K32}'",
            "projects[0].keys: a string is not an array of tables; use [[projects",
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
