"""By which host a request was asked for."""

from ipaddress import ip_address

from starlette.types import Scope


def host_of(netloc: str) -> str:
    """Return the host of what stands between // and / in a URL, in small letters."""
    host = netloc.rpartition("@")[2].strip().lower()
    name, _, port = host.rpartition(":")
    # The colons of an IPv6 address stand in brackets.
    has_port = not port or port.isdecimal()
    if name and has_port and (":" not in name or name.endswith("]")):
        host = name
    return host.rstrip(".")


def is_own(scope: Scope, site_root: str) -> bool:
    """Tell whether a request's Host is an address, localhost, or the site's own.

    Where an address alone opens something, a page of another site could have its name
    lead here (DNS rebinding), and read what its visitor may read.
    """
    asked = [value for name, value in scope["headers"] if name == b"host"]
    own = (host_of(site_root.partition("//")[2].partition("/")[0]), "localhost")
    hosts = [host_of(value.decode("latin-1")) for value in asked]
    return bool(hosts) and all(host in own or _is_address(host) for host in hosts)


def _is_address(host: str) -> bool:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ip_address(bare)
    except ValueError:
        return False
    return True
