import json
from datetime import timedelta

import pytest

from hcl.alerts.transports.placeholders import Placeholders, status_of
from hcl.checks.check_json import Site
from hcl.model import Alert, Flip
from tests.alerts import (
    CODE,
    FAILED,
    NOW,
    RECOVERED,
    a_message,
    a_ping,
    an_alert,
    an_announcement,
)

SITE = Site("https://hcl.example.org", "https://hcl.example.org/ping/")


def fill(*alerts: Alert) -> Placeholders:
    return Placeholders(a_message(*alerts), NOW, SITE)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("$CODE", CODE),
        ("$STATUS", "down"),
        ("$NOW", "2026-01-05T04:05:06+00:00"),
        ("$NAME is $STATUS", "Nightly backup is down"),
        ("$NAME_JSON", '"Nightly backup"'),
        ("$SLUG", "nightly-backup"),
        ("$TAGS", "prod db"),
        ("$TAG1,$TAG2", "prod,db"),
        ("$EXITSTATUS", "-1"),
        ("$BODY", ""),
        ("$BODY_JSON", '""'),
    ],
)
def test_every_placeholder_has_a_value(template: str, text: str) -> None:
    assert fill(an_alert()).in_body(template) == text


@pytest.mark.parametrize(
    "template",
    ["$TAG7", "$TAG0", "$NOTHING", "$name", "$", "$$", "100 $ is ${STATUS}", "\\1"],
)
def test_what_is_no_placeholder_stays(template: str) -> None:
    assert fill(an_alert()).in_body(template) == template


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("$NAMES", "Nightly backupS"),
        ("$$NAME", "$Nightly backup"),
        ("$NAME_JSON_JSON", '"Nightly backup"_JSON'),
        ("$TAGSPACE", "prod dbPACE"),
        ("$TAG12", "prod2"),
        ("$STATUS$STATUS", "downdown"),
    ],
)
def test_the_longest_name_counts(template: str, text: str) -> None:
    assert fill(an_alert()).in_body(template) == text


def test_twelfth_tag_is_not_the_first() -> None:
    tags = " ".join(f"t{n}" for n in range(1, 13))

    assert fill(an_alert(tags=tags)).in_body("$TAG12 $TAG1 $TAG13") == "t12 t1 t13"


def test_values_are_never_expanded_again() -> None:
    alert = an_alert(
        name="$TAGS \\g<0>", tags="$BODY $STATUS", ping=a_ping(body=b"$NAME")
    )

    filled = fill(alert).in_body("$NAME|$TAG1|$TAG2|$BODY")

    assert filled == "$TAGS \\g<0>|$BODY|$STATUS|$NAME"


def test_body_is_for_bodies_only() -> None:
    placeholders = fill(an_alert(ping=a_ping(body=b"secret")))

    assert placeholders.in_url("/$BODY/$BODY_JSON") == "/$BODY/$BODY_JSON"
    assert placeholders.in_header("$BODY") == "$BODY"


def test_body_is_read_as_utf8() -> None:
    alert = an_alert(ping=a_ping(body=b'\xe2\x82\xac "\xff"\n'))

    assert fill(alert).in_body("$BODY") == '€ "\ufffd"\n'
    assert json.loads(fill(alert).in_body("[$BODY_JSON]")) == ['€ "\ufffd"\n']


def test_exit_status_is_the_last_pings() -> None:
    alert = an_alert(ping=a_ping(exitstatus=3))

    assert fill(alert).in_url("/$EXITSTATUS") == "/3"


@pytest.mark.parametrize(
    "name", ['say "hi"', "a\nb", "back\\slash", "Ünï", "\ud800", "x" * 10_000]
)
def test_json_values_are_json(name: str) -> None:
    filled = fill(an_alert(name=name)).in_body('{"name": $NAME_JSON}')

    assert json.loads(filled) == {"name": name}


def test_json_is_the_document_of_the_api() -> None:
    document = json.loads(fill(an_alert()).in_body("$JSON"))

    assert document["name"] == "Nightly backup"
    assert document["uuid"] == CODE
    assert document["ping_url"] == SITE.ping_endpoint + CODE
    assert document["update_url"] == f"{SITE.root}/api/v3/checks/{CODE}"
    assert document["channels"] == "a-channel,b-channel"
    assert document["status"] == "down"


def test_json_tells_the_status_of_the_flip_not_a_later_one() -> None:
    alert = an_alert(flip=RECOVERED, status="down")

    assert json.loads(fill(alert).in_body("$JSON"))["status"] == "up"


def test_values_in_urls_are_quoted() -> None:
    alert = an_alert(name="a/b?c=d&e#f %41 Ü\r\n\ud800")

    filled = fill(alert).in_url("https://example.org/$NAME?q=$TAGS&n=$NOW")

    assert filled == (
        "https://example.org/a%2Fb%3Fc%3Dd%26e%23f%20%2541%20%C3%9C%0D%0A%3F"
        "?q=prod%20db&n=2026-01-05T04%3A05%3A06%2B00%3A00"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a\r\nX-Evil: 1", "a X-Evil: 1"),
        ("nul\x00 and\x85 nel", "nul  and  nel"),
        ("Ünï €", "Ünï &#8364;"),
        (" edges\n", "edges"),
    ],
)
def test_values_in_headers_are_one_line_of_latin1(name: str, value: str) -> None:
    assert fill(an_alert(name=name)).in_header("$NAME") == value


def test_only_what_is_named_is_worked_out() -> None:
    # A grace no document could be made of: the subtraction would overflow.
    alert = an_alert(alert_after=NOW, grace=timedelta.max)

    assert fill(alert).in_body("$NAME") == "Nightly backup"
    with pytest.raises(OverflowError):
        fill(alert).in_body("$JSON")


def test_several_checks_are_listed() -> None:
    filled = fill(
        an_alert(name="db", flip=RECOVERED, status="up"),
        an_alert(name="web", code="c0de", slug="web", tags="x", ping=a_ping(body=b"y")),
        an_alert(name="", code="5ec0nd"),
    )

    assert filled.in_body("$STATUS: $NAME") == "down: 3 checks: db, web, 5ec0nd"
    assert filled.in_body("$NAME_JSON") == '"3 checks: db, web, 5ec0nd"'
    # Those of the first that is down.
    assert filled.in_body("$CODE $SLUG $TAGS $TAG1 $BODY") == "c0de web x x y"
    documents = json.loads(filled.in_body("$JSON"))
    assert [(d["name"], d["status"]) for d in documents] == [
        ("db", "up"),
        ("web", "down"),
        ("", "down"),
    ]


def test_several_checks_that_are_up_are_up() -> None:
    alerts = [an_alert(name=name, flip=RECOVERED, slug=name) for name in ("a", "b")]

    assert fill(*alerts).in_body("$STATUS $SLUG") == "up a"
    assert status_of(a_message(*alerts)) == "up"


def test_long_lists_are_cut() -> None:
    alerts = [an_alert(name=f"n{n}") for n in range(1, 101)]

    name = fill(*alerts).in_body("$NAME")

    first = ", ".join(f"n{n}" for n in range(1, 21))
    assert name == f"100 checks: {first} and 80 more"
    assert fill(*alerts[:20]).in_body("$NAME") == f"20 checks: {first}"


def test_long_names_are_cut_in_lists_only() -> None:
    alert = an_alert(name="x" * 10_000)

    assert fill(alert).in_body("$NAME") == "x" * 10_000
    assert fill(alert, alert).in_body("$NAME") == f"2 checks: {'x' * 99}…, {'x' * 99}…"


@pytest.mark.parametrize(
    ("earlier", "newest", "status"),
    [(FAILED, RECOVERED, "up"), (RECOVERED, FAILED, "down")],
)
def test_the_newest_flip_counts(earlier: Flip, newest: Flip, status: str) -> None:
    alert = an_alert(flip=newest, earlier=(earlier,))

    assert fill(alert).in_body("$STATUS") == status
    assert json.loads(fill(alert).in_body("$JSON"))["status"] == status


def test_reminder_is_filled_in_as_the_first_message() -> None:
    template = "$STATUS $NAME $JSON"

    reminder = fill(an_alert(reminder=True)).in_body(template)

    assert reminder == fill(an_alert()).in_body(template)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("$STATUS: $NAME", "server: hcl was away from 03:50 to 04:05 UTC, 15 min"),
        ("$NAME_JSON", '"hcl was away from 03:50 to 04:05 UTC, 15 min"'),
        ("$NOW", "2026-01-05T04:05:06+00:00"),
        ("[$CODE$SLUG$TAGS] $TAG1", "[] $TAG1"),
        ("$EXITSTATUS", "-1"),
        ("$BODY", "It was not running.\n\nhcl cannot know of 1 check: a_b."),
    ],
)
def test_message_of_hcl_itself_fills_them_in_too(template: str, text: str) -> None:
    placeholders = Placeholders(an_announcement(), NOW, SITE)

    assert placeholders.in_body(template) == text


def test_message_of_hcl_itself_has_the_placeholders_of_a_check() -> None:
    own = Placeholders(an_announcement(), NOW, SITE).everything()

    assert list(own) == list(fill(an_alert(tags="")).everything())
    assert json.loads(own["JSON"]())["kind"] == "absence"
