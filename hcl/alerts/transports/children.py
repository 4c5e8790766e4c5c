"""What the processes that hcl starts find in their environment.

No more than they need: hcl's own may hold secrets.
"""

import os

_BASE = ("PATH", "HOME", "LANG", "TZ")

# What another Python needs to find its modules and libraries where this one did, and
# what it needs to reach others as this process does.
_PYTHON = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE")
_LIBRARIES = ("LD_LIBRARY_PATH", "LD_PRELOAD")
_OUTWARD = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def for_commands() -> dict[bytes, bytes]:
    """Return what commands of users find: PATH, HOME, LANG and TZ."""
    found = {os.fsencode(name): os.fsencode(value) for name, value in _kept(_BASE)}
    return {b"PATH": os.fsencode(os.defpath), **found}


def for_python() -> dict[str, str]:
    """Return what a Python that sends for hcl finds."""
    proxies = (*_PROXIES, *map(str.upper, _PROXIES))
    return dict(_kept((*_BASE, *_PYTHON, *_LIBRARIES, *_OUTWARD, *proxies)))


def _kept(names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, os.environ[name]) for name in names if name in os.environ]
