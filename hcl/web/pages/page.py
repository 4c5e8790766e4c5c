"""What a URL of the dashboard is: which functions answer it, and for whom."""

from typing import NamedTuple


class Page(NamedTuple):
    """What answers a URL: room, module and function for each method, "" for none.

    `changes`: only for those who may change things, the GET too. `in_place`: it is
    asked for by a script, which is told 401 where a person is asked to sign in.
    `is_own`: it changes but what the viewer's browser keeps, so that who may only look
    may do it too. `is_open`: for everybody; the functions find no viewer. `is_typed`:
    people type much into it, so that a form of a session that is over is not lost, but
    shown again; the function changes nothing where it bears `preview`.
    """

    get: str = ""
    post: str = ""
    changes: bool = False
    in_place: bool = False
    is_own: bool = False
    is_open: bool = False
    is_typed: bool = False
