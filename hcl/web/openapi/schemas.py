"""The schemas of the OpenAPI document: what is sent, and what is answered.

What spec.py checks is written here once more, in another language; the tests hold the
two together.
"""

from datetime import timedelta

from hcl.checks import spec
from hcl.model import Check
from hcl.web.auth import KEY_LENGTH
from hcl.web.openapi.answers import Node
from hcl.web.openapi.finer import FINER
from hcl.web.ping import UUID

_CODE: Node = {"type": "string", "pattern": f"^{UUID}$"}
_URL: Node = {"type": "string", "format": "uri"}
MOMENT: Node = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$",
}


def text(description: str, limit: int | None = None, **rest: object) -> Node:
    """Describe a string."""
    bounds = {} if limit is None else {"maxLength": limit}
    return {"type": "string", **bounds, "description": description, **rest}


def _keywords(description: str, **rest: object) -> Node:
    return text(description, spec.KEYWORDS_LENGTH, **rest)


def _switch(description: str) -> Node:
    return {"type": "boolean", "default": False, "description": description}


def _seconds(name: str, description: str) -> Node:
    default: timedelta = Check._field_defaults[name]
    return {
        "type": "integer",
        "minimum": int(spec.SHORTEST.total_seconds()),
        "maximum": int(spec.LONGEST.total_seconds()),
        "default": int(default.total_seconds()),
        "description": description,
    }


def or_null(node: Node, description: str) -> Node:
    """Describe what may be null."""
    return {**node, "type": [node["type"], "null"], "description": description}


# The fields of a check that are answered as they were asked for.
_SETTINGS: dict[str, Node] = {
    "name": text("What people call the check.", spec.NAME_LENGTH, default=""),
    "slug": text(
        "Names the check in ping addresses: letters a to z, digits, `-` and `_`.",
        spec.SLUG_LENGTH,
        pattern="^[a-z0-9_-]*$",
        default="",
    ),
    "tags": text("Tags, separated by spaces.", spec.TAGS_LENGTH, default=""),
    "desc": text("A description, for people.", spec.DESC_LENGTH, default=""),
    "timeout": _seconds(
        "timeout",
        "Seconds from one ping to the next. Alone it turns a check with a schedule into"
        " one with a period.",
    ),
    "grace": _seconds(
        "grace",
        "Seconds that a ping may be late, and that a run may take, before the check"
        " goes down.",
    ),
    "schedule": text(
        "When pings are due: a cron expression if it is one line of five fields, else"
        " systemd's OnCalendar, of several lines too. It wins over `timeout`.",
        spec.SCHEDULE_LENGTH,
        format="schedule",
    ),
    "tz": text(
        "The time zone of the schedule, by its IANA name. Some old names are replaced"
        " by those of today.",
        format="time-zone",
        default="UTC",
    ),
    "manual_resume": _switch(
        "Whether pings leave a paused check paused; else a success resumes it."
    ),
    "methods": {
        "type": "string",
        "enum": ["", "POST"],
        "default": "",
        "description": "The HTTP methods that count: any, or `POST` alone. Others are"
        " recorded and ignored.",
    },
    "start_kw": _keywords("Keywords that make a message a start.", default=""),
    "success_kw": _keywords("Keywords that make a message a success.", default=""),
    "failure_kw": _keywords("Keywords that make a message a failure.", default=""),
    "filter_subject": _switch("Look for the keywords in the subject of mails."),
    "filter_body": _switch("Look for the keywords in the text of mails."),
    "filter_http_body": _switch(
        "Look for the keywords in the bodies of HTTP requests."
    ),
    "filter_default_fail": _switch(
        "Without any keyword a message is a failure; else it is ignored."
    ),
    "subject": _keywords(
        "Sets `success_kw`, and `filter_subject` with it.", deprecated=True
    ),
    "subject_fail": _keywords(
        "Sets `failure_kw`, and `filter_subject` with it.", deprecated=True
    ),
}

_CHANNELS = text(
    "The integrations that alert for it: `*` for all, an empty string for none, else"
    " ids or exact names joined by commas.",
    format="channels",
    default="",
)
_UNIQUE: Node = {
    "type": "array",
    "items": {"type": "string", "enum": list(spec.UNIQUE_FIELDS)},
    "default": [],
    "description": "Update the oldest check that has the same values in all these"
    " fields, if there is one and the request names them all; else make a new one.",
}
API_KEY = text(
    "The key, if it is not in the header.",
    minLength=KEY_LENGTH,
    maxLength=KEY_LENGTH,
)

_STATE: dict[str, Node] = {
    "n_pings": {
        "type": "integer",
        "minimum": 0,
        "description": "How many pings were recorded, ignored ones too.",
    },
    "status": {
        "type": "string",
        "enum": ["new", "up", "grace", "down", "paused"],
        "description": "How the check fares; `grace`: its ping is late, but not yet too"
        " late.",
    },
    "started": {"type": "boolean", "description": "Whether a run is open."},
    "last_ping": or_null(MOMENT, "When the last success or failure came."),
    "next_ping": or_null(
        MOMENT,
        "When grace begins: the next ping is due, or the open run began, whichever is"
        " earlier.",
    ),
    "badge_url": {**_URL, "description": "A picture of the check's status."},
    "last_duration": {
        "type": "integer",
        "minimum": 0,
        "description": "Seconds that the last run took. Only there when it is known.",
    },
    "muted_until": {
        **MOMENT,
        "description": "Nobody is told before. Only there while the check is muted.",
    },
    "maintenance_until": {
        **MOMENT,
        "description": "When the maintenance windows close that are open for the check."
        " Only there while one is: then it is not called down.",
    },
    "origin": {
        "type": "string",
        "enum": ["file"],
        "description": "Only there of a check that is declared in hcl.toml: requests"
        " that change what the file says of it are refused with 409.",
    },
}

_PRIVATE: dict[str, Node] = {
    "uuid": {**_CODE, "description": "Names the check."},
    "ping_url": {**_URL, "description": "Where to ping it."},
    "update_url": {**_URL, "description": "Where to read, change and delete it."},
    "pause_url": {**_URL, "description": "Where to pause it."},
    "resume_url": {**_URL, "description": "Where to resume it."},
    "channels": text("The ids of its integrations, sorted and joined by commas."),
}
_UNIQUE_KEY: Node = {
    "type": "string",
    "pattern": "^[0-9a-f]{40}$",
    "description": "Names the check to holders of a read-only key: SHA-1 of the first"
    " 16 digits of its UUID.",
}

_SOMETIMES = {
    "timeout",
    "schedule",
    "tz",
    "last_duration",
    "muted_until",
    "maintenance_until",
    "origin",
    *FINER,
}


def _plain(node: Node) -> Node:
    """Leave out what counts for requests only; old checks may hold longer texts."""
    only = ("default", "format", "maxLength")
    return {key: value for key, value in node.items() if key not in only}


_CHECK: dict[str, Node] = {
    **{name: _plain(node) for name, node in _SETTINGS.items()},
    **_STATE,
    **{name: _plain(node) for name, node in FINER.items()},
}

_PING: dict[str, Node] = {
    "type": {
        "type": "string",
        "enum": ["success", "start", "fail", "log", "ign"],
        "description": "What it counted as; `ign`: it was ignored.",
    },
    "date": {
        "type": "string",
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$",
        "description": "When it came.",
    },
    "n": {
        "type": "integer",
        "minimum": 1,
        "description": "Its number, counted from 1.",
    },
    "scheme": text("`http`, `https` or `email`."),
    "remote_addr": {"type": ["string", "null"], "description": "Where it came from."},
    "method": text("The HTTP method."),
    "ua": text("The beginning of the User-Agent header."),
    "rid": or_null(_CODE, "The run that it names."),
    "body_url": or_null(_URL, "Where its body is; null if it had none."),
    "duration": {
        "type": "number",
        "minimum": 0,
        "description": "Seconds that the run took which it ends, if the start is"
        " known.",
    },
}

_BADGE = {
    "svg": "A picture with two states.",
    "svg3": "A picture with three states: late is one.",
    "json": "A document with two states.",
    "json3": "A document with three states.",
    "shields": "A document for shields.io, with two states.",
    "shields3": "A document for shields.io, with three states.",
}


def of_object(description: str, properties: dict[str, Node], *optional: str) -> Node:
    """Describe an object that has all of these properties but the optional."""
    return {
        "type": "object",
        "description": description,
        "required": [name for name in properties if name not in optional],
        "properties": properties,
    }


SCHEMAS: dict[str, Node] = {
    "NewCheck": {
        "type": "object",
        "description": "A check to make. Everything may be left out.",
        "properties": {
            **_SETTINGS,
            **FINER,
            "channels": _CHANNELS,
            "unique": _UNIQUE,
            "api_key": API_KEY,
        },
    },
    "CheckChanges": {
        "type": "object",
        "description": "What to change of a check. What is left out stays as it is.",
        "properties": {
            **{
                name: {key: value for key, value in node.items() if key != "default"}
                for name, node in {**_SETTINGS, **FINER, "channels": _CHANNELS}.items()
            },
            "api_key": API_KEY,
        },
    },
    "Mute": {
        "type": "object",
        "description": "For how long a check is muted.",
        "required": ["seconds"],
        "properties": {
            "seconds": {
                "type": "integer",
                "minimum": 0,
                "maximum": int(spec.LONGEST.total_seconds()),
                "description": "Seconds from now on; 0 ends a mute.",
            },
            "api_key": API_KEY,
        },
    },
    "Check": {
        "type": "object",
        "description": "A check. It has `timeout`, or `schedule` and `tz`. To holders"
        " of a read-only key it shows `unique_key` and none of the addresses.",
        "properties": {**_CHECK, **_PRIVATE, "unique_key": _UNIQUE_KEY},
        "required": [name for name in _CHECK if name not in _SOMETIMES],
        "allOf": [
            {"oneOf": [{"required": list(_PRIVATE)}, {"required": ["unique_key"]}]},
            {"oneOf": [{"required": ["timeout"]}, {"required": ["schedule", "tz"]}]},
        ],
    },
    "Ping": of_object("One ping in a check's log.", _PING, "duration"),
    "Flip": of_object(
        "A change of a check's status.",
        {
            "timestamp": {**MOMENT, "description": "When it changed."},
            "up": {
                "type": "integer",
                "enum": [0, 1],
                "description": "1 if it went up, 0 if it became anything else.",
            },
        },
    ),
    "Integration": of_object(
        "A channel of the project.",
        {
            "id": {**_CODE, "description": "Names it."},
            "name": text("What people call it."),
            "kind": text("By what it alerts, as in `email` or `webhook`."),
        },
    ),
    "BadgeUrls": of_object(
        "Where the badges of one tag are.",
        {name: {**_URL, "description": text} for name, text in _BADGE.items()},
    ),
    "Metrics": of_object(
        "A few figures.",
        {
            "ts": {"type": "integer", "description": "The time, as UNIX counts it."},
            "max_ping_id": {
                "type": ["integer", "null"],
                "description": "The number of the latest ping.",
            },
            "max_notification_id": {
                "type": ["integer", "null"],
                "description": "The number of the latest message.",
            },
            "num_unprocessed_flips": {
                "type": "integer",
                "minimum": 0,
                "description": "How many changes of status wait for their messages.",
            },
        },
    ),
    "Error": of_object("What went wrong.", {"error": text("The reason, in words.")}),
}
