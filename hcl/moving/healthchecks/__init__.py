"""The SQLite database of a self-hosted Healthchecks."""
