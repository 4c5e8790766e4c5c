"""What was told of a check, and why it has its status, in the OpenAPI document."""

from hcl.web.openapi.answers import Node, schema
from hcl.web.openapi.schemas import MOMENT, of_object, or_null, text

SCHEMAS: dict[str, Node] = {
    "Message": of_object(
        "One message over one channel.",
        {
            "date": {**MOMENT, "description": "When it was written."},
            "channel": text("The channel's name."),
            "event": {
                "type": "string",
                "enum": ["down", "up", "late", "slow", "reminder"],
                "description": "What it tells of.",
            },
            "status": {
                "type": "string",
                "enum": ["sent", "waits", "failed", "given up", "not sent"],
                "description": "What became of it; `failed`: it is tried again.",
            },
            "tries": {
                "type": "integer",
                "minimum": 0,
                "description": "How often it was tried.",
            },
            "answer": text("What the last try heard, or why it waits."),
            "next_try": {
                **MOMENT,
                "description": "When it is tried next. Only there if that is known.",
            },
        },
        "next_try",
    ),
    "Moment": of_object(
        "What happened to a check, or will.",
        {
            "date": or_null(MOMENT, "When; null: it is of no moment."),
            "text": text("What."),
        },
    ),
    "Explanation": of_object(
        "Why a check has the status it has.",
        {
            "lines": {
                "type": "array",
                "items": {"type": "string"},
                "description": "All of it, to be read, by the clock of the zone of its"
                " schedule, or of messages.",
            },
            "summary": text("A sentence that sums up."),
            "timeline": {
                "type": "array",
                "items": schema("Moment"),
                "description": "What happened, and what comes next.",
            },
            "rules": {
                "type": "array",
                "items": {"type": "string"},
                "description": "The settings that counted.",
            },
        },
    ),
}
