"""Channels that are calm, and what people do to their checks."""

from datetime import timedelta
from typing import Any

from hcl import store
from hcl.checks import spec
from hcl.model import Check
from tests.alerts.sending import Post, channel, quiet
from tests.build import NOW

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
HOURLY = channel("Mail", remind_every='"1h"')
PLAIN = channel("Mail")
DELAY = channel("Mail", delay='"10m"')
FOLD = channel("Mail", fold='"1m"')
# NOW is noon.
NOON = channel("Mail", quiet_hours=quiet("11:00", "13:00"))


async def managed(post: Post, check_id: int, what: str, at: float = 0) -> None:
    """Pause, resume or delete a check, as the API does."""
    check = await store.checks.by_id(post.app.database.committed, check_id)
    assert check is not None
    managing = post.app.parts.managing
    project = post.app.synced.projects[0]
    now = NOW + at * MINUTE
    if what == "delete":
        await managing.delete(project, check.code)
    elif what == "pause":
        await managing.pause(project, check.code, now)
    else:
        await managing.resume(project, check.code, now)


async def assign(post: Post, check_id: int, *channel_ids: int) -> None:
    async with post.app.database.transaction() as conn:
        await store.channels.assign(conn, check_id, channel_ids)


async def edit(post: Post, check: Check, minutes: float, **fields: Any) -> None:
    """Change fields of a check so many minutes after NOW, as the API does."""
    project = post.app.synced.projects[0]
    now = NOW + minutes * MINUTE
    await post.app.parts.managing.update(project, check.code, spec.parse(fields), now)
