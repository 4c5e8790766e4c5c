"""`hcl sign-in`: print a link that signs in once, and as a QR code for a phone."""

import asyncio
import sys
from datetime import datetime
from urllib.parse import urlsplit

import click

from hcl import store
from hcl.cli.config_file import load_config
from hcl.clock import Clock
from hcl.config import Config, KeyConfig
from hcl.db import DatabaseError, open_to_read
from hcl.web.pages.visit import signed_links
from hcl.words import qr_code
from hcl.words.moments import here

_LOOPBACK = ("127.0.0.1", "::1", "localhost")

# Black on white, whatever the terminal's colours are.
_INK, _PLAIN = "\x1b[38;5;16;48;5;231m", "\x1b[0m"


@click.command("sign-in")
@click.option("--key", "name", metavar="NAME", help="Sign in by this key.")
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
def sign_in(name: str | None, explicit: str | None) -> None:
    """Print a link that signs in once, and in a terminal as a QR code for a phone.

    By the first read-write key of hcl.toml, or the one that --key names. Whoever has
    the link is let in: it counts for 15 minutes. The server need not be asked.
    """
    config, now = load_config(explicit), Clock().now()
    if not config.web.enabled:
        raise click.ClickException("there are no pages: [web] enabled is false")
    key = _key(config, name)
    try:
        secret = config.server.secret or asyncio.run(_secret(config))
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    if not secret:
        raise click.ClickException("the server has not run yet: start it first")
    root = config.server.site_root
    url = f"{root}/sign-in/{signed_links.make(secret, key.sha256, now)}"
    if sys.stdout.isatty():
        _draw(url)
    click.echo(url)
    click.echo(_told(key, now), err=True)
    if urlsplit(root).hostname in _LOOPBACK:
        hint = "It leads to this machine only: server.site_root says so."
        click.echo(hint, err=True)


def _key(config: Config, name: str | None) -> KeyConfig:
    keys = [key for project in config.projects for key in project.keys]
    for key in keys:
        if key.name == name or (name is None and key.access == "read-write"):
            return key
    if name is None:
        raise click.ClickException("hcl.toml has no read-write key; use --key")
    raise click.ClickException(f"there is no key {name!r}")


async def _secret(config: Config) -> str:
    async with open_to_read(config.database.path) as conn:
        return await store.settings.get(conn, "secret") or ""


def _told(key: KeyConfig, now: datetime) -> str:
    until = here(now + signed_links.LIFETIME)
    return f"It signs in by the key {key.name} ({key.access}), once, until {until}."


def _draw(url: str) -> None:
    try:
        code = qr_code.modules(url.encode())
    except qr_code.TooLongError:
        return
    for line in qr_code.lines(code):
        click.echo(f"{_INK}{line}{_PLAIN}")
