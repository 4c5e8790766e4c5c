"""`hcl run` and a server of several addresses, of which some never answer."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.client.running import environment, hcl, told
from tests.sinks import HttpSink

# What a name means, without a server of names.
_NAMES = """\
import socket

asked = socket.getaddrinfo


def answered(host, *rest, **more):
    if host != "hc.test":
        return asked(host, *rest, **more)
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", at) for at in {addresses}]


socket.getaddrinfo = answered
"""


@contextmanager
def silent() -> Iterator[tuple[str, int]]:
    """Yield an address at which nothing answers, as where packets get lost."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            # Those that wait for nobody to take them leave no room for others.
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()


async def test_addresses_that_never_answer_keep_nobody_from_the_one_that_does(
    tmp_path: Path,
) -> None:
    async with HttpSink() as sink:
        with silent() as first, silent() as second:
            addresses = [first, second, ("127.0.0.1", sink.port)]
            names = _NAMES.format(addresses=addresses)
            (tmp_path / "sitecustomize.py").write_text(names)
            env = environment(tmp_path, "http://hc.test")
            env["PYTHONPATH"] = f"{tmp_path}:{env['PYTHONPATH']}"

            ran = await hcl(env, "run", "job", "--", "true")

        assert (ran.status, ran.err) == (0, "")
        assert told(sink.records) == ["/start", "/0"]


async def test_when_no_address_answers_that_is_said(tmp_path: Path) -> None:
    with silent() as only:
        url = f"http://127.0.0.1:{only[1]}"
        env = environment(tmp_path, url)

        ran = await hcl(env, "ping", "--patience", "0.5s", "job")

    assert ran.status == 1
    assert "it did not answer in time; it is kept" in ran.err
