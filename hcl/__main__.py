"""Run `python -m hcl` as the command `hcl`; what runs beside jobs imports no server."""

import sys

from hcl.client import COMMANDS


def main() -> None:
    """Run the command that the arguments name."""
    # Those start with each job: click alone would take longer than all that they need.
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        from hcl.client.command import main as run_client

        sys.exit(run_client(sys.argv[1:]))
    if sys.version_info < (3, 11):  # noqa: UP036 - the client above runs on 3.9 too
        sys.exit(
            "Error: the server needs Python 3.11 or newer, and this is"
            f" {sys.version.split()[0]}; make its environment with another:"
            " python3.11 -m venv"
        )
    from hcl.cli import main as run_server

    run_server(prog_name="hcl")


if __name__ == "__main__":
    main()
