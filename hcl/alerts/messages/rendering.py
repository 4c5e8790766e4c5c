"""Letters laid out: as text and HTML for mail, as Markdown and briefly for chats."""

from collections.abc import Callable, Sequence
from functools import cache

import jinja2

from hcl.alerts.messages import chats
from hcl.alerts.messages.letter import Letter, SummaryRow
from hcl.words.lines import cut, one_line

# With more checks than these, the row of each is one line.
_FEW = 10
# What chats and phones show: characters of a job's output, of a value, of a name, and
# of the rows of several checks. Most of them take 4096 in all.
_OUTPUT = 1000
_VALUE = 300
_NAME = 80
_ROWS = 2500


def compile_mails() -> None:
    """Compile the templates of mails, which takes longer than the loop may wait."""
    for template in ("mail.txt", "mail.html"):
        _for_mail().get_template(template)


def in_text(letter: Letter) -> str:
    """Lay out the text part of a mail."""
    return _mail("mail.txt", letter)


def in_html(letter: Letter) -> str:
    """Lay out the HTML part of a mail."""
    return _mail("mail.html", letter)


def in_markdown(letter: Letter) -> str:
    """Lay out a chat's message in CommonMark; the subject is its title."""
    return _chat(_markdown(), letter)


def in_brief(letter: Letter) -> str:
    """Lay out a phone's message in plain text; the subject is its title."""
    return _chat(_plain(), letter)


def _mail(template: str, letter: Letter) -> str:
    return (
        _for_mail()
        .get_template(template)
        .render(
            letter=letter,
            few=len(letter.rows) <= _FEW,
            width=max((len(fact.label) for fact in letter.facts), default=4),
            link_label=_link_label(letter),
            output_label=_output_label(letter.output.is_cut),
        )
    )


def _chat(environment: jinja2.Environment, letter: Letter) -> str:
    output = letter.output.end(_OUTPUT)
    few = len(letter.rows) <= _FEW
    rows = _fitting(letter.rows)
    text = environment.get_template("chat.txt").render(
        letter=letter,
        few=few,
        rows=rows,
        left_out=len(letter.rows) - len(rows),
        facts=[
            (fact.label, _shortened(fact.value))
            for fact in letter.facts
            if fact.in_chats
        ],
        output=output,
        output_label=_output_label(output.is_cut),
    )
    return text.strip("\n")


def _fitting(rows: tuple[SummaryRow, ...]) -> list[SummaryRow]:
    """Return as many rows as chats take; those that come first matter most."""
    room, kept = _ROWS, []
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


@cache
def _for_mail() -> jinja2.Environment:
    return _environment()


@cache
def _markdown() -> jinja2.Environment:
    # Whatever a template inserts is escaped, but what a filter made ready.
    environment = _environment(chats.escaped)
    environment.filters |= {
        "block": chats.fenced,
        "prose": chats.with_links,
        "short": _short,
        "name": lambda row: chats.named_link(_short(row.title), row.link),
        "link": lambda link: chats.named_link("Open in hcl", link),
        "mutes": _mutes_in_markdown,
    }
    return environment


@cache
def _plain() -> jinja2.Environment:
    environment = _environment(chats.without_mentions)
    environment.filters |= {
        "block": str,
        "prose": str,
        "short": _short,
        "name": lambda row: _short(row.title),
        "link": str,
        "mutes": _mute_in_brief,
    }
    return environment


def _mutes_in_markdown(mutes: Sequence[tuple[str, str]]) -> str:
    links = (chats.named_link(words, url) for words, url in mutes)
    return chats.Ready("Mute for " + " · ".join(links))


def _mute_in_brief(mutes: Sequence[tuple[str, str]]) -> str:
    # Phones show addresses whole: one of them is enough.
    words, url = mutes[len(mutes) // 2]
    return f"Mute for {words}: {url}"


def _short(name: str) -> str:
    return cut(name, _NAME)


def _environment(
    finalize: Callable[[object], object] | None = None,
) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("hcl.alerts.messages"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(["html"]),
        finalize=finalize,
    )
