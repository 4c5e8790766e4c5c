"""Options and lengths are read as argparse would, only sooner."""

import math

import pytest

from hcl.client import command
from hcl.client.lengths import seconds, whole_seconds

COMMAND = ["true"]


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0", 0.0),
        ("90", 90.0),
        ("90s", 90.0),
        ("0.5s", 0.5),
        ("10m", 600.0),
        ("1.5h", 5400.0),
        ("1d", 86_400.0),
        ("2w", 1_209_600.0),
    ],
)
def test_lengths_are_read(text: str, length: float) -> None:
    assert math.isclose(seconds(text), length)


@pytest.mark.parametrize(
    "text",
    ["", "s", "-1", "1 h", "1y", "h1", "nan", "inf", "1e3", "1_0", "1..2", "9e9"],
)
def test_what_is_no_length_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no time: write 90s, 10m, 4h, 1d, 2w"):
        seconds(text)


def test_a_check_has_whole_seconds() -> None:
    assert whole_seconds("1.5h") == 5400
    with pytest.raises(ValueError, match="no whole number of seconds"):
        whole_seconds("0.5s")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "job"],
        ["run", "--timeout", "2h", "job", "--quiet"],
        ["run", "--timeout=2h", "--create", "job", "--no-output", "--only-failures"],
        [
            "run",
            "--server",
            "https://a.example",
            "--ping-key=k",
            "--patience",
            "0",
            "j",
        ],
        ["ping", "job"],
        ["ping", "job", "fail", "--rid", "x"],
        ["ping", "--flush"],
    ],
    ids=" ".join,
)
def test_what_is_plain_is_read_as_argparse_reads_it(arguments: list[str]) -> None:
    job = COMMAND if arguments[0] == "run" else None

    soon, slow = command._soon(arguments, job), command._parse(arguments, job)

    assert soon is not None
    options = vars(soon)
    # A word that is not given is "" or None, and neither names a check.
    assert {**options, "check": options["check"] or None} == {
        "command": job,
        **vars(slow),
    }


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["run"],
        ["run", "--help"],
        ["run", "--time", "2h", "job"],
        ["run", "--timeout", "soon", "job"],
        ["run", "--timeout", "--quiet", "job"],
        ["run", "--timeout=", "job"],
        ["run", "--quiet=yes", "job"],
        ["run", "job", "another"],
        ["run", "job", "--timeout"],
        ["ping", "job", "-1"],
        ["ping", "a", "b", "c"],
        ["checks", "list"],
    ],
    ids=" ".join,
)
def test_all_else_is_left_to_argparse(arguments: list[str]) -> None:
    job = COMMAND if arguments[:1] == ["run"] else None

    assert command._soon(arguments, job) is None


def test_help_shows_nothing_that_is_not_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        command.main(["run", "--help"])

    assert "SUPPRESS" not in capsys.readouterr().out
