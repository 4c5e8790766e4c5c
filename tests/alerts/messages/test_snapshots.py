from collections.abc import Callable
from dataclasses import replace

import pytest

from hcl.alerts.messages.letter import Letter, write_letter
from hcl.alerts.messages.rendering import in_brief, in_html, in_markdown, in_text
from tests.alerts import NOW
from tests.alerts.messages.conftest import Compare
from tests.alerts.messages.examples import EXAMPLES

RENDERERS: dict[str, Callable[[Letter], str]] = {
    "txt": in_text,
    "html": in_html,
    "md": in_markdown,
    "brief": in_brief,
}
CASES = [(name, kind) for name in EXAMPLES for kind in RENDERERS]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_message_looks_as_it_did(name: str, kind: str, snapshot: Compare) -> None:
    letter = write_letter(EXAMPLES[name], NOW)

    text = RENDERERS[kind](letter)

    # An HTML page has its subject in the title.
    head = "" if kind == "html" else f"Subject: {letter.subject}\n\n"
    snapshot(f"{name}.{kind}", f"{head}{text.rstrip()}\n")


def test_each_snapshot_is_used(kept_names: set[str]) -> None:
    assert kept_names == {f"{name}.{kind}" for name, kind in CASES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_chats_take_each_message(name: str) -> None:
    letter = write_letter(EXAMPLES[name], NOW)

    assert len(in_markdown(letter)) < 4096
    assert len(in_brief(letter)) < 4096
    assert "\n\n\n" not in in_markdown(letter) + in_brief(letter) + in_text(letter)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_nothing_leads_to_pages_that_there_are_not(name: str, kind: str) -> None:
    message = replace(EXAMPLES[name], site_root="")
    bare = [replace(alert, mute_links=()) for alert in message.alerts]
    letter = write_letter(replace(message, alerts=tuple(bare)), NOW)

    text = RENDERERS[kind](letter)

    assert "hcl.example.org" not in text
    assert "checks/" not in text
    assert not any(
        words in text for words in ("Open in hcl", "Page:", "]()", 'href=""')
    )
