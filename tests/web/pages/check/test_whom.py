"""Who is told of a check: a group, or its members, but not both."""

from pathlib import Path
from typing import Any

import pytest

from hcl.web.pages.check.whom import Choice, all_once, without_members
from tests.app import CONFIG, running_app
from tests.web.pages.browsing import Visitor, text_of
from tests.web.pages.integrations.test_channels import CALM_KEY, GROUP

OFFERED = [Choice("g", "All", "", ("a", "b")), *(Choice(c, c, "") for c in "abc")]


@pytest.mark.parametrize(
    ("ticked", "kept"),
    [("", ""), ("a", "a"), ("ab", "ab"), ("gab", "g"), ("gc", "gc"), ("gabc", "gc")],
)
def test_members_of_a_ticked_group_are_left_out(ticked: str, kept: str) -> None:
    assert without_members(ticked, OFFERED) == frozenset(kept)


def test_new_check_has_the_group_in_place_of_its_members() -> None:
    assert all_once(OFFERED) == {"g", "c"}


async def test_group_that_is_ticked_with_its_members_is_saved_alone(
    tmp_path: Path,
) -> None:
    text = CONFIG + GROUP.replace("SINK", "http://127.0.0.1:9/")
    async with running_app(tmp_path, text) as app:
        visitor = await Visitor.enter(app, CALM_KEY)
        visitor.project = app.synced.projects[2].code
        codes = {c.name: c.id for c in app.config.projects[2].channels}
        fields: dict[str, Any] = {
            "kind": "simple",
            "timeout": "1",
            "timeout_unit": "days",
        }
        fields |= {"grace": "1", "grace_unit": "hours", "tz": "UTC", "name": "Job"}
        new = f"/projects/{visitor.project}/new"

        made = await visitor.post(new, **fields, channel=list(codes.values()))
        path = made.headers["Location"]
        page = await visitor.get(path)
        two = [codes["Script"], codes["<b>Sink</b>"]]
        await visitor.post(f"{path}/integrations", channel=two, seen=seen_of(page))
        after = await visitor.get(path)

    assert ticked(page) == {codes["All"]}
    assert "All all of <b>Sink</b> and Script" in text_of(page)
    assert "<b>Sink</b> webhook, else Script, not 22:00 to 07:00" in text_of(page)
    assert ticked(after) == set(two)


def seen_of(page: str) -> str:
    return page.partition('name="seen" value="')[2].partition('"')[0]


def ticked(page: str) -> set[str]:
    """Return the codes of the channels that are ticked in a page."""
    boxes = page.split('name="channel" value="')[1:]
    return {box.partition('"')[0] for box in boxes if " checked>" in box[:300]}
