import html
import re

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown import Markdown  # type: ignore[import-untyped]  # ships no types

from hcl.alerts.messages import chats
from hcl.alerts.messages.letter import write_letter
from hcl.alerts.messages.rendering import in_brief, in_html, in_markdown, in_text
from hcl.words.lines import cut, one_line
from tests.alerts import FAILED, NOW, RECOVERED, a_message, a_ping, an_alert

# Pieces that mean something to one reader or another.
PIECES = (
    "[a](http://evil.example)",
    "![a](http://evil.example/x.png)",
    "[a]: http://evil.example",
    "[a]",
    "<http://evil.example>",
    "<b>",
    "</pre>",
    "<script>",
    "<!--",
    "&lt;",
    "&#64;",
    "@everyone",
    "<@1>",
    "<!channel>",
    "```",
    "`",
    "~~~",
    "**",
    "__",
    "_",
    "||",
    "|-|-|",
    "\n",
    "\r\n",
    "\n\n",
    "    ",
    "\t",
    "# ",
    "> ",
    "- ",
    "1. ",
    "===",
    "---",
    "\\",
    "{{ 7 * 7 }}",
    "=?utf-8?q?x?=",
    "\u202e",
    "\u2028",
    "\x00",
    "\x1b[31m",
    "😀",
    "x",
)
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map(
    "".join
)
# Templates are compiled in the first of them, on machines that do much else.
PATIENT = settings(deadline=None)
OURS = "https://hcl.example.org"


def rendered(source: str) -> str:
    """Render as Apprise does for services that take HTML."""
    reader = Markdown(extensions=["nl2br", "tables"])
    reader.ESCAPED_CHARS = [*reader.ESCAPED_CHARS, "~", "|"]
    return str(reader.convert(source))


def shown(markup: str) -> str:
    """Read HTML as people see it: neither spaces nor what has no width count."""
    text = html.unescape(re.sub(r"<[^>]*>", "", markup))
    return re.sub(r"[\s\u200b]+", "", text)


def links(markup: str) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]*)"', markup)


@PATIENT
@given(HOSTILE)
@example("5 3 * * *")
@example("1. one")
@example("a\\*b")
def test_value_in_markdown_is_read_as_it_is(text: str) -> None:
    line = one_line(text)

    markup = rendered(f"- Label: {chats.escaped(line)}\n- Next: x")

    assert shown(markup) == re.sub(r"[\s\u200b]+", "", f"Label:{line}Next:x")
    assert re.sub(r"</?(ul|li|p)>|\n", "", markup).count("<") == 0


@PATIENT
@given(HOSTILE)
def test_line_of_its_own_is_read_as_it_is(text: str) -> None:
    line = one_line(text)

    markup = rendered(f"{chats.escaped(line)}\n\nnext")

    assert shown(markup) == re.sub(r"[\s\u200b]+", "", f"{line}next")
    assert links(markup) == []


@PATIENT
@given(HOSTILE)
@example("a\n\n[b](http://evil.example)\n```\n# c\n<script>d</script>")
def test_output_does_not_leave_its_block(text: str) -> None:
    letter = write_letter(
        a_message(an_alert(ping=a_ping(body=text.encode("utf-8", "replace")))), NOW
    )

    markup = rendered(in_markdown(letter))

    assert set(links(markup)) == {letter.link}
    inner = re.search(r"<code>(.*?)</code>", markup, re.DOTALL)
    seen = shown(inner[1]) if inner else ""
    assert seen == re.sub(r"[\s\u200b]+", "", letter.output.text)
    assert in_markdown(letter).count("```") == (2 if letter.output.text else 0)


@PATIENT
@given(HOSTILE, HOSTILE)
def test_no_names_make_links_or_mentions(name: str, other: str) -> None:
    message = a_message(
        an_alert(name=name, tags=other, tz=other, kind="cron", schedule=other),
        an_alert(name=other, flip=RECOVERED, desc=name),
        also_down=(name, other),
        also_down_count=3,
        project_name=other,
        notice=name,
    )
    letter = write_letter(message, NOW)

    markup = rendered(in_markdown(letter))

    assert all(link.startswith(OURS) for link in links(markup))
    assert "<script" not in markup
    for text in (in_markdown(letter), in_brief(letter)):
        assert "@everyone" not in text
    assert not re.search("<[!@]", in_markdown(letter))


@PATIENT
@given(HOSTILE)
def test_html_shows_the_same_text(text: str) -> None:
    ping = a_ping(body=text.encode("utf-8", "replace"), ua=text)
    message = a_message(an_alert(name=text, desc=text, ping=ping), notice=text)
    letter = write_letter(message, NOW)

    markup = in_html(letter)

    body = shown(markup.partition("</head>")[2])
    parts = [letter.notice, letter.label, letter.title, *letter.story]
    parts += [word for fact in letter.facts for word in fact[:2]]
    for part in (*parts, letter.output.text):
        assert re.sub(r"[\s\u200b]+", "", part) in body
    assert links(markup) == [letter.link]


@PATIENT
@given(HOSTILE)
def test_subject_is_one_line_without_tricks(name: str) -> None:
    letter = write_letter(a_message(an_alert(name=name)), NOW)

    assert len(letter.subject.splitlines()) == 1
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", letter.subject)


def test_address_in_a_description_is_a_link_to_what_it_says() -> None:
    text = "See (https://wiki.example.org/run_book_1), or *ask* [Kim](http://evil.example)."

    markup = rendered(chats.with_links(text))

    assert links(markup) == [
        "https://wiki.example.org/run_book_1",
        "http://evil.example",
    ]
    assert shown(markup) == re.sub(r"\s", "", text)


def test_long_values_are_short_in_chats() -> None:
    alert = an_alert(
        flip=FAILED,
        name="n" * 10_000,
        tags="t" * 10_000,
        desc="d" * 10_000,
        tz="z" * 10_000,
        ping=a_ping(ua="u" * 10_000, body=b"first\n" + b"o" * 20_000),
    )
    letter = write_letter(a_message(alert, also_down=("a" * 10_000,) * 5), NOW)

    for text in (in_markdown(letter), in_brief(letter)):
        assert len(text) < 4096
        assert "first" not in text
        assert "The end of the last ping's body:" in text
    assert "n" * 10_000 in in_text(letter)
    assert letter.subject == f"DOWN: {cut('n' * 10_000)}"


def test_summary_of_many_long_names_is_short_in_chats() -> None:
    alerts = [an_alert(name="*" * 10_000) for _ in range(100)]

    letter = write_letter(a_message(*alerts), NOW)

    assert len(in_markdown(letter)) < 4096
    assert "more" in in_markdown(letter)
    assert in_text(letter).count("DOWN: ***") == 100
