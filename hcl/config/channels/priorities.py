"""Priorities of services, in a URL or a key: what people write, what Apprise takes.

Apprise takes a word that it does not know for its default, and says nothing.
"""

import re
from urllib.parse import unquote_plus

from hcl.config.reading import shown

_SHARED = {word: word for word in ("low", "moderate", "normal", "high", "emergency")}
_SHARED |= {
    "default": "normal",
    "urgent": "emergency",
    "critical": "emergency",
    "max": "emergency",
    "min": "low",
}


def _numbers(first: int, last: int) -> dict[str, str]:
    return {str(number): str(number) for number in range(first, last + 1)}


# By Apprise's schemes, without the s of those over TLS; ntfy has words of its own.
_KNOWN: dict[str, dict[str, str]] = {
    "ntfy": _SHARED
    | _numbers(1, 5)
    | dict.fromkeys(("urgent", "critical", "max", "emergency"), "max")
    | {"min": "min"},
    "gotify": _SHARED | _numbers(0, 10),
    "pover": _SHARED | _numbers(-2, 2) | {"lowest": "-2", "min": "-2"},
    "prowl": _SHARED | _numbers(-2, 2),
    "join": _SHARED | _numbers(-2, 2),
    "growl": _SHARED | _numbers(-2, 2),
    "opsgenie": _SHARED
    | _numbers(1, 5)
    | {f"p{number}": f"p{number}" for number in range(1, 6)},
}

_PRIORITY = re.compile(r"([?&]priority=)([^&#]*)", re.IGNORECASE)


def problem_of(scheme: str, url: str) -> str:
    """Say what is wrong with the priority in a URL; "": nothing, or there is none."""
    known, found = _known(scheme), _PRIORITY.search(url)
    if not known or not found or not found[2]:
        return ""
    if _plain(found[2]) in known:
        return ""
    return f"has a priority that {scheme} does not have; use {_allowed(known)}"


def is_in(url: str) -> bool:
    """Tell whether a URL says of itself how urgent its messages are."""
    found = _PRIORITY.search(url)
    return bool(found and found[2])


def problem_of_word(scheme: str, word: str) -> str:
    """Say what is wrong with a word of the key `priority`; "": nothing."""
    known, plain = _known(scheme), _plain(word)
    if plain == "none" or plain in known:
        return ""
    if not known:
        return f'hcl knows no priorities of {scheme}; use "none", or leave it out'
    problem = f"{shown(word)} is no priority of {scheme}"
    return f"{problem}; use {_allowed(known)}, or none"


def word_for(scheme: str, word: str) -> str:
    """Return Apprise's word for one that `problem_of_word` likes; "none" stays."""
    plain = _plain(word)
    return plain if plain == "none" else _known(scheme)[plain]


def _allowed(known: dict[str, str]) -> str:
    words = [word for word in known if word.isalpha()]
    numbers = [word for word in known if not word.isalpha()]
    return f"{', '.join(words)} or {numbers[0]} to {numbers[-1]}"


def as_apprise(scheme: str, url: str) -> str:
    """Write the priority in a URL by the word that Apprise has for it."""
    known = _known(scheme)
    return _PRIORITY.sub(
        lambda found: found[1] + known.get(_plain(found[2]), found[2]), url
    )


def _known(scheme: str) -> dict[str, str]:
    return _KNOWN.get(scheme) or _KNOWN.get(scheme.removesuffix("s"), {})


def _plain(value: str) -> str:
    return unquote_plus(value).strip().lower()
