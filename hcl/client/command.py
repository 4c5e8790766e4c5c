"""The commands of the client: what is called where the jobs run."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hcl.client.settings import SettingsError, load, target

if TYPE_CHECKING:
    from hcl.client.reporting import Report

# As most servers keep.
BODY_LIMIT = 10_000

# Of hcl itself: as sysexits.h has it. A job's own exit status is never touched.
_USAGE = 64

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def main(arguments: list[str]) -> int:
    """Run a command of the client; return its exit status."""
    _open_what_is_closed()
    parser = argparse.ArgumentParser(
        prog="hcl", description="Tell a server how the jobs of this machine fare."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = None
    if arguments[:1] == ["run"] and "--" in arguments:
        # What stands behind it is the job's, whatever it looks like.
        dashes = arguments.index("--")
        arguments, command = arguments[:dashes], arguments[dashes + 1 :]
    _add_run(commands, command)
    _add_ping(commands)
    if arguments[:1] not in (["run"], ["ping"]):
        # Imported here: jobs need none of it.
        from hcl.client import checks, completion, maintenance
        from hcl.client.sync import command as sync

        for module in (checks, maintenance, sync, completion):
            module.add_to(commands)
    options = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.function
    return run(options)


def _open_what_is_closed() -> None:
    """Have 0, 1 and 2 be something: else our own files and sockets get the numbers."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _say(options: argparse.Namespace) -> Callable[[str], None]:
    def say(line: str) -> None:
        if options.quiet:
            return
        # Perhaps nobody reads it.
        with contextlib.suppress(OSError, ValueError):
            print(f"hcl {options.name}: {line}", file=sys.stderr, flush=True)

    return say


def _add_common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--server", default="", metavar="URL", help="the server (or HCL_SERVER)")
    add(
        "--ping-key",
        default="",
        metavar="KEY",
        help="the project's ping key, for checks named by slug (or HCL_PING_KEY)",
    )
    add("--create", action="store_true", help="make the check if there is none yet")
    add(
        "--patience",
        type=_seconds,
        default=10.0,
        metavar="TIME",
        help="how long to try at the end if the server is away (default: 10s); what"
        " is not told by then is kept, and sent later",
    )
    add("--quiet", action="store_true", help="say nothing on stderr")


def _seconds(text: str) -> float:
    """Read 90, 90s, 10m, 4h, 1d."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    try:
        seconds = float(number) * _UNITS[unit]
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90s, 10m, 4h, 1d")
    return seconds


# hcl run


def _add_run(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    command: list[str] | None,
) -> None:
    parser = commands.add_parser(
        "run",
        help="run a job, and tell how it went",
        description="Run a command, and tell the check when it starts and how it ends:"
        " its exit status, and the end of what it wrote. Its output and exit status are"
        " its own; it runs whether the server is there or not.",
        usage="%(prog)s [options] CHECK -- COMMAND [ARGUMENT ...]",
    )
    parser.add_argument("check", metavar="CHECK", help="its UUID, slug or ping URL")
    parser.set_defaults(command=command)
    if command is None:
        parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    _add_common(parser)
    add = parser.add_argument
    add(
        "--timeout",
        type=_seconds,
        metavar="TIME",
        help="end the command after so long, which counts as a failure",
    )
    add("--no-output", action="store_true", help="do not tell what the command wrote")
    add("--only-failures", action="store_true", help="tell nothing but failures")
    parser.set_defaults(function=_run, name="run")


def _run(options: argparse.Namespace) -> int:
    command, say = options.command, _say(options)
    if not command:
        say("no command is given: hcl run CHECK -- COMMAND")
        return _USAGE
    # Imported here: `hcl ping` runs nothing.
    from hcl.client.output import Output
    from hcl.client.running import run

    try:
        settings = load(options.server, options.ping_key)
        meant = target(options.check, settings)
    except SettingsError as error:
        # The job must run all the same.
        say(f"nothing can be told: {error}")
        return run(command, options.timeout)
    output = None if options.no_output else Output()

    def reporting() -> Report:
        from hcl.client.courier import Courier
        from hcl.client.reporting import Report
        from hcl.client.spool import Spool

        return Report(
            meant,
            Courier(Spool(settings.spool), say),
            output=output,
            create=options.create,
            only_failures=options.only_failures,
            patience=options.patience,
        )

    return run(command, options.timeout, output, reporting)


# hcl ping


def _add_ping(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "ping",
        help="tell one thing of a check",
        description="Send one signal: success, or the one that is named. What comes on"
        " standard input, if that is no terminal, goes with it.",
    )
    add = parser.add_argument
    add("check", nargs="?", metavar="CHECK", help="its UUID, slug or ping URL")
    add(
        "signal",
        nargs="?",
        default="",
        metavar="start|fail|log|N|systemd",
        help="N is an exit status, 0 to 255, or a signal's name, as TERM; systemd: how"
        " the service ended whose ExecStopPost= this is",
    )
    add("--rid", default="", metavar="UUID", help="the run that this belongs to")
    add("--flush", action="store_true", help="send what could not be sent before")
    _add_common(parser)
    parser.set_defaults(function=_ping, name="ping")


def _ping(options: argparse.Namespace) -> int:
    say = _say(options)
    word = _of_systemd() if options.signal == "systemd" else options.signal
    if word.isupper():
        # As systemd names what killed a service, in $EXIT_STATUS.
        number = getattr(signal, f"SIG{word}", None)
        word = str(128 + number) if number else word
    if word not in ("", "start", "fail", "log", "success") and not (
        word.isdecimal() and int(word) < 256
    ):
        say(f"{word!r} is no signal: write start, fail, log or an exit status")
        return _USAGE
    if not (options.check or options.flush):
        say("no check is given: hcl ping CHECK")
        return _USAGE
    try:
        settings = load(options.server, options.ping_key)
        meant = target(options.check, settings) if options.check else None
    except SettingsError as error:
        say(str(error))
        return _USAGE
    from hcl.client.courier import Courier
    from hcl.client.signals import Signal
    from hcl.client.spool import Spool

    courier = Courier(Spool(settings.spool), say, whole=options.flush)
    if options.flush:
        courier.start()
    if meant:
        word = "" if word == "success" else word
        body = b"" if sys.stdin is None or sys.stdin.isatty() else _standard_input()
        courier.add(Signal(meant, word, time.time(), options.rid, body, options.create))
    courier.finish(options.patience)
    return 0 if courier.all_told else 1


def _of_systemd() -> str:
    """Return how the service ended whose ExecStopPost this is; see systemd.exec(5)."""
    result = os.environ.get("SERVICE_RESULT", "")
    status = os.environ.get("EXIT_STATUS", "")
    if result == "exec-condition":
        # It had not to run, which systemd calls no failure.
        return "log"
    if result == "success":
        # By SuccessExitStatus another one than 0 may be.
        return status if status.isupper() else "success"
    # A time limit may end it well, and what never started has no exit status.
    return status if status not in ("", "0") else "fail"


def _standard_input() -> bytes:
    """Return the beginning and the end of what comes in."""
    from hcl.client.output import Output

    output = Output(BODY_LIMIT)
    with contextlib.suppress(OSError):
        while chunk := sys.stdin.buffer.read(65_536):
            output.add(chunk)
    return output.within(BODY_LIMIT)
