"""By which host a request was asked for."""

import pytest
from starlette.types import Scope

from hcl.web.http.hosts import host_of, is_own

ROOT = "https://HC.example.org:8443/hcl"


def asked(*hosts: str) -> Scope:
    return {"headers": [(b"host", host.encode()) for host in hosts]}


@pytest.mark.parametrize(
    ("netloc", "host"),
    [
        ("Example.org", "example.org"),
        ("example.org:80", "example.org"),
        ("example.org.", "example.org"),
        ("example.org:", "example.org"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("::1", "::1"),
        ("me:pass@example.org:80", "example.org"),
        ("", ""),
    ],
)
def test_host_is_read_without_its_port(netloc: str, host: str) -> None:
    assert host_of(netloc) == host


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "192.0.2.7", "hc.example.org"),
        *("hc.example.org:8000", "HC.EXAMPLE.ORG.", "localhost", "localhost:8000"),
    ],
)
def test_address_and_own_host_are_own(host: str) -> None:
    assert is_own(asked(host), ROOT)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "hc.example.org.evil.example", "127.0.0.1.evil.example", ""),
        *("[::1].evil.example", "127.0.0.1:80.evil", "localhost.evil.example"),
        *("evil:80", "xhc.example.org", "::1]", "127.0.0.1@evil.example", "evil"),
    ],
)
def test_any_other_host_is_foreign(host: str) -> None:
    assert not is_own(asked(host), ROOT)
    assert not is_own(asked("127.0.0.1", host), ROOT)


def test_no_host_is_foreign() -> None:
    assert not is_own(asked(), ROOT)
