import platform
from pathlib import Path

import pytest

from hcl import memory


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can")
def test_what_is_free_between_what_is_used_is_given_back() -> None:
    some = [bytes(1000) for _ in range(60_000)]
    kept = some[::64]
    del some
    before = resident()

    memory.give_back()

    assert before - resident() > 30_000_000
    assert kept
