"""What is known of a check, as labels and values; what is empty is left out."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from hcl.alerts.messages.when import told
from hcl.model import Alert, Check, Message, Ping
from hcl.words.lengths import duration, rough
from hcl.words.lines import clean, counted, cut, listed, one_line
from hcl.words.moments import ago
from hcl.words.names import ACTIONS, check_name
from hcl.words.schedule import in_full


class Fact(NamedTuple):
    """A label and its value; only a description has several lines.

    `in_chats`: short messages tell it too.
    """

    label: str
    value: str
    in_chats: bool = True


def facts(message: Message, alert: Alert, now: datetime) -> tuple[Fact, ...]:
    """List what is known of the check of an alert."""
    check, ping = alert.check, alert.ping
    rows = (
        Fact("Status", _status(alert, now)),
        Fact("Project", one_line(message.project_name)),
        Fact("Tags", ", ".join(map(one_line, check.tag_list)), False),
        Fact("Description", clean(check.desc).strip()),
        Fact("Schedule", in_full(check)),
        Fact("Grace", duration(check.grace), False),
        Fact("Last ping", _last_ping(alert, now)),
        Fact("Sent by", _sender(ping), False),
        Fact("Last run", _last_run(check), False),
        Fact("Total pings", f"{check.n_pings:,}", False),
    )
    return (*(row for row in rows if row.value), *also_down(message))


def also_down(message: Message) -> Iterator[Fact]:
    """Tell which other checks of the project are down, if any."""
    names = [cut(check_name(name), 80) for name in message.also_down]
    more = message.also_down_count - len(names)
    if more > 0:
        names.append(f"{more:,} more" if names else counted(more, "check"))
    if names:
        yield Fact("Also down", listed(names))


def _status(alert: Alert, now: datetime) -> str:
    flip = (alert.later or (alert.flip,))[-1]
    since = flip.created
    if alert.reminder and alert.down_since is not None:
        since = alert.down_since
    when = told(since, alert)
    if alert.lateness is not None:
        if alert.lateness.usual is not None:
            return f"{alert.check.status}, its last run was slow"
        since = alert.lateness.began
        when = told(since, alert)
        return (
            f"was late since {when}" if alert.lateness.ended else f"late since {when}"
        )
    return f"{flip.new_status} since {when}, {ago(since, now)}"


def _last_ping(alert: Alert, now: datetime) -> str:
    ping = alert.ping
    if ping is None:
        return "none is known"
    action = ACTIONS[ping.action]
    if ping.exitstatus is not None:
        action += f" (exit status {ping.exitstatus})"
    when = told(ping.created, alert)
    return f"{action} at {when}, {ago(ping.created, now)}"


def _sender(ping: Ping | None) -> str:
    if ping is None:
        return ""
    ua = cut(one_line(ping.ua))
    parts = (one_line(ping.remote_addr), ua and f"({ua})")
    return " ".join(filter(None, parts))


def _last_run(check: Check) -> str:
    return "" if check.last_duration is None else f"took {rough(check.last_duration)}"
