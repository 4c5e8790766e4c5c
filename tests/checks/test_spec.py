"""What a create or update may ask for, and the API's words for what it may not."""

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcl.checks import spec
from hcl.checks.spec import CheckSpec, SpecError
from tests.build import make_check

BOOLEANS = (
    "filter_body",
    "filter_default_fail",
    "filter_http_body",
    "filter_subject",
    "manual_resume",
)
NUMBERS = ("grace", "timeout")
FREE_STRINGS = ("channels",)
LIMITS = {"name": 100, "tags": 500, "desc": 10_000}
KEYWORDS = ("failure_kw", "start_kw", "subject", "subject_fail", "success_kw")
STRINGS = (*FREE_STRINGS, *KEYWORDS, "name", "schedule", "slug", "tz")

NOT_STRINGS = [
    pytest.param(None, id="null"),
    pytest.param(True, id="true"),
    pytest.param(0, id="0"),
    pytest.param(1.5, id="1.5"),
    pytest.param([], id="list"),
    pytest.param(["x"], id="list of a string"),
    pytest.param({}, id="object"),
    # JSON can spell half of a surrogate pair; no text holds one.
    pytest.param("\ud800", id="surrogate"),
    pytest.param("x\udfff", id="surrogate at the end"),
]


def error(document: dict[str, Any]) -> str:
    """Return the text with which a document is refused."""
    with pytest.raises(SpecError) as caught:
        spec.parse(document)
    return str(caught.value)


def only(field: str, value: Any) -> CheckSpec:
    """Return the spec that names this one field."""
    return replace(CheckSpec(), **{field: value})


# Documents


def test_empty_document_names_nothing() -> None:
    assert spec.parse({}) == CheckSpec()


def test_full_document_is_read() -> None:
    document = {
        "channels": "*",
        "desc": "Nightly\nbackup",
        "failure_kw": "ERROR,FATAL",
        "filter_body": True,
        "filter_default_fail": False,
        "filter_http_body": True,
        "filter_subject": False,
        "grace": 60,
        "manual_resume": True,
        "methods": "POST",
        "name": "Backup",
        "schedule": "0 3 * * *",
        "slug": "backup",
        "start_kw": "START",
        "subject": "ok",
        "subject_fail": "bad",
        "success_kw": "OK",
        "tags": "prod  db",
        "timeout": 31536000,
        "tz": "Europe/Kiev",
        "unique": ["name", "tags"],
    }

    parsed = spec.parse(document)

    assert parsed == CheckSpec(
        channels="*",
        desc="Nightly\nbackup",
        failure_kw="ERROR,FATAL",
        filter_body=True,
        filter_default_fail=False,
        filter_http_body=True,
        filter_subject=False,
        grace=timedelta(minutes=1),
        manual_resume=True,
        methods="POST",
        name="Backup",
        schedule="0 3 * * *",
        slug="backup",
        start_kw="START",
        subject="ok",
        subject_fail="bad",
        success_kw="OK",
        tags="prod  db",
        timeout=timedelta(days=365),
        tz="Europe/Kyiv",
        unique=("name", "tags"),
    )


@pytest.mark.parametrize(
    "document",
    [
        {"surprise": None},
        {"surprise": {"timeout": 1}},
        {"": None},
        {"Name": None},
        {"timeout ": 1},
        {"TIMEOUT": "x"},
        {"kind": 5},
        {"status": "down"},
        {"uuid": None},
        {"n_pings": "many"},
        {"last_ping": None},
        {"api_key": None},
        {"badge_key": None},
        {"code": None},
        {"\ud800": None},
    ],
    ids=repr,
)
def test_unknown_keys_are_ignored_whatever_they_hold(document: dict[str, Any]) -> None:
    assert spec.parse(document) == CheckSpec()
    assert spec.parse(document | {"name": "x"}) == CheckSpec(name="x")


# null for every field

NULLS = {
    "channels": "is not a string",
    "desc": "is not a string",
    "failure_kw": "is not a string",
    "filter_body": "is not a boolean",
    "filter_default_fail": "is not a boolean",
    "filter_http_body": "is not a boolean",
    "filter_subject": "is not a boolean",
    "grace": "is not a number",
    "manual_resume": "is not a boolean",
    "methods": "has unexpected value",
    "name": "is not a string",
    "schedule": "is not a string",
    "slug": "is not a string",
    "start_kw": "is not a string",
    "subject": "is not a string",
    "subject_fail": "is not a string",
    "success_kw": "is not a string",
    "tags": "is not a string",
    "timeout": "is not a number",
    "tz": "is not a string",
    "unique": "is not an array",
}


@pytest.mark.parametrize(("field", "problem"), NULLS.items(), ids=NULLS)
def test_null_is_a_wrong_type(field: str, problem: str) -> None:
    assert error({field: None}) == f"json validation error: {field} {problem}"


@pytest.mark.parametrize(("first", "second"), list(pairwise(NULLS)))
def test_first_wrong_field_by_the_alphabet_is_told(first: str, second: str) -> None:
    expected = f"json validation error: {first} {NULLS[first]}"

    assert error({second: None, first: None}) == expected
    assert error({first: None, second: None}) == expected


def test_all_fields_wrong_tells_channels() -> None:
    document = dict.fromkeys(reversed(NULLS))

    assert error(document) == "json validation error: channels is not a string"


def test_right_fields_do_not_hide_a_wrong_one() -> None:
    document = {"channels": "", "name": "x", "tz": "UTC", "timeout": 59}

    assert error(document) == "json validation error: timeout is too small"


# Strings


@pytest.mark.parametrize("value", NOT_STRINGS)
@pytest.mark.parametrize("field", STRINGS)
def test_not_a_string(field: str, value: object) -> None:
    assert error({field: value}) == f"json validation error: {field} is not a string"


@pytest.mark.parametrize("field", [*FREE_STRINGS, *KEYWORDS, "name", "slug"])
def test_empty_string_is_a_value(field: str) -> None:
    assert spec.parse({field: ""}) == only(field, "")


@pytest.mark.parametrize(
    "value",
    ["x" * 100_000, "\U0001f600" * 10_000, " a\tb\n", "\0", "*", "null"],
    ids=["long", "four bytes", "white space", "NUL", "star", "null"],
)
@pytest.mark.parametrize("field", FREE_STRINGS)
def test_free_strings_have_no_limit_and_are_kept_as_sent(
    field: str, value: str
) -> None:
    assert spec.parse({field: value}) == only(field, value)


@pytest.mark.parametrize(
    ("field", "sign"),
    # A slug is ASCII, so its characters are its bytes.
    [*product([*KEYWORDS, *LIMITS], ["x", "ä", "\U0001f600"]), ("slug", "x")],
    ids=ascii,
)
def test_strings_are_limited_in_characters_not_in_bytes(field: str, sign: str) -> None:
    longest = sign * (200 if field in KEYWORDS else LIMITS.get(field, 100))

    assert spec.parse({field: longest}) == only(field, longest)
    assert error({field: longest + sign}) == (
        f"json validation error: {field} is too long"
    )


@pytest.mark.parametrize("field", ["name", "tags", "desc", "slug", "start_kw"])
def test_what_a_check_has_it_may_keep_though_it_is_longer_than_is_allowed(
    field: str,
) -> None:
    old = make_check(**{field: "a" * 100_000})

    assert spec.parse({field: "a" * 100_000}, kept=old) == only(field, "a" * 100_000)
    for other in ("a" * 99_999, "b" * 100_000):
        with pytest.raises(SpecError, match="is too long"):
            spec.parse({field: other}, kept=old)


def test_what_a_check_has_it_may_not_keep_if_it_is_wrong_in_itself() -> None:
    old = make_check(slug="A B", tz="Nowhere")

    for field in ("slug", "tz"):
        with pytest.raises(SpecError):
            spec.parse({field: getattr(old, field)}, kept=old)


@pytest.mark.parametrize("value", ["0", "A", "  padded  ", "a\nb", "\0", "<b>", "null"])
@pytest.mark.parametrize("field", ["name", "tags", "desc", *KEYWORDS])
def test_names_and_keywords_are_kept_as_sent(field: str, value: str) -> None:
    assert spec.parse({field: value}) == only(field, value)


# slug


@pytest.mark.parametrize(
    "value", ["", "a", "0", "-", "_", "a-b_c-0", "---", "null", "x" * 100]
)
def test_slug_accepted(value: str) -> None:
    assert spec.parse({"slug": value}) == CheckSpec(slug=value)


@pytest.mark.parametrize(
    "value",
    [
        "A",
        "aB",
        "a b",
        " a",
        "a ",
        "a\n",
        "\n",
        "a\nb",
        "a.b",
        "a/b",
        "a+b",
        "a%20b",
        "ä",
        "\u0430",
        "\u0665",
        "²",
        "ſ",
        "\0",
        "a\0",
        "\U0001f600" * 100,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_slug_refused(value: str) -> None:
    assert error({"slug": value}) == (
        "json validation error: slug does not match pattern"
    )


def test_slug_too_long_is_told_before_its_pattern() -> None:
    assert error({"slug": "A" * 101}) == "json validation error: slug is too long"


# Numbers


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(None, "is not a number", id="null"),
        pytest.param("60", "is not a number", id="string"),
        pytest.param("", "is not a number", id="empty string"),
        pytest.param(60.0, "is not a number", id="60.0"),
        pytest.param(60.5, "is not a number", id="60.5"),
        pytest.param(1.0, "is not a number", id="1.0"),
        pytest.param(1e300, "is not a number", id="1e300"),
        pytest.param(float("nan"), "is not a number", id="NaN"),
        pytest.param(float("inf"), "is not a number", id="Infinity"),
        pytest.param(float("-inf"), "is not a number", id="-Infinity"),
        pytest.param([], "is not a number", id="list"),
        pytest.param([60], "is not a number", id="list of a number"),
        pytest.param({}, "is not a number", id="object"),
        pytest.param(True, "is too small", id="true"),
        pytest.param(False, "is too small", id="false"),
        pytest.param(0, "is too small", id="0"),
        pytest.param(-60, "is too small", id="-60"),
        pytest.param(59, "is too small", id="59"),
        pytest.param(-(10**30), "is too small", id="-10**30"),
        pytest.param(31536001, "is too large", id="a second over a year"),
        pytest.param(2**63, "is too large", id="2**63"),
        pytest.param(10**30, "is too large", id="10**30"),
        pytest.param(10**4000, "is too large", id="10**4000"),
    ],
)
@pytest.mark.parametrize("field", NUMBERS)
def test_number_refused(field: str, value: object, problem: str) -> None:
    assert error({field: value}) == f"json validation error: {field} {problem}"


@pytest.mark.parametrize("value", [60, 61, 3600, 86400, 2592001, 31535999, 31536000])
@pytest.mark.parametrize("field", NUMBERS)
def test_number_accepted(field: str, value: int) -> None:
    parsed = spec.parse({field: value})

    assert parsed == only(field, timedelta(seconds=value))


# Booleans


@pytest.mark.parametrize(
    "value",
    [None, 0, 1, 1.0, "", "true", "false", [], [True], {}],
    ids=repr,
)
@pytest.mark.parametrize("field", BOOLEANS)
def test_boolean_refused(field: str, value: object) -> None:
    assert error({field: value}) == f"json validation error: {field} is not a boolean"


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("field", BOOLEANS)
def test_boolean_accepted(field: str, value: bool) -> None:
    assert spec.parse({field: value}) == only(field, value)


# methods


@pytest.mark.parametrize("value", ["", "POST"])
def test_methods_accepted(value: str) -> None:
    assert spec.parse({"methods": value}) == CheckSpec(methods=value)


@pytest.mark.parametrize(
    "value",
    [
        *("GET", "PUT", "post", "POST ", " POST", "POST\n", "POST,GET", "\0", "\ud800"),
        *("x" * 1000, None, True, False, 0, 1, 1.5, [], ["POST"], {}, {"POST": 1}),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_methods_refused(value: object) -> None:
    assert error({"methods": value}) == (
        "json validation error: methods has unexpected value"
    )


# schedule


@pytest.mark.parametrize(
    "value",
    [
        "* * * * *",
        " 0 0 * * * ",
        "0 0 29 2 *",
        "12:00",
        "2019-01-01",
        "09:00\n10:00 Europe/Riga",
        "0 0 * * *" + " " * 91,
    ],
    ids=lambda value: repr(value)[:30],
)
def test_schedule_accepted_and_kept_as_sent(value: str) -> None:
    assert spec.parse({"schedule": value}) == CheckSpec(schedule=value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "\n",
        "* * * *",
        "* * * * * *",
        "61 * * * *",
        "0 0 31 2 *",
        "surprise",
        "1999-01-01",
        "12:00 America",
        "12:00\0",
        "x" * 100,
        "\U0001f600" * 100,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_schedule_refused(value: str) -> None:
    assert error({"schedule": value}) == (
        "json validation error: schedule is not a valid cron or OnCalendar expression"
    )


@pytest.mark.parametrize(
    "value",
    ["0 0 * * *" + " " * 92, "x" * 101, "\U0001f600" * 101, "1," * 50_000],
    ids=["valid but for its length", "101", "four bytes", "very long"],
)
def test_schedule_too_long_is_told_before_its_syntax(value: str) -> None:
    assert error({"schedule": value}) == "json validation error: schedule is too long"


# tz


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("UTC", "UTC"),
        ("Europe/Riga", "Europe/Riga"),
        ("Europe/Amsterdam", "Europe/Amsterdam"),
        ("Etc/GMT+5", "Etc/GMT+5"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("EST", "America/Panama"),
        ("EST5EDT", "America/New_York"),
    ],
)
def test_tz_accepted(value: str, kept: str) -> None:
    assert spec.parse({"tz": value}) == CheckSpec(tz=kept)


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "utc", "europe/riga", "Europe", "America", "Factory", "localtime"),
        *("posix/Europe/Riga", "../etc/passwd", "Europe/Riga ", "Europe/Riga\0"),
        *("surprise", "\U0001f600" * 100, "A" * 100_000),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_tz_refused(value: str) -> None:
    assert error({"tz": value}) == "json validation error: tz is not a valid timezone"


# unique


@pytest.mark.parametrize(
    "value",
    [
        [],
        ["name"],
        ["slug"],
        ["tags"],
        ["timeout"],
        ["grace"],
        ["name", "slug", "tags", "timeout", "grace"],
        ["grace", "name"],
    ],
    ids=repr,
)
def test_unique_accepted(value: list[str]) -> None:
    assert spec.parse({"unique": value}) == CheckSpec(unique=tuple(value))


@pytest.mark.parametrize(
    "value", [None, "name", "", {}, {"name": 1}, 0, True, 1.5], ids=repr
)
def test_unique_is_not_an_array(value: object) -> None:
    assert error({"unique": value}) == "json validation error: unique is not an array"


@pytest.mark.parametrize(
    "item",
    [
        *("", "desc", "Name", "name ", "name\n", "schedule", "tz", "uuid", "\ud800"),
        *(None, True, 0, 1.5, [], ["name"], {}),
    ],
    ids=repr,
)
@pytest.mark.parametrize("before", [[], ["name"]], ids=["alone", "after a right one"])
def test_unique_item_refused(before: list[str], item: object) -> None:
    assert error({"unique": [*before, item]}) == (
        "json validation error: an item in 'unique' has unexpected value"
    )


# Slugs from names


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Foo.bar_Baz", "foobar_baz"),
        ("Foo Bar", "foo-bar"),
        ("foo-bar", "foo-bar"),
        ("  foo  ", "foo"),
        ("foo   bar", "foo-bar"),
        ("foo - bar", "foo-bar"),
        ("foo--bar", "foo-bar"),
        ("foo -- . -- bar", "foo-bar"),
        ("foo_bar", "foo_bar"),
        ("foo__bar", "foo__bar"),
        ("foo_-_bar", "foo_-_bar"),
        ("foo_ _bar", "foo_-_bar"),
        ("__foo__", "foo"),
        ("-_-foo-_-", "foo"),
        ("- foo -", "foo"),
        ("_ foo", "foo"),
        ("Q4 / 2026", "q4-2026"),
        ("a.b.c", "abc"),
        ("100%", "100"),
        ("", ""),
        (" ", ""),
        ("---", ""),
        ("_", ""),
        ("...", ""),
        ("Ünïcödé", "unicode"),
        ("Crème Brûlée", "creme-brulee"),
        ("Straße", "strae"),
        ("\ufb01le", "file"),
        ("x\u00b2", "x2"),
        ("\u00bd", "12"),
        ("\u2460", "1"),
        ("\uff21\uff22", "ab"),
        ("\u0130stanbul", "istanbul"),
        ("\u212a", "k"),
        ("x\u00a0y", "x-y"),
        ("日本", ""),
        ("日本 2", "2"),
        ("\u0665", ""),
        ("\U0001f600", ""),
        ("a\0b", "ab"),
        ("X" * 100, "x" * 100),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_slug_made_from_a_name(name: str, slug: str) -> None:
    assert spec.slugify(name) == slug


@settings(deadline=None, derandomize=True, database=None)
@given(st.text())
def test_slug_made_from_any_name_matches_the_pattern(name: str) -> None:
    slug = spec.slugify(name)

    assert re.fullmatch(r"[a-z0-9-_]*", slug)
    assert spec.slugify(slug) == slug


def test_only_the_caller_says_that_the_slug_follows_the_name() -> None:
    assert spec.parse({"slug_follows_name": True}) == CheckSpec()
    assert spec.parse({}, slug_follows_name=True) == CheckSpec(slug_follows_name=True)
