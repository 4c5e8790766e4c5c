"""What an hcl.toml comes to: its defaults and values."""

import hashlib
import ipaddress
import uuid
from pathlib import Path

import pytest

from hcl.config import (
    Event,
    HostPort,
    UnixPath,
)
from tests.config import FOLDER, HOOK, K32, KEY, PROJECT, read, refusal


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


def test_host_of_mail_may_have_other_letters() -> None:
    text = "[smtp]\nhost = 'mail.bücher.example'\n" + PROJECT

    assert read(text).smtp.host == "mail.xn--bcher-kva.example"
