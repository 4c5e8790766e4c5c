"""The oracle of messages: which are owed, and whether what arrives is one of them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hcl.model import Alert, Flip, Message
from tests.sim.clockwork import BEGAN
from tests.sim.fallbacks import Fallbacks
from tests.sim.mutes import Mute, Mutes
from tests.sim.receivers import CONFIGS, FIRST, SECOND, ChannelPlan
from tests.sim.returns import Returns

if TYPE_CHECKING:
    from tests.sim.world import World

# What is owed arrives within so many seconds where nothing is in its way, and within so
# many after the longest pause between two tries.
_SOON = 90.0
_AT_LAST = 1.25 * 86_400

# The shortest `fold` of a channel in either config.
_FOLD = min(plan.fold for plan in (*FIRST, *SECOND) if plan.fold)


@dataclass
class Owed:
    """One flip that one channel has to tell; `is_optional`: it may as well not."""

    channel: str
    code: str
    flip: int
    new: str
    at: float
    is_told: bool = False
    is_optional: bool = False
    told_in: int = 0
    # That it was taken is not known to hcl: it comes again.
    was_lied: bool = False
    # Until when it is muted.
    held: float = -1e9
    # When it was told or repeated last.
    reminded: float = 0.0


class Telling:
    """Knows which messages people ought to get, and hears of those that they get."""

    def __init__(self, world: "World") -> None:
        self.config = "first"
        self.mutes = Mutes()
        self._world = world
        self.owed: dict[tuple[str, str], list[Owed]] = {}
        self._announced: dict[tuple[str, int], int] = {}
        self.fallbacks = Fallbacks(world)
        self.returns = Returns(world)
        # The last flip of each check that came to a group.
        self._to_groups: dict[tuple[str, str], tuple[int, str, float]] = {}

    def plans(self) -> dict[str, ChannelPlan]:
        """Return the channels of the config that is in use, by name."""
        return {plan.name: plan for plan in CONFIGS[self.config]}

    def flipped(
        self,
        code: str,
        flip: int,
        old: str,
        new: str,
        channels: Collection[str],
        at: float,
    ) -> None:
        """Note a flip of a true time: each channel that is assigned has to tell it."""
        self._end_delays(code, min(at, self._world.machine.now))
        self.returns.flipped(code, flip, old, new, at)
        is_end = new == "up" or old == "down"
        if is_end and self._world.machine.now < self.mutes.until(code) + _SOON:
            # Nobody need hear of what began and ended muted, whatever else is told.
            for name in self.plans():
                for owed in self.owed.get((name, code), ())[-1:]:
                    owed.is_optional |= not owed.is_told
        if not (new == "down" or (new == "up" and old == "down")):
            return
        plans = self.plans()
        for name in sorted(channels):
            plan = plans.get(name)
            if plan is None or new not in plan.events:
                continue
            for member in plan.group:
                if new in plans[member].events:
                    self.owe(member, code, flip, new, at)
            if plan.group:
                self._to_groups[name, code] = flip, new, at
            else:
                self.owe(name, code, flip, new, at)

    def owe(
        self,
        name: str,
        code: str,
        flip: int,
        new: str,
        at: float,
        *,
        is_sure: bool = True,
    ) -> None:
        """Have a channel tell a flip; not `is_sure`: it may as well not."""
        told = self.owed.setdefault((name, code), [])
        if any(owed.flip == flip for owed in told):
            return
        owed = Owed(name, code, flip, new, min(at, self._world.machine.now))
        owed.is_optional = not is_sure
        before = told[-1] if told else None
        owed.held = self.mutes.until(code)
        if new == "up" and before and not before.is_told:
            # Who was not told that it is down need not hear that it is up.
            owed.is_optional |= before.is_optional
        told.append(owed)
        self._world.agenda.after(self.hold(name) + _SOON, lambda: self._examine(owed))

    def _end_delays(self, code: str, now: float) -> None:
        """What changes before the delay is over need not be told."""
        for name, plan in self.plans().items():
            told = self.owed.get((name, code))
            if told and plan.calm.delay and not told[-1].is_told:
                over = now - told[-1].at
                if over < plan.calm.delay.total_seconds() + 5:
                    told[-1].is_optional = True

    def owes(self, name: str, code: str) -> bool:
        """Tell whether a channel has a flip of a check still to tell."""
        told = self.owed.get((name, code), ())
        return any(not owed.is_told and not owed.is_optional for owed in told)

    def hold(self, name: str) -> float:
        """Return for how long a channel may hold a message on purpose, in seconds."""
        plan = self.plans().get(name)
        if plan is None:
            return 0.0
        delay = plan.calm.delay or timedelta(0)
        quiet = 10 * 3600.0 if plan.calm.quiet_hours else 0.0
        return plan.fold + delay.total_seconds() + quiet

    def _examine(self, owed: Owed) -> None:
        """See whether what is owed was told in time; look again if it may be later."""
        world, name = self._world, owed.channel
        if owed.is_told or owed.is_optional or not self._is_current(owed):
            return
        owed.held = max(owed.held, self.mutes.until(owed.code))
        if owed.held > owed.at and (self._is_over(owed) or self._began_untold(owed)):
            # It was paused, or came up, while nobody was to be told.
            return
        if name not in self.plans() or owed.code not in world.oracle.by_code:
            return
        receiver = world.receiver(name)
        was_troubled = receiver.troubled > owed.at - 2 * 86_400
        due = max(owed.at, owed.held, world.troubled) + self.hold(name) + _SOON
        if was_troubled or receiver.mood != "well":
            due = max(due, receiver.troubled + self.hold(name) + _AT_LAST)
        if receiver.mood != "well" or not world.is_calm or world.machine.now < due:
            world.agenda.at(
                max(due, world.machine.now + 600), lambda: self._examine(owed)
            )
            return
        world.blame(
            "a message never arrives",
            f"{name}: {owed.new} of {world.name_of(owed.code)}, flip {owed.flip}",
            owed.code,
        )

    def _is_over(self, owed: Owed) -> bool:
        """Tell whether a down has ended, whatever has begun since."""
        if owed.new != "down":
            return False
        told = self.owed[owed.channel, owed.code]
        later = told[told.index(owed) + 1 :]
        ended = any(other.new == "up" and other.at <= owed.held for other in later)
        return ended or self._world.oracle.status_of(owed.code) != "down"

    def _began_untold(self, owed: Owed) -> bool:
        """Tell whether an up ends a down that was not told, or not owed, either."""
        told = self.owed[owed.channel, owed.code]
        before = told[: told.index(owed)][-1:]
        was_told = any(one.new == "down" and one.is_told for one in before)
        return owed.new == "up" and not was_told

    def _is_current(self, owed: Owed) -> bool:
        return owed in self.owed.get((owed.channel, owed.code), ())

    def taken(self, name: str, message: Message, begun: float, *, lied: bool) -> None:
        """Hear that a receiver took a message; hcl has `begun` to send it then."""
        # What another channel could not deliver comes besides.
        if message.announcement is not None and not message.notice:
            self._announce(name, message.announcement.id)
        self._look_for_quiet(name, begun)
        self._look_for_fold(name, message)
        for alert in message.alerts:
            code = alert.check.code
            if code not in self._world.oracle.by_code:
                continue
            if self.mutes.is_silent(code, begun, self._world.set):
                self._blame("a message of a muted check", name, code)
            if alert.lateness is not None:
                notice = bool(message.notice)
                is_slow = alert.lateness.usual is not None
                judge = self._world.slows if is_slow else self._world.lates
                judge.told(name, alert, lied=lied, notice=notice)
                continue
            if alert.reminder:
                self._reminded(name, alert)
                continue
            flips = (*alert.earlier, alert.flip)
            owed = self.owed.get((name, code), ())
            known = (one.flip for one in owed if one.is_told and not one.was_lied)
            # What was given up before is told no more.
            last = max(known, default=0)
            later = [one for one in owed if one.flip > last]
            if not alert.earlier:
                # What need not be told is not, where another flip bears its moment.
                later = [one for one in later if not one.is_optional] or later
            untold = {one.flip for one in later}
            numbers = self._world.oracle.flips_of(code, flips, untold)
            for flip, number in zip(flips, numbers, strict=True):
                if number is None:
                    self._blame("a message of no flip", name, code, f"{flip}")
                else:
                    self._told(name, code, number, lied, notice=bool(message.notice))

    def _told(
        self, name: str, code: str, flip: int, lied: bool, *, notice: bool
    ) -> None:
        world = self._world
        told = self.owed.get((name, code), [])
        owed = next((one for one in told if one.flip == flip), None)
        self.fallbacks.arrived(name, code, flip)
        world.note(f"{name} is told: flip {flip} of {world.name_of(code)}", code)
        if owed is None:
            if not notice and not self.returns.may_come(flip, code):
                self._blame("a message over a channel that is not meant", name, code)
            return
        if owed.is_told and not (
            notice or owed.was_lied or owed.told_in != world.lives
        ):
            self._blame("a message arrives twice", name, code)
        # What was told before an old copy was put back says nothing of it.
        newer = [
            one for one in told if one.flip > flip and one.is_told and one.told_in >= 0
        ]
        if newer and not owed.is_told and not notice:
            self._blame("messages are out of order", name, code)
        plan = self.plans().get(name)
        if plan and plan.calm.delay and owed.new == "down" and not notice:
            early = owed.at + plan.calm.delay.total_seconds() - world.machine.now
            is_known = world.machine.now > world.steps.taken + 900
            if early > 2 and not owed.is_told and is_known:
                self._blame("a message is told before its delay", name, code)
        owed.is_told, owed.told_in = True, world.lives
        owed.was_lied = (owed.was_lied and notice) or lied
        owed.reminded = world.machine.now
        self._await_reminder(owed)

    def _look_for_quiet(self, name: str, begun: float) -> None:
        plan, world = self.plans().get(name), self._world
        if plan is None or plan.calm.quiet_hours is None:
            return
        wall = BEGAN + begun + world.machine.offset
        hours = plan.calm.quiet_hours
        # It may have been sent just before.
        for stamp in (wall, wall - 60):
            local = datetime.fromtimestamp(stamp, UTC).astimezone(ZoneInfo(hours.tz))
            if not (local.time() >= hours.start or local.time() < hours.end):
                return
        since = max(world.steps.taken + 900, world.notices_by)
        if begun > since and world.machine.synchronised:
            world.blame("a message comes in quiet hours", name)

    def refused(self, name: str, message: Message, *, for_good: bool) -> None:
        """Hear that a receiver did not take a message."""
        for alert in message.alerts:
            if alert.lateness is not None:
                continue
            flip = self._world.oracle.flip_of(alert.check.code, alert.flip)
            if flip is not None and not alert.reminder:
                what = name, alert.check.code, flip
                self.fallbacks.refused(what, for_good=for_good)
        if not for_good:
            return
        for alert in message.alerts:
            for owed in self.owed.get((name, alert.check.code), ()):
                # It gives way to a newer one.
                owed.is_optional = owed.is_optional or not owed.is_told

    def _look_for_fold(self, name: str, message: Message) -> None:
        """See whether a message waited for others, if it is the first try of it."""
        plan, world = self.plans().get(name), self._world
        if plan is None or not plan.fold or message.notice:
            return
        told = [alert for alert in message.alerts if not alert.reminder]
        if any(alert.lateness for alert in told):
            return
        # By true time: a step leaves what was written before it.
        begun = [
            owed.at
            for alert in told
            for flip in (*alert.earlier, alert.flip)
            if (owed := self._owed_of(name, alert.check.code, flip))
        ]
        is_early = bool(begun) and world.machine.now < min(begun) + _FOLD - 2
        if is_early and world.machine.now > world.steps.taken + 900:
            world.blame("a message is told before others can come along", name)

    def _owed_of(self, name: str, code: str, flip: Flip) -> Owed | None:
        number = self._world.oracle.flip_of(code, flip)
        owed = self.owed.get((name, code), ())
        return next((one for one in owed if one.flip == number), None)

    def _reminded(self, name: str, alert: Alert) -> None:
        world, code = self._world, alert.check.code
        told = self.owed.get((name, code), [])
        number = world.oracle.flip_of(code, alert.flip)
        owed = next((one for one in told if one.flip == number), None)
        world.note(f"{name} is reminded of {world.name_of(code)}", code)
        if owed is None or owed is not told[-1] or owed.new != "down":
            # It may have been on its way.
            is_over = world.oracle.status_of(code) != "down"
            if is_over and world.oracle.flipped_at(code) < world.machine.now - 40:
                self._blame("a reminder of what is over", name, code)
            if owed is None and number is not None and not is_over:
                # Who is reminded in place of another is told of its end too.
                self.owe(name, code, number, "down", world.machine.now, is_sure=False)
                self.owed[name, code][-1].is_told = True
            return
        owed.reminded = world.machine.now
        self._await_reminder(owed)

    def _await_reminder(self, owed: Owed) -> None:
        plan = self.plans().get(owed.channel)
        if owed.new == "down" and plan and plan.calm.remind_every:
            since, config = owed.reminded, self.config
            wait = plan.calm.remind_every.total_seconds() + _SOON
            self._world.agenda.after(
                wait, lambda: self._examine_reminder(owed, since, config)
            )

    def _examine_reminder(self, owed: Owed, since: float, config: str) -> None:
        world, told = self._world, self.owed.get((owed.channel, owed.code), [])
        if not told or told[-1] is not owed or owed.reminded != since:
            return
        check = world.oracle.by_code.get(owed.code)
        if check is None or config != self.config or check.model.status != "down":
            return
        if owed.channel not in check.channels:
            return
        receiver = world.receiver(owed.channel)
        every = self.plans()[owed.channel].calm.remind_every or timedelta(0)
        if world.set + 65 + world.away_since(world.set) >= since:
            # Who finds it told in the future counts from then on.
            every *= 2
        away = world.away_since(since)
        due = max(world.troubled, receiver.troubled + _AT_LAST) + 4 * 3600
        due = max(due, since + every.total_seconds() + away + _SOON)
        due = max(due, self.mutes.until(owed.code) + every.total_seconds() + _SOON)
        if not world.is_calm or world.machine.now < due:
            world.agenda.at(
                max(due, world.machine.now + 600),
                lambda: self._examine_reminder(owed, since, config),
            )
            return
        self._blame("a reminder never comes", owed.channel, owed.code)

    def _announce(self, name: str, announcement: int) -> None:
        world, receiver = self._world, self._world.receiver(name)
        world.note(f"{name} is told that hcl was away")
        before = self._announced.get((name, announcement))
        trouble = receiver.troubled > world.machine.now - 3 * 86_400
        if before == world.lives and not trouble:
            world.blame("hcl tells twice that it was away", name)
        self._announced[name, announcement] = world.lives

    def forget(self, code: str) -> None:
        """Nothing is owed of a check that was deleted."""
        self.returns.forget(code)
        for known in (self.owed, self._to_groups):
            for key in [key for key in known if key[1] == code]:
                del known[key]

    def go_back(self, last_flip: int, mutes: dict[str, Mute]) -> None:
        """An old copy of the database was put back: what it knows may come again."""
        for key, told in self.owed.items():
            # Those that it does not know have their numbers given again.
            self.owed[key] = told = [one for one in told if one.flip <= last_flip]
            for owed in told:
                owed.is_optional, owed.told_in = True, -1
        self._announced.clear()
        self._to_groups.clear()
        self.fallbacks.go_back()
        self.returns.go_back(last_flip)
        self.mutes.go_back(mutes)

    def reloaded(self, config: str) -> None:
        """Take note of another config: what waits for a channel that is gone, ends."""
        before, self.config = self.plans(), config
        for (name, _), told in self.owed.items():
            if name not in self.plans():
                for owed in told:
                    owed.is_optional = True
        for name in sorted(self.plans().keys() - before.keys()):
            self.returns.back(name)
        for (name, code), came in self._to_groups.items():
            if self.mutes.until(code) > came[2] - _SOON:
                self.returns.to_group(name, code, *came)

    def _blame(self, what: str, name: str, code: str, more: str = "") -> None:
        more = f"{name}: {self._world.name_of(code)} {more}".strip()
        self._world.blame(what, more, code)
