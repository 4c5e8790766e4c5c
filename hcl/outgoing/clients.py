"""How httpx2 goes out: by hcl's one rule for whom TLS trusts, and which proxy is asked.

For moving in. Webhooks and the watchdog go by `asking`, Apprise's process by a way of
its own (apprise_requests), all by the same rule.
"""

import ssl
from typing import TypedDict

import httpx2

from hcl.outgoing import proxy


class Outward(TypedDict):
    """What a client of httpx2 is made with, besides its own."""

    verify: ssl.SSLContext
    proxy: httpx2.Proxy | None
    trust_env: bool


def outward(way: str, tls: ssl.SSLContext) -> Outward:
    """Return what makes a client go by a proxy, "" for none, and trust by `tls`.

    Raises ValueError or ImportError for a proxy that cannot be used.
    """
    by = None
    if way:
        by = httpx2.Proxy(way, ssl_context=tls if proxy.uses_tls(way) else None)
    # hcl reads the environment itself.
    return {"verify": tls, "proxy": by, "trust_env": False}
