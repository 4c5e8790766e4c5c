"""That alerts arrive, past receivers that are broken or slow and through kill -9."""

import asyncio
import logging
import re
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from hcl.alerts.lines import CONCURRENCY
from tests import toml
from tests.patience import ENDS
from tests.server.process import Serve, until
from tests.sinks import HttpRecord, HttpSink, SmtpRecord, SmtpSink

logger = logging.getLogger(__name__)

N_CHECKS = 8
N_FLIPS = 25

NAMES = [f"check-{number}" for number in range(N_CHECKS)]
NUMBERS = range(1, N_FLIPS + 1)

# What is waiting for the healthy channels, and which channels do not deliver.
WAITING = (
    "SELECT n.id FROM notifications n JOIN channels c ON c.id = n.channel_id"
    " WHERE n.next_try IS NOT NULL AND c.name IN (?, ?, ?, ?)"
)
FAILING = "SELECT name FROM channels WHERE failing_since IS NOT NULL ORDER BY name"
TRIES = (
    "SELECT count(*) FROM tries t JOIN notifications n ON n.id = t.notification_id"
    " JOIN channels c ON c.id = n.channel_id WHERE c.name = ?"
)

HEALTHY = ("Mail", "Phone", "Script", "Slow")
BROKEN = ("Failing", "Refusing")


class Told(NamedTuple):
    """What one message says: that a check flipped `changes` times, lastly by `flip`.

    A check's flips are numbered from 1; a message of several tells of the last ones.
    """

    check: str
    status: str
    flip: int
    changes: int = 1

    @property
    def flips(self) -> range:
        """The numbers of the flips that it tells of."""
        return range(self.flip - self.changes + 1, self.flip + 1)


def of_line(line: str) -> Told:
    """Read what the webhook and the script were told to say."""
    name, status, _, number = line.split()
    return Told(name, status, int(number))


def of_text(title: str, text: str) -> Told:
    """Read a message for people, which may tell of several flips of its check."""
    label, name = title.split(": ")
    [number] = re.findall(r"^ *flip (\d+)\r?$", text, re.MULTILINE)
    # UP, DOWN and UP again, UP after 4 changes.
    words = label.split()
    status = words[-2] if words[-1] == "again" else words[0]
    changes = len(re.findall(r"^ *- (?:down|up again) at ", text, re.MULTILINE))
    omitted = re.search(r"… (\d+) changes? before these …", text)
    count = max(1, changes) + int(omitted[1] if omitted else 0)
    told = {"after": int(words[-2]) if "after" in words else 0, "again": 2}
    assert count == next((told[word] for word in words if word in told), 1)
    return Told(name, status.lower(), int(number), count)


def of_push(record: HttpRecord) -> Told:
    """Read a message of ntfy's."""
    document = httpx2.Response(200, content=record.body).json()
    return of_text(document["title"], document["message"])


def of_mail(record: SmtpRecord) -> Told:
    """Read a mail, whose two parts say the same."""
    part = record.message.get_body(("plain",))
    assert part is not None
    return of_text(str(record.message["Subject"]), part.get_content())


def query(folder: Path, sql: str, *values: Any) -> list[Any]:
    """Look into the database of a server that may run."""
    path = f"file:{folder}/hcl.sqlite?mode=ro"
    with closing(sqlite3.connect(path, uri=True)) as connection:
        return connection.execute(sql, values).fetchall()


class Killed:
    """A server that is killed and started again, which only its clients notice."""

    def __init__(self, serve: Serve) -> None:
        self.serve = serve
        self.kills = 0

    async def kill(self) -> float:
        """Kill it, start it again, and return how long it was away."""
        begun = time.monotonic()
        await asyncio.to_thread(self.serve.stop, signal.SIGKILL)
        self.kills += 1
        await asyncio.to_thread(self.serve.start)
        return time.monotonic() - begun

    async def ping(self, client: httpx2.AsyncClient, url: str, body: str) -> None:
        """Ping until that is acknowledged."""
        async with asyncio.timeout(ENDS):
            while True:
                try:
                    response = await client.post(url, content=body)
                except httpx2.TransportError:
                    await asyncio.sleep(0.02)
                    continue
                assert response.status_code == 200
                return

    async def api(self, method: str, path: str, **document: Any) -> Any:
        """Call the API."""
        return await asyncio.to_thread(self.serve.api, method, path, **document)


def repeats_of(arrivals: Iterable[Told]) -> int:
    """Count the messages that tell of a flip that was told of before."""
    heard: set[tuple[str, int]] = set()
    repeats = 0
    for told in arrivals:
        flips = {(told.check, flip) for flip in told.flips}
        repeats += bool(flips & heard)
        heard |= flips
    return repeats


def first_heard(arrivals: Iterable[Told]) -> dict[str, list[int]]:
    """Return each check's flips in the order in which they were first told of."""
    order: dict[str, list[int]] = {}
    for told in arrivals:
        heard = order.setdefault(told.check, [])
        heard += [flip for flip in told.flips if flip not in heard]
    return order


async def flip_all(
    server: Killed, client: httpx2.AsyncClient, urls: Iterable[str], numbers: range
) -> None:
    """Let all checks flip so many times, each down and up in turn."""

    async def flip(url: str) -> None:
        for number in numbers:
            fail = "/fail" if number % 2 else ""
            await server.ping(client, f"{url}{fail}", f"flip {number}")

    async with asyncio.TaskGroup() as group:
        for url in urls:
            group.create_task(flip(url))


@pytest.mark.waits
async def test_every_healthy_channel_tells_of_every_flip_in_order_despite_kill_9(
    tmp_path: Path,
) -> None:
    script = tmp_path / "told"
    script.touch()
    async with (
        SmtpSink() as mail,
        HttpSink(delay=0.05) as phone,
        HttpSink(delay=0.2) as slow,
        HttpSink(status=500) as failing,
        HttpSink(status=401) as refusing,
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        told = toml.post(slow.url, "$NAME $STATUS $BODY")
        write = f"echo $NAME $STATUS $BODY >> '{script}'"
        wrong = f"gotify://127.0.0.1:{refusing.port}/a-token-that-is-wrong"
        channels = (
            toml.email("Mail")
            + toml.channel("Phone", "ntfy", url=f"ntfy://127.0.0.1:{phone.port}/alerts")
            + toml.channel("Script", "shell", down=write, up=write)
            + toml.webhook("Slow", down=told, up=told)
            + toml.webhook("Failing", down=failing.url, up=failing.url)
            + toml.channel("Refusing", "gotify", url=wrong)
        )
        # Each comes while a message is under way, or has just come.
        moments: list[Callable[[], Awaitable[object]]] = [
            lambda: slow.wait_for(len(slow.records) + 1),
            lambda: mail.wait_for(len(mail.records) + 1),
            lambda: phone.wait_for(len(phone.records) + 1),
            lambda: growth(script),
        ]
        serve = Serve(tmp_path, channels, tables=toml.smtp(mail.port))
        with serve:
            server = Killed(serve)
            checks = [
                await server.api("POST", "checks/", name=name, channels="*")
                for name in NAMES
            ]
            urls = [check["ping_url"] for check in checks]

            parts = [range(first, first + 5) for first in range(1, N_FLIPS, 5)]
            for moment, numbers in zip(moments, parts[:-1], strict=True):
                async with asyncio.TaskGroup() as group:
                    group.create_task(flip_all(server, client, urls, numbers))
                    await moment()
                    await server.kill()
            # And once when all pings are acknowledged, but hardly a message is sent.
            await flip_all(server, client, urls, parts[-1])
            await server.kill()
            await reload_until_failing(serve)
            await until(lambda: not query(tmp_path, WAITING, *HEALTHY), 4 * ENDS)

            for check in checks:
                found = await server.api("GET", f"checks/{check['uuid']}/flips/")
                ups = [flip["up"] for flip in reversed(found["flips"])]
                assert ups == [int(number % 2 == 0) for number in NUMBERS]
            assert await asyncio.to_thread(serve.stop) == 0

    arrivals = {
        "Mail": [of_mail(record) for record in mail.records],
        "Phone": [of_push(record) for record in phone.records],
        "Script": [of_line(line) for line in script.read_text().splitlines()],
        "Slow": [of_line(record.text) for record in slow.records],
    }
    compare(arrivals, server.kills)
    look_into_outbox(tmp_path)
    # Only what was under way at a kill was not written down.
    ((failed,),) = query(tmp_path, TRIES, "Failing")
    assert 0 <= len(failing.records) - failed <= server.kills * CONCURRENCY
    assert query(tmp_path, FAILING) == [(name,) for name in BROKEN]
    assert "Traceback" not in serve.log


async def growth(file: Path) -> None:
    """Wait until a file is larger than now."""
    before = await asyncio.to_thread(file.stat)
    await until(lambda: file.stat().st_size > before.st_size)


async def reload_until_failing(serve: Serve) -> None:
    """Have what failed tried again, as who mends a config does, until it is told."""
    for reloads in range(1, 20):
        serve.process.send_signal(signal.SIGHUP)
        await until(lambda: serve.log.count("reloaded") == reloads)  # noqa: B023 - ends first
        if query(serve.folder, FAILING) == [(name,) for name in BROKEN]:
            return
    raise AssertionError(query(serve.folder, FAILING))


def compare(arrivals: dict[str, list[Told]], kills: int) -> None:
    """Find every flip of every check in what each channel told, and count repeats."""
    repeats = {name: repeats_of(told) for name, told in arrivals.items()}
    counted = f"{kills} kills; " + "; ".join(
        f"{name}: {len(told)} messages, {repeats[name]} repeats"
        for name, told in arrivals.items()
    )
    logger.info(counted)
    for name, told in arrivals.items():
        # The first of each message counts: what comes after a kill may be a repeat.
        wanted = {check: list(NUMBERS) for check in NAMES}
        assert first_heard(told) == wanted, (name, counted)
        wrong = [t for t in told if t.status != ("down" if t.flip % 2 else "up")]
        assert not wrong, name
        # What was under way at a kill comes again, and nothing else does.
        assert repeats[name] <= kills * CONCURRENCY, counted
        times = Counter((t.check, flip) for t in told for flip in t.flips)
        assert max(times.values()) <= 1 + kills, counted
    # Else no kill came when something was under way.
    assert sum(repeats.values()) > 0, counted


def look_into_outbox(folder: Path) -> None:
    """See that all is written down: of each flip over each channel every try."""
    rows = query(
        folder,
        "SELECT c.name, n.sent IS NOT NULL AND n.next_try IS NULL, n.attempts,"
        " total(NOT t.sent), total(t.sent) FROM notifications n"
        " JOIN channels c ON c.id = n.channel_id"
        " LEFT JOIN tries t ON t.notification_id = n.id GROUP BY n.id",
    )
    each = N_CHECKS * N_FLIPS
    assert Counter((name, sent) for name, sent, *_ in rows) == {
        (name, int(name in HEALTHY)): each for name in HEALTHY + BROKEN
    }
    assert all(sent == taken for _, sent, _, _, taken in rows)
    assert all(attempts == failed for _, _, attempts, failed, _ in rows)
    assert {name for name, _, attempts, *_ in rows if attempts} == set(BROKEN)


# What went out over a channel, in the order of its tries.
SENT = (
    "SELECT n.reminder, f.new_status, n.created, t.created FROM tries t"
    " JOIN notifications n ON n.id = t.notification_id"
    " JOIN flips f ON f.id = n.flip_id JOIN channels c ON c.id = n.channel_id"
    " WHERE t.sent AND c.name = ? ORDER BY t.created"
)

REMINDERS = 4


async def test_a_lasting_outage_is_repeated_every_second_despite_kill_9(
    tmp_path: Path,
) -> None:
    def reminded(name: str) -> int:
        return max((row[0] for row in query(tmp_path, SENT, name)), default=0)

    async with (
        # Some time in which it can be killed.
        HttpSink(delay=0.3) as hook,
        SmtpSink() as mail,
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        status = toml.post(hook.url, "$STATUS")
        channels = toml.email("Mail", remind_every="1s") + toml.webhook(
            "Hook", remind_every="1s", down=status, up=status
        )
        serve = Serve(tmp_path, channels, tables=toml.smtp(mail.port))
        with serve:
            server = Killed(serve)
            check = await server.api("POST", "checks/", name="Backup", channels="*")
            await server.ping(client, f"{check['ping_url']}/fail", "")
            # The second reminder was taken as a mail, and is under way to the hook.
            await until(lambda: reminded("Mail") >= 2)
            await hook.wait_for(3)
            away = await server.kill()
            for name in ("Hook", "Mail"):
                await until(lambda: reminded(name) >= REMINDERS)  # noqa: B023
            await server.ping(client, check["ping_url"], "")
            waiting = "SELECT id FROM notifications WHERE next_try IS NOT NULL"
            await until(lambda: not query(tmp_path, waiting))
            assert await asyncio.to_thread(serve.stop) == 0

    (down, up) = (at for (at,) in query(tmp_path, "SELECT created FROM flips"))
    lasted = up - down
    # How late a reminder may begin: a loop has to wake up for it.
    late = max(0.2, serve.start_seconds / 2)
    # The last of them; each comes a second after the one before, the kill delays one.
    assert REMINDERS <= lasted <= REMINDERS * (1 + late) + away + late
    subjects = [str(record.message["Subject"]) for record in mail.records]
    statuses = [record.text for record in hook.records]
    for name, arrived in (("Hook", len(hook.records)), ("Mail", len(mail.records))):
        sent = query(tmp_path, SENT, name)
        reminders = [number for number, status, *_ in sent if status == "down"]
        repeats = arrived - len(sent)
        counted = f"{name}: {len(sent)} messages, {repeats} repeats in {lasted:.2f} s"
        logger.info(counted)
        # Each was taken once, but for the one that was under way at the kill.
        assert REMINDERS <= max(reminders) <= int(lasted + late), counted
        assert reminders == list(range(max(reminders) + 1)), counted
        assert 0 <= repeats <= 1, counted
        # It is up: nothing comes after that, for nothing waits.
        assert sent[-1][:2] == (0, "up")
        pauses = [later - sooner for (*_, sooner), (*_, later) in pairwise(sent[:-1])]
        assert min(pauses) >= 1 - late, counted
        assert all(0 <= began - due < late for *_, due, began in sent), counted
    assert statuses == ["down"] * (len(statuses) - 1) + ["up"]
    assert subjects[0] == "DOWN: Backup"
    assert set(subjects[1:-1]) == {"STILL DOWN: Backup"}
    assert subjects[-1] == "UP: Backup"
    assert "Traceback" not in serve.log
