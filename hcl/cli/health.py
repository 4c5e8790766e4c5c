"""`hcl health`: ask the server whether it is well, for scripts and containers."""

import http.client
import math
import socket
import sys

import click

from hcl.cli.config_file import load_config
from hcl.config import HostPort, Listen

# Addresses that stand for all of a machine's, and what reaches them there.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not listened on

# Seconds: nobody waits for longer.
_LONGEST = 86_400


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        """Speak to who listens at `path`."""
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _seconds(_: click.Context, __: click.Parameter, value: float) -> float:
    # Neither less nor more than a bound, so that a range lets it pass.
    if math.isnan(value):
        raise click.BadParameter("this is no number of seconds")
    return value


@click.command()
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, _LONGEST, min_open=True),
    callback=_seconds,
    help="How long to wait.",
)
def health(explicit: str | None, timeout: float) -> None:
    """Ask the server, at its own address, whether it is well.

    The exit status is 0 if it is, else 1, and a line says what is not.
    """
    trouble = ask(load_config(explicit).server.listen, timeout)
    click.echo(trouble or "OK", err=bool(trouble))
    sys.exit(1 if trouble else 0)


def ask(listen: Listen, timeout: float) -> str:
    """Ask the server that listens there; return what is not well, "" if all is."""
    connection, name = _connection(listen, timeout)
    try:
        connection.request("GET", "/api/v3/status/")
        answer = connection.getresponse()
        text = answer.read(1000).decode(errors="replace").strip()
    except TimeoutError:
        return f"hcl at {name} does not answer within {timeout:g} s"
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        return f"hcl at {name} does not answer: {why}"
    finally:
        connection.close()
    if answer.status == 200 and text == "OK":
        return ""
    return text.splitlines()[0] if answer.status == 503 and text else _other(name)


def _other(name: str) -> str:
    return f"what answers at {name} is no hcl"


def _connection(
    listen: Listen, timeout: float
) -> tuple[http.client.HTTPConnection, str]:
    if isinstance(listen, HostPort):
        host = _ANY.get(listen.host, listen.host)
        shown = f"[{host}]" if ":" in host else host
        connection = http.client.HTTPConnection(host, listen.port, timeout=timeout)
        return connection, f"{shown}:{listen.port}"
    return UnixConnection(str(listen.path), timeout), f"unix:{listen.path}"
