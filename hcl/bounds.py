"""How long, how many: what a check's fields may be at most."""

from datetime import timedelta

NAME_LENGTH = 100
SLUG_LENGTH = 100
TAGS_LENGTH = 500
DESC_LENGTH = 10_000
SCHEDULE_LENGTH = 100
KEYWORDS_LENGTH = 200
# Of timeout and grace.
SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=365)
# Of a run, and of how soon before its time a success may count for it.
SHORTEST_RUN = timedelta(seconds=1)
EARLIEST = timedelta(days=1)
# Bad outcomes in a row.
MOST_OUTCOMES = 100
