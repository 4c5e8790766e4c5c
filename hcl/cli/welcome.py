"""What `hcl serve` says to somebody who has just set hcl up."""

import os
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from hcl import store
from hcl.cli.own_addresses import own_addresses
from hcl.cli.own_name import own_name
from hcl.config import Config, HostPort
from hcl.config.fresh import fresh_topic
from hcl.web.parts import Parts

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ALL = ("0.0.0.0", "::")  # noqa: S104 - asked, not listened on


async def has_no_checks(parts: Parts) -> bool:
    """Tell whether nobody has made a check yet."""
    # Only pings that create make any by themselves, and those are never put off.
    conn = parts.database.committed
    for project in parts.keyring.projects:
        if await store.checks.count(conn, project.id):
            return False
    return True


def welcome(config: Config, parts: Parts, *, is_fresh: bool) -> str:
    """Say what to do now: ping it, see it, reach it from elsewhere, be told."""
    endpoint, astray = config.server.ping_endpoint, _astray(config)
    if astray:
        endpoint = f"{astray}/ping/"
    url = f"{endpoint}{config.projects[0].ping_key}"
    made = f"Wrote {config.path} with fresh keys. " if is_fresh else ""
    paragraphs = [
        f"{made}hcl runs. Send it a ping, from another terminal:",
        f'    curl "{url}/my-first-job?create=1"',
        *_signing_in(config, parts),
        *_reaching(config),
        *_telling(config),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _signing_in(config: Config, parts: Parts) -> list[str]:
    if not config.web.enabled:
        return []
    root = _astray(config) or config.server.site_root
    keys = [key for project in config.projects for key in project.keys]
    writing = [key for key in keys if key.access == "read-write"]
    if not writing:
        return [f"See it at {root}/, once hcl.toml has a key in [[projects.keys]]."]
    link = parts.links.make(writing[0].sha256, parts.clock.now())
    return [
        "See it. This link signs you in; it works once, and for an hour. Later, sign in"
        "\nwith the key that hcl.toml has in [[projects.keys]]:",
        f"    {root}/sign-in/{link}",
    ]


def _astray(config: Config) -> str:
    """Return where it listens if site_root leads to another port here, else ""."""
    listen, root = config.server.listen, urlsplit(config.server.site_root)
    if not isinstance(listen, HostPort) or root.hostname not in _LOOPBACK:
        return ""
    # On all addresses it may be in a container, and another port lead to it.
    if listen.host not in _LOOPBACK or listen.port in (0, root.port or 80):
        return ""
    return _url(listen.host, listen.port)


def _reaching(config: Config) -> list[str]:
    """Say how other machines reach it, if they do."""
    listen = config.server.listen
    if not isinstance(listen, HostPort):
        return []
    addresses = own_addresses()
    host = urlsplit(config.server.site_root).hostname
    if root := _astray(config):
        return [
            f"It listens on {root}/, but its links lead to {config.server.site_root}/."
            " If nothing there\nleads back, stop it, and write into hcl.toml, in"
            " [server]:",
            f'    site_root = "{root}"',
        ]
    if os.environ.get("HCL_LISTEN") and host in _LOOPBACK:
        # In a container its own addresses lead nowhere.
        root = config.server.site_root
        return [f"Its links lead to {root}/: HCL_SITE_ROOT is where others reach it."]
    if listen.host in _LOOPBACK and host in _LOOPBACK:
        if not addresses:
            return ["Only this machine can reach it: it has no address in a network."]
        would_be = _url(addresses[0], listen.port)
        return [
            "Only this machine can reach it. For others, stop it (Ctrl-C), and run",
            f"    {own_name()} init --lan {_named(config.path)}".rstrip(),
            f"    {own_name()} serve {_named(config.path, '--config ')}".rstrip(),
            f"after which it is at {would_be}/, for everybody in your network.",
        ]
    if listen.host in _ALL and host in _LOOPBACK:
        return _told_apart(listen, addresses)
    return [f"Other machines reach it at {config.server.site_root}/."]


def _told_apart(listen: HostPort, addresses: list[str]) -> list[str]:
    """Say which links others need, where those of hcl lead to this machine only."""
    kind = ""
    if listen.host == "0.0.0.0":  # noqa: S104 - asked, not listened on
        kind = "IPv4 " if addresses else ""
        addresses = [address for address in addresses if ":" not in address]
    if not addresses:
        return [
            f"Only this machine can reach it: it has no {kind}address in a network."
        ]
    return [
        "Other machines can reach it, but its links lead to this one only. In"
        " hcl.toml, write\nin [server]:",
        f'    site_root = "{_url(addresses[0], listen.port)}"',
    ]


def _named(path: Path, option: str = "") -> str:
    """Name a file for a command that looks for hcl.toml where it runs."""
    if path == Path("hcl.toml").absolute():
        return ""
    return f"{option}{shlex.quote(str(path))}"


def _url(address: str, port: int) -> str:
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"


def _telling(config: Config) -> list[str]:
    if any(project.channels for project in config.projects):
        return []
    topic = fresh_topic()
    return [
        "Nobody is told yet when a check goes down: hcl.toml has no channel. For your"
        f" phone,\ninstall the app ntfy, subscribe to {topic}, and add to hcl.toml:",
        "    [[projects.channels]]\n"
        '    name = "Phone"\n'
        '    kind = "ntfy"\n'
        f'    url = "ntfys://ntfy.sh/{topic}"',
        f'Restart hcl, and try it out: {own_name()} send-test "Phone"',
    ]
