"""The only place where the parts of the server meet: wired, and given settings."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from hcl.alarm import Alarm
from hcl.alerts.drill import Drill
from hcl.alerts.reports.reporter import Reporter
from hcl.alerts.sender import Sender
from hcl.changes import Changes
from hcl.checks.away import restoring
from hcl.checks.away.watch import Watch
from hcl.checks.checker import Checker
from hcl.checks.managing import Managing
from hcl.checks.slowness import Slowness
from hcl.checks.windows.maintenance import Maintenance
from hcl.clock import Clock
from hcl.config import Config, ConfigError
from hcl.counters import Counters
from hcl.db import Database
from hcl.model import Ping
from hcl.pings.filer import Filer
from hcl.pings.pinging import Pinging
from hcl.pings.pruner import Pruner
from hcl.server.keeping import Keeping
from hcl.server.syncing import Synced, sync
from hcl.server.watchdog import Watchdog
from hcl.web.app import create_app
from hcl.web.parts import Parts
from hcl.web.ping import PingEndpoint

if TYPE_CHECKING:
    from hcl.smtpd.server import MailServer

# Each has an alarm.
_LOOPS = (
    "checker",
    "sender",
    "filer",
    "pruner",
    "keeping",
    "watchdog",
    "drill",
    "reporter",
)

# What the sender's pauses are multiplied by, if not by what it has itself.
Jitter = Callable[[], float]


@dataclass
class Assembly:
    """All parts of one server, wired, and the settings that they use now.

    `alarms` are those of the loops, by name; `parts` is what the web may use; `mail` is
    None if no mail is to come in.
    """

    config: Config
    synced: Synced = field(init=False)
    database: Database
    alarms: dict[str, Alarm]
    clock: Clock
    watch: Watch
    checker: Checker
    sender: Sender
    filer: Filer
    pruner: Pruner
    keeping: Keeping
    watchdog: Watchdog
    drill: Drill
    reporter: Reporter
    parts: Parts
    ping: PingEndpoint
    app: ASGIApp
    mail: "MailServer | None"

    def loops(self) -> list[Coroutine[None, None, None]]:
        """Return the loops to run beside what takes connections."""
        return [
            self.checker.run(),
            self.sender.run(),
            self.filer.run(),
            self.pruner.run(),
            self.keeping.run(),
            self.watchdog.run(),
            self.drill.run(),
            self.reporter.run(),
        ]

    async def use(self, config: Config, *, retry: bool = False) -> None:
        """Bring the settings to the parts that can change while they run.

        `retry`: try again at once what waits after a failure: its cause may be mended.
        """
        use_mail = self._mail_with(config)
        self.synced = await sync(
            self.database, config, self.clock.now(), loose=self.clock.is_doubtful
        )
        await self.parts.maintenance.use(self.synced.windows)
        # What may fail is over: a reload is taken as a whole or not at all.
        use_mail()
        self.config = config
        self.parts.use(config, self.synced.projects, self.synced.secret)
        tells_late = any(c.tells_of("late") for c in self.synced.channels.values())
        self.parts.pinging.tells_late = self.parts.managing.tells_late = tells_late
        tells_slow = any(c.tells_of("slow") for c in self.synced.channels.values())
        await self.checker.slowness.use(is_on=tells_slow)
        if tells_late or any(project.checks for project in config.projects):
            # Of what the file declares, a deadline may have come nearer; and what is
            # late already is to be told by channels that are new.
            self.alarms["checker"].ring()
        # Open pages show what the file says, and who may see them stands in it.
        self.parts.changes.tell()
        self.filer.log_limit = self.pruner.log_limit = config.pings.log_limit
        self.watch.excuses = config.alerts.after_absence == "excuse"
        self.watch.home = self.keeping.home = config.alerts.tz
        self.keeping.use(config.backup)
        self.watchdog.use(config.watchdog)
        self.drill.use(config.alerts.test_every, self.synced.projects)
        self.reporter.use(config, self.synced.projects)
        await self.sender.use(config, self.synced.channels, retry=retry)

    def _mail_with(self, config: Config) -> Callable[[], None]:
        """Read what mail needs; return what takes it. Raises ConfigError."""
        if self.mail is None or config.smtpd.listen is None:
            return lambda: None
        # Imported here: it takes memory, and few want mail.
        from hcl.smtpd.server import certificate_of

        try:
            tls = certificate_of(config.smtpd)
        except ConfigError:
            if config.smtpd != self.config.smtpd:
                raise
            # Taken out of the file, it goes on until a restart: who took the
            # certificate away with it need not wait for that with all the rest.
            tls = self.mail.tls
        return partial(self.mail.use, config, tls)


@asynccontextmanager
async def assemble(
    config: Config,
    database: Database,
    *,
    clock: Clock | None = None,
    jitter: Jitter | None = None,
) -> AsyncIterator[Assembly]:
    """Wire the parts around a database, and have them use these settings.

    `clock` None: that of the machine.

    Nothing runs yet, but pings that a crash kept from being counted are counted. What
    the parts open is closed on every way out; the database stays the caller's.
    """
    assembly = _wire(config, database, clock or Clock(), jitter)
    try:
        await assembly.parts.pinging.recover()
        await assembly.watch.begin()
        # Whoever has mended something restarts hcl as often as they reload it.
        await assembly.use(config, retry=True)
        now = assembly.clock.now()
        await restoring.tell(
            database, assembly.synced.projects, now, assembly.config.alerts.tz
        )
        yield assembly
        await assembly.watch.end()
    finally:
        await assembly.sender.close()


def _wire(
    config: Config, database: Database, clock: Clock, jitter: Jitter | None
) -> Assembly:
    alarms = {name: Alarm(clock.now) for name in _LOOPS}
    clock.on_step = alarms["checker"].ring
    counters, changes = Counters(), Changes()
    database.on_recovery = changes.tell
    maintenance = Maintenance(
        database, checker=alarms["checker"], changes=changes, clock=clock
    )
    slowness, filer, pinging, pruner = _pings(
        config, database, clock, alarms, counters, changes, maintenance
    )
    watch, checker = _checks(
        config, database, clock, alarms, changes, filer, pinging, maintenance, slowness
    )
    keeping, drill, reporter = _precautions(config, database, clock, alarms, changes)
    managing = Managing(
        database,
        checker=alarms["checker"],
        sender=alarms["sender"],
        changes=changes,
        clock=clock,
        maintenance=maintenance,
    )
    parts = Parts(database, pinging, managing, counters, changes, clock, maintenance)
    ping = PingEndpoint(parts)
    sender = _sender(database, clock, alarms, counters, changes, jitter)
    managing.on_tags = sender.plan_anew
    return Assembly(
        config=config,
        database=database,
        alarms=alarms,
        clock=clock,
        watch=watch,
        checker=checker,
        sender=sender,
        filer=filer,
        pruner=pruner,
        keeping=keeping,
        watchdog=Watchdog(
            parts, config.watchdog, clock=clock, alarm=alarms["watchdog"]
        ),
        drill=drill,
        reporter=reporter,
        parts=parts,
        ping=ping,
        app=create_app(parts, ping),
        mail=_mail_server(config, pinging, clock),
    )


def _sender(
    database: Database,
    clock: Clock,
    alarms: Mapping[str, Alarm],
    counters: Counters,
    changes: Changes,
    jitter: Jitter | None,
) -> Sender:
    spread = {} if jitter is None else {"jitter": jitter}
    return Sender(
        database,
        clock=clock,
        alarm=alarms["sender"],
        counters=counters,
        changes=changes,
        **spread,
    )


def _pings(
    config: Config,
    database: Database,
    clock: Clock,
    alarms: Mapping[str, Alarm],
    counters: Counters,
    changes: Changes,
    maintenance: Maintenance,
) -> tuple[Slowness, Filer, Pinging, Pruner]:
    slowness = Slowness(
        database,
        checker=alarms["checker"],
        sender=alarms["sender"],
        changes=changes,
        clock=clock,
        maintenance=maintenance,
    )
    filer = Filer(
        database,
        clock=clock,
        alarm=alarms["filer"],
        pruner=alarms["pruner"],
        log_limit=config.pings.log_limit,
    )

    def received(pings: Sequence[tuple[int, Ping]]) -> None:
        filer.note(pings)
        slowness.note(pings)

    pinging = Pinging(
        database,
        checker=alarms["checker"],
        sender=alarms["sender"],
        received=received,
        counters=counters,
        changes=changes,
        clock=clock,
        maintenance=maintenance,
    )
    pruner = Pruner(
        database,
        clock=clock,
        alarm=alarms["pruner"],
        log_limit=config.pings.log_limit,
    )
    return slowness, filer, pinging, pruner


def _checks(
    config: Config,
    database: Database,
    clock: Clock,
    alarms: Mapping[str, Alarm],
    changes: Changes,
    filer: Filer,
    pinging: Pinging,
    maintenance: Maintenance,
    slowness: Slowness,
) -> tuple[Watch, Checker]:
    watch = Watch(
        database,
        clock,
        changes=changes,
        others=[alarms[name] for name in alarms if name != "checker"],
        heard=lambda: pinging.heard,
        refusals=pinging.refusals,
        file=filer.file_what_it_can,
        maintenance=maintenance,
        excuses=config.alerts.after_absence == "excuse",
    )
    checker = Checker(
        database,
        alarm=alarms["checker"],
        sender=alarms["sender"],
        changes=changes,
        clock=clock,
        watch=watch,
        maintenance=maintenance,
        slowness=slowness,
    )
    return watch, checker


def _precautions(
    config: Config,
    database: Database,
    clock: Clock,
    alarms: Mapping[str, Alarm],
    changes: Changes,
) -> tuple[Keeping, Drill, Reporter]:
    keeping = Keeping(
        database,
        config.database.path,
        config.backup,
        clock=clock,
        alarm=alarms["keeping"],
        sender=alarms["sender"],
        changes=changes,
    )
    drill = Drill(
        database,
        clock=clock,
        alarm=alarms["drill"],
        sender=alarms["sender"],
        changes=changes,
    )
    reporter = Reporter(
        database,
        clock=clock,
        alarm=alarms["reporter"],
        sender=alarms["sender"],
        changes=changes,
    )
    return keeping, drill, reporter


def _mail_server(config: Config, pinging: Pinging, clock: Clock) -> "MailServer | None":
    if config.smtpd.listen is None:
        return None
    # Imported here: aiosmtpd takes memory, and few want mail.
    from hcl.smtpd.server import MailServer

    return MailServer(pinging, config, clock)
