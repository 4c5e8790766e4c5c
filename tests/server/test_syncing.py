import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from hcl import config as configuration
from hcl import store
from hcl.server.syncing import Synced, foresee, sync
from tests import toml
from tests.app import App, running_app
from tests.build import NOW
from tests.store import put_check, put_flip, rows
from tests.store.test_projects import enabled

ID = "0c9b4c0e-3c8b-4f6e-9d76-0d6a7c3a8e11"
WRITTEN = ("projects", "channels", "channels_projects", "checks_channels", "settings")
OTHER_ID = "1c9b4c0e-3c8b-4f6e-9d76-0d6a7c3a8e11"
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def project(name: str, *hooks: str, **keys: str) -> str:
    """Write a project; its ping key is made of its name."""
    keys = {"ping_key": name.lower()} | keys
    return "\n".join([toml.project(name, **keys), *hooks, ""])


def hook(
    name: str, id_: str = "", down: bool = True, up: bool = True, events: str = ""
) -> str:
    """Write a webhook, with an address for each status that it tells of."""
    keys: dict[str, toml.Value] = {"id": id_} if id_ else {}
    keys |= {"events": toml.Raw(events)} if events else {}
    keys |= {"down": "http://127.0.0.1:9/down"} if down else {}
    keys |= {"up": "http://127.0.0.1:9/up"} if up else {}
    return toml.webhook(name, **keys)


async def resync(app: App, folder: Path, *parts: str) -> Synced:
    """Sync with another hcl.toml, as a reload does."""
    path = folder / "hcl.toml"
    path.write_text("\n".join(parts))
    return await sync(app.database, configuration.load(path), NOW)


async def project_rows(app: App) -> list[Any]:
    return await rows(
        app.database, "SELECT id, name, ping_key, enabled FROM projects ORDER BY id"
    )


async def channel_rows(app: App) -> list[Any]:
    return await rows(
        app.database, "SELECT id, name, enabled FROM channels ORDER BY id"
    )


async def test_first_sync_makes_what_the_file_describes(tmp_path: Path) -> None:
    home = project("Home", "check_limit = 7", hook("A"), hook("B"))
    async with running_app(tmp_path, home + project("Work", hook("A"))) as app:
        assert await enabled(app.database.committed) == list(app.synced.projects)
        first, second = app.synced.projects
        assert (first.name, first.ping_key, first.check_limit) == ("Home", "home", 7)
        assert (second.name, second.ping_key) == ("Work", "work")
        assert UUID.fullmatch(first.code)
        assert first.badge_key != second.badge_key
        assert await channel_rows(app) == [(1, "A", 1), (2, "B", 1), (3, "A", 1)]
        assert {id_: c.name for id_, c in app.synced.channels.items()} == {
            1: "A",
            2: "B",
            3: "A",
        }
        assert [
            c.name for c in await store.channels.of_project(app.database.committed, 2)
        ] == ["A"]


async def test_syncing_again_changes_nothing(tmp_path: Path) -> None:
    text = project("Home", hook("A")) + project("Work", hook("A"))
    async with running_app(tmp_path, text) as app:
        tables = ("projects", "channels", "settings")
        before = [await rows(app.database, f"SELECT * FROM {t}") for t in tables]

        synced = await resync(app, tmp_path, text)

        assert synced == app.synced
        after = [await rows(app.database, f"SELECT * FROM {t}") for t in tables]
        assert after == before


async def test_projects_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    async with running_app(tmp_path, project("A") + project("B")) as app:
        synced = await resync(app, tmp_path, project("B"), project("C"), project("A"))

        assert [(p.name, p.id) for p in synced.projects] == [
            ("B", 2),
            ("C", 3),
            ("A", 1),
        ]


async def test_project_renamed_with_its_id_stays_the_same(tmp_path: Path) -> None:
    async with running_app(tmp_path, project("Home", id=ID)) as app:
        [before] = app.synced.projects

        [after] = (await resync(app, tmp_path, project("House", id=ID))).projects

        assert (after.id, after.code, after.name) == (before.id, ID, "House")
        assert after.badge_key == before.badge_key
        assert await project_rows(app) == [(1, "House", "house", 1)]


async def test_project_renamed_without_an_id_is_a_new_one(tmp_path: Path) -> None:
    async with running_app(tmp_path, project("Home", hook("A"))) as app:
        await put_check(app.database, 1)

        await resync(app, tmp_path, project("House", hook("A"), ping_key="home"))

        assert await project_rows(app) == [
            (1, "Home", None, 0),
            (2, "House", "home", 1),
        ]
        assert await channel_rows(app) == [(1, "A", 0), (2, "A", 1)]
        assert await rows(app.database, "SELECT project_id FROM checks") == [1]


async def test_project_that_gets_an_id_is_found_by_its_name(tmp_path: Path) -> None:
    async with running_app(tmp_path, project("Home", hook("A"))) as app:
        await resync(app, tmp_path, project("Home", hook("A", OTHER_ID), id=ID))
        synced = await resync(
            app, tmp_path, project("House", hook("Z", OTHER_ID), id=ID)
        )

        assert [(p.id, p.code) for p in synced.projects] == [(1, ID)]
        assert await project_rows(app) == [(1, "House", "house", 1)]
        assert await channel_rows(app) == [(1, "Z", 1)]
        assert await rows(app.database, "SELECT code FROM channels") == [OTHER_ID]


async def test_two_projects_can_swap_their_names(tmp_path: Path) -> None:
    text = project("A", id=ID) + project("B", id=OTHER_ID)
    async with running_app(tmp_path, text) as app:
        swapped = project("B", id=ID) + project("A", id=OTHER_ID)

        synced = await resync(app, tmp_path, swapped)

        assert [(p.id, p.name) for p in synced.projects] == [(1, "B"), (2, "A")]


async def test_two_projects_can_swap_their_ping_keys(tmp_path: Path) -> None:
    text = project("A", ping_key="a") + project("B", ping_key="b")
    async with running_app(tmp_path, text) as app:
        await resync(
            app, tmp_path, project("A", ping_key="b"), project("B", ping_key="a")
        )

        assert await project_rows(app) == [(1, "A", "b", 1), (2, "B", "a", 1)]


async def test_project_taken_out_and_back_in_keeps_its_history(tmp_path: Path) -> None:
    text = project("Home", hook("A"))
    async with running_app(tmp_path, text + project("Work", hook("A"))) as app:
        [_, work] = app.synced.projects
        await put_check(app.database, 2, project_id=2)

        synced = await resync(app, tmp_path, text)
        assert [p.name for p in synced.projects] == ["Home"]
        assert await project_rows(app) == [(1, "Home", "home", 1), (2, "Work", None, 0)]
        assert await channel_rows(app) == [(1, "A", 1), (2, "A", 0)]

        synced = await resync(app, tmp_path, text, project("Work", hook("A")))
        assert synced.projects[1] == work
        assert await channel_rows(app) == [(1, "A", 1), (2, "A", 1)]
        assert await rows(app.database, "SELECT * FROM checks_channels") == [(1, 2)]


async def test_ping_key_of_a_project_taken_out_can_be_used_by_another(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, project("A", ping_key="k")) as app:
        await resync(app, tmp_path, project("B", ping_key="k"))

        kept = await store.projects.by_ping_key(app.database.committed, "k")
        assert kept is not None
        assert kept.name == "B"


async def test_channel_taken_out_and_back_in_keeps_its_history(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with_it, without = project("Home", hook("A"), hook("B")), project("Home", hook("A"))
    async with running_app(tmp_path, with_it) as app:
        check = await put_check(app.database, 1, 2)
        await put_flip(app.database, check)
        codes = await store.channels.codes_of_check(app.database.committed, check.id)

        await resync(app, tmp_path, without)
        assert await channel_rows(app) == [(1, "A", 1), (2, "B", 0)]
        used = await store.channels.codes_of_check(app.database.committed, check.id)
        assert len(used) == 1
        told = (
            "given up: 1 message that waited for a channel that is not in the file, or"
            " switched off there"
        )
        assert caplog.messages.count(told) == 1

        await resync(app, tmp_path, with_it)
        assert await channel_rows(app) == [(1, "A", 1), (2, "B", 1)]
        used = await store.channels.codes_of_check(app.database.committed, check.id)
        assert used == codes
        assert await rows(
            app.database, "SELECT channel_id, next_try, answer FROM notifications"
        ) == [(1, NOW.timestamp(), ""), (2, None, "the channel was taken out")]


async def test_two_channels_can_swap_their_names(tmp_path: Path) -> None:
    text = project("Home", hook("A", ID), hook("B", OTHER_ID))
    async with running_app(tmp_path, text) as app:
        await resync(app, tmp_path, project("Home", hook("B", ID), hook("A", OTHER_ID)))

        assert await channel_rows(app) == [(1, "B", 1), (2, "A", 1)]


async def test_id_finds_a_channel_though_another_now_bears_its_name(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, project("Home", hook("A", ID))) as app:
        await resync(app, tmp_path, project("Home", hook("A", OTHER_ID), hook("Z", ID)))

        channels = await rows(app.database, "SELECT id, code, name FROM channels")
        assert channels == [(1, ID, "Z"), (2, OTHER_ID, "A")]


async def test_id_finds_a_project_though_another_now_bears_its_name(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, project("A", id=ID)) as app:
        await resync(app, tmp_path, project("A", id=OTHER_ID), project("Z", id=ID))

        projects = await rows(app.database, "SELECT id, code, name FROM projects")
        assert projects == [(1, ID, "Z"), (2, OTHER_ID, "A")]


async def test_channel_that_changes_its_kind_stays_the_same(tmp_path: Path) -> None:
    async with running_app(tmp_path, project("Home", hook("A"))) as app:
        mail = toml.email("A", "a@b.example")

        await resync(app, tmp_path, '[smtp]\nhost = "127.0.0.1"', project("Home", mail))

        channels = await rows(app.database, "SELECT id, kind, on_down FROM channels")
        assert channels == [(1, "email", 1)]


async def test_channel_moved_to_another_project_keeps_its_id(tmp_path: Path) -> None:
    text = project("Home", hook("A", ID)) + project("Work")
    async with running_app(tmp_path, text) as app:
        await resync(app, tmp_path, project("Home"), project("Work", hook("A", ID)))

        channels = await store.channels.of_project(app.database.committed, 2)
        assert [channel.code for channel in channels] == [ID]
        assert await store.channels.of_project(app.database.committed, 1) == []


HOME, NEW = project("Home", hook("A", ID), hook("B")), project("New")


async def used(app: App, *check_ids: int) -> list[list[str]]:
    """Return the names of the channels that tell of each check."""
    reader = app.database.committed
    names = dict(await rows(app.database, "SELECT code, name FROM channels"))
    return [
        sorted(names[c] for c in await store.channels.codes_of_check(reader, check_id))
        for check_id in check_ids
    ]


async def told(app: App, check_id: int, project_id: int = 1) -> list[str]:
    """Let a check go down, and return the names of the channels that are to tell."""
    check = await store.checks.by_id(app.database.committed, check_id)
    assert check is not None
    flip_id = await put_flip(app.database, check)
    return await rows(
        app.database,
        "SELECT h.name FROM notifications n JOIN channels h ON h.id = n.channel_id"
        " WHERE n.flip_id = ? ORDER BY h.name",
        flip_id,
    )


@pytest.mark.parametrize(
    "edits",
    [
        # A new project pasted above the channel.
        [project("Home") + project("New", hook("A", ID), hook("B"))],
        # The project renamed, and once more.
        [
            project("House", hook("A", ID), hook("B"), ping_key="home"),
            project("Hut", hook("A", ID), hook("B"), ping_key="home"),
        ],
        # The channel taken out, put into another project, taken out there.
        [project("Home"), project("Home") + project("New", hook("A", ID)), NEW],
        # Its name is that of one that stays, its id goes.
        [project("Home", hook("A"), hook("B")) + project("New", hook("Z", ID))],
        # Its id is another's; its name is.
        [project("Home", hook("A", OTHER_ID), hook("B", ID))],
        [project("Home", hook("Z", ID))],
    ],
)
async def test_undoing_edits_gives_each_check_its_channels_back(
    tmp_path: Path, edits: list[str]
) -> None:
    async with running_app(tmp_path, HOME) as app:
        for channel_ids in ((1, 2), (1,), (2,), ()):
            await put_check(app.database, *channel_ids)
        before = await used(app, 1, 2, 3, 4)

        for edit in edits:
            await resync(app, tmp_path, edit)
        await resync(app, tmp_path, HOME)

        assert before == [["A", "B"], ["A"], ["B"], []]
        assert await used(app, 1, 2, 3, 4) == before
        assert await told(app, 2) == ["A"]
        standings = await store.channels.standings(app.database.committed, 1)
        assert [(s.channel.name, s.checks) for s in standings] == [("A", 2), ("B", 2)]


async def test_channel_in_another_project_tells_of_no_check_of_the_old(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, HOME) as app:
        check = await put_check(app.database, 1, 2)

        await resync(
            app, tmp_path, project("Home", hook("B")), project("New", hook("A", ID))
        )

        assert await used(app, check.id) == [["B"]]
        assert await told(app, check.id) == ["B"]
        standings = await store.channels.standings(app.database.committed, 2)
        assert [s.checks for s in standings] == [0]


async def test_channel_new_to_a_project_serves_its_checks_once(tmp_path: Path) -> None:
    moved = project("Home"), project("New", hook("A", ID))
    async with running_app(tmp_path, HOME + NEW) as app:
        await put_check(app.database, project_id=2)
        await put_check(app.database, project_id=2)

        await resync(app, tmp_path, *moved)
        first = await used(app, 1, 2)
        async with app.database.transaction() as conn:
            await store.channels.assign(conn, 2, [])
        await resync(app, tmp_path, HOME, NEW)
        between = await used(app, 1, 2)
        await resync(app, tmp_path, *moved)

        assert (first, between) == ([["A"], ["A"]], [[], []])
        assert await used(app, 1, 2) == [["A"], []]


async def test_assigning_spares_a_channel_that_is_in_another_project(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, HOME) as app:
        check = await put_check(app.database, 1)
        await resync(
            app, tmp_path, project("Home", hook("B")), project("New", hook("A", ID))
        )

        async with app.database.transaction() as conn:
            await store.channels.assign_all(conn, check.id, 1)
        await resync(app, tmp_path, HOME)

        assert await used(app, check.id) == [["A", "B"]]


async def test_badge_key_is_made_once(tmp_path: Path) -> None:
    async with running_app(tmp_path, project("Home")) as app:
        [before] = app.synced.projects

    async with running_app(tmp_path, project("Home")) as app:
        assert app.synced.projects == (before,)


async def test_badge_key_of_the_file_wins_and_is_kept_when_it_is_taken_out(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, project("Home")) as app:
        [given] = (
            await resync(app, tmp_path, project("Home", badge_key="mine"))
        ).projects
        [kept] = (await resync(app, tmp_path, project("Home"))).projects

        assert (given.badge_key, kept.badge_key) == ("mine", "mine")


async def test_badge_key_can_go_to_another_project(tmp_path: Path) -> None:
    async with running_app(tmp_path, project("Home", badge_key="mine")) as app:
        [after] = (
            await resync(app, tmp_path, project("House", badge_key="mine"))
        ).projects

        assert (after.name, after.badge_key) == ("House", "mine")


async def test_two_projects_can_swap_their_badge_keys(tmp_path: Path) -> None:
    text = project("A", badge_key="a") + project("B", badge_key="b")
    async with running_app(tmp_path, text) as app:
        synced = await resync(
            app, tmp_path, project("A", badge_key="b"), project("B", badge_key="a")
        )

        assert [p.badge_key for p in synced.projects] == ["b", "a"]


async def test_secret_is_made_once(tmp_path: Path) -> None:
    async with running_app(tmp_path, project("Home")) as app:
        secret = app.synced.secret

    async with running_app(tmp_path, project("Home")) as app:
        assert app.synced.secret == secret
        assert len(secret) > 30


SECRET = "s3cret" * 6


async def test_secret_of_the_file_wins_and_the_kept_one_stays(tmp_path: Path) -> None:
    async with running_app(tmp_path, project("Home")) as app:
        given = await resync(
            app, tmp_path, f'[server]\nsecret = "{SECRET}"', project("Home")
        )
        after = await resync(app, tmp_path, project("Home"))

        assert given.secret == SECRET
        assert after.secret == app.synced.secret


@pytest.mark.parametrize(
    ("written", "on_down", "on_up"),
    [
        (hook("A"), 1, 1),
        (hook("A", up=False), 1, 0),
        (hook("A", down=False), 0, 1),
        (hook("A", events='["down"]'), 1, 0),
        (hook("A", events='["up"]'), 0, 1),
        (hook("A", events='["up", "down"]'), 1, 1),
        (hook("A", up=False, events='["up"]'), 0, 0),
    ],
)
async def test_channel_tells_of_what_it_is_to_tell_of(
    tmp_path: Path, written: str, on_down: int, on_up: int
) -> None:
    async with running_app(tmp_path, project("Home", hook("A"))) as app:
        await resync(app, tmp_path, project("Home", written))

        channels = await rows(app.database, "SELECT on_down, on_up FROM channels")
        assert channels == [(on_down, on_up)]


async def test_mail_tells_of_its_events(tmp_path: Path) -> None:
    mails = toml.email("A"), toml.email("B", events=["up"])
    text = toml.smtp(25) + project("Home", *mails)
    async with running_app(tmp_path, text) as app:
        channels = await rows(app.database, "SELECT on_down, on_up FROM channels")

        assert channels == [(1, 1), (0, 1)]


async def test_sync_that_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    async with running_app(tmp_path, project("Home", hook("A"))) as app:
        before = await project_rows(app), await channel_rows(app)
        async with app.database.transaction() as conn:
            await conn.execute(
                "CREATE TRIGGER full BEFORE INSERT ON channels"
                " BEGIN SELECT raise(ABORT, 'no more'); END"
            )

        with pytest.raises(sqlite3.IntegrityError, match="no more"):
            await resync(app, tmp_path, project("House", hook("A")))

        assert (await project_rows(app), await channel_rows(app)) == before


async def test_new_channel_serves_the_checks_that_are_there(tmp_path: Path) -> None:
    async with running_app(tmp_path, project("Home") + project("Work")) as app:
        for ping_key in ("home", "work"):
            await app.http.get(f"/ping/{ping_key}/backup?create=1")

    async with running_app(
        tmp_path, project("Home", hook("A")) + project("Work")
    ) as app:
        used = await rows(app.database, "SELECT * FROM checks_channels")
    assert used == [(1, 1)]


async def test_channel_that_comes_back_serves_those_that_used_it(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, project("Home", hook("A"))) as app:
        await app.http.get("/ping/home/used?create=1")
    async with running_app(tmp_path, project("Home")) as app:
        await app.http.get("/ping/home/made-without?create=1")

    async with running_app(tmp_path, project("Home", hook("A"))) as app:
        used = await rows(app.database, "SELECT * FROM checks_channels")
    assert used == [(1, 1)]


async def test_what_alerts_nobody_any_more_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    both = project("Home", hook("A")) + project("Work")
    async with running_app(tmp_path, both) as app:
        for ping_key in ("home", "work"):
            await app.http.get(f"/ping/{ping_key}/backup?create=1")

    async with running_app(tmp_path, project("Home", hook("B"))):
        pass

    assert [record.getMessage() for record in caplog.records] == [
        'project "Work" is not in the file: its 1 check (backup) alerts nobody',
        'channel "A" of project "Home" is not in the file: 1 check used it',
    ]


async def test_channels_remember_who_hears_of_hcl_itself(tmp_path: Path) -> None:
    told = toml.webhook("Told", down="http://127.0.0.1:9", server="http://127.0.0.1:9")
    async with running_app(tmp_path, project("Home", hook("A"), told)) as app:
        before = await rows(app.database, "SELECT on_server FROM channels ORDER BY id")
        asked = hook("A", events='["down", "server"]')
        await resync(app, tmp_path, project("Home", asked, hook("Told")))

        after = await rows(app.database, "SELECT on_server FROM channels ORDER BY id")

    assert (before, after) == ([0, 1], [1, 0])


async def test_a_reload_changes_what_an_absence_does(tmp_path: Path) -> None:
    home = project("Home")
    async with running_app(tmp_path, home) as app:
        excuses = [app.watch.excuses]
        for value in ("alert", "excuse"):
            await app.reload(f'[alerts]\nafter_absence = "{value}"\n{home}')
            excuses.append(app.watch.excuses)

    assert excuses == [True, False, True]


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name == "hcl.server.reloading"
    ]


B_ONLY = project("Home", hook("B"))
IN_NEW = project("New", hook("A", ID))
A_MOVED = (
    'channel "A" of project "Home" is now in project "New": 2 checks used it',
    '1 check of project "Home" is left without a channel: first',
)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (HOME, []),
        (HOME + NEW, []),
        (HOME + project("New", hook("C")), []),
        (B_ONLY + IN_NEW, [("WARNING", line) for line in A_MOVED]),
        (
            project("Home", hook("A", ID)),
            [
                (
                    "WARNING",
                    'channel "B" of project "Home" is not in the file: 1 check used it',
                ),
            ],
        ),
        (
            project("Home"),
            [
                (
                    "WARNING",
                    'channel "A" of project "Home" is not in the file:'
                    " 2 checks used it",
                ),
                (
                    "WARNING",
                    'channel "B" of project "Home" is not in the file: 1 check used it',
                ),
                (
                    "WARNING",
                    '2 checks of project "Home" are left without a channel:'
                    " first, second",
                ),
            ],
        ),
        (
            project("House", hook("A", ID), hook("B")),
            [
                (
                    "WARNING",
                    'project "Home" is not in the file: its 3 checks'
                    " (first, second, check 3) alert nobody",
                ),
                (
                    "INFO",
                    'channel "A" of project "Home" is now in project "House":'
                    " 2 checks used it",
                ),
            ],
        ),
        (
            project("Home", hook("A", OTHER_ID), hook("B"), id=ID),
            [
                (
                    "INFO",
                    'project "Home" was found by its name: its id was'
                    f" {{home}} and is {ID} now",
                ),
                (
                    "INFO",
                    'channel "A" of project "Home" was found by its name: its id'
                    f" was {ID} and is {OTHER_ID} now",
                ),
                (
                    "INFO",
                    'channel "B" of project "Home" was found by its name: its id'
                    " was {b} and is {new_b} now",
                ),
            ],
        ),
        (
            project("Home", hook("A", ID, down=False), hook("B", events='["up"]')),
            [
                (
                    "WARNING",
                    'channel "A" of project "Home" tells of outages no more:'
                    " 2 checks used it",
                ),
                (
                    "WARNING",
                    'channel "B" of project "Home" tells of outages no more:'
                    " 1 check used it",
                ),
                (
                    "WARNING",
                    '2 checks of project "Home" are left without a channel that tells'
                    " of outages: first, second",
                ),
            ],
        ),
        (
            project("Home", hook("A", ID, events='["up"]')),
            [
                (
                    "WARNING",
                    'channel "A" of project "Home" tells of outages no more:'
                    " 2 checks used it",
                ),
                (
                    "WARNING",
                    'channel "B" of project "Home" is not in the file: 1 check used it',
                ),
                (
                    "WARNING",
                    '1 check of project "Home" is left without a channel: second',
                ),
                (
                    "WARNING",
                    '1 check of project "Home" is left without a channel that tells of'
                    " outages: first",
                ),
            ],
        ),
        (
            project("Home", hook("Z", ID), hook("B")),
            [
                (
                    "INFO",
                    'channel "A" of project "Home" was found by its id: its name'
                    ' is "Z" now',
                ),
            ],
        ),
    ],
)
async def test_reload_tells_what_it_changed(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    edit: str,
    expected: list[tuple[str, str]],
) -> None:
    caplog.set_level("INFO")
    async with running_app(tmp_path, HOME) as app:
        await put_check(app.database, 1, name="first")
        await put_check(app.database, 1, 2, name="second")
        await put_check(app.database)
        [home], codes = app.synced.projects, list(app.synced.channels.values())
        assert logged(caplog) == []

        synced = await resync(app, tmp_path, edit)

        now = list(synced.channels.values())
        ids = {"home": home.code, "b": codes[1].id, "new_b": now[-1].id if now else ""}
        lines = [line.format(**ids) for _, line in expected]
        levels = [level for level, _ in expected]
        assert logged(caplog) == list(zip(levels, lines, strict=True))
        kept = await store.announcements.since(app.database.committed, NOW)
        shown = [line.replace(" (first, second, check 3)", "") for line in lines]
        assert sorted(line for a in kept for line in a.story) == sorted(shown)
        assert {a.kind for a in kept} <= {"reload"}

        caplog.clear()
        await resync(app, tmp_path, edit)
        assert logged(caplog) == []


async def test_start_tells_what_is_different_since_the_last(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_app(tmp_path, HOME) as app:
        await put_check(app.database, 1, name="first")

    async with running_app(tmp_path, B_ONLY):
        changed = logged(caplog)
        caplog.clear()
    async with running_app(tmp_path, B_ONLY):
        pass

    assert changed == [
        (
            "WARNING",
            'channel "A" of project "Home" is not in the file: 1 check used it',
        ),
        ("WARNING", '1 check of project "Home" is left without a channel: first'),
    ]
    assert logged(caplog) == []


async def test_undone_edit_is_told_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with running_app(tmp_path, HOME) as app:
        await resync(app, tmp_path, project("House", hook("A", ID)))
        caplog.clear()

        await resync(app, tmp_path, HOME)

    assert logged(caplog) == [
        ("INFO", 'project "Home" is back in the file'),
        ("INFO", 'project "House" is not in the file'),
        ("INFO", 'channel "A" of project "House" is now in project "Home"'),
        ("INFO", 'channel "B" of project "Home" is back in the file'),
    ]


async def test_channel_that_is_switched_off_and_on_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    off = hook("A").replace('"webhook"\n', '"webhook"\nenabled = false\n')
    async with running_app(tmp_path, project("Home", hook("A"))) as app:
        await put_check(app.database, 1, name="first")
        await resync(app, tmp_path, project("Home", off))
        switched_off = logged(caplog)
        caplog.clear()

        await resync(app, tmp_path, project("Home", hook("A")))

    channel = 'channel "A" of project "Home" tells of outages'
    alone = '1 check of project "Home" is left without a channel that tells of outages'
    assert switched_off == [
        ("WARNING", f"{channel} no more: 1 check used it"),
        ("WARNING", f"{alone}: first"),
    ]
    assert logged(caplog) == [("INFO", f"{channel} now")]


async def test_a_log_that_is_cut_is_told_before_and_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    short = toml.table("pings", log_limit=10) + HOME
    async with running_app(tmp_path, HOME) as app:
        (tmp_path / "next.toml").write_text(short)
        foreseen = await foresee(configuration.load(tmp_path / "next.toml"))
        caplog.clear()

        await resync(app, tmp_path, short)
        cut = logged(caplog)
        caplog.clear()
        await resync(app, tmp_path, short)
        await resync(app, tmp_path, HOME)

    line = (
        "pings.log_limit was 1,000 and is 10: all but the newest 10 pings of each check"
        " are deleted, within an hour"
    )
    assert [change.line for change in foreseen.told] == [line]
    assert cut == [("WARNING", line)]
    assert logged(caplog) == []


async def test_ten_checks_are_named_and_the_rest_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_app(tmp_path, HOME) as app:
        for n in range(12):
            await put_check(app.database, 1, name=f"job\n{n}")

        await resync(app, tmp_path, B_ONLY)

    names = ", ".join(f"job {n}" for n in range(10))
    left = f'12 checks of project "Home" are left without a channel: {names} and 2 more'
    assert logged(caplog)[-1] == ("WARNING", left)


async def test_each_project_hears_of_what_concerns_it(tmp_path: Path) -> None:
    async with running_app(tmp_path, HOME + project("Work") + NEW) as app:
        await put_check(app.database, 1, name="first")
        await put_check(app.database, project_id=2, name="secret")

        await resync(app, tmp_path, B_ONLY + IN_NEW)

        kept = await store.announcements.since(app.database.committed, NOW)
        assert {a.project_id: a.subject for a in kept} == {
            1: 'hcl.toml has changed: channel "A" of project "Home" is now in project'
            ' "New": 1 check used it (and 1 more)',
            None: 'hcl.toml has changed: project "Work" is not in the file: its 1 check'
            " alerts nobody",
        }


async def test_what_is_foreseen_is_what_comes_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, HOME) as app:
        await put_check(app.database, 1, name="first")
        await put_check(app.database, 1, 2, name="second")
        await put_check(app.database)
        before = [await rows(app.database, f"SELECT * FROM {t}") for t in WRITTEN]
        (tmp_path / "next.toml").write_text(B_ONLY + IN_NEW)

        foreseen = await foresee(configuration.load(tmp_path / "next.toml"))

        assert [change.line for change in foreseen.told] == list(A_MOVED)
        assert foreseen.alone == {"Home": {1: "first", 3: ""}, "New": {}}
        assert before == [
            await rows(app.database, f"SELECT * FROM {t}") for t in WRITTEN
        ]
