"""What an alert through Apprise costs on a small machine: a tenth of a core."""

import asyncio
import time
from pathlib import Path
from statistics import median

from bench import proc
from bench.client import get
from bench.plan import Plan, say
from bench.receivers import Hook
from bench.seed import seed
from bench.servers import Hcl
from bench.small import small
from bench.table import Row
from tests import toml

_MB = 1_000_000


def measure(plan: Plan) -> list[Row]:
    """Measure the first messages after a rest, each by a new process of Apprise."""
    return asyncio.run(_measure(plan))


async def _measure(plan: Plan) -> list[Row]:
    hooks, phones, peaks = [], [], []
    for _ in range(plan.pick(5, 2)):
        async with Hook() as hook, Hook() as phone:
            to_hook, to_phone, peak = await _once(plan.new_folder(), hook, phone)
        hooks.append(to_hook)
        phones.append(to_phone)
        peaks.append(peak)
    name = "on a tenth of a core: a fail ping to"
    return [
        Row(f"{name} the webhook's arrival", f"{median(hooks):.2f} s"),
        Row(f"{name} ntfy's, with the start of Apprise", f"{median(phones):.1f} s"),
        Row(
            "memory (RSS) of the process that runs Apprise, while it lives",
            f"{max(peaks) / _MB:.0f} MB",
        ),
    ]


async def _once(folder: Path, hook: Hook, phone: Hook) -> tuple[float, float, int]:
    url = f"ntfy://127.0.0.1:{phone.port}/alerts"
    hcl = Hcl(folder, hook=hook.port, channels=toml.channel("Phone", "ntfy", url=url))
    [code] = await asyncio.to_thread(seed, hcl.folder, 1)
    say("apprise: the first message, on a tenth of a core")
    with small(hcl, all_of_it=False):
        begun = time.time()
        await asyncio.to_thread(get, hcl.port, [f"/ping/{code}/fail"])
        await phone.wait_for(1, seconds=120)
        await hook.wait_for(1, seconds=20)
        rests = list(proc.family(hcl.pid))[1:]
        peak = max(map(proc.peak_bytes, rests), default=0)
    return hook.arrivals[0].at - begun, phone.arrivals[0].at - begun, peak
