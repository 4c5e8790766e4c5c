"""What is kept for later is bounded, private, and whole."""

import stat
import time
from pathlib import Path

import pytest

from hcl.client import spool as spools
from hcl.client.settings import Target
from hcl.client.signals import Signal
from hcl.client.spool import Spool

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
    keep(spool, "1", at=time.time() - spools.LONGEST - 1)
    keep(spool, "2")

    assert words(spool) == ["2"]
    assert spool.dropped == 1


def test_what_is_no_signal_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "1.signal").write_bytes(b"{not json")
    (tmp_path / "2.signal").symlink_to("/etc/passwd")

    assert words(Spool(str(tmp_path))) == []
    assert not (tmp_path / "1.signal").exists()
