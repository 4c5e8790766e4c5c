"""What pages keep in memory for as long as the server runs; a reload keeps it too."""

import asyncio
from dataclasses import dataclass, field

from hcl.db import Database
from hcl.web.pages.dashboard.boards import Boards
from hcl.web.pages.dashboard.ended_sessions import EndedSessions
from hcl.web.pages.dashboard.kept import KeptAnswers
from hcl.web.pages.dashboard.trials import Trials


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What the pages of one server keep in memory, made when the first is asked for."""

    ended_sessions: EndedSessions
    boards: Boards = field(default_factory=Boards)
    trials: Trials = field(default_factory=Trials)
    kept: KeptAnswers = field(default_factory=KeptAnswers)
    # Pages are written one after another, so that there is but one slice of them
    # between two looks of the loop at what pings want.
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


async def open_dashboard(database: Database) -> Dashboard:
    """Begin with what the database knows of before."""
    return Dashboard(await EndedSessions.read(database))
