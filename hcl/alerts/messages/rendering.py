"""Letters laid out: as text and HTML for mail, as Markdown and briefly for chats."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hcl.alerts.messages import chats, html_mail
from hcl.alerts.messages.letter import Letter, SummaryRow
from hcl.words.lines import cut, one_line

# With more checks than these, the row of each is one line.
_FEW = 10
# What chats and phones show: characters of a job's output, of a value, of a name, and
# of the rows of several checks. Most of them take 4096 in all; where there is less room
# output and rows give way, but for so much of the rows.
OUTPUT = 1000
_VALUE = 300
_NAME = 80
_ROWS, _LEAST_ROWS = 2400, 300


def in_text(letter: Letter) -> str:
    """Lay out the text part of a mail."""
    return "".join(_text(letter))


def in_html(letter: Letter) -> str:
    """Lay out the HTML part of a mail."""
    few, output_label = len(letter.rows) <= _FEW, _output_label(letter.output.is_cut)
    frame = html_mail.Frame(few, _link_label(letter), output_label)
    return html_mail.written(letter, frame)


def in_markdown(letter: Letter, output: int = OUTPUT) -> str:
    """Lay out a chat's message in CommonMark; the subject is its title.

    With so many characters of a job's output, and as large a part of the rows.
    """
    return "".join(_chat(_MARKDOWN, letter, output)).strip("\n")


def in_brief(letter: Letter, output: int = OUTPUT) -> str:
    """Lay out a phone's message in plain text, as `in_markdown` does."""
    return "".join(_chat(_PLAIN, letter, output)).strip("\n")


def _text(letter: Letter) -> Iterator[str]:
    if letter.notice:
        yield f"{letter.notice}\n\n"
    yield f"{letter.headline}\n"
    told = [" ".join(letter.story)] if letter.story else []
    told += letter.paragraphs[:1] if letter.sections else letter.paragraphs
    for paragraph in told:
        yield f"\n{paragraph}\n"
    for section in letter.sections:
        yield f"\n{section.title}:\n"
        yield from (f"- {line.name}: {line.text}\n" for line in section.lines)
        if section.more:
            yield f"- … and {section.more} more\n"
    if letter.changes:
        yield "\nSince the last message:\n\n"
        yield from (f"- {change}\n" for change in letter.changes)
    yield "\n"
    yield from _rows_in_text(letter.rows)
    yield from _facts_in_text(letter)
    if letter.mutes:
        yield "\n"
        yield from (f"Mute for {words}: {link}\n" for words, link in letter.mutes)
    if letter.output.text:
        label = _output_label(letter.output.is_cut)
        yield f"\n{label}:\n\n{letter.output.text}\n"
    yield f"\n-- \n{letter.site_name}\n"


def _rows_in_text(rows: Sequence[SummaryRow]) -> Iterator[str]:
    if len(rows) <= _FEW:
        for row in rows:
            link = f"  {row.link}\n" if row.link else ""
            yield f"{row.label}: {row.title}\n  {row.clause}\n{link}\n"
    else:
        for row in rows:
            yield f"{row.label}: {row.title} – {row.clause}\n"
        yield "\n"


def _facts_in_text(letter: Letter) -> Iterator[str]:
    width = max((len(fact.label) for fact in letter.facts), default=4) + 1
    for label, value, _ in letter.facts:
        # Only a description has several lines.
        first, *others = f"{value}\n".splitlines()
        lines = [first, *(" " * (width + 2) + line if line else "" for line in others)]
        yield f"{f'{label}:'.ljust(width)}  {chr(10).join(lines)}\n"
    if letter.link:
        yield f"{'Page:'.ljust(width)}  {letter.link}\n"


class _Style(NamedTuple):
    """How chats of a kind show what they are told: all of it, and some in its own way.

    What a way of its own made is shown as it is.
    """

    shown: Callable[[object], str]
    prose: Callable[[str], str]
    block: Callable[[str], str]
    name: Callable[[SummaryRow], str]
    link: Callable[[str], str]
    mutes: Callable[[Sequence[tuple[str, str]]], str]


def _chat(style: _Style, letter: Letter, length: int) -> Iterator[str]:
    shown = style.shown
    told = [letter.notice] if letter.notice else []
    told += [" ".join(letter.story)] if letter.story else []
    yield from (f"{shown(words)}\n\n" for words in (*told, *letter.paragraphs))
    if letter.changes:
        yield "Since the last message:\n\n"
        yield from (f"- {shown(change)}\n" for change in letter.changes)
        yield "\n"
    room = max(_ROWS * length // OUTPUT, _LEAST_ROWS)
    yield from _rows_in_chat(style, letter.rows, room)
    for label, value, in_chats in letter.facts:
        if in_chats:
            short = _shortened(value)
            words = style.prose(short) if label == "Description" else short
            yield f"- {shown(label)}: {shown(words)}\n"
    yield "\n"
    output = letter.output.end(length)
    if output.text:
        label = _output_label(output.is_cut)
        yield f"{shown(label)}:\n\n{shown(style.block(output.text))}\n\n"
    if letter.link:
        yield f"{shown(style.link(letter.link))}\n"
    if letter.mutes:
        yield f"\n{shown(style.mutes(letter.mutes))}\n"


def _rows_in_chat(
    style: _Style, rows: tuple[SummaryRow, ...], room: int
) -> Iterator[str]:
    shown, fitting = style.shown, _fitting(rows, room)
    for row in fitting:
        is_named = bool(row.link) and len(rows) <= _FEW
        name = style.name(row) if is_named else _short(row.title)
        yield f"- {shown(row.label)}: {shown(name)} – {shown(row.clause)}\n"
    if left_out := len(rows) - len(fitting):
        yield f"- … and {left_out} more\n"
    if rows:
        yield "\n"


def _fitting(rows: tuple[SummaryRow, ...], room: int) -> list[SummaryRow]:
    """Return as many rows as there is room for; those that come first matter most."""
    kept = []
    for row in rows:
        room -= len(row.label) + min(len(row.title), _NAME) + len(row.clause)
        if room < 0:
            break
        kept.append(row)
    return kept


def _shortened(value: str) -> str:
    value = one_line(value)
    if len(value) <= _VALUE:
        return value
    # Between words: half an address leads nowhere.
    return f"{value[:_VALUE].rpartition(' ')[0] or value[: _VALUE - 1]} …"


def _link_label(letter: Letter) -> str:
    is_of_one = not letter.rows and letter.status != "info"
    return "Open the check" if is_of_one else "Open all checks"


def _output_label(is_cut: bool) -> str:
    return "The end of the last ping's body" if is_cut else "The last ping's body"


def _mutes_in_markdown(mutes: Sequence[tuple[str, str]]) -> str:
    links = (chats.named_link(words, url) for words, url in mutes)
    return chats.Ready("Mute for " + " · ".join(links))


def _mute_in_brief(mutes: Sequence[tuple[str, str]]) -> str:
    # Phones show addresses whole: one of them is enough.
    words, url = mutes[len(mutes) // 2]
    return f"Mute for {words}: {url}"


def _short(name: str) -> str:
    return cut(name, _NAME)


_MARKDOWN = _Style(
    shown=chats.escaped,
    prose=chats.with_links,
    block=chats.fenced,
    name=lambda row: chats.named_link(_short(row.title), row.link),
    link=lambda link: chats.named_link("Open in hcl", link),
    mutes=_mutes_in_markdown,
)
_PLAIN = _Style(
    shown=chats.without_mentions,
    prose=str,
    block=str,
    name=lambda row: _short(row.title),
    link=str,
    mutes=_mute_in_brief,
)
