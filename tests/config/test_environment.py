"""Variables that stand above hcl.toml, and their mistakes in one line."""

from pathlib import Path

import pytest

from hcl.config import ConfigError, HostPort, UnixPath, load, misspelt
from hcl.config.mistakes import mistakes
from tests.config import FOLDER, PROJECT, read

FILE = '[server]\nlisten = "127.0.0.1:1"\nsite_root = "http://a"\n' + PROJECT


def test_variables_stand_above_the_file() -> None:
    config = read(
        FILE,
        {
            "HCL_LISTEN": "0.0.0.0:80",
            "HCL_SITE_ROOT": "https://hc.example.org/x/",
            "HCL_DATABASE": "/data/hcl.sqlite",
        },
    )

    assert config.server.listen == HostPort("0.0.0.0", 80)
    assert config.server.site_root == "https://hc.example.org/x"
    assert config.server.ping_endpoint == "https://hc.example.org/x/ping/"
    assert config.database.path == Path("/data/hcl.sqlite")


def test_paths_in_variables_are_relative_to_the_file() -> None:
    config = read(PROJECT, {"HCL_DATABASE": "a.db", "HCL_LISTEN": "unix:hcl.sock"})

    assert config.database.path == FOLDER / "a.db"
    assert config.server.listen == UnixPath(FOLDER / "hcl.sock")


def test_empty_variable_is_none() -> None:
    assert read(FILE, {"HCL_LISTEN": "", "HCL_SITE_ROOT": ""}) == read(FILE)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("HCL_LISTEN", "0.0.0.0:808000", '"808000" is not a port; use a number from'),
        ("HCL_LISTEN", "8000", '"8000" is not an address to listen on; use host:port'),
        ("HCL_SITE_ROOT", "hc.example.org", "is not a URL; use http://… or https://…"),
        ("HCL_DATABASE", "a\nb", "has a control character; use one line of text"),
    ],
)
def test_mistake_in_a_variable_is_one_line_that_names_it(
    name: str, value: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "hcl.toml"
    path.write_text(PROJECT)

    with pytest.raises(ConfigError) as error:
        load(path, {name: value})
    with pytest.raises(ConfigError) as again:
        mistakes(path, {name: value})

    assert str(error.value).startswith(f"environment: {name}: {told}")
    assert str(again.value) == str(error.value)


def test_variable_that_is_nearly_one_is_told() -> None:
    env = {
        "HCL_SITEROOT": "x",
        "HCL_DATABASE_PATH": "x",
        "HCL_LISTEN": "x",
        "HCL_NAME": "x",
        "HCLISTEN": "x",
        "PATH": "x",
    }

    assert misspelt(env) == [
        f"environment: {name} is unknown; did you mean {meant}?"
        for name, meant in (
            ("HCLISTEN", "HCL_LISTEN"),
            ("HCL_SITEROOT", "HCL_SITE_ROOT"),
        )
    ]
    assert misspelt({"PATH": "x", "HCL_CONFIG": "x"}) == []
