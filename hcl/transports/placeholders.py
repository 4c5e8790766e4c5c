"""Placeholders such as $NAME in what users write into channels."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from hcl.check_json import Site, check_json
from hcl.model import Alert

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Placeholders:
    """Fill in what one alert has to say.

    Values are made when they are named. What is no placeholder stays as it is.
    """

    def __init__(self, alert: Alert, now: datetime, site: Site) -> None:
        self._alert = alert
        self._now = now
        self._site = site
        check = alert.check
        self._values: dict[str, Callable[[], str]] = {
            "CODE": lambda: check.code,
            "STATUS": lambda: alert.flip.new_status,
            "NOW": lambda: now.isoformat(timespec="seconds"),
            "NAME": lambda: check.name,
            "NAME_JSON": lambda: json.dumps(check.name),
            "SLUG": lambda: check.slug,
            "TAGS": lambda: check.tags,
            "JSON": self._document,
            "EXITSTATUS": self._exitstatus,
        }
        for number, tag in enumerate(check.tag_list, 1):
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
        body = {
            "BODY": self._body,
            "BODY_JSON": lambda: json.dumps(self._body()),
        }
        return self.fill(template, more=body)

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
        # The longest name first: $NAME_JSON is no $NAME.
        names = sorted(values, key=len, reverse=True)
        pattern = rf"\$({'|'.join(names)})"
        return re.sub(pattern, lambda match: encode(values[match[1]]()), template)

    def _exitstatus(self) -> str:
        ping = self._alert.ping
        if ping is None or ping.exitstatus is None:
            return "-1"
        return str(ping.exitstatus)

    def _body(self) -> str:
        ping = self._alert.ping
        return "" if ping is None else ping.body.decode("utf-8", "replace")

    def _document(self) -> str:
        alert = self._alert
        document = check_json(
            alert.check,
            site=self._site,
            channels=alert.channels,
            version=3,
            readonly=False,
            now=self._now,
        )
        # The check may have changed since, and a late retry must not contradict itself.
        document["status"] = alert.flip.new_status
        return json.dumps(document)
