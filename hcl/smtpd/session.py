"""One SMTP connection: aiosmtpd's commands, with bounds."""

import asyncio
import logging
import re
import ssl
from ipaddress import IPv6Address, ip_address
from typing import Any

from aiosmtpd.smtp import SMTP, TLSSetupException

from hcl.repeats import Repeats
from hcl.smtpd.incoming import Incoming
from hcl.smtpd.mailboxes import Mailboxes

logger = logging.getLogger(__name__)
logger.addFilter(Repeats())

# It tells of every connection, and of whatever strangers send.
logging.getLogger("mail.log").setLevel(logging.ERROR)

# How long a client may be silent, in seconds, and how long it may take for one mail.
IDLE_TIMEOUT = 60.0
MAIL_TIMEOUT = 600.0

# How long what was said last may take to reach a client that does not read, in seconds.
LINGER = 5.0

# So many clients are talked to at once, each with a mail in memory at worst. So many
# more wait for their turn; the rest is sent away.
SESSION_LIMIT = 50
WAITING_LIMIT = 500

# So many recipients of a mail are taken, the least by RFC 5321, section 4.5.3.1.8: each
# keeps a copy of it.
RECIPIENT_LIMIT = 100

# So many commands are taken for one mail, and so many that make no sense.
COMMAND_LIMIT = 2000
NONSENSE_LIMIT = 10

# The most bytes that are taken from the network before a session asks for them.
_READ_AHEAD = 32_768

_PATH = re.compile(r"<(?:@[^<>:]*:)?([^<>]*)>(.*)|([^<>\s]+)(.*)", re.DOTALL)

_COMMANDS = frozenset(
    {
        *("EHLO", "HELO", "STARTTLS", "MAIL", "RCPT", "DATA"),
        *("RSET", "NOOP", "VRFY", "QUIT"),
    }
)


class Room:
    """Where sessions stay, at most SESSION_LIMIT of them seated."""

    def __init__(self) -> None:
        self.sessions: set[MailSession] = set()
        self.seats = asyncio.Semaphore(SESSION_LIMIT)
        self.closing = False


class _Hooks:
    """What aiosmtpd asks; it finds these by their names."""

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes

    async def handle_EHLO(  # noqa: N802 - named by aiosmtpd
        self, _: Any, session: Any, _envelope: Any, name: str, lines: list[str]
    ) -> list[str]:
        session.host_name = name
        # It would offer to sign in once there is TLS, and help with all it knows.
        kept = [line for line in lines if line[4:8] not in ("AUTH", "HELP")]
        return [*kept, "250 PIPELINING"]

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self, _: Any, _session: Any, envelope: Any, recipient: str, _options: Any
    ) -> str:
        target = self._mailboxes.target_of(recipient)
        if target is None:
            return "550 5.1.1 No check has such an address"
        if len(envelope.rcpt_tos) >= RECIPIENT_LIMIT:
            return "452 4.5.3 Too many recipients, send the rest in another mail"
        envelope.rcpt_tos.append(target)
        return "250 2.1.5 OK"


class MailSession(SMTP):
    """One connection: aiosmtpd's commands, with a conversation and a DATA of our own.

    aiosmtpd's own conversation forgets what a client sent before it closed its side,
    never ends with some, leaves exceptions to nobody, and has no bounds for lines, for
    what is not a command, or for a client that does not read.
    """

    line_length_limit = _READ_AHEAD // 2

    # aiosmtpd's, which are None only before there is a connection.
    session: Any
    envelope: Any
    _handler_coroutine: Any
    _timeout_handle: Any

    # None once the connection is lost.
    transport: Any
    _tls_protocol: Any
    _original_transport: Any

    def __init__(
        self,
        room: Room,
        mailboxes: Mailboxes,
        *,
        size_limit: int,
        tls: ssl.SSLContext | None,
        idle_timeout: float,
    ) -> None:
        super().__init__(
            _Hooks(mailboxes),
            data_size_limit=size_limit,
            enable_SMTPUTF8=True,
            # Otherwise it asks the DNS, and all wait.
            hostname=mailboxes.domain,
            tls_context=tls,
            timeout=idle_timeout,
            loop=asyncio.get_running_loop(),
        )
        self._room = room
        self._size_limit = size_limit
        self._mailboxes = mailboxes
        self._incoming = Incoming(self._read)
        self._commands_left = COMMAND_LIMIT
        self._nonsense_left = NONSENSE_LIMIT
        self._taking_mail = False

    @property
    def conversation(self) -> "asyncio.Task[None]":
        """The task that ends with the connection."""
        task: asyncio.Task[None] = self._handler_coroutine
        return task

    def stop(self) -> None:
        """Say goodbye, now or after the mail that is coming in."""
        if not self._taking_mail:
            self._say_goodbye("421 4.3.2 Shutting down")

    def abort(self) -> None:
        """Cut the connection."""
        transport = self._original_transport or self.transport
        if transport is not None:
            transport.abort()
        self.conversation.cancel()

    def eof_received(self) -> bool:
        """Read on in what was sent before the end; answers may still be read."""
        self._reader.feed_eof()
        return self.session.ssl is None

    def _timeout_cb(self) -> None:
        """End a silent connection: politely, and then by force."""
        if self.conversation.done() or self.transport is None:
            self.abort()
            return
        self._say_goodbye("421 4.4.2 Nothing came for too long")
        self._reset_timeout(LINGER)

    def _say_goodbye(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())
        self._writer.close()
        self.conversation.cancel()

    async def _read(self) -> bytes:
        """Return what comes next; raise EOFError if nothing will."""
        data: bytes = await self._reader.read(_READ_AHEAD)
        if not data:
            raise EOFError
        self._reset_timeout()
        return data

    async def _handle_client(self) -> None:
        """Hold the conversation, from the greeting to the end of the connection."""
        self._room.sessions.add(self)
        try:
            if len(self._room.sessions) > SESSION_LIMIT + WAITING_LIMIT:
                await self.push("421 4.3.2 Too many connections, try again later")
                return
            async with self._room.seats:
                await self._converse()
        except (OSError, EOFError, TimeoutError):
            # The client has gone, or takes for ever.
            pass
        except TLSSetupException as error:
            logger.info("no TLS with %s: %s", self._peer, error.__cause__)
        finally:
            self._room.sessions.discard(self)
            # The session is part of a cycle, and may stay for a while.
            self._incoming.clear()
            self._writer.close()
            if self.transport is not None:
                self._reset_timeout(LINGER)

    async def _converse(self) -> None:
        await self.push(f"220 {self.hostname} ESMTP hcl")
        while not self._room.closing:
            line = await self._incoming.line()
            if line is None:
                self._nonsense_left -= 1
                await self.push("500 5.5.2 Line too long")
            else:
                await self._obey(line)
            self._commands_left -= 1
            if self._commands_left < 0 or self._nonsense_left < 0:
                await self.push("421 4.7.0 Too many commands")
                return
        await self.push("421 4.3.2 Shutting down")

    async def _obey(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        command = word.decode("ascii", "replace").upper()
        if command not in _COMMANDS:
            self._nonsense_left -= 1
            await self.push("500 5.5.2 Unknown command")
            return
        argument = rest.strip().decode("utf-8", "surrogateescape")
        try:
            await self._smtp_methods[command](argument or None)
        except ValueError:
            # A SIZE that is no number, say.
            self._nonsense_left -= 1
            await self.push("501 5.5.4 Bad argument")

    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Begin to speak TLS."""
        if arg or self.tls_context is None or self._tls_protocol is not None:
            await self.push("503 5.5.1 No STARTTLS here and now")
            return
        # What came in the clear, behind the command, is not to be believed.
        self._incoming.clear()
        await super().smtp_STARTTLS(arg)
        if self.session.ssl is None:
            # The client went away in the middle, and aiosmtpd is not told.
            raise EOFError

    async def smtp_VRFY(self, _: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Tell nothing about who is here."""
        await self.push("252 2.1.5 Send a mail, and see")

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - named by aiosmtpd
        """Take a mail, and answer once its pings are on the disk."""
        if await self.check_helo_needed():
            return
        if arg or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Send MAIL and RCPT first, and DATA alone")
            return
        self._taking_mail = True
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            async with asyncio.timeout(MAIL_TIMEOUT):
                content = await self._incoming.mail(self._size_limit)
            envelope, self.envelope = self.envelope, self._create_envelope()
            if content is None:
                await self.push("552 5.3.4 Too large")
                return
            await self.push(await self._deliver(envelope, content))
        finally:
            self._taking_mail = False

    async def _deliver(self, envelope: Any, content: bytes) -> str:
        # It is we who are slow now.
        self._timeout_handle.cancel()
        try:
            answer = await self._mailboxes.deliver(
                _clean(envelope.mail_from), envelope.rcpt_tos, content, self._peer
            )
        # The client is to try again, whatever it is.
        except Exception:
            logger.exception("a mail could not be taken")
            answer = "451 4.3.0 Something went wrong, try again later"
        self._reset_timeout()
        if answer.startswith("250"):
            self._commands_left = COMMAND_LIMIT
        return answer

    @property
    def _peer(self) -> str:
        """The client's address in canonical form; "" on a unix socket."""
        peer = self.session.peer
        if not isinstance(peer, tuple):
            return ""
        try:
            address = ip_address(peer[0])
        except ValueError:
            return str(peer[0])
        # A socket for both families names IPv4 clients as ::ffff:192.0.2.1.
        return str(
            (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
        )

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Read the address of MAIL or RCPT, and what follows; None: there is none.

        aiosmtpd's way, the parser of the email package, fails on odd ones with all
        kinds of exceptions.
        """
        if not arg:
            return "", ""
        match = _PATH.fullmatch(arg)
        if match is None:
            return None, None
        if match[3] is not None:
            return match[3], match[4]
        # The null sender, as aiosmtpd knows it.
        return match[1].strip() or "<>", match[2]


def _clean(sender: str) -> str:
    """Write a sender so that it can be stored and logged, whatever its bytes."""
    text = sender.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
