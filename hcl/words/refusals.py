"""Why something is refused, where several places say it."""

# Where something is missing of what is shown.
DAMAGED = "Not all can be read: hcl's database is damaged."

CHANNEL_GONE = "One of these integrations is no longer in hcl.toml."


def no_more_checks(limit: int) -> str:
    """Say that a project has as many checks as it may have, and what can be done."""
    return (
        f"The project has reached its limit of {limit:,} checks."
        " Delete one, or raise check_limit in hcl.toml."
    )
