"""A letter: what a message tells, in words, before it is laid out for mail or chats."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hcl.alerts.messages.facts import Fact, also_down, facts
from hcl.alerts.messages.output import NO_OUTPUT, Output, output_of
from hcl.alerts.messages.purposes import Wording, purpose_of
from hcl.model import Alert, Announcement, Message, Section
from hcl.words import names
from hcl.words.lengths import duration
from hcl.words.lines import counted, cut, listed, one_line

# Checks that the subject of several names, and characters of each.
_NAMED, _NAME = 3, 40

# What a message tells of a check.
Told = Literal["down", "late", "slow", "up"]


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One check of several that a letter tells of.

    `label` is what its status did: `DOWN`, `STILL DOWN`, `DOWN and UP again`.
    """

    status: Told
    label: str
    title: str
    clause: str
    link: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What a message tells; the renderers lay it out.

    `paragraphs` tell of hcl itself; then `status` is "info", and `label` is empty.
    `sections` are those of a report: the first paragraph stands above them, and the
    others say the same in short. `subject` and `label` are one line each. `status` is
    how things are at the end: "down" if any check is, else "late" if one is, or "slow".
    `link` leads to the check, or to the project's if there are several; "" if there are
    no pages. `root` is what links to checks begin with. `title` is the check's name in
    full, `headline` a sentence with it. `story` holds sentences on what happened and
    why, `changes` the flips that are told late, oldest first. `rows` is empty unless
    there are several checks; `output` is what the job last wrote. `mutes` are lengths
    and the links that mute it so long.
    """

    subject: str
    status: Told | Literal["info"]
    label: str
    title: str
    headline: str
    link: str
    root: str
    notice: str
    site_name: str
    story: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    rows: tuple[SummaryRow, ...] = ()
    output: Output = NO_OUTPUT
    mutes: tuple[tuple[str, str], ...] = ()
    paragraphs: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()


def write_letter(message: Message, now: datetime) -> Letter:
    """Put a message into words."""
    if message.announcement is not None:
        return _of_hcl(message, message.announcement)
    if len(message.alerts) == 1:
        return _of_one(message, message.alerts[0], now)
    return _of_several(message, now)


def _of_one(message: Message, alert: Alert, now: datetime) -> Letter:
    wording = purpose_of(alert)(alert, now)
    title = names.title(alert.check)
    return Letter(
        subject=f"{wording.label}: {cut(title)}",
        status=_status(alert),
        label=wording.label,
        title=title,
        headline=f"{title} {wording.predicate}.",
        link=_link(message, alert),
        root=_root(message),
        notice=one_line(message.notice),
        site_name=one_line(message.site_name),
        story=wording.story,
        changes=wording.changes,
        facts=facts(message, alert, now),
        output=output_of(alert.ping),
        mutes=tuple((duration(length), url) for length, url in alert.mute_links),
    )


def _of_several(message: Message, now: datetime) -> Letter:
    told = [
        (alert, purpose_of(alert)(alert, now))
        for alert in sorted(message.alerts, key=_urgency)
    ]
    counts = f"{counted(len(told), 'check')}: {_counts(told)}"
    status = min(map(_status, message.alerts), key=_BY_URGENCY.index)
    return Letter(
        subject=f"{counts} ({_some(told)})",
        status=status,
        label=status.upper(),
        title=counts,
        headline=f"{counts}.",
        link=_list(message),
        root=_root(message),
        notice=one_line(message.notice),
        site_name=one_line(message.site_name),
        facts=(Fact("Project", one_line(message.project_name)), *also_down(message)),
        rows=tuple(
            SummaryRow(
                _status(alert),
                wording.label,
                cut(names.title(alert.check)),
                wording.clause,
                _link(message, alert),
            )
            for alert, wording in told
        ),
    )


def _of_hcl(message: Message, announcement: Announcement) -> Letter:
    subject = one_line(announcement.subject)
    project = Fact("Project", one_line(message.project_name))
    return Letter(
        subject=cut(subject),
        status="info",
        label="",
        title=subject,
        headline=f"{subject}.",
        link=_list(message),
        root=_root(message),
        notice=one_line(message.notice),
        site_name=one_line(message.site_name),
        facts=(project,) if project.value else (),
        paragraphs=tuple(map(one_line, announcement.story)),
        sections=announcement.sections,
    )


def _counts(told: Sequence[tuple[Alert, Wording]]) -> str:
    """Count by status: `2 down, 1 still down, 1 up`."""
    words = ("down", "still down", "late", "slow", "up", "paused", "resumed")
    counts = Counter(
        "still down" if alert.reminder and not alert.earlier else _word(alert)
        for alert, _ in told
    )
    return ", ".join(f"{counts[word]} {word}" for word in words if counts[word])


def _some(told: Sequence[tuple[Alert, Wording]]) -> str:
    """Name the first few: it is them that people are woken for."""
    titles = [cut(names.title(alert.check), _NAME) for alert, _ in told[:_NAMED]]
    more = len(told) - len(titles)
    return listed([*titles, f"{more} more"] if more else titles)


def _word(alert: Alert) -> str:
    return "resumed" if alert.status == "new" else alert.status


# What needs somebody comes first.
_BY_URGENCY: list[Told] = ["down", "late", "slow", "up"]


def _urgency(alert: Alert) -> tuple[int, bool]:
    # Alike ones stay in the order of their flips.
    return _BY_URGENCY.index(_status(alert)), bool(alert.reminder)


def _status(alert: Alert) -> Told:
    # Whatever is none of these needs nobody.
    return alert.status if alert.status in ("down", "late", "slow") else "up"


def _link(message: Message, alert: Alert) -> str:
    root = _root(message)
    return f"{root}checks/{alert.check.code}" if root else ""


def _list(message: Message) -> str:
    root, code = _root(message), message.project_code
    return f"{root}projects/{code}/" if root and code else root


def _root(message: Message) -> str:
    return f"{message.site_root}/" if message.site_root else ""
