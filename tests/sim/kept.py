"""Work out once what follows from a state that never changes."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

from tests.sim.windows import Windows


class State(Protocol):
    """What is known of one, and the windows by which it goes."""

    @property
    def known(self) -> dict[str, Any]: ...
    @property
    def windows(self) -> Windows: ...


_Of = TypeVar("_Of", bound=State)
_Found = TypeVar("_Found")


def kept(find: Callable[[_Of], _Found]) -> Callable[[_Of], _Found]:
    """Keep what is worked out of a state, for as long as windows stay as they are."""
    name = find.__name__

    @wraps(find)
    def found(state: _Of) -> _Found:
        known, version = state.known, state.windows.version
        if name not in known or known[name][0] != version:
            known[name] = version, find(state)
        result: _Found = known[name][1]
        return result

    return found
