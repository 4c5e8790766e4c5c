"""Options of the commands that jobs start with: read without argparse, told by it.

argparse takes longer to import than all else that a job's start needs. What is not
plain (help, a mistake, an option cut short) is left to it, so that both agree.
"""

from __future__ import annotations

# As typing has it, which takes long to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import Any


class Option:
    """An option by its flag; without `metavar` it takes no value.

    `read` makes the value of its text, and raises ValueError.
    """

    __slots__ = ("default", "flag", "help", "metavar", "read")

    def __init__(
        self,
        flag: str,
        help_: str,
        metavar: str = "",
        default: Any = None,
        read: Callable[[str], Any] = str,
    ) -> None:
        self.flag = flag
        self.help = help_
        self.metavar = metavar
        self.default = default if metavar else False
        self.read = read

    @property
    def name(self) -> str:
        """Return what its value is called among the options."""
        return self.flag.lstrip("-").replace("-", "_")


class Options:
    """What was given, by name."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        """Tell type checkers that there are others."""
        raise AttributeError(name)


def read(
    table: Sequence[Option],
    words: Sequence[str],
    arguments: Sequence[str],
    least: int = 0,
) -> Options | None:
    """Read options, and words that stand alone; None: argparse has to look at them.

    `least`: so many words there have to be. Others that are not given are "".
    """
    flags = {option.flag: option for option in table}
    values = {option.name: option.default for option in table}
    alone: list[str] = []
    waiting = list(reversed(arguments))
    while waiting:
        argument = waiting.pop()
        if not argument.startswith("-"):
            alone.append(argument)
            continue
        flag, equals, text = argument.partition("=")
        option = flags.get(flag)
        if option is None or (equals and not text):
            return None
        if not _take(option, text, waiting, values):
            return None
    if not least <= len(alone) <= len(words):
        return None
    alone += [""] * (len(words) - len(alone))
    return Options({**values, **dict(zip(words, alone))})


def _take(
    option: Option, text: str, waiting: list[str], values: dict[str, Any]
) -> bool:
    """Read an option's value, behind its = or next; return False if that is unclear."""
    if not option.metavar:
        values[option.name] = True
        return not text
    if not text:
        if not waiting or waiting[-1].startswith("-"):
            return False
        text = waiting.pop()
    try:
        values[option.name] = option.read(text)
    except ValueError:
        return False
    return True


def add_to(parser: argparse.ArgumentParser, table: Sequence[Option]) -> None:
    """Describe the options to argparse."""
    for option in table:
        if option.metavar:
            parser.add_argument(
                option.flag,
                type=checked(option.read),
                default=option.default,
                metavar=option.metavar,
                help=option.help,
            )
        else:
            parser.add_argument(option.flag, action="store_true", help=option.help)


def checked(reader: Callable[[str], Any]) -> Callable[[str], Any]:
    """Have argparse tell what a reader says is wrong."""
    from argparse import ArgumentTypeError

    def checking(text: str) -> Any:
        try:
            return reader(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return checking
