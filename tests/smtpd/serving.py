"""A real `hcl serve` that takes mail, and a bare connection to it."""

import contextlib
import re
import smtplib
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

from tests import toml
from tests.patience import ENDS
from tests.server.process import API_KEY, Serve, free_port

DOMAIN = "hc.example.org"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
TLS = {"tls_cert": "certificate.pem", "tls_key": "key.pem"}
GOOD = b"Subject: job\r\n\r\nall good\r\n"


def smtpd(port: int, **keys: str) -> str:
    """Write where mail comes in."""
    return toml.table("smtpd", listen=f"127.0.0.1:{port}", domain=DOMAIN, **keys)


class MailServe(Serve):
    """`hcl serve` that takes mail."""

    def __init__(self, folder: Path, *, channels: str = "", **keys: str) -> None:
        self.mail_port = free_port()
        super().__init__(folder, channels, tables=smtpd(self.mail_port, **keys))

    def check(self, **fields: Any) -> dict[str, Any]:
        """Make a check; `address` is its address."""
        check: dict[str, Any] = self.api("POST", "checks/", **fields)
        return check | {"address": f"{check['uuid']}@{DOMAIN}"}

    def pings(self, check: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a check's pings, newest first."""
        pings: list[dict[str, Any]]
        pings = self.api("GET", f"checks/{check['uuid']}/pings/")["pings"]
        return pings

    def body(self, check: dict[str, Any]) -> bytes:
        """Return the body of a check's newest ping."""
        url = self.pings(check)[0]["body_url"]
        return subprocess.run(
            ["curl", "-fsS", "-H", f"X-Api-Key: {API_KEY}", url],
            capture_output=True,
            check=True,
        ).stdout

    def client(self) -> smtplib.SMTP:
        """Connect as a mail program."""
        return smtplib.SMTP("127.0.0.1", self.mail_port, timeout=ENDS)

    def mail(self, *to: str, message: bytes = GOOD, sender: str = "cron@box") -> None:
        """Send one mail; smtplib raises if it is refused."""
        with self.client() as client:
            client.sendmail(sender, to, message)

    def wire(self) -> "Wire":
        """Connect as whatever a test wants to be."""
        return Wire(self.mail_port)


class Wire:
    """A bare connection to the mail port."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ENDS)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def until(self, pattern: bytes) -> bytes:
        """Return what comes, up to a line that a pattern matches."""
        got = b""
        while not re.search(rb"(?m)^" + pattern, got):
            data = self.socket.recv(65536)
            if not data:
                raise AssertionError(f"{pattern!r} never came: {got!r}")
            got += data
        return got

    def rest(self) -> bytes:
        """Return what comes up to the end."""
        with contextlib.suppress(ConnectionResetError):
            return b"".join(iter(lambda: self.socket.recv(65536), b""))
        return b""


def envelope(*to: str) -> bytes:
    """Return the commands of one mail, up to DATA, all at once."""
    recipients = "".join(f"RCPT TO:<{address}>\r\n" for address in to)
    return f"EHLO x\r\nMAIL FROM:<cron@box>\r\n{recipients}DATA\r\n".encode()


def mail_of(
    client: smtplib.SMTP, check: dict[str, Any], content: bytes
) -> tuple[int, bytes]:
    client.mail("cron@box")
    client.rcpt(check["address"])
    return client.data(content)


def trusting(serve: Serve) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=serve.folder / "certificate.pem")
    context.check_hostname = True
    return context
