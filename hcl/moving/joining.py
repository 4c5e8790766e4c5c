"""Join what became of a check there to what became of it here; pure."""

from collections.abc import Sequence
from datetime import datetime

from hcl.model import Check, Flip
from hcl.moving.moved import MovedFlip


def newer(there: list[MovedFlip], here: Sequence[Flip]) -> list[MovedFlip]:
    """Return the flips there that came after the last which is here too."""
    known = {_turn(flip) for flip in here}
    newest = max((at for at, _ in known), default=0.0)
    last = -1
    for index, moved in enumerate(there):
        if _turn(moved.flip) in known or moved.flip.created.timestamp() < newest:
            last = index
    return there[last + 1 :]


def _turn(flip: Flip) -> tuple[float, str]:
    # To a millisecond: it may have been written and read again.
    return round(flip.created.timestamp(), 3), flip.new_status


def joint(
    before: Check, after: Check, newest: Flip | None, at: datetime
) -> Flip | None:
    """Return the flip that is missing between what was here and what has come.

    While both servers ran, one may have called down what pinged the other: then the
    status that comes follows from no flip. `newest` is the last of all that are here by
    now, `at` until when the other server tells.
    """
    if before.status == after.status or newest is None:
        return None
    if newest.new_status == after.status:
        return None
    heard = after.last_ping
    created = heard if heard is not None and heard > newest.created else at
    return Flip(max(created, newest.created), newest.new_status, after.status, "")
