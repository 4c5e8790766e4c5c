"""The benchmark's command, on its smallest group."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import parse
from bench.groups import GROUPS, described
from bench.table import Row, at_least, at_most, percentile, render

ROOT = Path(__file__).parent.parent


def test_all_groups_are_measured_unless_some_are_named() -> None:
    assert parse([]).only == list(GROUPS)
    assert parse(["--only", "disk", "rates"]).only == ["rates", "disk"]


def test_parts_are_all_groups_and_none_twice() -> None:
    parts = [parse(["--part", part]).only for part in ("1", "2", "3")]

    assert sorted(name for part in parts for name in part) == sorted(GROUPS)
    assert parse(["--part", "3", "--only", "get"]).only == ["get", *parts[2]]


def test_each_part_takes_less_than_half_an_hour() -> None:
    for part in (1, 2, 3):
        assert sum(g.seconds for g in GROUPS.values() if g.part == part) < 1500


def test_help_tells_of_every_group() -> None:
    assert all(f"  {name} " in described() for name in GROUPS)


def test_a_quick_run_has_fewer_rounds_unless_told_otherwise() -> None:
    assert parse([]).rounds > parse(["--quick"]).rounds
    assert parse(["--quick", "--rounds", "7"]).rounds == 7


@pytest.mark.parametrize("arguments", [["--only", "luck"], ["--rounds", "0"]])
def test_what_cannot_be_measured_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)


def test_a_goal_tells_whether_it_was_met() -> None:
    assert at_least(0.9, 0.91) == "≥ 0.9: met"
    assert at_most(50, 51.5, "MB") == "≤ 50 MB: **missed**"


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert render([Row("a|b", "1")]).endswith("| a\\|b | 1 | – |")


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(n) for n in range(200, 0, -1)]

    assert percentile(values, 50) == 100
    assert percentile(values, 99) == 198
    assert percentile([3.0], 99) == 3


def test_a_quick_run_prints_a_table_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--quick", "--only", "start"]

    finished = subprocess.run(
        [*command, "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    machine, _, heads, rule, started, imported, *_ = finished.stdout.splitlines()
    assert "SQLite" in machine
    assert (heads, rule) == (
        "| figure | measured | goal |",
        "| --- | --- | --- |",
    )
    assert started.startswith("| from `hcl serve` to the first 200")
    assert "hcl.db" in imported or "modules" in imported
    assert not list(tmp_path.iterdir())
