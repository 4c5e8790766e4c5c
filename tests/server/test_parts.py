from pathlib import Path

from tests.alerts.sending import channel, down, ping, posting
from tests.app import CONFIG, App
from tests.build import MICROSECOND, NOW
from tests.store import put_check, rows


async def test_reload_reaches_filer_pruner_and_web(app: App) -> None:
    check = await put_check(app.database)
    log = f'SELECT "key" - ({check.id} << 32) FROM pings ORDER BY "key"'
    for n in range(4):
        await ping(app, check, "success", NOW + n * MICROSECOND)
    await app.filer.file_once()
    assert await rows(app.database, log) == [1, 2, 3, 4]

    await app.reload(CONFIG.replace("Home", "House") + "\n[pings]\nlog_limit = 2\n")
    await app.pruner.prune_once(0)
    pruned = await rows(app.database, log)
    for n in range(4, 7):
        await ping(app, check, "success", NOW + n * MICROSECOND)
    await app.filer.file_once()

    assert pruned == [3, 4]
    # What would be dropped at once is not even filed.
    assert await rows(app.database, log) == [3, 4, 6, 7]
    assert [p.name for p in app.parts.keyring.projects] == ["House", "Other"]
    assert app.config.pings.log_limit == 2


async def test_reload_reaches_the_sender(tmp_path: Path) -> None:
    before = channel("Hook", "webhook")
    async with posting(tmp_path, before) as post:
        await post.use(before.replace("hook/", "door/"))

        await down(post.app, 1)
        await post.send(NOW)

        [got] = post.http.records
        assert got.target.startswith("/door/down/")
