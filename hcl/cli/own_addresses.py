"""The addresses by which other machines reach this one."""

import socket
import struct
import sys
from contextlib import suppress
from ipaddress import ip_address

# Of documentation: nothing is sent, the kernel is only asked which way it would go.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))

# Interfaces that lead to containers and virtual machines, and to nobody's phone.
_INNER = ("lo", "docker", "br-", "veth", "virbr", "cni", "flannel", "podman")

# Asks Linux for an interface's IPv4 address, see netdevice(7).
_SIOCGIFADDR = 0x8915


def own_addresses() -> list[str]:
    """Return this machine's addresses, that of its way to the internet first."""
    found = [*_outward(), *_of_interfaces()]
    return [a for a in dict.fromkeys(found) if _is_for_others(a)]


def _outward() -> list[str]:
    found = []
    for family, host in _ELSEWHERE:
        # Without a way out there is none.
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))
            found.append(str(probe.getsockname()[0]))
    return found


def _of_interfaces() -> list[str]:
    if sys.platform != "linux":
        return []
    # Imported here: other systems may lack it.
    import fcntl

    found: list[str] = []
    try:
        interfaces = socket.if_nameindex()
    except OSError:
        # Android, and sandboxes without AF_NETLINK, tell nobody of them.
        return found
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in interfaces:
            if name.startswith(_INNER):
                continue
            asked = struct.pack("256s", name.encode()[:15])
            # One without an address.
            with suppress(OSError):
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, asked)
                found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _is_for_others(address: str) -> bool:
    parsed = ip_address(address)
    return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)
