"""Channels that come, by a reload, to a group or by an edit: what they tell then."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.world import World

# For how long what has ended is still told, and what that may be off by.
_LONGEST, _UNSURE = 7 * 86_400, 86_400


class Returns:
    """Knows the last flip of each check, whoever was there to tell it."""

    def __init__(self, world: "World") -> None:
        self._world = world
        # By the check's code: the flip, what it was and what it became, and when.
        self._last: dict[str, tuple[int, str, str, float]] = {}
        # What an old copy of the database knows may come over any channel.
        self._copied = 0
        # Checks that were deleted: of what was told of them nothing is known any more,
        # should such a copy bring them back.
        self._deleted: set[str] = set()

    def flipped(self, code: str, flip: int, old: str, new: str, at: float) -> None:
        """Hear of a flip of a true time."""
        self._last[code] = flip, old, new, min(at, self._world.machine.now)

    def go_back(self, last_flip: int) -> None:
        """Hear that an old copy of the database was put back."""
        self._copied = last_flip
        self._last.clear()

    def forget(self, code: str) -> None:
        """Hear that a check was deleted."""
        self._deleted.add(code)

    def may_come(self, flip: int, code: str) -> bool:
        """Tell whether a flip may be told by who had not to tell it."""
        return flip <= self._copied or code in self._deleted

    def back(self, name: str) -> None:
        """Hear that a channel is in the config again."""
        plans = self._world.telling.plans()
        groups = {plan.name for plan in plans.values() if name in plan.group}
        for code, watched in self._world.oracle.by_code.items():
            if code not in self._last or not (groups | {name}) & watched.channels:
                continue
            self._tell(name, code, *self._last[code])
            if name not in watched.channels:
                for owed in self._world.telling.owed.get((name, code), ())[-1:]:
                    # It may have told of another outage by itself.
                    owed.is_optional = True

    def _tell(
        self, name: str, code: str, flip: int, old: str, new: str, at: float
    ) -> None:
        world, telling = self._world, self._world.telling
        told = telling.owed.get((name, code), [])
        if new not in telling.plans()[name].events or any(o.flip == flip for o in told):
            return
        heard = [owed for owed in told if owed.is_told]
        # Of what was taken without an answer hcl does not know: it goes by what it
        # told before.
        last = heard[-1:] + [owed for owed in heard if not owed.was_lied][-1:]
        # What an old copy of the database knows was maybe told after it was made.
        is_old = any(owed.flip <= self._copied for owed in last)
        if new == "up" and old == "down" and last:
            if not is_old and all(owed.new != "down" for owed in last):
                return
            is_sure = not (is_old or last[0].was_lied or world.machine.is_wrong)
            is_sure &= at > max(world.set, world.machine.now - _LONGEST + _UNSURE)
            telling.owe(name, code, flip, new, world.machine.now, is_sure=is_sure)
        elif new == "down" and self._has_to_be_told(code, flip):
            # It may have had no channel, or be told by one that is in trouble.
            telling.owe(name, code, flip, new, world.machine.now, is_sure=False)

    def assigned(self, code: str, names: Iterable[str]) -> None:
        """Hear that an edit has given a check these channels too.

        They tell of an outage that nobody heard of, or whose check is muted still.
        """
        telling = self._world.telling
        plans = telling.plans()
        flip, _, new, at = self._last.get(code, (0, "", "", 0.0))
        if new != "down" or not self._has_to_be_told(code, flip):
            return
        # What nobody had to tell, or a fallback has told, need not be told now.
        is_sure = not telling.fallbacks.has_arrived(code, flip) and any(
            owed.flip == flip and not owed.is_optional
            for (_, other), told in telling.owed.items()
            for owed in told
            if other == code
        )
        for plan in (plans[name] for name in names if name in plans):
            for member in plan.group or (plan.name,):
                if {new} <= plan.events & plans[member].events:
                    telling.owe(member, code, flip, new, at, is_sure=is_sure)

    def _has_to_be_told(self, code: str, flip: int) -> bool:
        """Tell whether its check is muted, or nobody was told, as far as hcl knows."""
        is_muted = self._world.telling.mutes.until(code) > self._world.machine.now
        return is_muted or not any(
            owed.flip == flip and owed.is_told and not owed.was_lied
            for (_, other), told in self._world.telling.owed.items()
            for owed in told
            if other == code
        )

    def to_group(self, group: str, code: str, flip: int, new: str, at: float) -> None:
        """Let who is in a group from now on be told of what waits there."""
        telling = self._world.telling
        plans = telling.plans()
        for member in plans[group].group if group in plans else ():
            told = telling.owed.get((member, code), ())
            is_known = any(owed.flip >= flip for owed in told)
            if not is_known and new in plans[member].events:
                telling.owe(member, code, flip, new, at, is_sure=False)
