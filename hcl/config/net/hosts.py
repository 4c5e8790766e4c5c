"""Names of hosts, and how they are written for the net."""

import re
from ipaddress import IPv4Address

_LONGEST = 253
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")


def is_host(value: str) -> bool:
    """Tell whether it is a host name in ASCII or an IPv4 address."""
    if re.fullmatch(r"[0-9.]+", value):
        try:
            IPv4Address(value)
        except ValueError:
            return False
    return _HOST_NAME.fullmatch(value) is not None and has_labels(value)


def has_labels(host: str) -> bool:
    """Tell whether a name's parts are as long as they may be (RFC 1035): 1 to 63.

    Nothing else can be asked for; Python's resolver raises UnicodeError then.
    """
    labels = host.removesuffix(".").split(".")
    return len(host) <= _LONGEST and all(0 < len(label) <= 63 for label in labels)


def ascii_host(value: str) -> str:
    """Write a host as it is asked for: bücher.example is xn--bcher-kva.example.

    Raises ValueError if it is none.
    """
    if not value.isascii():
        # Imported here: few need it, and its tables are large.
        import idna

        # What is wrong with it is a ValueError too.
        value = idna.encode(value, uts46=True).decode()
    if not is_host(value):
        raise ValueError("not a host")
    return value
