"""The integrations of a project: where alerts go, how that fares, and trials of it."""

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

from aiosqlite import Connection
from starlette.responses import Response

from hcl import store
from hcl.config import ChannelConfig, GroupSettings, ProjectConfig
from hcl.db import Gaps
from hcl.model import Check, Project
from hcl.store.channels import Standing
from hcl.store.tries import Record
from hcl.web.pages import channel_words
from hcl.web.pages.dashboard.trials import LastTrial, TooManyError, Trials
from hcl.web.pages.integrations import recipes
from hcl.web.pages.visit.errors import PageError
from hcl.web.pages.visit.notices import BAD
from hcl.web.pages.visit.visit import Visit
from hcl.web.parts import Parts
from hcl.words.lengths import in_seconds
from hcl.words.lines import clean
from hcl.words.names import HELD, title

logger = logging.getLogger(__name__)

# Messages that are listed: those that wait, and the newest.
_QUEUE = 50
_NEWEST = 25

State = Literal["off", "failing", "untested", "troubled", "working", "unused", "group"]

# The word for each, and the status of a check that it looks like.
_STATES: dict[State, tuple[str, str]] = {
    "off": ("switched off", "paused"),
    "failing": ("failing", "down"),
    "untested": ("last test failed", "down"),
    "troubled": ("last try failed", "grace"),
    "working": ("working", "up"),
    "unused": ("never used", "new"),
    "group": ("group", ""),
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
    last_trial: LastTrial | None
    is_on_trial: bool

    @property
    def word(self) -> str:
        """Say how it fares."""
        return _STATES[self.state][0]

    @property
    def look(self) -> str:
        """Return the status that its state looks like; "" of a group."""
        return _STATES[self.state][1]


async def page(visit: Visit) -> Response:
    """GET …/integrations: each channel of hcl.toml, the queue, the newest messages."""
    project = visit.project()
    config = _config(visit.parts, project)
    # Pings put off nothing of channels and messages.
    conn = visit.parts.database.committed
    standings = await store.channels.standings(conn, project.id)
    gaps = Gaps(logger)
    waits = store.notifications.waiting_by_channel(conn)
    waiting = await gaps.readable(waits, {})
    return await visit.render(
        "channels.html",
        project=project,
        nav="integrations",
        **_setting_up(visit, has_some=bool(standings)),
        tags=_tags(config),
        cards=_cards(visit.dashboard.trials, config, standings, waiting),
        waiting=sum(waiting.get(s.channel.id, 0) for s in standings),
        **await _messages(conn, visit, project, standings, gaps),
        has_gaps=gaps.found,
        outcome=_outcome,
        seconds=in_seconds,
        clean=clean,
    )


def _setting_up(visit: Visit, *, has_some: bool) -> dict[str, Any]:
    """Return what is offered to who sets up an integration; nothing to readers."""
    kind = visit.query.get("add")
    if visit.viewer.readonly or (has_some and kind is None):
        return {"recipes": ()}
    recipe = recipes.of_kind(kind or "")
    lacks_smtp = kind == "email" and not visit.parts.config.smtp.host
    return {
        "recipes": recipes.RECIPES,
        "recipe": recipe,
        "block": recipes.block(recipe, secrets.token_hex(5)) if recipe else "",
        "smtp": recipes.SMTP if lacks_smtp else "",
        "config_path": str(visit.parts.config.path),
        "several": len(visit.parts.config.projects) > 1,
    }


async def _messages(
    conn: Connection,
    visit: Visit,
    project: Project,
    standings: list[Standing],
    gaps: Gaps,
) -> dict[str, Any]:
    """Return the messages that wait, and the newest of those that are asked for."""
    chosen = _chosen(visit.query.get("channel", ""), standings)
    only_failed = visit.query.get("only") == "failed"
    check = await _check(conn, project, visit.query.get("check", ""))
    check_id = check.id if check else None
    queue = store.tries.recent(
        conn,
        project_id=project.id,
        check_id=check_id,
        wanted="waiting",
        limit=_QUEUE,
    )
    newest = store.tries.recent(
        conn,
        project_id=project.id,
        check_id=check_id,
        channel_id=chosen.channel.id if chosen else None,
        wanted="failed" if only_failed else "all",
        limit=_NEWEST,
    )
    return {
        "queue": Queue(
            sorted(await gaps.readable(queue, []), key=_next_try),
            frozenset(s.channel.name for s in standings if s.failing_since),
        ),
        "newest": await gaps.readable(newest, []),
        "chosen": chosen,
        "of_check": title(check, readonly=visit.viewer.readonly) if check else "",
        "filters": Filters(
            chosen.channel.code if chosen else "",
            visit.query.get("check", "") if check else "",
            "failed" * only_failed,
        ),
    }


async def _check(conn: Connection, project: Project, key: str) -> Check | None:
    """Return the check of the project whose messages are asked for; None: of all."""
    if "-" in key:
        check = await store.checks.by_code(conn, key)
    else:
        check = await store.checks.by_unique_key(conn, project.id, key) if key else None
    return check if check is not None and check.project_id == project.id else None


class Filters(NamedTuple):
    """Which messages are listed, as the URL has it; "" for each that is not set."""

    channel: str
    check: str
    only: str

    def having(self, **changes: str) -> str:
        """Write the query of the same but for some changes, with its question mark."""
        pairs = self._replace(**changes)._asdict().items()
        return "?" + urlencode([(name, value) for name, value in pairs if value])


async def send_test(visit: Visit) -> Response:
    """POST …/integrations/<code>/test: send a test, and show what came of it."""
    project = visit.project()
    config = _config(visit.parts, project)
    code = visit.request.path_params["channel"]
    channel = next((c for c in config.channels if c.id == code), None)
    if channel is None:
        raise PageError(404, "No such integration", "It is no longer in hcl.toml.")
    path = f"/projects/{project.code}/integrations#i-{code}"
    try:
        trial = await visit.dashboard.trials.send(
            visit.parts.config, config, channel, visit.parts.clock
        )
    except TooManyError as error:
        return visit.see_other(path, BAD + str(error))
    if trial.arrived:
        return visit.see_other(path, f"The test over {channel.name} has arrived.")
    return visit.see_other(path, f"{BAD}The test over {channel.name} did not arrive.")


def _config(parts: Parts, project: Project) -> ProjectConfig:
    for wanted in parts.config.projects:
        if wanted.id == project.code:
            return wanted
    raise PageError(404, "No such project", "It is no longer in hcl.toml.")


def _chosen(code: str, standings: list[Standing]) -> Standing | None:
    """Return the channel whose messages are asked for; None: all of them."""
    return next((s for s in standings if s.channel.code == code), None)


def _cards(
    trials: Trials,
    project: ProjectConfig,
    standings: list[Standing],
    waiting: dict[int, int],
) -> list[Card]:
    configs = {channel.id: channel for channel in project.channels}
    return [
        Card(
            standing=standing,
            state=_state(standing, config, trials.last.get(config.id)),
            place=config.place,
            events=channel_words.events(config),
            manners=channel_words.manners(config, project),
            members=_members(config, project),
            waiting=waiting.get(standing.channel.id, 0),
            last_trial=trials.last.get(config.id),
            is_on_trial=config.id in trials.running,
        )
        for standing in standings
        # A reload may be at work between the file and the rows.
        if (config := configs.get(standing.channel.code)) is not None
    ]


def _state(standing: Standing, config: ChannelConfig, trial: LastTrial | None) -> State:
    if isinstance(config.settings, GroupSettings):
        return "group"
    if not config.enabled:
        return "off"
    if standing.failing_since is not None:
        return "failing"
    sent = standing.last_sent
    if trial and not trial.arrived and (sent is None or sent < trial.ended):
        return "untested"
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


@dataclass(frozen=True, slots=True)
class Queue:
    """The messages that wait; those of a failing channel wait for its next try."""

    records: list[Record]
    failing: frozenset[str]

    def next_try(self, record: Record) -> datetime | None:
        """Return when a message is tried; None: it is not known."""
        if record.tries or record.channel not in self.failing:
            return record.next_try
        tries = [
            other.next_try
            for other in self.records
            if other.channel == record.channel and other.tries and other.next_try
        ]
        return min(tries, default=None)

    def why(self, record: Record) -> str:
        """Say why a message waits."""
        if record.tries:
            count = len(record.tries)
            return f"failed {count} times" if count > 1 else "failed once"
        if record.channel in self.failing and not record.hold:
            return f"{clean(record.channel)} is failing"
        return HELD[record.hold]


def _outcome(record: Record) -> str:
    """Name what became of a message: sent, waiting, held, given-up or dropped."""
    if record.sent is not None:
        return "sent"
    if record.next_try is not None:
        return "retrying" if record.tries else "waiting"
    return "given up" if record.tries else "not sent"
