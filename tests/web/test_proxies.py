"""Whom a request came from, behind proxies."""

from ipaddress import ip_network

from hcl.web.http.proxies import Proxies


def test_thousands_of_proxies_are_not_believed() -> None:
    proxies = Proxies([ip_network("127.0.0.0/8")])

    def nearest(*hops: str) -> str:
        said = (b"x-forwarded-for", ", ".join(hops).encode())
        return proxies.nearest({"client": ("127.0.0.1", 1), "headers": [said]})

    assert nearest("192.0.2.1", *["127.0.0.2"] * 19) == "192.0.2.1"
    assert nearest("192.0.2.1", *["127.0.0.2"] * 5000) == "127.0.0.2"
