"""What went wrong with a mail server, in words, and which key of [smtp] mends it."""

import aiosmtplib

from hcl.alerts.transports import DeliveryError
from hcl.config import SmtpConfig
from hcl.outgoing.reasons import is_unknown_name, lacks_tls, why
from hcl.words.lines import cut, one_line


def failure(error: Exception, smtp: SmtpConfig) -> DeliveryError:
    """Say in one line what went wrong with a server."""
    host = smtp.host
    match error:
        case aiosmtplib.SMTPRecipientsRefused(recipients=[_, *_] as refusals):
            told = "; ".join(f"{r.recipient}: {r.code} {r.message}" for r in refusals)
            permanent = all(_is_permanent(refusal.code) for refusal in refusals)
            cure = _cure(refusals[0], smtp)
            return DeliveryError(
                answer_line(f"{host} refused {told}") + cure, permanent
            )
        case aiosmtplib.SMTPResponseException(code=code, message=text) if code > 0:
            told = answer_line(f"{host} answered {code} {text}")
            return DeliveryError(told + _cure(error, smtp), _is_permanent(code))
    # A certificate that is not trusted is a ValueError to Python, and may come as
    # itself: ask for what it is before asking for its class.
    if lacks_tls(error):
        return DeliveryError(f"cannot connect to {host}: {_without_tls(smtp)}")
    problem, cause = _problem(error, smtp), why(error)
    if is_unknown_name(error):
        cause += " in [smtp] host"
    return DeliveryError(f"{problem}: {cause}" if cause else problem)


def _problem(error: Exception, smtp: SmtpConfig) -> str:
    host = smtp.host
    match error:
        case aiosmtplib.SMTPResponseException():
            return f"{host} did not answer in SMTP; see [smtp] host and port"
        case aiosmtplib.SMTPServerDisconnected():
            return f"{host} closed the connection"
        case aiosmtplib.SMTPConnectError() | OSError():
            return f"cannot connect to {host}"
        case aiosmtplib.SMTPException():
            return answer_line(f"{host}: {error.message}") + _lacking(error, smtp)
    return f"cannot send through {host}: {type(error).__name__}"


def wants_tls(smtp: SmtpConfig) -> DeliveryError:
    """Tell of a server that waits for TLS, while hcl waits for its greeting."""
    place = f"{smtp.host}:{smtp.port} speaks TLS from the first byte on"
    other = ", or port = 587" if smtp.security == "starttls" else ""
    return DeliveryError(f'{place}; set [smtp] security = "tls"{other}')


def answer_line(text: str) -> str:
    """Bring what a server said into one line of a bearable length."""
    return cut(one_line(text), 300)


def _without_tls(smtp: SmtpConfig) -> str:
    if smtp.security == "tls":
        place = f"port {smtp.port} does not speak TLS from the first byte on"
        return f'{place}; set [smtp] security = "starttls", or port = 465'
    return "what follows STARTTLS is no TLS"


def _lacking(error: aiosmtplib.SMTPException, smtp: SmtpConfig) -> str:
    """Say what to do where a server lacks something; "" if that is not it."""
    said = error.message.upper()
    if "STARTTLS" in said:
        place = f"port {smtp.port} offers no STARTTLS"
        ways = 'security = "tls" with port = 465, or port = 587'
        return f'; {place}: set [smtp] {ways}; "none" only where nobody listens in'
    if "AUTH" in said:
        if smtp.security == "none":
            return '; it may want TLS first: set [smtp] security = "starttls"'
        return '; set [smtp] username = "" where it wants no sign-in, or another port'
    if "SMTPUTF8" in said:
        return "; use an address with ASCII letters before the @"
    return ""


def _cure(refusal: aiosmtplib.SMTPResponseException, smtp: SmtpConfig) -> str:
    """Say which key is to blame for a refusal; "" if the answer does not tell."""
    said = f"{refusal.code} {refusal.message}".lower()
    wants_sign_in = refusal.code == 530 or "relay" in said or "authenticat" in said
    if "starttls" in said and smtp.security == "none":
        return '; set [smtp] security = "starttls"'
    if isinstance(refusal, aiosmtplib.SMTPAuthenticationError):
        return "; see [smtp] username and password" if refusal.code == 535 else ""
    if wants_sign_in and not smtp.username:
        return "; it may want a sign-in: set [smtp] username and password"
    if isinstance(refusal, aiosmtplib.SMTPSenderRefused):
        blamed = refusal.code in (501, 553) or "5.1." in said or "sender" in said
        return "; see [smtp] from" if blamed else ""
    if "5.1." in said or "user unknown" in said:
        return "; see the channel's `to`"
    return ""


def _is_permanent(code: int) -> bool:
    return 500 <= code <= 599
