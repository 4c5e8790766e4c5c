"""hcl: a cron-job and heartbeat monitor that speaks the Healthchecks protocol, in one process."""

__version__ = "0.1.0"
