"""Chat and push services that Healthchecks reaches, as the URLs of Apprise."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from hcl.moving.healthchecks.translated import (
    UNKNOWN,
    Translated,
    document_of,
    events_of,
    host_of,
    json_of,
    part,
)

Reader = Callable[[str], Translated]

_PRIORITIES = {1: "min", 2: "low", 3: "default", 4: "high", 5: "max"}
_PUSHOVER = {-2: "low", -1: "moderate", 0: "normal", 1: "high", 2: "emergency"}
_UNTOLD_PUSHOVER = -3
_DISCORDS = ("discord.com", "discordapp.com")


def _apprise(kind: str, url: str, **more: Any) -> Translated:
    return Translated(kind, {"url": url}, **more)


def _any(value: str) -> Translated:
    return _apprise("apprise", value.strip())


def _other_host(url: str, own: str, service: str) -> list[str]:
    """Warn of a webhook that is not the service's own: Apprise knows only that."""
    host = host_of(url)
    if host == own or host.endswith(f".{own}"):
        return []
    return [f"its URL is at {host}, but hcl sends to {service}'s own servers"]


def _slack(value: str) -> Translated:
    document = document_of(value)
    url = str(document["incoming_webhook"]["url"]) if document else value.strip()
    # Others take Slack's format too, and were reached so.
    if host_of(url) in _DISCORDS:
        return _discord(url)
    parts = [part for part in urlsplit(url).path.split("/") if part]
    if "hooks" in parts[-3:]:
        is_rocketchat = parts[-3:-2] == ["hooks"]
        return _rocketchat(url) if is_rocketchat else _mattermost(url)
    if parts[0] != "services" or len(parts) != 4:
        return _apprise("slack", url)
    notes = [*_other_host(url, "slack.com", "Slack")]
    if host_of(url) in ("hooks.slack.com", "hooks.slack-gov.com"):
        return _apprise("slack", url)
    return _apprise("slack", f"slack://{'/'.join(map(part, parts[1:]))}/", notes=notes)


def _discord(value: str) -> Translated:
    document = document_of(value)
    url = str(document["webhook"]["url"]) if document else value.strip()
    parts = [part for part in urlsplit(url).path.split("/") if part]
    notes = []
    if host_of(url) not in _DISCORDS:
        notes = _other_host(url, "discord.com", "Discord")
    [_, _, id_, token] = parts[:4]
    return _apprise("discord", f"discord://{part(id_)}/{part(token)}/", notes=notes)


def _telegram(value: str) -> Translated:
    document = json_of(value)
    chat = str(int(document["id"]))
    if thread := document.get("thread_id"):
        chat += f":{int(thread)}"
    return _apprise(
        "telegram",
        f"tgram://{UNKNOWN}/{chat}/",
        fill_in="the token of your Telegram bot (TELEGRAM_TOKEN of the old server)",
    )


def _base(url: str, scheme: str) -> str:
    """Write the scheme and host of a server as Apprise does, with its path."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if not parts.hostname:
        raise ValueError("has no host")
    safe = "s" if parts.scheme == "https" else ""
    return f"{scheme}{safe}://{parts.netloc}{parts.path.rstrip('/')}"


def _with_priorities(url: str, down: str, up: str) -> dict[str, Any]:
    """Return the keys of a channel; a priority is "" where nothing is told.

    One for both stands in the URL, as it did there; two in a key of their own.
    """
    if down and up and down != up:
        return {"url": url, "priority": {"down": down, "up": up}}
    query = "?" + urlencode({"priority": down or up}) if down or up else ""
    return {"url": f"{url}{query}"}


def _ntfy(value: str) -> Translated:
    document = json_of(value)
    down, up = int(document.get("priority", 3)), int(document.get("priority_up", 3))
    server = _base(str(document.get("url") or "https://ntfy.sh"), "ntfy")
    scheme, _, rest = server.partition("://")
    token = document.get("token") or ""
    user = f"{part(token)}@" if token else ""
    url = f"{scheme}://{user}{rest}/{part(document['topic'])}"
    words = [_PRIORITIES.get(p, "default") if p > 0 else "" for p in (down, up)]
    return Translated(
        "ntfy",
        _with_priorities(url, *words),
        events=events_of(down=down > 0, up=up > 0),
    )


def _gotify(value: str) -> Translated:
    document = json_of(value)
    down = int(document.get("priority", 5))
    up = int(document.get("priority_up", down))
    server = _base(str(document["url"]), "gotify")
    url = f"{server}/{part(document['token'])}"
    return Translated(
        "gotify",
        _with_priorities(url, *[str(p) if p > 0 else "" for p in (down, up)]),
        events=events_of(down=down > 0, up=up > 0),
    )


def _pushover(value: str) -> Translated:
    user, *numbers = value.split("|")
    down, up = ([int(number) for number in numbers] + [0, 0])[:2]
    url = f"pover://{part(user)}@{UNKNOWN}/"
    # What is not told has no word.
    words = [
        "" if p == _UNTOLD_PUSHOVER else _PUSHOVER.get(p, "normal") for p in (down, up)
    ]
    return Translated(
        "po",
        _with_priorities(url, *words),
        events=events_of(down=down != _UNTOLD_PUSHOVER, up=up != _UNTOLD_PUSHOVER),
        fill_in="the token of your Pushover application (PUSHOVER_API_TOKEN)",
    )


def _matrix(value: str) -> Translated:
    room = value.strip()
    # A port may follow; and rooms of version 12 name no server.
    server = room.partition(":")[2] or "matrix.org"
    return _apprise(
        "matrix",
        f"matrixs://{UNKNOWN}@{server}/{part(room)}",
        fill_in="the access token of your bot; and the host, if the homeserver is"
        f" not {server} (MATRIX_ACCESS_TOKEN, MATRIX_HOMESERVER)",
    )


def _mattermost(value: str) -> Translated:
    url = value.strip()
    parts = urlsplit(url)
    path, _, token = parts.path.rstrip("/").rpartition("/hooks/")
    if not token or not parts.netloc:
        raise ValueError("is no webhook")
    scheme = "mmosts" if parts.scheme == "https" else "mmost"
    return _apprise("mattermost", f"{scheme}://{parts.netloc}{path}/{part(token)}/")


def _ways(document: dict[str, Any]) -> list[str] | None:
    return events_of(down=bool(document.get("down")), up=bool(document.get("up")))


def _signal(value: str) -> Translated:
    document = json_of(value)
    return _apprise(
        "signal",
        f"signal://localhost:8080/{UNKNOWN}/{part(document['value'])}",
        events=_ways(document),
        fill_in="the number that sends; it goes through signal-cli-rest-api, at"
        " localhost:8080 or wherever you have it",
    )


def _twilio(kind: str, value: str, query: str = "") -> Translated:
    # Before 1.21 a number, alone or in JSON with a label, was told of what goes down.
    document = json_of(value) if value.startswith("{") else {"value": value.strip()}
    document = {"down": True, **document}
    number = part(str(document["value"]))
    if not number:
        raise ValueError("has no number")
    return _apprise(
        kind,
        f"twilio://{UNKNOWN}:{UNKNOWN}@{UNKNOWN}/{number}{query}",
        events=["down"] if query else _ways(document),
        fill_in="account SID, auth token and sending number of Twilio, in this order"
        " (TWILIO_ACCOUNT, TWILIO_AUTH, TWILIO_FROM)",
    )


def _sms(value: str) -> Translated:
    return _twilio("sms", value)


def _call(value: str) -> Translated:
    # hcl has no kind for it, but Twilio calls as it sends messages.
    return _twilio("sms", value, "?method=call")


def _whatsapp(value: str) -> Translated:
    document = json_of(value)
    return _apprise(
        "whatsapp",
        f"whatsapp://{UNKNOWN}@{UNKNOWN}/{part(document['value'])}",
        events=_ways(document),
        fill_in="token and sending phone's id of WhatsApp's own API, in this order;"
        " the old server sent through Twilio",
    )


def _googlechat(value: str) -> Translated:
    url = value.strip()
    parts = urlsplit(url)
    if parts.hostname == "chat.googleapis.com":
        return _apprise("googlechat", url)
    space = parts.path.strip("/").split("/")[2]
    return _apprise(
        "googlechat",
        f"gchat://{part(space)}/?{parts.query}",
        notes=_other_host(url, "googleapis.com", "Google"),
    )


def _teams(value: str) -> Translated:
    return _apprise("msteamsw", value.strip())


def _opsgenie(value: str) -> Translated:
    document = document_of(value)
    key = str(document["key"]) if document else value.strip()
    region = "eu" if document.get("region") == "eu" else "us"
    return _apprise("opsgenie", f"opsgenie://{part(key)}/?region={region}")


def _last_part(kind: str, scheme: str, own: str, service: str) -> Reader:
    """Read a webhook whose last part is all that matters."""

    def read(value: str) -> Translated:
        url = value.strip()
        token = urlsplit(url).path.rstrip("/").rpartition("/")[2]
        if not token:
            raise ValueError("has no token")
        notes = _other_host(url, own, service)
        return _apprise(kind, f"{scheme}://{part(token)}/", notes=notes)

    return read


def _pagerduty(value: str) -> Translated:
    document = document_of(value)
    key = str(document["service_key"]) if document else value.strip()
    # Apprise wants the API's token too, which events do not need.
    return _apprise("pd", f"pagerduty://{part(key)}@events/")


def _pushbullet(value: str) -> Translated:
    return _apprise("pushbullet", f"pbul://{part(value.strip())}/")


def _rocketchat(value: str) -> Translated:
    parts = urlsplit(value.strip())
    [_, first, second] = parts.path.strip("/").split("/")[-3:]
    scheme = "rockets" if parts.scheme == "https" else "rocket"
    tokens = f"{part(first)}/{part(second)}"
    return _apprise("rocketchat", f"{scheme}://{tokens}@{parts.netloc}/?mode=webhook")


def _victorops(value: str) -> Translated:
    url = value.strip()
    parts = urlsplit(url).path.strip("/").split("/")
    at = parts.index("alert")
    key, routing = parts[at + 1], parts[at + 2]
    return _apprise(
        "victorops",
        f"splunk://{part(routing)}@{part(key)}/",
        notes=_other_host(url, "victorops.com", "Splunk On-Call"),
    )


def _zulip(value: str) -> Translated:
    document = json_of(value)
    name, _, domain = str(document["bot_email"]).rpartition("@")
    site = host_of(str(document.get("site") or "")) or domain
    notes = []
    if not name.endswith("-bot") or site != domain:
        notes = [f"Apprise signs in as …-bot@{site}; it was {name}@{domain}"]
    if document.get("topic"):
        notes.append(f"the topic {document['topic']} becomes each message's own title")
    bot = name.removesuffix("-bot")
    return _apprise(
        "zulip",
        f"zulip://{part(bot)}@{site}/{part(document['api_key'])}"
        f"/{part(str(document['to']))}",
        notes=notes,
    )


def _github(value: str) -> Translated:
    document = json_of(value)
    owner, _, repo = str(document["repo"]).partition("/")
    labels = ",".join(map(str, document.get("labels") or ()))
    query = "?" + urlencode({"labels": labels}) if labels else ""
    return _apprise(
        "github",
        f"github://{UNKNOWN}@{part(owner)}/{part(repo)}/{query}",
        events=["down"],
        fill_in="a token that may make issues there; the old server had a GitHub app",
    )


READERS: dict[str, Reader] = {
    "apprise": _any,
    "call": _call,
    "discord": _discord,
    "github": _github,
    "googlechat": _googlechat,
    "gotify": _gotify,
    "matrix": _matrix,
    "mattermost": _mattermost,
    "msteamsw": _teams,
    "ntfy": _ntfy,
    "opsgenie": _opsgenie,
    "pagertree": _last_part("pagertree", "pagertree", "pagertree.com", "PagerTree"),
    "pd": _pagerduty,
    "po": _pushover,
    "pushbullet": _pushbullet,
    "rocketchat": _rocketchat,
    "signal": _signal,
    "slack": _slack,
    "sms": _sms,
    "spike": _last_part("spike", "spike", "spike.sh", "Spike"),
    "telegram": _telegram,
    "victorops": _victorops,
    "whatsapp": _whatsapp,
    "zulip": _zulip,
}
