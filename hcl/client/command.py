"""The commands of the client: what is called where the jobs run."""

from __future__ import annotations

import os
import sys
import time

from hcl.client import stderr
from hcl.client.lengths import seconds
from hcl.client.options import Option, Options, add_to, read
from hcl.client.settings import SettingsError, load, target

# As typing has it, which takes long to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hcl.client.reporting import Report

    Given = argparse.Namespace | Options

# As most servers keep.
BODY_LIMIT = 10_000

# Of hcl itself: as sysexits.h has it. A job's own exit status is never touched.
_USAGE = 64

_COMMON = (
    Option("--server", "the server (or HCL_SERVER)", "URL", ""),
    Option(
        "--ping-key",
        "the project's ping key, for checks named by slug (or HCL_PING_KEY)",
        "KEY",
        "",
    ),
    Option("--create", "make the check if there is none yet"),
    Option(
        "--patience",
        "how long to try at the end if the server is away (default: 10s); what is not"
        " told by then is kept, and sent later",
        "TIME",
        10.0,
        seconds,
    ),
    Option("--quiet", "say nothing on stderr"),
)
_OF_RUN = (
    *_COMMON,
    Option(
        "--timeout",
        "end the command, and all that it started, after so long, which counts as a"
        " failure",
        "TIME",
        None,
        seconds,
    ),
    Option("--no-output", "do not tell what the command wrote"),
    Option("--only-failures", "tell nothing but failures"),
)
_OF_PING = (
    Option("--rid", "the run that this belongs to", "UUID", ""),
    Option("--flush", "send what could not be sent before"),
    *_COMMON,
)


def main(arguments: list[str]) -> int:
    """Run a command of the client; return its exit status."""
    _open_what_is_closed()
    command = None
    if arguments[:1] == ["run"] and "--" in arguments:
        # What stands behind it is the job's, whatever it looks like.
        dashes = arguments.index("--")
        arguments, command = arguments[:dashes], arguments[dashes + 1 :]
    options = _soon(arguments, command) or _parse(arguments, command)
    run: Callable[[Given], int] = options.function
    return run(options) if options.name in ("run", "ping") else _shown(run, options)


def _shown(run: Callable[[Given], int], options: Given) -> int:
    """Run a command that people look at, who may turn away; return its exit status."""
    try:
        if sys.stdout is not None:
            # What their terminal cannot show is no reason to show nothing.
            sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        status = run(options)
        print(end="", flush=True)
    except KeyboardInterrupt:
        return 128 + 2
    except OSError as error:
        # Else Python tries once more to write the rest, and says so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            # `| head`: whoever reads has enough.
            return 128 + 13
        said = (error.strerror or str(error)).lower()
        print(f"hcl {options.name}: {said}", file=sys.stderr)
        return 1
    return status


def _soon(arguments: list[str], command: list[str] | None) -> Options | None:
    """Return what was given to `hcl run` or `hcl ping`; None: argparse has to look."""
    name, options = arguments[0] if arguments else "", None
    if name == "run" and command is not None:
        options = read(_OF_RUN, ["check"], arguments[1:], least=1)
    elif name == "ping":
        options = read(_OF_PING, ["check", "signal"], arguments[1:])
    if options is not None:
        function = _run if name == "run" else _ping
        options.__dict__.update(name=name, function=function, command=command)
    return options


def _parse(arguments: list[str], command: list[str] | None) -> argparse.Namespace:
    """Return what was given to any command; tell of help, and of mistakes."""
    # Imported here, as what is below: jobs need none of it.
    import argparse

    parser = argparse.ArgumentParser(
        prog="hcl", description="Tell a server how the jobs of this machine fare."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands, command)
    _add_ping(commands)
    if arguments[:1] not in (["run"], ["ping"]):
        from hcl.client import checks, completion, maintenance
        from hcl.client.sync import command as sync

        for module in (checks, maintenance, sync, completion):
            module.add_to(commands)
    return parser.parse_args(arguments)


def _open_what_is_closed() -> None:
    """Have 0, 1 and 2 be something: else our own files and sockets get the numbers."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _say(options: Given) -> Callable[[str], None]:
    def say(line: str) -> None:
        if not options.quiet:
            stderr.say(f"hcl {options.name}: {line}")

    return say


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
        # Imported here: jobs come without it.
        from argparse import REMAINDER, SUPPRESS

        parser.add_argument("command", nargs=REMAINDER, help=SUPPRESS)
    add_to(parser, _OF_RUN)
    parser.set_defaults(function=_run, name="run")


def _run(options: Given) -> int:
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

    def reporting() -> Report | None:
        try:
            from hcl.client.courier import Courier
            from hcl.client.reporting import Report
            from hcl.client.spool import Spool
        except Exception as error:  # noqa: BLE001 - half a Python, say: the job goes on
            say(f"nothing can be told: {error}")
            return None
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
    add_to(parser, _OF_PING)
    parser.set_defaults(function=_ping, name="ping")


def _ping(options: Given) -> int:
    say = _say(options)
    word = _of_systemd() if options.signal == "systemd" else options.signal
    if word.isupper():
        # As systemd names what killed a service, in $EXIT_STATUS.
        # Imported here: few pings tell of one.
        import signal

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
    """Return the beginning and the end of what comes in; Ctrl-C ends the process."""
    # Imported here: at a terminal nothing comes.
    import signal

    from hcl.client.output import Output

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # Not by Python's handler, which says where in hcl that was.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    output = Output(BODY_LIMIT)
    try:
        while chunk := sys.stdin.buffer.read(65_536):
            output.add(chunk)
    except OSError:
        pass
    return output.within(BODY_LIMIT)
