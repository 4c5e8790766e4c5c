"""Which proxy a request goes through, by the environment: one rule for all transports.

http_proxy, https_proxy and all_proxy name it by the scheme of the request's URL, in
small letters or capitals, and no_proxy what is asked without one: hosts with all below
them, host:port, addresses, networks, or * for everything. As curl has it, nothing else
is left out, not even localhost. The process that runs Apprise loads this file too, by
its path: nothing of hcl may be imported here.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def proxy_for(url: str, env: Mapping[str, str]) -> str:
    """Return the URL of the proxy that a URL is asked through, "" for none."""
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    proxy = _said(env, f"{scheme}_proxy") or _said(env, "all_proxy")
    if not proxy or _is_direct(host, parts.port or _PORTS.get(scheme, 0), env):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def place_of(proxy: str) -> str:
    """Name a proxy without the password that its URL may hold."""
    try:
        parts = urlsplit(proxy)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the proxy"
    return f"{parts.hostname}{port}" if parts.hostname else "the proxy"


def _said(env: Mapping[str, str], name: str) -> str:
    # In small letters an empty one counts too: it switches the other off.
    return env.get(name, env.get(name.upper(), "")).strip()


def _is_direct(host: str, port: int, env: Mapping[str, str]) -> bool:
    entries = re.split(r"[\s,]+", _said(env, "no_proxy").lower())
    return any(_covers(entry, host, port) for entry in filter(None, entries))


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, colon, its_port = entry.rpartition(":")
    if colon and its_port.isdigit() and (":" not in name or name.endswith("]")):
        if int(its_port) != port:
            return False
        entry = name
    entry = entry.strip("[]")
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        # One of them is a name.
        name = entry.removeprefix("*").lstrip(".").rstrip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))


def uses_tls(way: str) -> bool:
    """Tell whether a proxy itself is spoken to over TLS; `way` is its URL."""
    return way.lower().startswith("https:")
