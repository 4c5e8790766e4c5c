"""What hcl tells people in words: a letter written once, rendered for mail and chats.

Nothing that is dear is imported for it: no library of templates, say.
"""

from hcl.config import Config


def pages_root(config: Config) -> str:
    """Return what links of messages begin with; "" where there are no pages."""
    return config.server.site_root if config.web.enabled else ""
