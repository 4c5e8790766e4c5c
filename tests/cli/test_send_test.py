import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hcl.alerts.messages.letter import write_letter
from hcl.alerts.trial import example
from hcl.cli import main
from hcl.cli.send_test import Target, choose, try_all
from hcl.config import (
    ChannelConfig,
    Config,
    Event,
    GroupSettings,
    ShellSettings,
    load,
)
from tests import toml
from tests.sinks import HttpSink


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


def project(name: str, *channels: str) -> str:
    return toml.project(name, name.lower()) + "".join(channels)


def hook(name: str, url: str, status: str = "down") -> str:
    return toml.webhook(name, **{status: toml.post(url)})


async def invoke(folder: Path, text: str, *arguments: str) -> Result:
    """Run `hcl send-test` with a hcl.toml of this text, beside the loop of the test."""
    path = folder / "hcl.toml"
    path.write_text(text)
    command = ["send-test", "--config", str(path), *arguments]
    return await asyncio.to_thread(CliRunner().invoke, main, command)


def lines(result: Result) -> list[str]:
    """Return what was printed, but for how long it took."""
    return [
        re.sub(r"\d+\.\d\d s|\d+ ms", "_ s", line)
        for line in result.stdout.splitlines()
    ]


async def test_one_channel_is_tried(tmp_path: Path, sink: HttpSink) -> None:
    text = project("Home", hook("Hook", sink.url + "secret"), hook("Other", sink.url))

    result = await invoke(tmp_path, text, "Hook")

    assert result.exit_code == 0
    first, *preview, last = lines(result)
    assert first == "Hook (webhook)"
    assert preview[0] == f"  | POST {sink.url}…"
    assert preview[-2:] == ["  |", "  | TEST is down"]
    assert last == "  delivered in _ s: HTTP 200"
    [record] = sink.records
    assert (record.target, record.text) == ("/secret", "TEST is down")


async def test_several_channels_are_tried_in_the_order_of_the_file(
    tmp_path: Path, sink: HttpSink
) -> None:
    names = ["A", "B", "C"]
    text = project("Home", *(hook(name, sink.url + name) for name in names))

    result = await invoke(tmp_path, text, "C", "A", "C")

    assert result.exit_code == 0
    assert [record.target for record in sink.records] == ["/A", "/C"]
    assert lines(result)[-1] == "2 of 2 arrived"


async def test_one_that_fails_does_not_stop_the_rest(
    tmp_path: Path, sink: HttpSink
) -> None:
    text = project("Home", hook("A", "http://127.0.0.1:9/"), hook("B", sink.url))

    result = await invoke(tmp_path, text, "--all")

    assert result.exit_code == 1
    reason = "cannot connect to 127.0.0.1: connection refused"
    assert f"  not delivered after _ s: {reason}" in lines(result)
    assert "  delivered in _ s: HTTP 200" in lines(result)
    assert lines(result)[-1] == "1 of 2 arrived"
    assert len(sink.records) == 1


async def test_all_is_all_of_a_project_or_of_all(
    tmp_path: Path, sink: HttpSink
) -> None:
    text = project("Home", hook("Hook", sink.url + "home"))
    text += project("Work", hook("Hook", sink.url + "work"))

    one = await invoke(tmp_path, text, "--all", "--project", "Work")
    both = await invoke(tmp_path, text, "--all")
    named = await invoke(tmp_path, text, "Hook", "--project", "Home")

    assert [r.target for r in sink.records] == ["/work", "/home", "/work", "/home"]
    assert [one.exit_code, both.exit_code, named.exit_code] == [0, 0, 0]
    assert lines(one)[0] == "Hook (webhook)"
    assert lines(both)[0] == "Hook (webhook, Home)"


async def test_up_sends_that_a_check_came_up(tmp_path: Path, sink: HttpSink) -> None:
    text = project("Home", hook("Up", sink.url, "up"), hook("Down", sink.url, "down"))

    by_itself = await invoke(tmp_path, text, "Up")
    asked = await invoke(tmp_path, text, "--all", "--up")
    alone = await invoke(tmp_path, text, "Down", "--up")

    assert [record.text for record in sink.records] == ["TEST is up", "TEST is up"]
    assert by_itself.exit_code == asked.exit_code == 0
    assert lines(asked)[-3:] == [
        "Down (webhook)",
        "  nothing to send: it does not tell of up",
        "1 of 1 arrived",
    ]
    # Nothing has arrived.
    assert alone.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        ([], 1, 'name channels, or add --all; there are "A", "Both", "Both"'),
        (["X"], 1, 'no channel is named "X"; there are "A", "Both", "Both"'),
        (["Both"], 1, 'channel "Both" ("Home", "Work"); add --project'),
        (["A", "--project", "Work"], 1, 'no channel is named "A"; there are "Both"'),
        (["A", "--project", "X"], 1, 'named "X"; there are "Home", "Work"'),
        (["A", "--all"], 2, "give names or --all, not both"),
    ],
)
async def test_what_fits_nothing_is_an_error(
    tmp_path: Path, sink: HttpSink, arguments: list[str], status: int, problem: str
) -> None:
    text = project("Home", hook("A", sink.url), hook("Both", sink.url))
    text += project("Work", hook("Both", sink.url))

    result = await invoke(tmp_path, text, *arguments)

    assert (result.exit_code, result.stdout) == (status, "")
    assert problem in result.stderr
    assert sink.records == []


@pytest.mark.parametrize("arguments", [[], ["X"], ["--all"]])
async def test_file_without_channels_is_an_error(
    tmp_path: Path, arguments: list[str]
) -> None:
    result = await invoke(tmp_path, project("Home"), *arguments)

    assert result.exit_code == 1
    assert result.stderr == "Error: there are no channels\n"


async def test_missing_file_is_an_error(tmp_path: Path) -> None:
    command = ["send-test", "--all", "--config", str(tmp_path / "no.toml")]

    result = CliRunner().invoke(main, command)

    assert result.exit_code == 1
    assert "cannot be read" in result.stderr


async def test_answers_cannot_steer_the_terminal(
    tmp_path: Path, sink: HttpSink
) -> None:
    body = "$NAME \\u001b[31mred\\u202e\\u0007\\ttab"
    text = project("Home", hook("Hook", sink.url)).replace("$NAME is $STATUS", body)

    result = await invoke(tmp_path, text, "Hook")

    assert "  | TEST [31mred\ttab" in lines(result)


def a_config(folder: Path, **channels: ShellSettings | GroupSettings) -> Config:
    """Make a config of channels that are named like their ids."""
    path = folder / "hcl.toml"
    path.write_text(project("Home"))
    config = load(path)
    made = tuple(
        ChannelConfig(
            id=name,
            name=name,
            kind="group" if isinstance(settings, GroupSettings) else "shell",
            events=frozenset({"down", "up"}),
            settings=settings,
        )
        for name, settings in channels.items()
    )
    [owner] = config.projects
    return replace(config, projects=(replace(owner, channels=made),))


def test_group_stands_for_its_members(tmp_path: Path) -> None:
    config = a_config(
        tmp_path,
        one=ShellSettings("true", ""),
        all=GroupSettings(("two", "one")),
        two=ShellSettings("true", ""),
        some=GroupSettings(("two",)),
        three=ShellSettings("true", ""),
    )

    def chosen(*names: str, everything: bool = False) -> list[str]:
        targets = choose(config, names, everything, None)
        return [target.channel.name for target in targets]

    assert chosen("all") == ["one", "two"]
    assert chosen("some", "two", "all") == ["one", "two"]
    assert chosen("three", "some") == ["two", "three"]
    assert chosen(everything=True) == ["one", "two", "three"]


async def test_commands_are_tried_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = a_config(
        tmp_path,
        lamp=ShellSettings("echo $NAME is $STATUS > told", ""),
        broken=ShellSettings("echo no lamp; exit 3", ""),
    )

    arrived = await try_all(
        config, choose(config, ["lamp", "broken"], False, None), False
    )

    assert not arrived
    assert (tmp_path / "told").read_text() == "TEST is down\n"
    output = re.sub(r"\d+\.\d\d s|\d+ ms", "_ s", capsys.readouterr().out)
    assert output == (
        "lamp (shell)\n"
        "  | echo $NAME is $STATUS > told\n"
        "  | $STATUS is down\n"
        "  | $NAME is TEST\n"
        "  delivered in _ s: exit status 0\n"
        "broken (shell)\n"
        "  | echo no lamp; exit 3\n"
        "  not delivered after _ s: exit status 3: no lamp\n"
        "1 of 2 arrived\n"
    )


async def test_kind_that_cannot_be_sent_to_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = a_config(tmp_path, odd=ShellSettings("true", ""))
    [target] = choose(config, ["odd"], False, None)
    odd = Target(
        "Home", replace(target.channel, kind="odd", settings=GroupSettings(()))
    )

    assert not await try_all(config, [odd], False)

    assert "hcl cannot send to the kind odd" in capsys.readouterr().out


@pytest.mark.parametrize("event", ["down", "up"])
def test_example_is_a_message_of_one_check(tmp_path: Path, event: Event) -> None:
    now = datetime.now(UTC)

    message = example(a_config(tmp_path), "Home", now, event)

    [alert] = message.alerts
    assert (message.site_name, message.project_name) == ("hcl", "Home")
    assert alert.check.name == "TEST"
    assert alert.check.status == alert.flip.new_status == event
    assert alert.flip.notifies


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        ("down", "DOWN: TEST"),
        ("up", "UP: TEST"),
        ("late", "LATE: TEST"),
        ("slow", "SLOW: TEST"),
        ("server", "TEST"),
    ],
)
def test_each_event_can_be_tried_out(
    tmp_path: Path, event: Event, subject: str
) -> None:
    now = datetime.now(UTC)

    message = example(a_config(tmp_path), "Home", now, event)

    assert write_letter(message, now).subject == subject


async def test_a_channel_for_slow_runs_alone_is_tried_with_one(
    tmp_path: Path, sink: HttpSink
) -> None:
    slow = toml.webhook("Hook", slow=toml.post(sink.url), events=["slow"])

    result = await invoke(tmp_path, project("Home", slow), "Hook")

    assert result.exit_code == 0
    assert [record.text for record in sink.records] == ["TEST is slow"]


async def test_a_channel_that_is_switched_off_says_so(
    tmp_path: Path, sink: HttpSink
) -> None:
    off = toml.webhook("Hook", down=toml.post(sink.url), enabled=toml.Raw("false"))

    result = await invoke(tmp_path, project("Home", off), "Hook")

    assert result.exit_code == 1
    assert "nothing to send: it is switched off, by enabled = false" in result.output
    assert sink.records == []
