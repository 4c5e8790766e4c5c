"""Placeholders such as $NAME in what users write into channels."""

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote

from hcl.checks import rules
from hcl.checks.check_json import Site, check_json
from hcl.model import Alert, Announcement, Message
from hcl.words import names
from hcl.words.lines import cut

# How many checks a message of several names, and how much of each name.
NAMES = 20
NAME_LENGTH = 100

# How many tags have a placeholder of their own; the API takes 250 at most.
TAGS = 1000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def status_of(message: Message) -> str:
    """Return what a message tells of; of several checks, what needs somebody most.

    `server`: of hcl itself.
    """
    if message.announcement is not None:
        return "server"
    statuses = [alert.status for alert in message.alerts]
    if len(statuses) == 1:
        return statuses[0]
    return next((s for s in ("down", "late", "slow") if s in statuses), "up")


class _Subject(Protocol):
    """What a message tells of, as the placeholders name it."""

    code: str
    slug: str
    tags: str
    tag_list: list[str]

    def name(self) -> str: ...

    def exitstatus(self) -> str: ...

    def body(self) -> str: ...

    def document(self) -> Any: ...


class Placeholders:
    """Fill in what one message has to say.

    Of several checks, the first that is down speaks for all where only one can. Values
    are made when they are named. What is no placeholder stays as it is.
    """

    def __init__(self, message: Message, now: datetime, site: Site) -> None:
        self._subject = subject = _subject_of(message, now, site)
        self._values: dict[str, Callable[[], str]] = {
            "CODE": lambda: subject.code,
            "STATUS": lambda: status_of(message),
            "NOW": lambda: now.isoformat(timespec="seconds"),
            "NAME": subject.name,
            "NAME_JSON": lambda: json.dumps(subject.name()),
            "SLUG": lambda: subject.slug,
            "TAGS": lambda: subject.tags,
            "JSON": lambda: json.dumps(subject.document()),
            "EXITSTATUS": subject.exitstatus,
        }
        for number, tag in enumerate(subject.tag_list[:TAGS], 1):
            self._values[f"TAG{number}"] = partial(str, tag)

    def in_url(self, template: str) -> str:
        """Fill in a URL: values are quoted for any place in it."""

        def quoted(value: str) -> str:
            return quote(value, safe="", errors="replace")

        return self.fill(template, quoted)

    def in_header(self, template: str) -> str:
        """Fill in the value of an HTTP header, as characters of Latin-1."""
        text = _CONTROL.sub(" ", self.fill(template)).strip()
        return text.encode("latin-1", "xmlcharrefreplace").decode("latin-1")

    def in_body(self, template: str) -> str:
        """Fill in a body, which may hold $BODY and $BODY_JSON too."""
        return self.fill(template, more=self._bodies())

    def everything(self) -> dict[str, Callable[[], str]]:
        """Return what makes the value of each placeholder, those of bodies last."""
        return self._values | self._bodies()

    def fill(
        self,
        template: str,
        encode: Callable[[str], str] = str,
        more: dict[str, Callable[[], str]] | None = None,
    ) -> str:
        """Fill in a template in one pass, so that no value is expanded again."""
        if "$" not in template:
            return template
        values = self._values | (more or {})
        return names_pattern(values).sub(
            lambda match: encode(values[match[1]]()), template
        )

    def _bodies(self) -> dict[str, Callable[[], str]]:
        body = self._subject.body
        return {"BODY": body, "BODY_JSON": lambda: json.dumps(body())}


class _Checks:
    """The checks that a message tells of: one at least."""

    def __init__(self, message: Message, now: datetime, site: Site) -> None:
        self._alerts = message.alerts
        self._alert = _first(message)
        self._now = now
        self._site = site
        check = self._alert.check
        self.code, self.slug, self.tags = check.code, check.slug, check.tags
        self.tag_list = check.tag_list

    def name(self) -> str:
        if len(self._alerts) == 1:
            return self._alert.check.name
        titles = [
            cut(names.title(alert.check), NAME_LENGTH) for alert in self._alerts[:NAMES]
        ]
        more = len(self._alerts) - NAMES
        rest = f" and {more} more" if more > 0 else ""
        return f"{len(self._alerts)} checks: {', '.join(titles)}{rest}"

    def exitstatus(self) -> str:
        ping = self._alert.ping
        if ping is None or ping.exitstatus is None:
            return "-1"
        return str(ping.exitstatus)

    def body(self) -> str:
        ping = self._alert.ping
        return "" if ping is None else ping.body.decode("utf-8", "replace")

    def document(self) -> Any:
        if len(self._alerts) == 1:
            return self._document(self._alert)
        return [self._document(alert) for alert in self._alerts]

    def _document(self, alert: Alert) -> dict[str, Any]:
        text = check_json(
            rules.as_shown(alert.check, self._now),
            site=self._site,
            channels=alert.channels,
            version=3,
            readonly=False,
            now=self._now,
        )
        document: dict[str, Any] = json.loads(text)
        # The check may have changed since, and a late retry must not contradict itself.
        document["status"] = alert.status
        return document


class _Hcl:
    """Hcl itself: its name is what happened, in a line, and its body the rest."""

    def __init__(self, announcement: Announcement, project: str) -> None:
        self._announcement = announcement
        self._project = project
        self.code = self.slug = self.tags = ""
        self.tag_list: list[str] = []

    def name(self) -> str:
        return self._announcement.subject

    def exitstatus(self) -> str:
        return "-1"

    def body(self) -> str:
        return "\n\n".join(self._announcement.story)

    def document(self) -> Any:
        # Whoever reads a check's name and status there finds them here.
        return {
            "name": self._announcement.subject,
            "status": "server",
            "kind": self._announcement.kind,
            "project": self._project,
            "created": self._announcement.created.isoformat(timespec="seconds"),
            "text": list(self._announcement.story),
        }


def _subject_of(message: Message, now: datetime, site: Site) -> _Subject:
    if message.announcement is not None:
        return _Hcl(message.announcement, message.project_name)
    return _Checks(message, now, site)


def names_pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Match a placeholder of these names, the longest first: $NAME_JSON is no $NAME."""
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(rf"\$({'|'.join(longest_first)})")


def _first(message: Message) -> Alert:
    told = status_of(message)
    return next((a for a in message.alerts if a.status == told), message.alerts[0])
