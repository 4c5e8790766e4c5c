"""The SMTP server: listens, and lets the mails finish that are coming in at the end."""

import asyncio
import socket
import ssl
from collections.abc import Collection, Iterable

from hcl.clock import Clock
from hcl.config import Config, SmtpdConfig
from hcl.config.net.certificate import server_context
from hcl.pings.pinging import Pinging
from hcl.smtpd.mailboxes import Mailboxes
from hcl.smtpd.room import Room
from hcl.smtpd.session import IDLE_TIMEOUT, MailSession

# How long mails that are coming in may hold up the end, in seconds.
STOP_TIMEOUT = 3.0


def certificate_of(config: SmtpdConfig) -> ssl.SSLContext | None:
    """Read the certificate for STARTTLS; None: there is none.

    Raises CertificateError.
    """
    if config.tls_cert is None or config.tls_key is None:
        return None
    return server_context(config.tls_cert, config.tls_key)


class MailServer:
    """Takes mail on sockets that are already bound, until it is stopped."""

    def __init__(
        self,
        pinging: Pinging,
        config: Config,
        clock: Clock,
        *,
        idle_timeout: float = IDLE_TIMEOUT,
    ) -> None:
        """Prepare to serve. Raises CertificateError."""
        self._room = Room[MailSession]()
        self._mailboxes = Mailboxes(pinging, self._room.refusals, clock)
        self._idle_timeout = idle_timeout
        self._stopping = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self.use(config, certificate_of(config.smtpd))

    def use(self, config: Config, tls: ssl.SSLContext | None) -> None:
        """Take other settings, and a certificate, for connections to come."""
        self.tls = tls
        self._size_limit = config.smtpd.size_limit
        ping_keys = [project.ping_key for project in config.projects]
        self._mailboxes.use(config.smtpd.domain, ping_keys)

    @property
    def sessions(self) -> Collection[MailSession]:
        """The connections there are."""
        return self._room.sessions

    def stop(self) -> None:
        """Accept no more, finish the mails that are coming in, return from serve."""
        self._stopping.set()

    async def serve(self, sockets: Iterable[socket.socket]) -> None:
        """Take mail until `stop` is called."""
        for bound in sockets:
            await self.take(bound)
        try:
            await self._stopping.wait()
            for server in self._servers:
                server.close()
            await self._finish()
        finally:
            for server in self._servers:
                server.close()
            for session in list(self._room.sessions):
                session.abort()
            self._room.refusals.sum_up()

    async def take(self, bound: socket.socket) -> None:
        """Take mail on one more socket too, until `stop` is called."""
        self._servers.append(await self._listen(bound))

    async def _listen(self, bound: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        if bound.family == socket.AF_UNIX:
            return await loop.create_unix_server(self._session, sock=bound)
        return await loop.create_server(self._session, sock=bound)

    def _session(self) -> MailSession:
        return MailSession(
            self._room,
            self._mailboxes,
            size_limit=self._size_limit,
            tls=self.tls,
            idle_timeout=self._idle_timeout,
        )

    async def _finish(self) -> None:
        self._room.closing = True
        for session in list(self._room.sessions):
            session.stop()
        ends = [session.conversation for session in self._room.sessions]
        if ends:
            await asyncio.wait(ends, timeout=STOP_TIMEOUT)
