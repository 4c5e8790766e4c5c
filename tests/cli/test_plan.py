"""`hcl plan`, by the real command: what it says, and its exit status."""

from asyncio import to_thread
from pathlib import Path

import pytest

from hcl import config as configuration
from tests import toml
from tests.app import running_app
from tests.moving.commands import hcl
from tests.server.test_declaring import HOME as SMALL
from tests.server.test_declaring import NIGHTLY, declare
from tests.web.api.calls import create

HOME = SMALL.replace("check_limit = 3", "check_limit = 10")


async def test_plan_says_what_a_reload_would_do_and_does_not_do_it(
    tmp_path: Path,
) -> None:
    gone = declare("gone")
    async with running_app(tmp_path, HOME + NIGHTLY + gone + declare("same")) as app:
        await create(app, slug="by-hand")
        for _ in "ab":
            await create(app, slug="twice")
        wanted = HOME + declare("nightly", grace="30m", desc="x")
        wanted += declare("same") + declare("new") + declare("by-hand", channels=[])
        app.config.path.write_text(wanted + declare("twice") + toml.project("B", "b"))

        # The server runs on.
        done = await to_thread(hcl, tmp_path, "plan")
        again = await to_thread(hcl, tmp_path, "plan", "--config", "hcl.toml")

        await app.use(configuration.load(app.config.path))
        after = await to_thread(hcl, tmp_path, "plan")
    assert done == again
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        'project "B" is new',
        'change nightly of "Home"',
        "    desc",
        "    grace: 1 hour -> 30 minutes",
        'create new of "Home"',
        'adopt by-hand of "Home": it was made otherwise; its URL and history stay',
        '    name: "" -> "by-hand"',
        'refuse twice of "Home": it is left as it is; see the warning',
        'let go gone of "Home": it is not in the file any more: it is paused, and keeps'
        " its history",
        "leave 1 check as it is",
        "6 things to do",
    ]
    assert done.stderr.startswith('warning: check "twice" of project "Home" is decl')
    assert after.returncode == 2
    assert after.stdout.splitlines()[1:] == [
        "leave 4 checks as they are",
        "1 thing to do",
    ]


async def test_a_schedule_in_the_place_of_a_timeout_is_shown_with_that(
    tmp_path: Path,
) -> None:
    by_timeout = HOME + declare("nightly", timeout="1d")
    by_schedule = HOME + declare("nightly", schedule="5 3 * * *")
    async with running_app(tmp_path, by_timeout) as app:
        app.config.path.write_text(by_schedule)
        there = await to_thread(hcl, tmp_path, "plan")
        await app.reload(by_schedule)
        app.config.path.write_text(by_timeout)
        back = await to_thread(hcl, tmp_path, "plan")

    line = '    schedule: a timeout of 1 day -> "5 3 * * *"'
    assert there.stdout.splitlines()[1] == line
    line = '    timeout: the schedule "5 3 * * *" -> 1 day'
    assert back.stdout.splitlines()[1] == line


async def test_what_others_wrote_gives_a_terminal_no_orders(tmp_path: Path) -> None:
    async with running_app(tmp_path, HOME) as app:
        await create(app, slug="nightly", name="a\x9b2J\u202eb")
        app.config.path.write_text(HOME + declare("nightly", name="n"))

        done = await to_thread(hcl, tmp_path, "plan")

    assert '    name: "a2Jb" -> "n"' in done.stdout.splitlines()


async def test_nothing_to_do_is_0(tmp_path: Path) -> None:
    async with running_app(tmp_path, HOME + NIGHTLY):
        done = await to_thread(hcl, tmp_path, "plan")
    assert (done.returncode, done.stdout) == (
        0,
        "leave 1 check as it is\nnothing to do\n",
    )


def test_before_the_first_start_all_is_new(tmp_path: Path) -> None:
    (tmp_path / "hcl.toml").write_text(HOME + NIGHTLY)

    done = hcl(tmp_path, "plan")

    assert done.returncode == 2
    assert done.stdout.splitlines()[1:] == ['create nightly of "Home"', "1 thing to do"]
    assert [path.name for path in tmp_path.iterdir()] == ["hcl.toml"]


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        (HOME + NIGHTLY + NIGHTLY, (), 'check "nightly" of project "Home", slug: is'),
        (HOME + declare("x", name="a\nb"), (), "name: has a control character"),
        ("nonsense", (), "is not TOML"),
        (HOME, ("--config", "nowhere.toml"), "cannot be read: No such file"),
        (HOME, ("--nonsense",), "No such option"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_and_is_1(
    tmp_path: Path, text: str, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "hcl.toml").write_text(text)

    done = hcl(tmp_path, "plan", *arguments)

    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]


def test_a_database_that_cannot_be_read_is_1(tmp_path: Path) -> None:
    (tmp_path / "hcl.toml").write_text(HOME)
    (tmp_path / "hcl.sqlite").write_bytes(b"nonsense" * 600)

    done = hcl(tmp_path, "plan")

    assert done.returncode == 1
    assert "hcl.sqlite" in done.stderr.splitlines()[-1]


def test_schedules_from_elsewhere_are_told_as_they_are_stored(tmp_path: Path) -> None:
    declared = declare("nightly", schedule="@daily")
    declared += declare("plain", schedule=" 5 3 * * * ")
    declared += declare("any", schedule="0~30 3 * * *")
    declared += declare("blanks", schedule=" 0  4 * * * ")
    (tmp_path / "hcl.toml").write_text(HOME + declared)

    done = hcl(tmp_path, "plan")

    assert done.stdout.splitlines()[:2] == [
        "nightly: @daily is stored as 0 0 * * *",
        "any: 0~30 3 * * * is stored as 0 3 * * *, the first moment that cron may pick:"
        " let grace cover the 30 minutes after it",
    ]
    assert "plain: " not in done.stdout
    assert "blanks: " not in done.stdout
