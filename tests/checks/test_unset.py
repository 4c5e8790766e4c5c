"""What a client of Healthchecks sees, byte for byte, where no finer rule is set.

The digests are of what the version before these rules answered to the same stories. To
see what differs, print `told` there and here.
"""

import hashlib
import random
from datetime import timedelta
from typing import Any

import pytest

from hcl.checks import rules
from hcl.checks.away import absence
from hcl.checks.check_json import Site, check_json
from hcl.model import Action, Check
from tests.build import NOW, make_check, make_ping

SITE = Site("https://hcl.example.org", "https://hcl.example.org/ping/")
MINUTE = timedelta(minutes=1)
ACTIONS: tuple[Action, ...] = ("success", "fail", "start", "log", "success", "start")
RIDS = (None, None, *(f"{n}a2b3c4d-0000-4000-8000-000000000000" for n in range(3)))
FIELDS: dict[str, dict[str, Any]] = {
    "simple": {"timeout": 60 * MINUTE, "grace": 10 * MINUTE},
    "cron": {"kind": "cron", "schedule": "*/30 * * * *", "tz": "Europe/Riga"},
    "oncalendar": {"kind": "oncalendar", "schedule": "hourly", "grace": 5 * MINUTE},
    "filtered": {"filter_http_body": True, "success_kw": "ok", "failure_kw": "bad"},
    "by hand": {"manual_resume": True, "grace": 3 * MINUTE, "timeout": 9 * MINUTE},
}
DIGESTS = {
    "simple": "49e82be64ce2f2fa fbe6671b64398276 5fb825c189f14618 e59f0f0c6812d9cb",
    "cron": "0138b29c770865d5 1d4af676cfa9836f f8926885a026629e 996add03cab09f13",
    "oncalendar": "407d0e498283b2e3 774429f721490fe7 019475b3dbb09678 3a072e774743f4c4",
    "filtered": "e5cb1cb4745adb57 96a4a9bae727b099 fb1fbd10d152ce21 0e440708dc8ee256",
    "by hand": "c9078388d32009f3 2e151cbe25f1bf63 589dada4b4067505 dd3112c56414a23a",
}


def told(fields: dict[str, Any], seed: str) -> str:
    """Tell a story of signals, looks, pauses and absences, as the APIs answer it."""
    chance = random.Random(seed)
    check, now, lines = make_check(name="Job", **fields), NOW, []
    for _ in range(300):
        now += chance.choice((1, 2, 5, 20, 70)) * MINUTE
        what = chance.choices(
            ("ping", "look", "pause", "away", "edit"), (9, 6, 1, 1, 1)
        )
        check, said = lived(check, what[0], now, chance)
        lines.append(said)
        lines += [answer(check, version, now) for version in (1, 2, 3)]
    return "\n".join(lines)


def lived(
    check: Check, what: str, now: Any, chance: random.Random
) -> tuple[Check, str]:
    if what == "ping":
        ping = make_ping(
            action=chance.choice(ACTIONS),
            rid=chance.choice(RIDS),
            body=chance.choice((b"", b"ok", b"bad")),
            created=now,
        )
        (check, flip, _), kept = rules.on_ping(check, ping)
        return check, f"{kept.n} {kept.action} {flip}"
    if what == "pause":
        ways = rules.on_resume if check.status == "paused" else rules.on_pause
        check, flip, _ = ways(check, now)
        return check, f"{flip}"
    if what == "away":
        # Of one that is down the version before excused no run, which was a fault.
        if check.status != "down":
            check = absence.on_return(check, now - 4 * MINUTE, now)
        return check, f"{check.counted_from} {check.excused} {check.run_excused}"
    if what == "edit":
        grace = chance.choice((1, 3, 10)) * MINUTE
        return rules.on_edit(check._replace(grace=grace), now).check, f"{grace}"
    check, flip, _ = rules.on_deadline(check, now)
    return check, f"{flip}"


def answer(check: Check, version: int, now: Any) -> str:
    return check_json(
        check, site=SITE, channels=(), version=version, readonly=version == 2, now=now
    )


@pytest.mark.parametrize("name", FIELDS)
def test_answers_are_what_they_were(name: str) -> None:
    digests = [
        hashlib.sha256(told(FIELDS[name], f"{name} {n}").encode()).hexdigest()[:16]
        for n in range(4)
    ]

    assert " ".join(digests) == DIGESTS[name]
