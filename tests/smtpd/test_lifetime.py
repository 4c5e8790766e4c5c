"""The mail listener as it starts, reloads and ends."""

import os
import re
import signal
import smtplib
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.patience import ENDS
from tests.server.process import Serve, until
from tests.sinks import make_certificate
from tests.smtpd.serving import DOMAIN, GOOD, TLS, MailServe, envelope, mail_of, smtpd


def test_a_database_that_cannot_be_written_is_a_temporary_error(
    tmp_path: Path,
) -> None:
    with MailServe(tmp_path) as serve:
        check = serve.check(name="Backup")
        with sqlite3.connect(tmp_path / "hcl.sqlite", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with serve.client() as client:
                client.ehlo()
                refused, _ = mail_of(client, check, GOOD)
                other.execute("ROLLBACK")
                taken, _ = mail_of(client, check, GOOD)
        other.close()

        assert (refused, taken) == (451, 250)
        assert len(serve.pings(check)) == 1


def test_sigterm_lets_a_mail_finish_and_sends_the_idle_away(tmp_path: Path) -> None:
    with MailServe(tmp_path) as serve:
        check = serve.check(name="Backup")
        with serve.wire() as idle, serve.wire() as stuck, serve.wire() as wire:
            idle.until(b"220")
            for each in (stuck, wire):
                each.send(envelope(check["address"]))
                each.until(b"354")
            begun = time.monotonic()
            serve.process.send_signal(signal.SIGTERM)
            assert b"421 4.3.2" in idle.rest()

            wire.send(GOOD + b".\r\n")
            answer = wire.rest()
            status = serve.process.wait(ENDS)
            took = time.monotonic() - begun

        assert b"250 2.0.0" in answer
        assert status == 0
        assert took < 4.5 + serve.start_seconds
        assert "Traceback" not in serve.log
    with sqlite3.connect(tmp_path / "hcl.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM log").fetchall() == [(1,)]
    connection.close()


async def test_sighup_takes_domain_size_and_certificate_anew(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    with MailServe(tmp_path, **TLS) as serve:
        check = serve.check(name="Backup")
        old = certificate_shown(serve)

        make_certificate(tmp_path)
        text = (tmp_path / "hcl.toml").read_text()
        text = text.replace(DOMAIN, "new.example").replace(
            "[smtpd]\n", "[smtpd]\nsize_limit = 5000\n"
        )
        moved = re.sub(
            r'(\[smtpd\].*?listen = ")[^"]*', r"\g<1>[::1]:1", text, flags=16
        )
        (tmp_path / "hcl.toml").write_text(moved)
        serve.process.send_signal(signal.SIGHUP)
        await until(lambda: "reloaded" in serve.log)

        with serve.client() as client:
            client.ehlo()
            client.mail("cron@box")
            refused, _ = client.rcpt(check["address"])
            taken, _ = client.rcpt(f"{check['uuid']}@new.example")
            client.data(b"x" * 6000)
        assert (refused, taken) == (550, 250)
        assert len(serve.body(check)) == 5000
        assert certificate_shown(serve) != old
        await until(lambda: "smtpd.listen has changed: restart hcl" in serve.log)


def certificate_shown(serve: MailServe) -> bytes:
    # Whoever vouches for it.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with serve.client() as client:
        client.starttls(context=context)
        tls = client.sock
        assert isinstance(tls, ssl.SSLSocket)
        shown = tls.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def test_it_says_where_it_listens_for_mail(tmp_path: Path) -> None:
    with MailServe(tmp_path) as serve:
        assert f"listens for mail on 127.0.0.1:{serve.mail_port}\n" in serve.log


def test_an_address_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        Serve(tmp_path, tables=smtpd(port))

        status, said = started(tmp_path)

    address = f"127.0.0.1:{port}"
    assert status == 1
    assert f"cannot listen on {address}: Address already in use" in said
    assert "Traceback" not in said


def started(folder: Path) -> tuple[int, str]:
    """Start a server that cannot; return its exit status and what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", "hcl", "serve"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(
    ("cert", "key", "problem"),
    [
        ("missing.pem", "key.pem", "smtpd.tls_cert: cannot read {}/missing.pem: No s"),
        ("certificate.pem", "missing", "smtpd.tls_key: cannot read {}/missing: No su"),
        ("certificate.pem", ".", "smtpd.tls_key: cannot read {}: Is a directory"),
        ("key.pem", "key.pem", "smtpd.tls_cert: no certificate in PEM form is in {}/"),
        ("certificate.pem", "certificate.pem", "smtpd.tls_key: no private key in PEM"),
        ("certificate.pem", "other/key.pem", "smtpd.tls_key: the key in {}/other/key"),
        ("certificate.pem", "locked.pem", "smtpd.tls_key: the key in {}/locked.pem h"),
        ("cut.pem", "key.pem", "smtpd.tls_cert: {}/cut.pem with the key {}/key.pem c"),
    ],
)
def test_a_wrong_certificate_is_told_in_one_line(
    tmp_path: Path, cert: str, key: str, problem: str
) -> None:
    (tmp_path / "other").mkdir()
    make_certificate(tmp_path)
    make_certificate(tmp_path / "other")
    whole = (tmp_path / "certificate.pem").read_text()
    (tmp_path / "cut.pem").write_text(whole[:200])
    (tmp_path / "locked.pem").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    MailServe(tmp_path, tls_cert=cert, tls_key=key)

    status, said = started(tmp_path)

    (line,) = said.splitlines()
    assert status == 1
    assert problem.format(tmp_path, tmp_path) in line


def test_it_takes_mail_on_a_unix_socket_and_over_v6(tmp_path: Path) -> None:
    path = tmp_path / "mail.sock"
    serve = MailServe(tmp_path)
    config = tmp_path / "hcl.toml"
    text = config.read_text()
    config.write_text(text.replace(f"127.0.0.1:{serve.mail_port}", f"unix:{path}"))
    with serve:
        check = serve.check(name="Unix")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(envelope(check["address"]) + GOOD + b".\r\nQUIT\r\n")
            client.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: client.recv(1000), b""))
        (ping,) = serve.pings(check)
        assert (b"250 2.0.0" in answer, ping["remote_addr"]) == (True, None)
        assert f"listens for mail on unix:{path}" in serve.log
        serve.stop()
    assert not path.exists()

    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    config.write_text(text.replace("127.0.0.1:" + str(serve.mail_port), "[::1]:0"))
    with serve:
        (port,) = re.findall(r"listens for mail on \[::1\]:(\d+)", serve.log)
        with smtplib.SMTP("::1", int(port), timeout=ENDS) as smtp:
            smtp.sendmail("cron@box", check["address"], GOOD)
        assert serve.pings(check)[0]["remote_addr"] == "::1"


def test_without_an_address_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    Serve(tmp_path)
    code = (
        "import sys, asyncio\n"
        "from hcl import config\nfrom hcl.server import serving\n"
        "loaded = config.load(__import__('pathlib').Path('hcl.toml'))\n"
        "async def greet(_):\n"
        "    print('aiosmtpd' in sys.modules)\n"
        "    import os, signal; os.kill(os.getpid(), signal.SIGTERM)\n"
        "serving.run(loaded, lambda: loaded, greet)\n"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent.parent)},
        capture_output=True,
        text=True,
        check=True,
        timeout=ENDS,
    ).stdout

    assert printed == "False\n"
