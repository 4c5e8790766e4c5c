"""`hcl send-test`: try channels out."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import click

from hcl.alerts.transports import NOTHING
from hcl.alerts.trial import event_to_try, try_out
from hcl.cli.config_file import load_config
from hcl.clock import Clock
from hcl.config import ChannelConfig, Config, Event
from hcl.words.lengths import in_seconds
from hcl.words.lines import clean


@dataclass(frozen=True, slots=True)
class Target:
    """A channel to try, and the name of its project."""

    project: str
    channel: ChannelConfig


@click.command("send-test")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Try every channel.")
@click.option("--up", is_flag=True, help="Tell of a check that came up, not down.")
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option("--project", help="Look for channels in this project only.")
def send_test(
    names: tuple[str, ...],
    everything: bool,
    up: bool,
    explicit: str | None,
    project: str | None,
) -> None:
    """Send a test message over the channels NAME; exit status 0: all arrived."""
    if names and everything:
        raise click.UsageError("give names or --all, not both")
    config = load_config(explicit)
    targets = choose(config, names, everything, project)
    if not asyncio.run(try_all(config, targets, up)):
        sys.exit(1)


def choose(
    config: Config, names: Sequence[str], everything: bool, project: str | None
) -> list[Target]:
    """Return the channels of these names, each once, in the order of the file.

    A group stands for its members. Raises click.ClickException if a name fits no
    channel, or several.
    """
    if project is not None and all(project != p.name for p in config.projects):
        there = _listed(p.name for p in config.projects)
        problem = f'no project is named "{project}"; there are {there}'
        raise click.ClickException(problem)
    targets = [Target(p.name, c) for p in config.projects for c in p.channels]
    offered = [target for target in targets if project in (None, target.project)]
    if not offered:
        raise click.ClickException("there are no channels")
    if not names and not everything:
        there = _listed(target.channel.name for target in offered)
        raise click.ClickException(f"name channels, or add --all; there are {there}")
    chosen = offered if everything else [_find(offered, name) for name in names]
    wanted = {
        (t.project, code)
        for t in chosen
        for code in t.channel.settings.members or (t.channel.id,)
    }
    return [t for t in targets if (t.project, t.channel.id) in wanted]


def _find(offered: Sequence[Target], name: str) -> Target:
    targets = [target for target in offered if target.channel.name == name]
    if len(targets) == 1:
        return targets[0]
    if targets:
        owners = _listed(target.project for target in targets)
        raise click.ClickException(
            f'several projects have a channel "{name}" ({owners}); add --project'
        )
    there = _listed(target.channel.name for target in offered)
    raise click.ClickException(f'no channel is named "{name}"; there are {there}')


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


async def try_all(config: Config, targets: Sequence[Target], up: bool) -> bool:
    """Try one channel after another, and print how it goes; tell if all arrived."""
    several = len({target.project for target in targets}) > 1
    arrived = []
    for target in targets:
        channel = target.channel
        owner = f", {target.project}" if several else ""
        click.echo(f"{channel.name} ({channel.kind}{owner})")
        event: Event = "up" if up else event_to_try(channel)
        if channel.tells_of(event):
            arrived.append(await _try(config, target, event))
        elif not channel.enabled:
            click.echo(f"  {NOTHING}: it is switched off, by enabled = false")
        else:
            click.echo(f"  {NOTHING}: it does not tell of {event}")
    if len(targets) > 1:
        click.echo(f"{sum(arrived)} of {len(arrived)} arrived")
    return bool(arrived) and all(arrived)


async def _try(config: Config, target: Target, event: Event) -> bool:
    trial = await try_out(
        config, target.project, target.channel, event, _show, Clock().now()
    )
    took = in_seconds(trial.took)
    word = f"delivered in {took}" if trial.arrived else f"not delivered after {took}"
    click.echo(f"  {word}: {clean(trial.answer)}")
    return trial.arrived


def _show(preview: str) -> None:
    for line in preview.splitlines():
        click.echo(f"  | {clean(line)}".rstrip())
