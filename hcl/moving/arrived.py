"""What has come of a move so far, and which checks need a word."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Arrived:
    """What has come so far, and which checks need a word, by name.

    `ups` are alerts of what was down here and up there; `twins` are pings that had the
    number of another, and were left. Those that are `apart` were pinged here and there,
    `foreign` ones are in another project here, those `too_long` have more text than hcl
    takes, the schedule of those `unscheduled` cannot be worked out, and no run of those
    `never_right` can be.
    Those of a `taken_slug` share it with a check that lived here, not there.
    Those `in_place` came for others that the file declares and nobody had pinged;
    `other_badges` are projects whose badges have other URLs here than there.
    """

    checks: int = 0
    new_checks: int = 0
    changed_checks: int = 0
    pings: int = 0
    flips: int = 0
    alerts: int = 0
    twins: int = 0
    ups: int = 0
    apart: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    too_long: list[str] = field(default_factory=list)
    unscheduled: list[str] = field(default_factory=list)
    never_right: list[str] = field(default_factory=list)
    taken_slug: list[str] = field(default_factory=list)
    in_place: list[str] = field(default_factory=list)
    other_badges: list[str] = field(default_factory=list)
