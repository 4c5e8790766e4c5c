"""How many files and connections the process may have open, and who gets them."""

import resource

# Of all descriptors HTTP may have this part. The rest is for the database, for alerts
# on their way out, and for mail that comes in.
_PARTS, _OF = 3, 4

# What is as good as no limit.
_MOST = 1_048_576


def raise_limit() -> int:
    """Allow this process as many descriptors as it may have, and return how many.

    The soft limit of most systems, 1024, is there for programs that use select(2).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            # Some kernels refuse what they call unlimited.
            hard = soft
    return _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)


def for_http(limit: int) -> int:
    """Return how many of them may be connections of HTTP."""
    return limit * _PARTS // _OF
