"""`hcl plan`: show what a reload would do to the checks that hcl.toml declares."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from hcl.cli.config_file import load_config
from hcl.config import Config
from hcl.config.rights import may_exist
from hcl.occurrences import pasted
from hcl.words.lengths import duration
from hcl.words.lines import clean, counted, one_line

if TYPE_CHECKING:
    from hcl.server.declaring import Step, Verb

# The exit status if there is something to do; 1 is for errors.
SOMETHING = 2

# What is said of a step behind the check's name.
_MEANT: "dict[Verb, str]" = {
    "adopt": "it was made otherwise; its URL and history stay",
    "bring back": "it is watched again, with its URL and history",
    "refuse": "it is left as it is; see the warning",
    "let go": "it is not in the file any more: it is paused, and keeps its history",
}


class PlanCommand(click.Command):
    """A command whose own mistakes do not look like something to do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line; what is wrong with it ends in 1."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.show()
            raise click.exceptions.Exit(1) from error


@click.command(cls=PlanCommand)
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.pass_context
def plan(ctx: click.Context, explicit: str | None) -> None:
    """Show what a reload would do to checks that hcl.toml declares; changes nothing.

    The exit status is 0 if there is nothing to do, 2 if there is something, 1 if the
    file is wrong or the database cannot be read. The server may run meanwhile.
    """
    config = load_config(explicit)
    _tell_turned(config)
    if not may_exist(config.database.path):
        count = _tell_all_new(config)
    else:
        count = _tell_steps(config)
    if count:
        click.echo(f"{counted(count, 'thing')} to do")
        ctx.exit(SOMETHING)
    click.echo("nothing to do")


def _tell_turned(config: Config) -> None:
    """Say of schedules that were pasted from elsewhere how they are stored."""
    for check in (check for project in config.projects for check in project.checks):
        if check.typed:
            said = f"{one_line(check.typed)} is stored as {check.fields['schedule']}"
            spread = timedelta(seconds=pasted(check.typed).spread)
            if spread:
                said += ", the first moment that cron may pick: let grace cover the"
                said += f" {duration(spread)} after it"
            click.echo(f"{check.slug}: {said}")


def _tell_all_new(config: Config) -> int:
    click.echo(f"there is no database yet: {config.database.path}")
    slugs = [
        _line("create", check.slug, project.name)
        for project in config.projects
        for check in project.checks
    ]
    for line in slugs:
        click.echo(line)
    return len(slugs) or 1


def _tell_steps(config: Config) -> int:
    # Imported here: without a database none of it is needed.
    from hcl.db import DatabaseError
    from hcl.server import declaring
    from hcl.server.syncing import foresee

    try:
        foreseen = asyncio.run(foresee(config))
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    others = [*foreseen.news, *(change.line for change in foreseen.told)]
    for line in others:
        click.echo(line)
    for change in declaring.shared(foreseen.steps):
        click.echo(f"warning: {change.line}", err=True)
    steps = [step for step in foreseen.steps if step.verb != "leave"]
    for step in steps:
        for line in _step_lines(step):
            click.echo(line)
    if left := len(foreseen.steps) - len(steps):
        click.echo(
            f"leave {counted(left, 'check')} as {'it is' if left == 1 else 'they are'}"
        )
    return len(others) + len(steps)


def _line(verb: "Verb", slug: str, project: str, more: str = "") -> str:
    return f'{verb} {slug} of "{one_line(project)}"' + (f": {more}" if more else "")


def _step_lines(step: "Step") -> Iterator[str]:
    more = _MEANT.get(step.verb, "")
    yield _line(step.verb, step.slug, step.project.name, more)
    for name in step.changed:
        before, after = _values(step, name)
        yield f"    {name}" + (f": {before} -> {after}" if after else "")


def _values(step: "Step", name: str) -> Sequence[str]:
    """Return what a key says before and after, "" where that is too long to say."""
    if name in ("channels", "desc"):
        return "", ""
    was_simple, is_simple = (c.kind == "simple" for c in (step.check, step.wanted))
    if name == "schedule" and was_simple:
        before = f"a timeout of {_value(step.check.timeout)}"
        return before, _value(step.wanted.schedule)
    if name == "timeout" and is_simple and not was_simple:
        before = f"the schedule {_value(step.check.schedule)}"
        return before, _value(step.wanted.timeout)
    return _value(getattr(step.check, name)), _value(getattr(step.wanted, name))


def _value(value: object) -> str:
    if isinstance(value, timedelta):
        return duration(value)
    # JSON does not escape all that a terminal takes for orders.
    return clean(json.dumps(value, ensure_ascii=False, default=str))
