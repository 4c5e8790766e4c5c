"""The form of a check: what was typed, what is wrong with it, what it asks for."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, get_type_hints

from hcl.checks import rules, schedule, spec
from hcl.checks.spec import CheckSpec, SpecError
from hcl.model import SETTINGS, Check
from hcl.words.lengths import duration
from hcl.words.lines import counted

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}

# What the API calls wrong, for people.
_PROBLEMS = {
    "is too long": "This is too long: {limit:,} characters at most.",
    "does not match pattern": "Only small letters a to z, digits, - and _ are allowed.",
    "has unexpected value": "Choose one of the options.",
    "is not a valid timezone": "There is no such time zone. Write it like Europe/Riga.",
    "is not a string": "This text holds something that cannot be stored.",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form holds, as it was typed. `channels` are codes."""

    name: str
    slug: str
    tags: str
    desc: str
    kind: str
    timeout: str
    timeout_unit: str
    grace: str
    grace_unit: str
    cron: str
    oncalendar: str
    tz: str
    start_kw: str
    success_kw: str
    failure_kw: str
    methods: str
    manual_resume: bool
    filter_subject: bool
    filter_body: bool
    filter_http_body: bool
    filter_default_fail: bool
    max_run: str
    max_run_unit: str
    min_run: str
    min_run_unit: str
    down_after: str
    early: str
    early_unit: str
    channels: frozenset[str]

    @property
    def expression(self) -> str:
        """Return the expression of the chosen kind as it is stored, "" for simple."""
        return schedule.pasted(self.typed).text if self.typed else ""

    @property
    def typed(self) -> str:
        """Return the expression of the chosen kind as it was typed, "" for simple."""
        if self.kind == "simple":
            return ""
        return self.cron.strip() if self.kind == "cron" else self.oncalendar.strip()

    @property
    def turned(self) -> str:
        """Say what was made of an expression; "" if it stays as it is."""
        if not self.typed or self.expression == self.typed:
            return ""
        said = f"Stored as {self.expression}"
        spread = timedelta(seconds=schedule.pasted(self.typed).spread)
        if not spread:
            return f"{said}."
        return (
            f"{said}, the first moment that cron may pick: let grace cover the"
            f" {duration(spread)} after it."
        )


@dataclass(frozen=True, slots=True)
class Preset:
    """A schedule that many jobs have: its name, its words, and what the form holds."""

    name: str
    words: str
    fields: Mapping[str, Any]


def _cron(expression: str, hours: str) -> dict[str, str]:
    return {"kind": "cron", "cron": expression, "grace": hours, "grace_unit": "hours"}


_HOURLY = {"kind": "simple", "timeout": "1", "timeout_unit": "hours"}
PRESETS = (
    Preset("hourly", "Hourly", _HOURLY | {"grace": "15", "grace_unit": "minutes"}),
    Preset("nightly", "Nightly", _cron("0 3 * * *", "1")),
    Preset("weekly", "Weekly", _cron("0 4 * * 1", "3")),
)

_FIELDS = {field.name: field.type for field in fields(Draft)}
_UNITS_OF = [name for name in _FIELDS if name.endswith("_unit")]
_SWITCHES = [name for name, kind in _FIELDS.items() if kind is bool]
# What the form holds as a check does: settings of the same type.
_PLAIN = [
    name
    for name, kind in get_type_hints(Check).items()
    if name in SETTINGS and _FIELDS.get(name) is kind
]


def of_check(check: Check, codes: Collection[str]) -> Draft:
    """Fill the form with a check as it is."""
    timeout, timeout_unit = _in_units(check.timeout)
    grace, grace_unit = _in_units(check.grace)
    max_run, max_run_unit = _in_units(check.max_run)
    min_run, min_run_unit = _in_units(check.min_run)
    early, early_unit = _in_units(check.early)
    return Draft(
        **{name: getattr(check, name) for name in _PLAIN},
        kind=check.kind,
        timeout=timeout,
        timeout_unit=timeout_unit,
        grace=grace,
        grace_unit=grace_unit,
        max_run=max_run,
        max_run_unit=max_run_unit,
        min_run=min_run,
        min_run_unit=min_run_unit,
        down_after=str(check.down_after) if check.down_after > 1 else "",
        early=early,
        early_unit=early_unit,
        cron=check.schedule if check.kind == "cron" else "",
        oncalendar=check.schedule if check.kind == "oncalendar" else "",
        channels=frozenset(codes),
    )


def fresh(codes: Collection[str]) -> Draft:
    """Fill the form for a new check: the API's defaults, and all channels."""
    return of_check(rules.new_check(0, "", ""), codes)


def read(form: Mapping[str, list[str]]) -> Draft:
    """Read what a browser sends; what is missing is empty or off."""
    values: dict[str, Any] = {}
    for name in _FIELDS:
        # Browsers end lines as mail does.
        text = form.get(name, [""])[-1].replace("\r\n", "\n")
        values[name] = name in form if name in _SWITCHES else text
    values["channels"] = frozenset(form.get("channel", ()))
    if values["kind"] not in ("simple", "cron", "oncalendar"):
        values["kind"] = "simple"
    for unit in _UNITS_OF:
        if values[unit] not in UNITS:
            values[unit] = "minutes"
    return Draft(**values)


def _in_units(length: timedelta | None) -> tuple[str, str]:
    """Write a length as a number of the largest unit that fits it evenly.

    None, and no length, are written as nothing.
    """
    if not length:
        return "", "minutes"
    seconds = int(length.total_seconds())
    unit = next(u for u in reversed(UNITS) if seconds % UNITS[u] == 0)
    return str(seconds // UNITS[unit]), unit


def ask(draft: Draft, check: Check | None = None) -> tuple[CheckSpec, dict[str, str]]:
    """Return what a draft asks for, and what is wrong by the names of fields.

    What it asks for counts only if nothing is wrong. `check` is the one to be changed,
    None for a new one.
    """
    if check is not None:
        # As it comes back from a browser.
        check = check._replace(desc=re.sub("\r\n?", "\n", check.desc))
    document: dict[str, Any] = {name: getattr(draft, name) for name in _PLAIN}
    document["channels"] = ",".join(sorted(draft.channels))
    problems: dict[str, str] = {}
    lengths = ["grace"] if draft.expression or draft.kind != "simple" else []
    for name in lengths or ["timeout", "grace"]:
        length, problem = _length(getattr(draft, name), getattr(draft, f"{name}_unit"))
        if problem:
            problems[name] = problem
        document[name] = length
    problems |= dict(_read_finer(draft, document))
    if draft.kind != "simple":
        problem = expression_problem(draft)
        if problem:
            problems[draft.kind] = problem
        document["schedule"] = draft.expression
    problems |= dict(_problems(document, problems, check))
    return (CheckSpec() if problems else spec.parse(document, kept=check)), problems


def _problems(
    document: Mapping[str, Any], known: Collection[str], check: Check | None
) -> Iterator[tuple[str, str]]:
    """Ask the API's own rules of each field, since it tells only the first error."""
    for name, value in document.items():
        if name in known or name == "schedule":
            continue
        try:
            spec.parse({name: value}, kept=check)
        except SpecError as error:
            text = _PROBLEMS.get(error.problem, f"This {error.problem}.")
            yield name, text.format(limit=error.limit)


def _read_finer(draft: Draft, document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Ask for the finer rules that are filled in; yield what is wrong with them."""
    document |= {"max_run": None, "min_run": None, "early": 0, "down_after": 1}
    for name, longest in (
        ("max_run", spec.LONGEST),
        ("min_run", spec.LONGEST),
        ("early", spec.EARLIEST),
    ):
        if text := getattr(draft, name).strip():
            unit = getattr(draft, f"{name}_unit")
            document[name], problem = _length(text, unit, spec.SHORTEST_RUN, longest)
            if problem:
                yield name, problem
    longest, shortest = document["max_run"], document["min_run"]
    if longest and shortest and longest < shortest:
        yield "max_run", "Less than the shortest run: no run could be right."
    if shortest and not longest and shortest > document["grace"] > 0:
        yield "min_run", "More than grace: no run could be right without a longest run."
    if text := draft.down_after.strip():
        number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
        document["down_after"] = number
        if not 1 <= number <= spec.MOST_OUTCOMES:
            yield "down_after", f"Write a whole number from 1 to {spec.MOST_OUTCOMES}."


def _length(
    number: str,
    unit: str,
    shortest: timedelta = spec.SHORTEST,
    longest: timedelta = spec.LONGEST,
) -> tuple[int, str]:
    """Read a length of time in seconds, and say what is wrong with it."""
    text = number.strip()
    if not re.fullmatch(r"[0-9]{1,9}", text):
        return 0, "Write a whole number, such as 10."
    seconds = int(text) * UNITS[unit]
    if seconds < shortest.total_seconds():
        return 0, f"At least one {'minute' if shortest == spec.SHORTEST else 'second'}."
    if seconds > longest.total_seconds():
        return 0, f"{counted(longest.days, 'day')} at most."
    return seconds, ""


def expression_problem(draft: Draft) -> str:
    """Say what is wrong with the expression of a draft that has one; "" if nothing."""
    text = draft.expression
    if not text:
        example = "0 3 * * *" if draft.kind == "cron" else "Mon..Fri *-*-* 08:00"
        return f"Write an expression, such as {example}"
    if len(text) > spec.SCHEDULE_LENGTH:
        return _PROBLEMS["is too long"].format(limit=spec.SCHEDULE_LENGTH)
    kind = schedule.kind_of(text)
    if kind != draft.kind and draft.kind == "cron":
        count = len(text.split())
        return f"A cron expression has five fields; this has {count}."
    if kind != draft.kind:
        return "One line of five fields is a cron expression: choose Cron for it."
    try:
        schedule.validate(text)
    except schedule.ScheduleError as error:
        return _schedule_words(str(error), text if kind == "cron" else "")
    return ""


# The fields of a cron expression, as its parser names them.
_CRON_FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")


def _schedule_words(error: str, cron: str) -> str:
    """Say what is wrong with an expression, of a `cron` with the field that is."""
    kind, _, told = error.partition(": ")
    if kind == "never fires":
        return "This never happens."
    bad = re.fullmatch(r"Bad ([a-z-]+)", told)
    if bad is None:
        return "This cannot be understood."
    name = bad[1].replace("-", " ")
    if cron and bad[1] in _CRON_FIELDS:
        field = cron.split()[_CRON_FIELDS.index(bad[1])]
        return f"The {name} cannot be understood: {field}"
    return f"The {name} cannot be understood."
