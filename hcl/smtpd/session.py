"""One SMTP connection: aiosmtpd's commands, with bounds."""

import asyncio
import logging
import ssl
from typing import Any

from aiosmtpd.smtp import SMTP, TLSSetupException

from hcl.config import MAIL_LIMIT
from hcl.repeats import Repeats
from hcl.smtpd.addresses import clean, read_path, shown
from hcl.smtpd.incoming import Incoming, Mail
from hcl.smtpd.mailboxes import Mailboxes
from hcl.smtpd.room import NoSeatError, Room, canonical, group_of

logger = logging.getLogger(__name__)
logger.addFilter(Repeats())

# It tells of every connection, and of whatever strangers send.
logging.getLogger("mail.log").setLevel(logging.ERROR)

# How long a client may take for its first command, in seconds; how long then for each
# step that brings it nearer to a mail; and how long until it has sent one.
HELLO_TIMEOUT = 10.0
IDLE_TIMEOUT = 60.0
MAIL_TIMEOUT = 600.0

# How long what was said last may take to reach a client that does not read, in seconds.
LINGER = 5.0

# A server whose timer is so many seconds late stood still.
_LATE = 1.0

# So many recipients of a mail are taken, the least by RFC 5321, section 4.5.3.1.8: each
# keeps a copy of it.
RECIPIENT_LIMIT = 100

# So many commands are taken for one mail, and so many that make no sense.
COMMAND_LIMIT = 2000
NONSENSE_LIMIT = 10

# The most bytes that are taken from the network before a session asks for them.
_READ_AHEAD = 32_768

_COMMANDS = frozenset(
    {
        *("EHLO", "HELO", "STARTTLS", "MAIL", "RCPT", "DATA"),
        *("RSET", "NOOP", "VRFY", "QUIT"),
    }
)

# Refusals that the log need not tell: what only follows from another, or is told by who
# met it.
_TOLD_ELSEWHERE = ("503", "451 4.3.0")


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

    # Since when it came no nearer to a mail, by the loop's time; None: it sends one, or
    # waits until it may.
    idle_since: float | None
    # What it shares bounds with.
    group: str

    def __init__(
        self,
        room: Room["MailSession"],
        mailboxes: Mailboxes,
        *,
        size_limit: int,
        tls: ssl.SSLContext | None,
        idle_timeout: float,
    ) -> None:
        super().__init__(
            _Hooks(mailboxes),
            data_size_limit=MAIL_LIMIT,
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
        self._command = self._argument = ""
        self._nearest = 0

    @property
    def conversation(self) -> "asyncio.Task[None]":
        """The task that ends with the connection."""
        task: asyncio.Task[None] = self._handler_coroutine
        return task

    def stop(self) -> None:
        """Say goodbye, now or after the mail that is coming in."""
        if not self._taking_mail:
            self._say_goodbye("421 4.3.2 Shutting down")

    def give_way(self) -> None:
        """Say goodbye, since others need the place."""
        self._tell("was refused: too many connections")
        self._say_goodbye("421 4.3.2 Too many connections, try again later")

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
        if self.loop.time() - self._timeout_handle.when() > _LATE:
            # It was us: what came meanwhile is there, and is read first.
            self._reset_timeout(LINGER)
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
        if self._taking_mail:
            self._reset_timeout()
        return data

    async def _handle_client(self) -> None:
        """Hold the conversation, from the greeting to the end of the connection."""
        self.group = group_of(self._peer)
        self._share = self._room.share_of(self.group)
        self._await_mail()
        try:
            if not self._room.enter(self):
                self._tell("was refused: too many connections")
                await self.push("421 4.3.2 Too many connections, try again later")
                return
            self._reset_timeout(min(HELLO_TIMEOUT, self._timeout_duration))
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

    def _await_mail(self) -> None:
        """Give the client its time for the next mail."""
        self.idle_since = self.loop.time()
        self._mail_due = self.idle_since + MAIL_TIMEOUT
        self._nearest = self._nearness()

    def _nearness(self) -> int:
        """Tell how near the client is to a mail: more after each step."""
        greeted = 2 * (self.session.ssl is not None) + bool(self.session.host_name)
        return greeted + bool(self.envelope.mail_from) + len(self.envelope.rcpt_tos)

    def _note_step(self) -> None:
        """Give the client more time if it came nearer to a mail than it was before.

        What leads nowhere, as NOOP does, or what was undone by RSET, is no step.
        """
        nearness = self._nearness()
        if nearness > self._nearest:
            self._nearest = nearness
            self.idle_since = now = self.loop.time()
            left = max(self._mail_due - now, 0.001)
            self._reset_timeout(min(left, self._timeout_duration))

    async def _converse(self) -> None:
        await self.push(f"220 {self.hostname} ESMTP hcl")
        while not self._room.closing:
            line = await self._incoming.line()
            if line is None:
                self._nonsense_left -= 1
                await self.push("500 5.5.2 Line too long")
            else:
                await self._obey(line)
                self._note_step()
            self._commands_left -= 1
            if self._commands_left < 0 or self._nonsense_left < 0:
                await self.push("421 4.7.0 Too many commands")
                return
        await self.push("421 4.3.2 Shutting down")

    async def push(self, status: Any) -> None:
        """Answer, and tell the log if that is to refuse a mail."""
        refuses = status[0] in "45" and not status.startswith(_TOLD_ELSEWHERE)
        if refuses and self._command in ("MAIL", "RCPT", "DATA"):
            self._tell(f"{self._argument}was refused: {status}")
        await super().push(status)

    def _tell(self, what: str) -> None:
        sender = self.envelope.mail_from
        self._room.refusals.tell(self._peer, clean(sender) if sender else "", what)

    async def _obey(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        command = word.decode("ascii", "replace").upper()
        if command not in _COMMANDS:
            self._nonsense_left -= 1
            await self.push("500 5.5.2 Unknown command")
            return
        argument = rest.strip().decode("utf-8", "surrogateescape")
        self._command, self._argument = command, shown(argument)
        try:
            await self._smtp_methods[command](argument or None)
        except ValueError:
            # A SIZE that is no number, say.
            self._nonsense_left -= 1
            await self.push("501 5.5.4 Bad argument")
        finally:
            self._command = ""

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
        # It is others who are slow.
        self._timeout_handle.cancel()
        self.idle_since = None
        try:
            async with self._room.seat(self._share):
                await self._take_mail()
        except NoSeatError:
            await self.push("451 4.3.2 Too many mails at once, try again later")
        self._await_mail()
        self._reset_timeout()

    async def _take_mail(self) -> None:
        self._taking_mail = True
        self._reset_timeout()
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            mail = await self._read_mail()
            if mail.size > MAIL_LIMIT:
                answer = f"552 5.3.4 Over {MAIL_LIMIT:,} bytes"
            else:
                answer = await self._deliver(mail.kept)
            await self.push(answer)
        finally:
            self._taking_mail = False
        self.envelope = self._create_envelope()

    async def _read_mail(self) -> Mail:
        try:
            async with asyncio.timeout(MAIL_TIMEOUT):
                return await self._incoming.mail(self._size_limit)
        except BaseException:
            self._tell("was cut off before its end")
            raise

    async def _deliver(self, content: bytes) -> str:
        # It is we who are slow now.
        self._timeout_handle.cancel()
        envelope = self.envelope
        try:
            answer = await self._mailboxes.deliver(
                clean(envelope.mail_from), envelope.rcpt_tos, content, self._peer
            )
        # The client is to try again, whatever it is.
        except Exception:
            logger.exception("a mail could not be taken")
            answer = "451 4.3.0 Something went wrong, try again later"
        if answer.startswith("250"):
            self._commands_left = COMMAND_LIMIT
        return answer

    @property
    def _peer(self) -> str:
        """The client's address in canonical form; "" on a unix socket."""
        peer = self.session.peer
        return canonical(str(peer[0])) if isinstance(peer, tuple) else ""

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Read the address of MAIL or RCPT, and what follows; None: there is none.

        aiosmtpd's way, the parser of the email package, fails on odd ones with all
        kinds of exceptions.
        """
        return read_path(arg)
