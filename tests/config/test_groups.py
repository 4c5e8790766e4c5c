"""Groups and fallbacks: what channels say of each other."""

import pytest

from hcl.config import GroupSettings
from tests.config import PROJECT, channels_of, read, refusal

SECOND = '[[projects]]\nname = "Work"\nping_key = "pk2"\n'


def lamp(name: str, more: str = "") -> str:
    table = f"[[projects.channels]]\nname = '{name}'\nkind = 'shell'\ndown = 'x'\n"
    return f"{table}{more}\n"


def group(name: str, members: str, more: str = "") -> str:
    table = f"[[projects.channels]]\nname = '{name}'\nkind = 'group'\n"
    return f"{table}channels = {members}\n{more}\n"


def test_a_group_knows_its_channels_by_their_ids() -> None:
    text = PROJECT + group("All", "['B', 'A']", "events = ['down']") + lamp("A")

    found = channels_of(text + lamp("B", "id = '0c5c1a4e-8a55-4f0e-8c1e-0f4b5e7d2a10'"))

    members = (found["B"].id, found["A"].id)
    assert found["All"].kind == "group"
    assert found["All"].events == {"down"}
    assert found["All"].settings == GroupSettings(members)


def test_a_fallback_is_known_by_its_id() -> None:
    found = channels_of(PROJECT + lamp("A", "fallback = 'B'") + lamp("B"))

    assert found["A"].fallback == found["B"].id
    assert found["B"].fallback is None


def test_a_fallback_may_be_a_group_and_have_one_itself() -> None:
    chain = lamp("A", "fallback = 'B'") + lamp("B", "fallback = 'Rest'")
    found = channels_of(PROJECT + chain + group("Rest", "['C']") + lamp("C"))

    assert (found["A"].fallback, found["B"].fallback) == (
        found["B"].id,
        found["Rest"].id,
    )


def test_channels_of_another_project_do_not_count() -> None:
    text = PROJECT + group("All", "['A']") + lamp("A") + SECOND

    told = refusal(text + group("All", "['A']") + lamp("B"))
    home, work = read(text + group("All", "['A']") + lamp("A")).projects

    assert told.startswith("projects[1].channels[0].channels[0]: no other channel of")
    assert home.channels[0].settings == GroupSettings((home.channels[1].id,))
    assert work.channels[0].settings == GroupSettings((work.channels[1].id,))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ("[]", "channels: is empty; use the names of other channels"),
        ("'A'", 'channels: "A" is not an array; use [ … ]'),
        ("['A', 2]", "channels[1]: 2 is not a string; put it in quotes"),
        ("['A', 'B', 'A']", 'channels[2]: "A" is there twice'),
        ("['A', 'All']", 'channels[1]: "All" is a group; name its channels instead'),
        ("['Rest']", 'channels[0]: "Rest" is a group; name its channels instead'),
        (
            "['A', 'Lamp 1']",
            'channels[1]: no other channel of the project is named "Lamp 1" (did you '
            'mean "Lamp 2"?); use one of "A", "B", "Lamp 2"',
        ),
        (
            "['a']",
            'channels[0]: no other channel of the project is named "a"; use one of "A"'
            ', "B", "Lamp 2"',
        ),
        ("['']", 'channels[0]: no other channel of the project is named ""; use one '),
    ],
)
def test_a_bad_group_is_refused(members: str, message: str) -> None:
    others = lamp("A") + lamp("B") + lamp("Lamp 2") + group("Rest", "['B']")

    told = refusal(PROJECT + group("All", members) + others)

    assert told.startswith(f"projects[0].channels[0].{message}")


def test_a_group_needs_channels() -> None:
    missing = "[[projects.channels]]\nname = 'All'\nkind = 'group'\n"

    alone = refusal(PROJECT + group("All", "['A']"))
    without = refusal(PROJECT + missing)

    problem = 'no other channel of the project is named "A"; add it'
    assert alone == f"projects[0].channels[0].channels[0]: {problem}"
    assert without == "projects[0].channels[0].channels: is missing"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("fold = '30s'", "fold: is not for a group; give it to its channels"),
        ("fold = '0s'", "fold: is not for a group; give it to its channels"),
        ("fallback = 'A'", "fallback: is not for a group; give it to its channels"),
        ("url = 'ntfy://x'", "url: unknown key; use one of name, kind, id, events, "),
    ],
)
def test_some_keys_are_not_for_groups(more: str, message: str) -> None:
    told = refusal(PROJECT + group("All", "['A']", more) + lamp("A"))

    assert told.startswith(f"projects[0].channels[0].{message}")


@pytest.mark.parametrize(
    ("fallback", "message"),
    [
        ("'A'", "is this channel itself; use another"),
        (
            "'b'",
            'no other channel of the project is named "b"; use one of "B", "Both", "C"',
        ),
        (
            "'Bot'",
            'no other channel of the project is named "Bot" (did you mean "Both"?); us',
        ),
        ("''", "is empty; give it a name"),
        ("['B']", "an array is not a string; put it in quotes"),
        # B falls back to C, and C to A.
        ("'B'", "leads back to this channel; use another"),
        ("'C'", "leads back to this channel; use another"),
        ("'Both'", "leads back to this channel; use another"),
    ],
)
def test_a_bad_fallback_is_refused(fallback: str, message: str) -> None:
    others = lamp("B", "fallback = 'C'") + group("Both", "['A', 'B']")

    told = refusal(
        PROJECT + lamp("A", f"fallback = {fallback}") + others + lamp("C", _BACK)
    )

    assert told.startswith(f"projects[0].channels[0].fallback: {message}")


# To A, so that what leads to C or to B is a circle.
_BACK = "fallback = 'A'"


def test_a_circle_of_fallbacks_over_a_group_is_refused() -> None:
    text = PROJECT + lamp("A", "fallback = 'Rest'") + group("Rest", "['B', 'C']")

    straight = channels_of(text + lamp("B") + lamp("C"))
    told = refusal(text + lamp("B") + lamp("C", "fallback = 'A'"))

    assert straight["A"].fallback == straight["Rest"].id
    place = "projects[0].channels[0].fallback"
    assert told == f"{place}: leads back to this channel; use another"


def test_a_channel_that_falls_back_to_a_circle_is_not_what_is_wrong() -> None:
    circle = lamp("B", "fallback = 'C'") + lamp("C", "fallback = 'B'")

    told = refusal(PROJECT + lamp("A", "fallback = 'B'") + circle)

    place = "projects[0].channels[1].fallback"
    assert told == f"{place}: leads back to this channel; use another"
