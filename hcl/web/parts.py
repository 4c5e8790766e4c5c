"""What requests are answered with: the parts of the server that the web may use."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from hcl.changes import Changes
from hcl.checks.check_json import Site
from hcl.checks.managing import Managing
from hcl.clock import Clock
from hcl.config import Config
from hcl.counters import Counters
from hcl.db import Database
from hcl.model import Project
from hcl.pings.pinging import Pinging
from hcl.web.auth import Keyring
from hcl.web.http.proxies import Proxies
from hcl.web.links import SignInLinks


class Parts:
    """The parts of one running server, and the settings that a reload exchanges.

    `base` is the path of the site's root, "" for most: a proxy takes it off.
    """

    config: Config
    base: str
    site: Site
    keyring: Keyring
    proxies: Proxies
    secret: str

    def __init__(
        self,
        database: Database,
        pinging: Pinging,
        managing: Managing,
        counters: Counters,
        changes: Changes,
        clock: Clock,
    ) -> None:
        self.database = database
        self.clock = clock
        self.started = clock.now()
        self.counters = counters
        self.pinging = pinging
        self.managing = managing
        self.changes = changes
        self.links = SignInLinks()

    def use(self, config: Config, projects: Sequence[Project], secret: str) -> None:
        """Answer by these settings from now on.

        `projects` are those of the file, in its order; `secret` signs badges and
        cookies.
        """
        self.config = config
        self.base = urlsplit(config.server.site_root).path
        self.site = Site(config.server.site_root, config.server.ping_endpoint)
        self.keyring = Keyring(config, projects)
        self.proxies = Proxies(config.server.trusted_proxies)
        self.secret = secret
