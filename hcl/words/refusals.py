"""Why something is refused, where several places say it."""

CHANNEL_GONE = "One of these integrations is gone from hcl.toml meanwhile."


def no_more_checks(limit: int) -> str:
    """Say that a project has as many checks as it may have, and what can be done."""
    return (
        f"The project has {limit:,} checks, and may have no more."
        " Delete one, or raise check_limit in hcl.toml."
    )
