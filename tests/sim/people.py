"""What people and their jobs do to checks: they make, edit, pause, delete, and die."""

import random
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.sim.jobs import DAY, HOUR, SCHEDULES, Job
from tests.sim.life import api
from tests.sim.maintaining import maintain
from tests.sim.watched import Watched

if TYPE_CHECKING:
    from tests.sim.world import World

__all__ = [
    "assign",
    "delete",
    "die",
    "edit",
    "maintain",
    "mute",
    "pause",
    "refine",
    "reload",
    "slip",
]


def make_checks(world: "World") -> None:
    """Make the check of each job that has none, and have somebody look at them all."""
    for job in world.jobs:
        if not job.code:
            _make(world, job)


def _make(world: "World", job: Job) -> None:
    life = world.life
    assert life is not None
    plans = world.telling.plans().values()
    # Jobs with a schedule are late each time, by a second or two.
    chosen = [
        plan.name
        for plan in plans
        if plan.project == job.kind.project
        and job.rng.random() < (0.2 if "late" in plan.events else 0.45)
    ]
    number = job.made = job.made + 1
    values = {
        **job.settings,
        "name": f"{job.name} {number}",
        "slug": job.slug,
        "channels": ",".join(chosen),
    }

    def made(status: int | None, told: Any) -> None:
        if status == 201:
            is_first, job.code = not job.has_begun, told["uuid"]
            world.oracle.made(job, job.code, chosen)
            world.note(f"{job.name} is watched, by {', '.join(chosen)}", job.code)
            if is_first:
                job.begin()
                _look_now_and_then(world, job)
        elif status == 503:
            world.agenda.after(60, lambda: _make_later(world, job))

    api(life, "POST", "checks/", made, values, project=job.kind.project)


def _make_later(world: "World", job: Job) -> None:
    if not job.code and world.can_ask:
        _make(world, job)


def _look_now_and_then(world: "World", job: Job) -> None:
    """Have somebody look at a check by the API, and compare its log once a day."""

    def look() -> None:
        watched = world.oracle.by_code.get(job.code)
        if watched is not None and world.can_ask and watched.asked is None:
            world.oracle.verify(watched)
            _ask(world, watched)
        world.agenda.after(job.rng.uniform(0.3, 1.7) * DAY, look)

    world.agenda.after(HOUR, look)


def _ask(world: "World", watched: Watched) -> None:
    version = watched.model.version, watched.model.n

    def told(status: int | None, check: Any) -> None:
        if status == 200 and version == (watched.model.version, watched.model.n):
            world.oracle.compare(watched, check)

    def told_pings(status: int | None, pings: Any) -> None:
        if status == 200:
            world.oracle.compare_pings(watched, pings)

    def told_flips(status: int | None, flips: Any) -> None:
        if status == 200 and watched.code in world.oracle.by_code:
            world.oracle.compare_flips(watched, flips)

    assert world.life is not None
    project, path = watched.job.kind.project, f"checks/{watched.code}"
    api(world.life, "GET", path, told, project=project)
    if watched.model.n % 8 == 0:
        api(world.life, "GET", f"{path}/pings/", told_pings, project=project)
    elif watched.model.n % 8 == 1:
        api(world.life, "GET", f"{path}/flips/", told_flips, project=project)


def _some(
    world: "World", rng: random.Random, fields: Iterable[str] = ()
) -> Watched | None:
    """Choose a check that nobody is changing just now, and has one of these fields."""
    fields = set(fields)
    codes = [
        job.code
        for job in world.jobs
        if job.code in world.oracle.by_code
        and (not fields or fields & job.kind.settings.keys())
    ]
    if not codes or not world.can_ask:
        return None
    watched = world.oracle.by_code[rng.choice(codes)]
    return None if watched.asked is not None else watched


def die(world: "World", rng: random.Random) -> None:
    """Have a job die, to be mended after some of its periods."""
    job = rng.choice(world.jobs)
    length = rng.uniform(1, 6) * (job.kind.every or DAY) + 12 * HOUR
    job.dead_until = max(job.dead_until, world.machine.now + length)
    world.note(f"{job.name} dies, for {length / HOUR:.1f} h", job.code)


def edit(world: "World", rng: random.Random) -> None:
    """Give a check a longer or shorter grace, and back again."""
    watched = _some(world, rng)
    if watched is None:
        return
    grace = int(watched.job.kind.settings["grace"] * rng.choice((1, 1.5, 2, 0.9)))
    # One that it has never had tells whether the edit was done.
    grace += rng.randint(1, 99)
    values: dict[str, Any] = {"grace": grace}
    if "timeout" in watched.model.settings and rng.random() < 0.5:
        values["timeout"] = int(
            watched.job.kind.settings["timeout"] * rng.choice((1, 1.2, 2))
        )
    if watched.job.name in SCHEDULES and rng.random() < 0.5:
        values["schedule"] = rng.choice(SCHEDULES[watched.job.name])
    _change(world, watched, values, lambda row: row is not None and row[2] == grace)


# What people write in place of what a check has at first; None: no such rule.
_OTHERS: dict[str, tuple[Any, ...]] = {
    "tags": ("", "nas", "lab", "nas lab"),
    "max_run": (None, 3 * 3600),
    "min_run": (None, 1800),
    "down_after": (1, 2, 4),
    "early": (0, 1200),
    "failure_kw": ("FATAL", "error", ""),
    "filter_default_fail": (False,),
    "methods": ("",),
    "manual_resume": (False,),
}


def refine(world: "World", rng: random.Random) -> None:
    """Give a check another finer rule, another filter, or other tags."""
    watched = _some(world, rng, _OTHERS)
    if watched is None:
        return
    settings = watched.job.kind.settings
    field = rng.choice(sorted(settings.keys() & _OTHERS.keys()))
    values = {field: rng.choice((settings[field], *_OTHERS[field]))}
    if field == "tags":
        # Alone, since then what was due stays due.
        _change(world, watched, values, lambda row: row and row[4] == values["tags"])
        return
    grace = values["grace"] = int(watched.model.settings["grace"]) + 1
    _change(world, watched, values, lambda row: row is not None and row[2] == grace)


def assign(world: "World", rng: random.Random) -> None:
    """Give a check other channels."""
    watched = _some(world, rng)
    if watched is None:
        return
    plans = world.telling.plans().values()
    names = [plan.name for plan in plans if plan.project == watched.job.kind.project]
    chosen = ",".join(name for name in names if rng.random() < 0.5)
    grace = int(watched.model.settings["grace"]) + 1
    values = {"channels": chosen, "grace": grace}
    _change(world, watched, values, lambda row: row is not None and row[2] == grace)


def _change(world: "World", watched: Watched, values: Any, was_done: Any) -> None:
    text = ", ".join(f"{key} = {value}" for key, value in values.items())
    world.note(f"{watched.job.name} is edited: {text}", watched.code)
    answered = world.oracle.asks(
        watched, was_done, lambda: world.oracle.edit(watched, dict(values))
    )
    _post(world, watched, "", values, answered)


def _post(
    world: "World", watched: Watched, what: str, values: Any, answered: Any
) -> None:
    assert world.life is not None
    api(
        world.life,
        "POST",
        f"checks/{watched.code}{what}",
        answered,
        values,
        project=watched.job.kind.project,
    )


def pause(world: "World", rng: random.Random) -> None:
    """Pause a check; resume it after a while, or let a ping do it."""
    watched = _some(world, rng)
    if watched is None:
        return
    before = watched.model.status

    def paused() -> None:
        world.oracle.settle_both(watched)
        watched.perfect.pause()
        world.oracle.expect(watched, watched.model.pause())

    def was_done(row: Any) -> bool:
        return row is not None and row[0] == "paused" and before != "paused"

    world.note(f"{watched.job.name} is paused", watched.code)
    _post(world, watched, "/pause", None, world.oracle.asks(watched, was_done, paused))
    world.agenda.after(rng.choice((HOUR, 30 * HOUR)), partial(_resume, world, watched))


def _resume(world: "World", watched: Watched) -> None:
    current = world.oracle.by_code.get(watched.code)
    if current is None:
        return
    if not world.can_ask or current.asked is not None:
        world.agenda.after(HOUR, partial(_resume, world, watched))
        return
    if current.model.status != "paused":
        return

    def resumed() -> None:
        # One who is always there may have heard it meanwhile.
        current.perfect.resume()
        world.oracle.expect(current, current.model.resume())

    def was_done(row: Any) -> bool:
        return row is not None and row[0] == "new"

    world.note(f"{current.job.name} is resumed", current.code)
    _post(
        world, current, "/resume", None, world.oracle.asks(current, was_done, resumed)
    )


def mute(world: "World", rng: random.Random) -> None:
    """Have nobody told of a check for a while; end that before its end at times."""
    watched = _some(world, rng)
    if watched is None:
        return
    length = rng.choice((HOUR, 9 * HOUR, 40 * HOUR))
    _mute(world, watched, length)
    if rng.random() < 0.3:
        world.agenda.after(length / 3, partial(_unmute, world, watched.code))


def _unmute(world: "World", code: str) -> None:
    watched = world.oracle.by_code.get(code)
    if watched is not None and watched.asked is None and world.can_ask:
        _mute(world, watched, 0.0)


def _mute(world: "World", watched: Watched, length: float) -> None:
    asked, is_sure = world.machine.now, True

    def was_done(row: Any) -> bool:
        nonlocal is_sure
        is_sure = False
        return row is not None

    def muted() -> None:
        world.telling.mutes.begin(watched.code, asked, asked + length, is_sure=is_sure)

    text = f"is muted for {length:.0f} s" if length else "is not muted any more"
    world.note(f"{watched.job.name} {text}", watched.code)
    answered = world.oracle.asks(watched, was_done, muted)
    _post(world, watched, "/mute", {"seconds": int(length)}, answered)


def delete(world: "World", rng: random.Random) -> None:
    """Delete a check; its job gets a new one."""
    watched = _some(world, rng)
    if watched is None:
        return
    job, life = watched.job, world.life
    assert life is not None

    def deleted() -> None:
        world.oracle.forget(watched)
        job.code = ""
        if world.can_ask:
            _make(world, job)

    world.note(f"{job.name} is deleted", watched.code)
    answered = world.oracle.asks(watched, lambda row: row is None, deleted)
    api(
        life,
        "DELETE",
        f"checks/{watched.code}",
        lambda status, _: answered(status),
        project=job.kind.project,
    )


def reload(world: "World", rng: random.Random) -> None:
    """Go over to the other config."""
    if world.can_ask:
        assert world.life is not None
        name = "second" if world.telling.config == "first" else "first"
        world.note(f"hcl takes its {name} config")
        world.life.reload(world.configs[name])


def slip(world: "World", rng: random.Random) -> None:
    """Go over to the other config, and undo that soon."""
    reload(world, rng)
    world.later(rng.choice((900.0, 8 * HOUR, 30 * HOUR)), lambda: _undo(world, rng))


def _undo(world: "World", rng: random.Random) -> None:
    if world.can_ask:
        reload(world, rng)
    else:
        world.later(60, lambda: _undo(world, rng))
