"""The chat and push services that Apprise reaches, and what is wrong with a URL."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from hcl.config.channels import priorities

# What Apprise calls the services of each kind, which bear Healthchecks' names. The kind
# `apprise` stands for any of them, and for all others that Apprise knows.
SCHEMES: dict[str, tuple[str, ...]] = {
    "discord": ("discord",),
    "github": ("github",),
    "googlechat": ("gchat",),
    "gotify": ("gotify", "gotifys"),
    "matrix": ("matrix", "matrixs"),
    "mattermost": ("mmost", "mmosts"),
    "msteamsw": ("workflow", "workflows"),
    "ntfy": ("ntfy", "ntfys"),
    "opsgenie": ("opsgenie",),
    "pagertree": ("pagertree",),
    "pd": ("pagerduty",),
    "po": ("pover",),
    "pushbullet": ("pbul",),
    "rocketchat": ("rocket", "rockets"),
    "signal": ("signal", "signals"),
    "slack": ("slack",),
    "sms": (
        "46elks",
        "atalk",
        "bulksms",
        "bulkvs",
        "burstsms",
        "clickatell",
        "clicksend",
        "cm",
        "d7sms",
        "elks",
        "exotel",
        "freemobile",
        "httpsms",
        "infobip",
        "kavenegar",
        "kudosity",
        "msg91",
        "msgbird",
        "nexmo",
        "octopush",
        "plivo",
        "ringc",
        "serwersms",
        "seven",
        "sfr",
        "sinch",
        "smsc",
        "smseagle",
        "smseagles",
        "smsmanager",
        "smsmgr",
        "smstunnel",
        "sns",
        "telesign",
        "telnyx",
        "twilio",
        "voipms",
        "vonage",
    ),
    "spike": ("spike",),
    "telegram": ("tgram",),
    "victorops": ("splunk", "victorops"),
    "whatsapp": ("whatsapp",),
    "zulip": ("zulip",),
}


class _Native(NamedTuple):
    """A service's own URLs, and the same as Apprise writes it.

    `pattern` matches all of such a URL but its query and a closing slash; `written` is
    filled in with what its groups hold, and gets the query; so is `query`, which is
    added to that.
    """

    scheme: str
    shown: str
    pattern: str
    written: str
    query: str = ""


# Apprise knows most of them too, but not in every release.
_SLACK = r"https?://hooks\.slack\.com"
_POWER = "https?://([^/]+)/powerautomate/automations/direct"
_NATIVES = (
    _Native(
        "slack",
        "https://hooks.slack.com/services/…/…/…",
        _SLACK + r"/services/([^/]+)/([^/]+)/([^/]+)",
        "slack://{0}/{1}/{2}/",
    ),
    _Native(
        "slack",
        "",
        r"https?://hooks\.slack-gov\.com/services/([^/]+)/([^/]+)/([^/]+)",
        "slack://{0}/{1}/{2}/",
        "mode=gov-hook",
    ),
    _Native("slack", "", _SLACK + "/workflows/(.+)", "slack://{0}/", "mode=workflow"),
    _Native("slack", "", _SLACK + "/triggers/(.+)", "slack://{0}/", "mode=trigger"),
    _Native(
        "discord",
        "https://discord.com/api/webhooks/…/…",
        r"https?://discord(?:app)?\.com/api/webhooks/([^/]+)/([^/]+)",
        "discord://{0}/{1}/",
    ),
    _Native(
        "gchat",
        "https://chat.googleapis.com/v1/spaces/…/messages?…",
        r"https://chat\.googleapis\.com/v1/spaces/([^/]+)/messages",
        "gchat://{0}/",
    ),
    _Native(
        "mmosts",
        "https://mattermost.…/hooks/…",
        r"https://(mattermost\.[^/]+)/hooks/([^/]+)",
        "mmosts://{0}/{1}/",
    ),
    _Native(
        "mmost",
        "",
        r"http://(mattermost\.[^/]+)/hooks/([^/]+)",
        "mmost://{0}/{1}/",
    ),
    _Native(
        "workflows",
        "https://…/workflows/…/triggers/manual/paths/invoke?…",
        r"https?://([^/]+)/workflows/([^/]+)/triggers/manual/paths/invoke",
        "workflows://{0}/{1}/",
    ),
    _Native(
        "workflows",
        "",
        _POWER + "/workflows/([^/]+)/triggers/manual/paths/invoke",
        "workflows://{0}/{1}/",
        "pa=yes",
    ),
    _Native(
        "workflows",
        "",
        _POWER + "/cu/([0-9]+)/workflows/([^/]+)/triggers/manual/paths/invoke",
        "workflows://{0}/{2}/",
        "pa=yes&route={1}",
    ),
    _Native(
        "ntfys",
        "https://ntfy.sh/…",
        r"https?://ntfy\.sh/(.+)",
        "ntfys://{0}/",
        "mode=cloud",
    ),
    _Native(
        "matrixs",
        "https://webhooks.t2bot.io/…",
        r"https?://webhooks\.t2bot\.io/api/v[0-9]+/matrix/hook/([^/]+)",
        "matrixs://{0}/",
        "mode=t2bot",
    ),
    _Native(
        "46elks",
        "https://…@api.46elks.com/a1/sms?…",
        r"https?://([^@/]+)@api\.46elks\.com/a1/sms",
        "46elks://{0}@/",
    ),
    _Native(
        "spike",
        "https://api.spike.sh/v1/alerts/…",
        r"https://api\.spike\.sh/v1/alerts/([^/]+)",
        "spike://{0}/",
    ),
    _Native(
        "splunk",
        "https://alert.victorops.com/integrations/generic/…/alert/…/…",
        r"https?://alert\.victorops\.com/integrations/generic/[^/]+/alert"
        r"/([^/]+)/([^/]+)(/.+)?",
        "splunk://{1}@{0}{2}",
    ),
)

# Of most others the part after :// is a token.
_WITH_A_HOST = frozenset(
    scheme + s
    for scheme in ("apprise", "form", "gotify", "json", "matrix", "mmost")
    for s in ("", "s")
) | frozenset(
    scheme + s
    for scheme in ("nctalk", "ntfy", "rocket", "signal", "xml", "synology")
    for s in ("", "s")
)


def scheme_of(url: str) -> str:
    """Return Apprise's scheme of a URL, "" if it has none; https of what is not known.

    The URLs that some services hand out themselves count by their service.
    """
    return _scheme(_rewritten(url))


def _scheme(url: str) -> str:
    scheme = re.match(r"([a-z0-9]{1,32})://\S", url, re.IGNORECASE)
    return scheme[1].lower() if scheme else ""


def as_apprise(url: str) -> str:
    """Write a service's own URL, and priorities, as Apprise does; others stay."""
    written = _rewritten(url)
    return priorities.as_apprise(_scheme(written), written)


def _rewritten(url: str) -> str:
    address, _, query = url.partition("?")
    for native in _NATIVES:
        match = re.fullmatch(f"{native.pattern}/*", address, re.IGNORECASE)
        if match:
            groups = match.groups("")
            written = native.written.format(*groups)
            more = "&".join(filter(None, (query, native.query.format(*groups))))
            return f"{written}?{more}" if more else written
    return url


def problem_of(kind: str, url: str) -> str:
    """Say what is wrong with the URL of a channel, as far as it can be seen; "": fine.

    The URL is a secret: nothing of it but the service is told.
    """
    scheme = scheme_of(url)
    if kind == "apprise" and not scheme:
        return "is not a URL; use one of Apprise's, like ntfys://…"
    if kind == "apprise" or scheme in SCHEMES[kind]:
        return _lacks_topic(scheme, url) or priorities.problem_of(scheme, url)
    if not scheme:
        return f"is not a URL; use {_allowed(kind)}"
    other = next((k for k, schemes in SCHEMES.items() if scheme in schemes), "")
    return not_for(kind, other)


def _lacks_topic(scheme: str, url: str) -> str:
    """Say that a URL of ntfy names a server and no topic; "": it does not.

    Apprise would take the server for a topic of ntfy.sh, which anybody reads, or send
    nothing.
    """
    if scheme not in ("ntfy", "ntfys"):
        return ""
    try:
        parts = urlsplit(as_apprise(url))
        is_server = "." in (parts.hostname or "") or parts.port is not None
    except ValueError:
        return ""
    if not is_server or parts.path.strip("/") or re.search(r"(^|&)to=", parts.query):
        return ""
    return f"has no topic; use {scheme}://server/topic"


def not_for(kind: str, service: str) -> str:
    """Say that a URL is not for a kind; `service` is whose it is, "" if unknown."""
    problem = f"is not for {kind}"
    if service:
        problem = f"is a URL for {service}, not for {kind}"
    return f"{problem}; use {_allowed(kind)}"


def place_of(kind: str, url: str) -> str:
    """Name where a channel's messages go, without what is secret: `ntfy at ntfy.sh`."""
    scheme = scheme_of(url)
    name = kind if kind != "apprise" else scheme or kind
    host = ""
    if scheme in _WITH_A_HOST or url.lower().startswith(("http://", "https://")):
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            host = ""
    # What has no dot may be a topic, or a token in the place of a host.
    return f"{name} at {host}" if "." in host or host == "localhost" else name


def _allowed(kind: str) -> str:
    schemes = SCHEMES[kind]
    shown = [n.shown for n in _NATIVES if n.shown and n.scheme in schemes]
    if len(schemes) > 4:
        return "one of Apprise's for a service that sends SMS, like twilio://…"
    return " or ".join([f"{scheme}://…" for scheme in schemes] + shown)
