"""What a move would do, and what it did, in words."""

from collections.abc import Sequence

from hcl.moving.arranging import Place, Report
from hcl.moving.arrived import Arrived
from hcl.moving.config_file import Draft
from hcl.words.lines import counted, cut, listed, one_line

_LONGEST_NAME = 40
_HEADINGS = ("project", "here", "checks", "pings", "flips", "channels", "keys")


def table(places: Sequence[Place]) -> list[str]:
    """Show what comes, a line for each project."""
    rows = [_HEADINGS, *(_row(place) for place in places)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADINGS))]
    return [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(place: Place) -> tuple[str, ...]:
    project = place.project
    is_new = place.index is None
    return (
        cut(place.name, _LONGEST_NAME),
        "new" if is_new else "there",
        f"{project.checks:,}",
        f"{project.pings:,}",
        f"{project.flips:,}",
        f"{len(place.new_channels):,}",
        f"{len(project.keys) if is_new else 0:,}",
    )


def report(report: Report, new: Draft, remarks: Sequence[str]) -> list[str]:
    """Say what people have to fill in, what changed, and what has no equivalent."""
    fill_in = list(report.fill_in)
    if new.adds_smtp:
        fill_in.insert(
            0,
            "[smtp]: the server that mail goes out through, and whom it is from"
            " (EMAIL_HOST … and DEFAULT_FROM_EMAIL of the old server)",
        )
    if new.before is None:
        # Else every job of another machine would be called down.
        fill_in.insert(
            0,
            "[server]: site_root, as SITE_ROOT of the old server; and listen, unless a"
            " proxy on this machine leads to hcl, which nothing else reaches yet"
            " (`hcl init --lan` sets both for a network at home)",
        )
    lines = []
    for heading, these in (
        (f"To fill in, in {new.path}:", fill_in),
        ("Not as it was:", report.changed),
        ("Left behind:", [*report.left, *remarks]),
    ):
        if these:
            lines += ["", heading, *(f"  - {one_line(line)}" for line in these)]
    return lines


def outcome(arrived: Arrived) -> list[str]:
    """Say what has come."""
    lines = [
        f"{counted(arrived.new_checks, 'check')} came,"
        f" {counted(arrived.changed_checks, 'check')} changed,"
        f" with {counted(arrived.pings, 'ping')} and {counted(arrived.flips, 'flip')}"
        f" ({counted(arrived.checks, 'check')} looked at)"
    ]
    if arrived.alerts:
        waits = "waits" if arrived.alerts == 1 else "wait"
        lines.append(
            f"{counted(arrived.alerts, 'alert')} that the old server had not sent"
            f" {waits} here"
        )
    if arrived.ups:
        lines.append(
            f"{counted(arrived.ups, 'check')} that hcl had called down had pinged the"
            " other server: people will hear that it is up"
        )
    if arrived.twins:
        lines.append(
            f"{counted(arrived.twins, 'ping')} had the number of another ping of the"
            " check, and stayed behind"
        )
    for names, why in (
        (arrived.apart, "pinged here and there since, and left as they are"),
        (arrived.foreign, "in another project here, and left there"),
        (arrived.too_long, "longer than hcl takes today, and kept as they are"),
        (arrived.unscheduled, "of a schedule that cannot be worked out here"),
        (
            arrived.never_right,
            "never right, their min_run being more than max_run, or grace",
        ),
        (
            arrived.taken_slug,
            "with the slug of another check of this hcl, so that no ping by it is taken"
            " any more",
        ),
        (
            arrived.in_place,
            "in the place of checks that hcl.toml declares and nobody had pinged",
        ),
        (
            arrived.other_badges,
            "badges have other URLs here, unless hcl.toml has the old badge_key, in",
        ),
    ):
        if names:
            lines.append(f"{why}: {listed(names)}")
    return lines
