"""What an absence makes of one way in which a check may stand."""

from collections.abc import Iterable
from itertools import product

from tests.sim.away import Away
from tests.sim.guess import Guess
from tests.sim.moments import NEVER, SLACK


def judged(
    guess: Guess,
    went: float,
    back: float,
    *,
    deaf: float,
    may: bool,
    counts: int,
    anew: bool = False,
    ahead: float = 0.0,
) -> Guess:
    """Judge it after an absence, by the table of spec.md §8.

    A run that began by `deaf` may have ended unheard. By a wall that is `ahead` the
    absence is as much longer, so that all falls due in it.
    """
    guess = guess.at(went)
    due = guess.due()
    if ahead and went <= due < NEVER:
        guess, due = guess.moved(-ahead), went
    runs = tuple(run for run in guess.runs if run.start > deaf)
    is_open = guess.last_start is not None and guess.last_start <= deaf
    unheard = guess.but(runs=runs, run_excused=guess.run_excused or is_open)
    if guess.status == "down":
        return unheard
    if due == NEVER or (due < went and not anew):
        return guess
    if runs != guess.runs and due >= back:
        due = min(due, unheard.raw())
    if guess.status != "up":
        may |= unheard.run_excused
        if not unheard.run_excused:
            return unheard
    if anew or due < back or may:
        if anew and unheard.excused >= 3:
            # How long it was nobody knows, so that it was nothing.
            return _put_off(unheard, back - went, back)
        return _excuse(unheard, back, counts, is_due=due < back)
    return unheard


def _put_off(guess: Guess, length: float, back: float) -> Guess:
    since, missed = guess.since or 0.0, guess.missed
    return guess.but(
        counted=min(since + length, back),
        missed=None if missed is None else min(missed + length, back),
    )


def _excuse(guess: Guess, back: float, counts: int, *, is_due: bool) -> Guess:
    if guess.excused >= 3 and counts:
        return guess.but(not_before=back + 60) if is_due else guess
    return guess.but(
        counted=back,
        excused=min(guess.excused + counts, 3),
        not_before=0.0,
        missed=None,
    )


class Waiting:
    """How a check stood before hcl stood still: what waits is heard before it judges.

    After it, that makes a difference of a fail in a window: what was due before is due
    still, and it has been heard all the same.
    """

    def __init__(self, guesses: Iterable[Guess], away: Away) -> None:
        self._guesses = list(guesses)
        self._away = away

    def started(self, rid: str | None, at: float) -> "Waiting":
        """Hear of a start."""
        return Waiting([one.started(rid, at) for one in self._guesses], self._away)

    def began(self, rid: str | None, at: float) -> list[Guess]:
        """Return how it may stand if a run began just then: it may have ended unheard.

        None: it began later.
        """
        away = self._away
        if at > away.went[1] + SLACK:
            return []
        choices = product(self._guesses, away.went, away.returned, (False, True))
        return [
            judged(
                guess.at(at).started(rid, at),
                went,
                max(back, at),
                deaf=at,
                may=may,
                counts=1,
            )
            for guess, went, back, may in choices
        ]

    def failed(self, action: str, rid: str | None, at: float) -> list[Guess]:
        """Return how it may stand if a fail in a window waited; none: it came later."""
        away = self._away
        if at > away.returned[1] or action == "success":
            return []
        return [
            judged(
                guess.at(at).heard(action, rid, at, in_window=True)[0],
                went,
                back,
                deaf=went,
                may=False,
                counts=1,
            )
            for guess, went, back in product(self._guesses, away.went, away.returned)
        ]
