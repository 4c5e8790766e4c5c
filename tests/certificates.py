"""Certificates for receivers of tests, with whatever may be wrong about one."""

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

_CONFIG = """
[ca]
default_ca = it
[it]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
[ext]
subjectAltName = {names}
"""

HERE = "DNS:localhost,IP:127.0.0.1"


class Authority:
    """A CA, whose certificate is in `file`; what it signs is made in its folder."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "ca.pem"
        self._folder = folder
        self._key = folder / "ca.key"
        (folder / "index").touch()
        (folder / "config").write_text(_CONFIG.format(folder=folder, names=HERE))
        command = "req -x509 -nodes -days 2 -newkey ec -subj /CN=authority"
        # Without it Python 3.13 believes no authority.
        command += " -addext keyUsage=critical,keyCertSign,cRLSign"
        curve = "-pkeyopt ec_paramgen_curve:prime256v1"
        out = f"-keyout {self._key} -out {self.file}"
        _openssl(f"{command} {curve} {out}")

    def server(
        self,
        names: str = HERE,
        begins: timedelta = -timedelta(days=2),
        ends: timedelta = timedelta(days=2),
    ) -> ssl.SSLContext:
        """Return the context of a server; its certificate is valid from and to then."""
        config = self._folder / "config"
        config.write_text(_CONFIG.format(folder=self._folder, names=names))
        key, asked, made = (self._folder / n for n in ("key.pem", "asked", "cert.pem"))
        curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
        _openssl(f"req -new -nodes {curve} -subj /CN=it -keyout {key} -out {asked}")
        _openssl(
            f"ca -batch -notext -config {config} -extensions ext -in {asked}"
            f" -cert {self.file} -keyfile {self._key} -out {made}"
            f" -startdate {_written(begins)} -enddate {_written(ends)}"
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made, key)
        return context


def _written(away: timedelta) -> str:
    return (datetime.now(UTC) + away).strftime("%Y%m%d%H%M%SZ")


def _openssl(command: str) -> None:
    subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
