"""Badges as pictures: XML for every text, and boxes as wide as it."""

import re
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hcl.web.badges.badge_svg import badge_svg, text_width

SVG = "{http://www.w3.org/2000/svg}"
COLORS = {"up": "#4c1", "late": "#fe7d37", "down": "#e05d44"}


def draw(label: str, status: str = "up") -> Element:
    """Draw a badge and read it as XML."""
    return fromstring(badge_svg(label, status))


def texts(svg: Element) -> list[str]:
    """Return what is drawn, without its shadows."""
    return [
        text.text or ""
        for text in svg.iter(f"{SVG}text")
        if "aria-hidden" not in text.attrib
    ]


@pytest.mark.parametrize("status", ["up", "late", "down"])
def test_badge_says_label_and_status_to_eyes_and_ears(status: str) -> None:
    svg = draw("prod", status)

    assert svg.tag == f"{SVG}svg"
    assert (svg.get("role"), svg.get("aria-label")) == ("img", f"prod: {status}")
    assert svg.findtext(f"{SVG}title") == f"prod: {status}"
    assert texts(svg) == ["prod", status]
    fills = [path.get("fill") for path in svg.iter(f"{SVG}path")]
    assert fills == ["#555", COLORS[status]]


def test_badge_is_20_pixels_high_and_as_wide_as_its_boxes() -> None:
    svg = draw("prod")

    lengths = [
        float(text.get("textLength", ""))
        for text in svg.iter(f"{SVG}text")
        if "aria-hidden" not in text.attrib
    ]
    assert svg.get("height") == "20"
    # As wide as in DejaVu Sans, and 5 px at the sides of each.
    assert lengths == [25.2, 14.0]
    assert svg.get("width") == "59"


@pytest.mark.parametrize(
    "label",
    [
        *("<b>", "</text><script>alert(1)</script>", "]]>", "a & b", "&amp;", '"', "'"),
        *(
            "{title}",
            "{}",
            "%s",
            "\\",
            "ü",
            "夜間バックアップ",
            "🚀 👩‍👩‍👧 👍🏽",
            "گزارش",
            "גיבוי",
        ),
        *("\u202eevil", "\ufeffbom", "x" * 500, "W" * 500, "<" * 500, "\U0010ffff"),
    ],
)
def test_any_text_is_drawn_as_it_is(label: str) -> None:
    svg = draw(label)

    assert texts(svg) == [label, "up"]
    assert svg.get("aria-label") == f"{label}: up"
    assert {element.tag for element in svg.iter()} == {
        *(f"{SVG}{tag}" for tag in ("svg", "title", "linearGradient", "stop")),
        *(f"{SVG}{tag}" for tag in ("path", "rect", "g", "text")),
    }


@pytest.mark.parametrize(
    ("label", "drawn"),
    [
        ("a\0b", "ab"),
        ("a\x08b\x1b[31m\x7f\x9b", "ab[31m"),
        ("a\ufffeb\uffff", "ab"),
        ("a\ud800b", "ab"),
        ("a \t\r\n b ", "a b"),
    ],
)
def test_what_xml_forbids_is_left_out(label: str, drawn: str) -> None:
    svg = draw(label)

    assert texts(svg) == [drawn, "up"]
    assert svg.get("aria-label") == f"{drawn}: up"


@pytest.mark.parametrize("label", ["", " ", "\0\x01"])
def test_label_of_nothing_visible_leaves_the_status(label: str) -> None:
    svg = draw(label, "down")

    assert texts(svg) == ["down"]
    assert svg.findtext(f"{SVG}title") == "down"


@given(st.text(max_size=60), st.sampled_from(["up", "late", "down"]))
@example("\ud800\udc00", "up")
def test_every_badge_is_well_formed(label: str, status: str) -> None:
    text = badge_svg(label, status)

    svg = fromstring(text.encode())
    assert texts(svg)[-1] == status
    assert int(svg.get("width", "")) >= 20


def test_badges_can_stand_inline_in_one_page() -> None:
    one, two = badge_svg("a", "up"), badge_svg("longer", "down")

    # An id that comes twice has to mean the same.
    shading = re.compile(r"<linearGradient id=.*?</linearGradient>")
    assert shading.findall(one) == shading.findall(two)
    assert one.count(" id=") == 1


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("i", 3.1),
        ("W", 10.9),
        ("up", 14.0),
        ("ü", 7.0),
        ("u\u0308", 7.0),
        ("ő", 6.7),
        ("夜", 11.0),
        ("ー", 11.0),
        ("\U00020000", 11.0),
        ("\uff21", 11.0),
        ("\u200b", 0),
        ("👍", 13.7),
        ("👍🏽", 13.7),
        ("👩‍👩‍👧", 13.7),
        ("→", 9.3),
        ("Ж", 8.4),
        ("ж", 6.8),
        ("ש", 6.0),
    ],
)
def test_text_is_measured(text: str, width: float) -> None:
    assert text_width(text) == pytest.approx(width, abs=0.05)
