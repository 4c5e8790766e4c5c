"""[[projects.checks]]: what may stand there, and what is said of what may not."""

from pathlib import Path
from typing import get_type_hints

import pytest

from hcl.checks import declared, rules, spec
from hcl.config import KEYS
from hcl.config.mistakes import mistakes
from hcl.model import SETTINGS, Check
from tests.config import HOOK, PROJECT, read, refusal

CHECK = "[[projects.checks]]\nslug = 'nightly'\n"
PLACE = "projects[0].checks[0]"
_MINUTES, _HOURS = (",".join(map(str, r)) for r in (range(0, 60, 5), range(20)))
# It has 95 characters, and more as it is stored.
LONG = f"{_MINUTES} {_HOURS} * * mon-sun"
FULL = """\
[[projects.checks]]
slug = "nightly"
name = "Nightly"
tags = ["nas", "disk"]
desc = "two\\nlines"
schedule = "5 3 * * *"
tz = "Europe/Kiev"
grace = "30m"
channels = ["Hook"]
max_run = "2h"
min_run = "5s"
down_after = 2
early = "10m"
methods = "POST"
manual_resume = true
start_kw = "begin"
success_kw = "done"
failure_kw = "error"
filter_subject = true
filter_body = true
filter_http_body = true
filter_default_fail = true
"""


def test_every_key_is_read() -> None:
    [check] = read(PROJECT + HOOK + FULL).projects[0].checks

    assert {*check.fields, "channels", "timeout"} == {*KEYS["projects.checks"]}
    assert check.slug == "nightly"
    assert [check.fields[k] for k in ("tags", "tz", "grace", "max_run", "early")] == [
        "nas disk",
        "Europe/Kyiv",
        1800,
        7200,
        600,
    ]
    [hook] = read(PROJECT + HOOK + FULL).projects[0].channels
    assert check.channels == (hook.id,)


def test_every_setting_of_a_check_has_a_key() -> None:
    known = {*KEYS["projects.checks"]} - {"channels"}

    assert known == {*SETTINGS} - {"kind"}
    assert set(get_type_hints(Check)) >= {*SETTINGS}


def test_what_is_not_said_has_its_default() -> None:
    [check] = read(PROJECT + HOOK + CHECK).projects[0].checks
    blank = rules.new_check(1, "code", "badge")

    made = declared.as_declared(blank, check.fields)

    assert made == blank._replace(name="nightly", slug="nightly", origin="file")
    assert check.channels is None


def test_what_is_read_is_what_the_api_takes() -> None:
    [check] = read(PROJECT + HOOK + FULL).projects[0].checks

    wanted = spec.parse(check.fields)

    assert {*check.fields} == {
        name
        for name in KEYS["projects.checks"]
        if getattr(wanted, name, None) is not None
    }


WRONG = {
    "slug": ("slug = ''", "slug", "does not fit in a ping URL; use 1 to 100 of a-z"),
    "slug, capitals": ("slug = 'Nightly'", "slug", '"Nightly" does not fit'),
    "slug, long": (f"slug = '{'x' * 101}'", "slug", "does not fit"),
    "slug, missing": ("name = 'x'", "slug", "is missing"),
    "name, two lines": ('name = "a\\nb"', "name", "has a control character; use one"),
    "name, long": (f"name = '{'x' * 101}'", "name", "has 101 characters; use 100 at"),
    "tags, long": (f"tags = '{'x' * 501}'", "tags", "has 501 characters; use 500"),
    "tags, spaces": ("tags = ['a', 'b c']", "tags[1]", '"b c" has a space; use one'),
    "desc": (f"desc = '{'x' * 10001}'", "desc", "has 10,001 characters; use 10,000"),
    "timeout": ("timeout = '59s'", "timeout", '"59s" is too short; use 1m at least'),
    "timeout, number": ("timeout = 60", "timeout", "60 is not a length of time; use"),
    "timeout, long": ("timeout = '366d'", "timeout", '"366d" is too long; use 365d'),
    "grace": ("grace = '1s'", "grace", '"1s" is too short; use 1m at least'),
    "max_run": ("max_run = '0s'", "max_run", '"0s" is too short; use 1s at least'),
    "min_run": ("max_run='4s'\nmin_run='5s'", "max_run", "is less than min_run, so"),
    "min_run, grace": ("min_run = '61m'", "min_run", "is more than grace, so that"),
    "min_run, 1m": ("grace='1m'\nmin_run='2m'", "min_run", "set max_run, or make it"),
    "early": ("schedule='* * * * *'\nearly = '25h'", "early", "too long; use 1d at"),
    "early, alone": ("early = '1m'", "early", "counts only beside a schedule; add one"),
    "down_after": ("down_after = 101", "down_after", "out of range; use one from 1 to"),
    "down_after, 0": ("down_after = 0", "down_after", "0 is out of range"),
    "both": ("schedule='* * * * *'\ntimeout='1h'", "timeout", "beside schedule; use"),
    "schedule": ("schedule = 'daily!'", "schedule", "is no cron or OnCalendar express"),
    "schedule, jan": ("schedule='0 4 * jan fri-mon'", "schedule", '"0 4 * jan fri-mon'),
    "schedule, ''": ("schedule = ''", "schedule", "is no cron or OnCalendar express"),
    "schedule, never": ("schedule = '0 0 30 2 *'", "schedule", "that ever fires; use"),
    "schedule, pasted": (
        f"schedule = '{LONG}'",
        "schedule",
        "has 101 characters as it",
    ),
    "tz": ("schedule='* * * * *'\ntz='Riga'", "tz", '"Riga" is not a time zone; use'),
    "tz, alone": ("tz = 'UTC'", "tz", "counts only beside a schedule"),
    "methods": ("methods = 'GET'", "methods", "is not allowed; use POST"),
    "switch": ("manual_resume = 1", "manual_resume", "is not a boolean"),
    "channels": ("channels = ['Hok']", "channels[0]", 'did you mean "Hook"?); use one'),
    "channels, *": ("channels = '*'", "channels", "is not an array; use [ … ]"),
    "unknown": ("periode = '1h'", "periode", "unknown key"),
    "unique": ("unique = ['slug']", "unique", "unknown key"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_stand_there_is_told_with_its_place(case: str) -> None:
    line, key, words = WRONG[case]
    text = line if "slug" in case else f"slug = 'nightly'\n{line}"

    said = refusal(f"{PROJECT}{HOOK}[[projects.checks]]\n{text}\n")

    assert f"{PLACE}.{key}: " in said
    assert words in said


def test_a_slug_stands_there_once_and_in_another_project_again() -> None:
    other = "[[projects]]\nname = 'B'\nping_key = 'b'\n" + CHECK

    said = refusal(PROJECT + CHECK + CHECK)

    assert f"projects[0].checks[1].slug: is the same as {PLACE}.slug; give" in said
    assert [len(p.checks) for p in read(PROJECT + CHECK + other).projects] == [1, 1]


def test_no_more_are_declared_than_a_project_may_have() -> None:
    said = refusal(PROJECT + "check_limit = 1\n" + CHECK + CHECK.replace("ly", "s"))

    assert "check_limit: 1 is less than the 2 checks that are declared; use 2" in said


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "hcl.toml"
    path.write_text(
        PROJECT
        + "[[projects.checks]]\nname = 'Without'\ntimeout = '1 h'\n"
        + CHECK
        + "grace = '1s'\nschedule = 'x'\nbogus = 1\n"
        + CHECK
        + "[[projects.checks]]\nslug = 'Third'\ntz = 'x'\nchannels = ['y']\n"
    )

    told = mistakes(path, {})

    assert [line.removeprefix(f"{path}:").split("; ")[0] for line in told] == [
        '4: check "Without" of project "Home", slug: is missing',
        '6: check "Without" of project "Home", timeout: "1 h" is not a length of time',
        '9: check "nightly" of project "Home", grace: "1s" is too short',
        '10: check "nightly" of project "Home", schedule: "x" is no cron or OnCalendar'
        " expression that ever fires",
        '11: check "nightly" of project "Home", bogus: unknown key',
        '13: check "nightly" of project "Home", slug: is the same as'
        ' that of check "nightly" of project "Home" in line 8',
        '15: check "Third" of project "Home", slug: "Third" does not fit in a ping URL',
        '16: check "Third" of project "Home", tz: "x" is not a time zone',
        '17: check "Third" of project "Home", channels[0]: no channel of the project is'
        ' named "y"',
    ]
