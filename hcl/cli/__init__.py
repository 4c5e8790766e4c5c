"""The command `hcl`: one module a command, imported when it is called."""

import errno
import importlib
import os
import sys
from io import TextIOWrapper

import click

from hcl import __version__, client

# Where each command is, and what the help says of it: so that `hcl --version` and
# `hcl --help` need not import a server.
COMMANDS = {
    "serve": ("hcl.cli.serve:serve", "Start the server."),
    "init": ("hcl.cli.init:init", "Write a first hcl.toml, with fresh keys."),
    "check-config": (
        "hcl.cli.check_config:check_config",
        "Tell whether hcl.toml is right, and what is wrong.",
    ),
    "plan": (
        "hcl.cli.plan:plan",
        "Show what a reload would do to declared checks.",
    ),
    "send-test": ("hcl.cli.send_test:send_test", "Send a test over channels."),
    "status": ("hcl.cli.status:status", "Show how the server fares."),
    "health": ("hcl.cli.health:health", "Tell by the exit status whether it is well."),
    "backup": ("hcl.cli.backup:backup", "Copy the database, while hcl runs or not."),
    "restore": ("hcl.cli.restore:restore", "Put a copy in the database's place."),
    "test-alert": (
        "hcl.cli.test_alert:test_alert",
        "Have each channel say that all is well.",
    ),
    "systemd": (
        "hcl.cli.systemd:systemd",
        "Print the units that systemd runs hcl by.",
    ),
    "standby": (
        "hcl.cli.standby:standby",
        "Follow another machine's database, or take over from it.",
    ),
    "fence": (
        "hcl.cli.fence:fence",
        "Show, or raise, the epoch that tells whose turn it is.",
    ),
    "notifications": (
        "hcl.cli.notifications:notifications",
        "Show what was sent, what waits, and every try.",
    ),
    "import": (
        "hcl.cli.import_:import_",
        "Move in, from a Healthchecks or another hcl.",
    ),
    "export": ("hcl.cli.export:export", "Write down all but secrets, to move out."),
    "sign-in": (
        "hcl.cli.sign_in:sign_in",
        "Print a link, and a QR code, that sign in once.",
    ),
    "explain": (
        "hcl.cli.explain:explain",
        "Say why a check has the status it has.",
    ),
    "report": ("hcl.cli.report:report", "Print the reports as they would be now."),
}


# What a full disk, and one that fails, say where the output goes to a file there.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 click's signature
    ) -> list[str]:
        """Name the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import one command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a command")
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; say in a line if what it prints cannot be written."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            # Of a file that is named, a command tells itself.
            if error.filename is not None or error.errno not in _UNWRITABLE:
                raise
            # Else the rest is tried again at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            why = f"the output cannot be written: {error.strerror}"
            raise click.ClickException(why) from error

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])
        with formatter.section("Where the jobs run"):
            formatter.write_dl(list(client.COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hcl")
def main() -> None:
    """Watch over cron jobs: hear their pings, and tell when one is missed."""
    if isinstance(sys.stdout, TextIOWrapper):
        # What their terminal cannot show is no reason to show nothing.
        sys.stdout.reconfigure(errors="replace")
