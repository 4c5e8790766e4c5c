"""Whom TLS connections to others trust: one rule for all transports.

The system's store, or what SSL_CERT_FILE and SSL_CERT_DIR name instead, and the CAs of
`[tls] ca_file` beside it. The process that runs Apprise loads this file too, by its
path: nothing of hcl may be imported here.
"""

import os
import re
import ssl
from functools import cache, lru_cache

# What OpenSSL looks for in a folder of certificates.
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


def context(ca_file: str) -> ssl.SSLContext:
    """Return what verifies servers: one for all, since it takes memory.

    `ca_file` "": none. Raises OSError if it cannot be read.
    """
    said = tuple(os.environ.get(f"SSL_CERT_{name}", "") for name in ("FILE", "DIR"))
    paths = ssl.get_default_verify_paths()
    # What was written anew counts from then on: hcl may run for years.
    changed = (
        os.stat(ca_file).st_mtime_ns if ca_file else 0,
        *(os.stat(path).st_mtime_ns for path in (paths.cafile, paths.capath) if path),
    )
    return _made(ca_file, said, changed)


@lru_cache(maxsize=2)
def _made(
    ca_file: str, said: tuple[str, ...], _changed: tuple[int, ...]
) -> ssl.SSLContext:
    folder = ssl.get_default_verify_paths().capath
    if not any(said) and folder and any(map(_HASHED.fullmatch, os.listdir(folder))):
        # There a certificate is read when it is needed. All together take 2 MB.
        made = ssl.create_default_context(capath=folder)
    else:
        made = ssl.create_default_context()
        if not any(said) and not made.cert_store_stats()["x509_ca"]:
            _borrow(made)
    if ca_file:
        made.load_verify_locations(ca_file)
    return made


@cache
def nobody() -> ssl.SSLContext:
    """Return what trusts nobody, for connections without TLS."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _borrow(made: ssl.SSLContext) -> None:
    """Trust whom Mozilla trusts, where a system has no store (a small container)."""
    try:
        import certifi
    except ImportError:
        return
    made.load_verify_locations(certifi.where())
