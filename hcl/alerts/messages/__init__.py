"""What hcl tells people in words: a letter written once, rendered for mail and chats.

Nothing that is dear is imported for it: no library of templates, say.
"""

from hcl.config import Config
from hcl.model import Alert, Announcement, Message


def pages_root(config: Config) -> str:
    """Return what links of messages begin with; "" where there are no pages."""
    return config.server.site_root if config.web.enabled else ""


def message_of(
    config: Config,
    project_name: str,
    alerts: tuple[Alert, ...] = (),
    *,
    project_code: str = "",
    announcement: Announcement | None = None,
    notice: str = "",
) -> Message:
    """Return a message as this site sends it."""
    return Message(
        config.server.site_name,
        pages_root(config),
        project_name,
        alerts,
        notice=notice,
        announcement=announcement,
        project_code=project_code,
    )
