"""Run `python -m hcl.client`, or the one file that is made of it."""

from __future__ import annotations

import sys

from hcl.client.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
