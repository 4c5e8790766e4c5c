"""E-mail: one message with a text and an HTML part, handed to an SMTP server."""

import asyncio
import contextlib
import hashlib
import logging
import socket
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import cache

import aiosmtplib
import jinja2

from hcl import messages
from hcl.config import ChannelConfig, Config, EmailSettings, SmtpConfig
from hcl.model import Alert
from hcl.transports import DeliveryError, why

logger = logging.getLogger(__name__)

# Seconds that the farewell to a server may take, once it has taken the message.
_QUIT_TIMEOUT = 2.0


def open_transport(channel: ChannelConfig, config: Config) -> "Email":
    """Make the transport of a channel of the kind email."""
    if not isinstance(channel.settings, EmailSettings):
        raise TypeError(f"{channel.name} has no settings of an e-mail channel")
    return Email(channel.id, channel.settings, config.smtp)


class Email:
    """Mail all addresses of a channel at once.

    `try_timeout` is the limit in seconds of one try, from name lookup to acceptance.
    """

    def __init__(
        self,
        channel_id: str,
        settings: EmailSettings,
        smtp: SmtpConfig,
        try_timeout: float = 30.0,
    ) -> None:
        self._channel_id = channel_id
        self._settings = settings
        self._smtp = smtp
        self._try_timeout = try_timeout

    async def send(self, alert: Alert, now: datetime) -> str:
        """Hand the message to the server; return the server's answer.

        It is delivered if one recipient is accepted; the answer names the others.
        """
        if not self._smtp.host:
            raise DeliveryError("no mail server: [smtp] host is not set", True)
        try:
            message = self._message(alert, now)
            refused, answer = await self._deliver(message)
        except TimeoutError as error:
            # aiosmtplib's own timeouts among them.
            limit = f"{self._try_timeout:g} s"
            problem = f"{self._smtp.host} did not take the message within {limit}"
            raise DeliveryError(problem) from error
        # Whatever a library raises, a try ends in words.
        except Exception as error:
            raise _failure(error, self._smtp.host) from error
        for to, response in refused.items():
            logger.warning("%s was refused: %s", to, _one_line(response.message))
        return _one_line(f"250 {answer}") + "".join(
            f"; refused {to}: {_one_line(f'{response.code} {response.message}')}"
            for to, response in refused.items()
        )

    async def aclose(self) -> None:
        """Do nothing: every message has a connection of its own."""

    async def _deliver(
        self, message: EmailMessage
    ) -> tuple[dict[str, aiosmtplib.SMTPResponse], str]:
        client = _client(self._smtp)
        try:
            async with asyncio.timeout(self._try_timeout):
                await client.connect()
                answer = await client.send_message(message)
            # Outside the limit: what goes wrong now does not undo the delivery.
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=_QUIT_TIMEOUT)
        finally:
            client.close()
        return answer

    def _message(self, alert: Alert, now: datetime) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._smtp.sender
        message["To"] = ", ".join(self._settings.to)
        # EmailMessage would decode an encoded word (RFC 2047) that a name holds.
        message["Subject"] = messages.subject(alert).replace("=?", "= ?")
        message["Date"] = format_datetime(now)
        message["Message-ID"] = self._message_id(alert)
        # RFC 3834: nobody's holiday notice is to answer.
        message["Auto-Submitted"] = "auto-generated"
        # Any server takes quoted-printable, and a text part stays readable as it is.
        cte = "quoted-printable"
        message.set_content(_render("alert.txt", alert, now), cte=cte)
        html = _render("alert.html", alert, now)
        message.add_alternative(html, subtype="html", cte=cte)
        return message

    def _message_id(self, alert: Alert) -> str:
        # The same for every try, so that a mailbox can tell a repeat from a second
        # alert. Hashed, because a check's code is enough to ping it.
        flipped = alert.flip.created.isoformat()
        seed = f"{alert.check.code} {flipped} {self._channel_id}"
        digest = hashlib.sha256(seed.encode()).hexdigest()[:32]
        domain = parseaddr(self._smtp.sender)[1].rpartition("@")[2]
        return f"<{digest}@{domain if domain.isascii() and domain else 'hcl'}>"


def _client(smtp: SmtpConfig) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=smtp.host,
        port=smtp.port,
        username=smtp.username or None,
        password=smtp.password if smtp.username else None,
        local_hostname=_own_name(),
        # One limit for the whole try instead of one for each command.
        timeout=None,
        use_tls=smtp.security == "tls",
        start_tls=smtp.security == "starttls",
    )


def _own_name() -> str:
    # Without asking DNS, which may take long. A name without a dot is refused by some
    # servers, an address in brackets is always allowed (RFC 5321, 4.1.3).
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def _failure(error: Exception, host: str) -> DeliveryError:
    """Say in one line what went wrong with a server."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused(recipients=[_, *_] as refusals):
            told = "; ".join(f"{r.recipient}: {r.code} {r.message}" for r in refusals)
            permanent = all(_is_permanent(refusal.code) for refusal in refusals)
            return DeliveryError(_one_line(f"{host} refused {told}"), permanent)
        case aiosmtplib.SMTPResponseException(code=code, message=text) if code > 0:
            answer = _one_line(f"{host} answered {code} {text}")
            return DeliveryError(answer, _is_permanent(code))
        case aiosmtplib.SMTPConnectError():
            problem = f"cannot connect to {host}"
        case aiosmtplib.SMTPServerDisconnected():
            problem = f"{host} closed the connection"
        case aiosmtplib.SMTPException():
            problem = _one_line(f"{host}: {error.message}")
        case ValueError():
            problem = "the sender or a recipient is not a mail address"
        case _:
            problem = f"cannot send through {host}: {type(error).__name__}"
    cause = why(error)
    return DeliveryError(f"{problem}: {cause}" if cause else problem)


def _is_permanent(code: int) -> bool:
    return 500 <= code <= 599


def _one_line(text: str) -> str:
    line = messages.one_line(text)
    return line if len(line) <= 300 else f"{line[:299]}…"


def _render(template: str, alert: Alert, now: datetime) -> str:
    facts = messages.facts(alert, now)
    ping = alert.ping
    return (
        _templates()
        .get_template(template)
        .render(
            subject=messages.subject(alert),
            title=messages.one_line(alert.check.title),
            status=alert.flip.new_status,
            reason=messages.reason(alert),
            facts=facts,
            width=max(len(label) for label, _ in facts),
            body=messages.body_excerpt(ping).strip("\n"),
            cut=ping is not None and len(ping.body) > messages.EXCERPT,
            site_name=messages.one_line(alert.site_name),
        )
    )


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("hcl.transports"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
