"""Shell: a command of the user's own for each status."""

import asyncio
import contextlib
import errno
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from hcl.alerts.transports import NOTHING, TRY_TIMEOUT, DeliveryError, too_late
from hcl.alerts.transports.children import for_commands
from hcl.alerts.transports.placeholders import Placeholders, status_of
from hcl.alerts.transports.shell_script import PREFIX, refer
from hcl.checks.check_json import Site
from hcl.config import ChannelConfig, Config, ShellSettings
from hcl.model import Message
from hcl.outgoing.patience import Patience

# Bytes of one value: Linux takes 131,072 for NAME=value.
VALUE_LIMIT = 100_000

# Bytes of all values and their names: less than any Linux takes for environment and
# arguments, where the stack's limit is the usual one.
WHOLE_LIMIT = 1_000_000

# Seconds that are waited for output once the shell has ended: what it left behind in
# the background may hold its output open for ever.
OUTPUT_PATIENCE = 0.2

# Bytes of output that are kept, from its end.
OUTPUT_KEPT = 2_000

# Characters of a line of output that are told, and of a value that is shown.
LINE_LIMIT = 200

# Seconds between two reads of output, so that a flood leaves the loop some time.
_READ_PAUSE = 0.001
_READ_SIZE = 65_536

# Seconds of the first and of the longest pause between two looks at a process.
_PAUSES = (0.002, 0.05)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


def open_transport(channel: ChannelConfig, config: Config) -> "Shell":
    """Make the transport of a channel of the kind shell."""
    if not isinstance(channel.settings, ShellSettings):
        raise TypeError(f"{channel.name} has no settings of a shell channel")
    server = config.server
    site = Site(server.site_root, server.ping_endpoint)
    return Shell(channel.settings, site, config.path.parent)


class Shell:
    """Run what the user wrote for this status; exit status 0 is success.

    `try_timeout` is the limit in seconds of one try. A command that has not ended by
    then is asked to, and has `kill_after` seconds more for it.
    """

    def __init__(
        self,
        settings: ShellSettings,
        site: Site,
        folder: Path,
        try_timeout: float = TRY_TIMEOUT,
        kill_after: float = 2.0,
    ) -> None:
        self._settings = settings
        self._site = site
        self._folder = folder
        self._try_timeout = try_timeout
        self._kill_after = kill_after

    async def send(self, message: Message, now: datetime) -> str:
        """Run the command for the message's status; return `exit status 0`."""
        command = self._command(message)
        if not command:
            return NOTHING
        values = Placeholders(message, now, self._site).everything()
        process = self._start(refer(command, values), variables(values))
        status, output = await self._wait(process)
        if status == 0:
            return "exit status 0"
        if status < 0:
            raise DeliveryError(f"killed by {_signal_named(-status)}")
        line = _last_line(output)
        problem = f"exit status {status}" + (f": {line}" if line else "")
        # The shell's own words for a command that is not there, or cannot be run.
        raise DeliveryError(problem, permanent=status in (126, 127))

    def preview(self, message: Message, now: datetime) -> str:
        """Show the command as it is written, and what its placeholders stand for."""
        command = self._command(message)
        if not command:
            return NOTHING
        values = Placeholders(message, now, self._site).everything()
        script = refer(command, values)
        named = [n for n in values if re.search(rf"\b{PREFIX}{n}\b", script)]
        shown = [f"${n} is {_one_line(values[n]())[:LINE_LIMIT]}" for n in named]
        return "\n".join([command.strip("\n"), *shown])

    async def aclose(self) -> None:
        """Do nothing: every message has a process of its own."""

    def _command(self, message: Message) -> str:
        status = status_of(message)
        if status == "server":
            return self._settings.command("server")
        settings = self._settings
        commands = {
            "down": settings.down,
            "up": settings.up,
            "late": settings.late,
            "slow": settings.slow,
        }
        return commands.get(status, "")

    def _start(
        self, script: str, more: Mapping[bytes, bytes]
    ) -> subprocess.Popen[bytes]:
        _keep_exit_statuses()
        try:
            # Not asyncio's: how it waits for processes differs from loop to loop, and
            # to be cancelled while one starts would leave its children behind.
            return subprocess.Popen(  # noqa: S603 the command is the owner's
                ["/bin/sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                cwd=self._folder,
                env={**for_commands(), **more},
                start_new_session=True,
            )
        except OSError as error:
            cause = os.strerror(error.errno or 0).lower()
            if error.errno == errno.E2BIG:
                cause += "; put the command into a file, and call that"
            raise DeliveryError(f"cannot be started: {cause}") from error
        except ValueError:
            raise DeliveryError("cannot be started: it holds a NUL", True) from None

    async def _wait(self, process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
        """Return the exit status, or a signal's number below zero, and the output."""
        output, patience = _Output(process), self._kill_after
        try:
            async with Patience(self._try_timeout):
                status = await _ended(process)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OUTPUT_PATIENCE):
                    await output.ended.wait()
        except TimeoutError:
            raise too_late("did not end", self._try_timeout) from None
        except asyncio.CancelledError:
            # The server ends, and has little time.
            patience = 0.0
            raise
        finally:
            try:
                if process.returncode is None:
                    await _end(process, patience)
            finally:
                output.close()
        return status, output.tail


def variables(values: Mapping[str, Callable[[], str]]) -> dict[bytes, bytes]:
    """Return the variables of the environment that hold the values of placeholders.

    What no process could be given is left out: NUL, what is beyond VALUE_LIMIT, and
    what is beyond WHOLE_LIMIT in all, the last of the tags before anything else.
    """
    left, environment = min(WHOLE_LIMIT, os.sysconf("SC_ARG_MAX") // 2), {}
    # In a stable order, so that those with a number come last.
    for name in sorted(values, key=lambda name: name[-1].isdigit()):
        variable = f"{PREFIX}{name}".encode()
        # Each costs a pointer, an equals sign and a NUL too.
        left -= len(variable) + 10
        if left < 0:
            break
        value = values[name]().replace("\0", "").encode("utf-8", "replace")
        # Cut between characters.
        value = value[: min(VALUE_LIMIT, left)].decode("utf-8", "ignore").encode()
        environment[variable] = value
        left -= len(value)
    return environment


class _Output:
    """Read all that a process prints, and keep the end of it in `tail`.

    `ended` is set when nobody is left who could print more.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            raise TypeError("the process has no pipe for its output")
        self.tail = b""
        self.ended = asyncio.Event()
        self._pipe = process.stdout
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        os.set_blocking(self._pipe.fileno(), False)
        self._listen()

    def close(self) -> None:
        """Stop reading: whoever prints more gets SIGPIPE."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._pipe.fileno())
        self._pipe.close()

    def _listen(self) -> None:
        self._loop.add_reader(self._pipe.fileno(), self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._pipe.fileno(), _READ_SIZE)
        except BlockingIOError:
            return
        self.tail = (self.tail + data)[-OUTPUT_KEPT:]
        self._loop.remove_reader(self._pipe.fileno())
        if data:
            self._pause = self._loop.call_later(_READ_PAUSE, self._listen)
        else:
            self.ended.set()


async def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process, not of its output; return how it ended."""
    pause, longest = _PAUSES
    # To look again and again needs neither a thread nor a handler of signals, and is
    # the same on every system and loop.
    while (status := process.poll()) is None:
        await asyncio.sleep(pause)
        pause = min(pause * 2, longest)
    return status


async def _end(process: subprocess.Popen[bytes], kill_after: float) -> None:
    """Ask a process and all of its group to end, and end those that do not."""
    try:
        async with asyncio.timeout(kill_after):
            _signal(process, signal.SIGTERM)
            await _ended(process)
            # The group's number is nobody else's while one of the group is left.
            while _signal(process, 0):  # noqa: ASYNC110 nothing tells when they end
                await asyncio.sleep(_PAUSES[1])
    except TimeoutError:
        pass
    finally:
        # Also when this is cancelled. What the system cannot end is left to itself.
        if _signal(process, signal.SIGKILL):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)


def _signal(process: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to the group that a process began; tell if somebody was there."""
    try:
        os.killpg(process.pid, number)
    except OSError:
        return False
    return True


def _keep_exit_statuses() -> None:
    # Where a parent had us ignore SIGCHLD, the system throws exit statuses away, and
    # every command would seem to have succeeded.
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _signal_named(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:  # one of the real-time signals
        return f"signal {number}"


def _last_line(output: bytes) -> str:
    lines = [_one_line(line) for line in output.decode("utf-8", "replace").splitlines()]
    return next(filter(None, reversed(lines)), "")[:LINE_LIMIT]


def _one_line(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()
