"""Which of the services that Apprise reaches act on a message, and do not show it.

What concerns hcl itself goes to people who read. A service that opens a ticket for it
keeps that open, since nothing follows; what switches a lamp would switch it.
"""

# Why a channel to a service is not told of hcl itself unless its `events` say so; by
# Apprise's schemes, without the s of those over TLS.
_ACTS: dict[str, str] = {
    # Nothing would ever close the ticket or incident, and somebody may be called out.
    "opens tickets, incidents or pages": (
        "betterstack dapnet firehydrant flowtriq github goalert ilert incidentio jira"
        " lfg opsgenie opsimate pagerduty pagertree signl4 spike splunk squadcast"
        " victorops xmatters"
    ),
    # What is sent sets something going, as it does for a check that is down.
    "switches lamps, screens or automations": (
        "dot emby enigma2 hassio ifttt jellyfin kodi lametric strmlabs xbmc"
    ),
    # Programs read them, as they do a webhook's.
    "hands it to other programs": (
        "amqp apprise form json mqtt notifico parsep rsyslog sns syslog xml"
    ),
}

_NAMES = frozenset(name for names in _ACTS.values() for name in names.split())


def is_for_people(scheme: str) -> bool:
    """Tell whether a service shows messages to people, and does nothing else.

    `scheme` is Apprise's, in lower case. One that is not known is taken for a chat.
    """
    return scheme not in _NAMES and scheme.removesuffix("s") not in _NAMES
