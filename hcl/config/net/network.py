"""What the net gives names to: sockets, networks, URLs, mail addresses, headers."""

import os
import re
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_network
from pathlib import Path
from urllib.parse import quote, urlsplit

from hcl.config.net.addresses import parse_address
from hcl.config.net.hosts import ascii_host, has_labels, is_host
from hcl.config.reading import Table, shown
from hcl.config.settings import HostPort, Listen, Network, UnixPath

# What stays as it is; "%" does: what is encoded is not encoded once more.
_IN_PATHS = "!$%&'()*+,/:;=@~"
# sun_path of unix(7), which ends in a NUL.
_LONGEST_SOCKET = 107
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def listening(table: Table, key: str, default: str) -> Listen:
    """Read host:port, [v6]:port or unix:/path."""
    value = table.line(key, default)
    if not value.startswith("unix:"):
        return host_port(table, key, default, also=", unix:/path")
    path = value.removeprefix("unix:")
    if not path:
        raise table.error(key, f"{shown(value)} has no path; use unix:/path")
    return UnixPath(socket_path(table, key, table.source.folder / path))


def socket_path(table: Table, key: str, path: Path) -> Path:
    """Refuse a path that no unix socket can have."""
    length = len(os.fsencode(path))
    if length > _LONGEST_SOCKET:
        problem = f"is too long for a socket, {shown(str(path))}"
        raise table.error(
            key, f"{problem}: {length} bytes; use {_LONGEST_SOCKET} at most"
        )
    return path


def host_port(table: Table, key: str, default: str, also: str = "") -> HostPort:
    """Read host:port or [v6]:port; `also` names what else the key may be."""
    value = table.line(key, default)
    host, _, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else ""
    if not (_is_v6(bare) if bare else is_host(host)):
        problem = f"{shown(value)} is not an address to listen on"
        raise table.error(key, f"{problem}; use host:port, [v6]:port{also}")
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        problem = f"{shown(port)} is not a port"
        raise table.error(key, f"{problem}; use a number from 0 to 65535")
    return HostPort(bare or host, int(port))


def host(table: Table, key: str) -> str:
    """Read a host name or an IP address, "" if absent."""
    value = table.line(key, "")
    if not value or _is_v6(value):
        return value
    try:
        return ascii_host(value)
    except ValueError:
        problem = f"{shown(value)} is not a host"
        allowed = "use a name or an IP address, without port"
        raise table.error(key, f"{problem}; {allowed}") from None


def _is_v6(value: str) -> bool:
    try:
        IPv6Address(value)
    except ValueError:
        return False
    return True


def networks(table: Table, key: str, default: Sequence[str]) -> tuple[Network, ...]:
    """Read an array of addresses and networks."""
    found: list[Network] = []
    for i, value in enumerate(table.lines(key, default)):
        try:
            found.append(ip_network(value))
        except ValueError:
            problem = f"{shown(value)} is not an address or a network"
            allowed = f"use one like 10.0.0.1{_whole_network(value)}"
            raise table.error(key, f"{problem}; {allowed}", i) from None
    return tuple(found)


def _whole_network(value: str) -> str:
    # 10.0.0.1/8 is the usual slip: the bits behind the prefix must be zero.
    try:
        return f" or {ip_network(value, strict=False)}"
    except ValueError:
        return " or 10.0.0.0/8"


def check_url(table: Table, key: str, value: str) -> None:
    """Refuse what is not an http or https URL. The message does not show it."""
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        # Reading the port checks it. A placeholder may not stand there.
        sound = sound and (parts.port is None or parts.port > 0)
        if not parts.netloc.isascii():
            ascii_host(parts.hostname or "")
        elif not has_labels(parts.hostname or ""):
            sound = False
    except ValueError:
        sound = False
    if not sound or re.search(r"\s", value):
        raise table.error(key, "is not a URL; use http://… or https://…")


def root_url(table: Table, key: str, default: str) -> str:
    """Read a URL that others are built on; it comes without its closing slash.

    Its path comes as it goes over the net, and as redirects have it: /gr%C3%BCn.
    """
    value = table.line(key, default) or default
    check_url(table, key, value)
    if "?" in value or "#" in value:
        raise table.error(key, f"{shown(value)} has a query or a fragment; drop it")
    parts = urlsplit(value.rstrip("/"))
    return parts._replace(path=quote(parts.path, _IN_PATHS)).geturl()


def sender(table: Table, key: str, default: str) -> str:
    """Read the address that mail comes from, with or without a name."""
    value = table.line(key, default)
    _check_address(table, key, value, "hcl@example.org or Name <hcl@example.org>")
    return value


def _check_address(
    table: Table, key: str, value: str, like: str, index: int | None = None
) -> None:
    try:
        parse_address(value)
    except ValueError:
        problem = f"{shown(value)} is not a mail address"
        raise table.error(key, f"{problem}; use one like {like}", index) from None


def recipients(table: Table, key: str) -> tuple[str, ...]:
    """Read the addresses that mail goes to, one at least."""
    values = table.lines(key)
    if not values:
        raise table.error(key, "is empty; use at least one mail address")
    for i, value in enumerate(values):
        _check_address(table, key, value, "ops@example.org", i)
    return values


def header_name(table: Table, key: str) -> str:
    """Read the name of an HTTP header, "" if absent."""
    value = table.line(key, "")
    if value:
        check_header_name(table, key, value)
    return value


def check_header_name(table: Table, key: str, value: str) -> None:
    """Refuse what HTTP does not take for the name of a header."""
    if not _HEADER_NAME.fullmatch(value):
        problem = f"{shown(value)} is not the name of a header"
        raise table.error(key, f"{problem}; use letters, digits and hyphens")
