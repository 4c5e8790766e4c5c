"""hcl.toml as frozen settings: every key, its default, and what is wrong with it."""

from hcl.config.fresh import fresh_text, write_fresh
from hcl.config.keys import KEYS
from hcl.config.loading import SYSTEM_PATH, find, load, parse
from hcl.config.reading import ConfigError
from hcl.config.settings import (
    Address,
    ApiConfig,
    ChannelConfig,
    Config,
    DatabaseConfig,
    EmailSettings,
    Event,
    HostPort,
    KeyConfig,
    MetricsConfig,
    Network,
    PingsConfig,
    ProjectConfig,
    ServerConfig,
    SmtpConfig,
    SmtpdConfig,
    UnixPath,
    WebConfig,
    WebhookRequest,
    WebhookSettings,
)

__all__ = [
    "Event",
    "KEYS",
    "SYSTEM_PATH",
    "Address",
    "ApiConfig",
    "ChannelConfig",
    "Config",
    "ConfigError",
    "DatabaseConfig",
    "EmailSettings",
    "HostPort",
    "KeyConfig",
    "MetricsConfig",
    "Network",
    "PingsConfig",
    "ProjectConfig",
    "ServerConfig",
    "SmtpConfig",
    "SmtpdConfig",
    "UnixPath",
    "WebConfig",
    "WebhookRequest",
    "WebhookSettings",
    "find",
    "fresh_text",
    "load",
    "parse",
    "write_fresh",
]
