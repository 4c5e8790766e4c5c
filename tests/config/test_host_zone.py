from pathlib import Path

import pytest

from hcl.config import ConfigError
from hcl.config.host_zone import host_zone
from tests.config import PROJECT, read


@pytest.mark.parametrize(
    ("tz", "link", "named", "zone"),
    [
        ("", "", "", "UTC"),
        ("", "Europe/Riga", "", "Europe/Riga"),
        ("", "", "Europe/Riga\n", "Europe/Riga"),
        ("Asia/Kolkata", "Europe/Riga", "", "Asia/Kolkata"),
        (":/usr/share/zoneinfo/Asia/Kolkata", "", "", "Asia/Kolkata"),
        ("EET-2EEST", "Europe/Riga", "", "Europe/Riga"),
        ("../etc", "", "", "UTC"),
        ("", "No/Where", "No/Where", "UTC"),
        ("", "Etc/UTC", "", "UTC"),
    ],
)
def test_zone_of_the_machine_is_named(
    tmp_path: Path, tz: str, link: str, named: str, zone: str
) -> None:
    if link:
        (tmp_path / "localtime").symlink_to(f"/usr/share/zoneinfo/{link}")
    if named:
        (tmp_path / "timezone").write_text(named)

    assert host_zone({"TZ": tz} if tz else {}, tmp_path) == zone


def test_messages_are_in_the_zone_of_the_file_or_of_the_machine() -> None:
    assert read(PROJECT + '[alerts]\ntz = "Asia/Kolkata"').alerts.tz == "Asia/Kolkata"
    assert read(PROJECT, {"TZ": "Europe/Riga"}).alerts.tz == "Europe/Riga"
    empty = read(PROJECT + '[alerts]\ntz = ""', {"TZ": "Europe/Riga"})
    assert empty.alerts.tz == "Europe/Riga"


def test_zone_of_messages_has_to_be_one() -> None:
    with pytest.raises(ConfigError, match=r"alerts\.tz: \"Riga\" is not a time zone"):
        read(PROJECT + '[alerts]\ntz = "Riga"')
