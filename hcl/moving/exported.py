"""Read what `hcl export` wrote, a line at a time.

It is read whole once before anything comes of it: half of it would be worse than none.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any, BinaryIO

from hcl.model import Ping
from hcl.moving import documents
from hcl.moving.moved import MovedCheck, MovedFlip, MovedProject, MovingError

_TELL_EVERY = 5.0

_TYPES = ("hcl", "project", "check", "flip", "ping", "end")


class _Lines:
    """The lines of a file as documents, of which one can be looked at before."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.number = 0
        self._name = name
        self._file = file
        self._file.seek(0)
        self._next: dict[str, Any] | None = None

    def close(self) -> None:
        self._file.close()

    def peek(self) -> dict[str, Any] | None:
        """Return the next document, and leave it there; None: there is none."""
        if self._next is None and (line := self._file.readline()):
            self.number += 1
            self._next = self._read(line)
        return self._next

    def take(self, *types: str) -> dict[str, Any] | None:
        """Return the next document, if it is of one of these types."""
        document = self.peek()
        if document is None or document["type"] not in types:
            return None
        self._next = None
        return document

    def _read(self, line: bytes) -> dict[str, Any]:
        if not line.endswith(b"\n"):
            raise self.error("it ends in the middle of a line: it is not whole")
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self.error("is not JSON") from error
        if not isinstance(document, dict) or document.get("type") not in _TYPES:
            raise self.error("is nothing that `hcl export` writes")
        return document

    def error(self, problem: str) -> MovingError:
        """Say what is wrong with the line that was read last."""
        return MovingError(f"{self._name}: line {self.number}: {problem}")

    def read(self, reader: Any, *arguments: Any) -> Any:
        """Have a reader read the document that was taken last."""
        try:
            return reader(*arguments)
        except KeyError as error:
            raise self.error(f"it lacks {error.args[0]}") from error
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise self.error(str(error)) from error


def _quiet(_line: str) -> None:
    pass


class Exported:
    """A document of hcl's, open to be read. Raises MovingError.

    It is `name` to people. `say` hears how far it is while all is looked at.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        as_of: datetime | None = None,
        say: Callable[[str], None] = _quiet,
    ) -> None:
        self.name = name
        self._say = say
        self.remarks: list[str] = []
        self.projects: list[MovedProject] = []
        self._ids: dict[str, int] = {}
        self._lines = _Lines(file, name)
        try:
            self.as_of = self._read_header()
            self._read_projects()
            self._examine()
        except BaseException:
            self._lines.close()
            raise
        self.as_of = as_of or self.as_of
        self._lines = _Lines(file, name)

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def _read_header(self) -> datetime:
        document = self._lines.take("hcl")
        if document is None:
            raise self._lines.error("is nothing that `hcl export` writes")
        if document.get("version") != documents.VERSION:
            raise self._lines.error("is of another version of hcl: use that one")
        moment: datetime = self._lines.read(lambda: documents.moment(document["as_of"]))
        return moment

    def _read_projects(self) -> None:
        while (document := self._lines.take("project")) is not None:
            id_ = len(self.projects) + 1
            project = self._lines.read(documents.read_project, document, id_)
            if project.code in self._ids:
                raise self._lines.error(f"project {project.code} is there twice")
            self._ids[project.code] = id_
            self.projects.append(project)

    def _examine(self) -> None:
        """Read all, and count it by project."""
        counts, codes = Counter[tuple[int, str]](), set[str]()
        told = time.monotonic()
        for moved in self._all_checks():
            if time.monotonic() - told > _TELL_EVERY:
                told = time.monotonic()
                self._say(f"looked at {len(codes):,} checks")
            if moved.check.code in codes:
                raise self._lines.error(f"check {moved.check.code} is there twice")
            codes.add(moved.check.code)
            id_ = moved.check.project_id
            counts[id_, "checks"] += 1
            counts[id_, "flips"] += len(self.flips())
            counts[id_, "pings"] += sum(1 for _ in self.pings(0))
        before = self._lines.number - 1
        document = self._lines.take("end")
        if document is None:
            if self._lines.peek() is None:
                raise MovingError(f"{self.name}: has no last line: it is not whole")
            raise self._lines.error("is not where it belongs")
        if document.get("lines") != before or self._lines.peek() is not None:
            raise self._lines.error("it is not whole: lines are missing, or too many")
        for project in self.projects:
            project.checks = counts[project.id, "checks"]
            project.flips = counts[project.id, "flips"]
            project.pings = counts[project.id, "pings"]

    def _all_checks(self) -> Iterator[MovedCheck]:
        while (document := self._lines.take("check")) is not None:
            if document.get("project") not in self._ids:
                raise self._lines.error("its project is not in the document")
            id_ = self._ids[document["project"]]
            yield self._lines.read(documents.read_check, document, id_)
            # What nobody asked for.
            while self._lines.take("flip", "ping") is not None:
                pass

    def checks(self, project_ids: Collection[int]) -> Iterator[MovedCheck]:
        """Yield the checks of projects, as `Source` says."""
        while self._lines.take("hcl", "project") is not None:
            pass
        for moved in self._all_checks():
            if moved.check.project_id in project_ids:
                yield moved

    def flips(self) -> list[MovedFlip]:
        """Return the flips of the last check, oldest first."""
        found = []
        while (document := self._lines.take("flip")) is not None:
            found.append(self._lines.read(documents.read_flip, document))
        return found

    def pings(self, after: int) -> Iterator[Ping]:
        """Yield the pings of the last check with a number above `after`."""
        while (document := self._lines.take("ping")) is not None:
            ping: Ping = self._lines.read(documents.read_ping, document)
            if ping.n > after:
                yield ping
