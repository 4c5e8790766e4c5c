"""`hcl run` in the foreground of a terminal: its keys reach the job as without."""

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.running import environment
from tests.patience import ENDS

# Says what reaches it. It naps, as a signal that comes just before `signal.pause` waits
# there for the next one.
JOB = """\
import os, signal, sys, time
def say(word): os.write(1, word.encode() + b"\\n")
signal.signal(signal.SIGINT, lambda *_: (say("interrupted"), sys.exit(9)))
signal.signal(signal.SIGCONT, lambda *_: say("continued"))
say("group of it" if os.tcgetpgrp(0) == os.getpgrp() else "in the background")
say("read " + sys.stdin.readline().strip())
while True: time.sleep(0.05)
"""


class Terminal:
    """A terminal with bash in it."""

    def __init__(self, folder: Path) -> None:
        (folder / "job.py").write_text(JOB)
        env = environment(folder, PS1="ready> ", TERM="dumb", PYTHON=sys.executable)
        self._pid, self.end = pty.fork()
        if not self._pid:
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], env)
        self.screen = ""

    def until(self, text: str) -> None:
        """Wait until a text has come since the last one that was waited for."""
        late = time.monotonic() + ENDS
        while text not in self.screen:
            ready, _, _ = select.select([self.end], [], [], late - time.monotonic())
            assert ready, f"no {text!r} on {self.screen!r}"
            self.screen += os.read(self.end, 4096).decode()
        self.screen = self.screen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def close(self) -> None:
        # Hangs up: SIGHUP for all in it.
        os.close(self.end)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize("limit", ["", "--timeout 1h "], ids=["plain", "limited"])
# What reads the pipe is in the same group, and is to outlive Ctrl-C here.
@pytest.mark.parametrize("tail", ["", " | (trap '' INT; cat)"], ids=["alone", "piped"])
def test_job_control_works(terminal: Terminal, limit: str, tail: str) -> None:
    terminal.until("ready> ")
    run = f"$PYTHON -m hcl run --quiet {limit}job -- $PYTHON ~/job.py{tail}"
    terminal.type(f"{run}\n")
    terminal.until("group of it")
    terminal.type("words\n")
    terminal.until("read words")

    terminal.type("\x1a")
    terminal.until("Stopped")
    terminal.until("ready> ")
    terminal.type("jobs | wc -l; fg\n")
    terminal.until("continued")
    terminal.type("\x03")
    terminal.until("interrupted")
    terminal.until("ready> ")
    terminal.type("echo status ${PIPESTATUS[0]}\n")

    terminal.until("status 9" if not tail else "status ")
