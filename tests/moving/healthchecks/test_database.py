"""Reading the database of a Healthchecks, whatever it holds."""

import shutil
import sqlite3
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hcl.moving.healthchecks.database import Healthchecks
from hcl.moving.healthchecks.rows import last_ns
from tests.build import make_check
from tests.moving.commands import SOURCE

# Pings of a check with flips, as there may be where its owner keeps very many.
_MANY = 50_000
_MULTIPLY = """
INSERT INTO api_ping (owner_id, n, created, scheme, method, ua)
 WITH RECURSIVE counted(n) AS (SELECT 13 UNION ALL SELECT n + 1 FROM counted
 WHERE n < ?) SELECT 3, n, '2026-11-28 07:59:59', 'http', 'GET', '' FROM counted
"""


def test_a_log_of_any_length_takes_no_memory(tmp_path: Path) -> None:
    copy = tmp_path / "long.sqlite"
    shutil.copy(SOURCE, copy)
    with closing(sqlite3.connect(copy)) as conn, conn:
        conn.execute(_MULTIPLY, (_MANY,))

    with closing(Healthchecks(copy)) as source:
        checks = source.checks([project.id for project in source.projects])
        tracemalloc.start()
        long = next(moved for moved in checks if moved.check.id == 3)
        flips = source.flips()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert long.check.id == 3
    assert len(flips) > 10
    assert peak < 1_000_000


def at(second: int, fraction: int = 0) -> datetime:
    return datetime(2026, 11, 28, 8, 0, second, fraction, tzinfo=UTC)


@pytest.mark.parametrize(
    ("heard", "moments", "numbers"),
    [
        ([], [at(1)], [0]),
        # Without a log all that is known is when the last one came.
        ([], [at(9)], [7]),
        ([(5, "2026-11-28 08:00:02")], [at(1), at(2), at(3)], [4, 5, 5]),
        (
            [(5, "2026-11-28 08:00:02"), (6, "2026-11-28 08:00:02.000500")],
            [at(3), at(2, 400), at(2, 500), at(1)],
            [6, 5, 6, 4],
        ),
        ([(0, "2026-11-28 08:00:02")], [at(1)], [0]),
    ],
)
def test_a_flip_has_the_number_of_the_last_ping_before_it(
    heard: list[tuple[int, str]], moments: list[datetime], numbers: list[int]
) -> None:
    check = make_check(n_pings=7, last_ping=at(9))

    assert last_ns(check, iter(heard), moments) == numbers
