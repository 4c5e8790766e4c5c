"""Tell stories: python -m tests.sim --years 1 --seed 7."""

import argparse
import os
import sys
import time
from contextlib import nullcontext
from dataclasses import replace

from tests.sim.plan import Plan, plan, shrink
from tests.sim.planted import PLANTED
from tests.sim.story import tell
from tests.sim.world import World

# What the hash of a text is, and with it the order of a set, is drawn anew for each
# process: no seed would be one story.
_HASH_SEED = "PYTHONHASHSEED"


def main() -> int:
    """Tell one story; return 1 if hcl did something wrong in it."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--years", type=float, default=1.0)
    parser.add_argument("--days", type=float, default=0.0, help="in place of years")
    parser.add_argument("--seed", default="1")
    dense = "so many times the faults and edits"
    parser.add_argument("--dense", type=int, default=1, help=dense)
    parser.add_argument("--planted", choices=PLANTED, help="with a mistake in hcl")
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--all", action="store_true", help="tell all of it")
    args = parser.parse_args()
    with PLANTED[args.planted]() if args.planted else nullcontext():
        return _tell(args)


def _tell(args: argparse.Namespace) -> int:
    begun = time.process_time()
    world = tell(plan(args.seed, args.days or args.years * 365, args.dense))
    took = time.process_time() - begun
    print(
        f"seed {args.seed}, {world.machine.now / 86_400:.0f} days, {len(world.story)}"
        f" things happened, {took:.1f} s, trace {world.trace.hexdigest()[:16]}"
    )
    if world.fault is None:
        return 0
    print(f"{world.fault.what}: {world.fault.more}")
    if not args.no_shrink:
        world = shrunk(world)
    print(told(world, everything=args.all))
    return 1


def shrunk(world: World) -> World:
    """Tell the shortest story that ends in the same fault."""
    assert world.fault is not None
    fault, found = world.fault, world

    def fails(smaller: Plan) -> bool:
        nonlocal found
        other = tell(smaller)
        if other.fault is None or other.fault.what != fault.what:
            return False
        found = other
        return True

    # What comes later has no part in it.
    events = tuple(event for event in world.plan.events if event.at <= fault.at)
    story = replace(world.plan, events=events, seconds=fault.at + 1)
    shrink(story if fails(story) else world.plan, fails, fault.job)
    return found


def told(world: World, *, everything: bool = False, lines: int = 40) -> str:
    """Tell a story in a few lines: what concerns the check, and all others."""
    assert world.fault is not None
    code = world.fault.code
    concern = [
        (at, text)
        for at, text, of in world.story
        if everything or not code or of in ("", code)
    ]
    return "\n".join(
        f"day {at / 86_400:8.3f}  {text}"
        for at, text in concern[-(10**9 if everything else lines) :]
    )


if __name__ == "__main__":
    if os.environ.get(_HASH_SEED) != "0":
        os.environ[_HASH_SEED] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.sim", *sys.argv[1:]])
    sys.exit(main())
