"""E-mail: one message with a text and an HTML part, handed to an SMTP server."""

import asyncio
import contextlib
import hashlib
import logging
import socket
import ssl
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import aiosmtplib

from hcl.alerts.messages.letter import Letter, write_letter
from hcl.alerts.messages.rendering import in_html, in_text
from hcl.alerts.transports import (
    TRY_TIMEOUT,
    DeliveryError,
    mail_headers,
    taken,
    too_late,
)
from hcl.alerts.transports.smtp_trouble import answer_line, failure, wants_tls
from hcl.config import ChannelConfig, Config, EmailSettings, SmtpConfig
from hcl.config.net.addresses import MailAddress, parse_address
from hcl.model import Alert, Message
from hcl.outgoing.patience import Patience
from hcl.outgoing.reaching import reached, trusted
from hcl.outgoing.request import AskingError

logger = logging.getLogger(__name__)

# The answer where nobody is left who does not have it, or nobody who will be taken.
_TAKEN = "taken before"

# What the server said of recipients that it did not take.
_Refused = dict[str, aiosmtplib.SMTPResponse]

# For how many seconds some of several recipients are tried again whom the server would
# not take just now, as one that lists greys does; the others have the message.
PATIENCE = 900.0

# Seconds that the farewell to a server may take, once it has taken the message.
_QUIT_TIMEOUT = 2.0


def open_transport(channel: ChannelConfig, config: Config) -> "Email":
    """Make the transport of a channel of the kind email."""
    if not isinstance(channel.settings, EmailSettings):
        raise TypeError(f"{channel.name} has no settings of an e-mail channel")
    ca_file = config.tls.ca_file
    return Email(channel.id, channel.settings, config.smtp, ca_file=ca_file)


class Email:
    """Mail all addresses of a channel at once.

    `try_timeout` is the limit in seconds of one try, from name lookup to acceptance.
    `ca_file` is whom it trusts besides the system's store; `patience` as PATIENCE.
    """

    def __init__(
        self,
        channel_id: str,
        settings: EmailSettings,
        smtp: SmtpConfig,
        try_timeout: float = TRY_TIMEOUT,
        ca_file: Path | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._channel_id = channel_id
        self._settings = settings
        self._smtp = smtp
        self._try_timeout = try_timeout
        self._ca_file = str(ca_file or "")
        self._patience = patience

    async def send(self, message: Message, now: datetime) -> str:
        """Hand the message to the server; return the server's answer.

        It is delivered if one recipient is accepted; the answer names the others. Those
        who may be accepted later are tried again for a while, alone.
        """
        if not self._smtp.host:
            raise DeliveryError("no mail server: [smtp] host is not set", True)
        key = f"{self._channel_id}\n{taken.identity(message)}"
        refused: _Refused = {}
        answer = _TAKEN
        try:
            to = [a for a in self._recipients() if a.address not in taken.by(key)]
            # All of those that the file names now may have it.
            if to:
                mail = self._mail(message, now, to)
                refused, answer = await self._deliver(mail, to)
        except DeliveryError:
            raise
        except AskingError as error:
            raise DeliveryError(str(error)) from error
        except TimeoutError as error:
            # aiosmtplib's own timeouts among them.
            problem = f"{self._smtp.host} did not take the message"
            raise too_late(problem, self._try_timeout) from error
        # Whatever a library raises, a try ends in words.
        except Exception as error:
            raise failure(error, self._smtp) from error
        return self._judged(key, refused, answer)

    def _judged(self, key: str, refused: _Refused, answer: str) -> str:
        """Return the answer to a message that some have taken, and who did not.

        Raises DeliveryError if it is to come again to those.
        """
        told = [
            f"refused {to}: {answer_line(f'{response.code} {response.message}')}"
            for to, response in refused.items()
        ]
        is_soon = any(response.code < 500 for response in refused.values())
        if is_soon and taken.waited(key) < self._patience:
            taken.note(key, {a.address for a in self._recipients()} - refused.keys())
            problem = f"{self._smtp.host} {'; '.join(told)}; others have it"
            raise DeliveryError(problem, partly=True)
        taken.forget(key)
        for words in told:
            logger.warning("%s %s", self._smtp.host, words)
        return "; ".join([answer_line(f"250 {answer}"), *told])

    def preview(self, message: Message, now: datetime) -> str:
        """Return the mail as people read it: its head and its text part."""
        letter = write_letter(message, now)
        head = self._head(letter, self._recipients())
        lines = [f"{name}: {value}" for name, value in head.items()]
        return "\n".join([*lines, "", in_text(letter)])

    async def aclose(self) -> None:
        """Do nothing: every message has a connection of its own."""

    async def _deliver(
        self, mail: EmailMessage, to: Sequence[MailAddress]
    ) -> tuple[_Refused, str]:
        sender, addresses = self._sender().address, [a.address for a in to]
        async with Patience(self._try_timeout) as limit:
            tls = None
            if self._smtp.security != "none":
                tls = await trusted(self._ca_file)
            sock = await self._reached()
            with contextlib.closing(_client(self._smtp, tls, sock)) as client:
                await self._connect(client, sock)
                try:
                    answer = await client.send_message(
                        mail, sender=sender, recipients=addresses
                    )
                except aiosmtplib.SMTPRecipientsRefused as error:
                    if len(to) == len(self._recipients()):
                        raise
                    answer = _refused(error), _TAKEN
                # What goes wrong from now on does not undo the delivery.
                limit.end()
                with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                    await client.quit(timeout=_QUIT_TIMEOUT)
        return answer

    async def _reached(self) -> socket.socket:
        host, port = self._smtp.host, self._smtp.port
        try:
            return await reached(host, port, self._try_timeout * 0.45)
        except TimeoutError as error:
            if error.errno:
                # The system gave up, and says why.
                raise
            raise DeliveryError(f"cannot connect to {host} in time") from error

    async def _connect(self, client: aiosmtplib.SMTP, sock: socket.socket) -> None:
        """Begin; if the server stays silent, see whether it is for want of TLS."""
        smtp = self._smtp
        connecting = asyncio.create_task(client.connect())
        try:
            if smtp.security != "tls":
                await asyncio.wait([connecting], timeout=self._try_timeout * 0.1)
                # A server may be slow to greet, so that one that is asked goes on.
                if not connecting.done() and await _speaks_tls(sock):
                    raise wants_tls(smtp)
            await connecting
        finally:
            connecting.cancel()

    def _sender(self) -> MailAddress:
        return _parsed(self._smtp.sender, "[smtp] from")

    def _recipients(self) -> list[MailAddress]:
        return [_parsed(to, "a recipient") for to in self._settings.to]

    def _mail(
        self, message: Message, now: datetime, to: Sequence[MailAddress]
    ) -> EmailMessage:
        letter = write_letter(message, now)
        mail = EmailMessage()
        for name, value in self._head(letter, to).items():
            mail[name] = value
        mail["Date"] = format_datetime(now)
        mail["Message-ID"] = self._message_id(message)
        outage = self._answered(message)
        if outage and outage != mail["Message-ID"]:
            mail["In-Reply-To"] = outage
            mail["References"] = outage
        if letter.status == "down":
            mail["Importance"] = "high"
        # RFC 3834: nobody's holiday notice is to answer.
        mail["Auto-Submitted"] = "auto-generated"
        # Any server takes quoted-printable, and a text part stays readable as it is.
        cte = "quoted-printable"
        mail.set_content(in_text(letter), cte=cte)
        mail.add_alternative(in_html(letter), subtype="html", cte=cte)
        return mail

    def _head(
        self, letter: Letter, to: Sequence[MailAddress]
    ) -> dict[str, mail_headers.Written]:
        senders = [_in_header(self._sender())]
        return {
            "From": mail_headers.of_addresses("From", senders),
            "To": mail_headers.of_addresses("To", map(_in_header, to)),
            "Subject": mail_headers.of_text("Subject", _no_code(letter.subject)),
        }

    def _message_id(self, message: Message) -> str:
        # The same for every try, so that a mailbox can tell a repeat from a second
        # message.
        if message.announcement is None and _begins_outage(message):
            [alert] = message.alerts
            return self._outage_id(alert, alert.flip.created)
        return self._id(taken.identity(message))

    def _answered(self, message: Message) -> str:
        """Return the Message-ID of the mail that told of the outage's begin, or ""."""
        if len(message.alerts) != 1:
            return ""
        [alert] = message.alerts
        began = alert.down_since
        if began is None:
            return ""
        # No mail told of it if this one is the first to.
        first = any(flip.created == began for flip in alert.earlier)
        return "" if first else self._outage_id(alert, began)

    def _outage_id(self, alert: Alert, began: datetime) -> str:
        return self._id(f"{alert.check.code} {began.isoformat()}")

    def _id(self, seed: str) -> str:
        # Hashed, because a check's code is enough to ping it.
        seed = f"{self._channel_id} {seed}"
        digest = hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:32]
        return f"<{digest}@{self._sender().domain}>"


def _begins_outage(message: Message) -> bool:
    alert = message.alerts[0]
    down = alert.flip.new_status == "down" and not alert.reminder
    return down and len(message.alerts) == 1 and not message.notice


def _parsed(text: str, what: str) -> MailAddress:
    try:
        return parse_address(text)
    except ValueError as error:
        raise DeliveryError(f"{what} is {error}", True) from None


def _in_header(address: MailAddress) -> MailAddress:
    return replace(address, name=_no_code(address.name))


def _no_code(text: str) -> str:
    # Readers would decode an encoded word (RFC 2047) that a name holds.
    return text.replace("=?", "= ?")


async def _speaks_tls(sock: socket.socket) -> bool:
    """Tell whether the server of a connection answers to TLS from the first byte on."""
    # Nothing is sent in it, so that nobody needs to be trusted.
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    try:
        # Its name is not looked up once more.
        address, port = sock.getpeername()[:2]
        _, writer = await asyncio.open_connection(address, port, ssl=unchecked)
    # It may be anything that listens there.
    except (OSError, ValueError):
        return False
    writer.transport.abort()
    return True


def _client(
    smtp: SmtpConfig, tls: ssl.SSLContext | None, sock: socket.socket
) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=smtp.host,
        sock=sock,
        username=smtp.username or None,
        password=smtp.password if smtp.username else None,
        local_hostname=_own_name(),
        # One limit for the whole try instead of one for each command.
        timeout=None,
        tls_context=tls,
        use_tls=smtp.security == "tls",
        start_tls=smtp.security == "starttls",
    )


def _refused(error: aiosmtplib.SMTPRecipientsRefused) -> _Refused:
    return {
        each.recipient: aiosmtplib.SMTPResponse(each.code, each.message)
        for each in error.recipients
    }


def _own_name() -> str:
    # Without asking DNS, which may take long. A name without a dot is refused by some
    # servers, an address in brackets is always allowed (RFC 5321, 4.1.3).
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
