"""Letters as the HTML part of a mail.

Written by hand: what templates are compiled by takes 3 MB of memory, and mails are all
that a server needs it for which nobody looks at. What they look like stands in
tests/alerts/messages/snapshots.
"""

from collections.abc import Iterator
from typing import NamedTuple

import markupsafe

from hcl.alerts.messages.letter import Letter, SummaryRow
from hcl.model import Line, Section

# No colour of text or ground is set but on badges: each client has its own light and
# dark ones.
_HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{}</title>
</head>
<body style="margin: 0; padding: 16px; font-family: system-ui, -apple-system,\
 'Segoe UI', Roboto, sans-serif; font-size: 16px; line-height: 1.5">
<div style="max-width: 600px; margin: 0 auto">
"""
_BADGES = {"down": "#b3261e", "late": "#8a5a00", "slow": "#8a5a00"}
_BADGE = (
    '<span style="display: inline-block; padding: 2px 10px; border-radius: 4px;'
    " font-size: {}px; font-weight: bold; white-space: nowrap; vertical-align: 1px;"
    ' color: #ffffff; background-color: {}">{}</span>'
)
_RULE = "border-top: 1px solid rgba(128, 128, 128, 0.4)"
_BOX = "border: 1px solid rgba(128, 128, 128, 0.4); border-radius: 4px"
_WRAPS = "overflow-wrap: anywhere"
_NAMED = "color: inherit; font-weight: bold; text-decoration: underline"
_BARS = (
    '<table role="presentation" aria-hidden="true" style="width: 100%; margin: 4px 0'
    ' 2px; border-collapse: {}; table-layout: fixed"><tr>'
)
_CELL = 'padding: 0; font-size: 1px; line-height: 1px">&nbsp;</td>'


def escape(text: str) -> str:
    """Write text so that it is nothing but text, in attributes too."""
    return str(markupsafe.escape(text))


class Frame(NamedTuple):
    """What stands around a letter: the labels of its link and of what a job wrote.

    `few`: each of several checks has room for more than a line.
    """

    few: bool
    link_label: str
    output_label: str


def written(letter: Letter, frame: Frame) -> str:
    """Write the page."""
    parts = [
        _HEAD.format(escape(letter.subject)),
        *_top(letter),
        *(part for section in letter.sections for part in _section(letter, section)),
        '<p style="margin: 0 0 20px"></p>\n' if letter.sections else "",
        *_changes(letter),
        *(_row(row, few=frame.few) for row in letter.rows),
        *_facts(letter),
        *_end(letter, frame),
    ]
    return "".join(parts)


def _badge(status: str, label: str, size: int) -> str:
    return _BADGE.format(size, _BADGES.get(status, "#1b7f3b"), escape(label))


def _top(letter: Letter) -> Iterator[str]:
    if letter.notice:
        yield (
            '<p style="margin: 0 0 20px; padding: 8px 12px; border-left: 4px solid'
            f' rgba(128, 128, 128, 0.6); font-size: 15px; {_WRAPS}">'
            f"{escape(letter.notice)}</p>\n"
        )
    if letter.label and not letter.rows:
        badge = _badge(letter.status, letter.label, 16)
        yield f'<p style="margin: 0 0 12px">{badge}</p>\n'
    yield (
        f'<h1 style="margin: 0 0 12px; font-size: 22px; line-height: 1.3; {_WRAPS}">'
        f"{escape(letter.title)}</h1>\n"
    )
    told = [" ".join(letter.story)] if letter.story else []
    told += letter.paragraphs[:1] if letter.sections else letter.paragraphs
    for paragraph in told:
        yield f'<p style="margin: 0 0 20px; {_WRAPS}">{escape(paragraph)}</p>\n'


def _section(letter: Letter, section: Section) -> Iterator[str]:
    yield (
        '<h2 style="margin: 24px 0 6px; font-size: 17px; line-height: 1.3">'
        f"{escape(section.title)}</h2>\n"
        '<table role="presentation" style="width: 100%; border-collapse: collapse;'
        ' font-size: 15px">\n'
    )
    for line in section.lines:
        yield from _line(letter, line)
    yield "</table>\n"
    if section.more:
        yield (
            '<p style="margin: 6px 0 0; font-size: 15px; opacity: 0.8">'
            f"… and {section.more} more</p>\n"
        )


def _line(letter: Letter, line: Line) -> Iterator[str]:
    name = escape(line.name)
    if line.code and letter.root:
        link = escape(f"{letter.root}checks/{line.code}")
        name = f'<a href="{link}" style="{_NAMED}">{name}</a>'
    else:
        name = f"<b>{name}</b>"
    yield (
        f'<tr>\n<td style="padding: 6px 0; {_RULE}; {_WRAPS}">\n'
        f'{name} <span style="opacity: 0.8">{escape(line.text)}</span>\n'
    )
    if line.cells:
        yield _BARS.format("separate; border-spacing: 1px 0") + "\n"
        for cell in line.cells:
            yield f'<td bgcolor="{_shade(cell)}" style="height: 14px; {_CELL}'
        yield "\n</tr></table>\n"
    if line.bar is not None:
        share = max(round(line.bar * 100), 1)
        rest = '<td style="padding: 0"></td>' if share < 100 else ""
        yield (
            f'{_BARS.format("collapse")}<td width="{share}%" bgcolor="#3367b0"'
            f' style="height: 10px; {_CELL}{rest}</tr></table>\n'
        )
    yield "</td>\n</tr>\n"


def _shade(cell: float) -> str:
    """Colour a day by its share of downtime, in hundredths; below 0: unknown."""
    if cell < 0:
        return "#9aa0a6"
    if cell == 0:
        return "#1b7f3b"
    return "#d9822b" if cell < 25 else "#b3261e"


def _changes(letter: Letter) -> Iterator[str]:
    if letter.changes:
        yield '<p style="margin: 0 0 6px">Since the last message:</p>\n'
        yield '<ul style="margin: 0 0 20px; padding: 0 0 0 20px">\n'
        for change in letter.changes:
            yield f'<li style="margin: 0 0 4px; {_WRAPS}">{escape(change)}</li>\n'
        yield "</ul>\n"


def _row(row: SummaryRow, *, few: bool) -> str:
    name = f"<b>{escape(row.title)}</b>"
    if row.link:
        name = f'<a href="{escape(row.link)}" style="{_NAMED}">{escape(row.title)}</a>'
    return (
        f'<div style="padding: {"12px" if few else "6px"} 0; {_RULE}; {_WRAPS}">\n'
        f"{_badge(row.status, row.label, 13)} {name}\n"
        f'<div style="font-size: {15 if few else 13}px; opacity: 0.8">'
        f"{escape(row.clause)}</div>\n</div>\n"
    )


def _facts(letter: Letter) -> Iterator[str]:
    yield '<table style="width: 100%; border-collapse: collapse; font-size: 15px">\n'
    for label, value, _ in letter.facts:
        yield (
            f'<tr>\n<th scope="row" style="width: 1%; padding: 6px 16px 6px 0; {_RULE};'
            " text-align: left; vertical-align: top; font-weight: normal; opacity: 0.7;"
            f' white-space: nowrap">{escape(label)}</th>\n'
            f'<td style="padding: 6px 0; {_RULE}; vertical-align: top; white-space:'
            f' pre-line; {_WRAPS}">{escape(value)}</td>\n</tr>\n'
        )
    yield "</table>\n"


def _end(letter: Letter, frame: Frame) -> Iterator[str]:
    if letter.output.text:
        yield (
            '<p style="margin: 20px 0 6px; font-size: 15px; opacity: 0.7">'
            f"{escape(frame.output_label)}</p>\n"
            f'<pre style="margin: 0; padding: 12px; {_BOX}; font-size: 13px;'
            f' line-height: 1.4; white-space: pre-wrap; {_WRAPS}">\n'
            f"{escape(letter.output.text)}</pre>\n"
        )
    if letter.link:
        box = f"display: inline-block; padding: 8px 16px; {_BOX}; color: inherit"
        yield (
            f'<p style="margin: 24px 0 0"><a href="{escape(letter.link)}" style="{box};'
            f' text-decoration: none">{escape(frame.link_label)}</a></p>\n'
        )
    if letter.mutes:
        links = " · ".join(
            f'<a href="{escape(link)}" style="color: inherit">{escape(words)}</a>'
            for words, link in letter.mutes
        )
        yield f'<p style="margin: 16px 0 0; font-size: 15px">Mute for {links}</p>\n'
    yield (
        '<p style="margin: 24px 0 0; font-size: 13px; opacity: 0.7">'
        f"{escape(letter.site_name)}</p>\n</div>\n</body>\n</html>\n"
    )
