"""A cron-job and heartbeat monitor that speaks the Healthchecks protocol."""

__version__ = "0.1.0"
