"""Checks that the file declares are found by an index, however many there are."""

from pathlib import Path

from hcl import store
from hcl.model import DECLARED
from tests.app import running_app
from tests.store import plan_of


async def test_declared_checks_are_found_by_their_slugs(tmp_path: Path) -> None:
    async with running_app(tmp_path) as app:
        plan = await plan_of(
            app.database,
            lambda conn: store.declared.candidates(conn, 1, ["a", "b"], DECLARED),
        )

    assert "INDEX checks_slug (project_id=? AND slug=?)" in plan
