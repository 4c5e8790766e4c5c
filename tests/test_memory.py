import platform
import subprocess
import sys
from pathlib import Path

import pytest

from hcl import memory

# Has threads take memory, and prints how many places of 64 MB, as glibc makes them for
# threads, there are.
PROGRAM = """
import threading
from pathlib import Path
from hcl import memory

def take(kept=[]):
    kept.append([bytes(1000) for _ in range(100)])
    together.wait()

{first}
together = threading.Barrier(3)
threads = [threading.Thread(target=take) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
maps = Path("/proc/self/maps").read_text().splitlines()
begins = [int(line.partition("-")[0], 16) for line in maps if len(line.split()) == 5]
print(sum(begin % (64 << 20) == 0 for begin in begins))
"""


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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can")
@pytest.mark.parametrize(
    ("first", "apart"), [("memory.share_one_place()", False), ("", True)]
)
def test_threads_take_memory_from_one_place(first: str, apart: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=first)],
        check=True,
        capture_output=True,
        text=True,
    )

    assert (int(done.stdout) > 0) is apart
