"""Every group of rows: its name, what it tells, how long it takes."""

from collections.abc import Callable
from typing import NamedTuple

from bench.plan import Plan
from bench.rows import (
    alerts,
    apprise,
    bad,
    crashes,
    disk,
    growth,
    hold,
    lists,
    memory,
    pages,
    pi,
    plain,
    rates,
    rest,
    start,
    viewers,
    waits,
    years,
)
from bench.table import Row


class Group(NamedTuple):
    """Rows that are measured together, by themselves if only they are wanted.

    `seconds`: about how long a full run takes. `part`: 1 is what has a goal and needs
    a quiet machine, 2 what has one and needs it less, 3 the rest.
    """

    measure: Callable[[Plan], list[Row]]
    part: int
    seconds: int
    about: str


# In the order of the table.
GROUPS = {
    "get": Group(rates.measure_get, 1, 100, "GET pings a second, beside Starlette"),
    "post": Group(rates.measure_post, 1, 100, "the same with a body of 1 kB"),
    "plain": Group(plain.measure, 1, 90, "the same without the extra `fast`"),
    "listings": Group(lists.measure_after, 1, 120, "lists right after 500,000 pings"),
    "beside": Group(waits.measure_beside, 1, 25, "a ping beside clients that list"),
    "filer": Group(waits.measure_filer, 1, 130, "a ping while the filer works"),
    "slow-readers": Group(bad.measure_slow, 1, 20, "64 clients that hardly read"),
    "tags": Group(bad.measure_tags, 1, 25, "`?tag=` a thousand times"),
    "polled-badge": Group(bad.measure_badge, 1, 20, "a badge polled 50 times a second"),
    "mails": Group(bad.measure_mails, 1, 20, "large mails, one after the other"),
    "alerts": Group(alerts.measure, 1, 100, "from a ping or a deadline to the webhook"),
    "together": Group(alerts.measure_together, 1, 15, "1000 checks due at once"),
    "list": Group(lists.measure, 1, 10, "`GET checks/` of 1000 checks"),
    "page": Group(pages.measure, 1, 20, "the dashboard's list of 10,000 checks"),
    "start": Group(start.measure, 1, 15, "from `hcl serve` to the first 200"),
    "rest": Group(rest.measure, 1, 70, "CPU while nothing happens"),
    "memory": Group(memory.measure, 2, 75, "memory at rest"),
    "memory-pings": Group(memory.measure_pings, 2, 80, "after a million pings"),
    "memory-lists": Group(memory.measure_lists, 2, 25, "after 64 clients that list"),
    "memory-pages": Group(memory.measure_pages, 2, 45, "after an hour of dashboards"),
    "hold": Group(hold.measure, 2, 480, "what holds the loop for how long"),
    "growth": Group(growth.measure, 2, 330, "rates with more checks and pings"),
    "viewers": Group(viewers.measure, 2, 50, "what 20 open pages cost"),
    "pi": Group(pi.measure, 2, 60, "a tenth of a core, 512 MB, 10 MB/s"),
    "card": Group(disk.measure_card, 2, 90, "bytes a ping, and years of a card"),
    "crashes": Group(crashes.measure, 2, 100, "what kill -9 loses"),
    "rates": Group(rates.measure_others, 3, 500, "rates with 1, 8, 256 connections"),
    "disk": Group(disk.measure, 3, 110, "what is written, by any connections"),
    "apprise": Group(apprise.measure, 3, 60, "an alert by Apprise on a small machine"),
    "years": Group(years.measure, 3, 130, "simulated months of bad days"),
}  # fmt: skip


def described() -> str:
    """List the groups, for --help."""
    lines = [
        f"  {name:<13} {group.part}  {group.seconds:>4} s  {group.about}"
        for name, group in GROUPS.items()
    ]
    head = "groups, with their part, and how long a full run takes about:\n"
    return head + "\n".join(lines)
