"""Names of zones: kept, mapped to their targets, refused."""

from importlib import resources

import pytest

from hcl.checks import schedule
from hcl.checks.schedule import ScheduleError


@pytest.mark.parametrize(
    "name",
    [
        "UTC",
        "GMT",
        "Etc/UTC",
        "Etc/GMT",
        "Etc/GMT+5",
        "Etc/GMT-14",
        "Etc/GMT0",
        "Etc/Zulu",
        "Etc/Greenwich",
        "Europe/Riga",
        "Europe/Kyiv",
        "Europe/Amsterdam",
        "Europe/Brussels",
        "Europe/London",
        "America/New_York",
        "America/Argentina/Buenos_Aires",
        "America/Indiana/Indianapolis",
        "America/Port-au-Prince",
        "America/Panama",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Antarctica/McMurdo",
        "Arctic/Longyearbyen",
        "Pacific/Apia",
    ],
)
def test_zone_kept_as_sent(name: str) -> None:
    assert schedule.canonical_zone(name) == name


OLD_PLACES = [
    *("Africa/Timbuktu", "America/Atka", "America/Coral_Harbour"),
    *("America/Ensenada", "America/Montreal", "America/Nipigon"),
    *("America/Pangnirtung", "America/Porto_Acre", "America/Rainy_River"),
    *("America/Santa_Isabel", "America/Shiprock", "America/Thunder_Bay"),
    *("America/Virgin", "America/Yellowknife", "Asia/Chongqing", "Asia/Harbin"),
    *("Asia/Istanbul", "Asia/Kashgar", "Asia/Tel_Aviv", "Atlantic/Jan_Mayen"),
    *("Australia/Canberra", "Australia/Currie", "Australia/Yancowinna"),
    *("Europe/Belfast", "Europe/Nicosia", "Europe/Tiraspol", "Pacific/Johnston"),
    *("Pacific/Samoa", "Pacific/Yap"),
]


@pytest.mark.parametrize("name", OLD_PLACES)
def test_old_name_of_a_place_is_kept(name: str) -> None:
    assert schedule.canonical_zone(name) == name


def test_every_other_link_becomes_what_it_leads_to() -> None:
    folder = resources.files("tzdata.zoneinfo")
    lines = (folder / "tzdata.zi").read_text("utf-8").splitlines()
    tab = (folder / "zone.tab").read_text("utf-8").splitlines()
    links = dict(line.split(" ")[2:0:-1] for line in lines if line.startswith("L "))
    places = {line.split("\t")[2] for line in tab if not line.startswith("#")}
    kept = {*places, *OLD_PLACES, "UTC", "GMT", *(n for n in links if "Etc/" in n)}

    moved = {name: schedule.canonical_zone(name) for name in links.keys() - kept}

    assert len(OLD_PLACES) == 29 < len(moved)
    american = {"EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"}
    assert {n for n in moved if moved[n] != links[n]} <= american
    assert not moved.keys() & set(moved.values())


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("Europe/Kiev", "Europe/Kyiv"),
        ("EST", "America/Panama"),
        ("MST", "America/Phoenix"),
        ("HST", "Pacific/Honolulu"),
        ("EST5EDT", "America/New_York"),
        ("CST6CDT", "America/Chicago"),
        ("MST7MDT", "America/Denver"),
        ("PST8PDT", "America/Los_Angeles"),
        ("US/Eastern", "America/New_York"),
        ("US/Central", "America/Chicago"),
        ("US/Hawaii", "Pacific/Honolulu"),
        ("Zulu", "Etc/UTC"),
        ("UCT", "Etc/UTC"),
        ("Universal", "Etc/UTC"),
        ("Greenwich", "Etc/GMT"),
        ("GMT0", "Etc/GMT"),
        ("GMT+0", "Etc/GMT"),
        ("CET", "Europe/Brussels"),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Australia/LHI", "Australia/Lord_Howe"),
        ("GB", "Europe/London"),
        ("Japan", "Asia/Tokyo"),
        ("NZ", "Pacific/Auckland"),
    ],
)
def test_zone_mapped_to_its_target(name: str, target: str) -> None:
    assert schedule.canonical_zone(name) == target


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "utc",
        "Utc",
        "gmt",
        "etc/UTC",
        "europe/riga",
        "EUROPE/RIGA",
        "est",
        "Factory",
        "localtime",
        "posixrules",
        "posix/Europe/Riga",
        "right/Europe/Riga",
        "Europe",
        "Europe/",
        "America/Argentina",
        "Etc",
        "Etc/",
        "Etc/GMT+13",
        "Etc/Unknown",
        "../etc/passwd",
        "/etc/passwd",
        "Etc/../Europe/Riga",
        "Europe/../Europe/Riga",
        "Europe/Riga ",
        " Europe/Riga",
        "Europe/Riga\n",
        "Europe/Riga\0",
        "\0",
        "Europe\\Riga",
        "zone.tab",
        "tzdata.zi",
        "+02:00",
        "UTC+2",
        "-",
        "\ud800",
        "Europe/R\u012bga",
        "A" * 100_000,
    ],
    ids=lambda name: repr(name)[:40],
)
def test_zone_refused(name: str) -> None:
    with pytest.raises(ScheduleError):
        schedule.canonical_zone(name)


@pytest.mark.parametrize("name", ["EST5EDT", "Europe/Kiev", "Zulu", "CET", "UTC"])
def test_canonical_name_is_canonical(name: str) -> None:
    canonical = schedule.canonical_zone(name)

    assert schedule.canonical_zone(canonical) == canonical


def test_zones_to_choose_from_are_kept_as_they_are() -> None:
    zones = schedule.zones()

    assert zones[0] == "UTC"
    assert "Europe/Riga" in zones
    assert all(schedule.canonical_zone(zone) == zone for zone in zones)
