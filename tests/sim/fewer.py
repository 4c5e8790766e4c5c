"""Guesses of a check: as many as differ, and no more than can be followed."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from tests.sim.guess import Guess
from tests.sim.moments import NEVER

# More guesses say no more.
_MOST = 24


def leaning(guesses: Iterable[Guess]) -> list[Guess]:
    """Return all guesses as they lean either way.

    Which way it was before says nothing of what nobody can tell apart next.
    """
    return [
        guess if guess.leans_late is late else replace(guess, leans_late=late)
        for guess in guesses
        for late in (False, True)
    ]


def fewer(guesses: Iterable[Guess]) -> tuple[list[Guess], list[Guess]]:
    """Leave out what is there twice; of very many leave the farthest of each kind.

    Also return those between them that are left out.
    """
    soon = (
        replace(guess, leans_late=False) if guess.leans_late else guess
        for guess in guesses
    )
    found = list(dict.fromkeys(soon))
    if len(found) <= _MOST:
        return found, []
    kinds: dict[object, list[Guess]] = {}
    for guess in found:
        is_counted = guess.counted is not None, guess.missed is not None
        # Of what it shows says nothing when it may fall, whatever the rules say.
        may_fall = guess.may_fall < NEVER
        runs = tuple(run.is_told for run in guess.runs)
        counts = guess.bad, guess.excused
        kind = counts, runs, guess.run_excused, guess.is_loose, is_counted, may_fall
        kinds.setdefault(kind, []).append(guess)
    kept = []
    for some in kinds.values():
        for late in (False, True):
            some.sort(key=partial(_place, late=late))
            kept += [some[0], some[-1]]
    farthest = dict.fromkeys(kept)
    return list(farthest), [guess for guess in found if guess not in farthest]


def _place(guess: Guess, *, late: bool) -> tuple[float, float]:
    """Tell when one falls that leans so; those that fall together may not for long."""
    leaning = guess if guess.leans_late is late else replace(guess, leans_late=late)
    return leaning.falls()[0], guess.counted or 0.0
