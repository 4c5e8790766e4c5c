"""Which keys each table of hcl.toml may hold."""

# What channels and tags may say of repeats, delays and quiet hours.
CALM = ("remind_every", "delay", "quiet_hours", "urgent")

# `projects.channels` is what every kind has, `projects.channels:<kind>` what only that
# kind has, `apprise` standing for all that Apprise serves. `quiet_hours` stands in a
# channel or a tag, `priority` in a channel of Apprise's. The headers of a webhook are
# not listed: any name will do.
KEYS: dict[str, tuple[str, ...]] = {
    "": (
        "server",
        "database",
        "pings",
        "api",
        "metrics",
        "web",
        "smtp",
        "smtpd",
        "tls",
        "alerts",
        "backup",
        "watchdog",
        "standby",
        "projects",
    ),
    "server": (
        "listen",
        "site_root",
        "ping_endpoint",
        "site_name",
        "trusted_proxies",
        "secret",
    ),
    "database": ("path", "synchronous"),
    "pings": ("body_limit", "log_limit"),
    "api": ("flips", "body_limit", "metrics_key"),
    "metrics": ("allow",),
    "web": ("enabled", "user_header", "users"),
    "web.users": ("name", "access", "projects"),
    "smtp": ("host", "port", "username", "password", "security", "from"),
    "smtpd": ("listen", "domain", "size_limit", "tls_cert", "tls_key"),
    "tls": ("ca_file",),
    "alerts": ("after_absence", "test_every"),
    "backup": ("folder", "second_folder", "every", "keep"),
    "watchdog": ("url", "every"),
    "standby": ("socket", "follow", "fence", "fence_read", "fence_write"),
    "projects": (
        "name",
        "id",
        "badge_key",
        "ping_key",
        "check_limit",
        "healthchecks_secret",
        "keys",
        "channels",
        "tags",
    ),
    "projects.keys": ("name", "key", "key_sha256", "key_hmac", "access", "projects"),
    "projects.channels": (
        "name",
        "kind",
        "id",
        "events",
        *CALM,
        "fold",
        "fallback",
        "enabled",
    ),
    "projects.channels:email": ("to",),
    "projects.channels:group": ("channels",),
    "projects.channels:apprise": ("url", "priority"),
    "projects.channels:shell": ("down", "up", "server"),
    "projects.channels:webhook": ("down", "up", "server"),
    "projects.channels:webhook.request": ("method", "url", "body", "headers"),
    "projects.tags": ("tag", *CALM),
    "priority": ("down", "up", "server"),
    "quiet_hours": ("from", "to", "tz"),
}
