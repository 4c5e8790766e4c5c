"""The integrations of a project: where alerts go, how that fares, and tests of it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from hcl import store
from hcl.config import ChannelConfig, GroupSettings, ProjectConfig
from hcl.model import Project
from hcl.store.channels import Standing
from hcl.store.tries import Record
from hcl.web.pages.frame import PageError, asked_project, render, see_other
from hcl.web.pages.integrations import channel_words, trials
from hcl.web.pages.integrations.trials import Tested, TooManyError
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.parts import Parts
from hcl.words.lines import clean

# Messages that are listed: those that wait, and the newest.
_QUEUE = 50
_NEWEST = 25

State = Literal["failing", "troubled", "working", "unused", "group"]

# The word for each, and the status of a check that it looks like.
_STATES: dict[State, tuple[str, str]] = {
    "failing": ("failing", "down"),
    "troubled": ("last try failed", "grace"),
    "working": ("working", "up"),
    "unused": ("never used", "new"),
    "group": ("group", ""),
}

# Why a message waits that has not been tried yet.
HELD = {
    "": "is sent next",
    "delay": "held: the check has to be down for longer",
    "remind": "a reminder, if it is still down then",
    "quiet": "held for quiet hours",
    "fold": "held to go out with others",
}


@dataclass(frozen=True, slots=True)
class Card:
    """One integration, as the page shows it; what is secret is left out.

    `members` are names, of a group only.
    """

    standing: Standing
    state: State
    place: str
    events: str
    manners: list[str]
    members: list[str]
    waiting: int
    tested: Tested | None
    is_testing: bool

    @property
    def word(self) -> str:
        """Say how it fares."""
        return _STATES[self.state][0]

    @property
    def look(self) -> str:
        """Return the status that its state looks like; "" of a group."""
        return _STATES[self.state][1]


async def page(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """GET …/integrations: each channel of hcl.toml, the queue, the newest messages."""
    project = asked_project(request, viewer)
    wanted = _config(parts, project)
    # Pings put off nothing of channels and messages.
    reader = parts.database.committed
    standings = await store.channels.standings(reader, project.id)
    waiting = await store.notifications.waiting_by_channel(reader)
    chosen = _chosen(request, standings)
    queue = await store.tries.recent(
        reader, project_id=project.id, wanted="waiting", limit=_QUEUE
    )
    newest = await store.tries.recent(
        reader,
        project_id=project.id,
        channel_id=chosen.channel.id if chosen else None,
        wanted="failed" if request.query_params.get("only") == "failed" else "all",
        limit=_NEWEST,
    )
    return render(
        request,
        parts,
        viewer,
        "channels.html",
        project=project,
        nav="integrations",
        tags=_tags(wanted),
        cards=_cards(parts, wanted, standings, waiting),
        queue=sorted(queue, key=_next_try),
        waiting=sum(waiting.get(s.channel.id, 0) for s in standings),
        newest=newest,
        chosen=chosen,
        only_failed=request.query_params.get("only") == "failed",
        why_waiting=_why_waiting,
        outcome=_outcome,
        seconds=_seconds,
        clean=clean,
    )


async def send_test(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """POST …/integrations/<code>/test: send a test, and show what came of it."""
    project = asked_project(request, viewer)
    wanted = _config(parts, project)
    code = request.path_params["channel"]
    channel = next((c for c in wanted.channels if c.id == code), None)
    if channel is None:
        raise PageError(404, "No such integration", "It is not in hcl.toml any more.")
    path = f"/projects/{project.code}/integrations#i-{code}"
    try:
        tested = await trials.of(parts).test(parts.config, wanted, channel)
    except TooManyError as error:
        return see_other(path, str(error))
    arrived = "has arrived" if tested.arrived else "did not arrive"
    return see_other(path, f"The test over {channel.name} {arrived}.")


def _config(parts: Parts, project: Project) -> ProjectConfig:
    for wanted in parts.config.projects:
        if wanted.id == project.code:
            return wanted
    raise PageError(404, "No such project", "It is not in hcl.toml any more.")


def _chosen(request: Request, standings: list[Standing]) -> Standing | None:
    """Return the channel whose messages are asked for; None: all of them."""
    code = request.query_params.get("channel", "")
    return next((s for s in standings if s.channel.code == code), None)


def _cards(
    parts: Parts,
    project: ProjectConfig,
    standings: list[Standing],
    waiting: dict[int, int],
) -> list[Card]:
    configs = {channel.id: channel for channel in project.channels}
    tested = trials.of(parts)
    return [
        Card(
            standing=standing,
            state=_state(standing, config),
            place=channel_words.place(config),
            events=channel_words.events(config),
            manners=channel_words.manners(config, project),
            members=_members(config, project),
            waiting=waiting.get(standing.channel.id, 0),
            tested=tested.last.get(config.id),
            is_testing=config.id in tested.running,
        )
        for standing in standings
        # A reload may be at work between the file and the rows.
        if (config := configs.get(standing.channel.code)) is not None
    ]


def _state(standing: Standing, config: ChannelConfig) -> State:
    if isinstance(config.settings, GroupSettings):
        return "group"
    if standing.failing_since is not None:
        return "failing"
    if standing.last_error:
        return "troubled"
    return "working" if standing.last_sent is not None else "unused"


def _tags(project: ProjectConfig) -> list[tuple[str, str]]:
    words = [(t.tag, ", ".join(channel_words.calm_words(t.calm))) for t in project.tags]
    return [(tag, said) for tag, said in words if said]


def _members(config: ChannelConfig, project: ProjectConfig) -> list[str]:
    settings = config.settings
    if not isinstance(settings, GroupSettings):
        return []
    return [c.name for c in project.channels if c.id in settings.channels]


def _next_try(record: Record) -> float:
    return record.next_try.timestamp() if record.next_try else 0.0


def _why_waiting(record: Record) -> str:
    """Say why a message waits."""
    if record.tries:
        count = len(record.tries)
        return f"failed {count} times" if count > 1 else "failed once"
    return HELD[record.hold]


def _outcome(record: Record) -> str:
    """Name what became of a message: sent, waiting, held, given-up or dropped."""
    if record.sent is not None:
        return "sent"
    if record.next_try is not None:
        return "retrying" if record.tries else "waiting"
    return "given up" if record.tries else "not sent"


def _seconds(length: timedelta) -> str:
    """Write how long a try took, as exactly as it matters."""
    seconds = length.total_seconds()
    if seconds < 10:
        return f"{seconds:.2f} s"
    return f"{seconds:.0f} s"
