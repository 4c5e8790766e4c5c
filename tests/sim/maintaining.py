"""Windows of maintenance that people open and end."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.sim.clockwork import BEGAN
from tests.sim.life import api
from tests.sim.moments import PATIENCE
from tests.sim.receivers import WINDOWS
from tests.sim.windows import ByHand, Windows

if TYPE_CHECKING:
    from tests.sim.world import World

HOUR = 3600.0

_TAGS = ("nas", "lab", "nas lab")


class Maintaining:
    """Knows what was asked for, and what became of it."""

    def __init__(self, world: "World") -> None:
        self._world = world
        # What was asked and not answered: the project, from when to when, of what.
        self._asked: list[tuple[int, float, float, frozenset[str]]] = []
        self._ended: dict[tuple[int, int], float] = {}
        # What may have moved those that there are, as `look_again` has it.
        self._doubts: list[tuple[float, int, float]] = []
        # The config that a copy was made with which has been put back; "": none was.
        self._config = ""

    def open(self, project: int, length: float, tags: str) -> None:
        """Have somebody open a window now."""
        world = self._world
        assert world.life is not None
        begun = world.machine.now
        asked = project, begun, begun + length, frozenset(tags.split())
        self._asked.append(asked)
        of = f"of {tags}" if tags else "of all"
        world.note(f"maintenance {of} begins, for {length / HOUR:.1f} h")

        def opened(status: int | None, told: Any) -> None:
            if status is None:
                return
            self._asked.remove(asked)
            if status == 201:
                self._begin(told["id"], asked)
            elif status != 503:
                world.blame("a window is refused", f"{status}")

        values = {"seconds": int(length), "tags": tags, "reason": "a new disk"}
        api(world.life, "POST", "maintenance/", opened, values, project=project)

    def _begin(self, id_: int, asked: tuple[int, float, float, frozenset[str]]) -> None:
        project, begun, end, tags = asked
        windows = self._world.windows[project]
        act = partial(_add, windows, ByHand(id_, begun, end, tags))
        self._world.oracle.change_windows(project, act)

    def end_one(self, project: int) -> None:
        """Have somebody end the newest window that is open."""
        world, now = self._world, self._world.machine.now
        still = [w for w in world.windows[project].by_hand if w.end > now + 5]
        if not still:
            return
        assert world.life is not None
        window = still[-1]
        self._ended[project, window.id] = now
        world.note("maintenance ends")

        def ended(status: int | None, _told: Any) -> None:
            if status is None:
                return
            self._ended.pop((project, window.id), None)
            if status == 200:
                self._end(project, window.id, world.machine.now)
            elif status != 503 and not self._is_unsure:
                world.blame("a window does not end", f"{status}")

        path = f"maintenance/{window.id}"
        api(world.life, "DELETE", path, ended, project=project)

    @property
    def _is_unsure(self) -> bool:
        """Tell whether hcl may take a window for one that is over."""
        world = self._world
        return world.machine.is_wrong or world.machine.now < world.set + 65

    def _end(self, project: int, id_: int, now: float) -> None:
        windows = self._world.windows[project]
        act = partial(_shorten, windows, id_, now)
        self._world.oracle.change_windows(project, act)

    def recover(self) -> None:
        """Find out after a start what was done of what nobody answered."""
        if not self._asked and not self._ended:
            return
        rows = self._world.oracle.windows_by_hand()
        for asked in self._asked:
            project = asked[0]
            known = {window.id for window in self._world.windows[project].by_hand}
            new = [id_ for id_, of, _ in rows if of == project and id_ not in known]
            if new:
                self._begin(max(new), asked)
        offset = BEGAN + self._world.machine.offset
        for (project, id_), at in self._ended.items():
            ends = [
                end - offset for row, of, end in rows if (row, of) == (id_, project)
            ]
            if ends and ends[0] < at + 60:
                self._end(project, id_, at)
        self._asked.clear()
        self._ended.clear()

    def look_again(self, longer: float, life: int, *, sooner: float = 0.0) -> None:
        """See in a minute how long windows are after a boot without the time.

        They last as long as was said, and at most `longer`, or for as long as hcl did
        not run meanwhile, or left no sign of it, since this `life`; or end so much
        `sooner`.
        """
        doubt = longer, life, sooner
        self._doubts.append(doubt)
        self._world.agenda.after(70, partial(self._look, doubt))

    @property
    def is_in_doubt(self) -> bool:
        """Tell whether nobody knows just now how long windows by hand last."""
        return bool(self._doubts)

    def _look(self, doubt: tuple[float, int, float]) -> None:
        world = self._world
        was_troubled = world.machine.now < world.troubled + 60
        if self._is_unsure or not world.can_ask or world.refusal or was_troubled:
            # What a disk does not take, or took just now, hcl has not moved.
            world.agenda.after(60, partial(self._look, doubt))
            return
        # What else may have moved them has done so too.
        longers, lives, sooners = zip(*self._doubts, strict=True)
        self._doubts.remove(doubt)
        gone = sum(length for n, length in world.gone_for.items() if n > min(lives))
        longer, sooner = max(*longers, gone), max(sooners)
        if world.believed_at > world.machine.now - 9 * HOUR:
            # Since an old copy was made.
            longer = max(longer, world.machine.now - world.taken_at)
        rows = world.oracle.windows_by_hand()
        ends = {(of, id_): end - BEGAN - world.machine.offset for id_, of, end in rows}
        for number, windows in world.windows.items():
            for window in windows.by_hand:
                end = ends.get((number, window.id), window.end)
                if not -2 - sooner <= end - window.end <= longer + 120:
                    more = f"by {end - window.end:.0f} s"
                    world.blame("a window is moved by a clock", more)
                window.start += end - window.end
                window.end = end
            world.oracle.change_windows(number, windows.changed)

    def mistime(self, by: float) -> None:
        """Have all be so much later, by a wall that was taken for right.

        To be followed by a judgement: until then nothing is counted that was missed.
        """
        for windows in self._world.windows.values():
            for window in windows.by_hand:
                window.start, window.end = window.start + by, window.end + by
            windows.changed()

    def remember(self) -> tuple[dict[int, list[ByHand]], str]:
        """Return what a copy of the database knows, and the config that it had."""
        by_hand = {
            number: windows.copy().by_hand
            for number, windows in self._world.windows.items()
        }
        return by_hand, self._world.telling.config

    def go_back(self, kept: tuple[dict[int, list[ByHand]], str]) -> None:
        """Have an old copy of the database be put back."""
        self._asked.clear()
        self._ended.clear()
        by_hand, self._config = kept
        for number, windows in by_hand.items():
            self._world.windows[number].by_hand = windows
            self._world.windows[number].changed()

    @contextmanager
    def as_it_was(self) -> Iterator[None]:
        """Have a start judge by deadlines as windows had moved them by then.

        A copy may have been made with another config; the windows of now count next.
        """
        world = self._world
        then, self._config = self._config or world.telling.config, ""
        if then == world.telling.config:
            yield
            return
        for number, windows in world.windows.items():
            windows.use(WINDOWS[then][number])
        yield
        for number, windows in world.windows.items():
            use = partial(windows.use, WINDOWS[world.telling.config][number])
            latest = world.machine.now + PATIENCE
            world.oracle.change_windows(number, use, latest)


def _add(windows: Windows, window: ByHand) -> None:
    windows.by_hand.append(window)
    windows.changed()


def _shorten(windows: Windows, id_: int, end: float) -> None:
    for window in windows.by_hand:
        if window.id == id_:
            window.end = end
    windows.changed()


def maintain(world: "World", rng: random.Random) -> None:
    """Open a window of some checks for hours, and end it sooner at times."""
    if not world.can_ask:
        return
    project = int(rng.random() < 0.25)
    length = rng.choice((0.5, 3.0, 9.0, 30.0)) * HOUR * rng.uniform(0.8, 1.2)
    world.maintaining.open(project, length, "" if project else rng.choice(_TAGS))
    if rng.random() < 0.5:
        world.agenda.after(
            length * rng.uniform(0.1, 0.8), partial(_end, world, project)
        )


def _end(world: "World", project: int) -> None:
    if world.can_ask:
        world.maintaining.end_one(project)
