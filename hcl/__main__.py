"""Run `python -m hcl` as the command `hcl`."""

from hcl.cli import main

main(prog_name="hcl")
