"""The people's end: channels of two configs, and receivers with their moods.

Importing it registers a transport named `simulated`, which `Simulated` settings name.
"""

import asyncio
import random
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

from hcl import config as configuration
from hcl.alerts.transports import DeliveryError
from hcl.config import Calm, ChannelConfig, Config, QuietHours
from hcl.config.channels.kinds import GroupSettings, Settings
from hcl.config.settings import Window
from hcl.model import Message
from tests import toml
from tests.sim.clockwork import BEGAN
from tests.sim.network import PING_KEYS
from tests.sim.windows import WindowPlan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sim.world import World


@dataclass(frozen=True, slots=True)
class Simulated(Settings):
    """A channel whose receiver lives in the world; programs or people hear it."""

    transport: ClassVar[str] = "simulated"

    receiver: "Receiver"
    for_machines: bool = False

    @property
    def is_for_machines(self) -> bool:  # type: ignore[override]  # of the class elsewhere
        return self.for_machines


class Receiver:
    """Takes what one channel sends, or not, as the world says.

    `mood` is "well", "slow", "refusing" (for now), "gone" (nobody answers), "closed"
    (it refuses for good), "flapping", or "lying": it takes the message, and no answer
    arrives.
    """

    def __init__(self, world: "World", name: str) -> None:
        self.name = name
        self.mood = "well"
        # When it took nothing last.
        self.troubled = -1e9
        self._world = world
        self._rng = random.Random(f"{world.plan.seed} receiver {name}")

    async def send(self, message: Message, _now: datetime) -> str:
        world, mood, begun = self._world, self.mood, self._world.machine.now
        world.sending("before")
        if mood == "flapping":
            mood = self._rng.choice(("well", "refusing", "lying"))
        if mood != "well":
            self.troubled = world.machine.now
        if mood == "gone":
            await asyncio.sleep(20)
            raise DeliveryError("nobody answered within 20 s")
        await asyncio.sleep(25.0 if mood == "slow" else 0.2)
        if mood in ("refusing", "closed"):
            world.telling.refused(self.name, message, for_good=mood == "closed")
            raise DeliveryError(
                f"HTTP {404 if mood == 'closed' else 500}", mood == "closed"
            )
        world.telling.taken(self.name, message, begun, lied=mood == "lying")
        world.sending("after")
        if mood == "lying":
            raise DeliveryError("the connection broke off")
        return "HTTP 200"

    def preview(self, _message: Message, _now: datetime) -> str:
        return ""

    async def aclose(self) -> None:
        pass


def _open_transport(channel: ChannelConfig, _config: Config) -> Receiver:
    assert isinstance(channel.settings, Simulated)
    return channel.settings.receiver


_MODULE = ModuleType("hcl.alerts.transports.simulated")
_MODULE.open_transport = _open_transport  # type: ignore[attr-defined]  # as its siblings have
sys.modules[_MODULE.__name__] = _MODULE

_NO_CALM = Calm()
_RIGA_NIGHT = QuietHours(time(22), time(7), "Europe/Riga")


@dataclass(frozen=True)
class ChannelPlan:
    """One channel of the story: how calm it is, in either config.

    `project` is its project's number; `group` names the members of one.
    """

    name: str
    project: int = 0
    for_machines: bool = False
    calm: Calm = _NO_CALM
    fold: float = 0.0
    fallback: str = ""
    group: tuple[str, ...] = ()
    events: frozenset[str] = frozenset(("down", "up", "server"))

    @property
    def code(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name}.sim"))


def _of(**calm: object) -> Calm:
    return Calm(**calm)  # type: ignore[arg-type]  # names and types are those of Calm


_HOOKS = frozenset(("down", "up"))
_LATE_TOO = _HOOKS | {"late"}

FIRST = (
    ChannelPlan("hook", for_machines=True, events=_HOOKS),
    ChannelPlan("mail", events=frozenset(("down", "up", "server", "slow"))),
    ChannelPlan("phone", fold=30, fallback="mail"),
    ChannelPlan(
        "night",
        events=_LATE_TOO | {"server", "slow"},
        calm=_of(quiet_hours=_RIGA_NIGHT),
    ),
    ChannelPlan(
        "patient",
        for_machines=True,
        events=_LATE_TOO,
        calm=_of(delay=timedelta(minutes=10)),
    ),
    ChannelPlan("nagger", calm=_of(remind_every=timedelta(hours=4))),
    ChannelPlan("member", events=frozenset(("down",))),
    ChannelPlan("team", group=("member", "spare")),
    ChannelPlan("spare", for_machines=True, events=_LATE_TOO | {"slow"}),
    ChannelPlan("other", project=1),
)

# What a reload changes: somebody is calmer, somebody is gone, and is back after it.
SECOND = tuple(
    replace(plan, calm=_of(remind_every=timedelta(hours=6)))
    if plan.name == "nagger"
    else replace(plan, fold=120.0)
    if plan.name == "phone"
    else plan
    for plan in FIRST
    if plan.name != "spare"
)
SECOND = tuple(
    replace(plan, group=("member",)) if plan.group else plan for plan in SECOND
)

CONFIGS: Mapping[str, tuple[ChannelPlan, ...]] = {"first": FIRST, "second": SECOND}

_HOUR, _DAY = 3600.0, 86_400.0
_NAS, _LAB = frozenset(("nas",)), frozenset(("lab",))
_NIGHTLY = WindowPlan(
    "nightly", 1.5 * _HOUR, "*-*-* 22:30:00", "America/New_York", tags=_LAB
)

# What is maintained in either config, by the numbers of projects.
WINDOWS: Mapping[str, Mapping[int, tuple[WindowPlan, ...]]] = {
    "first": {
        0: (
            WindowPlan("updates", 3 * _HOUR, "0 4 * * 0,3", "Europe/Riga", tags=_NAS),
            _NIGHTLY,
            WindowPlan("move", 14 * _HOUR, once=12.3 * _DAY, tags=_NAS | _LAB),
        ),
        1: (WindowPlan("all", 2 * _HOUR, "0 12 * * 2", "Europe/London"),),
    },
    "second": {0: (replace(_NIGHTLY, length=4 * _HOUR),), 1: ()},
}


def configs(folder: "Path", receiver: Callable[[str], Receiver]) -> dict[str, Config]:
    """Make the settings that a story goes back and forth between."""
    path = folder / "hcl.toml"
    path.write_text(
        toml.project("Home", PING_KEYS[0])
        + toml.key("me", "hcw_" + "w" * 28, access="read-write")
        + toml.project("Other", PING_KEYS[1])
        + toml.key("they", "hcw_" + "o" * 28, access="read-write")
    )
    base = configuration.load(path)
    base = replace(base, pings=replace(base.pings, log_limit=300))
    return {
        name: _with(base, plans, WINDOWS[name], receiver)
        for name, plans in CONFIGS.items()
    }


def _with(
    base: Config,
    plans: tuple[ChannelPlan, ...],
    windows: Mapping[int, tuple[WindowPlan, ...]],
    receiver: Callable[[str], Receiver],
) -> Config:
    codes = {plan.name: plan.code for plan in plans}
    projects = tuple(
        replace(
            project,
            channels=tuple(
                _channel(plan, codes, receiver)
                for plan in plans
                if plan.project == number
            ),
            maintenance=tuple(map(_window, windows[number])),
        )
        for number, project in enumerate(base.projects)
    )
    return replace(base, projects=projects)


def _window(plan: WindowPlan) -> Window:
    length = timedelta(seconds=plan.length)
    if plan.schedule:
        return Window(plan.name, plan.tags, plan.schedule, plan.tz, length)
    start = datetime.fromtimestamp(BEGAN + plan.once, UTC)
    return Window(plan.name, plan.tags, start=start, end=start + length)


def _channel(
    plan: ChannelPlan, codes: Mapping[str, str], receiver: Callable[[str], Receiver]
) -> ChannelConfig:
    settings: Settings = Simulated(receiver(plan.name), plan.for_machines)
    if plan.group:
        settings = GroupSettings(tuple(codes[name] for name in plan.group))
    return ChannelConfig(
        id=plan.code,
        name=plan.name,
        kind="group" if plan.group else "webhook",
        events=plan.events,  # type: ignore[arg-type]  # they are such
        settings=settings,
        calm=plan.calm,
        fold=timedelta(seconds=plan.fold),
        fallback=codes.get(plan.fallback),
    )
