"""What requests are answered with: the parts of the server that the web may use."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from starlette.types import Scope

from hcl.changes import Changes
from hcl.checks.check_json import Site
from hcl.checks.managing import Managing
from hcl.checks.windows.maintenance import Maintenance
from hcl.clock import Clock
from hcl.config import Config
from hcl.counters import Counters
from hcl.db import Database
from hcl.model import Project
from hcl.pings.pinging import Pinging
from hcl.web.auth import Keyring
from hcl.web.http.protocol import SPARE
from hcl.web.http.proxies import Proxies
from hcl.web.links import SignInLinks
from hcl.web.shared import SharedAnswers
from hcl.web.wrong_keys import WrongKeys


class Parts:
    """The parts of one running server, and the settings that a reload exchanges.

    `site` makes all addresses. `old_secrets` signed the badges of projects that moved
    here, by their badge keys.
    """

    config: Config
    site: Site
    keyring: Keyring
    by_badge_key: dict[str, Project]
    proxies: Proxies
    secret: str
    old_secrets: Mapping[str, str]
    # By the ids of their rows.
    projects: dict[int, Project]

    def __init__(
        self,
        database: Database,
        pinging: Pinging,
        managing: Managing,
        counters: Counters,
        changes: Changes,
        clock: Clock,
        maintenance: Maintenance,
    ) -> None:
        self.database = database
        self.clock = clock
        # What the clock showed at the start, after so many steps.
        self.began, self._steps = clock.now(), len(clock.steps)
        self.counters = counters
        self.pinging = pinging
        self.managing = managing
        self.maintenance = maintenance
        self.changes = changes
        self.links = SignInLinks()
        self.answers = SharedAnswers(changes, clock)
        self.wrong_keys = WrongKeys()
        # What of hcl.toml, as it was read last, is not used, and why: a line each.
        self.unused: Sequence[str] = ()

    @property
    def started(self) -> datetime:
        """Return when the server began, by the clock of now: it may have been set."""
        return self.began + self.clock.set_since(self._steps)

    def use(self, config: Config, projects: Sequence[Project], secret: str) -> None:
        """Answer by these settings from now on.

        `projects` are those of the file, in its order; `secret` signs badges and
        cookies.
        """
        self.config = config
        self.site = Site(config.server.site_root, config.server.ping_endpoint)
        self.keyring = Keyring(config, projects)
        self.by_badge_key = {project.badge_key: project for project in projects}
        self.proxies = Proxies(config.server.trusted_proxies)
        self.secret = secret
        self.projects = {project.id: project for project in projects}
        self.old_secrets = {
            project.badge_key: wanted.healthchecks_secret
            for wanted, project in zip(config.projects, projects, strict=True)
            if wanted.healthchecks_secret
        }
        self.answers.forget()

    async def refuse_key(self, scope: Scope) -> None:
        """Count a wrong key; return when it may be answered."""
        proxies = self.proxies
        # Those that wait must not take all the room that pings need.
        scope.setdefault("state", {})[SPARE] = True
        await self.wrong_keys.refuse(proxies.peer(scope), proxies.nearest(scope))
