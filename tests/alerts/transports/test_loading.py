"""Libraries of transports: imported when they are needed, and not on the loop."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import toml

# Sends a message, and prints what the thread of the loop imports meanwhile.
PROGRAM = """
import asyncio, sys, threading
from datetime import UTC, datetime
from pathlib import Path
from hcl import config as configuration
from hcl.alerts import trial

class Seen:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            print(name)

async def main():
    config = configuration.load(Path(sys.argv[1]))
    channel = config.projects[0].channels[0]
    message = trial.example(config, "Home", datetime.now(UTC), "down")
    # Threads begin on the first use.
    await asyncio.to_thread(int)
    sys.meta_path.insert(0, Seen())
    done = await trial.send(config, channel, message, datetime.now(UTC))
    assert not done.arrived, done

asyncio.run(main())
"""

# To import one of them takes milliseconds.
LARGE = {"aiosmtplib", "anyio", "email", "h11", "httpcore2", "httpx2", "jinja2"}


@pytest.mark.parametrize(
    "channel",
    [
        toml.webhook("Hook", down="http://127.0.0.1:1/"),
        toml.email("Mail"),
    ],
)
def test_the_first_message_imports_in_another_thread(
    tmp_path: Path, channel: str
) -> None:
    path = tmp_path / "hcl.toml"
    path.write_text(toml.smtp(1, **{"from": "a@b.example"}) + toml.project() + channel)

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )

    assert not LARGE & {name.partition(".")[0] for name in done.stdout.split()}
