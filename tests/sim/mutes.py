"""Of which checks nobody is to be told just now."""

from dataclasses import dataclass, replace

# What was on its way when a mute began may still arrive.
_ON_ITS_WAY = 90.0


@dataclass(frozen=True)
class Mute:
    """From when to when; `is_sure` False: it may not be, or may end sooner."""

    begun: float
    until: float
    is_sure: bool


class Mutes:
    """Knows the last mute of each check."""

    def __init__(self) -> None:
        self._mutes: dict[str, Mute] = {}

    def begin(self, code: str, begun: float, until: float, *, is_sure: bool) -> None:
        """Have nobody told of a check until a moment; one that is over ends it."""
        before = self._mutes.get(code)
        if not is_sure and before is not None:
            until = max(until, before.until)
        self._mutes[code] = Mute(begun, until, is_sure)

    def remember(self) -> dict[str, Mute]:
        """Return what a copy of the database knows."""
        return dict(self._mutes)

    def go_back(self, kept: dict[str, Mute]) -> None:
        """Have an old copy of the database been put back: what was ended lasts on."""
        for code, mute in (self._mutes | kept).items():
            until = max(mute.until, self.until(code))
            self._mutes[code] = replace(mute, until=until, is_sure=False)

    def stretch(self, now: float, by: float) -> None:
        """Let mutes last longer: nobody knows for how long hcl was gone."""
        for code, mute in self._mutes.items():
            if mute.until > now:
                self._mutes[code] = replace(mute, until=mute.until + by, is_sure=False)

    def until(self, code: str) -> float:
        """Return until when a check may be muted."""
        mute = self._mutes.get(code)
        return mute.until if mute is not None else -1e9

    def is_silent(self, code: str, now: float, was_set: float) -> bool:
        """Tell whether nobody may be told of a check, which no clock has changed."""
        mute = self._mutes.get(code)
        if mute is None or not mute.is_sure or was_set >= mute.begun:
            return False
        return mute.begun + _ON_ITS_WAY < now < mute.until - 2
