"""Tell the story that a plan holds."""

import gc
import tempfile
from pathlib import Path

from tests.sim.plan import Plan
from tests.sim.world import World


def tell(plan: Plan) -> World:
    """Tell a story in a folder of its own, in memory where there is one."""
    memory = Path("/dev/shm")
    parent = memory if memory.is_dir() else None
    thresholds = gc.get_threshold()
    # As a server has it: little that is made here is garbage in a circle.
    gc.set_threshold(10_000, 10, 100)
    try:
        with tempfile.TemporaryDirectory(prefix="hcl-sim-", dir=parent) as folder:
            world = World(plan, Path(folder))
            world.run()
    finally:
        gc.set_threshold(*thresholds)
    return world
