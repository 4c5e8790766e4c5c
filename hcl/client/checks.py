"""`hcl checks`: the project's checks, over the API."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from hcl.client.api import API, APIError, add_options
from hcl.client.lengths import whole_seconds
from hcl.client.options import checked
from hcl.client.settings import SettingsError, load
from hcl.client.tables import (
    ago,
    in_json,
    in_line,
    in_lines,
    length,
    moment,
    show,
    took,
)

# Of a check, what create and edit may set; the API says what is wrong with a value.
_STRINGS = (
    "name",
    "slug",
    "tags",
    "desc",
    "schedule",
    "tz",
    "channels",
    "methods",
    "start_kw",
    "success_kw",
    "failure_kw",
)
_LENGTHS = ("timeout", "grace", "early")
# Those that a check need not have.
_OPTIONAL_LENGTHS = ("max_run", "min_run")
_FLAGS = (
    "manual_resume",
    "filter_subject",
    "filter_body",
    "filter_http_body",
    "filter_default_fail",
)


_length = checked(whole_seconds)


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command and what it can do."""
    parser = commands.add_parser(
        "checks",
        help="list, show, make and change checks",
        description="List the checks of a project, or do one thing with one of them.",
    )
    parser.set_defaults(function=run, name="checks", quiet=False, action=_list, tag=[])
    add_options(parser)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = _action(actions, "list", "list all checks", _list, has_check=False)
    listing.add_argument(
        "--tag", action="append", default=[], help="only with this tag"
    )
    _action(actions, "show", "show one check whole", _show)
    creating = _action(actions, "create", "make a check", _create, has_check=False)
    editing = _action(actions, "edit", "change a check", _edit)
    for parser_ in (creating, editing):
        _add_fields(parser_)
    _action(actions, "pause", "watch no more, until it is resumed", _pause)
    _action(actions, "resume", "watch again", _resume)
    muting = _action(actions, "mute", "tell nobody for a while, but watch on", _mute)
    muting.add_argument(
        "length",
        type=_length,
        metavar="TIME",
        help="4h, 1d …; 0 tells again",
    )
    _action(actions, "delete", "delete a check and its log", _delete)
    log = _action(actions, "log", "show its last pings", _log)
    log.add_argument("--body", type=int, metavar="N", help="print what ping N brought")
    _action(actions, "flips", "show when it went up and down", _flips)
    _action(actions, "messages", "show who was told, and how that went", _messages)
    _action(actions, "explain", "say why it is as it is", _explain)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    help_: str,
    function: Callable[[API, argparse.Namespace], None],
    *,
    has_check: bool = True,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=help_, description=help_.capitalize() + ".")
    if has_check:
        parser.add_argument("check", metavar="CHECK", help="its UUID, slug or name")
    add_options(parser, argparse.SUPPRESS)
    parser.set_defaults(action=function)
    return parser


def _add_fields(parser: argparse.ArgumentParser) -> None:
    for name in _STRINGS:
        parser.add_argument(_flag(name), metavar="TEXT", default=None)
    for name in _LENGTHS:
        parser.add_argument(_flag(name), metavar="TIME", type=_length, default=None)
    for name in _OPTIONAL_LENGTHS:
        parser.add_argument(
            _flag(name), metavar="TIME|none", type=_length_or_none, default=None
        )
    parser.add_argument(_flag("down_after"), metavar="N", type=int, default=None)
    for name in _FLAGS:
        parser.add_argument(_flag(name), choices=("yes", "no"), default=None)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _length_or_none(text: str) -> int:
    # None is what nobody asked for.
    return _NO_LENGTH if text == "none" else int(_length(text))


_NO_LENGTH = -1


def run(options: argparse.Namespace) -> int:
    """Do what the options say; return the exit status."""
    try:
        settings = load(options.server, api_key=options.api_key)
        options.action(API(settings), options)
    except (APIError, SettingsError) as error:
        print(f"hcl checks: {error}", file=sys.stderr)
        return 1
    return 0


def _list(api: API, options: argparse.Namespace) -> None:
    checks = [
        check
        for check in api.things("checks/", "checks")
        if set(options.tag) <= set(check["tags"].split())
    ]
    rows = [
        {
            **check,
            "status": check["status"] + (" (running)" if check["started"] else ""),
            # One without a name has to be told apart, too.
            "name": check["name"].strip() or check.get("uuid", check.get("unique_key")),
            "last_ping": ago(check["last_ping"]),
            "next_ping": ago(check["next_ping"]),
            "when": _when(check),
        }
        for check in checks
    ]
    columns = ["status", "name", "slug", "tags", "when", "last_ping", "next_ping"]
    if options.format == "plain":
        rows, columns = checks, ["status", "slug", "name", "uuid", "last_ping"]
    show(options.format, rows, columns, {"checks": checks})


def _when(check: dict[str, Any]) -> str:
    if "schedule" in check:
        return f"{check['schedule']} {check['tz']}".replace("\n", "; ")
    return f"every {length(check['timeout'])}"


def _show_one(
    api: API, options: argparse.Namespace, method: str, path: str, document: Any = None
) -> None:
    """Make a call that answers with a check, and show that."""
    check = api.thing(method, path, "status", document)
    rows = [{"field": field, "value": value} for field, value in check.items()]
    show(options.format, rows, ("field", "value"), check)


def _show(api: API, options: argparse.Namespace) -> None:
    _show_one(api, options, "GET", api.check(options.check, reads=True))


def _fields(options: argparse.Namespace) -> dict[str, Any]:
    fields = {
        name: value
        for name in (*_STRINGS, *_LENGTHS, *_OPTIONAL_LENGTHS, "down_after")
        if (value := getattr(options, name)) is not None
    }
    for name in _OPTIONAL_LENGTHS:
        if fields.get(name) == _NO_LENGTH:
            fields[name] = None
    for name in _FLAGS:
        if getattr(options, name) is not None:
            fields[name] = getattr(options, name) == "yes"
    return fields


def _create(api: API, options: argparse.Namespace) -> None:
    _show_one(api, options, "POST", "checks/", _fields(options))


def _edit(api: API, options: argparse.Namespace) -> None:
    path = api.check(options.check)
    _show_one(api, options, "POST", path, _fields(options))


def _pause(api: API, options: argparse.Namespace) -> None:
    _show_one(api, options, "POST", api.check(options.check, "/pause"), {})


def _resume(api: API, options: argparse.Namespace) -> None:
    _show_one(api, options, "POST", api.check(options.check, "/resume"), {})


def _mute(api: API, options: argparse.Namespace) -> None:
    path = api.check(options.check, "/mute")
    _show_one(api, options, "POST", path, {"seconds": options.length})


def _delete(api: API, options: argparse.Namespace) -> None:
    _show_one(api, options, "DELETE", api.check(options.check))


def _log(api: API, options: argparse.Namespace) -> None:
    if options.body is not None:
        body = api.text(api.check(options.check, f"/pings/{options.body}/body"))
        if sys.stdout.isatty():
            # Whoever may ping the check chose these bytes.
            sys.stdout.write(in_lines(body.decode("utf-8", "replace")))
        else:
            sys.stdout.buffer.write(body)
        return
    pings = api.things(api.check(options.check, "/pings/"), "pings")
    rows = [
        {
            **ping,
            "date": moment(ping["date"]),
            "duration": took(ping["duration"]) if "duration" in ping else "",
            "from": ping["remote_addr"] or ping["scheme"],
            "body": "yes" if ping["body_url"] else "",
        }
        for ping in pings
    ]
    columns = ("n", "date", "type", "duration", "from", "method", "body", "ua")
    show(options.format, rows, columns, {"pings": pings})


def _flips(api: API, options: argparse.Namespace) -> None:
    path = api.check(options.check, "/flips/", reads=True)
    document = api.get(path)
    # Some servers list them alone.
    found = document.get("flips") if isinstance(document, dict) else document
    flips = api.listed(found, path, "flips")
    # It may be paused, too, or resumed: more the API does not tell.
    words = {True: "up", False: "not up"}
    rows = [
        {"when": moment(flip["timestamp"]), "status": words[bool(flip["up"])]}
        for flip in flips
    ]
    show(options.format, rows, ("when", "status"), document)


def _messages(api: API, options: argparse.Namespace) -> None:
    messages = api.things(api.check(options.check, "/messages/"), "messages")
    rows = [{**message, "date": moment(message.get("date"))} for message in messages]
    columns = ("date", "channel", "event", "status", "tries", "answer")
    show(options.format, rows, columns, {"messages": messages})


def _explain(api: API, options: argparse.Namespace) -> None:
    document = api.thing("GET", api.check(options.check, "/explain/"), "lines")
    if options.format == "json":
        print(in_json(document))
        return
    for line in document["lines"]:
        print(in_line(line))
