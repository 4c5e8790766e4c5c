"""A stand-in for the servers of chat and push services on the Internet.

Apprise knows their addresses by heart. So the sink is an HTTPS proxy, which is asked
for a tunnel to one of them, and answers inside in its stead:

    async with ProxySink(folder) as sink:
        monkeypatch.setenv(…)  # each of sink.environment
        …  # let something send to https://discord.com/
        [record] = await sink.wait_for(1)
        assert record.headers["host"] == "discord.com"
"""

import asyncio
import ssl
import subprocess
from pathlib import Path
from typing import Any

from tests.sinks import HttpSink

HOSTS = (
    "api.opsgenie.com",
    "api.pushover.net",
    "api.telegram.org",
    "chat.googleapis.com",
    "discord.com",
    "events.pagerduty.com",
    "hooks.slack.com",
    "slack.com",
    "ntfy.sh",
)


class ProxySink(HttpSink):
    """Receive HTTPS requests for any of HOSTS, through a tunnel."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(**options)
        self._certificate, self._context = _make_certificate(folder)

    @property
    def environment(self) -> dict[str, str]:
        """What a program must find in its environment to come here."""
        return {
            "HTTPS_PROXY": self.url,
            "SSL_CERT_FILE": str(self._certificate),
        }

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        host = head.removeprefix("CONNECT ").partition(":")[0]
        if host not in HOSTS:
            writer.write(b"HTTP/1.1 502 Unknown\r\n\r\n")
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 Go on\r\n\r\n")
        await writer.start_tls(self._context)
        await super()._serve(reader, writer)


def _make_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    certificate, key = folder / "services.pem", folder / "services.key"
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    command = (
        "openssl req -x509 -nodes -days 2 -newkey ec -subj /CN=services"
        f" -pkeyopt ec_paramgen_curve:prime256v1 -addext subjectAltName={names}"
    )
    subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
