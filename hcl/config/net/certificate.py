"""The certificate that hcl shows, and its private key; and the CAs that it trusts."""

import ssl
from pathlib import Path
from typing import Literal

from hcl.config.reading import ConfigError
from hcl.config.rights import why_not

Setting = Literal["tls_cert", "tls_key", "ca_file"]


class CertificateError(ConfigError):
    """Certificate or key cannot be used; `key` is the setting that is to blame."""

    def __init__(self, key: Setting, problem: str) -> None:
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


def check_authorities(path: Path) -> None:
    """Refuse a file that holds no certificate to trust. Raises CertificateError."""
    if b"-----BEGIN" not in _read("ca_file", path):
        problem = f"no certificate in PEM form is in {path}"
        raise CertificateError("ca_file", problem)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (ssl.SSLError, OSError) as error:
        problem = f"{path} cannot be used: {error}"
        raise CertificateError("ca_file", problem) from error


def _read(key: Setting, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"cannot read {path}: {why_not(error, path)}"
        raise CertificateError(key, problem) from error
