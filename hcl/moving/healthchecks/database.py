"""Read the SQLite database of a self-hosted Healthchecks.

Source: the tables of its version 4.3, and what older versions had in their place. It is
opened to be read only; a row that makes no sense is left out and counted.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hcl.model import Check, Ping
from hcl.moving.healthchecks import columns, rows
from hcl.moving.moved import (
    MovedChannel,
    MovedCheck,
    MovedFlip,
    MovedProject,
    MovingError,
)
from hcl.words.lines import counted, one_line

_NEEDED = ("accounts_project", "api_check", "api_ping", "api_flip", "api_channel")

# What its columns say of a database: SQLite's file format, offset 18; 2 is WAL.
_JOURNAL, _WAL = 18, 2


class Healthchecks:
    """One database, open to be read. Raises MovingError."""

    def __init__(self, path: Path, as_of: datetime | None = None) -> None:
        self.name = str(path)
        self.remarks: list[str] = []
        self._left_out = Counter[str]()
        self._check: Check | None = None
        self._conn = self._open(path)
        try:
            self._columns = self._read_columns()
            self._examine()
            self.as_of = as_of or self._as_of(path)
            self.projects = list(self._projects())
        except sqlite3.Error as error:
            self.close()
            raise self._damaged(error) from error
        except BaseException:
            self.close()
            raise

    def _open(self, path: Path) -> sqlite3.Connection:
        with path.open("rb") as file:
            is_wal = file.read(_JOURNAL + 1)[-1:] == bytes([_WAL])
        # Else one in WAL mode is not opened where its folder cannot be written. What no
        # other program has open has nothing beside it.
        still = is_wal and not path.with_name(f"{path.name}-wal").exists()
        uri = f"file:{quote(bytes(path.absolute()))}?mode=ro"
        try:
            conn = sqlite3.connect(uri + "&immutable=1" * still, uri=True)
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        conn.row_factory = sqlite3.Row
        conn.text_factory = rows.text_of
        return conn

    def _damaged(self, error: sqlite3.Error) -> MovingError:
        if Path(f"{self.name}-journal").exists():
            # SQLite would have to write to put that right.
            return MovingError(
                f"{self.name}: cannot be read: {self.name}-journal tells of a write"
                " that did not end; copy the database anew, by sqlite3's .backup"
            )
        return MovingError(f"{self.name}: cannot be read: {error}")

    def close(self) -> None:
        """Close the file."""
        self._conn.close()

    def _read_columns(self) -> dict[str, set[str]]:
        found = defaultdict(set)
        for table, column in self._conn.execute(
            "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c"
            " WHERE m.type = 'table'"
        ):
            found[table].add(column)
        return found

    def _examine(self) -> None:
        """Refuse what is no whole database of Healthchecks."""
        if "check_states" in self._columns:
            raise MovingError(
                f"{self.name}: is a database of hcl: run `hcl export` there, and import"
                " the file that it writes"
            )
        for table in _NEEDED:
            if table not in self._columns:
                raise MovingError(
                    f"{self.name}: is no database of Healthchecks: it has no table"
                    f" {table}"
                )
        twins = self._conn.execute(
            "SELECT code FROM api_check WHERE code IS NOT NULL"
            # However they are written; one without is none, and stays behind.
            " GROUP BY lower(replace(code, '-', '')) HAVING count(*) > 1 LIMIT 1"
        )
        for [code] in twins:
            raise MovingError(
                f"{self.name}: two checks have the UUID {columns.text(code)}: which one"
                " is pinged by it cannot be told"
            )
        # Before anything is written: half of it would be worse than nothing.
        [[verdict]] = self._conn.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise MovingError(f"{self.name}: is damaged: {verdict.splitlines()[-1]}")

    def _as_of(self, path: Path) -> datetime:
        """Return the newest moment that is kept.

        Not the file's own, which is that of the last copy: what pinged the old server
        between would be called down. It counts where nothing was heard at all.
        """
        moments: list[datetime] = []
        for table, column in columns.MOMENTS:
            if column in self._columns.get(table, ()):
                # A row that makes no sense does not hide the others.
                [[newest]] = self._conn.execute(
                    f"SELECT max({column}) FROM {table}"  # noqa: S608 - names of ours
                    f" WHERE typeof({column}) = 'text' AND {column} GLOB '2[01]??-*'"
                )
                moments += filter(None, [columns.heard(newest)])
        return max(moments, default=datetime.fromtimestamp(path.stat().st_mtime, UTC))

    def _select(self, table: str, rest: str, *parameters: Any) -> Iterator[sqlite3.Row]:
        """Read a table's rows; columns that an older version lacks have defaults."""
        there = self._columns.get(table, set())
        wanted = ", ".join(
            f'{read} AS "{name}"' for name, read in columns.expressions(table, there)
        )
        if not there:
            return
        sql = f"SELECT {wanted} FROM {table} {rest}"  # noqa: S608 - names of ours
        try:
            # Not `yield from`: that closes the cursor, if of a file that is closed.
            for row in self._conn.execute(sql, parameters):  # noqa: UP028
                yield row
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _rows(self, sql: str, *parameters: int) -> list[sqlite3.Row]:
        try:
            return self._conn.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _projects(self) -> Iterator[MovedProject]:
        people = {
            row["id"]: columns.text(row["email"])
            or columns.text(row["username"])
            or f"user {row['id']}"
            for row in self._select("auth_user", "")
        }
        profiles = {r["user_id"]: r for r in self._select("accounts_profile", "")}
        members = defaultdict(list)
        for row in self._select("accounts_member", "ORDER BY id"):
            who = people.get(row["user_id"], "somebody")
            members[row["project_id"]].append((who, row["role"]))
        counts = self._counts()
        for row in self._select("accounts_project", "ORDER BY id"):
            code, owner = self._code_of(row), people.get(row["owner_id"], "")
            profile = profiles.get(row["owner_id"])
            checks, pings, flips = counts.get(row["id"], (0, 0, 0))
            yield MovedProject(
                id=row["id"],
                code=code,
                name=columns.text(row["name"]),
                owner=owner,
                ping_key=columns.text(row["ping_key"]),
                badge_key=columns.text(row["badge_key"]) or code,
                signs_badges=True,
                check_limit=rows.check_limit_of(profile),
                keys=[
                    *rows.keys_of(row["api_key"], "read-write"),
                    *rows.keys_of(row["api_key_readonly"], "read-only"),
                ],
                channels=list(self._channels(row["id"])),
                checks=checks,
                pings=pings,
                flips=flips,
                remarks=[
                    *rows.members_left(members[row["id"]]),
                    *rows.profile_left(owner, profile),
                ],
            )

    def _code_of(self, project: sqlite3.Row) -> str:
        try:
            return columns.code(project["code"])
        except ValueError as error:
            raise MovingError(
                f"{self.name}: project {project['id']} of accounts_project makes no"
                f" sense: its code {error}"
            ) from error

    def _counts(self) -> dict[int, tuple[int, int, int]]:
        """Count checks, pings and flips by project."""
        found = self._conn.execute(
            "SELECT c.project_id, count(*), coalesce(sum(p.n), 0),"
            " coalesce(sum(f.n), 0) FROM api_check c"
            " LEFT JOIN (SELECT owner_id, count(*) AS n FROM api_ping GROUP BY 1) p"
            " ON p.owner_id = c.id"
            " LEFT JOIN (SELECT owner_id, count(*) AS n FROM api_flip GROUP BY 1) f"
            " ON f.owner_id = c.id GROUP BY 1"
        )
        return {row[0]: (row[1], row[2], row[3]) for row in found}

    def _channels(self, project_id: int) -> Iterator[MovedChannel]:
        rest = "WHERE project_id = ? ORDER BY id"
        for row in self._select("api_channel", rest, project_id):
            is_mail = row["kind"] == "email"
            try:
                code = columns.code(row["code"])
            except ValueError:
                self._left_out["api_channel"] += 1
                continue
            yield MovedChannel(
                code=code,
                name=columns.text(row["name"]),
                kind=columns.text(row["kind"]),
                value=columns.text(row["value"]),
                is_disabled=bool(row["disabled"]),
                # Of other kinds nothing is verified.
                is_verified=bool(row["email_verified"]) or not is_mail,
            )

    def checks(self, project_ids: Collection[int]) -> Iterator[MovedCheck]:
        """Yield the checks of projects, as `Source` says."""
        for project_id in project_ids:
            codes = self._channel_codes(project_id)
            rest = "WHERE project_id = ? ORDER BY id"
            for row in self._select("api_check", rest, project_id):
                try:
                    self._check = rows.check_of(row)
                except (ValueError, TypeError, OverflowError) as error:
                    # By name: nobody watches that job now.
                    name = one_line(columns.text(row["name"])) or row["id"]
                    self.remarks.append(f"check {name} makes no sense: {error}")
                    continue
                yield MovedCheck(self._check, self._assigned(row["id"], codes))
        self.remarks += [
            f"{counted(count, 'row')} of {table} made no sense, and stayed behind"
            for table, count in self._left_out.items()
            if table in columns.WANTED
        ]
        if count := self._left_out["bodies"]:
            self.remarks.append(
                f"{counted(count, 'ping')} came without a body: it lies in the object"
                " storage of the old server"
            )

    def _channel_codes(self, project_id: int) -> dict[int, str]:
        """Return the codes of a project's channels by their rows."""
        found = self._rows(
            "SELECT id, code FROM api_channel WHERE project_id = ?", project_id
        )
        codes = {}
        for row in found:
            with suppress(ValueError):
                codes[row[0]] = columns.code(row[1])
        return codes

    def _assigned(self, check_id: int, codes: Mapping[int, str]) -> tuple[str, ...]:
        """Return the codes of the channels of its project that a check uses."""
        if "api_channel_checks" not in self._columns:
            return ()
        found = self._rows(
            "SELECT channel_id FROM api_channel_checks WHERE check_id = ?"
            " ORDER BY channel_id",
            check_id,
        )
        return tuple(codes[row[0]] for row in found if row[0] in codes)

    def flips(self) -> list[MovedFlip]:
        """Return the flips of the last check, oldest first."""
        check = self._last()
        found = []
        for row in self._select("api_flip", "WHERE owner_id = ? ORDER BY id", check.id):
            try:
                found.append((rows.flip_of(row), row["processed"] is not None))
            except (ValueError, TypeError, OverflowError):
                self._left_out["api_flip"] += 1
        if not found:
            return []
        moments = [flip.created for flip, _ in found]
        numbers = rows.last_ns(check, self._heard(check.id), moments)
        return [
            MovedFlip(flip, n, is_told)
            for (flip, is_told), n in zip(found, numbers, strict=True)
        ]

    def _heard(self, check_id: int) -> Iterator[tuple[int, str]]:
        """Yield the number of each ping of a check, and when it came, as it is kept."""
        try:
            # As text, which is in the order of time but for a missing fraction.
            for n, created in self._conn.execute(  # noqa: UP028 - as in `_select`
                "SELECT n, created FROM api_ping WHERE owner_id = ?"
                # Other rows stay behind: their numbers must not come by a flip.
                " AND typeof(n) = 'integer' AND n BETWEEN 0 AND 2147483647"
                " AND typeof(created) = 'text' ORDER BY id",
                (check_id,),
            ):
                yield n, created
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def pings(self, after: int) -> Iterator[Ping]:
        """Yield the pings of the last check with a number above `after`."""
        rest = "WHERE owner_id = ? AND (n > ? OR n IS NULL) ORDER BY id"
        for row in self._select("api_ping", rest, self._last().id, after):
            try:
                yield rows.ping_of(row)
            except (ValueError, TypeError, OverflowError):
                self._left_out["api_ping"] += 1
                continue
            self._left_out["bodies"] += row["object_size"] is not None

    def _last(self) -> Check:
        if self._check is None:
            raise ValueError("no check was read yet")
        return self._check
