"""`hcl maintenance`: windows in which nobody is called down, over the API."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from hcl.client.api import API, APIError, add_options
from hcl.client.lengths import whole_seconds
from hcl.client.options import checked
from hcl.client.settings import SettingsError, load
from hcl.client.tables import moment, show


class _Parser(argparse.ArgumentParser):
    """Takes a reason that stands behind options, which argparse takes for none."""

    _is_inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse options and the rest in any order."""
        if self._is_inside:
            return super().parse_known_args(args, namespace)
        self._is_inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_inside = False


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command and what it can do."""
    parser = commands.add_parser(
        "maintenance",
        help="open, list and end windows in which nobody is called down",
        description="List a project's maintenance windows, open one at once, or end it."
        " Those of hcl.toml are changed there.",
    )
    parser.set_defaults(function=run, name="maintenance", quiet=False, action=_list)
    add_options(parser, "")
    actions = parser.add_subparsers(metavar="ACTION", parser_class=_Parser)
    starting = _action(actions, "start", "open a window now", _start)
    starting.add_argument(
        "length",
        type=checked(whole_seconds),
        metavar="TIME",
        help="for how long: 30m, 2h, 1d …",
    )
    starting.add_argument(
        "reason", nargs="?", default="", help="what people read of it"
    )
    starting.add_argument(
        "--tag",
        action="append",
        default=[],
        help="only checks with this tag; again for more",
    )
    _action(actions, "list", "list what is open, and what opens next", _list)
    ending = _action(actions, "end", "end a window that was opened by hand", _end)
    ending.add_argument(
        "id",
        nargs="?",
        type=int,
        metavar="ID",
        help="as the list has it; may be left out if only one is open",
    )


def _action(
    actions: argparse._SubParsersAction[_Parser],
    name: str,
    help_: str,
    function: Any,
) -> _Parser:
    parser = actions.add_parser(name, help=help_, description=help_.capitalize() + ".")
    add_options(parser, argparse.SUPPRESS)
    parser.set_defaults(action=function)
    return parser


def run(options: argparse.Namespace) -> int:
    """Do what the options say; return the exit status."""
    try:
        settings = load(options.server, api_key=options.api_key)
        options.action(API(settings), options)
    except (APIError, SettingsError) as error:
        print(f"hcl maintenance: {error}", file=sys.stderr)
        return 1
    return 0


def _start(api: API, options: argparse.Namespace) -> None:
    document = {
        "seconds": options.length,
        "tags": " ".join(options.tag),
        "reason": options.reason,
    }
    window = api.thing("POST", "maintenance/", "open", document)
    _show(options, [window], window, other="")
    for tag in window["tags"].split():
        # Mistyped, it would be noticed when people are woken.
        if not api.things("checks/", "checks", tag=tag):
            print(f"hcl maintenance: no check is tagged {tag}", file=sys.stderr)


def _list(api: API, options: argparse.Namespace) -> None:
    windows = api.things("maintenance/", "windows")
    _show(options, windows, {"windows": windows}, other="to come")


def _end(api: API, options: argparse.Namespace) -> None:
    id_ = options.id
    if id_ is None:
        windows = api.things("maintenance/", "windows")
        ids = [window["id"] for window in windows if window["open"] and window["id"]]
        if len(ids) != 1:
            found = ", ".join(map(str, ids))
            raise APIError(
                f"several are open: give one of {found}"
                if ids
                else "no window that was opened by hand is open"
            )
        id_ = ids[0]
    window = api.thing("DELETE", f"maintenance/{id_}", "open")
    _show(options, [window], window, other="ended")


def _show(
    options: argparse.Namespace,
    windows: list[dict[str, Any]],
    document: Any,
    *,
    other: str,
) -> None:
    """Print windows; `other` is what those are that are not open."""
    rows = [
        {
            **window,
            "id": window["id"] or "(file)",
            "state": "open" if window["open"] else other,
            "from": moment(window["start"]),
            "to": moment(window["end"]),
            "tags": window["tags"] or "(all checks)",
        }
        for window in windows
    ]
    show(
        options.format, rows, ("id", "state", "from", "to", "tags", "reason"), document
    )
