"""Checks that hcl.toml declares, over reloads: made, adopted, changed, let go, back."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import config as configuration
from hcl import store
from hcl.model import Check
from hcl.server import declaring
from hcl.server.syncing import foresee
from tests import toml
from tests.app import CONFIG, PING_KEY, WRITE_KEY, App, running_app
from tests.build import NOW
from tests.clocks import a_clock
from tests.sinks import SmtpSink
from tests.store import rows
from tests.web.api.calls import create

HOME = "\n".join(
    [
        toml.table("server", site_root="http://hcl.example"),
        toml.project("Home", PING_KEY, check_limit=3),
        toml.key("rw", WRITE_KEY),
        toml.webhook("Hook A", down="http://127.0.0.1:9/a"),
        toml.webhook("Hook B", down="http://127.0.0.1:9/b"),
        "",
    ]
)
MINUTE = timedelta(minutes=1)
NIGHTLY = '[[projects.checks]]\nslug = "nightly"\n'


def declare(slug: str, **keys: toml.Value) -> str:
    """Write a check of the project above."""
    return toml.table("[projects.checks]", slug=slug, **keys)


async def named(app: App, slug: str) -> list[Check]:
    """Return the checks of the first project with a slug."""
    return await store.checks.of_project(await app.database.current(), 1, slug=slug)


async def one(app: App, slug: str = "nightly") -> Check:
    [check] = await named(app, slug)
    return check


async def planned(app: App, text: str) -> list[str]:
    """Tell what a reload of a text would do, as `verb slug keys`."""
    path = app.config.path.with_name("next.toml")
    path.write_text(text)
    foreseen = await foresee(configuration.load(path))
    return [" ".join([s.verb, s.slug, *s.changed]) for s in foreseen.steps]


async def test_a_declared_check_is_made_once_and_keeps_its_code(tmp_path: Path) -> None:
    text = HOME + declare("nightly", schedule="5 3 * * *", tz="Europe/Riga")
    async with running_app(tmp_path, text) as app:
        made = await one(app)
        answer = (await app.api("GET", f"checks/{made.code}")).json()
        old = (await app.api("GET", f"checks/{made.code}", version=2)).json()
        await app.reload(text)
        assert await one(app) == made
    async with running_app(tmp_path, text) as app:
        assert await one(app) == made
        assert await planned(app, text) == ["leave nightly"]

    assert answer["origin"] == "file"
    assert "origin" not in old
    assert (answer["name"], answer["schedule"]) == ("nightly", "5 3 * * *")
    assert answer["channels"].count(",") == 1


async def test_settings_follow_the_file_and_what_it_does_not_say_is_a_default(
    tmp_path: Path,
) -> None:
    full = declare(
        "nightly",
        name="N",
        grace="30m",
        timeout="2d",
        tags="a b",
        channels=["Hook B"],
        max_run="2h",
        down_after=3,
        early="0s",
        schedule="0 3 * * *",
    ).replace('timeout = "2d"\n', "")
    async with running_app(tmp_path, HOME + NIGHTLY) as app:
        before = await one(app)
        await app.http.get(f"/ping/{before.code}")
        heard = await one(app)

        [step] = await planned(app, HOME + full)
        verb, slug, *keys = step.split()
        wanted = "name tags schedule grace max_run down_after channels"
        assert (verb, slug, sorted(keys)) == (
            "change",
            "nightly",
            sorted(wanted.split()),
        )
        await app.reload(HOME + full)
        changed = await one(app)
        limits = await rows(
            app.database, "SELECT max_run, min_run, down_after, early FROM checks"
        )
        assert await planned(app, HOME + full) == ["leave nightly"]
        await app.reload(HOME + NIGHTLY)
        undone = await one(app)

    assert (changed.name, changed.tags, changed.kind) == ("N", "a b", "cron")
    assert (changed.code, changed.n_pings) == (before.code, 1)
    assert changed.alert_after != heard.alert_after
    assert limits == [(7200.0, None, 3, 0.0)]
    # The expression that does not count any more is kept, as after any edit.
    assert undone._replace(schedule=before.schedule, tz=before.tz) == heard


async def test_a_check_that_was_made_otherwise_is_adopted_with_its_past(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, HOME) as app:
        made = await create(app, slug="nightly", grace=60, name="Mine")
        other = await create(app, name="Other", slug="other")
        await app.http.get(f"/ping/{made['uuid']}")

        assert await planned(app, HOME + NIGHTLY) == [
            "adopt nightly name grace channels"
        ]
        await app.reload(HOME + NIGHTLY)

        check = await one(app)
        kept = (await app.api("GET", f"checks/{other['uuid']}")).json()
    assert (check.code, check.n_pings, check.origin) == (made["uuid"], 1, "file")
    assert check.grace.total_seconds() == 3600
    assert kept == other


async def test_one_that_left_is_paused_and_said_and_comes_back_to_life(
    tmp_path: Path, caplog: Any
) -> None:
    async with running_app(tmp_path, HOME + NIGHTLY) as app:
        code = (await one(app)).code
        await app.http.get(f"/ping/{code}")
        up = await one(app)
        assert await planned(app, HOME) == ["let go nightly"]
        await app.reload(HOME)
        left = await one(app)
        assert await planned(app, HOME) == []
        answer = (await app.api("GET", f"checks/{code}")).json()
    said = (
        'hcl.toml has changed: 1 declared check of project "Home" is not in the file'
        " any more, and is paused: nightly"
    )
    async with running_app(tmp_path, HOME) as app:
        assert await one(app) == left
        assert await rows(app.database, "SELECT subject FROM announcements") == [said]
    async with running_app(tmp_path, HOME + NIGHTLY) as app:
        back = await one(app)
        flips = await store.flips.of_check(app.database.committed, back.id)
        waiting = await rows(app.database, "SELECT 1 FROM notifications")

    assert (left.status, left.origin, left.alert_after) == ("paused", "left", None)
    assert "origin" not in answer
    assert (back.status, back.code, back.n_pings) == ("up", code, 1)
    # It has a whole period from now on.
    assert back.alert_after
    assert up.alert_after
    assert back.counted_from
    assert back.alert_after - back.counted_from == up.timeout + up.grace
    assert [flip.new_status for flip in flips] == ["up", "paused", "up"]
    assert waiting == []
    assert said.removeprefix("hcl.toml has changed: ") in caplog.text


async def test_a_check_that_is_late_no_more_by_the_file_can_be_late_again(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, HOME + NIGHTLY) as app:
        await app.http.get(f"/ping/{(await one(app)).code}")
        async with app.database.transaction() as conn:
            # It has been due for half an hour, and goes down in another one.
            await conn.execute(
                "UPDATE check_states SET late_since = alert_after - 90000 + 1800,"
                " last_ping = last_ping - 88200, alert_after = alert_after - 88200"
            )

        await app.reload(HOME + NIGHTLY)
        same = await one(app)
        await app.reload(HOME + declare("nightly", timeout="2d"))

        # As after an edit over the API.
        assert (await one(app)).late_since is None
    assert same.late_since


async def test_what_it_was_before_it_left_it_is_when_it_is_back(tmp_path: Path) -> None:
    text = HOME + NIGHTLY + declare("dead") + declare("asleep")
    async with running_app(tmp_path, text) as app:
        dead, asleep = await one(app, "dead"), await one(app, "asleep")
        await app.http.get(f"/ping/{dead.code}/fail")
        await app.api("POST", f"checks/{asleep.code}/pause")
        told = await rows(app.database, "SELECT count(*) FROM notifications")

        await app.reload(HOME)
        gone = [(await one(app, s)).status for s in ("nightly", "dead", "asleep")]
        await app.reload(text)

        why = (await app.api("GET", f"checks/{dead.code}/explain/")).json()["summary"]
        found = [(await one(app, s)).status for s in ("nightly", "dead", "asleep")]
        assert await rows(app.database, "SELECT count(*) FROM notifications") == told
        assert await planned(app, text) == [
            "leave nightly",
            "leave dead",
            "leave asleep",
        ]
    assert gone == ["paused"] * 3
    # Nobody is told again of what was down, and what people paused stays so.
    assert found == ["new", "down", "paused"]
    assert why == "It is down: the job reported a failure."


@pytest.mark.parametrize("befalls", ["delay", "mute"])
async def test_one_that_is_down_and_of_which_nobody_was_told_is_told_when_it_is_back(
    tmp_path: Path, befalls: str
) -> None:
    clock, times = a_clock()
    async with SmtpSink() as sink:
        delay = {"delay": "10m"} if befalls == "delay" else {}
        home = toml.smtp(sink.port) + toml.project("Home", PING_KEY)
        home += toml.email("Mail", **delay)
        async with running_app(tmp_path, home + NIGHTLY, clock=clock) as app:
            [project] = app.synced.projects
            code = (await one(app)).code
            if befalls == "mute":
                length = 10 * MINUTE
                await app.parts.managing.mute(project, code, length, clock.now())
            await app.http.get(f"/ping/{code}/fail")
            # Twice: somebody saves the file while it is half written.
            for text in (home, home + NIGHTLY, home, home + NIGHTLY):
                await app.sender.send_once(clock.now())
                times.run(60)
                await app.reload(text)
            assert (await one(app)).status == "down"

            for _ in range(10):
                await app.sender.send_once(clock.now())
                assert len(sink.records) == (clock.now() >= NOW + 10 * MINUTE)
                times.run(60)

            # Nor is it told again.
            await app.reload(home)
            await app.reload(home + NIGHTLY)
            await app.sender.send_once(clock.now())
            assert len(sink.records) == 1


async def test_one_that_is_down_is_reminded_of_as_before_when_it_is_back(
    tmp_path: Path,
) -> None:
    clock, times = a_clock()
    async with SmtpSink() as sink:
        home = toml.smtp(sink.port) + toml.project("Home", PING_KEY)
        home += toml.key("rw", WRITE_KEY) + toml.email("Mail", remind_every="1h")
        async with running_app(tmp_path, home + NIGHTLY, clock=clock) as app:
            [project] = app.synced.projects
            code = (await one(app)).code
            await app.http.get(f"/ping/{code}/fail")
            await app.sender.send_once(clock.now())
            await app.reload(home)
            times.run(60)
            await app.reload(home + NIGHTLY)

            for minute in (59, 60, 119, 120):
                times.run((NOW + minute * MINUTE - clock.now()).total_seconds())
                await app.sender.send_once(clock.now())
                assert len(sink.records) == 1 + minute // 60

            why = (await app.api("GET", f"checks/{code}/explain/")).json()["timeline"]
            said = [line["text"] for line in why]
            assert said[0] == "It went down: the job reported a failure (ping 1)."
            assert said[1].startswith("Told Mail")

            # And at the end of a mute.
            await app.reload(home)
            await app.reload(home + NIGHTLY.replace("nightly", "other") + NIGHTLY)
            await app.reload(home.replace("1h", "0s") + NIGHTLY)
            await app.parts.managing.mute(project, code, MINUTE, clock.now())
            times.run(60)
            await app.sender.send_once(clock.now())

            # All tell of one outage.
            check = await one(app)
            reader = await app.database.current()
            troubles = await store.flips.troubles(reader, [check.id], 100)
            assert (troubles[check.id].created, check.n_pings) == (NOW, 1)
            await app.http.get(f"/ping/{code}")
            await app.sender.send_once(clock.now())
    subjects = [str(record.message["Subject"]) for record in sink.records]
    assert subjects == ["DOWN: nightly", *3 * ["STILL DOWN: nightly"], "UP: nightly"]
    first, *others = [record.message for record in sink.records]
    assert {mail["In-Reply-To"] for mail in others} == {first["Message-ID"]}
    assert "It had been down for 2 hours" in others[-1].as_string()


async def test_what_fails_while_it_is_paused_is_a_new_outage_of_nobody_who_is_told(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, HOME) as app:
        code = (await create(app, channels=""))["uuid"]
        await app.http.get(f"/ping/{code}/fail")
        await app.api("POST", f"checks/{code}/pause")
        await app.http.get(f"/ping/{code}/fail")

        why = (await app.api("GET", f"checks/{code}/explain/")).json()["timeline"]
    assert why[0]["text"] == "It went down: the job reported a failure (ping 2)."


@pytest.mark.parametrize("first", ["/pause", "/resume", "ping"])
async def test_what_people_paused_after_it_left_stays_so_when_it_is_back(
    tmp_path: Path, first: str
) -> None:
    async with running_app(tmp_path, HOME + NIGHTLY) as app:
        code = (await one(app)).code
        await app.http.get(f"/ping/{code}")
        await app.reload(HOME)
        if first == "ping":
            await app.http.get(f"/ping/{code}")
        else:
            await app.api("POST", f"checks/{code}{first}")
        await app.api("POST", f"checks/{code}/pause")

        await app.reload(HOME + NIGHTLY)

        back = await one(app)
    assert (back.status, back.origin) == ("paused", "file")


async def test_one_that_left_belongs_to_its_users_again(tmp_path: Path) -> None:
    async with running_app(tmp_path, HOME + NIGHTLY) as app:
        code = (await one(app)).code
        await app.reload(HOME)

        # Its job is alive: as with any paused check, a success wakes it.
        await app.http.get(f"/ping/{code}")
        renamed = await app.api("POST", f"checks/{code}", json={"name": "Mine"})
        await app.reload(HOME)
        assert (await one(app)).status == "up"
        await app.reload(HOME + NIGHTLY)
        adopted = await one(app)
        await app.reload(HOME)
        deleted = await app.api("DELETE", f"checks/{code}")

    assert renamed.status_code == 200
    assert (adopted.name, adopted.origin, adopted.status) == ("nightly", "file", "up")
    assert deleted.status_code == 200


async def test_of_two_with_one_slug_none_is_taken_until_one_alone_has_it(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, HOME) as app:
        first, second = [await create(app, slug="nightly") for _ in "ab"]
        before = await named(app, "nightly")

        assert await planned(app, HOME + NIGHTLY) == ["refuse nightly"]
        await app.reload(HOME + NIGHTLY)

        assert await named(app, "nightly") == before
        [said] = await rows(app.database, "SELECT subject FROM announcements")
        await app.api("POST", f"checks/{first['uuid']}", json={"slug": ""})
        await app.reload(HOME + NIGHTLY)
        assert (await one(app)).code == second["uuid"]
    assert said == (
        'hcl.toml has changed: check "nightly" of project "Home" is declared, but 2'
        " checks there have this slug: they are left as they are until one alone has it"
    )


async def test_a_twin_of_a_declared_check_is_named_at_each_reload(
    tmp_path: Path, caplog: Any
) -> None:
    async with running_app(tmp_path, HOME + NIGHTLY) as app:
        other = await create(app, name="other")
        async with app.database.transaction() as conn:
            # As an import may bring it.
            await conn.execute(
                "UPDATE checks SET slug = 'nightly' WHERE code = ?", (other["uuid"],)
            )
        await app.reload(HOME + NIGHTLY)

        assert [check.origin for check in await named(app, "nightly")] == ["file", ""]
    assert "cannot be pinged by its slug, since another check has the same" in (
        caplog.text
    )


async def test_declared_checks_count_towards_the_limit_and_are_made_beyond_it(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, HOME) as app:
        for _ in "abc":
            await create(app)
        await app.reload(HOME + NIGHTLY)
        assert await one(app)
        refused = await app.api("POST", "checks/", json={})
    assert refused.status_code == 403


async def test_a_new_channel_serves_what_names_none(tmp_path: Path) -> None:
    text = HOME + NIGHTLY + declare("few", channels=["Hook A"])
    text += declare("none", channels=[])
    more = toml.webhook("Hook C", down="http://127.0.0.1:9/c")
    async with running_app(tmp_path, text) as app:
        await app.reload(text + more)

        conn = app.database.committed
        counts = [
            len(await store.channels.codes_of_check(conn, (await one(app, slug)).id))
            for slug in ("nightly", "few", "none")
        ]
        assert await planned(app, text + more) == [
            "leave nightly",
            "leave few",
            "leave none",
        ]
    assert counts == [3, 1, 0]


async def test_a_check_that_the_file_gives_another_channel_is_not_foreseen_as_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = HOME + declare("nightly", channels=["Hook A"])
    after = before.replace(toml.webhook("Hook A", down="http://127.0.0.1:9/a"), "")
    after = after.replace("Hook A", "Hook B")
    async with running_app(tmp_path, before) as app:
        path = tmp_path / "next.toml"
        path.write_text(after)

        foreseen = await foresee(configuration.load(path))
        caplog.clear()
        await app.reload(after)

    lost = 'channel "Hook A" of project "Home" is not in the file: 1 check used it'
    assert [change.line for change in foreseen.told] == [lost]
    assert foreseen.alone == {"Home": {}}
    assert caplog.messages == [lost]


async def test_projects_declare_for_themselves(tmp_path: Path) -> None:
    two = (
        CONFIG.replace(
            '[[projects]]\nname = "Other"',
            NIGHTLY + "[[projects]]\n" + 'name = "Other"',
        )
        + NIGHTLY
    )
    async with running_app(tmp_path, two) as app:
        found = await rows(app.database, "SELECT project_id, origin FROM checks")
        # A project that leaves with its checks brings them back.
        await app.reload(HOME)
        await app.reload(two)
        steps = (await foresee(app.config)).steps
    assert sorted(found) == [(1, "file"), (2, "file")]
    assert [(s.verb, s.project.name) for s in steps] == [
        ("leave", "Home"),
        ("leave", "Other"),
    ]


def test_many_are_said_in_a_line() -> None:
    project: Any = type("P", (), {"id": 1, "name": "Home"})()
    check: Any = None
    steps = [
        declaring.Step("create", project, f"c{n}", check, check) for n in range(12)
    ]

    [change] = declaring.told(steps)

    assert change.line == (
        '12 declared checks of project "Home" are new: c0, c1, c2, c3, c4, c5, c6, c7,'
        " c8, c9 and 2 more"
    )
    assert not change.is_news
