"""Real receivers for what hcl sends: an HTTP server and an SMTP server on 127.0.0.1.

Both run in the loop of the test and keep what they get:

    async with HttpSink() as sink:
        …  # let something send to sink.url
        [record] = await sink.wait_for(1)

How they answer is set by their attributes, at any time.
"""

import asyncio
import contextlib
import email
import email.message
import email.policy
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.patience import ENDS

Record = TypeVar("Record")


class Inbox(Generic[Record]):
    """Keep records, and let tests wait for them."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._arrived = asyncio.Event()

    def add(self, record: Record) -> None:
        """Keep one record."""
        self.records.append(record)
        self._arrived.set()

    # A timeout of the caller's (ASYNC109) could not tell how many came.
    async def wait_for(self, n: int, timeout: float = ENDS) -> list[Record]:  # noqa: ASYNC109
        """Return all records once there are n; fail if they do not come in time."""
        try:
            async with asyncio.timeout(timeout):
                while len(self.records) < n:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            problem = f"{len(self.records)} of {n} came within {timeout:g} s"
            raise AssertionError(problem) from None
        return list(self.records)


@dataclass(frozen=True, slots=True)
class HttpRecord:
    """A request: header names in lower case, the moment it was read as time.time()."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    arrived: float

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()


# What a request gets: an answer; none, for ever; the connection closed instead;
# bytes that are no HTTP; a head, or a body, that never ends; a body that comes a byte a
# second; a body that breaks off.
Behaviour = Literal[
    "answer", "hang", "close", "garbage", "head", "stream", "trickle", "cut"
]


class HttpSink(Inbox[HttpRecord]):
    """Receive HTTP/1.1 requests."""

    def __init__(
        self,
        status: int = 200,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"OK",
        delay: float = 0.0,
        behave: Behaviour = "answer",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__()
        self.status = status
        self.headers = headers
        self.body = body
        self.delay = delay
        self.behave: Behaviour = behave
        self.port = port
        self.connections = 0
        # What a request gets: a status and a body; None: what the attributes say.
        self.answers: Callable[[HttpRecord], tuple[int, bytes]] | None = None
        # While it is not set, nobody is answered.
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._tls = tls
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        """Where the sink listens, with a slash at the end."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._serve_one(reader, writer):
                pass
        # A cancelled handler would be reported by asyncio's streams.
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _serve_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Serve one request; tell whether another may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [line.split(":", 1) for line in lines]
        headers = {name.lower(): value.strip() for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        record = HttpRecord(method, target, headers, body, time.time())
        self.add(record)
        if self.answers is not None:
            self.status, self.body = self.answers(record)
        await asyncio.sleep(self.delay)
        await self.may_answer.wait()
        if self.behave == "answer":
            writer.write(self._answer())
            await writer.drain()
            return True
        await self._misbehave(reader, writer)
        return False

    def _answer(self, promised: int = 0) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Because"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.status != 204:
            lines += [f"Content-Length: {len(self.body) + promised}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    async def _misbehave(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        start = f"HTTP/1.1 {self.status} Because\r\n".encode()
        match self.behave:
            case "hang":
                await reader.read()
            case "garbage":
                await _send(writer, b"\x00\xff what? \r\n\r\n" * 10)
                await reader.read()
            case "head":
                await _send(writer, start)
                await _send(writer, b"X-More: of the same\r\n", every=0.0)
            case "stream":
                await _send(writer, start + b"\r\n")
                await _send(writer, b"x" * 4096, every=0.0)
            case "trickle":
                await _send(writer, start + b"\r\n")
                await _send(writer, b"x", every=1.0)
            case "cut":
                await _send(writer, self._answer(promised=100))
                writer.close()
                await writer.wait_closed()


async def _send(
    writer: asyncio.StreamWriter, data: bytes, every: float | None = None
) -> None:
    """Send data once, or again and again, until the other side has gone."""
    while True:
        writer.write(data)
        await writer.drain()
        if every is None:
            return
        await asyncio.sleep(every)


@dataclass(frozen=True, slots=True)
class SmtpRecord:
    """A mail, and how it came: `login` is the user who signed in."""

    mail_from: str
    rcpt_tos: list[str]
    content: bytes
    message: email.message.EmailMessage
    helo: str
    login: str | None
    tls: bool
    arrived: float


@dataclass(slots=True)
class Refusals:
    """What the SMTP sink says instead of 250, where anything is set.

    `rcpt` is by address. `drop` closes the connection, `hang` stays silent, both once
    DATA has been asked for.
    """

    mail: str = ""
    rcpt: dict[str, str] = field(default_factory=dict)
    data: str = ""
    drop: bool = False
    hang: bool = False


class SmtpSink(Inbox[SmtpRecord]):
    """Receive mail. With `users` (name to password) nobody else may send."""

    def __init__(
        self,
        *,
        users: dict[str, str] | None = None,
        security: Literal["none", "starttls", "tls"] = "none",
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        super().__init__()
        self.refusals = Refusals()
        self.port = port
        self._users = users
        self._security = security
        self._tls = tls
        self._sessions: list[_Session] = []

    @property
    def url(self) -> str:
        """Where the sink listens."""
        return f"smtp://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(
            self._session,
            "127.0.0.1",
            self.port,
            ssl=self._tls if self._security == "tls" else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for session in self._sessions:
            await session.end()
        await self._server.wait_closed()

    def _session(self) -> "_Session":
        session = _Session(
            self.refusals,
            _Handler(self.refusals, self.add),
            loop=asyncio.get_running_loop(),
            hostname="sink.test",
            tls_context=self._tls if self._security == "starttls" else None,
            require_starttls=self._security == "starttls",
            authenticator=self._authenticate if self._users is not None else None,
            # Without users AUTH is not offered, unless there is TLS.
            auth_require_tls=self._users is None,
        )
        self._sessions.append(session)
        return session

    def _authenticate(self, *asked: Any) -> AuthResult:
        login: LoginPassword = asked[-1]
        user, password = login.login.decode(), login.password.decode()
        known = (self._users or {}).get(user) == password
        return AuthResult(success=known, handled=False, auth_data=user)


class _Session(SMTP):
    def __init__(self, refusals: Refusals, handler: "_Handler", **options: Any) -> None:
        super().__init__(handler, **options)
        self._refusals = refusals

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - named by aiosmtpd
        if self._refusals.drop or self._refusals.hang:
            await self.push("354 Go on")
            if self._refusals.drop:
                self._abort()
            await asyncio.Event().wait()  # until the connection is lost
        await super().smtp_DATA(arg)

    async def end(self) -> None:
        """Cut the connection and wait until it is gone."""
        self._abort()
        if self._handler_coroutine is not None:
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await self._handler_coroutine

    def _abort(self) -> None:
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()


class _Handler:
    """What aiosmtpd asks: each hook gets the server, the session and the envelope."""

    def __init__(self, refusals: Refusals, keep: Callable[[SmtpRecord], None]) -> None:
        self._refusals = refusals
        self._keep = keep

    async def handle_MAIL(self, *asked: Any) -> str:  # noqa: N802 - named by aiosmtpd
        _, _, envelope, address, options = asked
        if not self._refusals.mail:
            envelope.mail_from = address
            envelope.mail_options = options
        return self._refusals.mail or "250 OK"

    async def handle_RCPT(self, *asked: Any) -> str:  # noqa: N802 - named by aiosmtpd
        _, _, envelope, address, _ = asked
        refusal = self._refusals.rcpt.get(address, "")
        if not refusal:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, *asked: Any) -> str:  # noqa: N802 - named by aiosmtpd
        server, session, envelope = asked
        if self._refusals.data:
            return self._refusals.data
        record = SmtpRecord(
            mail_from=envelope.mail_from,
            rcpt_tos=list(envelope.rcpt_tos),
            content=envelope.content,
            message=email.message_from_bytes(
                envelope.content, policy=email.policy.default
            ),
            helo=session.host_name,
            login=session.auth_data if session.authenticated else None,
            tls=server.transport.get_extra_info("sslcontext") is not None,
            arrived=time.time(),
        )
        self._keep(record)
        return "250 2.0.0 OK kept"


def make_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for localhost and 127.0.0.1 that nobody vouches for.

    Returns its file, for whom it may vouch, and the context of a server that shows it.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -nodes -days 2 -newkey ec -subj /CN=localhost"
        " -pkeyopt ec_paramgen_curve:prime256v1"
        " -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    )
    subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
