"""What keeps people calm: lengths of time, quiet hours, and what is said of tags."""

from datetime import time, timedelta

import pytest

from hcl.config import Calm, QuietHours
from tests.config import HOOK, PROJECT, channels_of, read, refusal

TAG = "[[projects.tags]]\ntag = 'db'\n"
HOURS = "quiet_hours = { from = '22:00', to = '07:00', tz = 'Europe/Riga' }\n"
NIGHT = QuietHours(time(22), time(7), "Europe/Riga")
HOOK_PLACE = "projects[0].channels[0]"
TAG_PLACE = "projects[0].tags[0]"


def test_nothing_is_said_at_first() -> None:
    [channel] = read(PROJECT + HOOK).projects[0].channels

    assert channel.calm == Calm(None, None, None, None)
    assert channel.fold == timedelta(0)


def test_a_channel_says_how_much_it_tells_and_when() -> None:
    keys = "remind_every = '4h'\ndelay = '10m'\nurgent = true\nfold = '30s'\n"

    channel = channels_of(PROJECT + HOOK + keys + HOURS)["Hook"]

    assert channel.calm == Calm(timedelta(hours=4), timedelta(minutes=10), NIGHT, True)
    assert channel.fold == timedelta(seconds=30)


def test_a_group_may_say_it_too() -> None:
    group = "[[projects.channels]]\nname = 'All'\nkind = 'group'\nchannels = ['Hook']\n"

    found = channels_of(PROJECT + HOOK + group + "delay = '1m'\nurgent = false\n")

    assert found["All"].calm == Calm(delay=timedelta(minutes=1), urgent=False)
    assert found["Hook"].calm == Calm()


def test_tags_are_read_in_the_order_of_the_file() -> None:
    other = "[[projects.tags]]\ntag = 'a,b'\nremind_every = '1d'\ndelay = '0s'\n"

    first, second = read(PROJECT + TAG + HOURS + other).projects[0].tags

    assert (first.tag, first.calm) == ("db", Calm(quiet_hours=NIGHT))
    assert second.tag == "a,b"
    assert second.calm == Calm(timedelta(days=1), timedelta(0))


def test_tags_of_another_project_do_not_count() -> None:
    second = '[[projects]]\nname = "Work"\nping_key = "pk2"\n'

    home, work = read(PROJECT + TAG + "delay = '1m'\n" + second + TAG).projects

    assert [tag.calm.delay for tag in home.tags] == [timedelta(minutes=1)]
    assert [tag.calm.delay for tag in work.tags] == [None]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("4h", 14_400),
        ("1d", 86_400),
        ("365d", 31_536_000),
        ("007m", 420),
        ("0s", 0),
        ("0m", 0),
        ("0d", 0),
    ],
)
def test_a_length_of_time_is_a_number_and_a_unit(value: str, seconds: int) -> None:
    text = PROJECT + HOOK + f"remind_every = '{value}'\ndelay = '{value}'\n"

    calm = channels_of(text)["Hook"].calm

    assert calm.remind_every == calm.delay == timedelta(seconds=seconds)


@pytest.mark.parametrize("key", ["remind_every", "delay", "fold"])
@pytest.mark.parametrize(
    "value",
    [
        *("''", "'10'", "'m'", "'10 m'", "'1.5h'", "'-1m'", "'+1m'", "'10min'", "'1M'"),
        *("'1h30m'", "' 1h'", "'1h '", "'1w'", "'٣m'", "'1000000000s'", "'PT4H'"),
    ],
)
def test_what_is_no_length_of_time_is_refused(key: str, value: str) -> None:
    told = refusal(f"{PROJECT}{HOOK}{key} = {value}\n")

    shown = value.replace("'", '"')
    allowed = 'use one like "90s", "10m", "4h" or "1d"'
    assert told == f"{HOOK_PLACE}.{key}: {shown} is not a length of time; {allowed}"


@pytest.mark.parametrize("value", ["10", "1.5", "true", "['1m']", "{ m = 1 }"])
def test_a_length_of_time_is_a_string(value: str) -> None:
    told = refusal(f"{PROJECT}{HOOK}delay = {value}\n")

    assert told.startswith(f"{HOOK_PLACE}.delay: ")
    assert told.endswith(
        ' is not a length of time; use one like "90s", "10m", "4h" or "1d"'
    )


@pytest.mark.parametrize(
    ("key", "value", "most"),
    [
        ("remind_every", "366d", "365d"),
        ("delay", "999999999d", "365d"),
        ("fold", "61m", "1h"),
        ("fold", "3601s", "1h"),
    ],
)
def test_a_length_of_time_may_be_too_long(key: str, value: str, most: str) -> None:
    told = refusal(f"{PROJECT}{HOOK}{key} = '{value}'\n")

    assert told == f'{HOOK_PLACE}.{key}: "{value}" is too long; use {most} at most'


@pytest.mark.parametrize("zone", ["Europe/Riga", "UTC", "America/Argentina/Ushuaia"])
def test_quiet_hours_have_a_zone(zone: str) -> None:
    hours = f"quiet_hours = {{ from = '00:00', to = '23:59', tz = '{zone}' }}\n"

    calm = channels_of(PROJECT + HOOK + hours)["Hook"].calm

    assert calm.quiet_hours == QuietHours(time(0), time(23, 59), zone)


def test_quiet_hours_are_in_utc_where_no_zone_is_given() -> None:
    hours = "[projects.channels.quiet_hours]\nfrom = '22:00'\nto = '07:00'\n"

    calm = channels_of(PROJECT + HOOK + hours)["Hook"].calm

    assert calm.quiet_hours == QuietHours(time(22), time(7), "UTC")


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ("'22:00-07:00'", ': "22:00-07:00" is not a table; use { … }'),
        ("[]", ": an array is not a table; use { … }"),
        ("{}", ".from: is missing"),
        ("{ from = '22:00' }", ".to: is missing"),
        ("{ to = '22:00' }", ".from: is missing"),
        ("{ form = '22:00' }", ".form: unknown key (did you mean from?); use one of f"),
        (
            "{ from = '07:00', to = '07:00' }",
            ".to: is the same as from; leave some time to send in",
        ),
        (
            "{ from = '24:00', to = '07:00' }",
            '.from: "24:00" is not a time of day; use one like "07:00"',
        ),
        ("{ from = '22', to = '7' }", '.from: "22" is not a time of day; use one lik'),
        ("{ from = '22:00', to = '7:00' }", '.to: "7:00" is not a time of day; use o'),
        ("{ from = '22:60', to = '7' }", '.from: "22:60" is not a time of day; use o'),
        ("{ from = '22:00:00', to = '7' }", '.from: "22:00:00" is not a time of day;'),
        (
            "{ from = 22:00:00, to = '7' }",
            ".from: 22:00:00 is not a string; put it in ",
        ),
        ("{ from = 22, to = 7 }", ".from: 22 is not a string; put it in quotes"),
        (
            "{ from = '22:00', to = '07:00', tz = 'Riga' }",
            '.tz: "Riga" is not a time zone; use one like Europe/Riga',
        ),
        ("{ from = '22:00', to = '07:00', tz = 'Europe' }", '.tz: "Europe" is not a t'),
        ("{ from = '22:00', to = '07:00', tz = '' }", '.tz: "" is not a time zone; us'),
        ("{ from = '22:00', to = '07:00', tz = '../x' }", '.tz: "../x" is not a time '),
        ("{ from = '22:00', to = '07:00', tz = 2 }", ".tz: 2 is not a string; put it "),
    ],
)
def test_bad_quiet_hours_are_refused(hours: str, message: str) -> None:
    of_channel = refusal(f"{PROJECT}{HOOK}quiet_hours = {hours}\n")
    of_tag = refusal(f"{PROJECT}{TAG}quiet_hours = {hours}\n")

    assert of_channel.startswith(f"{HOOK_PLACE}.quiet_hours{message}")
    assert of_tag.startswith(f"{TAG_PLACE}.quiet_hours{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ".tag: is missing"),
        ("tag = ''", ".tag: is empty; give it a name"),
        ("tag = 'db '", '.tag: "db " begins or ends with a space'),
        ("tag = 'db web'", '.tag: "db web" has a space; use one tag'),
        ("tag = 'db\u2003web'", '.tag: "db\u2003web" has a space; use one tag'),
        ("tag = ['db']", ".tag: an array is not a string; put it in quotes"),
        ("name = 'db'", ".name: unknown key; use one of tag, remind_every, delay, qu"),
        ("tag = 'db'\nfold = '30s'", ".fold: unknown key; use one of tag, remind_eve"),
        ("tag = 'db'\nurgent = 1", ".urgent: 1 is not a boolean; use true or false"),
        ("tag = 'db'\ndelay = '1'", '.delay: "1" is not a length of time; use one li'),
        ("tag = 'db'\ndelays = '1m'", ".delays: unknown key (did you mean delay?); u"),
    ],
)
def test_a_bad_tag_is_refused(text: str, message: str) -> None:
    told = refusal(f"{PROJECT}[[projects.tags]]\n{text}\n")

    assert told.startswith(f"{TAG_PLACE}{message}")


def test_a_tag_stands_there_once() -> None:
    twice = refusal(PROJECT + TAG + TAG)
    one = refusal(PROJECT + "[projects.tags]\ntag = 'db'\n")

    assert twice == 'projects[0].tags[1].tag: "db" is there already; use one table'
    assert one.endswith("a table is not an array of tables; use [[projects.tags]]")
