"""Addresses as clients write them: read, compared, and shown in the log."""

import re
from contextlib import suppress

from hcl.config.net.hosts import ascii_host

# Characters of an argument, and of a mailbox, that the log shows: a code has many more.
_ARGUMENT = 100
_MAILBOX = 12

# Characters of the longest domain.
_DOMAIN = 255

_PATH = re.compile(r"<(?:@[^<>:]*:)?([^<>]*)>(.*)|([^<>\s]+)(.*)", re.DOTALL)
_RECIPIENT = re.compile(r"TO:\s*<?([^<>\s]*).*", re.DOTALL | re.IGNORECASE)


def read_path(arg: str) -> tuple[str | None, str | None]:
    """Return the address of MAIL or RCPT, and what follows; None: there is none.

    The null sender is "<>", as aiosmtpd knows it.
    """
    if not arg:
        return "", ""
    match = _PATH.fullmatch(arg)
    if match is None:
        return None, None
    if match[3] is not None:
        return match[3], match[4]
    return match[1].strip() or "<>", match[2]


def bare_domain(domain: str) -> str:
    """Return a domain, or an address, as it can be compared (RFC 5321, 4.1.3)."""
    domain = domain.lower().rstrip(".")
    if domain.startswith("[") and domain.endswith("]"):
        return domain[1:-1].removeprefix("ipv6:")
    return domain


def is_same_domain(domain: str, own: str) -> bool:
    """Tell whether a domain is hcl's own, which is written as for the net."""
    domain, own = bare_domain(domain), bare_domain(own)
    if domain == own:
        return True
    # With SMTPUTF8 it may come as people write it (RFC 6531). Of most domains nobody
    # does, and what reads such names takes memory.
    if domain.isascii() or "xn--" not in own or len(domain) > _DOMAIN:
        return False
    with suppress(ValueError):
        return ascii_host(domain) == own
    return False


def clean(text: str) -> str:
    """Write what a client sent so that it can be stored and logged, whatever it is.

    As of other user agents, what is no UTF-8 is read as Latin-1.
    """
    sent = text.encode("utf-8", "surrogateescape")
    try:
        text = sent.decode()
    except UnicodeDecodeError:
        text = sent.decode("latin-1")
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def shown(argument: str) -> str:
    """Write the argument of MAIL or RCPT for the log; "" or with a space behind it."""
    match = _RECIPIENT.fullmatch(argument)
    if match:
        return f"for {masked(clean(match[1])[:_ARGUMENT])} "
    return f"({clean(argument)[:_ARGUMENT]}) " if argument else ""


def masked(recipient: str) -> str:
    """Write an address for the log, but what would let its readers ping a check."""
    mailbox, at, domain = recipient.partition("@")
    key, plus, slug = mailbox.partition("+")
    if plus:
        mailbox = f"{key[:4]}…+{slug}"
    elif len(mailbox) > _MAILBOX:
        mailbox = f"{mailbox[:_MAILBOX]}…"
    return f"{mailbox}{at}{domain}"
