"""python -m bench.without NAMES ARGUMENTS: hcl's command where packages are missing.

NAMES are what cannot be imported, with commas between.
"""

import runpy
import sys

if __name__ == "__main__":
    for name in sys.argv.pop(1).split(","):
        # What is None there cannot be imported.
        sys.modules[name] = None  # type: ignore[assignment]
    runpy.run_module("hcl", run_name="__main__", alter_sys=True)
