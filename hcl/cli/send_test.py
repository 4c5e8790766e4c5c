"""`hcl send-test`: try a channel out."""

import asyncio
import os
import sys
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from hcl import config as configuration
from hcl import rules
from hcl.config import ChannelConfig, Config, ConfigError
from hcl.model import Alert, Flip, Ping
from hcl.syncing import tells_of
from hcl.transports import DeliveryError, open_transport


@click.command("send-test")
@click.argument("name")
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option("--project", help="The channel's project, if several have one so named.")
def send_test(name: str, explicit: str | None, project: str | None) -> None:
    """Send a test message over the channel NAME; the exit status says if it arrived."""
    try:
        path = configuration.find(explicit, os.environ, Path())
        if path is None:
            raise ConfigError("there is no hcl.toml here; name one with --config")
        config = configuration.load(path)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    project_name, channel = _find(config, name, project)
    begun = time.monotonic()
    try:
        answer = asyncio.run(_send(config, channel, project_name))
    except DeliveryError as error:
        click.echo(f"{channel.name} ({channel.kind}): not delivered: {error}")
        sys.exit(1)
    took = time.monotonic() - begun
    click.echo(f"{channel.name} ({channel.kind}): {answer}, in {took:.2f} s")


def _find(config: Config, name: str, project: str | None) -> tuple[str, ChannelConfig]:
    found = [
        (wanted.name, channel)
        for wanted in config.projects
        for channel in wanted.channels
        if channel.name == name and project in (None, wanted.name)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        owners = ", ".join(f'"{owner}"' for owner, _ in found)
        raise click.ClickException(
            f'several projects have a channel "{name}" ({owners}); add --project'
        )
    names = [f'"{c.name}"' for p in config.projects for c in p.channels]
    there = f"there are {', '.join(names)}" if names else "there are none"
    raise click.ClickException(f'no channel is named "{name}"; {there}')


async def _send(config: Config, channel: ChannelConfig, project_name: str) -> str:
    now = datetime.now(UTC)
    transport = open_transport(channel, config)
    alert = example(config.server.site_name, project_name, now)
    if not tells_of(channel, "down"):
        flip = Flip(now, "down", "up", "")
        alert = replace(alert, check=alert.check._replace(status="up"), flip=flip)
    try:
        return await transport.send(alert, now)
    finally:
        await transport.aclose()


def example(site_name: str, project_name: str, now: datetime) -> Alert:
    """Return an alert about a check that does not exist, called TEST."""
    check = rules.new_check(0, str(uuid.uuid4()), str(uuid.uuid4()))
    check = check._replace(
        name="TEST",
        slug="test",
        desc="This is a test message; no job has failed.",
        status="down",
        n_pings=1,
        last_ping=now - timedelta(days=1, hours=1),
    )
    ping = Ping(
        n=1,
        created=now - timedelta(days=1, hours=1),
        action="success",
        scheme="http",
        remote_addr="127.0.0.1",
        method="POST",
        ua="hcl send-test",
        rid=None,
        exitstatus=None,
        body=b"This is the end of what the job last wrote.",
    )
    flip = Flip(now, "up", "down", "timeout")
    return Alert(site_name, project_name, check, flip, ping, channels=())
