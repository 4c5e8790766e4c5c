"""The form of a check: what was typed, what is wrong with it, what it asks for."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any

from hcl.checks import rules, schedule, spec
from hcl.checks.spec import CheckSpec, SpecError
from hcl.model import Check

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}

_LONGEST = timedelta(days=365)
_TEXTS = ("name", "slug", "tags", "desc", "tz", "start_kw", "success_kw", "failure_kw")
_SWITCHES = (
    "manual_resume",
    "filter_subject",
    "filter_body",
    "filter_http_body",
    "filter_default_fail",
)
# What the API calls wrong, for people.
_PROBLEMS = {
    "is too long": "This is too long: {limit} characters at most.",
    "does not match pattern": "Only small letters a to z, digits, - and _ are allowed.",
    "has unexpected value": "Choose one of what is offered.",
    "is not a valid timezone": "There is no such time zone. Write it like Europe/Riga.",
    "is not a string": "This is no text that can be kept.",
}
_LIMITS = {"name": spec.NAME_LENGTH, "slug": spec.SLUG_LENGTH}


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form holds, as it was typed. `channels` are codes."""

    name: str = ""
    slug: str = ""
    tags: str = ""
    desc: str = ""
    kind: str = "simple"
    timeout: str = "1"
    timeout_unit: str = "days"
    grace: str = "1"
    grace_unit: str = "hours"
    cron: str = ""
    oncalendar: str = ""
    tz: str = "UTC"
    start_kw: str = ""
    success_kw: str = ""
    failure_kw: str = ""
    methods: str = ""
    manual_resume: bool = False
    filter_subject: bool = False
    filter_body: bool = False
    filter_http_body: bool = False
    filter_default_fail: bool = False
    channels: frozenset[str] = frozenset()

    @property
    def expression(self) -> str:
        """Return the expression of the chosen kind, "" for simple."""
        if self.kind == "simple":
            return ""
        return self.cron.strip() if self.kind == "cron" else self.oncalendar.strip()


def of_check(check: Check, codes: Collection[str]) -> Draft:
    """Fill the form with a check as it is."""
    timeout, timeout_unit = _in_units(check.timeout)
    grace, grace_unit = _in_units(check.grace)
    draft = Draft(
        kind=check.kind,
        timeout=timeout,
        timeout_unit=timeout_unit,
        grace=grace,
        grace_unit=grace_unit,
        cron=check.schedule if check.kind == "cron" else "",
        oncalendar=check.schedule if check.kind == "oncalendar" else "",
        methods=check.methods,
        channels=frozenset(codes),
    )
    return replace(
        draft, **{name: getattr(check, name) for name in (*_TEXTS, *_SWITCHES)}
    )


def fresh(codes: Collection[str]) -> Draft:
    """Fill the form for a new check: the API's defaults, and all channels."""
    return of_check(rules.new_check(0, "", ""), codes)


def read(form: Mapping[str, list[str]]) -> Draft:
    """Read what a browser sends; what is missing is empty or off."""
    values: dict[str, Any] = {}
    for field in fields(Draft):
        if field.name in _SWITCHES:
            values[field.name] = field.name in form
        elif field.name != "channels":
            # Browsers end lines as mail does.
            text = form.get(field.name, [""])[-1]
            values[field.name] = text.replace("\r\n", "\n")
    values["channels"] = frozenset(form.get("channel", ()))
    if values["kind"] not in ("simple", "cron", "oncalendar"):
        values["kind"] = "simple"
    for unit in ("timeout_unit", "grace_unit"):
        if values[unit] not in UNITS:
            values[unit] = "minutes"
    return Draft(**values)


def _in_units(length: timedelta) -> tuple[str, str]:
    """Write a length as a number of the largest unit that fits it evenly."""
    seconds = int(length.total_seconds())
    unit = next(u for u in reversed(UNITS) if seconds % UNITS[u] == 0)
    return str(seconds // UNITS[unit]), unit


def ask(draft: Draft) -> tuple[CheckSpec, dict[str, str]]:
    """Return what a draft asks for, and what is wrong by the names of fields.

    What it asks for counts only if nothing is wrong.
    """
    document: dict[str, Any] = {name: getattr(draft, name) for name in _TEXTS}
    document |= {name: getattr(draft, name) for name in _SWITCHES}
    document |= {"methods": draft.methods, "channels": ",".join(sorted(draft.channels))}
    problems: dict[str, str] = {}
    lengths = ["grace"] if draft.expression or draft.kind != "simple" else []
    for name in lengths or ["timeout", "grace"]:
        length, problem = _length(getattr(draft, name), getattr(draft, f"{name}_unit"))
        if problem:
            problems[name] = problem
        document[name] = length
    if draft.kind != "simple":
        problem = expression_problem(draft)
        if problem:
            problems[draft.kind] = problem
        document["schedule"] = draft.expression
    problems |= dict(_problems(document, problems))
    return (CheckSpec() if problems else spec.parse(document)), problems


def _problems(
    document: Mapping[str, Any], known: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Ask the API's own rules of each field, since it tells only the first error."""
    for name, value in document.items():
        if name in known or name == "schedule":
            continue
        try:
            spec.parse({name: value})
        except SpecError as error:
            rule = str(error).removeprefix(f"json validation error: {name} ")
            text = _PROBLEMS.get(rule, f"This {rule}.")
            yield name, text.format(limit=_LIMITS.get(name, 200))


def _length(number: str, unit: str) -> tuple[int, str]:
    """Read a length of time in seconds, and say what is wrong with it."""
    text = number.strip()
    if not re.fullmatch(r"[0-9]{1,9}", text):
        return 0, "Write a whole number, such as 10."
    seconds = int(text) * UNITS[unit]
    if seconds < 60:
        return 0, "One minute at least."
    if seconds > _LONGEST.total_seconds():
        return 0, "365 days at most."
    return seconds, ""


def expression_problem(draft: Draft) -> str:
    """Say what is wrong with the expression of a draft that has one; "" if nothing."""
    text = draft.expression
    if not text:
        example = "0 3 * * *" if draft.kind == "cron" else "Mon..Fri *-*-* 08:00"
        return f"Write an expression, such as {example}"
    if len(text) > 100:
        return "This is too long: 100 characters at most."
    found = schedule.kind_of(text)
    if found != draft.kind and draft.kind == "cron":
        count = len(text.split())
        return f"A cron expression has five fields; this has {count}."
    if found != draft.kind:
        return "One line of five fields is a cron expression: choose Cron for it."
    try:
        schedule.validate(text)
    except schedule.ScheduleError as error:
        return _schedule_words(str(error))
    return ""


def _schedule_words(error: str) -> str:
    kind, _, told = error.partition(": ")
    if kind == "never fires":
        return "This never happens."
    bad = re.fullmatch(r"Bad ([a-z -]+)", told)
    if bad:
        return f"The {bad[1].replace('-', ' ')} cannot be understood."
    return "This cannot be understood."
