"""What requests are answered with: the parts of the server that the web may use."""

from urllib.parse import urlsplit

from hcl.check_json import Site
from hcl.config import Config
from hcl.db import Database
from hcl.managing import Managing
from hcl.metrics import Metrics
from hcl.news import News
from hcl.pinging import Pinging
from hcl.syncing import Synced
from hcl.web.auth import Keyring
from hcl.web.proxies import Proxies


class Services:
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
        metrics: Metrics,
        news: News,
    ) -> None:
        self.database = database
        self.metrics = metrics
        self.pinging = pinging
        self.managing = managing
        self.news = news

    def use(self, config: Config, synced: Synced) -> None:
        """Answer by these settings from now on."""
        self.config = config
        self.base = urlsplit(config.server.site_root).path
        self.site = Site(config.server.site_root, config.server.ping_endpoint)
        self.keyring = Keyring(config, synced.projects)
        self.proxies = Proxies(config.server.trusted_proxies)
        self.secret = synced.secret
