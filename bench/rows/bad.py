"""What pings wait for, and what stays in memory, while others ask for bad things."""

import asyncio
import smtplib
import sqlite3
import time
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from urllib.parse import urlsplit

from bench import load, proc
from bench.client import Connection, keep_pinging
from bench.plan import BenchError, Plan, say
from bench.seed import seed
from bench.servers import API_KEY, Hcl, badge_of_all, free_port
from bench.table import Row, at_most, delays, percentile
from tests import toml

N_CHECKS = 1000

_WAIT_GOAL = 10
_MEMORY_GOAL = 60
_MB = 1_000_000
_CLIENTS = 64
_TAGS = 1000
_POLLS = 50
_DOMAIN = "mail.example"

# Asks for bad things for so many seconds.
_Ask = Callable[[Hcl, float], Awaitable[None]]


def measure_slow(plan: Plan) -> list[Row]:
    """Measure pings while clients ask for lists, and hardly read them."""
    what = f"{_CLIENTS} clients ask for {N_CHECKS} checks and read a byte a second"
    return _measure(plan, what, _read_slowly)


def measure_tags(plan: Plan) -> list[Row]:
    """Measure pings while lists by tags are asked for, which nobody can share."""
    return [
        *_measure(
            plan, f"a client lists by {_TAGS} tags, one after the other", _by_tag
        ),
        *_measure(plan, f"a client lists by {_TAGS} tags at once", _by_all_tags),
    ]


def measure_badge(plan: Plan) -> list[Row]:
    """Measure pings while the badge of all checks is polled."""
    what = f"the badge of {N_CHECKS} checks is polled {_POLLS} times a second"
    return _measure(plan, what, _poll)


def measure_mails(plan: Plan) -> list[Row]:
    """Measure pings while large mails come."""
    return _measure(plan, "a client sends mails of 1 MB of HTML", _send_mails)


def _measure(plan: Plan, what: str, ask: _Ask) -> list[Row]:
    seconds = plan.pick(10, 3)
    say(f"bad: {what}, {seconds} s")
    mail = toml.table("smtpd", listen=f"127.0.0.1:{free_port()}", domain=_DOMAIN)
    hcl = Hcl(plan.new_folder(), channels=mail)
    codes = load.shuffled(seed(hcl.folder, N_CHECKS))
    with hcl:
        taken = asyncio.run(_beside(hcl, codes, ask, seconds))
        held = proc.resident_bytes(hcl.pid) / _MB
    p99 = percentile(taken, 99) * 1000
    return [
        Row(f"a ping while {what}, p99", delays(taken), at_most(_WAIT_GOAL, p99, "ms")),
        Row(
            f"memory (RSS) after that: {what}",
            f"{held:.1f} MB",
            at_most(_MEMORY_GOAL, held, "MB"),
        ),
    ]


async def _beside(
    hcl: Hcl, codes: Sequence[str], ask: _Ask, seconds: float
) -> list[float]:
    taken: list[float] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(_until(ask(hcl, seconds)))
        group.create_task(keep_pinging(hcl.port, codes, seconds, taken))
    return taken


async def _until(asking: Awaitable[None]) -> None:
    await asking


async def _read_slowly(hcl: Hcl, seconds: float) -> None:
    """Have it send what a socket takes, and then no more than a byte a second."""
    request = _listing("")
    async with asyncio.TaskGroup() as group:
        for _ in range(_CLIENTS):
            group.create_task(_read_one(hcl.port, request, seconds))


async def _read_one(port: int, request: bytes, seconds: float) -> None:
    # So little that the rest stays with the server, as far as the kernel lets it.
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    try:
        writer.write(request)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if not await reader.read(1):
                raise BenchError("a slow reader was cut off")
            await asyncio.sleep(1)
    finally:
        writer.transport.abort()


async def _by_tag(hcl: Hcl, seconds: float) -> None:
    async with Connection(hcl.port) as connection:
        end = time.perf_counter() + seconds
        for number in range(_TAGS):
            await _ask(connection, f"?tag=home&tag=t{number}")
            if time.perf_counter() > end:
                return


async def _by_all_tags(hcl: Hcl, seconds: float) -> None:
    # More would be refused, as too long a request.
    query = "?" + "&".join(["tag=a"] * _TAGS)
    async with Connection(hcl.port) as connection:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            await _ask(connection, query)


async def _ask(connection: Connection, query: str) -> None:
    if await connection.ask(_listing(query)) != 200:
        raise BenchError("a list was refused")


def _listing(query: str) -> bytes:
    head = f"GET /api/v3/checks/{query} HTTP/1.1\r\nHost: bench\r\n"
    return f"{head}X-Api-Key: {API_KEY}\r\n\r\n".encode()


async def _poll(hcl: Hcl, seconds: float) -> None:
    path = await asyncio.to_thread(badge_of_all, hcl)
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    async with Connection(hcl.port) as connection:
        for _ in range(round(seconds * _POLLS)):
            due = time.perf_counter() + 1 / _POLLS
            if await connection.ask(request) != 200:
                raise BenchError("a badge was refused")
            await asyncio.sleep(max(0.0, due - time.perf_counter()))


async def _send_mails(hcl: Hcl, seconds: float) -> None:
    await asyncio.to_thread(_mail, hcl, seconds)


def _mail(hcl: Hcl, seconds: float) -> None:
    text = (hcl.folder / "hcl.toml").read_text()
    port = urlsplit(f"//{tomllib.loads(text)['smtpd']['listen']}").port or 0
    row = (
        "<tr><td>host&nbsp;1</td><td style='color:red'>Backup of <b>/srv</b></td></tr>"
    )
    html = f"<html><body><table>{row * (1_000_000 // len(row))}</table></body></html>"
    # As it goes over the line: smtplib's own reading of it would keep the pings of this
    # process waiting.
    mail = f"Subject: done\r\nContent-Type: text/html\r\n\r\n{html}\r\n.\r\n".encode()
    with closing(sqlite3.connect(hcl.folder / "hcl.sqlite")) as connection:
        [(code,)] = connection.execute("SELECT code FROM checks LIMIT 1").fetchall()
    end = time.perf_counter() + seconds
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo()
        while time.perf_counter() < end:
            _say(client, "MAIL FROM:<a@b.example>", 250)
            _say(client, f"RCPT TO:<{code}@{_DOMAIN}>", 250)
            _say(client, "DATA", 354)
            client.send(mail)
            _expect(client.getreply(), 250)


def _say(client: smtplib.SMTP, command: str, code: int) -> None:
    _expect(client.docmd(command), code)


def _expect(reply: tuple[int, bytes], code: int) -> None:
    if reply[0] != code:
        raise BenchError(f"a mail was refused: {reply}")
