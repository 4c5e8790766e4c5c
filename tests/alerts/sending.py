"""What tests of the sender share: channels over real receivers, and what they got."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hcl.model import Check
from hcl.pings.arrival import Target
from tests import toml
from tests.app import App, running_app
from tests.build import NOW, make_ping
from tests.patience import ENDS
from tests.sinks import HttpSink, SmtpSink
from tests.store import put_check, rows


def text(sinks: Sequence[HttpSink]) -> str:
    """Write an hcl.toml with a webhook for each sink."""
    hooks = [
        toml.webhook(
            f"Hook {number}", down=f"{sink.url}down/$CODE", up=f"{sink.url}up/$CODE"
        )
        for number, sink in enumerate(sinks, start=1)
    ]
    return "\n".join([toml.project(), *hooks])


@asynccontextmanager
async def app_and_sinks(
    folder: Path, *sinks: HttpSink
) -> AsyncIterator[tuple[App, list[HttpSink]]]:
    """Run the app with a channel for each sink; row ids count from 1."""
    async with asyncio.TaskGroup() as group:
        for sink in sinks:
            await group.create_task(_opened(sink))
    try:
        async with running_app(folder, text(sinks)) as app:
            yield app, list(sinks)
    finally:
        for sink in sinks:
            await sink.__aexit__(None, None, None)


async def _opened(sink: HttpSink) -> None:
    await sink.__aenter__()


async def ping(app: App, check: Check, action: str, at: datetime = NOW) -> None:
    address = Target(code=check.code)
    await app.parts.pinging.receive(address, make_ping(action=action, created=at))


async def down(app: App, *channel_ids: int, at: datetime = NOW) -> Check:
    """Let a check of its own go down."""
    check = await put_check(app.database, *channel_ids, status="up")
    await ping(app, check, "fail", at)
    return check


async def waiting(app: App) -> list[Any]:
    """Return when each waiting message is to be tried next."""
    stamps = await rows(
        app.database,
        "SELECT next_try FROM notifications WHERE next_try IS NOT NULL ORDER BY id",
    )
    return [datetime.fromtimestamp(stamp, UTC) for stamp in stamps]


async def finished(app: App) -> None:
    """Wait until a channel has done its work: it rings the sender then."""
    async with asyncio.timeout(ENDS):
        await app.alarms["sender"].sleep(None)


def targets(sink: HttpSink) -> list[str]:
    return [record.target for record in sink.records]


# Channels by name, each with a receiver of its own


def channel(name: str, kind: str = "email", **keys: str) -> str:
    """Write a channel; `keys` are as they stand in the file.

    A mail goes to the name in lower case at example.org, a request to /<name>/<status>/
    <check>; ports are filled in by `Post`.
    """
    more = {key: toml.Raw(value) for key, value in keys.items()}
    if kind == "email":
        return toml.email(name, f"{name.lower()}@example.org", **more)
    if kind == "webhook":
        url = f"@HTTP@{name.lower()}/$STATUS/$NAME"
        return toml.webhook(name, down=url, up=url, **more)
    return toml.channel(name, kind, **more)


def group(*names: str, **keys: str) -> str:
    """Write a channel All that stands for others."""
    listed = ", ".join(f'"{name}"' for name in names)
    return channel("All", "group", channels=f"[{listed}]", **keys)


def tag(name: str, **keys: str) -> str:
    """Write what is different for a tag."""
    return toml.tag(name, **{key: toml.Raw(value) for key, value in keys.items()})


def quiet(start: str, end: str, tz: str = "UTC") -> str:
    """Write quiet hours."""
    return f'{{ from = "{start}", to = "{end}", tz = "{tz}" }}'


def quiet_now() -> str:
    """Write quiet hours that neither begin nor end while the tests run."""
    hour = datetime.now(UTC).hour
    return quiet(f"{(hour - 6) % 24:02}:00", f"{(hour + 6) % 24:02}:00")


@dataclass
class Post:
    """The app with channels of mail and webhooks, and what these received."""

    folder: Path
    smtp: SmtpSink
    http: HttpSink
    app: App = field(init=False)

    def file(self, *parts: str) -> str:
        """Write an hcl.toml with these channels and tags."""
        head = toml.smtp(self.smtp.port), toml.project()
        return "\n".join([*head, *parts]).replace("@HTTP@", self.http.url)

    async def down(
        self, name: str, *channel_ids: int, at: datetime = NOW, **check: Any
    ) -> Check:
        """Let a check of its own go down."""
        values = {"name": name, "status": "up"} | check
        stored = await put_check(self.app.database, *(channel_ids or (1,)), **values)
        await ping(self.app, stored, "fail", at)
        return stored

    async def fail(self, check: Check, at: datetime) -> None:
        """Let a check go down."""
        await ping(self.app, check, "fail", at)

    async def succeed(self, check: Check, at: datetime) -> None:
        """Let a check come back."""
        await ping(self.app, check, "success", at)

    async def send(self, *moments: datetime) -> None:
        """Send what is due at each moment."""
        for now in moments:
            await self.app.sender.send_once(now)

    async def use(self, *parts: str) -> None:
        """Bring other settings to the app, as a reload does."""
        await self.app.reload(self.file(*parts))

    def mails(self, name: str = "Mail") -> list[str]:
        """Return the subjects of what a channel got."""
        to = f"{name.lower()}@example.org"
        return [
            str(record.message["Subject"])
            for record in self.smtp.records
            if to in record.rcpt_tos
        ]

    def requests(self, name: str = "Hook") -> list[str]:
        """Return status and check of what a webhook got."""
        got = [target.split("/")[1:] for target in targets(self.http)]
        return [f"{status} {check}" for to, status, check in got if to == name.lower()]

    def clear(self) -> None:
        """Forget what was received."""
        self.smtp.records.clear()
        self.http.records.clear()

    async def waiting(self, columns: str = "hold, next_try") -> list[Any]:
        """Return what waits; moments as minutes from NOW."""
        messages = await rows(
            self.app.database,
            f"SELECT {columns} FROM notifications WHERE next_try NOT NULL ORDER BY id",
        )
        return [_readable(row) for row in messages]

    async def answers(self) -> list[str]:
        """Return what became of each message that is finished."""
        return await rows(
            self.app.database,
            "SELECT answer FROM notifications WHERE next_try IS NULL ORDER BY id",
        )


def _readable(row: Any) -> Any:
    if isinstance(row, float):
        return round((row - NOW.timestamp()) / 60, 3)
    return tuple(map(_readable, row)) if isinstance(row, tuple) else row


@asynccontextmanager
async def posting(folder: Path, *parts: str) -> AsyncIterator[Post]:
    """Run the app with these channels; row ids count from 1."""
    async with AsyncExitStack() as stack:
        smtp = await stack.enter_async_context(SmtpSink())
        http = await stack.enter_async_context(HttpSink())
        post = Post(folder, smtp, http)
        post.app = await stack.enter_async_context(
            running_app(folder, post.file(*parts))
        )
        yield post


@asynccontextmanager
async def restarted(post: Post, *parts: str) -> AsyncIterator[Post]:
    """Run the app again on the same database, maybe by other settings."""
    path = post.folder / "hcl.toml"
    content = post.file(*parts) if parts else path.read_text()
    before = post.app
    await before.sender.close()
    try:
        async with running_app(post.folder, content) as post.app:
            yield post
    finally:
        post.app = before
