"""`hcl export --toml`: today's checks as hcl.toml declares them, there and back."""

from asyncio import to_thread
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hcl.moving import toml_text
from tests.app import assembled, running_app
from tests.moving.commands import EXPECTED, checks_of, hcl
from tests.moving.serving import read
from tests.server.test_declaring import HOME, NIGHTLY, one, planned
from tests.web.api.calls import FULL, create

PROJECT = EXPECTED["projects"][0]


async def test_what_is_exported_is_adopted_without_a_change(
    moved: Callable[[str], Path],
) -> None:
    folder = moved("here")
    done = await to_thread(
        hcl, folder, "export", "--toml", "--project", PROJECT["name"]
    )
    assert done.returncode == 0, done.stderr
    path = folder / "hcl.toml"
    path.write_text(toml_text.inserted(path.read_text(), 0, done.stdout))
    columns = "code, name, slug, tags, kind, timeout, grace, schedule, tz, methods"
    kept = f"SELECT {columns} FROM checks ORDER BY id"
    before = read(folder, kept)

    plan = await to_thread(hcl, folder, "plan")
    async with assembled(path):
        pass
    after = await to_thread(hcl, folder, "plan")

    slugs = Counter(check["slug"] for check in checks_of(PROJECT))
    alone = [slug for slug, count in slugs.items() if slug and count == 1]
    lines = plan.stdout.splitlines()
    adopted = [line.split()[1] for line in lines if line.startswith("adopt ")]
    assert adopted == alone
    assert len(adopted) > 9
    # One has more tags than a file may say, and only that is different.
    long = [c for c in checks_of(PROJECT) if len(c["tags"]) > 500]
    assert len([line for line in lines if line.startswith("    ")]) == len(long)
    assert done.stdout.count("# Left out: ") == len(checks_of(PROJECT)) - len(alone)
    assert done.stdout.count("left out, since no file may say it: tags") == len(long)
    assert (after.returncode, plan.returncode) == (0, 2)
    long_codes = {check["uuid"] for check in long}
    assert [row for row in read(folder, kept) if row[0] not in long_codes] == [
        row for row in before if row[0] not in long_codes
    ]


async def test_every_field_goes_there_and_back(tmp_path: Path) -> None:
    async with running_app(tmp_path, HOME) as app:
        await create(app, **FULL, channels="Hook B")
        await create(app, slug="a", name="a\nb", schedule="Mon 08:00\nTue 09:00")
        await create(app, slug="c", name="", channels="*", schedule="5 3 * * *")
        made = (await app.api("GET", "checks/")).json()["checks"]
        done = await to_thread(hcl, tmp_path, "export", "--toml")
        await app.reload(HOME + done.stdout)
        declared = (await app.api("GET", "checks/")).json()["checks"]

    assert declared == [
        {**check, "name": check["name"].replace("\n", " "), "origin": "file"}
        for check in made
    ]
    assert done.stdout.count("channels = ") == 2
    assert "# its name has several lines\n" in done.stdout


async def test_slugs_that_no_file_may_say_are_left_out_by_name(tmp_path: Path) -> None:
    async with running_app(tmp_path, HOME) as app:
        for name in ("long", "capitals"):
            await create(app, name=name, slug=name)
        async with app.database.transaction() as conn:
            # As a Healthchecks made them of long names, or an old one by hand.
            await conn.execute(
                "UPDATE checks SET slug = iif(name = 'long', ?, 'Büro')", ("x" * 150,)
            )
        done = await to_thread(hcl, tmp_path, "export", "--toml")

    assert done.returncode == 0
    assert '# Left out: capitals has the slug "Büro", which fits in no' in done.stdout
    assert f'# Left out: long has the slug "{"x" * 59}…", which fits' in done.stdout
    assert "[[projects.checks]]" not in done.stdout


def test_one_project_at_a_time_and_one_form(moved: Callable[[str], Path]) -> None:
    folder = moved("here")
    for arguments, words in (
        (("--toml",), "the tables stand below their project: choose one with"),
        (("--toml", "--healthchecks"), "are two forms: choose one"),
    ):
        done = hcl(folder, "export", *arguments)

        assert done.returncode > 0
        assert words in done.stderr.splitlines()[-1]


async def test_a_declared_check_moves_with_its_code_and_its_log(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    async with running_app(here, HOME + NIGHTLY) as app:
        check = await one(app)
        await app.http.get(f"/ping/{check.code}")
        await to_thread(hcl, here, "export", "out.jsonl")
    (there / "hcl.toml").write_text(HOME + NIGHTLY)

    # Before any start there: else two would have one slug.
    done = await to_thread(hcl, there, "import", here / "out.jsonl")

    async with running_app(there, HOME + NIGHTLY) as app:
        moved = await one(app)
        assert await planned(app, HOME + NIGHTLY) == ["leave nightly"]
    assert done.returncode == 0, done.stderr
    assert (moved.code, moved.n_pings, moved.origin) == (check.code, 1, "file")
