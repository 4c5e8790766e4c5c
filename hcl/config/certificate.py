"""The certificate that hcl shows, and the private key that belongs to it."""

import ssl
from pathlib import Path
from typing import Literal

from hcl.config.reading import ConfigError


class CertificateError(ConfigError):
    """Certificate or key cannot be used; `key` is the setting that is to blame."""

    def __init__(self, key: Literal["tls_cert", "tls_key"], problem: str) -> None:
        super().__init__(problem)
        self.key = key


def server_context(cert: Path, key: Path) -> ssl.SSLContext:
    """Make what TLS connections are accepted with. Raises CertificateError."""
    chain, secret = _read("tls_cert", cert), _read("tls_key", key)
    if b"-----BEGIN CERTIFICATE-----" not in chain:
        raise CertificateError("tls_cert", f"no certificate in PEM form is in {cert}")
    if b"PRIVATE KEY-----" not in secret:
        raise CertificateError("tls_key", f"no private key in PEM form is in {key}")
    if b"ENCRYPTED" in secret:
        # OpenSSL would ask for it on the terminal.
        problem = f"the key in {key} has a pass phrase; use one without"
        raise CertificateError("tls_key", problem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
    except (ssl.SSLError, OSError) as error:
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            problem = f"the key in {key} does not belong to the certificate in {cert}"
            raise CertificateError("tls_key", problem) from error
        problem = f"{cert} with the key {key} cannot be used: {error}"
        raise CertificateError("tls_cert", problem) from error
    return context


def _read(key: Literal["tls_cert", "tls_key"], path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"cannot read {path}: {error.strerror}"
        raise CertificateError(key, problem) from error
