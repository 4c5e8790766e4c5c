"""What is kept for later is bounded, private, and whole."""

import fcntl
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hcl.client import courier as couriers
from hcl.client import signals
from hcl.client import spool as spools
from hcl.client.courier import Courier
from hcl.client.settings import Target
from hcl.client.signals import Signal
from hcl.client.spool import Spool

DAY = 86_400.0
TARGET = Target("http://127.0.0.1:9/ping/key/job", "key", "http://127.0.0.1:9")


def keep(spool: Spool, word: str, at: float | None = None, body: bytes = b"") -> None:
    kept = spool.keep(
        Signal(TARGET, word, time.time() if at is None else at, body=body)
    )
    assert kept is not None
    spools.leave(kept)


def words(spool: Spool) -> list[str]:
    """Take all that is left, and settle it."""
    found = []
    for kept in spool.left():
        found.append(kept.signal.word)
        spools.done(kept)
    return found


def test_signals_are_private_and_come_back_in_their_order(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "spool"))

    for word in ("start", "log", "3"):
        keep(spool, word, body=b"\x00\xff\n")

    modes = [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("spool/*")]
    assert modes == [0o600] * 3
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    assert words(spool) == ["start", "log", "3"]
    assert list(tmp_path.glob("spool/*")) == []


def test_a_script_that_writes_for_its_owner_alone_has_a_folder_to_look_into(
    tmp_path: Path,
) -> None:
    # As those have it that dump a database.
    before = os.umask(0o177)
    try:
        kept = Spool(str(tmp_path / "state/spool")).keep(Signal(TARGET, "", 1.0))
        after = os.umask(0o177)
    finally:
        os.umask(before)

    assert kept is not None
    spools.leave(kept)
    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "state", tmp_path / "state/spool", Path(kept.path))
    ]
    assert [*modes, after] == [0o700, 0o700, 0o600, 0o177]


@pytest.mark.parametrize(("name", "most"), [("MOST_FILES", 3), ("MOST_BYTES", 800)])
def test_the_oldest_go_if_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    monkeypatch.setattr(spools, name, most)
    spool = Spool(str(tmp_path))
    for word in "12345":
        keep(spool, word, body=b"x" * 50)

    left = words(spool)

    assert left == list("12345")[-len(left) :]
    assert 0 < len(left) < 5
    assert spool.dropped == 5 - len(left)


def test_what_is_too_old_is_dropped(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    keep(spool, "1", at=time.time() - signals.OLDEST - 1)
    keep(spool, "2")

    assert words(spool) == ["2"]
    assert spool.dropped == 1


def test_what_is_no_signal_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "1.signal").write_bytes(b"{not json")
    (tmp_path / "2.signal").symlink_to("/etc/passwd")

    assert words(Spool(str(tmp_path))) == []
    assert not (tmp_path / "1.signal").exists()


def test_what_a_newer_one_writes_more_is_passed_over() -> None:
    text = Signal(TARGET, "3", 1.0, body=b"x\ny").dump()

    read = Signal.load(text.replace(b"{", b'{"newer": [1], ', 1))

    assert (read.word, read.at, read.body) == ("3", 1.0, b"x\ny")
    assert read.target.url == TARGET.url


def test_what_was_half_written_is_cleared_away(tmp_path: Path) -> None:
    for name in ("old", "young", "held"):
        (tmp_path / f"{name}.signal.new").write_bytes(b"{")
    for name in ("old", "held"):
        os.utime(tmp_path / f"{name}.signal.new", (0, time.time() - 3600))

    with (tmp_path / "held.signal.new").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert words(Spool(str(tmp_path))) == []

    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["held.signal.new", "young.signal.new"]


def test_bounds_hold_without_anybody_who_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "MOST_FILES", 3)
    said: list[str] = []

    for word in "12345":
        courier = Courier(Spool(str(tmp_path)), said.append)
        courier.add(Signal(TARGET, word, time.time()))
        courier.finish(0)

    assert words(Spool(str(tmp_path))) == ["3", "4", "5"]
    assert sum("dropped 1 of what was kept" in line for line in said) == 2


@pytest.mark.parametrize(
    ("wanted", "pause", "expected"),
    [
        (10.0, 60.0, True),
        (12.0, 60.0, False),
        (3600.0, 60.0, False),
        (3600.0, 0.0, True),
    ],
    ids=["as patient", "longer", "much longer", "long ago"],
)
def test_one_try_is_left_where_a_server_may_be_back(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wanted: float,
    pause: float,
    *,
    expected: bool,
) -> None:
    """With ten seconds of patience; a refusal is old after a `pause`."""
    now = [100.0]
    monkeypatch.setattr(couriers, "_LONGEST_PAUSE", pause)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    courier = Courier(Spool(str(tmp_path)), lambda _: None)
    courier._retry_after, courier._until = wanted, 109.9

    def wait(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(courier._condition, "wait", wait)

    assert courier._rest(1.0) is expected


# Keeps a signal, and is killed at the nth line of that, for each n that there is. It
# prints whether that was before `keep` was done, and what is found afterwards.
_KILLED = """
import os, signal, sys
from hcl.client import spool as spools
from hcl.client.settings import Target
from hcl.client.signals import Signal

def child(n, pipe):
    left = n
    def trace(frame, event, _):
        nonlocal left
        if not frame.f_code.co_filename.endswith("spool.py"):
            return None
        if event == "line":
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    spool = spools.Spool(sys.argv[1])
    sys.settrace(trace)
    kept = spool.keep(Signal(Target("http://h/ping/k/j", "k"), "3", 1e11, body=b"end"))
    os.write(pipe, b"k")
    spools.leave(kept)
    os._exit(0)

n = status = 1
while status:
    ours, its = os.pipe()
    pid = os.fork()
    if not pid:
        child(n, its)
    os.close(its)
    is_kept = os.read(ours, 1) == b"k"
    status = os.waitpid(pid, 0)[1]
    found = []
    for kept in spools.Spool(sys.argv[1]).left():
        found.append(kept.signal.word + kept.signal.body.decode())
        spools.done(kept)
    print(status, int(is_kept), *found)
    n += 1
"""


def test_kill_9_at_any_line_leaves_a_signal_whole_or_none(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path / "spool")],
        capture_output=True,
        text=True,
        check=True,
    )

    ends = [line.split() for line in done.stdout.splitlines()]
    killed = {(is_kept, *found) for status, is_kept, *found in ends if status == "9"}
    # Not there yet; there, and not known to be; there.
    assert killed == {("0",), ("0", "3end"), ("1", "3end")}
    assert ends[-1] == ["0", "1", "3end"]


BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.mark.parametrize("behind", [30 * 365 * DAY, -DAY], ids=["behind", "ahead"])
def test_what_a_wrong_clock_wrote_down_is_of_its_own_time(behind: float) -> None:
    now, uptime = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
    signal = Signal(TARGET, "3", now - behind - 600, boot=BOOT, uptime=uptime - 600)

    assert abs(signals.happened(signal) - (now - 600)) < 60
    # Which nobody can know after a restart.
    other = signal._replace(boot="another")
    assert signals.happened(other) == signal.at


def test_a_clock_that_is_believed_counts_though_it_was_set() -> None:
    at = time.time() - DAY
    signal = Signal(TARGET, "3", at, boot=BOOT, uptime=0.0)

    assert signals.happened(signal) == at


def test_what_a_clock_that_is_behind_wrote_down_is_not_dropped(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    kept = spool.keep(signals.dated(Signal(TARGET, "3", 1000.0)))
    assert kept is not None
    spools.leave(kept)

    assert words(spool) == ["3"]
    assert spool.dropped == 0


def test_who_has_no_home_gets_no_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a user of a container that is only a number.
    for name in ("getuid", "geteuid"):
        monkeypatch.setattr(os, name, lambda: 987_654)
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    spool = Spool("")

    assert spool.keep(Signal(TARGET, "", time.time())) is None
    assert spool.why_not == "there is no home: set HCL_SPOOL"
    assert list(spool.left()) == []
    assert list(tmp_path.iterdir()) == []
