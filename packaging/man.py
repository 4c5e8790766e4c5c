"""Write the man page from what the commands say of themselves."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from hcl import __version__
from hcl.cli import main

_HEAD = """\
.TH HCL 1 "" "hcl {version}" "User Commands"
.SH NAME
hcl \\- watch over cron jobs: hear their pings, and tell when one is missed
.SH SYNOPSIS
.B hcl
.I COMMAND
[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]
.SH DESCRIPTION
hcl is a monitor for cron jobs that speaks the Healthchecks protocol: one process, one
SQLite file, one TOML file. `hcl serve' without a config writes one, and says what to do
now.
.SH COMMANDS
"""

_TAIL = """\
.SH FILES
.TP
.I ./hcl.toml, /etc/hcl/hcl.toml, /var/lib/hcl/hcl.toml
The configuration: the first that is there. `hcl init \\-\\-full' writes one with every
key.
.SH ENVIRONMENT
.TP
.B HCL_CONFIG
The configuration to read instead.
.TP
.B HCL_LISTEN, HCL_SITE_ROOT, HCL_DATABASE
Stand above server.listen, server.site_root and database.path of the file.
"""


def man_page() -> str:
    """Return the whole page in roff."""
    group = click.Context(main, info_name="hcl")
    lines: list[str] = []
    for name in main.list_commands(group):
        command = main.get_command(group, name)
        if command is not None and not command.hidden:
            lines += _command(command, click.Context(command, group, name))
    return _HEAD.format(version=__version__) + "\n".join(lines) + "\n" + _TAIL


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_roff(f'{context.command_path} {pieces}'.strip())}"
    for number, paragraph in enumerate((command.help or "").split("\n\n")):
        if number:
            yield ".PP"
        yield _roff(" ".join(paragraph.split()))
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[1] and "--help" not in record[0]:
            yield f".TP\n.B {_roff(record[0])}\n{_roff(record[1])}"


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("\b", "")
    # At the beginning of a line these would be requests.
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(man_page(), encoding="utf-8")
