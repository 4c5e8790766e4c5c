"""Why a connection failed, in words for people, and what to do about it.

Told from the system's own errors: libraries wrap them in some of their own, whose words
tell less or too much. The process that runs Apprise loads this file too, by its path:
nothing of hcl may be imported here, and nothing that is dear.
"""

import errno
import os
from collections.abc import Iterator

# What it is that a RuntimeError of the standard library's means by "can't start …".
NO_THREAD = "no thread can be started here: too many processes and threads run"

_TRUST = "name the file of its CA in [tls] ca_file"

# What OpenSSL says of a certificate, by its number: what is wrong, and the cure.
_VERDICTS = {
    2: ("certificate of an unknown issuer", _TRUST),
    9: (
        "certificate is not yet valid",
        "see whether the clocks of both machines are right",
    ),
    10: ("certificate has expired", "renew it on that server"),
    18: (
        "self-signed certificate",
        "name a file with that certificate in [tls] ca_file",
    ),
    19: ("self-signed certificate in certificate chain", _TRUST),
    20: (
        "unable to get local issuer certificate",
        f"{_TRUST}, or have that server send its whole chain",
    ),
    21: ("unable to verify the first certificate", _TRUST),
    23: ("certificate is revoked", "renew it on that server"),
}
_OTHER_NAME = "use the name that its certificate bears"

# What OpenSSL says where the other side does not speak TLS.
_NO_TLS = frozenset(
    (
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "WRONG_VERSION_NUMBER",
    )
)
_TOO_OLD = frozenset(
    (
        "CA_MD_TOO_WEAK",
        "DH_KEY_TOO_SMALL",
        "EE_KEY_TOO_SMALL",
        "NO_SHARED_CIPHER",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNSUPPORTED_PROTOCOL",
    )
)
_WANTS_OURS = "ALERT_CERTIFICATE_REQUIRED"


def links(error: BaseException) -> Iterator[BaseException]:
    """Go from an error to what caused it, and on."""
    link, met = error, list[BaseException]()
    while link not in met:
        met.append(link)
        yield link
        if isinstance(link, BaseExceptionGroup):
            link = link.exceptions[0]
        else:
            link = link.__cause__ or link.__context__ or link


def why(error: BaseException) -> str:
    """Say in a few words why a connection failed, and the cure; "" if it is unknown."""
    told = [words for link in links(error) if (words := _words(link))]
    verdicts = filter(None, map(_verdict, links(error)))
    return next(verdicts, told[-1] if told else "")


def is_certificate(error: BaseException) -> bool:
    """Tell whether it failed since the other side's certificate is not trusted."""
    return any(_verdict(link) for link in links(error))


def lacks_tls(error: BaseException) -> bool:
    """Tell whether it failed since the other side did not speak TLS."""
    return any(getattr(link, "reason", "") in _NO_TLS for link in links(error))


def is_unknown_name(error: BaseException) -> bool:
    """Tell whether it failed since no such host is known."""
    return any(type(link).__name__ == "gaierror" for link in links(error))


def lacks_descriptors(error: BaseException) -> bool:
    """Tell whether it failed since this process, or the system, has too many files."""
    scarce = (errno.EMFILE, errno.ENFILE)
    return any(
        isinstance(link, OSError) and link.errno in scarce for link in links(error)
    )


def _words(error: BaseException) -> str:
    if not isinstance(error, OSError):
        return ""
    if verdict := _verdict(error):
        return verdict
    # An ssl.SSLError is told by its attributes, so that ssl need not be imported. Its
    # errno is none of the system's.
    if hasattr(error, "library"):
        return _tls_words(str(getattr(error, "reason", "") or ""))
    if type(error).__name__ == "gaierror":
        return _lookup_words(error)
    # asyncio puts the address into strerror; the number tells the same in fewer words.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return (error.strerror or "").lower()


def _verdict(error: BaseException) -> str:
    number = getattr(error, "verify_code", 0)
    if not number:
        return ""
    told = str(getattr(error, "verify_message", "")).rstrip(".")
    words, cure = _VERDICTS.get(number, (told[:1].lower() + told[1:], ""))
    if "mismatch" in told:
        cure = _OTHER_NAME
    return f"{words}; {cure}" if cure else words


def _tls_words(reason: str) -> str:
    words = reason.lower().replace("_", " ")
    if reason in _NO_TLS:
        return "it does not speak TLS there"
    if reason in _TOO_OLD:
        return f"its TLS is too old or too weak ({words}); update that server"
    if reason.endswith(_WANTS_OURS):
        return "it wants a certificate of the client, and hcl has none"
    return words


def _lookup_words(error: OSError) -> str:
    words = (error.strerror or "the name is not known").lower()
    if "temporary" in words:
        return f"{words}; see whether this machine has a network and a name server"
    return f"{words}; see how it is spelt"
