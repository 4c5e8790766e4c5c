"""What goes wrong with hcl's machine, its disk, its clock and its receivers."""

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tests.sim.faults import crashes, stills
from tests.sim.faults.clocks import (
    boot_without_time,
    judge_start,
    step,
    unsynchronise,
)
from tests.sim.faults.crashes import short
from tests.sim.faults.disks import Refusal, disk_full, disk_read_only
from tests.sim.faults.losses import lose_tail, restore
from tests.sim.faults.moods import receiver

if TYPE_CHECKING:
    from tests.sim.world import World

__all__ = ["ACTS", "Refusal", "judge_start", "short"]

# What happens by each kind of event.
ACTS: Mapping[str, Callable[["World", random.Random], None]] = {
    act.__name__: act
    for act in (
        crashes.crash,
        crashes.crash_at_statement,
        crashes.crash_at_commit,
        crashes.crash_at_send,
        crashes.restart,
        crashes.restarts,
        crashes.second_server,
        stills.suspend,
        stills.stop,
        stills.starve,
        step,
        unsynchronise,
        boot_without_time,
        disk_full,
        disk_read_only,
        restore,
        lose_tail,
        receiver,
    )
}
