"""The tools that send cron's mail."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import ENDS
from tests.smtpd.serving import MailServe


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed; Debian has it in the package {name}")
    return path


def test_msmtp_delivers_as_crons_sendmail(serve: MailServe, tmp_path: Path) -> None:
    check = serve.check(filter_subject=True, failure_kw="Cron")
    settings = tmp_path / "msmtprc"
    settings.write_text(
        f"""
account default
host localhost
port {serve.mail_port}
from root@box.example
tls on
tls_starttls on
tls_trust_file {serve.folder}/certificate.pem
"""
    )
    settings.chmod(0o600)
    # What cron writes to `sendmail -FCronDaemon -i -t` or with the address behind it.
    output = "x" * 5000
    mail = f"From: root (Cron Daemon)\nTo: {check['address']}\n" + (
        "Subject: Cron <root@box> /usr/local/bin/backup\n"
        "Content-Type: text/plain; charset=UTF-8\nX-Cron-Env: <SHELL=/bin/sh>\n\n"
        f"grün\n.\n{output}\n"
    )

    subprocess.run(
        [tool("msmtp"), f"--file={settings}", "-FCronDaemon", "-i", "-t"],
        input=mail.encode(),
        check=True,
        timeout=ENDS,
    )

    (ping,) = serve.pings(check)
    assert (ping["type"], ping["ua"]) == ("fail", "Email from root@box.example")
    assert f"grün\r\n.\r\n{output}\r\n".encode() in serve.body(check)


@pytest.mark.parametrize("extra", [(), ("--pipeline",), ("--tls",)], ids=str)
def test_swaks_delivers(serve: MailServe, extra: tuple[str, ...]) -> None:
    check = serve.check(name="Swaks")

    subprocess.run(
        [
            tool("swaks"),
            *("--server", f"127.0.0.1:{serve.mail_port}", "--from", "root@box"),
            *("--to", check["address"], "--body", "all good", *extra),
        ],
        check=True,
        capture_output=True,
        timeout=ENDS,
    )

    assert serve.pings(check)[0]["ua"] == "Email from root@box"
