"""What pages are made of is loaded before they answer, and off the loop."""

import threading
from pathlib import Path

import pytest

import hcl.web.pages
from hcl.web.pages.routes import PAGES, TEMPLATES
from tests.app import App
from tests.web.pages.browsing import project_path, sign_in

FOLDER = Path(hcl.web.pages.__file__).parent


def test_every_template_that_a_module_renders_is_known() -> None:
    wanted = {}
    for path in FOLDER.rglob("*.py"):
        module = ".".join(path.relative_to(FOLDER).with_suffix("").parts)
        text = path.read_text()
        names = {name for name in _all_templates() if f'"{name}.html"' in text}
        if names:
            wanted[module] = names

    # Errors are told by every page.
    assert wanted.pop("visit.door") == {"error"}
    assert wanted == {
        module: set(names) - {"log_entries", "log_days", "choices"}
        for module, names in TEMPLATES.items()
    }
    assert {name for page in PAGES.values() for name in page[:2] if name}


def _all_templates() -> list[str]:
    return [path.stem for path in (FOLDER / "templates").glob("*.html")]


async def test_templates_are_compiled_in_a_thread(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hcl.web.pages.frame import templates

    templates.cache_clear()
    compiled = []
    compile_one = templates().compile

    def note(*arguments: object, **rest: object) -> object:
        compiled.append(threading.current_thread() is threading.main_thread())
        return compile_one(*arguments, **rest)  # type: ignore[call-overload]

    monkeypatch.setattr(templates(), "compile", note)
    await sign_in(app)
    response = await app.http.get(project_path(app))

    assert response.status_code == 200
    assert compiled
    assert not any(compiled)
