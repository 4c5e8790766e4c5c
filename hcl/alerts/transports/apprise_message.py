"""A message as each service likes it: its markup, priority, link and incident."""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from hcl.alerts.messages import chats, rendering
from hcl.alerts.messages.letter import Letter
from hcl.config import Event

# Seconds between two messages over one URL. Apprise's own are up to 5.5: a message
# that waits for seven others would be given up as not answered.
PACE = 1.0


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Services that show Markdown to chats, or what Apprise makes of it for them.
_MARKDOWN = _names(
    "cliq dingtalk discord evolution evolutions gchat github guilded incidentio kook"
    " matrix matrixs mmost mmosts revolt rocket rockets slack squadcast tgram twist"
    " webex whapi workflow workflows wxteams zcliq zohocliq zulip"
)

# Those of them that Apprise takes for plain text unless it is told.
_TAKEN_FOR_PLAIN = _names("mmost mmosts revolt zulip")

# Those of them that have no title, or show Markdown in it too.
_WITHOUT_TITLE = _names(
    "discord evolution evolutions gchat guilded kook mmost mmosts revolt rocket rockets"
    " tgram webex whapi wxteams"
)

# Services that send mail.
_HTML = _names(
    "azure brevo groundmail mailersend mailgun mailto mailtos o365 postmark resend"
    " sendgrid sendpulse ses smtp2go sparkpost"
)

# What opens an incident when a check goes down and closes it when it is up again, and
# the name of the argument that tells one incident from another.
INCIDENTS = {
    "firehydrant": "dedup",
    "goalert": "dedup",
    "goalerts": "dedup",
    "ilert": "dedup",
    "incidentio": "dedup",
    "opsgenie": "alias",
    "pagerduty": "dedup",
    "pagertree": "thirdparty",
    "signl4": "external_id",
    "splunk": "entity_id",
    "squadcast": "dedup",
    "victorops": "entity_id",
}

# Services that take a link beside the text, and what Apprise calls it.
_LINKS = {
    "bark": "click",
    "barks": "click",
    "firehydrant": "click",
    "ilert": "click",
    "incidentio": "click",
    "ntfy": "click",
    "ntfys": "click",
    "pagerduty": "click",
    "pover": "supplemental_url",
}

# Bytes of a text that services take which count so; Apprise counts characters. Of what
# is longer ntfy makes a file, which shows nothing on a phone, and which servers that
# keep no files refuse. The others refuse it, or Apple does, to whom they hand it on;
# they count the title too.
_ROOM = {
    "bark": 3000,
    "barks": 3000,
    "ntfy": 4000,
    "ntfys": 4000,
    "pushy": 3000,
    "wecombot": 1200,
}

# Characters of a job's output in ever shorter texts. Apprise cuts what is longer than a
# service takes at its end, where the last words stand.
_OUTPUTS = (rendering.OUTPUT, 750, 500, 350, 250, 150, 0)

# Bytes of the whole in JSON, where a letter that is not ASCII takes six: ntfy counts
# these too.
_WHOLE = 7800

_PRIORITIES = _names("gotify gotifys ntfy ntfys pover")

# The signs that ntfy shows before a title.
_NTFY_TAGS = {
    "down": "rotating_light",
    "late": "hourglass_flowing_sand",
    "slow": "snail",
    "up": "white_check_mark",
    "info": "information_source",
}

# Services that call people by a mention in a text; those that show Markdown do too. So
# may a service whose own URL Apprise knows, and hcl does not.
_CHATS = _MARKDOWN | _names(
    "bluesky bsky feishu flock fluxer fluxers groupme http https humhub humhubs irc"
    " ircs jira lark line mastodon mastodons misskey misskeys nctalk nctalks onebot"
    " onebots qq reddit ryver signal signals stackfield synology synologys toot toots"
    " tweet twitter wechat wecombot x xmpp xmpps zoom"
)

_MENTION = re.compile(
    # @name, but no mail address, unless it is one of those that call everybody.
    r"(?:(?<![\w.+/-])@|@(?=everyone|here|channel|all|room|online))(?!\u200b)"
    # What Slack, Discord, Webex, Google Chat and Feishu make of brackets.
    r"|<(?=[!@#&]|users/|at\b)",
    re.IGNORECASE,
)

_FORMAT = re.compile(r"[?&]format=(text|markdown|html)\b", re.IGNORECASE)

# Services for which Apprise itself looks through a text for whom to call: in code and
# in mail addresses too. Discord only where a URL asks for its Markdown.
_SEARCHED = _names("fluxer fluxers notifiarr")
_CALL = re.compile(r"@(?=[&\w])")


def request(
    scheme: str,
    url: str,
    letter: Letter,
    key: str,
    priorities: Mapping[Event, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Lay out a letter for a service, as the worker takes it, but for `id` and `until`.

    Of `bodies` the first that the service takes whole is sent. `key` names what the
    letter is about for services that keep incidents; `priorities` are Apprise's words
    for what the file says of events.
    """
    body_format = _body_format(scheme, url)
    title, bodies = letter.subject, _bodies(scheme, letter, body_format)
    if scheme in _WITHOUT_TITLE:
        # Apprise would make a heading of it, large and not escaped.
        heading, title = f"**{chats.escaped(title)}**\n\n", ""
        bodies = [heading + body for body in bodies]
    elif scheme in _CHATS:
        title = unmentioned(title)
        if body_format == "text":
            bodies = [*map(unmentioned, bodies)]
    if _is_searched(scheme, url):
        bodies = [_CALL.sub("@\u200b", body) for body in bodies]
    arguments = _arguments(scheme, letter, key)
    event: Event = "server" if letter.status == "info" else letter.status
    # What is sent all the same, a test say, comes as the service has it.
    if priorities.get(event, "none") != "none":
        arguments["priority"] = priorities[event]
    if scheme == "pagerduty":
        # Its summary is a line, on which people are called; the rest goes beside it.
        arguments["details"] = {"Message": bodies[0]}
        title, bodies = "", [title]
    return {
        "url": url,
        "status": _type(letter.status, scheme),
        "title": _encodable(title),
        "bodies": [*map(_encodable, bodies)],
        "format": body_format,
        "arguments": arguments,
        "pace": PACE,
    }


def _type(status: str, scheme: str) -> str:
    """Return Apprise's type of what a letter tells."""
    # What only informs acknowledges an incident, or closes what is not open.
    informs_only = status == "info" and scheme in INCIDENTS
    return "warning" if informs_only or status in ("late", "slow") else status


def _bodies(scheme: str, letter: Letter, body_format: str) -> list[str]:
    """Lay out a letter, ever shorter where it may be too long for a service."""
    if body_format == "html":
        return [rendering.in_html(letter)]
    is_plain = body_format == "text"
    lay_out = rendering.in_brief if is_plain else rendering.in_markdown
    if room := _ROOM.get(scheme):
        return [_fitting(letter, lay_out, room)]
    return [*dict.fromkeys(lay_out(letter, length) for length in _OUTPUTS)]


def _fitting(letter: Letter, lay_out: Callable[[Letter, int], str], room: int) -> str:
    """Lay out as much of a letter as there is room: what the job wrote gives way."""
    rest = _WHOLE - len(json.dumps(letter.subject))

    def fits(text: str) -> bool:
        is_short = len(text.encode("utf-8", "replace")) <= room
        return is_short and len(json.dumps(text)) <= rest

    for length in _OUTPUTS:
        text = lay_out(letter, length)
        if fits(text):
            return text
    while not fits(text):
        text = f"{text[: len(text) * 9 // 10].rstrip('…')}…"
    return text


def unmentioned(text: str) -> str:
    """Break what a chat would take for a mention, by a space of no width."""
    return _MENTION.sub(lambda found: f"{found[0]}\u200b", text)


def _is_searched(scheme: str, url: str) -> bool:
    asked = _FORMAT.search(url)
    is_markdown = asked is not None and asked[1].lower() == "markdown"
    return scheme in _SEARCHED or (scheme == "discord" and is_markdown)


def _encodable(text: str) -> str:
    # Half a character, as a name may hold, is more than many plugins can send.
    return text.encode("utf-8", "replace").decode()


def _body_format(scheme: str, url: str) -> str:
    if scheme in _HTML:
        return "html"
    if scheme in _MARKDOWN:
        return "markdown"
    asked = _FORMAT.search(url)
    # Apprise makes the HTML that is asked for, of a short text.
    return "markdown" if asked and asked[1].lower() != "text" else "text"


def _arguments(scheme: str, letter: Letter, key: str) -> dict[str, Any]:
    """Return what the plugin is told of this letter, unless the URL tells it."""
    down = letter.status == "down"
    arguments: dict[str, Any] = {}
    if scheme in _TAKEN_FOR_PLAIN:
        arguments["format"] = "markdown"
    if scheme == "tgram":
        # Telegram refuses a whole message over one sign in its Markdown.
        arguments["format"] = "html"
    if scheme in _PRIORITIES:
        arguments["priority"] = "high" if down else "normal"
    if scheme in ("ntfy", "ntfys"):
        arguments["xtags"] = _NTFY_TAGS[letter.status]
    if scheme in INCIDENTS and key:
        arguments |= {"action": "map", INCIDENTS[scheme]: key}
    if scheme == "pagerduty":
        arguments |= {"source": letter.site_name or "hcl", "component": letter.title}
    if scheme in _LINKS and letter.link:
        arguments[_LINKS[scheme]] = letter.link
    return arguments
