"""Send through Apprise what comes in on stdin: a program, started by its path.

Apprise takes 45 MB and it blocks, so the server runs it outside, and only while there
is something to send. The program stands alone, but for the modules beside it and those
of hcl.outgoing, which hold for all transports: it loads them by their path.

In, one JSON object a line: `id`, `url` (Apprise's; the secret), `status` (of _TYPES),
`title`, `bodies` (ever shorter: the first that the service takes whole is sent),
`format` (of these: text, markdown or html), `arguments` (of the plugin, where the URL
does not say), `pace` (seconds between two messages over the URL), `ca_file` (whom to
trust besides the system's store; "": nobody), `taken` (digests of targets that have it
already), `until` (of time.monotonic; what has not begun by then is dropped).
Out, in any order: `id`, `ok`, `words` (the answer, or why not; no secrets),
`permanent`, `taken` with those that have it now. Messages of one URL go out in turn,
those of several at once. It ends with stdin, whatever is under way.

With the argument `check`: a JSON array of URLs in, an array of objects out: `problem`
("": it loads), `service`, `schemes`.
"""

import hashlib
import inspect
import json
import logging
import os
import re
import signal
import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import ModuleType
from typing import Any

import requests.sessions
from apprise import Apprise, AppriseAsset, NotifyBase, NotifyType, PersistentStoreMode
from apprise.plugins import url_to_dict

if __name__ == "__main__":
    # hcl's rooms without what their __init__ would import: the modules that are needed
    # are to be had, and nothing else.
    for _depth, _room in enumerate(("hcl.alerts.transports", "hcl.alerts", "hcl")):
        sys.modules[_room] = ModuleType(_room)
        sys.modules[_room].__path__ = [str(Path(__file__).parents[_depth])]

from hcl.alerts.transports.apprise_reasons import reason, scrubbed, secrets_of
from hcl.alerts.transports.apprise_requests import (
    Trace,
    WatchedAdapter,
    trace_now,
    trust_as_hcl_does,
)

# Statuses that the same message will meet again: it, the token or the target is wrong.
PERMANENT = (400, 401, 403, 404, 405, 410, 413, 422)

# What services say with another status, mostly 200, when they will never take it.
_FOR_GOOD = re.compile(
    r"\b(chat|channel|user|group|team|room|stream|topic|recipient)[_ ]"
    r"((was |is |does )?not[_ ](found|exist)|is_archived|unknown)"
    r"|\b(invalid|unknown|revoked|expired|wrong)"
    r"[_ -](auth|token|api[_ -]?key|credentials)"
    r"|\b(token|account|api[_ -]?key)[_ ](is )?(invalid|revoked|expired|inactive)"
    r"|\bnot_authed\b|\bblocked by the user\b",
    re.IGNORECASE,
)

# What every URL gets where it does not say. Seconds for connecting and for an answer:
# Apprise's own 4 s are short for a slow server, which takes the message all the same.
DEFAULTS = {"overflow": "truncate", "cto": 8.0, "rto": 20.0}


class LogWatch(logging.Handler):
    """Keep for the message under way what Apprise warns of."""

    # Of debug lines, which hold URLs, no more than one of these is ever told.
    _HINT = re.compile(
        "Connection refused|Connection reset|Name or service not known|timed out"
        "|Temporary failure in name resolution|No route to host"
        "|Network is unreachable|certificate verify failed"
    )

    def emit(self, record: logging.LogRecord) -> None:
        """Take up one record."""
        trace = trace_now.get()
        if trace is None:
            return
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            trace.warnings.append(text)
        if hint := self._HINT.search(text):
            trace.hint = hint[0].lower()


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Send one message; return what to tell of it."""
    trace, secrets = Trace(ca_file=job.get("ca_file", "")), secrets_of(job["url"])
    trace_now.set(trace)
    ok, problem, taken = False, "", set(job.get("taken", ()))
    try:
        plugin = load(job["url"], job["arguments"])
        if plugin is None:
            problem = f"the URL is not valid: {_why_not(job['url'], trace)}"
        else:
            _pass_over(plugin, taken)
            ok = _notify(plugin, job)
    # A plugin may raise anything, and its words may hold anything.
    except Exception as error:  # noqa: BLE001
        problem = f"Apprise failed: {type(error).__name__}"
    words = "sent" if ok else problem or reason(trace, secrets)
    if ok and trace.status:
        words = f"HTTP {trace.status} from {trace.host}"
    if ok and trace.moved_to:
        words += f"; that group is {trace.moved_to} now: write that into url"
    permanent = problem.startswith("the URL") or trace.status in PERMANENT
    permanent = permanent or (not ok and bool(_FOR_GOOD.search(trace.said)))
    told = {"id": job["id"], "ok": ok, "words": words, "permanent": permanent}
    return {**told, "taken": sorted(taken)}


def _pass_over(plugin: Any, taken: set[str]) -> None:
    """Have a plugin leave out those of its targets that took the message before.

    `taken` holds their digests, and gets those that take it now. Apprise remembers as
    much between its own tries alone.
    """
    slot_of = getattr(plugin, "_slot", None)
    if slot_of is None:
        # It is no promise of Apprise's: without it all get the message again.
        return

    def digest(key: Any, per_message: bool) -> str:
        slot = repr(slot_of(key, per_message))
        return hashlib.sha256(slot.encode("utf-8", "replace")).hexdigest()[:16]

    def is_delivered(key: Any, per_message: bool = False) -> bool:
        return digest(key, per_message) in taken

    def mark_delivered(key: Any, per_message: bool = False) -> None:
        taken.add(digest(key, per_message))

    plugin.is_delivered, plugin.mark_delivered = is_delivered, mark_delivered


def load(url: str, arguments: dict[str, Any] | None = None) -> NotifyBase | None:
    """Make Apprise's object for a URL; `arguments` are for what it does not say.

    None: Apprise cannot. The trace then tells why.
    """
    asset = AppriseAsset(
        app_id="hcl",
        app_desc="hcl",
        app_url="",
        async_mode=False,
        # Or every message would bear icons of Apprise's, fetched from elsewhere.
        image_url_mask="",
        image_url_logo="",
        storage_mode=PersistentStoreMode.MEMORY,
    )
    values = url_to_dict(url)  # type: ignore[no-untyped-call]  # it has no types
    if values is None:
        return None
    defaults = DEFAULTS | (arguments or {})
    values |= {name: defaults[name] for name in defaults if not values.get(name)}
    try:
        return Apprise.instantiate(values, asset=asset, suppress_exceptions=False)
    # Mostly Apprise's own, but a plugin may raise anything over a URL.
    except Exception as error:  # noqa: BLE001
        if (trace := trace_now.get()) is not None and not trace.warnings:
            trace.warnings.append(str(error))
        return None


def _why_not(url: str, trace: Trace) -> str:
    told = trace.warnings[-1] if trace.warnings else "Apprise does not know it"
    if told.endswith("is disabled on this system."):
        return f"Apprise lacks a library for {url.partition('://')[0]}://"
    return scrubbed(told, secrets_of(url)).rstrip(".")


# Characters that Apprise puts around a title that stands in the text.
_TITLE_MARKS = 20

_TYPES = {
    "down": NotifyType.FAILURE,
    "up": NotifyType.SUCCESS,
    "warning": NotifyType.WARNING,
    "info": NotifyType.INFO,
}


def _notify(plugin: NotifyBase, job: dict[str, Any]) -> bool:
    up = job["status"] == "up"
    if type(plugin).__name__ == "NotifyOpsgenie" and up and _closes(plugin):
        return _close_opsgenie(plugin, job["title"])
    # Between the targets of one message, too.
    plugin.request_rate_per_sec = min(plugin.request_rate_per_sec, job["pace"])
    apprise = Apprise(asset=plugin.asset)
    apprise.add(plugin)
    with apprise.notify(
        title=job["title"],
        body=_fitting(plugin, job["title"], job["bodies"]) or job["title"],
        body_format=job["format"],
        notify_type=_TYPES[job["status"]],
    ) as result:
        return bool(result)


def _fitting(plugin: Any, title: str, bodies: list[str]) -> str:
    """Return the first body that Apprise does not cut, else the last."""
    room = plugin.body_maxlen
    if plugin.title_maxlen <= 0 or plugin.overflow_amalgamate_title:
        room -= len(title) + _TITLE_MARKS
    return next((body for body in bodies if len(body) <= room), bodies[-1])


def _closes(plugin: Any) -> bool:
    return bool(plugin.alias) and plugin.action in ("map", "close")


def _close_opsgenie(plugin: Any, note: str) -> bool:
    # Apprise closes only what the same process has opened.
    region = ".eu" if plugin.region_name == "eu" else ""
    response = requests.post(
        f"https://api{region}.opsgenie.com/v2/alerts/{plugin.alias}/close",
        params={"identifierType": "alias"},
        json={"source": "hcl", "note": note},
        headers={"Authorization": f"GenieKey {plugin.apikey}"},
        timeout=plugin.request_timeout,
        verify=plugin.verify_certificate,
    )
    return bool(response.ok)


class Lanes:
    """Send the messages of each URL in turn, those of several at once."""

    def __init__(self, output: int) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._lanes: dict[str, deque[dict[str, Any]]] = {}
        self._last: dict[str, float] = {}

    def put(self, job: dict[str, Any]) -> None:
        """Take a message on."""
        with self._lock:
            lane = self._lanes.get(job["url"])
            if lane is not None:
                lane.append(job)
                return
            self._lanes[job["url"]] = deque([job])
        threading.Thread(target=self._run, args=(job["url"],), daemon=True).start()

    def _run(self, url: str) -> None:
        while True:
            with self._lock:
                if not self._lanes[url]:
                    del self._lanes[url]
                    return
                job = self._lanes[url].popleft()
            pause = self._last.get(url, 0.0) + job["pace"] - time.monotonic()
            time.sleep(max(0.0, pause))
            # Nobody waits for it any more: it will come again.
            if time.monotonic() < job["until"]:
                self._tell(answer(job))
                self._last[url] = time.monotonic()

    def _tell(self, told: dict[str, Any]) -> None:
        data = json.dumps(told).encode() + b"\n"
        with self._lock:
            while data:
                data = data[os.write(self._output, data) :]


def _passed_over(plugin: Any, url: str) -> str:
    """Say what of a URL's query Apprise would take no notice of; "": nothing."""
    asked = (url_to_dict(url) or {}).get("qsd", {})  # type: ignore[no-untyped-call]
    for name, value in asked.items():
        if name[:1] in "+-:" or not value:
            continue
        if name not in plugin.template_args and not _reads(plugin, name):
            known = ", ".join(sorted(plugin.template_args))
            return f"has {name}=…, of which Apprise takes no notice; it knows {known}"
        known_values = _values_of(plugin, name)
        if known_values and not _fits(plugin, value.lower(), known_values):
            shown = ", ".join(sorted(map(str, known_values)))
            return f"has a {name} that Apprise does not know; use one of {shown}"
    return ""


def _reads(plugin: Any, name: str) -> bool:
    """Tell whether a plugin reads a name that it does not list."""
    modules = {sys.modules[base.__module__] for base in type(plugin).__mro__[:-1]}
    quoted = re.compile(rf"""["']{re.escape(name)}["']""")
    return any(quoted.search(inspect.getsource(module)) for module in modules)


def _values_of(plugin: Any, name: str) -> tuple[Any, ...]:
    listed = plugin.template_args.get(name, {})
    aliased = listed.get("alias_of")
    if isinstance(aliased, str):
        listed = plugin.template_args.get(aliased) or plugin.template_tokens.get(
            aliased, {}
        )
    return tuple(listed.get("values", ()))


def _fits(plugin: Any, value: str, known: tuple[Any, ...]) -> bool:
    # Most take what begins as one of the keys of a table of theirs does.
    module = vars(sys.modules[type(plugin).__module__])
    tables = [
        t for n, t in module.items() if n.endswith("_MAP") and isinstance(t, dict)
    ]
    if any(str(known_one).lower() == value for known_one in known):
        return True
    keys = [str(key).lower() for table in tables for key in dict(table)]
    if keys:
        return any(value.startswith(key) for key in keys)
    # Others by the beginning of the value itself.
    return any(str(known_one).lower().startswith(value) for known_one in known)


def check(urls: list[str]) -> list[dict[str, Any]]:
    """Tell of each URL whether it loads, and as what."""
    verdicts = []
    for url in urls:
        trace_now.set(trace := Trace())
        plugin = load(url)
        names = plugin.schemas() if plugin else ()  # type: ignore[no-untyped-call]
        why = "" if plugin else _why_not(url, trace)
        problem = why and f"is not a URL that Apprise can load: {why}"
        if plugin:
            problem = _passed_over(plugin, url)
        name = str(plugin.service_name) if plugin else ""
        verdicts.append({"problem": problem, "service": name, "schemes": sorted(names)})
    return verdicts


def main() -> None:
    """Do what the arguments say, until stdin ends."""
    # Both come to all processes of a terminal or a service; the server decides.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    output = os.dup(1)
    # A plugin may print, even what is secret. What goes wrong before is still told.
    with open(os.devnull, "wb") as nowhere:
        for file in (1, 2):
            os.dup2(nowhere.fileno(), file)
    trust_as_hcl_does()
    # Where every session of requests takes its adapter from.
    requests.sessions.HTTPAdapter = WatchedAdapter  # type: ignore[attr-defined]
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(LogWatch())
    logger.propagate = False
    if sys.argv[1:] == ["check"]:
        os.write(output, json.dumps(check(json.load(sys.stdin))).encode())
    else:
        lanes = Lanes(output)
        for line in sys.stdin.buffer:
            lanes.put(json.loads(line))
    # At once, whatever is still under way.
    os._exit(0)


if __name__ == "__main__":
    main()
