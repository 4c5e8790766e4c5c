"""Two machines, by the real Litestream: one serves, the other can take over."""

import asyncio
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

from hcl.server.standby.litestream import program
from hcl.server.systemd import FENCED_EXIT
from tests import toml
from tests.patience import ENDS
from tests.server.process import curl, until
from tests.server.standby.litestream import Machine
from tests.sinks import HttpSink


def hook_to(url: str) -> str:
    return toml.webhook(
        "Hook",
        down=toml.post(url, "$STATUS $NAME"),
        up=toml.post(url, "$STATUS $NAME"),
        server=toml.post(url, "server $NAME $BODY"),
    )


def rows(machine: Machine, sql: str) -> list[tuple[object, ...]]:
    uri = f"file:{machine.folder}/hcl.sqlite?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return connection.execute(sql).fetchall()


class Pings:
    """Pings a check 200 times a second; keeps which were answered, and when."""

    def __init__(self, url: str) -> None:
        self.answered: dict[str, float] = {}
        self._url = url
        self._ends = threading.Event()

    def run(self) -> None:
        with httpx2.Client(trust_env=False, verify=False) as client:
            due = time.monotonic()
            for number in range(100_000):
                due += 1 / 200
                if self._ends.wait(max(0.0, due - time.monotonic())):
                    return
                try:
                    answer = client.post(self._url, content=str(number))
                except httpx2.TransportError:
                    continue
                if answer.status_code == 200:
                    self.answered[str(number)] = time.monotonic()

    @contextmanager
    def going(self, at_least: int) -> Iterator[None]:
        """Ping beside what is done, once so many have been answered."""
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            begun = time.monotonic()
            while len(self.answered) < at_least and time.monotonic() - begun < ENDS:
                time.sleep(0.01)
            yield
        finally:
            self._ends.set()
            thread.join()


def kept(machine: Machine) -> set[str]:
    """Return what pings the database of a stopped server holds, by their bodies."""
    found = rows(machine, "SELECT body FROM inbox UNION ALL SELECT body FROM pings")
    return {bytes(body).decode() for (body,) in found if body}  # type: ignore[call-overload]


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path, "a", "b") as machine:
        yield machine


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path, "b", "a") as machine:
        yield machine


@pytest.fixture
async def hook(first: Machine, second: Machine) -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        for machine in (first, second):
            machine.have_told(hook_to(sink.url))
        yield sink


async def test_takeover_after_a_crash_loses_the_last_second_at_most(
    first: Machine, second: Machine, hook: HttpSink
) -> None:
    first.start()
    alive = first.api("POST", "checks/", name="Alive", channels="*")
    dead = first.api("POST", "checks/", name="Dead", channels="*")
    curl(dead["ping_url"])
    first.litestream.start()
    pings = Pings(alive["ping_url"])
    with pings.going(at_least=300):
        await asyncio.to_thread(first.crash)
        crashed = time.monotonic()
    certain = first.litestream.certain()

    taken = second.hcl("standby", "--take-over")
    found = kept(second)
    # Only the database allows so little.
    with closing(sqlite3.connect(second.folder / "hcl.sqlite")) as connection:
        connection.execute(
            "UPDATE checks SET timeout = 1, grace = 1 WHERE name = 'Dead'"
        )
        connection.commit()
    second.start()
    served = time.monotonic() - crashed
    curl(f"{second.root}/ping/{alive['uuid']}")
    told = [record.text for record in await hook.wait_for(2)]

    assert taken.returncode == 0, taken.stderr
    lost = [at for body, at in pings.answered.items() if body not in found]
    sys.stdout.write(
        f"lost {len(lost)} of {len(pings.answered)}; served after {served:.2f} s"
    )
    # Litestream writes several times a second, unless the machine is busy.
    assert all(at > min(certain, crashed - 1) for at in lost)
    # That of the copy, and that of the dead job: nobody else is called down.
    assert sorted(text.split()[0] for text in told) == ["down", "server"]
    assert "down Dead" in told
    assert second.api("GET", f"checks/{alive['uuid']}")["status"] == "up"


async def test_takeover_in_order_loses_nothing_and_goes_back_and_forth(
    first: Machine, second: Machine
) -> None:
    first.start()
    check = first.api("POST", "checks/", name="Alive")
    path = f"/ping/{check['uuid']}"
    first.litestream.start()
    here, there = first, second
    sent = 0
    for end in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(5):
            curl("-d", str(sent), here.root + path)
            sent += 1
        assert here.stop(end) == (-end if end == signal.SIGKILL else 0)
        assert here.litestream.stop() == 0
        taken = there.hcl("standby", "--take-over")
        assert taken.returncode == 0, taken.stderr
        assert kept(there) == set(map(str, range(sent)))
        there.start()
        there.litestream.start()
        here, there = there, here

    assert "epoch 2" in here.hcl("fence").stdout


async def test_server_that_is_taken_over_from_ends_and_stays_off(
    first: Machine, second: Machine, hook: HttpSink
) -> None:
    first.start()
    check = first.api("POST", "checks/", name="Alive", channels="*")
    hook.status = 500
    curl(f"{first.root}/ping/{check['uuid']}/fail")
    await hook.wait_for(1)
    hook.status = 200
    first.litestream.start()

    taken = second.hcl("standby", "--take-over")
    ended = await asyncio.to_thread(first.process.wait, ENDS)
    second.start()
    first.fence.rename(first.fence.with_name("away"))
    again = first.hcl("serve")
    curl(f"{second.root}/ping/{check['uuid']}")
    told = [record.text for record in (await hook.wait_for(3))[1:]]
    twice = second.hcl("standby", "--take-over")
    second.stop()
    thrice = second.hcl("standby", "--take-over")

    assert taken.returncode == 0, taken.stderr
    assert ended == again.returncode == FENCED_EXIT
    [line] = again.stderr.splitlines()
    assert "another machine has taken over (epoch 1, raised by " in line
    assert line in first.log
    # What waited is not sent again, and that is told.
    assert "Not sent: 1 message that waited there." in taken.stdout
    assert sorted(text.split()[0] for text in told) == ["server", "up"]
    assert any("1 message that waited in it" in text for text in told)
    # Whoever has taken over does not go back to what was before.
    assert "another hcl serves it" in twice.stderr
    assert "it is of epoch 0, but the database here is of epoch 1" in thrice.stderr


def broken_fence(machine: Machine) -> None:
    machine.fence.write_text("what is this?\n")


def share_that_is_not_mounted(machine: Machine) -> None:
    shutil.rmtree(machine.fence.parent)


@pytest.mark.parametrize("trouble", [broken_fence, share_that_is_not_mounted])
def test_server_that_cannot_read_the_fence_goes_on_and_says_so(
    first: Machine, trouble: Callable[[Machine], None]
) -> None:
    trouble(first)

    first.start()

    assert "WARNING the fence cannot be read: " in first.log
    assert "; hcl goes on" in first.log
    assert first.api("GET", "checks/") == {"checks": []}
    assert first.stop() == 0


def test_fence_that_is_raised_for_a_server_lets_it_go_on(
    first: Machine, second: Machine
) -> None:
    first.start()

    said = first.hcl("fence", "--raise")

    assert said.stdout.startswith("The fence stands at epoch 1, raised by ")
    assert first.hcl("fence").stdout == said.stdout
    assert first.stop() == 0
    (first.folder / "hcl.sqlite.fenced").write_text("by mistake\n")
    assert first.hcl("serve").returncode == FENCED_EXIT
    assert "epoch 2" in first.hcl("fence", "--raise").stdout
    first.start()
    assert first.api("GET", "checks/") == {"checks": []}


def test_epoch_is_read_and_written_by_commands(first: Machine) -> None:
    text = (first.folder / "hcl.toml").read_text()
    by_commands = f"fence_read = 'cat {first.fence} 2>/dev/null || true'\n"
    by_commands += f"fence_write = 'cat >{first.fence}'\n"
    changed = re.sub(r"fence = .*\n", lambda _: by_commands, text)
    (first.folder / "hcl.toml").write_text(changed)
    first.start()

    said = first.hcl("fence", "--raise").stdout

    assert said.startswith("The fence stands at epoch 1, raised by ")
    assert first.fence.read_text().startswith("1 ")


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the replica of a server that has ended."""
    folder = tmp_path_factory.mktemp("replica")
    with Machine(folder, "a", "b") as machine:
        machine.start()
        machine.litestream.start()
        machine.stop()
        machine.litestream.stop()
    return folder / "replica" / "a"


def of_another_server(first: Machine, second: Machine) -> str:
    text = (second.folder / "hcl.toml").read_text()
    (second.folder / "hcl.toml").write_text(text.replace('"Home"', '"Elsewhere"'))
    return "it is of another server: of its projects (Home) hcl.toml has none"


def of_a_server_that_was_passed(first: Machine, second: Machine) -> str:
    first.fence.write_text("7 elsewhere 2026-01-05T08:00:00Z\n")
    return "it is of epoch 0, but the fence stands at epoch 7, raised by elsewhere"


def nothing_there(first: Machine, second: Machine) -> str:
    shutil.rmtree(first.fence.parent / "a")
    return "it cannot be read ("


def damaged(first: Machine, second: Machine) -> str:
    for path in (first.fence.parent / "a").rglob("*.ltx"):
        path.write_bytes(b"x" * path.stat().st_size)
    return "it cannot be read ("


def not_of_hcl(first: Machine, second: Machine) -> str:
    shutil.rmtree(first.fence.parent / "a")
    with closing(sqlite3.connect(first.folder / "other.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (text TEXT)")
        connection.commit()
        subprocess.run(
            [
                program(),
                "replicate",
                "-once",
                str(first.folder / "other.sqlite"),
                f"file://{first.fence.parent / 'a'}",
            ],
            check=True,
            timeout=ENDS,
            capture_output=True,
        )
    return "it cannot be read: "


def no_fence(first: Machine, second: Machine) -> str:
    first.fence.unlink(missing_ok=True)
    first.fence.mkdir()
    return "the fence: "


def served_here(first: Machine, second: Machine) -> str:
    second.start()
    return f"another hcl serves it, process {second.process.pid}"


@pytest.mark.parametrize(
    "trouble",
    [
        of_another_server,
        of_a_server_that_was_passed,
        nothing_there,
        damaged,
        not_of_hcl,
        no_fence,
        served_here,
    ],
)
def test_replica_that_is_not_right_is_told_in_one_line_and_nothing_is_changed(
    replica: Path,
    first: Machine,
    second: Machine,
    trouble: Callable[[Machine, Machine], str],
) -> None:
    shutil.copytree(replica, first.fence.parent / "a")
    (second.folder / "hcl.sqlite.fenced").write_text("as it was\n")
    is_served = trouble is served_here
    if is_served:
        (second.folder / "hcl.sqlite.fenced").unlink()
    why = trouble(first, second)
    before = {path.name for path in second.folder.iterdir()}
    fence = first.fence.read_bytes() if first.fence.is_file() else b""

    done = second.hcl("standby", "--take-over")

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: nothing is taken over: ")
    assert why in line
    after = {path.name for path in second.folder.iterdir()}
    assert after - {"hcl.sqlite.lock"} == before - {"hcl.sqlite.lock"}
    assert (first.fence.read_bytes() if first.fence.is_file() else b"") == fence


async def test_standby_follows_and_says_when_the_other_machine_is_gone(
    first: Machine, second: Machine
) -> None:
    first.start()
    check = first.api("POST", "checks/", name="Alive")
    first.litestream.start()
    follower = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hcl", "standby", cwd=second.folder
    )
    copy = second.folder / "hcl.sqlite.standby"
    try:
        await until(copy.exists)
        curl("-d", "followed", f"{first.root}/ping/{check['uuid']}")
        await until(lambda: b"followed" in bodies_in(copy))
        mode = copy.stat().st_mode & 0o777
    finally:
        follower.terminate()
        status = await follower.wait()
    first.crash()
    shutil.rmtree(first.fence.parent / "a")

    refused = second.hcl("standby", "--take-over")
    taken = second.hcl("standby", "--take-over", "--from-copy")

    assert status == 0
    assert mode == 0o600
    assert refused.returncode == 1
    assert "--from-copy takes what was followed" in refused.stderr
    assert taken.returncode == 0, taken.stderr
    assert "followed" in kept(second)


# `hcl standby`, which looks more often.
_STANDBY = (
    "from hcl.cli import main; from hcl.server.standby import following as it;"
    " it.STANDS_AFTER = 1.0; it._LOOK_EVERY = 0.2; main(['standby'])"
)


async def follow(machine: Machine, text: str) -> None:
    """Follow until the copy has a ping with this body."""
    copy = machine.folder / "hcl.sqlite.standby"
    follower = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _STANDBY, cwd=machine.folder
    )
    try:
        await until(lambda: text.encode() in bodies_in(copy))
        await until(copy.with_name(f"{copy.name}-txid").exists)
    finally:
        follower.terminate()
        await follower.wait()


async def test_standby_that_was_off_for_longer_than_changes_are_kept_goes_on(
    first: Machine, second: Machine
) -> None:
    first.start()
    first.litestream.forget_soon()
    check = first.api("POST", "checks/", name="Alive")
    first.litestream.start()
    txid = second.folder / "hcl.sqlite.standby-txid"

    def is_over() -> bool:
        curl("-d", "while it was off", check["ping_url"])
        first.litestream.wait_for_sync()
        return first.litestream.has_gap(int(txid.read_text(), 16))

    curl("-d", "before", check["ping_url"])
    await follow(second, "before")
    await until(is_over)
    curl("-d", "after", check["ping_url"])

    await follow(second, "after")

    assert not [file.name for file in second.folder.glob("*.anew*")]


async def test_standby_that_is_restarted_ahead_of_the_last_snapshot_goes_on(
    first: Machine, second: Machine
) -> None:
    first.start()
    check = first.api("POST", "checks/", name="Alive")
    first.litestream.start()

    def has_snapshot() -> bool:
        curl("-d", "before", check["ping_url"])
        first.litestream.wait_for_sync()
        return first.litestream.has_snapshot()

    await until(has_snapshot)
    for body in ("one", "two", "three"):
        curl("-d", body, check["ping_url"])
        first.litestream.wait_for_sync()
        await follow(second, body)

    assert not [file.name for file in second.folder.glob("*.anew*")]


async def test_standby_goes_on_though_a_power_cut_took_how_far_it_had_come(
    first: Machine, second: Machine
) -> None:
    first.start()
    check = first.api("POST", "checks/", name="Alive")
    first.litestream.start()
    curl("-d", "before", check["ping_url"])
    await follow(second, "before")
    (second.folder / "hcl.sqlite.standby-txid").write_text("")
    curl("-d", "after", check["ping_url"])

    await follow(second, "after")


def bodies_in(copy: Path) -> set[bytes]:
    try:
        with closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT body FROM inbox").fetchall()
    except sqlite3.Error:
        return set()
    return {body for (body,) in found}
