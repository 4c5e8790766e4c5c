"""Gather from the store what a message has to tell."""

import logging
from dataclasses import replace

from aiosqlite import Connection

from hcl import store
from hcl.alerts.calm import LONGEST_HISTORY, Bundle, by_check
from hcl.alerts.messages import message_of, pages_root
from hcl.checks import mute_links
from hcl.config import Config
from hcl.db import readable
from hcl.model import Alert, Check, Flip, Lateness, Message, Ping
from hcl.store.waiting import Waiting
from hcl.words.handing import last_reasons

logger = logging.getLogger(__name__)

# Other checks that a message names, and that it counts, at most.
_NAMED, _COUNTED = 5, 1000


async def compose(
    conn: Connection,
    config: Config,
    bundle: Bundle,
    *,
    ways: frozenset[int] = frozenset(),
    for_people: bool = True,
) -> Message | None:
    """Return what some notifications of one channel tell together.

    None: what they tell of was deleted meanwhile. `ways` are the ids of the channels
    whose messages may come to this one. `for_people`: also what no placeholder tells,
    which takes longer where many checks are down.
    """
    if announcement_id := bundle[0].notification.announcement_id:
        return await _announced(conn, config, bundle, announcement_id)
    checks = [
        (check, rows)
        for rows in by_check(bundle)
        if (check := await store.checks.by_id(conn, rows[0].notification.check_id))
    ]
    if not checks:
        return None
    project_id = checks[0][0].project_id
    told_of = [check.id for check, _ in checks]
    also_down, secret = [], ""
    project = await store.projects.known_by_id(conn, project_id)
    if for_people:
        secret = await _secret(conn, config)
        titles = store.checks.down_titles(conn, project_id, told_of, _COUNTED)
        also_down = await readable(titles, [], logger)
    return Message(
        site_name=config.server.site_name,
        site_root=pages_root(config),
        project_name=project.name,
        alerts=tuple(
            [
                _linked(
                    await _alert(conn, check, rows, ways if for_people else None),
                    config,
                    secret,
                )
                for check, rows in checks
            ]
        ),
        also_down=tuple(also_down[:_NAMED]),
        also_down_count=len(also_down),
        notice=last_reasons(row.notification.notice for row in bundle),
        project_code=project.code,
    )


async def _last_ping(conn: Connection, check: Check, n: int) -> Ping | None:
    return await readable(store.pings.last_up_to(conn, check, n), None, logger)


async def _secret(conn: Connection, config: Config) -> str:
    """Return what signs links; "" where there are no pages to lead to."""
    if not config.web.enabled:
        return ""
    return config.server.secret or await store.settings.get(conn, "secret") or ""


def _linked(alert: Alert, config: Config, secret: str) -> Alert:
    """Add the links that mute a check, if it is down, and the zone of people."""
    alert = replace(alert, home=config.alerts.tz)
    if not secret or alert.status != "down":
        return alert
    root, code = config.server.site_root, alert.check.code
    links = [
        (length, root + mute_links.path(secret, code, length))
        for length in mute_links.LENGTHS
    ]
    return replace(alert, mute_links=tuple(links))


async def _announced(
    conn: Connection, config: Config, bundle: Bundle, announcement_id: int
) -> Message | None:
    announcement = await store.announcements.by_id(conn, announcement_id)
    if announcement is None:
        return None
    code = name = ""
    if announcement.project_id:
        code, name, _ = await store.projects.known_by_id(conn, announcement.project_id)
    return message_of(
        config,
        name,
        project_code=code,
        announcement=announcement,
        notice=last_reasons(row.notification.notice for row in bundle),
    )


async def _alert(
    conn: Connection, check: Check, rows: Bundle, ways: frozenset[int] | None
) -> Alert:
    told = {row.notification.flip_id: row for row in rows}
    flips_told = [row.flip for row in told.values()]
    last = rows[-1]
    if last.lateness is not None:
        lateness = replace(last.lateness, others=len(rows) - 1)
        return await _late_alert(conn, check, last, lateness)
    reminder = min(row.notification.reminder for row in rows) and (
        last.notification.reminder
    )
    n = check.n_pings if reminder else last.n_pings
    later: list[store.flips.Logged] = []
    if ways is not None and not reminder:
        # A pause, say, or that it is up again, over a channel that tells of no up.
        untold = store.flips.untold(conn, last.notification, ways, LONGEST_HISTORY)
        later = await readable(untold, [], logger)
        n = later[-1].n_pings if later else n
    return Alert(
        check=check,
        flip=flips_told[-1],
        ping=await _last_ping(conn, check, n) if n else None,
        channels=tuple(await store.channels.codes_of_check(conn, check.id)),
        earlier=tuple(flips_told[:-1]),
        later=tuple(logged.flip for logged in later),
        reminder=reminder,
        down_since=await readable(
            store.flips.down_since(conn, check.id, last.notification.flip_id),
            None,
            logger,
        ),
    )


async def _late_alert(
    conn: Connection, check: Check, row: Waiting, lateness: Lateness
) -> Alert:
    is_slow = lateness.usual is not None
    n = check.n_pings if lateness.ended and not is_slow else row.n_pings
    return Alert(
        check=check,
        flip=Flip(lateness.ended or lateness.began, "up", "up", ""),
        ping=await _last_ping(conn, check, n) if n else None,
        channels=tuple(await store.channels.codes_of_check(conn, check.id)),
        lateness=lateness,
    )
